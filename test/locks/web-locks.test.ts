/**
 * The semantics of the W3C Web Locks specification, between the nodes of a cluster and within one: what
 * the specification's own tests ask of one browser is asked here of several nodes.
 */
import { LockError } from '../../src';
import type { Lock, LockManager } from '../../src';
import { testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await testCluster({ nodes: 3, leaseMs: 5_000 });
});
afterEach(() => cluster.stop());

function locksOf(id: string): LockManager {
  return cluster.node(id).locks;
}

/** A promise and its handle. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

/** The name of the DOMException that a request rejects with. */
async function domExceptionOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(() => null, (reason: unknown) => reason);
  return error instanceof DOMException ? error.name : `no DOMException but ${String(error)}`;
}

describe.each([['one node', ['n1', 'n1', 'n1']], ['three nodes', ['n1', 'n2', 'n3']]])('callers on %s', (_where, ids) => {
  const [a = '', b = '', c = ''] = ids;

  test('the result of the callback is the result of request; its error too', async () => {
    await expect(locksOf(a).request('r', () => 123)).resolves.toBe(123);
    await expect(locksOf(a).request('r', () => Promise.resolve('x'))).resolves.toBe('x');
    await expect(locksOf(b).request('r', () => { throw new RangeError('sync'); })).rejects.toThrow('sync');
    await expect(locksOf(c).request('r', () => Promise.reject(new RangeError('async')))).rejects.toThrow('async');
    // All of them gave the lock back.
    await expect(locksOf(a).request('r', () => 'free')).resolves.toBe('free');
  });

  test('the callback is never called within request', async () => {
    let isCalled = false;
    const request = locksOf(a).request('r', () => { isCalled = true; });
    expect(isCalled).toBe(false);
    await request;
    expect(isCalled).toBe(true);
  });

  test('exclusive requests are granted one after the other, in the order in which they were made', async () => {
    const order: string[] = [];
    let inside = 0;
    const enter = (label: string) => async (lock: Lock): Promise<number> => {
      expect(++inside).toBe(1);
      order.push(label);
      await cluster.settle();
      inside--;
      return lock.token;
    };
    const first = locksOf(a).request('r', enter('first'));
    await cluster.settle();
    const second = locksOf(b).request('r', enter('second'));
    await cluster.settle();
    const third = locksOf(c).request('r', enter('third'));
    await cluster.advance(30_000);
    const tokens = await Promise.all([first, second, third]);
    expect(order).toEqual(['first', 'second', 'third']);
    expect(tokens).toEqual([...tokens].sort((x, y) => x - y));
    expect(new Set(tokens).size).toBe(3);
  });

  test('shared requests are inside together; an exclusive one waits for all, and later shared ones wait for it', async () => {
    const order: string[] = [];
    const readers = gate();
    const writer = gate();
    const mode = 'shared' as const;
    const done = [
      locksOf(a).request('r', { mode }, () => { order.push('reader 1'); return readers.opened; }),
      locksOf(b).request('r', { mode }, () => { order.push('reader 2'); return readers.opened; }),
    ];
    await cluster.settle();
    expect(order.sort()).toEqual(['reader 1', 'reader 2']);
    done.push(locksOf(c).request('r', () => { order.push('writer'); return writer.opened; }));
    await cluster.settle();
    done.push(locksOf(a).request('r', { mode }, () => { order.push('reader 3'); }));
    await cluster.settle();
    expect(order).toEqual(['reader 1', 'reader 2']);
    readers.open();
    await cluster.advance(30_000);
    expect(order).toEqual(['reader 1', 'reader 2', 'writer']);
    writer.open();
    await cluster.advance(30_000);
    await Promise.all(done);
    expect(order).toEqual(['reader 1', 'reader 2', 'writer', 'reader 3']);
  });

  test('ifAvailable: the lock if it is free, else the callback runs with null', async () => {
    await expect(locksOf(b).request('r', { ifAvailable: true }, (lock) => lock?.name)).resolves.toBe('r');
    const held = gate();
    const holder = locksOf(a).request('r', () => held.opened);
    await cluster.settle();
    const attempt = locksOf(b).request('r', { ifAvailable: true }, (lock) => lock);
    await cluster.advance(1_000);
    await expect(attempt).resolves.toBeNull();
    held.open();
    await holder;
    // Nothing of the attempt is left in the way.
    await expect(locksOf(c).request('r', () => 'free')).resolves.toBe('free');
  });

  test('ifAvailable in shared mode goes along with readers', async () => {
    const held = gate();
    const holder = locksOf(a).request('r', { mode: 'shared' }, () => held.opened);
    await cluster.settle();
    await expect(locksOf(b).request('r', { mode: 'shared', ifAvailable: true }, (lock) => lock?.mode)).resolves.toBe('shared');
    held.open();
    await holder;
  });

  test('a signal aborted before the grant rejects with its reason; afterwards it has no effect', async () => {
    const held = gate();
    const holder = locksOf(a).request('r', () => held.opened);
    await cluster.settle();
    const controller = new AbortController();
    const waiting = locksOf(b).request('r', { signal: controller.signal }, () => 'never');
    await cluster.settle();
    controller.abort(new RangeError('changed my mind'));
    await expect(waiting).rejects.toThrow('changed my mind');
    await expect(domExceptionOf(locksOf(b).request('r', { signal: AbortSignal.abort() }, () => 'never'))).resolves.toBe('AbortError');
    held.open();
    await holder;
    const late = new AbortController();
    await expect(locksOf(c).request('r', { signal: late.signal }, async () => {
      late.abort();
      await cluster.settle();
      return 'finished';
    })).resolves.toBe('finished');
  });

  test('steal: the holder rejects with AbortError and its signal aborts; the stealer comes next, before those who waited', async () => {
    const order: string[] = [];
    const never = gate();
    let stolen: Lock | undefined;
    const holder = domExceptionOf(locksOf(a).request('r', (lock) => { stolen = lock; return never.opened; }));
    await cluster.settle();
    const waiting = locksOf(b).request('r', () => { order.push('waiting'); });
    await cluster.settle();
    const token = locksOf(c).request('r', { steal: true }, (lock) => { order.push('stealer'); return lock.token; });
    await cluster.advance(30_000);
    await expect(holder).resolves.toBe('AbortError');
    expect(stolen?.signal.reason).toMatchObject({ code: 'stolen' });
    expect(stolen?.validForMs()).toBe(0);
    await expect(token).resolves.toBeGreaterThan(stolen?.token ?? NaN);
    await waiting;
    expect(order).toEqual(['stealer', 'waiting']);
  });

  test('steal takes from all shared holders', async () => {
    const never = gate();
    const readers = [a, b].map((id) => domExceptionOf(locksOf(id).request('r', { mode: 'shared' }, () => never.opened)));
    await cluster.settle();
    const thief = locksOf(c).request('r', { steal: true }, () => 'mine');
    await cluster.advance(30_000);
    await expect(thief).resolves.toBe('mine');
    await expect(Promise.all(readers)).resolves.toEqual(['AbortError', 'AbortError']);
  });

  test('query shows what is held and what waits, as soon as it is asked for', async () => {
    const held = gate();
    const holder = locksOf(a).request('held', { mode: 'shared' }, () => held.opened);
    expect((await locksOf(a).query()).pending.concat((await locksOf(a).query()).held)).toContainEqual(expect.objectContaining({ name: 'held', mode: 'shared', clientId: a }));
    await cluster.settle();
    expect((await locksOf(a).query()).held).toMatchObject([{ name: 'held', mode: 'shared', clientId: a }]);
    const waiting = locksOf(b).request('held', () => 'in');
    expect((await locksOf(b).query()).pending).toMatchObject([{ name: 'held', mode: 'exclusive', clientId: b }]);
    const everywhere = await locksOf(c).query({ scope: 'cluster' });
    expect(everywhere.held).toMatchObject([{ name: 'held', mode: 'shared', clientId: a }]);
    expect(everywhere.pending).toMatchObject([{ name: 'held', mode: 'exclusive', clientId: b }]);
    expect(everywhere.unanswered).toEqual([]);
    held.open();
    await holder;
    await waiting;
    await cluster.settle();
    await expect(locksOf(a).query()).resolves.toEqual({ held: [], pending: [] });
  });
});

