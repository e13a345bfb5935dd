/**
 * `maxHoldMs` of a process that is no node. The lease is so long that a lock which only its end would free is not free within any of
 * these tests.
 */
import * as grpc from '@grpc/grpc-js';
import { connect } from '../../src';
import type { Lock, RemoteLocks } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { locksMethods } from '../../src/client-protocol/schema';
import type { HoldEvent } from '../../src/client-protocol/schema';
import { Script, startCluster, until } from '../support/processes';

const LEASE_MS = 60_000;
const WITHIN = { waitMs: 20_000 };

let cluster: Cluster;
let one: RemoteLocks;
let other: RemoteLocks;

beforeAll(async () => {
  cluster = await startCluster({ leaseMs: LEASE_MS });
  one = connect({ addresses: [cluster.addressOf('n1')] });
  other = connect({ addresses: [cluster.addressOf('n2')] });
});
afterAll(async () => {
  await one.close();
  await other.close();
  await cluster.remove();
});

test('a callback that hangs: request rejects, its signal aborts, and a client of another node is in with a larger token', async () => {
  let hung: Lock | undefined;
  const request = one.locks.request('r', { maxHoldMs: 2_000 }, (lock) => {
    hung = lock;
    return new Promise(() => undefined);
  });
  await expect(request).rejects.toMatchObject({ code: 'expired', definite: false, message: expect.stringMatching(/^the lock "r" was held for 2000 ms/) as string });
  expect(hung?.signal.reason).toMatchObject({ code: 'expired' });
  const next = await other.locks.acquire('r', WITHIN);
  expect(next.token).toBeGreaterThan(hung?.token ?? Infinity);
  await next.release();
});

test('one that waited counts from its grant; a reader beside it goes on', async () => {
  const before = await other.locks.acquire('s');
  const waiting = one.locks.acquire('s', { mode: 'shared', maxHoldMs: 2_000 });
  const reader = one.locks.acquire('s', { mode: 'shared' });
  await until(async () => {
    const { pending } = await one.locks.query();
    return pending.length === 2 && pending.every(({ forMs }) => forMs > 2_000);
  }, 'both to wait for longer than the limit');
  await before.release();
  const held = await waiting;
  const left = held.validForMs();
  expect(left).toBeLessThanOrEqual(2_000);
  await until(() => held.signal.aborted, 'it to end');
  expect(held.signal.reason).toMatchObject({ code: 'expired' });
  expect((await reader).signal.aborted).toBe(false);
  await (await reader).release();
});

test('a process that hangs in a loop hears nothing and says nothing, and the lock is free all the same', async () => {
  const hung = new Script(`
    const { locks } = require('./dist/src').connect({ addresses: [process.argv[1]] });
    locks.request('loop', { maxHoldMs: 4_000 }, (lock) => {
      console.log(lock.token);
      while (!lock.signal.aborted);
      console.log(lock.signal.reason.code);
      for (;;);
    });
  `, cluster.addressOf('n1'));
  await until(() => hung.output.includes('\n'), 'it to hold the lock');
  const next = await other.locks.acquire('loop', WITHIN);
  expect(next.token).toBeGreaterThan(Number(hung.output.split('\n')[0]));
  await until(() => hung.output.includes('expired'), 'it to see that by its own clock');
  await next.release();
  hung.child.kill('SIGKILL');
});

describe('any gRPC client', () => {
  const { Hold } = locksMethods();
  let raw: grpc.Client;
  beforeAll(() => (raw = new grpc.Client(cluster.addressOf('n1'), grpc.credentials.createInsecure())));
  afterAll(() => raw.close());

  function hold(name: string, maxHoldMs: number): { readonly events: HoldEvent[]; readonly status: Promise<grpc.StatusObject> } {
    const call = raw.makeBidiStreamRequest(Hold.path, Hold.requestSerialize, Hold.responseDeserialize);
    const events: HoldEvent[] = [];
    call.on('data', (event: HoldEvent) => events.push(event));
    call.on('error', () => undefined);
    const sentAtMs = performance.now();
    call.write({ acquire: { lock: Buffer.from(name), mode: 'LOCK_MODE_EXCLUSIVE', pings: false, sentAtMs, steal: false, ifAvailable: false, label: '', maxHoldMs } });
    const status = new Promise<grpc.StatusObject>((resolve) => call.once('status', resolve));
    return { events, status };
  }

  test('is told no validity beyond it, then EXPIRED, and need not close its side', async () => {
    const { events, status } = hold('raw', 700);
    expect((await status).code).toBe(grpc.status.OK);
    const told = events.map((event) => ('held' in event ? event.held.validForMs : 'valid' in event ? event.valid.validForMs : 0));
    expect(Math.max(...told)).toBeGreaterThan(0);
    expect(Math.max(...told)).toBeLessThanOrEqual(700);
    expect(events.at(-1)).toMatchObject({ ended: { reason: 'REASON_EXPIRED', definite: false } });
    await (await other.locks.acquire('raw', WITHIN)).release();
  });

  test.each([0, 2 ** 31])('is refused a limit of %i', async (maxHoldMs) => {
    expect(await hold('refused', maxHoldMs).status).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: expect.stringMatching(/^max_hold_ms is/) as string });
  });
});
