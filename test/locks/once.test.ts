/** `once`: a job of every node's schedule runs on one of them, and its lock is kept for those that come late. */
import type { LockError, LockManager, OnceOutcome } from '../../src';
import { testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';

const LEASE_MS = 6_000;
const AT_LEAST_MS = 30_000;

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await testCluster({ nodes: 3, leaseMs: LEASE_MS });
});
afterEach(() => cluster.stop());

function locksOf(id: string): LockManager {
  return cluster.node(id).locks;
}

function nightly(id: string, job: () => unknown = () => id, atLeastMs = AT_LEAST_MS): Promise<OnceOutcome<unknown>> {
  return cluster.advanceUntil(locksOf(id).once('nightly', { atLeastMs }, job));
}

test('all at once: it runs on one, which resolves as soon as the job is done', async () => {
  const outcomes = await cluster.advanceUntil(Promise.all(['n1', 'n2', 'n3'].map((id) => locksOf(id).once('nightly', { atLeastMs: AT_LEAST_MS }, () => id))));
  const ran = outcomes.filter((each) => each.ran);
  expect(ran).toHaveLength(1);
  expect(outcomes.filter((each) => !each.ran)).toEqual([{ ran: false }, { ran: false }]);
  expect(cluster.now()).toBeLessThan(AT_LEAST_MS / 2);
});

test('one that comes late finds it done, in the same process too, until atLeastMs from the start of the job', async () => {
  const startedMs = cluster.now();
  expect(await nightly('n1')).toEqual({ ran: true, value: 'n1' });
  expect(await nightly('n1')).toEqual({ ran: false });
  await cluster.advance(AT_LEAST_MS - 5_000);
  expect(await nightly('n2')).toEqual({ ran: false });
  expect(cluster.now()).toBeLessThan(startedMs + AT_LEAST_MS);
  await cluster.advance(startedMs + AT_LEAST_MS - cluster.now());
  expect(await nightly('n2')).toEqual({ ran: true, value: 'n2' });
});

test('a job that takes longer gives the lock back when it is done', async () => {
  const long = locksOf('n1').once('nightly', { atLeastMs: 10 }, () => new Promise((resolve) => setImmediate(resolve)).then(() => cluster.advance(100)));
  await long;
  expect(await nightly('n2')).toMatchObject({ ran: true });
});

test('also when the job failed', async () => {
  await expect(nightly('n1', () => Promise.reject(new Error('no paper')))).rejects.toThrow('no paper');
  expect(await nightly('n2')).toEqual({ ran: false });
});

test('query and messages show it as done, and for how much longer it is kept', async () => {
  await nightly('n1');
  await cluster.advance(10_000);
  const { held } = await cluster.advanceUntil(locksOf('n3').query());
  expect(held).toMatchObject([{ name: 'nightly', clientId: 'n1', keptForMs: AT_LEAST_MS - 10_000 }]);
  const waiting = cluster.advanceUntil(locksOf('n1').acquire('nightly', { waitMs: 100 }));
  await expect(waiting).rejects.toThrow(/n1 is done with it, and it is kept for \d+ ms more/);
});

test('a node that dies keeps nothing on: the lock ends with its lease, and one that comes later runs the job again', async () => {
  await nightly('n1');
  cluster.node('n1').crash();
  expect(await nightly('n2')).toEqual({ ran: false });
  await cluster.advance(LEASE_MS);
  expect(await nightly('n2')).toEqual({ ran: true, value: 'n2' });
});

test('a node that stops does not wait for it, and the lock ends with its lease', async () => {
  await nightly('n1');
  const fromMs = cluster.now();
  await cluster.advanceUntil(cluster.node('n1').stop({ graceMs: 60_000 }));
  expect(cluster.now()).toBe(fromMs); // nobody uses it
  expect(await nightly('n2')).toEqual({ ran: false });
  await cluster.advance(LEASE_MS);
  expect(await nightly('n2')).toEqual({ ran: true, value: 'n2' });
});

test('theft takes it', async () => {
  await nightly('n1');
  const lock = await cluster.advanceUntil(locksOf('n2').acquire('nightly', { steal: true }));
  expect((await cluster.advanceUntil(locksOf('n3').query())).held).toMatchObject([{ clientId: 'n2', token: lock.token }]);
  await lock.release();
  expect(await nightly('n3')).toMatchObject({ ran: true });
});

test('a job that lost its lock rejects, and nothing is kept', async () => {
  let fail: () => void = () => undefined;
  const job = locksOf('n1').once('nightly', { atLeastMs: AT_LEAST_MS }, () => new Promise((resolve) => (fail = () => resolve(0))));
  const outcome = job.catch((error: unknown) => (error as LockError).code);
  await cluster.settle();
  cluster.isolate('n1');
  expect(await cluster.advanceUntil(outcome)).toBe('lost');
  fail();
  expect(await nightly('n2')).toMatchObject({ ran: true });
});

test('where nobody could run it, it rejects: that is no { ran: false }', async () => {
  cluster.isolate('n1');
  await expect(nightly('n1')).rejects.toMatchObject({ code: 'no-quorum' });
});

test('one that gave up before it began keeps nothing', async () => {
  const controller = new AbortController();
  const given = locksOf('n1').once('nightly', { atLeastMs: AT_LEAST_MS, signal: controller.signal }, () => 'never');
  controller.abort('enough');
  await expect(given).rejects.toBe('enough');
  expect(await nightly('n2')).toMatchObject({ ran: true });
});

test('what it is called with is checked', async () => {
  const { once } = { once: locksOf('n1').once.bind(locksOf('n1')) as (...all: unknown[]) => Promise<unknown> };
  await expect(once('x', {}, () => 0)).rejects.toThrow(/atLeastMs is a number of milliseconds from 0 to 86400000 \(a day\), not undefined/);
  await expect(once('x', { atLeastMs: 86_400_001 }, () => 0)).rejects.toMatchObject({ code: 'config' });
  await expect(once('x', { atLeastMs: NaN }, () => 0)).rejects.toMatchObject({ code: 'config' });
  await expect(once('-x', { atLeastMs: 0 }, () => 0)).rejects.toThrow(/reserved/);
  await expect(once('x', { atLeastMs: 0 })).rejects.toThrow(/needs a function/);
  await expect(once('x')).rejects.toThrow(TypeError);
});