test('query of the cluster says which nodes did not answer', async () => {
  cluster.isolate('n3');
  await expect(locksOf('n1').query({ scope: 'cluster' })).resolves.toMatchObject({ unanswered: ['n3'] });
});

test('what the specification refuses is a rejection, never an exception', async () => {
  const { signal } = new AbortController();
  const locks = locksOf('n1');
  const inside = (): string => 'never';
  await expect(domExceptionOf(locks.request('-reserved', inside))).resolves.toBe('NotSupportedError');
  await expect(domExceptionOf(locks.request('r', { steal: true, ifAvailable: true }, inside))).resolves.toBe('NotSupportedError');
  await expect(domExceptionOf(locks.request('r', { steal: true, mode: 'shared' }, inside))).resolves.toBe('NotSupportedError');
  await expect(domExceptionOf(locks.request('r', { steal: true, signal }, inside))).resolves.toBe('NotSupportedError');
  await expect(domExceptionOf(locks.request('r', { ifAvailable: true, signal }, inside))).resolves.toBe('NotSupportedError');
  await expect(locks.request('r', undefined as unknown as () => void)).rejects.toThrow(TypeError);
  await expect(locks.request('r', { mode: 'bad' as 'shared' }, inside)).rejects.toThrow(TypeError);
  await expect(locks.request('r', { waitMs: -1 }, inside)).rejects.toMatchObject({ code: 'config' });
  await expect(locks.query()).resolves.toEqual({ held: [], pending: [] });
});

