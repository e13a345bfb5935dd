import { once } from 'node:events';
import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { LockError } from '../../src/errors';
import { connectionLimit } from '../../src/transport/descriptors';
import { silentLog } from '../../src/log';
import { createServer, listen } from '../../src/transport/server';
import type { Listening, ListenOptions } from '../../src/transport/server';
import { loadTls } from '../../src/transport/tls';
import { until } from '../support/processes';

const listening: Listening[] = [];
afterEach(() => {
  for (const each of listening.splice(0)) each.stop();
});

async function listenOn(address: string, options?: ListenOptions): Promise<number> {
  const listens = await listen(createServer(), address, options);
  listening.push(listens);
  return listens.port;
}

async function refused(address: string, options?: ListenOptions): Promise<LockError> {
  const error: unknown = await listenOn(address, options).then(() => null, (reason: unknown) => reason);
  if (!(error instanceof LockError)) throw new Error(`expected a LockError, not ${String(error)}`);
  return error;
}

const certificates = join(__dirname, 'certificates');
const material = loadTls({
  certFile: join(certificates, 'n1.pem'), keyFile: join(certificates, 'n1.key.pem'), caFile: join(certificates, 'authority.pem'),
});
const tls = { material };

describe('listening: nobody beyond this machine is listened to without TLS unless the user said so', () => {
  test.each(['127.0.0.1:0', 'localhost:0', '127.1.2.3:0'])('%s needs nothing', async (address) => {
    expect(await listenOn(address)).toBeGreaterThan(0);
  });

  test.each(['0.0.0.0:0', '[::]:0'])('%s is refused, and the message says what can be done', async (address) => {
    const error = await refused(address);
    expect(error.code).toBe('config');
    expect(error.message).toMatch(/--tls-cert.*--insecure.*127\.0\.0\.1/);
  });

  test('this machine’s own address on a network is refused too', async () => {
    const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    const external = addresses.find(({ internal, family }) => !internal && family === 'IPv4');
    if (external !== undefined) expect(await refused(`${external.address}:0`)).toMatchObject({ code: 'config' });
  });

  test('--insecure allows it', async () => {
    expect(await listenOn('0.0.0.0:0', { insecure: true })).toBeGreaterThan(0);
  });

  test('TLS allows it', async () => {
    expect(await listenOn('0.0.0.0:0', { tls })).toBeGreaterThan(0);
  });
});

describe('listening: what is wrong is said', () => {
  test.each(['', '7001', 'localhost', 'localhost:', 'localhost:seven', 'localhost:70000', 'two words:7001', '::1:7001'])(
    '%j is no address',
    async (address) => {
      const error = await refused(address);
      expect(error.code).toBe('config');
      expect(error.message).toMatch(/host:port/);
    },
  );

  test('a name that nobody knows', async () => {
    expect(await refused('no-such-host.invalid:7001')).toMatchObject({ code: 'config', message: expect.stringContaining('this machine does not know the name no-such-host.invalid') as string });
  });

  test('a port in use', async () => {
    const holder = createTcpServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const error = await refused(`127.0.0.1:${(holder.address() as AddressInfo).port}`);
    holder.close();
    expect(error.code).toBe('unreachable');
    expect(error.message).toMatch(/in use.*--listen/);
  });

  test('an address of another machine', async () => {
    expect(await refused('192.0.2.1:7001', { insecure: true })).toMatchObject({
      code: 'unreachable', message: expect.stringContaining('not one of this machine') as string,
    });
  });
});

test('it ends every connection when it stops, also one with which nothing was agreed yet', async () => {
  const listens = await listen(createServer(), '127.0.0.1:0', { tls });
  const silent = connect(listens.port, '127.0.0.1');
  silent.on('error', () => undefined);
  await once(silent, 'connect');
  const closed = once(silent, 'close');
  listens.stop();
  await closed;
  await expect(listenOn(`127.0.0.1:${listens.port}`)).resolves.toBe(listens.port);
});

describe('how many clients are let in', () => {
  test('without TLS beside the places of peers, whose connections look the same', async () => {
    const lines: unknown[] = [];
    const log = { ...silentLog, warn: (fields: unknown) => void lines.push(fields) };
    const port = await listenOn('127.0.0.1:0', { connectionsMax: 1, peers: ['n2', 'n3'], log });
    const sockets = Array.from({ length: 6 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
    await until(() => lines.length > 0, 'a refusal');
    expect(lines).toMatchObject([{ reason: expect.stringContaining('as many connections as it allows (1)') as string }]);
    for (const socket of sockets) socket.destroy();
  });

  test.each([
    ['descriptors enough', undefined, 1_048_576, 10_000, null],
    ['no limit that is known', undefined, null, 10_000, null],
    ['few descriptors', undefined, 1_024, 768, 'up to 768 clients are let in, because this process may have 1024 files open at once (ulimit -n)'],
    ['a wish', 50, 1_024, 50, null],
    ['a wish beyond the descriptors', 5_000, 1_024, 5_000, expect.stringMatching(/^up to 5000 clients are let in, but this process may have 1024 files open at once/) as string],
  ])('%s', (_what, wanted, descriptors, connectionsMax, remark) => {
    expect(connectionLimit(wanted, descriptors)).toEqual({ connectionsMax, remark });
  });
});
