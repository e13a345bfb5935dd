/** The node as a whole: determinism, forgetting, sleep, the end of a life, misuse by its driver. */
import { createNode, lockNames, step } from '../../src/core';
import type { CoreSettings, Effect, Event, LockNode } from '../../src/core';
import { LOCKS_KEPT_MAX } from '../../src/core/requesters';
import {
  ALONE, BORN_AT, CEILING_BLOCK, DRIFT_MAX, FIVE_NODES, LEASE_MS, N1_ASKS, RETRY_MS, SLACK, TestNode, VALID_FOR_MS,
  asking, expectBroken, grant, holding, inquire, request, retaining, yieldOf,
} from './harness';

const SETTINGS: CoreSettings = {
  self: 'n1', coterie: FIVE_NODES, leaseMs: LEASE_MS, retryMs: RETRY_MS, driftMax: DRIFT_MAX, slack: SLACK, ceilingBlock: CEILING_BLOCK, retain: true,
};
const FIRST_BIRTH = { ceilingOnDisk: 0, wallClockUs: 0, firstStart: true };

describe('determinism (protocol.md section 1)', () => {
  /** A busy day: every kind of event, many locks, contention, expiry. */
  function busyDay(): Event[] {
    const events: Event[] = [{ kind: 'start', nowMs: 0 }, { kind: 'ceilingReserved', nowMs: 0, ceiling: 1e6 }];
    for (const peer of ['n2', 'n3', 'n4', 'n5']) events.push({ kind: 'peerUp', nowMs: 0, peer, clock: 120 });
    for (let i = 0; i < 400; i++) {
      const nowMs = 10 * i;
      const lock = `lock ${i % 7}`;
      const mode = i % 3 === 0 ? 'shared' : 'exclusive';
      const peer = `n${2 + (i % 4)}`;
      events.push({ kind: 'acquire', nowMs, lock, mode, caller: i });
      events.push({ kind: 'message', nowMs, from: peer, message: request(200 + i, { lock, mode, keep: i % 2 === 0, sentAtMs: i }) });
      events.push({ kind: 'message', nowMs, from: peer, message: grant(110 + i, 300 + 2 * i, { lock, sentAtMs: nowMs - 5 }) });
      events.push({ kind: 'message', nowMs, from: peer, message: inquire(110 + i, 301 + 2 * i, { timestamp: 50 + i, node: peer }, { lock }) });
      events.push({ kind: 'message', nowMs, from: peer, message: yieldOf(150 + i, 200 + i, { lock }) });
      if (i % 5 === 0) events.push({ kind: i % 2 === 0 ? 'peerDown' : 'peerUp', nowMs, peer, clock: 130 + i });
      if (i % 2 === 0) events.push({ kind: 'release', nowMs, lock, caller: i - 6 });
      if (i % 50 === 0) events.push({ kind: 'slept', nowMs, byMs: 70 });
      events.push({ kind: 'wake', nowMs });
    }
    events.push({ kind: 'stop', nowMs: 4000 });
    return events;
  }

  test('node: the same events give the same effects in the same order (protocol.md section 1)', () => {
    const live = (): (readonly Effect[])[] => {
      const node = createNode(SETTINGS, FIRST_BIRTH);
      return busyDay().map((event) => step(node, event));
    };
    const [once, again] = [live(), live()];
    expect(again).toEqual(once);
    expect(JSON.stringify(again)).toBe(JSON.stringify(once));
    expect(once.flat().length).toBeGreaterThan(500);
  });

  test('node: an event is not changed by being handled (protocol.md section 1)', () => {
    const node = createNode(SETTINGS, FIRST_BIRTH);
    for (const event of busyDay()) {
      if (event.kind === 'message') Object.freeze(event.message);
      expect(() => step(node, Object.freeze(event))).not.toThrow();
    }
  });
});

