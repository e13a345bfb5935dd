/** Which permits callers ask for, and how many: clients of a played cluster, whose locks answer after a round trip. */
import fc from 'fast-check';
import { LockError } from '../../src';
import type { HeldPermit, LockInfo, LockOptions } from '../../src';
import { BaseLockManager } from '../../src/locks/base';
import { LockInHand } from '../../src/locks/managed-lock';
import type { ManagedLock, ManagerTime } from '../../src/locks/managed-lock';
import { holdsAsync } from '../support/holds';

const ROUND_TRIP_MS = 2;

interface Request {
  readonly client: string;
  readonly grant: () => void;
}

/** Locks as a cluster has them: each goes to one at a time, in the order in which it was asked for. */
class PlayedLocks {
  private readonly lines = new Map<string, Request[]>();
  private tokens = 0;
  /** How many requests there were, and the most that one client had at once. */
  asked = 0;
  readonly mostAtOnce = new Map<string, number>();

  ask(client: string, name: string, { signal, waitMs, ifAvailable }: LockOptions): Promise<ManagedLock> {
    this.asked++;
    const line = this.lines.get(name) ?? [];
    this.lines.set(name, line);
    const isTaken = line.length > 0;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const granted = (): void => {
        if (isOver) return;
        isOver = true;
        resolve(this.lockOf(name, request));
      };
      const request: Request = { client, grant: () => setTimeout(granted, ROUND_TRIP_MS) };
      const giveUp = (reason: Error): void => {
        if (isOver) return;
        isOver = true;
        this.leave(name, request);
        reject(reason);
      };
      line.push(request);
      const own = [...this.lines.values()].flat().filter((each) => each.client === client).length;
      this.mostAtOnce.set(client, Math.max(own, this.mostAtOnce.get(client) ?? 0));
      signal?.addEventListener('abort', () => giveUp(signal.reason as Error));
      if (line[0] === request) request.grant();
      if (isTaken && ifAvailable === true) setTimeout(() => giveUp(new LockError('timeout', 'taken')), ROUND_TRIP_MS);
      if (waitMs !== undefined) setTimeout(() => giveUp(new LockError('timeout', `not within ${waitMs} ms`)), waitMs);
    });
  }

  snapshot(): { held: LockInfo[]; pending: LockInfo[]; unanswered: string[] } {
    const info = (name: string, { client }: Request): LockInfo => ({ name, mode: 'exclusive', clientId: client, forMs: 0 });
    const lines = [...this.lines];
    return {
      held: lines.flatMap(([name, line]) => line.slice(0, 1).map((each) => info(name, each))),
      pending: lines.flatMap(([name, line]) => line.slice(1).map((each) => info(name, each))),
      unanswered: [],
    };
  }

  private lockOf(name: string, request: Request): ManagedLock {
    return new LockInHand({
      nowMs: () => Date.now(),
      givenBack: () => void setTimeout(() => this.leave(name, request), ROUND_TRIP_MS / 2),
      keptOn: () => undefined,
      ranOut: () => new LockError('lost', 'ran out'),
      expired: () => undefined,
      untilTold: () => null,
    }, name, 'exclusive', ++this.tokens, Infinity);
  }

  private leave(name: string, request: Request): void {
    const line = this.lines.get(name) ?? [];
    const index = line.indexOf(request);
    if (index < 0) return;
    line.splice(index, 1);
    if (index === 0) line[0]?.grant();
  }
}

class PlayedClient extends BaseLockManager {
  queries = 0;
  protected override readonly time: ManagerTime = {
    nowMs: () => Date.now(),
    schedule: (callback, delayMs) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  };

  constructor(private readonly locks: PlayedLocks, private readonly id: string) {
    super();
  }

  protected override begin(name: string, options: LockOptions): Promise<ManagedLock> {
    return this.locks.ask(this.id, name, options);
  }

  protected override isTakenHere(): boolean {
    return false;
  }

  protected override followLeader(): () => void {
    return () => undefined;
  }

