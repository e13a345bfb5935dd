/** `maekawa/testing`, as those use it who test code of their own: each thing that its documentation promises. */
import { LockError } from '../../src';
import { memoryFenceStore, testCluster } from '../../src/testing';
import type { TestCluster, TestClusterOptions } from '../../src/testing';
import { fence } from '../../src/fencing';

const LEASE_MS = 1_000;

let cluster: TestCluster | undefined;
afterEach(() => cluster?.stop());

async function start(options: TestClusterOptions = {}): Promise<TestCluster> {
  return (cluster = await testCluster({ leaseMs: LEASE_MS, ...options }));
}

/** Held from when this resolves until its node is gone or `release` is called. */
async function hold(of: TestCluster, id: string, name = 'a'): Promise<{ token: number; lost: Promise<unknown>; release: () => void }> {
  const lock = await of.node(id).locks.acquire(name);
  return { token: lock.token, lost: new Promise((resolve) => lock.signal.addEventListener('abort', () => resolve(lock.signal.reason))), release: () => void lock.release() };
}

describe('time', () => {
  test('stands still until it is advanced, and is the same in each run', async () => {
    const of = await start();
    expect(of.nodes.map(({ id }) => id)).toEqual(['n1', 'n2', 'n3']);
    const first = await hold(of, 'n1');
    expect(of.now()).toBe(0);
    await of.advance(250);
    expect(of.now()).toBe(250);
    await of.stop();
    const again = await hold(await start(), 'n1');
    expect(again.token).toBe(first.token);
  });

  test.each([NaN, -1_000, Infinity, '5' as unknown as number])('cannot go on by %p', async (byMs) => {
    const of = await start();
    await expect(of.advance(byMs)).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('advance takes a number of milliseconds, 0 or more, not') as string });
    expect(of.now()).toBe(0);
  });

  test('a lock is renewed however long time goes on', async () => {
    const of = await start();
    const lock = await of.node('n1').locks.acquire('a');
    await of.advance(100 * LEASE_MS);
    expect(lock.signal.aborted).toBe(false);
    expect(lock.validForMs()).toBeGreaterThan(0);
  });

  test('a limit on waiting ends when the test says so', async () => {
    const of = await start();
    await hold(of, 'n1');
    const attempt = of.node('n2').locks.acquire('a', { waitMs: 300 }).catch((error: unknown) => error);
    await of.advance(299);
    expect(await Promise.race([attempt, of.settle().then(() => 'waits')])).toBe('waits');
    await of.advance(1);
    expect(await attempt).toMatchObject({ code: 'timeout' });
  });

  test('latency: an entry takes a round trip, in virtual time', async () => {
    const of = await start({ latencyMs: 20 });
    await of.advance(100);
    let enteredAtMs: number | undefined;
    void of.node('n1').locks.request('a', () => {
      enteredAtMs = of.now();
    });
    await of.advance(100);
    expect(enteredAtMs).toBe(140);
  });
});