describe('forgetting (no-residue)', () => {
  const LOCKS = 100_000;

  /** How many entries all maps, sets and arrays of a node have, wherever they are. */
  function entriesIn(node: LockNode): number {
    const seen = new Set<object>();
    const count = (value: unknown): number => {
      if (typeof value !== 'object' || value === null || seen.has(value)) return 0;
      seen.add(value);
      if (value instanceof Map) return value.size + [...value.values()].reduce((sum: number, each) => sum + count(each), 0);
      if (value instanceof Set) return value.size;
      const own = Array.isArray(value) ? value.length : 0;
      return own + Object.values(value).reduce((sum: number, each) => sum + count(each), 0);
    };
    return count(node);
  }

  test('node: 100,000 lock names used in turn leave nothing behind, at the requester or at the arbiter', () => {
    const n1 = new TestNode({ coterie: ALONE, retain: false, ceilingBlock: 2 ** 20 });
    const before = entriesIn(n1.core);
    for (let i = 0; i < LOCKS; i++) {
      const lock = `lock ${i}`;
      if (n1.acquire(i, 'exclusive', lock).callersIn.length !== 1) throw new Error(`${lock} was not granted`);
      n1.release(i, lock);
    }
    expect(lockNames(n1.core)).toEqual([]);
    expect(entriesIn(n1.core)).toBe(before);
  });

  test('node: of 100,000 lock names some are kept by retained grants, and forgotten when these run out', () => {
    const n1 = new TestNode({ coterie: ALONE, ceilingBlock: 2 ** 20 });
    const before = entriesIn(n1.core);
    for (let i = 0; i < LOCKS; i++) {
      n1.acquire(i, 'exclusive', `lock ${i}`);
      n1.release(i, `lock ${i}`);
    }
    expect(lockNames(n1.core)).toHaveLength(LOCKS_KEPT_MAX);
    n1.advance(LEASE_MS);
    expect(lockNames(n1.core)).toEqual([]);
    expect(entriesIn(n1.core)).toBe(before);
  });

  test('node: 100,000 lock names lent to nodes that died are forgotten when the leases run out', () => {
    const n1 = new TestNode({ ceilingBlock: 2 ** 20 });
    const before = entriesIn(n1.core);
    for (let i = 0; i < LOCKS; i++) n1.receives('n2', request(200 + i, { lock: `lock ${i}` }));
    expect(lockNames(n1.core)).toHaveLength(LOCKS);
    n1.advance(LEASE_MS);
    expect(lockNames(n1.core)).toEqual([]);
    expect(entriesIn(n1.core)).toBe(before);
  });

  test('node: messages about locks that nobody uses leave nothing behind', () => {
    const n1 = new TestNode({ ceilingBlock: 2 ** 20 });
    const before = entriesIn(n1.core);
    for (let i = 0; i < 1000; i++) {
      const lock = `lock ${i}`;
      n1.receives('n2', grant(BORN_AT + i, 500, { lock }));
      n1.receives('n2', inquire(BORN_AT + i, 500, { timestamp: 1, node: 'n3' }, { lock }));
      n1.receives('n2', yieldOf(200, 500, { lock }));
      n1.receives('n2', { kind: 'release', lock, clock: 1, timestamp: 200 });
      n1.release(i, lock);
    }
    expect(lockNames(n1.core)).toEqual([]);
    expect(entriesIn(n1.core)).toBe(before);
  });
});

describe('wake (protocol.md section 6)', () => {
  test('wake: the node asks to be woken when the next repeat is due, and again after that', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    n1.pass(40);
    expect(n1.acquire(1).of('wake')).toEqual([{ kind: 'wake', atMs: 40 + RETRY_MS }]);
    expect(n1.advance(RETRY_MS).of('wake')).toEqual([{ kind: 'wake', atMs: 40 + 2 * RETRY_MS }]);
  });

  test('wake: an earlier wish replaces a later one, a later one is not told', () => {
    const n1 = new TestNode();
    expect(n1.receives('n2', request(200)).of('wake')).toEqual([{ kind: 'wake', atMs: LEASE_MS }]);
    n1.pass(5);
    expect(n1.receives('n2', request(210, { lock: 'b' })).of('wake')).toEqual([]);
    expect(n1.acquire(1, 'exclusive', 'c').of('wake')).toEqual([{ kind: 'wake', atMs: 5 + RETRY_MS }]);
  });

  test('wake: early and superfluous ones do no harm, and the wish stands', () => {
    const { n1 } = asking();
    n1.pass(RETRY_MS / 2);
    expect(n1.event({ kind: 'wake' }).effects).toEqual([]);
    expect(n1.advance(RETRY_MS / 2).sentOf('request')).toHaveLength(2);
    expect(new TestNode().event({ kind: 'wake' }).effects).toEqual([]);
  });
});