  async query(): Promise<{ held: LockInfo[]; pending: LockInfo[]; unanswered: string[] }> {
    this.queries++;
    await pause(ROUND_TRIP_MS);
    return this.locks.snapshot();
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let locks: PlayedLocks;
const client = (id: string): PlayedClient => new PlayedClient(locks, id);

beforeEach(() => {
  jest.useFakeTimers();
  locks = new PlayedLocks();
});
afterEach(() => jest.useRealTimers());

/** Advances until it has settled. */
async function soon<T>(promise: Promise<T>, withinMs = 60_000): Promise<T> {
  let isOver = false;
  promise.then(() => (isOver = true), () => (isOver = true));
  for (let ms = 0; !isOver && ms < withinMs; ms += 5) await jest.advanceTimersByTimeAsync(5);
  expect(isOver).toBe(true);
  return promise;
}

test('while permits are free, callers of one client cost one request each, and all are inside at once', async () => {
  const semaphore = client('a').semaphore('jobs', 50);
  let inside = 0;
  let most = 0;
  await soon(Promise.all(Array.from({ length: 10 }, () => semaphore.request(async () => {
    most = Math.max(most, ++inside);
    await pause(200);
    inside--;
  }))));
  expect([locks.asked, most]).toEqual([10, 10]);
});

test('so do callers that each name the semaphore anew', async () => {
  const one = client('a');
  await soon(Promise.all(Array.from({ length: 20 }, () => one.semaphore('jobs', 50).request(() => pause(200)))));
  expect(locks.asked).toBe(20);
});

test('more callers than permits: the others wait without a request, and are served in turn', async () => {
  const semaphore = client('a').semaphore('jobs', 5);
  const order: number[] = [];
  await soon(Promise.all(Array.from({ length: 100 }, (_, index) => semaphore.request(async () => {
    order.push(index);
    await pause(100);
  }))));
  expect(locks.asked).toBe(100);
  expect(locks.mostAtOnce.get('a')).toBeLessThanOrEqual(10); // while the old one is given back
  expect(order).toEqual([...order].sort((a, b) => a - b));
});

test('a caller that waits asks for four permits, however many there are', async () => {
  const holders = await soon(Promise.all(Array.from({ length: 64 }, () => client('a').semaphore('jobs', 64).acquire({ waitMs: 60_000 }))));
  expect(new Set(holders.map(({ permit }) => permit)).size).toBe(64);
  const waiting = client('b').semaphore('jobs', 64).acquire();
  await jest.advanceTimersByTimeAsync(30_000);
  expect(locks.mostAtOnce.get('b')).toBe(4);
  // Any of them, whether it is asked for or not.
  const free = holders[Math.floor(Math.random() * 64)] as HeldPermit;
  await free.release();
  expect((await soon(waiting, 3_000)).permit).toBe(free.permit);
});

test('the more wait, the more seldom each looks who holds what', async () => {
  await soon(Promise.all(Array.from({ length: 64 }, () => client('a').semaphore('jobs', 64).acquire())));
  const clients = Array.from({ length: 30 }, (_, index) => client(`b${index}`));
  for (const each of clients) void each.semaphore('jobs', 64).acquire();
  await jest.advanceTimersByTimeAsync(5_000);
  const before = clients.reduce((sum, { queries }) => sum + queries, 0);
  await jest.advanceTimersByTimeAsync(60_000);
  const after = clients.reduce((sum, { queries }) => sum + queries, 0);
  expect(after - before).toBeLessThan(2 * 60);
  expect(after - before).toBeGreaterThan(60 / 2);
});

test('try: null as soon as all are seen to be taken, and the one that is free is found', async () => {
  const holders = await soon(Promise.all(Array.from({ length: 64 }, () => client('a').semaphore('jobs', 64).acquire())));
  const asked = locks.asked;
  await expect(soon(client('b').semaphore('jobs', 64).tryAcquire(), 100)).resolves.toBeNull();
  expect(locks.asked - asked).toBeLessThan(8);
  await holders.find(({ permit }) => permit === 17)?.release();
  await expect(soon(client('b').semaphore('jobs', 64).tryAcquire(), 500)).resolves.toMatchObject({ permit: 17 });
});

test('a caller whose own process has all permits tries in vain at once, and waits its time', async () => {
  const semaphore = client('a').semaphore('jobs', 2);
  await soon(Promise.all([semaphore.acquire(), semaphore.acquire()]));
  await expect(semaphore.tryAcquire()).resolves.toBeNull();
  const refused = expect(semaphore.acquire({ waitMs: 300 })).rejects.toMatchObject({
    code: 'timeout', message: 'no permit of the semaphore "jobs" (2 permits) is free within 300 ms',
  });
  await jest.advanceTimersByTimeAsync(300);
  await refused;
  const giveUp = new AbortController();
  const aborted = expect(semaphore.acquire({ signal: giveUp.signal })).rejects.toBe('enough');
  giveUp.abort('enough');
  await aborted;
  expect(locks.asked).toBe(2);
});

test('a caller that gave up before it asked leaves no line behind', async () => {
  const impatient = client('a');
  await expect(impatient.semaphore('jobs', 3).acquire({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  expect(impatient).toMatchObject({ permitLines: new Map() });
});

test('a permit that was lost is asked for again, released or not', async () => {
  const semaphore = client('a').semaphore('jobs', 1);
  let lost: ((reason: LockError) => void) | undefined;
  jest.spyOn(locks, 'ask').mockImplementation((_client, name) => {
    const keeper = { nowMs: () => 0, givenBack: () => undefined, keptOn: () => undefined, ranOut: () => new LockError('lost', 'ran out'), expired: () => undefined, untilTold: () => null };
    const lock = new LockInHand(keeper, name, 'exclusive', 1, Infinity);
    lost = (reason) => lock.lose(reason);
    return Promise.resolve(lock);
  });
  const permit = await semaphore.acquire();
  const next = semaphore.acquire();
  lost?.(new LockError('lost', 'gone'));
  expect(permit.signal.aborted).toBe(true);
  await expect(soon(next)).resolves.toMatchObject({ permit: 0 });
});

test('whatever callers of several clients do: never too many inside, nobody asks for too many, no permit is lost', async () => {
  const step = fc.record({
    client: fc.nat(3),
    kind: fc.constantFrom('wait' as const, 'try' as const, 'patience' as const, 'give up' as const),
    atMs: fc.nat(400),
    holdMs: fc.nat(300),
  });
  await holdsAsync(fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 40 }), async (permits, steps) => {
    locks = new PlayedLocks();
    const clients = [0, 1, 2, 3].map((id) => client(`c${id}`));
    const inside = new Set<number>();
    const all = steps.map(async ({ client: index, kind, atMs, holdMs }) => {
      await pause(atMs);
      const semaphore = (clients[index] as PlayedClient).semaphore('jobs', permits);
      const giveUp = new AbortController();
      if (kind === 'give up') setTimeout(() => giveUp.abort(new LockError('aborted', 'enough')), holdMs);
      const options = { signal: giveUp.signal, ...(kind === 'patience' ? { waitMs: holdMs } : {}) };
      const permit = await (kind === 'try' ? semaphore.tryAcquire() : semaphore.acquire(options)).catch((error: LockError) => {
        expect(['timeout', 'aborted']).toContain(error.code);
        expect(kind).not.toBe('wait');
        return null;
      });
      if (permit === null) return;
      expect(inside.has(permit.permit)).toBe(false);
      inside.add(permit.permit);
      await pause(holdMs);
      inside.delete(permit.permit);
      await permit.release();
    });
    await soon(Promise.all(all));
    const most = steps.length;
    for (const each of locks.mostAtOnce.values()) expect(each).toBeLessThanOrEqual(Math.min(4 * most, 2 * permits));
    await jest.advanceTimersByTimeAsync(100);
    expect(locks.snapshot()).toEqual({ held: [], pending: [], unanswered: [] });
    const held = await soon(Promise.all(Array.from({ length: permits }, () => (clients[0] as PlayedClient).semaphore('jobs', permits).acquire())), 2_000);
    expect(new Set(held.map(({ permit }) => permit)).size).toBe(permits);
    for (const permit of held) await permit.release();
    await jest.advanceTimersByTimeAsync(2_000);
    expect(jest.getTimerCount()).toBe(0); // nobody goes on looking
  }), 100);
});
