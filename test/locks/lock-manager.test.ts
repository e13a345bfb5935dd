/** What a node's locks do beyond the Web Locks specification, for one caller. */
import { getEventListeners } from 'node:events';
import type { HeldLock, LockManager } from '../../src';
import type { NodeLockManager } from '../../src/locks/lock-manager';
import { testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';

const LEASE_MS = 6_000;

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await testCluster({ nodes: 3, leaseMs: LEASE_MS, latencyMs: 10 });
});
afterEach(() => cluster.stop());

/** Let time pass until the lock is held. */
async function acquire(id: string, name = 'stock'): Promise<HeldLock> {
  const acquired = cluster.node(id).locks.acquire(name);
  await cluster.advance(100);
  return acquired;
}

describe('a held lock', () => {
  test('says for how long it is held if no renewal succeeds: less than a lease, and less and less', async () => {
    const held = await acquire('n1');
    const before = held.validForMs();
    expect(before).toBeLessThan(LEASE_MS);
    await cluster.advance(500);
    expect(held.validForMs()).toBe(before - 500);
    held.release();
    expect(held.validForMs()).toBe(0);
  });

  test('is renewed for as long as it is held, and tells so', async () => {
    const held = await acquire('n1');
    const renewals: number[] = [];
    held.onRenewed((validForMs) => renewals.push(validForMs));
    await cluster.advance(5 * LEASE_MS);
    expect(held.validForMs()).toBeGreaterThan(0);
    expect(held.signal.aborted).toBe(false);
    // One renewal in each third of a lease, each worth the lease less the way there and back and the margin.
    expect(renewals.length).toBeGreaterThanOrEqual(14);
    expect(Math.min(...renewals)).toBeGreaterThan(LEASE_MS * 0.9);
  });

  test('is released once, however often release is called', async () => {
    const first = await acquire('n1');
    first.release();
    const second = await acquire('n1');
    first.release();
    await cluster.advance(LEASE_MS);
    expect(second.signal.aborted).toBe(false);
    expect(second.validForMs()).toBeGreaterThan(0);
  });

  test('is released by its loss: a late release takes nothing from whoever has it now', async () => {
    const lost = await acquire('n1');
    cluster.isolate('n1');
    await cluster.advance(LEASE_MS);
    expect(lost.signal.aborted).toBe(true);
    cluster.heal();
    const now = await acquire('n1');
    lost.release();
    await cluster.advance(2 * LEASE_MS);
    expect(now.validForMs()).toBeGreaterThan(0);
    expect(now.token).toBeGreaterThan(lost.token);
  });

  test('has a signal that is aborted already when it is first asked for after the loss', async () => {
    const lost = await acquire('n1');
    cluster.isolate('n1');
    await cluster.advance(LEASE_MS);
    expect(lost.signal.aborted).toBe(true);
    expect(lost.signal.reason).toMatchObject({ code: 'lost', definite: false });
    expect(lost.validForMs()).toBe(0);
  });

  test('is held again without a message when nobody else asked meanwhile, under a larger token', async () => {
    const first = await acquire('n1');
    first.release();
    const again = cluster.node('n1').locks.acquire('stock', { waitMs: 0 });
    await cluster.settle(); // no time passes, and each message would take 10 ms
    expect((await again).token).toBeGreaterThan(first.token);
  });

  test('with `waitMs: 0` it is refused although it is free, when its votes have to be asked for; tryAcquire has it', async () => {
    const refused = cluster.node('n1').locks.acquire('new', { waitMs: 0 }).catch((error: unknown) => error);
    await cluster.advance(100);
    expect(await refused).toMatchObject({ code: 'timeout' });
    const tried = cluster.node('n1').locks.tryAcquire('new');
    await cluster.advance(100);
    expect(await tried).not.toBeNull();
  });
});

