import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import pino from 'pino';
import { LockError } from '../../src/errors';
import { certificateFault, loadClientTls, loadTls } from '../../src/transport/tls';
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
  return new Peer(id, { tls: loadClientTls(files) }).listen();
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
    await n1.untilDown('n2', /unable to get local issuer certificate|self-signed certificate|unable to verify/);
    await n2.untilDown('n1', /a certificate is refused|alert/);
    expect([n1.changes, n2.changes]).toEqual([[], []]);
  });

  test('a node with a good certificate cannot claim another’s id', async () => {
    const n1 = (await peer('n1', filesOf('n1'))).start();
    const { ca, key, cert } = loadClientTls(filesOf('n3'));
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
    const n1 = await new Peer('n1', { tls: loadClientTls(filesOf('n1')), log }).listen();
    const n2 = await new Peer('n2', { log }).listen();
    const toN2 = await Proxy.to(n2);
    n1.start({ n2: toN2 });
    n2.start({ n1 });
    await n1.untilDown('n2', /TLS|SSL|wrong version/);
    await n2.untilDown('n1', /only one side uses TLS/);
    const dials = toN2.accepted;
    await until(() => toN2.accepted >= dials + 3, 'more dials');
    expect(lines.filter((line) => line.includes('"peer":"n1"'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('"peer":"n2"'))).toHaveLength(1);
  });

  test('without a certificate, or without TLS, nobody is heard', async () => {
    const n1 = (await peer('n1', filesOf('n1'))).start();
    const { ca } = loadClientTls(filesOf('n1'));
    const nameless = new RawPeer(n1.address, grpc.credentials.createSsl(ca), { 'grpc.ssl_target_name_override': 'n1' });
    const plain = new RawPeer(n1.address);
    for (const raw of [nameless, plain]) {
      raw.send(helloOf({}));
      expect(await raw.end()).toMatchObject({ code: 'UNAVAILABLE' });
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

  test('a file that is not there is named', () => {
    const error = thrown(() => loadTls({ ...filesOf('n1'), keyFile: join(directory, 'missing.pem') }, 'n1'));
    expect(error).toMatchObject({ code: 'config', message: expect.stringContaining('missing.pem: ENOENT') as string });
  });

  test('a certificate that is not this node’s', () => {
    const error = thrown(() => loadTls(filesOf('n3'), 'n1'));
    expect(error).toMatchObject({ code: 'config', message: expect.stringContaining('for n3, not for node n1') as string });
  });

  test('a file that holds no certificate', () => {
    const certFile = join(directory, 'text.pem');
    writeFileSync(certFile, 'hello');
    expect(thrown(() => loadTls({ ...filesOf('n1'), certFile }, 'n1'))).toMatchObject({ code: 'config' });
  });
});
