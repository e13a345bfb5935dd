/** `maxHoldMs`: a holder that lives but hangs. Its lock ends like a lease. */
import { fence } from '../../src';
import type { HeldLock, LockManager } from '../../src';
import type { LockChange } from '../../src/locks/types';
import { memoryFenceStore, testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';

const LEASE_MS = 5_000;
let cluster: TestCluster;

beforeEach(async () => {
  cluster = await testCluster({ nodes: 3, leaseMs: LEASE_MS });
});
afterEach(() => cluster.stop());

function locksOf(id: string): LockManager {
  return cluster.node(id).locks;
}

function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => 'no failure', (error: unknown) => error);
}

const HANG = (): Promise<never> => new Promise(() => undefined);

test.each([1_000, 3 * LEASE_MS])('a callback that hangs for longer than %i ms: request rejects, the next one is in, and a late write is refused', async (maxHoldMs) => {
  const store = fence(memoryFenceStore(''));
  let hung: HeldLock | undefined;
  const request = reasonOf(locksOf('n1').request('r', { maxHoldMs }, (lock) => {
    hung = lock as HeldLock;
    return HANG();
  }));
  const next = locksOf('n2').acquire('r');
  await cluster.advance(maxHoldMs - 1);
  expect(hung?.signal.aborted).toBe(false);
  expect(hung?.validForMs()).toBe(1);
  await cluster.advance(1);
  await expect(request).resolves.toMatchObject({ code: 'expired', definite: false });
  expect(hung?.signal.reason).toMatchObject({ code: 'expired' });
  const later = await cluster.advanceUntil(next, 100);
  expect(later.token).toBeGreaterThan(hung?.token ?? Infinity);
  await store.write(later, () => 'in time');
  await expect(store.write(hung as HeldLock, () => 'late')).rejects.toMatchObject({ code: 'fenced' });
});

test('it counts from the entry and not from the asking, and waitMs counts for itself', async () => {
  const before = await locksOf('n1').acquire('r');
  const waiting = locksOf('n2').acquire('r', { maxHoldMs: 1_000, waitMs: 20_000 });
  await cluster.advance(8_000);
  void before.release();
  const held = await cluster.advanceUntil(waiting);
  expect(held.validForMs()).toBe(1_000);
  await cluster.advance(999);
  expect(held.signal.aborted).toBe(false);
  await cluster.advance(1);
  expect(held.signal.reason).toMatchObject({ code: 'expired' });
});

test('of several readers it ends the hold of one, whose place a writer still waits for the others to leave', async () => {
  const [short, long] = await Promise.all([1_000, 10_000].map((maxHoldMs) => locksOf('n1').acquire('r', { mode: 'shared', maxHoldMs })));
  const other = await locksOf('n3').acquire('r', { mode: 'shared' });
  const writer = locksOf('n2').acquire('r');
  await cluster.advance(1_000);
  expect([short, long, other].map((lock) => lock?.signal.aborted)).toEqual([true, false, false]);
  expect((await locksOf('n1').query()).held.map(({ clientId }) => clientId)).toEqual(['n1', 'n3']);
  void other.release();
  await cluster.advance(1_000);
  expect((await locksOf('n1').query()).pending).toHaveLength(1);
  await cluster.advance(8_000);
  await cluster.advanceUntil(writer, 1_000);
});

test('the votes stay with the node: its next caller enters without a message, with a larger token', async () => {
  const hung = await locksOf('n1').acquire('r', { maxHoldMs: 1_000 });
  await cluster.advance(1_000);
  cluster.isolate('n1');
  const next = await locksOf('n1').acquire('r', { waitMs: 0 });
  expect(next.token).toBeGreaterThan(hung.token);
});

test('what was given back in time ends nothing: the next hold of the same node is its own', async () => {
  void (await locksOf('n1').acquire('r', { maxHoldMs: 1_000 })).release();
  const next = await locksOf('n1').acquire('r');
  await cluster.advance(20_000);
  expect(next.signal.aborted).toBe(false);
  expect((await locksOf('n2').query()).held).toHaveLength(1);
});

test('who gives a lock back that has expired disturbs nobody, and those who watch hear once that it was lost', async () => {
  const changes: LockChange['change'][] = [];
  const manager = locksOf('n1') as LockManager & { watch(name: string, listener: (change: LockChange) => void): () => void };
  manager.watch('r', ({ change }) => changes.push(change));
  const hung = await manager.acquire('r', { maxHoldMs: 1_000 });
  await cluster.advance(1_000);
  const next = await manager.acquire('r');
  await hung.release();
  await cluster.advance(1_000);
  expect(next.signal.aborted).toBe(false);
  expect(changes).toEqual(['held', 'lost', 'held']);
});

test('one that was stolen before stays stolen; a thief may be held to a time too', async () => {
  const victim = await locksOf('n1').acquire('r', { maxHoldMs: 10_000 });
  const thief = await locksOf('n2').acquire('r', { steal: true, maxHoldMs: 3_000 });
  expect(victim.signal.reason).toMatchObject({ code: 'stolen' });
  await cluster.advance(3_000);
  expect(thief.signal.reason).toMatchObject({ code: 'expired' });
  await cluster.advance(10_000);
  expect(victim.signal.reason).toMatchObject({ code: 'stolen' });
});

test('a lease that ends first says so', async () => {
  const held = await locksOf('n1').acquire('r', { maxHoldMs: 10_000 });
  cluster.isolate('n1');
  await cluster.advance(LEASE_MS);
  expect(held.signal.reason).toMatchObject({ code: 'lost' });
});

test('several locks: the first that expires ends all, also while the others are waited for', async () => {
  const all = await locksOf('n1').acquireAll(['a', 'b'], { maxHoldMs: 2_000 });
  expect(all.validForMs()).toBe(2_000);
  await cluster.advance(2_000);
  expect(all.signal.reason).toMatchObject({ code: 'expired' });
  const blocker = await locksOf('n2').acquire('b');
  const half = reasonOf(locksOf('n1').acquireAll(['a', 'b'], { maxHoldMs: 2_000 }));
  await cluster.advance(2_000);
  await expect(half).resolves.toMatchObject({ code: 'expired', message: expect.stringMatching(/holds none of them/) as string });
  void blocker.release();
  expect((await locksOf('n1').query()).held).toEqual([]);
});

test('a permit is free for the next one', async () => {
  const hung = locksOf('n1').semaphore('s', 1);
  const request = reasonOf(hung.request({ maxHoldMs: 1_000 }, HANG));
  const next = locksOf('n2').semaphore('s', 1).acquire({ waitMs: 3_000 });
  await cluster.advance(1_000);
  await expect(request).resolves.toMatchObject({ code: 'expired' });
  await cluster.advanceUntil(next, 2_000);
});

test.each([0, -1, NaN, 2 ** 31, '5' as unknown as number])('maxHoldMs %p is refused', async (maxHoldMs) => {
  await expect(locksOf('n1').request('r', { maxHoldMs }, () => 1)).rejects.toMatchObject({ code: 'config', message: expect.stringMatching(/^maxHoldMs is a number/) as string });
});
