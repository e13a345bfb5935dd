import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import pino from 'pino';
import { LockError } from '../../src/errors';
import { NodeConnection, reasonOfSilence } from '../../src/client/node-connection';
import { createServer, listen } from '../../src/transport/server';
import { certificateFault, expiryWarning, loadTls, readTls } from '../../src/transport/tls';
import type { TlsMaterial } from '../../src/transport/tls';
import { TlsStore } from '../../src/transport/tls-store';
import type { TlsFiles } from '../../src/transport/transport';
import { until } from '../support/processes';
import { Peer, Proxy, RawPeer, helloOf, release, stopAll } from './peers';

afterEach(stopAll);

function file(name: string): string {
  return join(__dirname, 'certificates', `${name}.pem`);
}

/** @param authority the one that this node trusts */
function filesOf(name: string, authority = 'authority'): TlsFiles {
  return { certFile: file(name), keyFile: file(`${name}.key`), caFile: file(authority) };
}

function thrown(run: () => unknown): LockError {
  try {
    run();
  } catch (error) {
    if (error instanceof LockError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function peer(id: string, files: TlsFiles): Promise<Peer> {
  return new Peer(id, { tls: { material: loadTls(files) } }).listen();
}

describe('TLS: a node is who its certificate says', () => {
  test('nodes with certificates of one authority connect, whichever of them dials', async () => {
    for (const dialler of ['n1', 'n2']) {
      const n1 = await peer('n1', filesOf('n1'));
      const n2 = await peer('n2', filesOf('n2'));
      n1.start(dialler === 'n1' ? { n2 } : {});
      n2.start(dialler === 'n2' ? { n1 } : {});
      await Promise.all([n1.untilUp('n2'), n2.untilUp('n1')]);
      n1.send('n2', release(1));
      n2.send('n1', release(2));
      await until(() => n1.messages.length === 1 && n2.messages.length === 1, 'a message each way');
      await stopAll();
    }
  });

  test('a certificate of another authority is refused, by the one that dials and by the one that is dialled', async () => {
    const n1 = await peer('n1', filesOf('n1'));
    const n2 = await peer('n2', filesOf('false-n2'));
    n1.start({ n2 });
    n2.start({ n1 });
    await n1.untilDown('n2', /^its certificate was signed by another authority/);
    await n2.untilDown('n1', /^the node refuses the certificate given here: it was signed by another authority|^its certificate was signed by another authority/);
    expect([n1.changes, n2.changes]).toEqual([[], []]);
  });

  test('a node with a good certificate cannot claim another’s id', async () => {
    const n1 = (await peer('n1', filesOf('n1'))).start();
    const { ca, key, cert } = loadTls(filesOf('n3'));
    const raw = new RawPeer(n1.address, grpc.credentials.createSsl(ca, key, cert), { 'grpc.ssl_target_name_override': 'n1' });
    raw.send(helloOf({ node: 'n2' }));
    const end = await raw.end();
    expect(end).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(end.reason).toMatch(/the certificate is for n3, not for node n2/);
  });

  test('a node that is dialled as another is refused by the one that dials', async () => {
    const n1 = await peer('n1', filesOf('n1'));
    const n3 = (await peer('n3', filesOf('n3'))).start();
    n1.start({ n2: n3 });
    await n1.untilDown('n2', /certificate is for n3, not for node n2/);
  });

  test('where only one side uses TLS, both say so, and log it once however often they dial', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
    const n1 = await new Peer('n1', { tls: { material: loadTls(filesOf('n1')) }, log }).listen();
    const n2 = await new Peer('n2', { log }).listen();
    const toN2 = await Proxy.to(n2);
    n1.start({ n2: toN2 });
    n2.start({ n1 });
    await n1.untilDown('n2', /^it does not speak TLS/);
    await n2.untilDown('n1', /^the node speaks TLS only/);
    const dials = toN2.accepted;
    await until(() => toN2.accepted >= dials + 3, 'more dials');
    expect(lines.filter((line) => line.includes('"peer":"n1"'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('"peer":"n2"'))).toHaveLength(1);
  });

  test('without a certificate, or without TLS, nobody is heard', async () => {
    const n1 = (await peer('n1', filesOf('n1'))).start();
    const { ca } = loadTls(filesOf('n1'));
    const nameless = new RawPeer(n1.address, grpc.credentials.createSsl(ca), { 'grpc.ssl_target_name_override': 'n1' });
    const plain = new RawPeer(n1.address);
    for (const raw of [nameless, plain]) {
      raw.send(helloOf({}));
      expect(await raw.end()).toMatchObject({ code: 'UNAUTHENTICATED' });
    }
    expect(n1.changes).toEqual([]);
  });
});

describe('TLS: whose certificate it is', () => {
  test.each([
    ['the common name', { subject: { CN: 'n2' } }, true],
    ['a DNS name', { subject: { CN: 'machine 7' }, subjectaltname: 'DNS:a, DNS:n2, IP Address:127.0.0.1' }, true],
    ['another node', { subject: { CN: 'n22' }, subjectaltname: 'DNS:n' }, false],
    ['an address that looks like the id', { subject: { CN: 'x' }, subjectaltname: 'IP Address:n2' }, false],
    ['one name that pretends to be two', { subject: { CN: 'x' }, subjectaltname: 'DNS:"x, DNS:n2"' }, false],
    ['one of several common names', { subject: { CN: ['a', 'n2'] } }, true],
    ['nobody', { subject: {} }, false],
  ])('%s', (_what, certificate, isN2) => {
    const fault = certificateFault(certificate, 'n2');
    expect(fault === null).toBe(isN2);
    if (fault !== null) expect(fault).toMatch(/not for node n2/);
  });
});

describe('TLS: files', () => {
  let directory: string;
  beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'maekawa-tls-'))));
  afterAll(() => rmSync(directory, { recursive: true }));

  function refusal(files: Partial<TlsFiles>, self?: string): string {
    const error = thrown(() => loadTls({ ...filesOf('n1'), ...files }, self));
    expect(error.code).toBe('config');
    return error.message;
  }

  test('good ones are taken, by a node and by a client', () => {
    expect(loadTls(filesOf('n1'), 'n1').endsFirst).toBe(file('n1'));
    expect(loadTls(filesOf('client')).cert.length).toBeGreaterThan(0);
  });

  test('a file that is not there is named', () => {
    const keyFile = join(directory, 'missing.pem');
    expect(refusal({ keyFile }, 'n1')).toContain('missing.pem: ENOENT');
  });

  test('a certificate that is not this node’s', () => {
    expect(refusal(filesOf('n3'), 'n1')).toContain('for n3, not for node n1');
  });

  test('a file that holds no certificate, no key, no authority', () => {
    const text = join(directory, 'text.pem');
    writeFileSync(text, 'hello');
    expect(refusal({ certFile: text })).toMatch(/text\.pem holds no certificate in PEM form\. Name the file of the certificate \(--tls-cert/);
    expect(refusal({ keyFile: text })).toMatch(/text\.pem holds no private key in PEM form/);
    expect(refusal({ caFile: text })).toMatch(/text\.pem holds no certificate in PEM form\. Name the file of the certificate of an authority/);
  });

  test('certificate and key in each other’s place', () => {
    expect(refusal({ certFile: file('n1.key') })).toMatch(/n1\.key\.pem holds a private key and no certificate/);
    expect(refusal({ keyFile: file('n1') })).toMatch(/n1\.pem holds a certificate and no private key/);
  });

  test('a damaged certificate', () => {
    const certFile = join(directory, 'damaged.pem');
    writeFileSync(certFile, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    expect(refusal({ certFile })).toMatch(/certificate 1 in .*damaged\.pem is damaged/);
  });

  test('the key of another certificate: both files are named', () => {
    expect(refusal({ keyFile: file('n3.key') })).toMatch(/the private key in \S*n3\.key\.pem is not that of the certificate in \S*n1\.pem/);
  });

  test('a certificate of another authority: both files are named', () => {
    expect(refusal({ caFile: file('another-authority') }, 'n1')).toMatch(/the certificate in \S*n1\.pem was not signed by an authority in \S*another-authority\.pem/);
  });

  test('dates', () => {
    expect(refusal(filesOf('expired-n1'), 'n1')).toMatch(/expired-n1\.pem expired at 2021-01-01T00:00:00Z, and it is 20/);
    expect(refusal(filesOf('future-n1'), 'n1')).toMatch(/future-n1\.pem is valid from 2110-01-01T00:00:00Z on/);
    expect(refusal(filesOf('expired-client'))).toMatch(/expired-client\.pem expired at/);
  });

  test.each([['server-only-n1', 'clients (clientAuth)'], ['client-only-n1', 'servers (serverAuth)']])('%s: a node dials and is dialled', (name, missing) => {
    expect(refusal(filesOf(name), 'n1')).toContain(`may not be used for ${missing}`);
    expect(loadTls(filesOf(name)).cert.length).toBeGreaterThan(0); // a client needs not both
  });

  test('a certificate that ends soon is told before, and after', () => {
    const { endsAtMs, warnAtMs, ...rest } = loadTls(filesOf('n1'), 'n1');
    const material = { ...rest, endsAtMs, warnAtMs };
    expect(endsAtMs - warnAtMs).toBe(30 * 86_400_000);
    expect(expiryWarning(material, warnAtMs - 1)).toBeNull();
    expect(expiryWarning(material, warnAtMs)).toMatch(/n1\.pem expires at 2120-01-01T00:00:00Z/);
    expect(expiryWarning(material, endsAtMs)).toMatch(/n1\.pem expired at 2120-01-01T00:00:00Z/);
  });
});

describe('TLS: files that are renewed', () => {
  let directory: string;
  let files: TlsFiles;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'maekawa-tls-'));
    files = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem'), caFile: join(directory, 'ca.pem') };
    put('n1');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function put(name: string): void {
    const from = filesOf(name);
    copyFileSync(from.certFile, files.certFile);
    copyFileSync(from.keyFile, files.keyFile);
    copyFileSync(from.caFile, files.caFile);
  }

  function opened(self?: string): { store: TlsStore; log: string[] } {
    const log: string[] = [];
    const store = new TlsStore(files, { ...(self === undefined ? {} : { self }), log: pino({}, { write: (line: string) => log.push(line) }) });
    return { store, log };
  }

  test('new ones are used from then on, and it is told', async () => {
    const { store, log } = opened();
    const renewed: TlsMaterial[] = [];
    store.onRenewed = (material) => renewed.push(material);
    await store.look();
    expect(renewed).toEqual([]);
    put('client');
    await store.look();
    expect(renewed).toEqual([store.material]);
    expect(store.material.cert).toEqual(readFileSync(filesOf('client').certFile));
    expect(log.join('')).toContain('read new TLS files');
  });

  test.each([
    ['that are not there', (): void => rmSync(files.certFile), /ENOENT/],
    ['of which only one was replaced', (): void => copyFileSync(file('n3.key'), files.keyFile), /is not that of the certificate/],
    ['for another node', (): void => put('n3'), /for n3, not for node n1/],
    ['that have expired', (): void => put('expired-n1'), /expired at/],
  ])('files %s take the place of nothing, and that is told once when it lasts', async (_what, spoil, reason) => {
    const { store, log } = opened('n1');
    const before = store.material;
    spoil();
    await store.look();
    expect(log).toEqual([]); // They may be half renewed.
    for (let looks = 0; looks < 3; looks++) await store.look();
    expect(store.material).toBe(before);
    expect(log).toHaveLength(1);
    expect(log[0]).toMatch(reason);
    expect(store.kept).toMatch(reason);
    put('n1');
    await store.look();
    expect(store.kept).toBeNull();
  });

  test('they are looked at again and again', async () => {
    const store = new TlsStore(files, { lookMs: 10 }).watch();
    const renewed = new Promise<void>((resolve) => (store.onRenewed = () => resolve()));
    put('n2');
    await renewed;
    store.stop();
  });

  test('a client takes new ones without a restart, and what is open goes on', async () => {
    const n1 = (await peer('n1', filesOf('n1'))).start();
    const source = { material: readTls(filesOf('false-client')) as TlsMaterial };
    const connection = new NodeConnection(n1.address, { tls: source, node: 'n1' });
    const ask = async (): Promise<unknown> => reasonOfSilence(await connection.status(3_000).catch((failure: unknown) => failure));
    try {
      expect(await ask()).toMatch(/refuses the certificate given here/);
      source.material = loadTls(filesOf('client'));
      expect(await ask()).toMatch(/no node of maekawa/); // TLS is agreed on; no service for clients is there
      const ends: LockError[] = [];
      connection.watch('stock', () => undefined, (error) => ends.push(error));
      source.material = loadTls(filesOf('n3'));
      expect(await ask()).toMatch(/no node of maekawa/);
      await until(() => ends.length > 0, 'the stream to be answered');
      expect(reasonOfSilence(ends[0])).toMatch(/no node of maekawa/); // and not cut
    } finally {
      await connection.close();
    }
  });

  test('a node takes new ones without a restart', async () => {
    const server = createServer();
    const listening = await listen(server, '127.0.0.1:0', { self: 'n1', tls: { material: loadTls(filesOf('n1')) } });
    try {
      const address = `127.0.0.1:${listening.port}`;
      const ask = async (): Promise<unknown> => {
        const connection = new NodeConnection(address, { tls: { material: loadTls(filesOf('client')) }, node: 'n1' });
        const error: unknown = await connection.status(3_000).catch((failure: unknown) => failure);
        await connection.close();
        return reasonOfSilence(error);
      };
      expect(await ask()).toMatch(/no node of maekawa/); // TLS is agreed on; no service is there
      listening.renew(readTls(filesOf('false-n2', 'another-authority')) as TlsMaterial);
      expect(await ask()).toMatch(/^its certificate was signed by another authority/);
    } finally {
      listening.stop();
    }
  });
});