test.each([['the empty name', ''], ['a lone surrogate', '\ud800'], ['another one', '\udc00x'], ['nulls', '\0\0'], ['emoji', '🔒'], ['long', 'x'.repeat(4096)]])(
  'a lock name may be any string: %s', async (_what, name) => {
    const held = gate();
    const holder = locksOf('n1').request(name, (lock) => { expect(lock.name).toBe(name); return held.opened; });
    await cluster.settle();
    const attempt = locksOf('n2').request(name, { ifAvailable: true }, (lock) => lock);
    await cluster.advance(1_000);
    await expect(attempt).resolves.toBeNull();
    held.open();
    await holder;
  },
);

test('a name beyond 4096 bytes is refused with the length that is allowed', async () => {
  await expect(locksOf('n1').request('x'.repeat(4097), () => 0)).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('4096') as string });
});

describe('beyond the specification', () => {
  test('await using releases at the end of the block', async () => {
    {
      await using lock = await locksOf('n1').acquire('r');
      expect(lock.validForMs()).toBeGreaterThan(0);
      await expect(locksOf('n1').tryAcquire('r')).resolves.toBeNull();
    }
    await using again = await locksOf('n2').acquire('r');
    expect(again.name).toBe('r');
  });

  test('waitMs ends with a time-out that names the lock, the node and who holds it', async () => {
    await locksOf('n1').acquire('r');
    const waiting = locksOf('n2').acquire('r', { waitMs: 700 });
    const outcome = expect(waiting).rejects.toThrow(new LockError('timeout', 'node n2 did not get the lock "r" within 700 ms; last known to be held or asked for first by n1'));
    await cluster.advance(700);
    await outcome;
  });

  test('without a quorum the error names the nodes that are down', async () => {
    cluster.isolate('n1');
    const waiting = locksOf('n1').acquire('r', { waitMs: 100 });
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'no-quorum', message: expect.stringMatching(/Down: n2 .*n3 /) as string });
    await cluster.advance(100);
    await outcome;
  });

  test('a holder that is cut off hears of its loss no later than its lease ends, and its successor has a larger token', async () => {
    const lock = await locksOf('n1').acquire('r');
    cluster.isolate('n1');
    const next = locksOf('n2').acquire('r');
    await cluster.advance(5_000);
    expect(lock.signal.reason).toMatchObject({ code: 'lost', definite: false });
    expect((await next).token).toBeGreaterThan(lock.token);
  });

  test('request rejects at once when the lock is lost, though the callback goes on', async () => {
    const never = gate();
    const request = locksOf('n1').request('r', () => never.opened);
    const outcome = expect(request).rejects.toMatchObject({ code: 'lost' });
    await cluster.settle();
    cluster.isolate('n1');
    await cluster.advance(5_000);
    await outcome;
  });

  test('steal from a holder that cannot be reached waits for the end of its lease', async () => {
    const lock = await locksOf('n1').acquire('r');
    cluster.isolate('n1');
    let isIn = false;
    const thief = locksOf('n2').acquire('r', { steal: true }).then((stolen) => {
      isIn = true;
      return stolen;
    });
    await cluster.advance(3_000);
    expect([isIn, lock.signal.aborted]).toEqual([false, false]);
    await cluster.advance(3_000);
    expect(lock.signal.aborted).toBe(true);
    expect((await thief).token).toBeGreaterThan(lock.token);
  });

  test('acquireAll takes all or none, each name once, and cannot deadlock', async () => {
    const both = (id: string, names: string[]): Promise<void> =>
      locksOf(id).acquireAll(names).then(async (held) => {
        expect(held.locks.map((lock) => lock.name)).toEqual(['a', 'b']);
        await cluster.settle();
        held.release();
      });
    const rounds = Array.from({ length: 5 }, () => [both('n1', ['a', 'b', 'a']), both('n2', ['b', 'a'])]).flat();
    await cluster.advance(60_000);
    await Promise.all(rounds);

    await locksOf('n3').acquire('b');
    const failing = expect(locksOf('n1').acquireAll(['a', 'b'], { waitMs: 100 })).rejects.toMatchObject({ code: 'timeout' });
    await cluster.advance(100);
    await failing;
    await using a = await locksOf('n2').acquire('a');
    expect(a.validForMs()).toBeGreaterThan(0);
  });

  test('a semaphore lets in as many as it has permits, on whichever nodes', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'performance', 'Date'] });
    try {
      let inside = 0;
      let most = 0;
      const done: Promise<void>[] = [];
      for (const id of ['n1', 'n2', 'n3', 'n1', 'n2', 'n3']) {
        done.push(locksOf(id).semaphore('pool', 2).request(async (permit) => {
          expect(permit.token).toBeGreaterThan(0);
          most = Math.max(most, ++inside);
          await cluster.settle();
          inside--;
        }));
      }
      for (let i = 0; i < 20; i++) {
        jest.advanceTimersByTime(20);
        await cluster.advance(2_000);
      }
      await Promise.all(done);
      expect(most).toBe(2);
    } finally {
      jest.useRealTimers();
    }
  });

  test('a semaphore with an impossible number of permits is refused', () => {
    expect(() => locksOf('n1').semaphore('pool', 0)).toThrow(/from 1 to 64 permits, not 0/);
  });
});
