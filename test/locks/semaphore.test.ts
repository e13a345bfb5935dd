/** A counting semaphore: at most so many holders in the whole cluster, each with the token of its permit. */
import { LockError, fence } from '../../src';
import type { HeldPermit, Semaphore } from '../../src';
import { memoryFenceStore, testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';

const LEASE_MS = 6_000;
const PERMITS = 2;

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await testCluster({ nodes: 3, leaseMs: LEASE_MS });
});
afterEach(() => cluster.stop());

function poolOf(id: string): Semaphore {
  return cluster.node(id).locks.semaphore('pool', PERMITS);
}

async function take(id: string): Promise<HeldPermit> {
  const taken = poolOf(id).acquire();
  await cluster.advance(100);
  return taken;
}

async function inUse(): Promise<{ held: number; pending: number }> {
  const { held, pending } = await cluster.node('n3').locks.query();
  return { held: held.length, pending: pending.length };
}

test('lets in as many as it has permits, on whichever nodes, and the next when one leaves', async () => {
  let inside = 0;
  let most = 0;
  const done = ['n1', 'n2', 'n3', 'n1', 'n2', 'n3'].map((id) => poolOf(id).request(async () => {
    most = Math.max(most, ++inside);
    await cluster.settle();
    inside--;
  }));
  await cluster.advance(30_000);
  await Promise.all(done);
  expect(most).toBe(PERMITS);
  expect(await inUse()).toEqual({ held: 0, pending: 0 });
});

test('nothing of it needs real time: the time of the cluster is the only one', async () => {
  await take('n1');
  await take('n2');
  const third = poolOf('n3').acquire();
  let isIn = false;
  third.then(() => (isIn = true), () => undefined);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await inUse()).toEqual({ held: 2, pending: 1 }); // the head start is not over
  await cluster.advance(50);
  expect(await inUse()).toEqual({ held: 2, pending: 2 });
  expect(isIn).toBe(false);
});

test('two permits at once: a fence refuses neither, and the late write of an earlier holder of one of them', async () => {
  const store = fence(memoryFenceStore([] as string[]));
  const write = (permit: HeldPermit, text: string): Promise<number> => store.write(permit, (resource) => resource.value.push(text));
  const permits = [await take('n1'), await take('n2')].sort((a, b) => b.token - a.token);
  for (const permit of permits) await write(permit, `permit ${permit.permit}`);
  const late = permits[0] as HeldPermit;
  late.release();
  const next = await take('n3');
  expect(next.permit).toBe(late.permit);
  await write(next, 'next');
  await expect(write(late, 'late')).rejects.toMatchObject({ code: 'fenced' });
});

test('a permit is a lock of its own, with its number; tokens rise from holder to holder of one permit', async () => {
  const tokens = new Map<number, number>();
  for (let round = 0; round < 6; round++) {
    const permits = [await take('n1'), await take('n2')];
    expect(permits.map(({ permit }) => permit).sort()).toEqual([0, 1]);
    for (const permit of permits) {
      expect(permit).toMatchObject({ semaphore: 'pool', name: `-permit ${permit.permit} of pool`, mode: 'exclusive' });
      expect(permit.validForMs()).toBeGreaterThan(0);
      expect(permit.token).toBeGreaterThan(tokens.get(permit.permit) ?? 0);
      tokens.set(permit.permit, permit.token);
      permit.release();
    }
    await cluster.settle();
  }
});

test('two callers of one node need not wait for the head start: the second knows that the first permit is taken', async () => {
  const one = poolOf('n1');
  const first = await one.acquire();
  const second = await one.acquire();
  expect(new Set([first.permit, second.permit])).toEqual(new Set([0, 1]));
});

test.each([0, 5, 30])('waitMs %i: a permit that is free is found, whichever it is', async (waitMs) => {
  const taken = await take('n1');
  const semaphore = poolOf('n2');
  // Known to be free at this node, and not the one that this semaphore would ask for first.
  const free = await take('n2');
  free.release();
  for (let i = 0; i < 8; i++) {
    const acquired = poolOf('n2').acquire({ waitMs });
    await cluster.advance(waitMs);
    const permit = await acquired;
    expect(permit.permit).toBe(1 - taken.permit);
    permit.release();
  }
  expect(semaphore.permits).toBe(PERMITS);
});

test('waitMs: when no permit is free in time, the error speaks of the semaphore, and nothing is left in line', async () => {
  await take('n1');
  await take('n2');
  const refused = expect(poolOf('n3').acquire({ waitMs: 300 })).rejects.toMatchObject({
    code: 'timeout', message: 'no permit of the semaphore "pool" (2 permits) is free within 300 ms',
  });
  await cluster.advance(300);
  await refused;
  expect(await inUse()).toEqual({ held: 2, pending: 0 });
});

test.each(['enough', new LockError('timeout', 'of another request')])('a signal: its reason as it is (%s), and nothing is left in line', async (reason) => {
  await take('n1');
  await take('n2');
  const giveUp = new AbortController();
  const refused = expect(poolOf('n3').acquire({ signal: giveUp.signal })).rejects.toBe(reason);
  await cluster.advance(100);
  giveUp.abort(reason);
  await refused;
  expect(await inUse()).toEqual({ held: 2, pending: 0 });
});

test('tryAcquire and ifAvailable: a permit if one is free, else null', async () => {
  const first = poolOf('n1').tryAcquire();
  await cluster.advance(100);
  expect(await first).not.toBeNull();
  const second = poolOf('n2').request({ ifAvailable: true }, async (permit) => {
    expect(permit?.semaphore).toBe('pool');
    const third = poolOf('n3').tryAcquire();
    await cluster.settle();
    await cluster.advance(600);
    expect(await third).toBeNull();
    return poolOf('n3').request({ ifAvailable: true }, (none) => none);
  });
  await cluster.advance(2_000);
  await expect(second).resolves.toBeNull();
  expect(await inUse()).toEqual({ held: 1, pending: 0 });
});

test('a permit that is lost: the signal aborts, the request rejects, another holds it under a larger token', async () => {
  const single = (id: string): Semaphore => cluster.node(id).locks.semaphore('single', 1);
  let lost: HeldPermit | undefined;
  const request = expect(single('n1').request((permit) => {
    lost = permit as HeldPermit;
    return new Promise(() => undefined);
  })).rejects.toMatchObject({ code: 'lost' });
  await cluster.settle();
  cluster.isolate('n1');
  const next = single('n2').acquire();
  await cluster.advance(2 * LEASE_MS);
  await request;
  expect(lost?.signal.aborted).toBe(true);
  expect((await next).token).toBeGreaterThan(lost?.token ?? NaN);
});

test('await using gives the permit back', async () => {
  {
    await using permit = await poolOf('n1').acquire();
    expect(permit.token).toBeGreaterThan(0);
  }
  expect(await inUse()).toEqual({ held: 0, pending: 0 });
});

test('permits that are granted in one turn: one goes to the caller, and the others are given back', async () => {
  const pool = cluster.node('n1').locks.semaphore('wide', 8);
  // Votes that are kept grant a permit at once.
  const all = Promise.all(Array.from({ length: 8 }, () => pool.acquire()));
  await cluster.advance(1_000);
  for (const permit of await all) await permit.release();
  const permit = pool.acquire({ waitMs: 0 });
  await cluster.advance(1_000);
  await permit;
  expect(await inUse()).toEqual({ held: 1, pending: 0 });
});