describe('a caller that waits no longer', () => {
  test('leaves its place in the line of its node, and on the other nodes', async () => {
    const held = await acquire('n1');
    const giveUp = new AbortController();
    const results: string[] = [];
    const note = (who: string) => (result: unknown): unknown => results.push(`${who}: ${result instanceof Error ? result.message : 'held'}`);
    for (const id of ['n1', 'n2']) {
      cluster.node(id).locks.acquire('stock', { signal: giveUp.signal }).then(note(`first of ${id}`), note(`first of ${id}`));
    }
    const n3 = cluster.node('n3').locks.acquire('stock');
    n3.then(note('n3'), note('n3'));
    await cluster.advance(100);
    giveUp.abort(new Error('enough'));
    await cluster.advance(100);
    held.release();
    await cluster.advance(100);
    expect(results).toEqual(['first of n1: enough', 'first of n2: enough', 'n3: held']);
    expect((await cluster.node('n1').locks.query()).pending).toEqual([]);
  });

  test('by waitMs: not a millisecond early', async () => {
    await acquire('n1');
    let error: unknown = null;
    cluster.node('n2').locks.acquire('stock', { waitMs: 1_000 }).catch((reason: unknown) => (error = reason));
    await cluster.advance(999);
    expect(error).toBeNull();
    await cluster.advance(1);
    expect(error).toMatchObject({ code: 'timeout', definite: true });
  });

  test('a time-out no longer matters once the lock is held', async () => {
    const acquired = cluster.node('n1').locks.acquire('stock', { waitMs: 1_000 });
    await cluster.advance(2 * LEASE_MS);
    expect((await acquired).validForMs()).toBeGreaterThan(0);
  });
});

describe('the callback of a request', () => {
  test('a lazy thenable, such as a query, does its work once', async () => {
    let runs = 0;
    const lazy = { then: (resolve: (value: string) => void) => void (runs++, resolve('rows')) };
    const done = cluster.node('n1').locks.request('stock', () => lazy);
    await cluster.advance(100);
    expect([await done, runs]).toEqual(['rows', 1]);
  });

  test('a lazy thenable does its work once, too, when the node stops meanwhile', async () => {
    let runs = 0;
    let resolve: (value: string) => void = () => undefined;
    const lazy = { then: (resolved: (value: string) => void) => void (runs++, (resolve = resolved)) };
    const done = cluster.node('n1').locks.request('stock', (lock) => {
      lock.signal.addEventListener('abort', () => resolve('rolled back'));
      return lazy;
    });
    await cluster.advance(100);
    await cluster.node('n1').stop();
    expect([await done, runs]).toEqual(['rolled back', 1]);
  });
});

test('watching that is stopped twice takes nothing from another who watches the same lock', async () => {
  const locks = cluster.node('n1').locks as NodeLockManager;
  const stop = locks.watch('stock', () => undefined);
  stop();
  const changes: string[] = [];
  locks.watch('stock', ({ change }) => changes.push(change));
  stop();
  (await acquire('n1')).release();
  await cluster.settle();
  expect(changes).toEqual(['held', 'released']);
});

test('a request that waits for long remembers no query that has its answer', async () => {
  await acquire('n2');
  const { locks } = cluster.node('n1');
  void locks.acquire('stock').catch(() => undefined);
  await cluster.advance(100);
  // Nothing that a user sees shows it but the memory of the process.
  const [waiting] = (locks as unknown as { readonly pending: Iterable<{ readonly decidedListeners?: Iterable<unknown> }> }).pending;
  const remembered = (): number => [...(waiting?.decidedListeners ?? [])].length;
  for (let queries = 0; queries < 3; queries++) {
    // When a lock is given back, whoever waits may be about to get one: a query looks at them again.
    (await acquire('n1', 'tools')).release();
    const answer = locks.query();
    expect(remembered()).toBe(1);
    await cluster.advance(100);
    expect((await answer).pending).toHaveLength(1);
    expect(remembered()).toBe(0);
  }
});

