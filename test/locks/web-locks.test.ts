/** What the locks of a cluster do beyond those of a page: `page/` has what both do. */
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

  test('tokens rise from holder to holder', async () => {
    const token = (id: string): Promise<number> => locksOf(id).request('r', async (lock) => {
      await cluster.settle();
      return lock.token;
    });
    const waiting = [token(a), token(b), token(c), token(a)];
    await cluster.advance(30_000);
    const tokens = await Promise.all(waiting);
    expect(new Set(tokens).size).toBe(4);
    expect(tokens.every(Number.isSafeInteger)).toBe(true);
    // Whoever asked at the same time on another node may come before.
    expect((await Promise.all([locksOf(b).request('r', (lock) => lock.token), cluster.advance(30_000)]))[0]).toBeGreaterThan(Math.max(...tokens));
  });

  test('whoever is robbed is told by the signal of its lock, with a LockError, and the thief has a larger token', async () => {
    const never = gate();
    let stolen: Lock | undefined;
    const holder = domExceptionOf(locksOf(a).request('r', (lock) => { stolen = lock; return never.opened; }));
    await cluster.settle();
    const token = locksOf(c).request('r', { steal: true }, (lock) => lock.token);
    await cluster.advance(30_000);
    await expect(holder).resolves.toBe('AbortError');
    expect(stolen?.signal.reason).toMatchObject({ code: 'stolen', definite: false, message: expect.stringContaining(`was stolen ${c === a ? 'by' : 'through node'} ${c}. Stop`) as string });
    expect(stolen?.validForMs()).toBe(0);
    await expect(token).resolves.toBeGreaterThan(stolen?.token ?? NaN);
  });

  test('query shows what is held and what waits on all nodes, and by whom', async () => {
    const held = gate();
    const holder = locksOf(a).request('held', { mode: 'shared', label: 'a reader' }, () => held.opened);
    await cluster.settle();
    const waiting = locksOf(b).request('held', () => 'in');
    const everywhere = await locksOf(c).query();
    expect(everywhere.held).toMatchObject([{ name: 'held', mode: 'shared', clientId: a, label: 'a reader', forMs: 0, token: expect.any(Number) as number }]);
    expect(everywhere.pending).toEqual([{ name: 'held', mode: 'exclusive', clientId: b, forMs: 0 }]);
    expect(everywhere.unanswered).toEqual([]);
    held.open();
    await holder;
    await waiting;
    await expect(locksOf(c).query()).resolves.toEqual({ held: [], pending: [], unanswered: [] });
  });
});

describe('names are granted in the order of their votes', () => {
  /** Asks for both names in one callback, as a page may, and returns the order in which they are granted. */
  async function orderOn(id: string): Promise<string[]> {
    const granted: string[] = [];
    let inner: Promise<unknown> = Promise.resolve();
    const outer = locksOf(id).request('held', () => {
      inner = Promise.all(['held', 'other'].map((name) => locksOf(id).request(name, () => { granted.push(name); })));
    });
    await cluster.settle();
    await outer;
    await inner;
    return granted;
  }

  test('on three nodes a name whose votes must be fetched comes after one that is handed on, later than in a browser', async () => {
    await expect(orderOn('n1')).resolves.toEqual(['held', 'other']);
  });

  test('on three nodes a name whose votes the node keeps comes first, as in a browser', async () => {
    await locksOf('n1').request('other', () => undefined);
    await expect(orderOn('n1')).resolves.toEqual(['other', 'held']);
  });

  test('on three nodes a later request whose votes the node keeps overtakes an earlier one, unlike in a browser', async () => {
    await locksOf('n1').request('kept', () => undefined);
    const granted: string[] = [];
    const requests = ['new', 'kept'].map((name) => locksOf('n1').request(name, () => { granted.push(name); }));
    await Promise.all(requests);
    expect(granted).toEqual(['kept', 'new']);
  });

  test('on one node they are granted as in a browser', async () => {
    await cluster.stop();
    cluster = await testCluster({ nodes: 1, leaseMs: 5_000 });
    await expect(orderOn('n1')).resolves.toEqual(['other', 'held']);
    const granted: string[] = [];
    await Promise.all(['new', 'kept'].map((name) => locksOf('n1').request(name, () => { granted.push(name); })));
    expect(granted).toEqual(['new', 'kept']);
  });
});

test('query says which nodes did not answer', async () => {
  cluster.isolate('n3');
  await expect(locksOf('n1').query()).resolves.toMatchObject({ unanswered: ['n3'] });
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
    const { token } = await locksOf('n1').acquire('r', { label: 'a test' });
    const waiting = locksOf('n2').acquire('r', { waitMs: 700 });
    const outcome = expect(waiting).rejects.toThrow(new LockError('timeout', `node n2 did not get the lock "r" within 700 ms; n1 (a test) holds it with token ${token}`));
    await cluster.advance(700);
    await outcome;
  });

  test('without a quorum the error names the nodes that are down', async () => {
    cluster.isolate('n1');
    const waiting = locksOf('n1').acquire('r', { waitMs: 100 });
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'no-quorum', message: expect.stringMatching(/Missing: n2 .*n3 /) as string });
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
});