describe('slept (protocol.md section 4)', () => {
  test('slept: a holder whose grants ran out in the sleep has lost the lock (protocol.md sections 4 and 6)', () => {
    const { n1 } = holding();
    const outcome = n1.event({ kind: 'slept', byMs: VALID_FOR_MS });
    expect(outcome.callersOut).toEqual([1]);
    expect(outcome.sentOf('release')).toHaveLength(2);
  });

  test('slept: a holder is told that it holds for less (protocol.md section 4)', () => {
    const { n1 } = holding();
    expect(n1.event({ kind: 'slept', byMs: 500 }).of('renewed')).toEqual([
      { kind: 'renewed', lock: 'a', callers: [1], validUntilMs: VALID_FOR_MS - 500 },
    ]);
    expect(n1.advance(VALID_FOR_MS - 501).callersOut).toEqual([]);
    expect(n1.advance(1).callersOut).toEqual([1]);
  });

  test('slept: an answer to a Request sent before the sleep counts from then (protocol.md section 4, lease-inside)', () => {
    const { n1, timestamp } = asking();
    n1.event({ kind: 'slept', byMs: VALID_FOR_MS });
    expect(n1.receives('n2', grant(timestamp, 500, { sentAtMs: 0 })).reasons).toEqual(['lease ran out on the way']);
    const again = n1.event({ kind: 'wake' }).sentOf('request');
    expect(again).toMatchObject([{ sentAtMs: VALID_FOR_MS }, { sentAtMs: VALID_FOR_MS }]);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: VALID_FOR_MS }));
    expect(n1.receives('n3', grant(timestamp, 510, { sentAtMs: VALID_FOR_MS })).of('entered')).toMatchObject([{ validUntilMs: VALID_FOR_MS }]);
  });

  test('slept: retained grants that ran out are over (protocol.md section 9)', () => {
    const { n1 } = retaining();
    expect(n1.event({ kind: 'slept', byMs: VALID_FOR_MS }).sentOf('release')).toHaveLength(2);
    expect(n1.lockNames).toEqual([]);
  });

  test('slept: an arbiter does not count it: a vote lent is lent for a lease of running time (protocol.md section 4)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.event({ kind: 'slept', byMs: 10 * LEASE_MS });
    expect(n1.receives('n3', request(210)).sentOf('grant')).toEqual([]);
    expect(n1.view()?.grants).toMatchObject([{ request: { node: 'n2' }, expiresAtMs: LEASE_MS }]);
  });
});

describe('stop (protocol.md section 16)', () => {
  test('stop: every request is over, and every arbiter asked is told so (protocol.md section 16)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    n1.acquire(1, 'exclusive', 'a');
    n1.acquire(2, 'exclusive', 'b');
    n1.acquire(3, 'exclusive', 'b');
    const outcome = n1.event({ kind: 'stop' });
    expect(outcome.sent().map(({ to, kind, lock }) => `${kind} of ${lock} to ${to}`)).toEqual([
      'release of a to n2', 'release of a to n3', 'release of b to n2', 'release of b to n3',
    ]);
    expect(n1.lockNames).toEqual([]);
  });

  test('stop: held and retained locks are given back too (protocol.md sections 9 and 16)', () => {
    expect(holding().n1.event({ kind: 'stop' }).sentOf('release')).toHaveLength(2);
    expect(retaining().n1.event({ kind: 'stop' }).sentOf('release')).toHaveLength(2);
  });

  test('stop: of a lock that someone outside still uses nobody is told: only the end of its lease frees it (protocol.md section 16)', () => {
    const { n1 } = holding();
    n1.acquire(2, 'exclusive', 'b');
    const outcome = n1.event({ kind: 'stop', inUse: ['a'] });
    expect(outcome.sent()).toMatchObject([{ lock: 'b' }, { lock: 'b' }]);
    expect(n1.lockNames).toEqual([]);
  });
});

describe('misuse by the driver', () => {
  test('started-once: the first event of a life is start, and no other', () => {
    const node = createNode(SETTINGS, FIRST_BIRTH);
    expectBroken('started-once', () => step(node, { kind: 'wake', nowMs: 0 }));
    step(node, { kind: 'start', nowMs: 0 });
    expectBroken('started-once', () => step(node, { kind: 'start', nowMs: 0 }));
  });

  test('time-forward: time never goes back', () => {
    const n1 = new TestNode();
    n1.advance(10);
    n1.event({ kind: 'wake' });
    expectBroken('time-forward', () => step(n1.core, { kind: 'wake', nowMs: 9 }));
  });

  test('self-delivery: a message comes from a peer of the configuration, never from the node itself', () => {
    const n1 = new TestNode();
    expectBroken('self-delivery', () => n1.receives('n1', request(200)));
    expectBroken('self-delivery', () => n1.receives('n9', request(200)));
  });

  test('self-delivery: no effect sends to the node itself (protocol.md section 10)', () => {
    const n1 = new TestNode();
    const outcomes = [n1.acquire(1), n1.receives('n2', request(1)), n1.advance(RETRY_MS), n1.release(1)];
    for (const outcome of outcomes) expect(outcome.sent().map(({ to }) => to)).not.toContain('n1');
  });
});
