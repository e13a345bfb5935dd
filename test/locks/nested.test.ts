/** A chain of calls that asks again for a lock that it holds waits for itself: it is told so, with both places. */
import { setImmediate as turn } from 'node:timers/promises';
import type { HeldLock, LockManager } from '../../src';
import { CHAIN_MAX, heldAround } from '../../src/locks/nesting';
import { testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';

let cluster: TestCluster;
let locks: LockManager;
let warnings: { readonly message: string; readonly type?: string; readonly code?: string }[];

beforeEach(async () => {
  cluster = await testCluster({ nodes: 3, leaseMs: 5_000 });
  ({ locks } = cluster.node('n1'));
  warnings = [];
  jest.spyOn(process, 'emitWarning').mockImplementation((message, options) => void warnings.push({ message: String(message), ...(options as object) }));
});
afterEach(async () => {
  jest.restoreAllMocks();
  await cluster.stop();
});

function pass(ms: number): Promise<void> {
  return cluster.advance(ms);
}

function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => 'no failure', (error: unknown) => error);
}

let names = 0;
/** What was told of one name is not told again. */
function newName(): string {
  return `nested ${++names}`;
}

async function innerPlace(name: string, options = {}): Promise<unknown> {
  return await locks.request(name, options, () => 'in');
}

async function outerPlace(name: string, inner: () => Promise<unknown>): Promise<unknown> {
  return await locks.request(name, async () => {
    await turn();
    return await inner();
  });
}

async function acquirePlace(name: string, inner: () => Promise<unknown>): Promise<unknown> {
  const lock = await locks.acquire(name);
  try {
    return await inner();
  } finally {
    void lock.release();
  }
}

describe.each([['a callback', outerPlace, 'outerPlace'], ['an acquired lock', acquirePlace, 'acquirePlace']])('within %s', (_what, outer, place) => {
  /** Where a lock is taken is noted once it was asked for within itself. */
  async function prepare(): Promise<string> {
    const name = newName();
    await reasonOf(outer(name, () => locks.request(name, { nested: 'reject' }, () => 'in')));
    return name;
  }

  test('a request that is awaited: after a second a warning names both places, once', async () => {
    const name = await prepare();
    void reasonOf(outer(name, () => innerPlace(name)));
    await turn();
    await pass(999);
    expect(warnings).toEqual([]);
    await pass(1);
    expect(warnings).toMatchObject([{ type: 'NestedLockWarning', code: 'MAEKAWA_NESTED_LOCK', message: expect.stringContaining(`The lock "${name}" is asked for at innerPlace`) as string }]);
    expect(warnings[0]?.message).toContain(`taken at ${place} (`);
    await pass(60_000);
    expect(warnings).toHaveLength(1);
  });

  test('the message of a timeout names it', async () => {
    const name = await prepare();
    const failed = reasonOf(outer(name, () => innerPlace(name, { waitMs: 300 })));
    await turn();
    await pass(300);
    await expect(failed).resolves.toMatchObject({ code: 'timeout', message: expect.stringMatching(/asked for at innerPlace .*by the same chain of calls that holds it \(exclusive, token \d+, taken at .*\), and waited for itself$/) as string });
    expect(warnings).toHaveLength(1);
  });

  test('with nested: reject it rejects at once', async () => {
    const name = newName();
    await expect(outer(name, () => innerPlace(name, { nested: 'reject' }))).rejects.toMatchObject({ code: 'nested', definite: true });
    // The chain has given it back by that.
    await expect(locks.request(name, () => 'free')).resolves.toBe('free');
  });

  test('another name, ifAvailable and steal are untouched', async () => {
    const name = newName();
    await expect(outer(name, () => innerPlace(newName(), { nested: 'reject' }))).resolves.toBe('in');
    await expect(outer(name, async () => await locks.request(name, { ifAvailable: true, nested: 'reject' }, (lock) => lock))).resolves.toBeNull();
    let inner: Promise<unknown> = Promise.resolve();
    const stolen = reasonOf(outer(name, () => (inner = innerPlace(name, { steal: true, nested: 'reject' }))));
    await pass(10);
    await stolen;
    await expect(inner).resolves.toBe('in');
    await pass(10_000);
    expect(warnings).toEqual([]);
  });
});