describe('faults', () => {
  test('crash: nobody is told, the lock ends with its lease, and the next token is larger', async () => {
    const of = await start();
    const dead = await hold(of, 'n1');
    of.node('n1').crash();
    let enteredAtMs = 0;
    const next = of.node('n2').locks.request('a', (lock) => {
      enteredAtMs = of.now();
      return lock?.token;
    });
    await of.advance(LEASE_MS / 2);
    expect(enteredAtMs).toBe(0);
    await of.advance(2 * LEASE_MS);
    expect(await next).toBeGreaterThan(dead.token);
    expect(enteredAtMs).toBeGreaterThanOrEqual(LEASE_MS * 0.9);
  });

  test.each([['crash', false], ['restart', true]])('%s: what the holder of the earlier life gives back, nobody hears of', async (_what, restarts) => {
    const of = await start();
    const dead = await hold(of, 'n1');
    let enteredAtMs: number | undefined;
    const next = of.node('n2').locks.request('a', (lock) => {
      enteredAtMs = of.now();
      return lock?.token;
    });
    await of.settle();
    of.node('n1').crash();
    if (restarts) await of.node('n1').restart();
    dead.release();
    await of.advance(LEASE_MS / 2);
    expect(enteredAtMs).toBeUndefined();
    await of.advance(2 * LEASE_MS);
    expect(await next).toBeGreaterThan(dead.token);
    expect(enteredAtMs).toBeGreaterThanOrEqual(LEASE_MS * 0.9);
  });

  test('a node that is down says so, and restarts once, with locks of its new life', async () => {
    const of = await start();
    const before = await hold(of, 'n1');
    of.node('n1').crash();
    expect(() => of.node('n1').locks).toThrow(/^node n1 is not running; restart it first$/);
    await of.node('n1').restart();
    await expect(of.node('n1').restart()).rejects.toThrow(/node n1 is running already/);
    const after = of.node('n1').locks.acquire('a');
    await of.advance(3 * LEASE_MS);
    expect((await after).token).toBeGreaterThan(before.token);
  });

  test('isolate: the holder loses its lock no later than another can have it; heal brings it back', async () => {
    const of = await start();
    const cutOff = await hold(of, 'n1');
    of.isolate('n1');
    let lostAtMs = Infinity;
    void cutOff.lost.then(() => (lostAtMs = of.now()));
    let enteredAtMs = Infinity;
    void of.node('n3').locks.request('a', () => {
      enteredAtMs = of.now();
    });
    await of.advance(3 * LEASE_MS);
    expect(await cutOff.lost).toMatchObject({ code: 'lost' });
    expect(lostAtMs).toBeLessThanOrEqual(enteredAtMs);
    expect(enteredAtMs).not.toBe(Infinity);

    const waiting = of.node('n1').locks.acquire('b', { waitMs: 100 * LEASE_MS });
    await of.advance(LEASE_MS);
    of.heal();
    await of.advance(LEASE_MS);
    (await waiting).release();
  });

  test('cut: one link; a majority is reached over the others', async () => {
    const of = await start();
    of.cut('n1', 'n2');
    (await of.node('n1').locks.acquire('a')).release();
    (await of.node('n2').locks.acquire('b')).release();
    const { unanswered } = await of.node('n1').locks.query();
    expect(unanswered).toEqual(['n2']);
  });

  test('stop: signals abort, a callback that can end does, and the lock is free without time passing', async () => {
    const of = await start();
    const order: string[] = [];
    const held = of.node('n1').locks.request('a', async (lock) => {
      await new Promise((resolve) => lock?.signal.addEventListener('abort', resolve));
      order.push('ended');
    });
    await of.settle();
    const next = of.node('n2').locks.request('a', () => void order.push('entered'));
    await of.node('n1').stop();
    await Promise.all([next, held.catch(() => undefined)]);
    expect(order).toEqual(['ended', 'entered']);
    expect(of.now()).toBe(0);
  });
});

describe('what a test passes in', () => {
  test('ids and quorums of its own', async () => {
    const of = await start({ nodes: ['ada', 'bob', 'cyd', 'dan'], quorums: { family: 'grid', columns: [['ada', 'bob'], ['cyd', 'dan']] } });
    expect(of.nodes.map(({ id }) => id)).toEqual(['ada', 'bob', 'cyd', 'dan']);
    (await of.node('dan').locks.acquire('a')).release();
  });

  test('a node that does not exist is named, with those that do', async () => {
    const of = await start();
    expect(() => of.node('n4')).toThrow(new LockError('config', 'the test cluster has no node "n4"; it has n1, n2, n3'));
    expect(() => of.cut('n1', 'n9')).toThrow(/no node "n9"/);
  });

  test('a cluster that cannot be is refused as its configuration would be', async () => {
    await expect(testCluster({ nodes: 0 })).rejects.toMatchObject({ code: 'config' });
    await expect(testCluster({ nodes: ['a', 'a'] })).rejects.toMatchObject({ code: 'config' });
    await expect(testCluster({ leaseMs: -1 })).rejects.toMatchObject({ code: 'config' });
  });
});

test('a store in memory refuses what a holder that was followed writes, and keeps nothing of a write that fails', async () => {
  const of = await start();
  const store = memoryFenceStore({ writes: 0 });
  const fenced = fence(store);
  const late = await of.node('n1').locks.acquire('a');
  of.node('n1').crash();
  const next = of.node('n2').locks.acquire('a');
  await of.advance(2 * LEASE_MS);
  const lock = await next;
  await fenced.write(lock, (resource) => {
    resource.value.writes += 1;
  });
  await expect(fenced.write(late, (resource) => {
    resource.value.writes += 10;
  })).rejects.toMatchObject({ code: 'fenced' });
  await expect(fenced.write(lock, (resource) => {
    resource.value.writes += 100;
    throw new Error('no');
  })).rejects.toThrow('no');
  expect(store.value).toEqual({ writes: 1 });
});

test.each([1.5, 0, -1, NaN, Infinity])('there is no cluster of %p nodes', async (nodes) => {
  await expect(testCluster({ nodes })).rejects.toMatchObject({ code: 'config', message: `a test cluster has a whole number of nodes, at least 1, not ${nodes}` });
});

test.each([-1, NaN, Infinity])('no message is on its way for %p ms', async (latencyMs) => {
  await expect(testCluster({ latencyMs })).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('latencyMs is a number of milliseconds') as string });
});
