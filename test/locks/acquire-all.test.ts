/** Several locks at once: all of them or none, and never a deadlock. */
import { LockError } from '../../src';
import { testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';
import type { HeldLocks } from '../../src';

const LEASE_MS = 6_000;

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await testCluster({ nodes: 3, leaseMs: LEASE_MS });
});
afterEach(() => cluster.stop());

/** What became of it, `undefined` while nothing has. */
function outcomeOf(promise: Promise<HeldLocks>): { value?: HeldLocks; error?: unknown } {
  const outcome: { value?: HeldLocks; error?: unknown } = {};
  promise.then((value) => (outcome.value = value), (error: unknown) => (outcome.error = error));
  return outcome;
}

async function heldAnywhere(): Promise<string[]> {
  return (await cluster.node('n3').locks.query()).held.map((lock) => lock.name).sort();
}

test('each name once, in the order of the names; released together', async () => {
  const all = await cluster.node('n1').locks.acquireAll(['b', 'a', 'b', '']);
  expect(all.locks.map((lock) => lock.name)).toEqual(['', 'a', 'b']);
  expect(all.validForMs()).toBe(Math.min(...all.locks.map((lock) => lock.validForMs())));
  expect(await heldAnywhere()).toEqual(['', 'a', 'b']);
  all.release();
  expect(await heldAnywhere()).toEqual([]);
  expect(all.signal.aborted).toBe(false);
});

test('no names are no locks', async () => {
  await using none = await cluster.node('n1').locks.acquireAll([]);
  expect(none.locks).toEqual([]);
  expect(none.validForMs()).toBe(Infinity);
});

test('await using releases them', async () => {
  {
    await using both = await cluster.node('n1').locks.acquireAll(['a', 'b']);
    expect(both.locks.length).toBe(2);
  }
  expect(await heldAnywhere()).toEqual([]);
});

test('callers that name them in other orders, on other nodes, do not block each other for ever', async () => {
  let rounds = 0;
  const orders = [['a', 'b', 'c'], ['c', 'b', 'a'], ['b', 'c', 'a'], ['c', 'a', 'b']];
  const work = orders.flatMap((names, index) => [1, 2, 3].map(async () => {
    await using all = await cluster.node(`n${1 + (index % 3)}`).locks.acquireAll(names);
    await cluster.settle();
    expect(all.signal.aborted).toBe(false);
    rounds++;
  }));
  await cluster.advance(60_000);
  await Promise.all(work);
  expect(rounds).toBe(12);
});

test('waitMs is for all of them together, by the time of the cluster; when it is up none is held, and the error names all', async () => {
  const b = await cluster.node('n3').locks.acquire('b');
  const c = await cluster.node('n3').locks.acquire('c');
  const outcome = outcomeOf(cluster.node('n1').locks.acquireAll(['a', 'b', 'c'], { waitMs: 1_000 }));
  await cluster.advance(600);
  b.release();
  await cluster.advance(399);
  expect(outcome).toEqual({});
  expect(await heldAnywhere()).toEqual(['a', 'b', 'c']);
  await cluster.advance(1);
  expect(outcome.error).toMatchObject({
    code: 'timeout', definite: true,
    message: `did not get all of "a", "b", "c", and holds none of them: node n1 did not get the lock "c" within 400 ms; n3 holds it with token ${c.token}`,
  });
  expect(await heldAnywhere()).toEqual(['c']);
  c.release();
});

test('an abort while it waits for the second releases the first', async () => {
  await cluster.node('n3').locks.acquire('b');
  const giveUp = new AbortController();
  const outcome = outcomeOf(cluster.node('n1').locks.acquireAll(['a', 'b'], { signal: giveUp.signal }));
  await cluster.settle();
  giveUp.abort('enough');
  await cluster.settle();
  expect(outcome).toEqual({ error: 'enough' });
  expect(await heldAnywhere()).toEqual(['b']);
});

test('an abort in the moment between two grants is not missed', async () => {
  // Both are free and known to be: each is granted at once, and the abort comes in the microtask between.
  (await cluster.node('n1').locks.acquireAll(['a', 'b'])).release();
  for (let microtasks = 0; microtasks < 12; microtasks++) {
    const giveUp = new AbortController();
    const outcome = outcomeOf(cluster.node('n1').locks.acquireAll(['a', 'b'], { signal: giveUp.signal }));
    for (let i = 0; i < microtasks; i++) await Promise.resolve();
    giveUp.abort('enough');
    await cluster.settle();
    // Either it came too late, or nothing is held.
    if (outcome.value === undefined) expect([microtasks, outcome.error, await heldAnywhere()]).toEqual([microtasks, 'enough', []]);
    else outcome.value.release();
  }
});

test('a signal: its reason as it is, also where that looks like an error of one of the locks', async () => {
  await cluster.node('n3').locks.acquire('b');
  const giveUp = new AbortController();
  const outcome = outcomeOf(cluster.node('n1').locks.acquireAll(['a', 'b'], { signal: giveUp.signal }));
  await cluster.settle();
  const reason = new LockError('timeout', 'of another request');
  giveUp.abort(reason);
  await cluster.settle();
  expect(outcome.error).toBe(reason);
});

test('one that is lost while the others are waited for: none is held, and the reason is the loss', async () => {
  await cluster.node('n3').locks.acquire('b');
  const outcome = outcomeOf(cluster.node('n1').locks.acquireAll(['a', 'b']));
  await cluster.settle();
  const thief = cluster.node('n2').locks.acquire('a', { steal: true });
  await cluster.settle();
  expect(outcome.error).toMatchObject({ code: 'stolen', message: expect.stringMatching(/^did not get all of "a", "b", and holds none of them: the lock "a"/) as string });
  expect((await cluster.node('n1').locks.query()).pending).toEqual([]);
  (await thief).release();
});

test('the signal aborts when the first of them is lost; the others are still held, and released together', async () => {
  const both = await cluster.node('n1').locks.acquireAll(['a', 'b']);
  await cluster.node('n2').locks.acquire('b', { steal: true });
  expect(both.signal.reason).toMatchObject({ code: 'stolen' });
  expect(both.validForMs()).toBe(0);
  expect(await heldAnywhere()).toEqual(['a', 'b']);
  both.release();
  expect(await heldAnywhere()).toEqual(['b']);
});

test('shared ones together', async () => {
  const readers = await Promise.all(['n1', 'n2'].map((id) => cluster.node(id).locks.acquireAll(['a', 'b'], { mode: 'shared' })));
  expect(await heldAnywhere()).toEqual(['a', 'a', 'b', 'b']);
  for (const each of readers) each.release();
});
