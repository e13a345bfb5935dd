/** Whoever dials hears why there is no talking: real connections, each with one thing wrong. */
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import { NodeConnection, reasonOfSilence } from '../../src/client/node-connection';
import type { LockError, LockErrorCode } from '../../src/errors';
import { createServer, listen } from '../../src/transport/server';
import { loadTls, readTls } from '../../src/transport/tls';
import type { TlsMaterial, TlsSource } from '../../src/transport/tls';
import type { TlsFiles } from '../../src/transport/transport';

const opened: { stop(): void }[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.stop();
});

function filesOf(name: string, authority = 'authority'): TlsFiles {
  const file = (each: string): string => join(__dirname, 'certificates', `${each}.pem`);
  return { certFile: file(name), keyFile: file(`${name}.key`), caFile: file(authority) };
}

/** Whatever is wrong with it. */
function unchecked(name: string, authority = 'authority'): TlsSource {
  return { material: readTls(filesOf(name, authority)) as TlsMaterial };
}

function good(name: string): TlsSource {
  return { material: loadTls(filesOf(name)) };
}

async function nodeWith(tls?: TlsSource, more: object = {}): Promise<string> {
  const listening = await listen(createServer(), '127.0.0.1:0', { self: 'n1', ...(tls === undefined ? {} : { tls }), ...more });
  opened.push(listening);
  return `127.0.0.1:${listening.port}`;
}

async function program(onConnection: (socket: Socket) => void): Promise<string> {
  return addressOf(createTcpServer((socket) => {
    socket.on('error', () => undefined);
    opened.push({ stop: () => socket.destroy() });
    onConnection(socket);
  }));
}