test('within the job of once', async () => {
  const name = newName();
  await expect(locks.once(name, { atLeastMs: 0 }, () => innerPlace(name, { nested: 'reject' }))).rejects.toMatchObject({ code: 'nested' });
});

test('one that the chain does not await is legal, and waits in line without a word', async () => {
  const name = newName();
  let inner: Promise<unknown> = Promise.resolve();
  let other: Promise<HeldLock> | undefined;
  await locks.request(name, async () => {
    other = cluster.node('n2').locks.acquire(name);
    await cluster.settle();
    inner = innerPlace(name);
  });
  if (other === undefined) throw new Error('nobody else asked');
  const held = await cluster.advanceUntil(other);
  // It waits for longer than a chain that waits for itself is given.
  await pass(2_000);
  expect(warnings).toEqual([]);
  void held.release();
  await expect(cluster.advanceUntil(inner)).resolves.toBe('in');
});

test('once it was given back the chain asks like any other, also for long', async () => {
  const name = newName();
  await (await locks.acquire(name)).release();
  const elsewhere: HeldLock = await cluster.node('n2').locks.acquire(name);
  const waiting = locks.request(name, { nested: 'reject' }, () => 'in');
  await pass(3_000);
  void elsewhere.release();
  await expect(cluster.advanceUntil(waiting)).resolves.toBe('in');
  expect(warnings).toEqual([]);
});

test('through another node it is another holder: only the same manager is looked at', async () => {
  const name = newName();
  const inner = outerPlace(name, () => cluster.node('n2').locks.request(name, { nested: 'reject', waitMs: 100 }, () => 'in'));
  await expect(cluster.advanceUntil(inner)).rejects.toMatchObject({ code: 'timeout' });
});

test('a reader within a reader is fine, unless a writer waits between them', async () => {
  const name = newName();
  const shared = { mode: 'shared', nested: 'reject' } as const;
  const read = (inner: () => Promise<unknown>): Promise<unknown> => locks.request(name, shared, inner);
  await expect(read(() => innerPlace(name, shared))).resolves.toBe('in');
  const failed = reasonOf(read(async () => {
    void cluster.node('n2').locks.request(name, () => undefined);
    await cluster.settle();
    return await innerPlace(name, shared);
  }));
  await turn();
  await pass(1_500);
  await expect(failed).resolves.toMatchObject({ code: 'nested' });
});

test('several locks at once: asking for one of them again', async () => {
  const [a, b] = [newName(), newName()];
  const all = await locks.acquireAll([a, b]);
  await expect(innerPlace(b, { nested: 'reject' })).rejects.toMatchObject({ code: 'nested' });
  await all.release();
  await expect(innerPlace(b, { nested: 'reject' })).resolves.toBe('in');
});

test('a chain that takes lock after lock for ever keeps nothing of those that are over', async () => {
  let before = await locks.acquire('hand 0');
  for (let i = 1; i < 100; i++) {
    const next = await locks.acquire(`hand ${i % 2}${i}`);
    await before.release();
    before = next;
  }
  let length = 0;
  for (let hold = heldAround(locks, before.name); hold !== undefined; hold = hold.outer) length++;
  expect(length).toBeLessThanOrEqual(2);
  await before.release();
});

test('a chain that holds very many looks at the newest alone: each costs as little as the first', async () => {
  const taken: HeldLock[] = [];
  for (let i = 0; i < 3 * CHAIN_MAX; i++) taken.push(await locks.acquire(newName()));
  const [oldest, newest] = [taken[0], taken.at(-1)];
  let length = 0;
  for (let hold = heldAround(locks, newest?.name ?? ''); hold !== undefined; hold = hold.outer) length++;
  expect(length).toBeGreaterThan(CHAIN_MAX / 2);
  expect(length).toBeLessThanOrEqual(CHAIN_MAX);
  expect(heldAround(locks, oldest?.name ?? '')).toBeUndefined();
  await Promise.all(taken.map((lock) => lock.release()));
});

test('an option that is none', async () => {
  await expect(locks.acquire('r', { nested: 'warm' as 'warn' })).rejects.toThrow(TypeError);
});