describe('a node that stops', () => {
  /** How a request ended, in words. */
  const ends = (promise: Promise<unknown>): Promise<string> =>
    promise.then(() => 'ended well', (error: unknown) => (error as Error).message);

  test('lets nobody in any more, not even one for whom the way becomes free, and tells each what became of its lock', async () => {
    const { locks } = cluster.node('n1');
    const reader = locks.request('stock', { mode: 'shared' }, (lock) => new Promise<void>((resolve) => {
      lock.signal.addEventListener('abort', () => resolve());
    }));
    const careless = locks.request('tools', () => new Promise(() => undefined));
    await cluster.advance(100);
    const held = await acquire('n1', 'books');
    held.signal.addEventListener('abort', () => void held.release());
    const unheard = await acquire('n1', 'stamps');
    let entered = 0;
    // When the writer is refused, nothing is in the way of the reader behind it.
    const writer = locks.request('stock', () => entered++);
    const behind = locks.request('stock', { mode: 'shared' }, () => entered++);
    const endings = [reader, careless, writer, behind].map(ends);
    await cluster.advance(100);
    await cluster.node('n1').stop();
    expect(await Promise.all(endings)).toEqual([
      'ended well',
      'node n1 is stopping: stop using what the lock "tools" protects',
      'node n1 is stopping: it no longer waits for the lock "stock", after 100 ms',
      'node n1 is stopping: it no longer waits for the lock "stock", after 100 ms',
    ]);
    expect(entered).toBe(0);
    expect(held.signal.reason).toMatchObject({ code: 'closed', message: 'node n1 is stopping: stop using what the lock "books" protects' });
    expect(await ends(locks.acquire('stock'))).toBe('node n1 is stopping: it takes no request for the lock "stock"');
    // What was given back is free at once; what may be in use is so when its lease has ended.
    await acquire('n2', 'stock');
    await acquire('n2', 'books');
    expect(unheard.signal.reason).toMatchObject({ code: 'closed' });
    const inside: string[] = [];
    for (const name of ['tools', 'stamps']) void cluster.node('n2').locks.acquire(name).then(() => inside.push(name));
    await cluster.advance(1_000);
    expect(inside).toEqual([]);
    await cluster.advance(LEASE_MS);
    expect(inside.sort()).toEqual(['stamps', 'tools']);
  });
});

describe('a signal of the user', () => {
  const uses: [string, (locks: LockManager, signal: AbortSignal) => Promise<unknown>][] = [
    ['request', (locks, signal) => locks.request('stock', { signal }, () => undefined)],
    ['acquire', async (locks, signal) => (await locks.acquire('stock', { signal })).release()],
    ['acquire in vain', (locks, signal) => locks.acquire('taken', { signal, waitMs: 50 })],
    ['acquireAll', async (locks, signal) => (await locks.acquireAll(['stock', 'tools'], { signal })).release()],
    ['acquireAll in vain', (locks, signal) => locks.acquireAll(['stock', 'taken'], { signal, waitMs: 50 })],
    ['semaphore', (locks, signal) => locks.semaphore('pool', 3).request({ signal }, () => undefined)],
  ];

  test.each(uses)('has no listener left after %s', async (_what, use) => {
    await acquire('n2', 'taken');
    const { signal } = new AbortController();
    const done = Promise.allSettled(Array.from({ length: 20 }, () => use(cluster.node('n1').locks, signal)));
    expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(1);
    await cluster.advance(3_000);
    await done;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('may be shared by many requests: Node.js does not warn of a leak, and all of them end', async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warn);
    await acquire('n2', 'taken');
    const giveUp = new AbortController();
    const requests = Array.from({ length: 50 }, () => cluster.node('n1').locks.request('taken', { signal: giveUp.signal }, () => undefined));
    const outcomes = Promise.allSettled(requests);
    await cluster.advance(100);
    giveUp.abort();
    const rejected = (await outcomes).filter(({ status }) => status === 'rejected');
    await new Promise(setImmediate); // warnings come in a turn of their own
    process.off('warning', warn);
    expect([rejected.length, warnings]).toEqual([50, []]);
    expect(getEventListeners(giveUp.signal, 'abort')).toEqual([]);
  });
});
