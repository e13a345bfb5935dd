/** One clock, one durable number (protocol.md section 3). */
import { createNode, durableClock, inspectNode, silentForMs, step } from '../../src/core';
import type { CoreSettings } from '../../src/core';
import {
  ALONE, BORN_AT, CEILING_BLOCK, DRIFT_MAX, FIVE_NODES, LEASE_MS, N1_ASKS, Outcome, RETRY_MS, SLACK, TestNode, WALL_CLOCK_US, expectBroken, grant, only, release, request, retaining,
} from './harness';

const SETTINGS: CoreSettings = {
  self: 'n1', coterie: FIVE_NODES, leaseMs: LEASE_MS, retryMs: RETRY_MS, driftMax: DRIFT_MAX, slack: SLACK, ceilingBlock: CEILING_BLOCK, retain: true,
};

describe('Lamport clock (protocol.md section 3)', () => {
  test('clock: receipt makes it max(clock, received) + 1 (protocol.md section 3)', () => {
    const n1 = new TestNode();
    const { clock } = n1;
    n1.receives('n2', release(1, { clock: 1 }));
    expect(n1.clock).toBe(clock + 1);
    n1.receives('n2', release(1, { clock: 400 }));
    expect(n1.clock).toBe(401);
  });

  test('clock: every message carries it (protocol.md section 3)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    n1.receives('n2', release(1, { clock: 400 }));
    const requests = n1.acquire(1).sent();
    expect(requests.map(({ clock }) => clock)).toEqual([402, 402]);
    expect(n1.receives('n2', grant(402, 390)).sent()).toEqual([]);
    expect(n1.release(1).sent().map(({ clock }) => clock)).toEqual([403, 403]);
  });

  test('clock: starts above the ceiling on disk and the wall clock (protocol.md section 3)', () => {
    const clockAtBirth = (ceilingOnDisk: number, wallClockUs: number): number =>
      inspectNode(createNode(SETTINGS, { ceilingOnDisk, wallClockUs, firstStart: true })).clock;
    expect(clockAtBirth(0, 0)).toBe(1);
    // The file covers a wall clock that was set back.
    expect(clockAtBirth(5000, 20)).toBe(5001);
    expect(clockAtBirth(5000, 7000)).toBe(7001);
  });

  test('clock: jumps by SLACK when the silence ends, not at birth: who restarts again and again gains nothing by it (clock-bounded)', () => {
    const n1 = new TestNode({ firstStart: false, ceilingOnDisk: 5000, peersAreDown: true });
    expect(n1.clock).toBe(5001);
    n1.pass(LEASE_MS - 1);
    n1.event({ kind: 'wake' });
    expect(n1.clock).toBe(5001);
    n1.pass(1);
    // Before whatever comes first is handled.
    n1.receives('n2', request(300));
    expect(n1.clock).toBeGreaterThan(5001 + SLACK);
    expect(only(n1.receives('n3', request(300, { lock: 'b' })).sentOf('grant')).grant).toBeGreaterThan(5001 + SLACK);
  });

  test('clock: a larger SLACK of before counts, and a longer lease (protocol.md section 16)', () => {
    const n1 = new TestNode({ firstStart: false, ceilingOnDisk: 5000, slackBefore: 9000, silentMs: 4 * LEASE_MS });
    n1.advance(4 * LEASE_MS - 1);
    expect(n1.receives('n2', request(300)).sentOf('grant')).toEqual([]);
    n1.advance(1);
    expect(n1.clock).toBeGreaterThan(5000 + 9000);
  });

  test('clock: entries without a message use up fewer values than there are microseconds (clock-bounded)', () => {
    const { n1 } = retaining({ slack: 10_000_000 });
    let entries = 0;
    const reenter = (times: number): void => {
      for (let i = 0; i < times; i++) {
        const outcome = n1.acquire(entries + 2);
        if (outcome.callersIn.length === 0) return;
        entries++;
        n1.release(entries + 1);
      }
    };
    reenter(2_000_000);
    // What a second saves is used up, and then as fast as time passes.
    expect(entries).toBeLessThan(1_000_000);
    expect(entries).toBeGreaterThan(800_000);
  });

  test('clock: a value that is no safe integer is a bug (protocol.md section 3)', () => {
    const n1 = new TestNode();
    const last = release(1, { clock: Number.MAX_SAFE_INTEGER });
    expectBroken('clock-rises', () => n1.receives('n2', last));
  });
});

