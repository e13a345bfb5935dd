import { hostname, userInfo } from 'node:os';
import * as grpc from '@grpc/grpc-js';
import { connect } from '../../src';
import type { LockError } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { locksMethods } from '../../src/client-protocol/schema';
import type { HoldEvent } from '../../src/client-protocol/schema';
import { startCluster, until } from '../support/processes';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ leaseMs: 1_000 });
});
afterAll(() => cluster.remove());

function addressesOf(...ids: string[]): string[] {
  return ids.map((id) => cluster.addressOf(id));
}

describe('connect: the same locks from a process that is no node', () => {
  test('request, acquire, tryAcquire, query; two clients of different nodes exclude each other', async () => {
    const one = connect({ addresses: addressesOf('n1') });
    const other = connect({ addresses: addressesOf('n2') });
    try {
      await expect(one.locks.request('r', (lock) => lock.token)).resolves.toBeGreaterThan(0);
      const held = await one.locks.acquire('r', { label: 'a test' });
      await expect(other.locks.tryAcquire('r')).resolves.toBeNull();
      const clientId = expect.stringMatching(/^n1\/\d+$/) as string;
      const seen = await other.locks.query(); // its node asks the others
      expect(seen).toMatchObject({ held: [{ name: 'r', clientId }], pending: [], unanswered: [] });
      expect((await other.locks.query({ scope: 'node' })).held).toEqual([]);
      expect((await one.locks.query({ scope: 'node' })).held).toMatchObject([{ name: 'r', mode: 'exclusive', clientId, label: 'a test', token: held.token }]);
      const next = other.locks.acquire('r');
      held.release();
      const later = await next;
      const label = `${userInfo().username}@${hostname()} pid ${process.pid}`;
      expect((await one.locks.query()).held).toMatchObject([{ name: 'r', label }]);
      await expect(other.locks.acquire('r', { waitMs: 50 })).rejects.toThrow(label);
      // Through another node too, unless the machine is so busy that it has no time to ask.
      await expect(one.locks.acquire('r', { waitMs: 2_000 })).rejects.toThrow(label);
      expect(later.token).toBeGreaterThan(held.token);
      later.release();
    } finally {
      await one.close();
      await other.close();
    }
  });

  test('a lock is held for longer than a lease, for it is renewed', async () => {
    const { locks, close } = connect({ addresses: addressesOf('n1') });
    const lock = await locks.acquire('long');
    let renewals = 0;
    await new Promise<void>((resolve) => lock.onRenewed(() => ++renewals > 8 && resolve()));
    expect(lock.signal.aborted).toBe(false);
    expect(lock.validForMs()).toBeGreaterThan(0);
    lock.release();
    await close();
  });

  test('steal tells the holder, whichever node it asked', async () => {
    const one = connect({ addresses: addressesOf('n1') });
    const other = connect({ addresses: addressesOf('n3') });
    const victim = one.locks.request('loot', () => new Promise(() => undefined)).catch((error: unknown) => error);
    await until(async () => (await one.locks.query()).held.length > 0, 'the victim to hold');
    await expect(other.locks.request('loot', { steal: true }, () => 'mine')).resolves.toBe('mine');
    const error = await victim;
    expect(error).toBeInstanceOf(DOMException);
    expect((error as DOMException).name).toBe('AbortError');
    expect((error as DOMException).message).toMatch(/^the lock "loot", held through node n1, was stolen through node n3\./);
    await one.close();
    await other.close();
  });

  test('a node that does not answer is passed over', async () => {
    const { locks, close } = connect({ addresses: ['127.0.0.1:9', ...addressesOf('n2')] });
    await expect(locks.request('passed-over', (lock) => lock.name)).resolves.toBe('passed-over');
    await close();
  });

  test('no node at all: waitMs ends with unreachable, which names the lock and what was tried', async () => {
    const { locks, close } = connect({ addresses: ['127.0.0.1:9'] });
    await expect(locks.acquire('nobody', { waitMs: 100 })).rejects.toMatchObject({ code: 'unreachable', message: expect.stringMatching(/"nobody" within \d+ ms; tried 127\.0\.0\.1:9/) as string });
    const waiting = locks.acquire('nobody');
    const rejected = expect(waiting).rejects.toMatchObject({ code: 'closed' });
    await close();
    await rejected;
    await expect(locks.acquire('nobody')).rejects.toMatchObject({ code: 'closed' });
    await expect(locks.query()).rejects.toMatchObject({ code: 'closed' });
  });

  test('a semaphore counts over all clients', async () => {
    const clients = ['n1', 'n2', 'n3'].map((id) => connect({ addresses: addressesOf(id) }));
    const permits = await Promise.all(clients.slice(0, 2).map(({ locks }) => locks.semaphore('pool', 2).acquire()));
    await expect(clients[2]?.locks.semaphore('pool', 2).acquire({ waitMs: 200 })).rejects.toMatchObject({ code: 'timeout' });
    await permits[0]?.release();
    const third = await clients[2]?.locks.semaphore('pool', 2).acquire({ waitMs: 10_000 });
    expect(third?.token).toBeGreaterThan(0);
    await Promise.all(clients.map(({ close }) => close()));
  });

  test('when the node is killed the lock is lost no later than its lease ends, and waiting goes on at another', async () => {
    const own = await startCluster({ leaseMs: 1_000 });
    try {
      const client = connect({ addresses: ['n1', 'n2'].map((id) => own.addressOf(id)) });
      const held = await client.locks.acquire('r');
      const waiting = client.locks.acquire('other');
      const blocker = connect({ addresses: [own.addressOf('n3')] });
      (await waiting).release();
      const blocked = await blocker.locks.acquire('other');
      const next = client.locks.acquire('other');
      own.signal('n1', 'SIGKILL');
      const reason = await new Promise<LockError>((resolve) => held.signal.addEventListener('abort', () => resolve(held.signal.reason as LockError)));
      expect(reason).toMatchObject({ code: 'lost', definite: false });
      expect(reason.message).toMatch(/^lost the lock "r": the node at 127\.0\.0\.1:\d+ did not renew it in time\. Stop using what it protects\. /);
      blocked.release();
      expect((await next).token).toBeGreaterThan(0);
      await client.close();
      await blocker.close();
    } finally {
      await own.remove();
    }
  });
});

