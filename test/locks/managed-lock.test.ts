/** One rule for every way to hold a lock: a caller of a node, a client, several locks at once, a permit. */
import { LockError } from '../../src';
import type { HeldLock } from '../../src';
import { BaseLockManager } from '../../src/locks/base';
import { LockInHand } from '../../src/locks/managed-lock';
import type { LockKeeper, ManagedLock, ManagerTime } from '../../src/locks/managed-lock';
import type { LockManagerSnapshot, LockOptions } from '../../src/locks/types';
import * as turns from '../../src/runtime/turns';

/** Its time passes when the test says so, and no timer ever fires: the event loop is busy. */
class BusyManager extends BaseLockManager {
  atMs = 0;
  readonly locks: LockInHand[] = [];
  readonly givenBack: { readonly name: string; readonly wasHeld: boolean }[] = [];
  readonly expired: string[] = [];
  protected override readonly time: ManagerTime = { nowMs: () => this.atMs, schedule: () => () => undefined };

  protected override begin(name: string, { maxHoldMs }: LockOptions): Promise<ManagedLock> {
    const keeper: LockKeeper = {
      nowMs: () => this.atMs,
      givenBack: (wasHeld) => this.givenBack.push({ name, wasHeld }),
      keptOn: () => undefined,
      ranOut: () => new LockError('lost', `${name} ran out`, { definite: false }),
      expired: () => this.expired.push(name),
      untilTold: () => Promise.resolve(),
    };
    const limit = maxHoldMs === undefined ? undefined : { maxHoldMs, endsAtMs: this.atMs + maxHoldMs, slackMs: 10 };
    const lock = new LockInHand(keeper, name, 'exclusive', 7, this.atMs + 1_000, limit);
    this.locks.push(lock);
    return Promise.resolve(lock);
  }

  protected override isTakenHere(): boolean {
    return false;
  }

  protected override followLeader(): () => void {
    return () => undefined;
  }

  query(): Promise<LockManagerSnapshot & { unanswered: string[] }> {
    return Promise.resolve({ held: [], pending: [], unanswered: [] });
  }
}

let manager: BusyManager;
beforeEach(() => (manager = new BusyManager()));

describe('in the turn in which its time has run out, before any timer', () => {
  test.each<[string, () => Promise<{ readonly signal: AbortSignal }>]>([
    ['a lock', () => manager.acquire('stock')],
    ['several locks', () => manager.acquireAll(['stock', 'tools'])],
    ['a permit', () => manager.semaphore('seats', 2).acquire()],
  ])('the signal of %s is aborted', async (_what, acquire) => {
    const held = await acquire();
    expect(held.signal.aborted).toBe(false);
    manager.atMs = 1_000;
    expect(held.signal.aborted).toBe(true);
    expect(held.signal.reason).toMatchObject({ code: 'lost', definite: false });
  });

  test.each<[string, (use: (lock: { readonly signal: AbortSignal }) => void) => Promise<void>]>([
    ['request', (use) => manager.request('stock', use)],
    ['acquire', async (use) => use(await manager.acquire('stock'))],
    ['acquireAll', async (use) => use(await manager.acquireAll(['stock', 'tools']))],
    ['the request of a semaphore', (use) => manager.semaphore('seats', 2).request(use)],
    ['the acquire of a semaphore', async (use) => use(await manager.semaphore('seats', 2).acquire())],
  ])('a signal that was taken before says so, however it is read: %s', async (_what, run) => {
    const readings: [string, (signal: AbortSignal) => unknown][] = [
      ['aborted', (signal) => signal.aborted],
      ['reason', (signal) => (signal.reason as LockError).code === 'lost'],
      ['throwIfAborted', (signal) => expect(() => signal.throwIfAborted()).toThrow(expect.objectContaining({ code: 'lost' }) as Error) === undefined],
    ];
    for (const [reading, isAborted] of readings) {
      const heard: unknown[] = [];
      await run(({ signal }) => {
        expect(signal.aborted).toBe(false);
        expect(() => signal.throwIfAborted()).not.toThrow();
        signal.addEventListener('abort', () => heard.push(signal.reason));
        manager.atMs += 1_000;
        expect([reading, isAborted(signal)]).toEqual([reading, true]);
      }).catch((error: unknown) => expect(error).toMatchObject({ code: 'lost' }));
      expect(heard).toMatchObject([{ code: 'lost' }]);
    }
  });

  test('a lock is valid for nothing, and its release tells no one that it was held until now', async () => {
    const lock = await manager.acquire('stock');
    manager.atMs = 1_000;
    lock.release();
    expect(lock.validForMs()).toBe(0);
    expect(manager.givenBack).toEqual([{ name: 'stock', wasHeld: false }]);
  });

  test('the callback of a request rejects with why', async () => {
    await expect(manager.request('stock', () => void (manager.atMs = 5_000))).rejects.toMatchObject({ code: 'lost' });
  });
});