async function addressOf(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push({ stop: () => server.close() });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function hears(address: string, tls: TlsSource | undefined, code: LockErrorCode, reason: RegExp, node: string | undefined = 'n1'): Promise<void> {
  const connection = new NodeConnection(address, { tls, node });
  const error: unknown = await connection.status(3_000).then(() => null, (failure: unknown) => failure);
  await connection.close();
  expect(reasonOfSilence(error)).toMatch(reason);
  expect(error).toMatchObject({ code });
  expect((error as LockError).message).not.toMatch(/\n|Resolution note|routines/);
}

describe('why there is no talking', () => {
  test('nobody listens there', () => hears('127.0.0.1:1', undefined, 'unreachable', /^connection refused: nothing listens there$/));

  test('the host is not known', () => hears('no-such-host.invalid:7001', undefined, 'unreachable', /^its host name is not known$/));

  test('no TLS here, but there', async () =>
    hears(await nodeWith(good('n1')), undefined, 'protocol', /^node n1 speaks TLS only. Give --tls-cert, --tls-key and --tls-ca \(connect: tls\)$/));

  test('TLS here, but not there', async () => hears(await nodeWith(), good('client'), 'protocol', /^it does not speak TLS: a node without TLS, or another program/));

  test('its certificate is of another authority', async () =>
    hears(await nodeWith(unchecked('false-n2', 'another-authority')), good('client'), 'protocol', /^its certificate was signed by another authority than the one given here \(--tls-ca\)$/, 'n2'));

  test('its certificate has expired', async () => hears(await nodeWith(unchecked('expired-n1')), good('client'), 'protocol', /^its certificate, or that of its authority, has expired$/));

  test('its certificate is not valid yet', async () => hears(await nodeWith(unchecked('future-n1')), good('client'), 'protocol', /^its certificate is not valid yet/));

  test('its certificate is not for servers', async () => hears(await nodeWith(unchecked('client-only-n1')), good('client'), 'protocol', /may not be used for servers/));

  test('its certificate is for another node', async () => hears(await nodeWith(good('n3')), good('client'), 'protocol', /^the certificate is for n3, not for node n1 /));

  test('its certificate names the node, and nobody knows the configuration', async () => {
    const connection = new NodeConnection(await nodeWith(good('n1')), { tls: good('client') });
    await expect(connection.status(3_000)).rejects.toMatchObject({ code: 'protocol', message: expect.stringMatching(/the certificate is for n1, not for 127\.0\.0\.1; name the configuration too/) as string });
    await connection.close();
  });

  test('it refuses a certificate of another authority', async () =>
    hears(await nodeWith(good('n1')), unchecked('false-client'), 'protocol', /^node n1 refuses the certificate given here: it was signed by another authority than those that the node trusts$/));

  test('it refuses a certificate that has expired', async () =>
    hears(await nodeWith(good('n1')), unchecked('expired-client'), 'protocol', /^node n1 refuses the certificate given here: it has expired/));

  test('it refuses a certificate that is not for clients', async () =>
    hears(await nodeWith(good('n1')), unchecked('server-only-n1'), 'protocol', /^node n1 refuses the certificate given here: it may not be used for clients/));

  test('a web server', async () => hears(await addressOf(createHttpServer((_, answer) => answer.end('hello'))), undefined, 'protocol', /^what listens there speaks another protocol, such as HTTP\/1/));

  test('another gRPC server', async () => hears(await nodeWith(), undefined, 'protocol', /^what listens there is no node of maekawa/));

  test('it closes every connection', async () => {
    const address = await program((socket) => socket.destroy());
    await hears(address, undefined, 'unreachable', /^the connection is closed at once/);
    await hears(address, good('client'), 'unreachable', /^the connection is closed at once/);
  });

  test('a proxy of the environment is no way to it, and so none to be blamed', async () => {
    const names = ['http_proxy', 'https_proxy', 'grpc_proxy', 'all_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'];
    const before = names.map((name) => [name, process.env[name]] as const);
    for (const name of names) process.env[name] = 'http://127.0.0.1:9';
    try {
      await hears(await nodeWith(), undefined, 'protocol', /no node of maekawa/);
      await hears(await nodeWith(good('n1')), good('client'), 'protocol', /no node of maekawa/);
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });

  test('it says nothing', async () => {
    const connection = new NodeConnection(await program(() => undefined));
    await expect(connection.status(100)).rejects.toMatchObject({ code: 'unreachable', message: expect.stringMatching(/no connection in time: it is down, cut off, frozen or too busy/) as string });
    await connection.close();
  });
});

describe('who gets in', () => {
  test('a TLS connection that says nothing, or stops in the middle, is closed', async () => {
    const address = await nodeWith(good('n1'), { handshakeMs: 50 });
    const [host = '', port = ''] = address.split(':');
    const closed = [Buffer.alloc(0), Buffer.from([0x16, 3, 1])].map((bytes) => new Promise<void>((resolve) => {
      const socket = connect(Number(port), host, () => socket.write(bytes));
      socket.on('error', () => undefined).once('close', () => resolve());
    }));
    await Promise.all(closed);
  });

  test('however many connections say nothing, a peer gets in', async () => {
    const address = await nodeWith(good('n1'), { connectionsMax: 1, peers: ['n2'] });
    const [host = '', port = ''] = address.split(':');
    const silent = await Promise.all(Array.from({ length: 120 }, () => new Promise<Socket>((resolve) => {
      const socket: Socket = connect(Number(port), host, () => resolve(socket)).on('error', () => undefined);
    })));
    const peer = new NodeConnection(address, { tls: good('n2'), node: 'n1' });
    await expect(peer.status(5_000)).rejects.toMatchObject({ message: expect.stringContaining('no node of maekawa') as string });
    await peer.close();
    for (const socket of silent) socket.destroy();
  });

  test('with as many clients as are allowed, the next hears that; a peer gets in', async () => {
    const address = await nodeWith(good('n1'), { connectionsMax: 1, peers: ['n2', 'n3'] });
    const connectionWith = (name: string): NodeConnection => new NodeConnection(address, { tls: good(name), node: 'n1' });
    const [first, second, peer] = [connectionWith('client'), connectionWith('client'), connectionWith('n2')] as const;
    // No service is there: the call that gets through hears that.
    await expect(first.status(3_000)).rejects.toMatchObject({ message: expect.stringContaining('no node of maekawa') as string });
    await expect(second.status(3_000)).rejects.toMatchObject({ code: 'unreachable', message: expect.stringContaining('node n1 has as many connections as it allows (1)') as string });
    await expect(peer.status(3_000)).rejects.toMatchObject({ message: expect.stringContaining('no node of maekawa') as string });
    await Promise.all([first, second, peer].map((each) => each.close()));
  });
});