describe('ceiling (protocol.md section 3)', () => {
  test('ceiling: is reserved in blocks, at the start and whenever half a block is used up (protocol.md section 3)', () => {
    const node = createNode(SETTINGS, { ceilingOnDisk: 0, wallClockUs: WALL_CLOCK_US, firstStart: true });
    const reservations = (outcome: Outcome): number[] => outcome.of('reserveCeiling').map(({ ceiling }) => ceiling);
    const hear = (clock: number): number[] =>
      reservations(new Outcome(step(node, { kind: 'message', nowMs: 0, from: 'n2', message: release(1, { clock }) })));
    // The first is small, and each is twice the one before: who dies at once has used up little.
    let block = Math.ceil(CEILING_BLOCK / 64);
    let ceiling = BORN_AT + block;
    expect(reservations(new Outcome(step(node, { kind: 'start', nowMs: 0 })))).toEqual([ceiling]);
    for (let size = 2 * block; ; size = Math.min(2 * size, CEILING_BLOCK)) {
      step(node, { kind: 'ceilingReserved', nowMs: 0, ceiling });
      const half = ceiling - Math.floor(block / 2) - 1;
      expect(hear(half - 1)).toEqual([]);
      const [next = 0] = hear(half + 1);
      expect(next - (half + 2)).toBe(size);
      // The one that is being written will do.
      expect(hear(half + 2)).toEqual([]);
      [ceiling, block] = [next, size];
      if (size === CEILING_BLOCK) break;
    }
  });

  test('ceiling: nothing is sent with a clock above the one on disk; it goes out in order once it is written (protocol.md section 3)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS, diskIsStuck: true });
    expect(n1.acquire(1).sent()).toEqual([]);
    expect(n1.acquire(2, 'shared', 'b').sent()).toEqual([]);
    const written = n1.event({ kind: 'ceilingReserved', ceiling: BORN_AT + CEILING_BLOCK });
    expect(written.sent().map(({ to, lock }) => `${lock} to ${to}`)).toEqual(['a to n2', 'a to n3', 'b to n2', 'b to n3']);
    for (const { clock } of written.sent()) expect(clock).toBeLessThanOrEqual(BORN_AT + CEILING_BLOCK);
  });

  test('ceiling: one that is too low lets out only what is below it, and nothing overtakes (protocol.md section 3)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS, diskIsStuck: true });
    const low = n1.clock + 1;
    n1.acquire(1);
    n1.receives('n2', release(1, { clock: 500 }));
    n1.release(1);
    expect(n1.event({ kind: 'ceilingReserved', ceiling: low }).sent().map(({ kind }) => kind)).toEqual(['request', 'request']);
    n1.acquire(2, 'exclusive', 'b');
    expect(n1.event({ kind: 'ceilingReserved', ceiling: 1000 }).sent().map(({ kind }) => kind)).toEqual(['release', 'release', 'request', 'request']);
  });

  test('ceiling: an older one that was written late changes nothing (protocol.md section 3)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    n1.event({ kind: 'ceilingReserved', ceiling: 1 });
    expect(n1.acquire(1).sent()).toHaveLength(2);
  });

  test('ceiling: a node holds its own vote back too: in a crash it would forget the token that it allowed (protocol.md sections 3 and 7)', () => {
    const n1 = new TestNode({ coterie: ALONE, diskIsStuck: true, wallClockUs: 7000 });
    expect(n1.acquire(1).callersIn).toEqual([]);
    const ceiling = 7000 + BORN_AT + CEILING_BLOCK;
    const { token } = only(n1.event({ kind: 'ceilingReserved', ceiling }).of('entered'));
    // A crash now, with the wall clock set back: the next life's tokens are larger all the same.
    const nextLife = new TestNode({ coterie: ALONE, ceilingOnDisk: ceiling });
    expect(only(nextLife.acquire(1).of('entered')).token).toBeGreaterThan(token);
  });

  test('ceiling: what is held back is bounded, and what is lost is repeated (protocol.md section 3)', () => {
    const n1 = new TestNode({ diskIsStuck: true });
    for (let i = 0; i < 20_000; i++) n1.receives('n2', request(1000 + i, { lock: `lock ${i}` }));
    const written = n1.event({ kind: 'ceilingReserved', ceiling: 1e9 });
    expect(written.sentOf('grant')).toHaveLength(10_000);
    expect(only(n1.receives('n2', request(1000 + 19_999, { lock: 'lock 19999' })).sentOf('grant')).lock).toBe('lock 19999');
  });

  test('ceiling: a handshake tells no clock above the one on disk (protocol.md section 3)', () => {
    const n1 = new TestNode({ diskIsStuck: true, ceilingOnDisk: 50 });
    expect(n1.clock).toBeGreaterThan(50);
    expect(durableClock(n1.core)).toBe(50);
    n1.event({ kind: 'ceilingReserved', ceiling: BORN_AT + CEILING_BLOCK });
    expect(durableClock(n1.core)).toBe(n1.clock);
  });
});

describe('two lives (protocol.md section 3)', () => {
  test('clock: the second life begins above everything that the first one sent, even if the wall clock was set back (protocol.md section 3)', () => {
    const first = new TestNode({ coterie: N1_ASKS, wallClockUs: 90_000 });
    const sent = [...first.acquire(1).sent(), ...first.receives('n2', request(150_000, { clock: 150_000 })).sent()];
    const ceilingOnDisk = inspectNode(first.core).ceiling;
    const second = new TestNode({ coterie: N1_ASKS, ceilingOnDisk, wallClockUs: 3 });
    for (const { clock } of sent) expect(clock + SLACK).toBeLessThan(second.clock);
  });

  test('silence: the handshake tells how much of it is left (protocol.md section 5)', () => {
    const n1 = new TestNode({ firstStart: false });
    expect(silentForMs(n1.core, 0)).toBe(LEASE_MS);
    expect(silentForMs(n1.core, 1000)).toBe(LEASE_MS - 1000);
    expect(silentForMs(n1.core, 2 * LEASE_MS)).toBe(0);
    expect(silentForMs(new TestNode().core, 0)).toBe(0);
  });
});