test('what a listener for renewals throws is its own: whoever renews goes on', async () => {
  const lock = await manager.acquire('stock');
  const thrown: unknown[] = [];
  const microtask = jest.spyOn(turns, 'microtask').mockImplementation((callback) => {
    void Promise.resolve().then(callback).catch((error: unknown) => thrown.push(error));
  });
  lock.onRenewed(() => {
    throw new Error('a mistake of the user');
  });
  const [inHand] = manager.locks;
  expect(() => inHand?.told({ sentAtMs: 500, validForMs: 1_000 })).not.toThrow();
  expect(() => inHand?.renewed(2_000)).not.toThrow();
  await Promise.resolve();
  await Promise.resolve();
  expect(thrown).toHaveLength(2);
  expect(lock.validForMs()).toBe(2_000);
  microtask.mockRestore();
});

test('it is given back once, however often it is released', async () => {
  const lock: HeldLock = await manager.acquire('stock');
  lock.release();
  lock.release();
  await lock[Symbol.asyncDispose]();
  expect(manager.givenBack).toEqual([{ name: 'stock', wasHeld: true }]);
});

test('lost first and released then: whoever keeps it hears that, and the token stays', async () => {
  const lock = await manager.acquire('stock');
  manager.locks[0]?.lose(new LockError('stolen', 'stolen'));
  lock.release();
  expect(manager.givenBack).toEqual([{ name: 'stock', wasHeld: false }]);
  expect(lock.token).toBe(7);
});

describe('a limit to the hold', () => {
  const MAX_HOLD = { maxHoldMs: 400 };

  test.each<[string, () => Promise<{ readonly signal: AbortSignal; validForMs(): number }>]>([
    ['a lock', () => manager.acquire('stock', MAX_HOLD)],
    ['one that was free', async () => (await manager.tryAcquire('stock', MAX_HOLD)) ?? Promise.reject(new Error('not free'))],
    ['several locks', () => manager.acquireAll(['stock', 'tools'], MAX_HOLD)],
    ['a permit', () => manager.semaphore('seats', 2).acquire(MAX_HOLD)],
  ])('ends %s in the turn in which it is reached, and no renewal prolongs it', async (_what, acquire) => {
    const held = await acquire();
    expect(held.validForMs()).toBe(400);
    manager.atMs = 300;
    for (const lock of manager.locks) lock.renewed(5_000);
    for (const lock of manager.locks) lock.told({ sentAtMs: 300, validForMs: 5_000 });
    expect([held.validForMs(), held.signal.aborted]).toEqual([100, false]);
    manager.atMs = 400;
    expect(held.signal.reason).toMatchObject({ code: 'expired', definite: false });
    expect(held.validForMs()).toBe(0);
    expect(manager.expired).toContain(manager.locks[0]?.name);
  });

  test('what ran out well before was not renewed; what ran out a moment before was cut short by it', async () => {
    await Promise.all(['a', 'b'].map((name) => manager.acquire(name, MAX_HOLD)));
    manager.atMs = 389;
    manager.locks[0]?.renewed(389);
    expect(manager.locks[0]?.signal.reason).toMatchObject({ code: 'lost' });
    manager.atMs = 391;
    manager.locks[1]?.renewed(391);
    expect(manager.locks[1]?.signal.reason).toMatchObject({ code: 'expired' });
  });

  test('the keeper hears of it after whoever uses the lock, and not when that has given it back within', async () => {
    const [, giver] = await Promise.all(['a', 'b'].map((name) => manager.acquire(name, MAX_HOLD)));
    const heard: string[] = [];
    manager.locks[0]?.signal.addEventListener('abort', () => heard.push(`told, then ${JSON.stringify(manager.expired)}`));
    giver?.signal.addEventListener('abort', () => void giver.release());
    manager.atMs = 400;
    for (const lock of manager.locks) lock.look();
    expect(heard).toEqual(['told, then []']);
    expect(manager.expired).toEqual(['a']);
    expect(manager.givenBack).toEqual([{ name: 'b', wasHeld: false }]);
  });
});
