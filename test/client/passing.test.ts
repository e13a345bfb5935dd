/** Locks that a process which is no node passes on among its own callers (protocol.md section 15.5). Real processes, real time. */
import { connect } from '../../src';
import type { HeldLock, RemoteLocks } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { startCluster } from '../support/processes';
import { Proxy } from '../support/proxy';

/** What only the end of a lease would free is not free within any of these tests. */
const LEASE_MS = 60_000;
const WITHIN = { waitMs: 20_000 };

let cluster: Cluster;
let one: RemoteLocks;
let other: RemoteLocks;
/** What one test alone has opened: it is closed however that ends. */
const opened: (() => unknown)[] = [];

beforeAll(async () => {
  cluster = await startCluster({ leaseMs: LEASE_MS });
  one = connect({ addresses: [cluster.addressOf('n1')] });
  other = connect({ addresses: [cluster.addressOf('n2')] });
});
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});
afterAll(async () => {
  await Promise.all([one, other].map(({ close }) => close()));
  await cluster.remove();
});

/** So many callers that wait behind `holder`, in this order. Resolves when their node has put all of them in line. */
async function behind(locks: RemoteLocks, name: string, count: number, labels: readonly string[] = []): Promise<readonly Promise<HeldLock>[]> {
  const before = (await locks.locks.query({ scope: 'node' })).pending.filter((each) => each.name === name).length;
  const waiting = Array.from({ length: count }, (_, place) => locks.locks.acquire(name, { ...WITHIN, ...(labels[place] === undefined ? {} : { label: labels[place] }) }));
  for (;;) {
    const { pending } = await locks.locks.query({ scope: 'node' });
    if (pending.filter((each) => each.name === name).length >= before + count) return waiting;
  }
}

const entriesOf = async (node: string): Promise<number> => (await cluster.status(node))?.entries ?? NaN;

test('those that wait behind each other enter in turn, alone, with larger tokens each time, and their node hears of one entry', async () => {
  const blocker = await other.locks.acquire('a', WITHIN);
  const waiting = await behind(one, 'a', 4);
  const before = await entriesOf('n1');
  await blocker.release();
  let last = blocker.token;
  let isInside = false;
  await Promise.all(waiting.map(async (each) => {
    const lock = await each;
    expect(isInside).toBe(false);
    isInside = true;
    expect(lock.token).toBeGreaterThan(last);
    last = lock.token;
    expect(lock.validForMs()).toBeGreaterThan(0);
    await new Promise((resolve) => setImmediate(resolve));
    isInside = false;
    await lock.release();
  }));
  expect(await entriesOf('n1')).toBe(before + 1);
  const next = await other.locks.acquire('a', WITHIN);
  expect(next.token).toBeGreaterThan(last);
  await next.release();
});

test('it goes by the time of asking: who asked elsewhere before them goes before them', async () => {
  const blocker = await other.locks.acquire('b', WITHIN);
  const order: string[] = [];
  const enters = (who: string) => async (waiting: Promise<HeldLock>): Promise<void> => {
    const lock = await waiting;
    order.push(who);
    await lock.release();
  };
  const early = await behind(one, 'b', 1);
  const between = await behind(other, 'b', 1);
  // From here on n1 knows of a later time than that.
  for (const { locks } of [other, one]) await locks.request('later', WITHIN, () => undefined);
  const late = await behind(one, 'b', 2);
  const all = [...early.map(enters('one')), ...between.map(enters('other')), ...late.map(enters('one'))];
  await blocker.release();
  await Promise.all(all);
  expect(order).toEqual(['one', 'other', 'one', 'one']);
});

test('one that gives up is passed over', async () => {
  const blocker = await other.locks.acquire('c', WITHIN);
  const [first] = await behind(one, 'c', 1);
  const giveUp = new AbortController();
  const impatient = one.locks.acquire('c', { ...WITHIN, signal: giveUp.signal });
  const [third] = await behind(one, 'c', 1);
  const before = await entriesOf('n1');
  await blocker.release();
  const lock = await first;
  giveUp.abort(new Error('no more'));
  await expect(impatient).rejects.toThrow('no more');
  await lock?.release();
  const last = await third;
  expect(last?.token).toBeGreaterThan(lock?.token ?? Infinity);
  await last?.release();
  expect(await entriesOf('n1')).toBe(before + 1);
});

test('a thief takes it from whoever it was passed on to, and those behind are served after it', async () => {
  const blocker = await other.locks.acquire('d', WITHIN);
  const [first, second, third] = await behind(one, 'd', 3);
  await blocker.release();
  await (await first)?.release();
  const robbed = await second;
  robbed?.signal.addEventListener('abort', () => void robbed.release());
  const thief = await other.locks.acquire('d', { steal: true });
  expect(robbed?.signal.reason).toMatchObject({ code: 'stolen' });
  expect(thief.token).toBeGreaterThan(robbed?.token ?? Infinity);
  await thief.release();
  const last = await third;
  expect(last?.token).toBeGreaterThan(thief.token);
  await last?.release();
});

test('over a broken stream it is passed on to nobody; they are served by their node all the same', async () => {
  const proxy = await Proxy.to(cluster.addressOf('n1'));
  const cut = connect({ addresses: [proxy.address] });
  opened.push(() => cut.close(), () => proxy.close());
  const blocker = await other.locks.acquire('e', WITHIN);
  const [first, second, third] = await behind(cut, 'e', 3);
  const before = await entriesOf('n1');
  await blocker.release();
  const holder = await first;
  await holder?.release();
  const passed = await second;
  proxy.reset();
  // It comes over the stream after that one.
  await cut.locks.request('over another stream', WITHIN, () => undefined);
  await passed?.release();
  const last = await third;
  expect(last?.token).toBeGreaterThan(passed?.token ?? Infinity);
  await last?.release();
  // Once for the first two, once for the other lock, and once for the last.
  expect(await entriesOf('n1')).toBe(before + 3);
});

test('one with a label of its own is passed on to nobody, so that others see who holds the lock', async () => {
  const blocker = await other.locks.acquire('g', WITHIN);
  const waiting = await behind(one, 'g', 2, ['x', 'y']);
  await blocker.release();
  for (const [index, each] of waiting.entries()) {
    const lock = await each;
    const { held } = await other.locks.query();
    expect(held.find(({ name }) => name === 'g')?.label).toBe(['x', 'y'][index]);
    await lock.release();
  }
});