describe('the client service refuses what breaks its rules, and goes on', () => {
  const { Hold } = locksMethods();
  let raw: grpc.Client;

  beforeEach(() => {
    raw = new grpc.Client(cluster.addressOf('n1'), grpc.credentials.createInsecure());
  });
  afterEach(() => raw.close());

  /** Sends these bytes as messages; how the stream ended. */
  function endOf(...messages: Buffer[]): Promise<grpc.StatusObject> {
    const call = raw.makeBidiStreamRequest<Buffer, HoldEvent>(Hold.path, (bytes) => bytes, Hold.responseDeserialize);
    call.on('error', () => undefined);
    call.resume();
    for (const message of messages) call.write(message);
    return new Promise((resolve) => call.once('status', resolve));
  }

  const acquire = Hold.requestSerialize({
    acquire: { lock: Buffer.from('raw'), mode: 'LOCK_MODE_EXCLUSIVE', pings: false, sentAtMs: 0, steal: false, ifAvailable: false, label: '' },
  });
  const ping = Hold.requestSerialize({ ping: { sentAtMs: 1 } });

  test.each([
    ['bytes that are no message', [Buffer.from([0xff, 0xff, 0xff])], /cannot be decoded/],
    ['a message of no kind', [Buffer.alloc(0)], /neither/],
    ['a ping first', [ping], /first message must be an acquire/],
    ['two acquires', [acquire, acquire], /comes once/],
    ['a name that is not UTF-8', [Hold.requestSerialize({ acquire: { lock: Buffer.from([0xc0, 0x80]), mode: 'LOCK_MODE_EXCLUSIVE', pings: false, sentAtMs: 0, steal: false, ifAvailable: false, label: '' } })], /not UTF-8/],
    ['a name that is too long', [Hold.requestSerialize({ acquire: { lock: Buffer.alloc(5_000, 'x'), mode: 'LOCK_MODE_EXCLUSIVE', pings: false, sentAtMs: 0, steal: false, ifAvailable: false, label: '' } })], /5000 bytes/],
    ['stealing a shared lock', [Hold.requestSerialize({ acquire: { lock: Buffer.from('raw'), mode: 'LOCK_MODE_SHARED', pings: false, sentAtMs: 0, steal: true, ifAvailable: false, label: '' } })], /only an exclusive lock/],
  ])('%s: INVALID_ARGUMENT and the reason', async (_what, messages, reason) => {
    const status = await endOf(...messages);
    expect(status.code).toBe(grpc.status.INVALID_ARGUMENT);
    expect(status.details).toMatch(reason);
    // Whatever it held is free, and the node answers.
    const { locks, close } = connect({ addresses: addressesOf('n2') });
    await expect(locks.acquire('raw', { waitMs: 5_000 })).resolves.toMatchObject({ name: 'raw' });
    await close();
  });

  test('a plain client without pings holds as long as its stream is open', async () => {
    const call = raw.makeBidiStreamRequest(Hold.path, Hold.requestSerialize, Hold.responseDeserialize);
    const events: HoldEvent[] = [];
    call.on('data', (event: HoldEvent) => events.push(event));
    call.on('error', () => undefined);
    call.write({ acquire: { lock: Buffer.from('plain'), mode: 'LOCK_MODE_UNSPECIFIED', pings: false, sentAtMs: 0, steal: false, ifAvailable: false, label: '' } });
    await until(() => events.filter((event) => 'valid' in event).length > 4, 'renewals'); // longer than a lease
    const { locks, close } = connect({ addresses: addressesOf('n2') });
    await expect(locks.tryAcquire('plain')).resolves.toBeNull();
    call.cancel();
    await expect(locks.acquire('plain', { waitMs: 5_000 })).resolves.toMatchObject({ name: 'plain' });
    await close();
  });

  test('a client that promised pings and falls silent is taken for dead after a lease', async () => {
    const call = raw.makeBidiStreamRequest(Hold.path, Hold.requestSerialize, Hold.responseDeserialize);
    const ended = new Promise<string>((resolve) => {
      call.on('data', (event: HoldEvent) => {
        if ('ended' in event) resolve(event.ended.reason);
      });
    });
    call.on('error', () => undefined);
    call.write({ acquire: { lock: Buffer.from('silent'), mode: 'LOCK_MODE_EXCLUSIVE', pings: true, sentAtMs: 0, steal: false, ifAvailable: false, label: '' } });
    await expect(ended).resolves.toBe('REASON_LOST');
    const { locks, close } = connect({ addresses: addressesOf('n2') });
    await expect(locks.acquire('silent', { waitMs: 5_000 })).resolves.toMatchObject({ name: 'silent' });
    await close();
  });
});
