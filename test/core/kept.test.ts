/** Locks that a caller in another process keeps when it is done with them (protocol.md section 15.4). */
import { KeptLock, reentryLeftMs } from '../../src/core';
import { LEASE_MS, N1_ASKS, SLACK, TestNode, VALID_FOR_MS, grant, inquire } from './harness';
import type { Outcome } from './harness';

const OTHER = { timestamp: 9_999, node: 'n4' };
const TOKEN = 511;
/** Half of what the votes of `keeping` allow. */
const ROOM_UNTIL = TOKEN + Math.floor((500 + SLACK - TOKEN) / 2);

/** Caller 1, in another process, is inside with the Grants #500 of n2 and #510 of n3. */
function keeping(n1 = new TestNode({ coterie: N1_ASKS })): { readonly n1: TestNode; readonly timestamp: number; readonly entered: Outcome } {
  const [first] = n1.acquireToKeep(1).sentOf('request');
  if (first === undefined) throw new Error('n1 asked nobody');
  const { timestamp } = first;
  n1.receives('n2', grant(timestamp, 500));
  return { n1, timestamp, entered: n1.receives('n3', grant(timestamp, 510)) };
}

describe('kept: room for tokens (protocol.md section 15.4)', () => {
  test('kept: a caller that keeps its lock has half of the room that its votes allow', () => {
    expect(keeping().entered.of('entered')).toMatchObject([{ caller: 1, token: TOKEN, roomUntil: ROOM_UNTIL }]);
  });

  test.each([
    ['the node retains nothing', () => new TestNode({ coterie: N1_ASKS, retain: false })],
    ['another caller of the node waits', () => {
      const n1 = new TestNode({ coterie: N1_ASKS });
      n1.acquire(7);
      n1.acquire(8);
      return n1;
    }],
  ])('kept: no room where %s', (_, make) => {
    const n1 = make();
    const outcomes = [n1.acquireToKeep(1)];
    const request = n1.view()?.requester;
    const timestamp = request?.state === 'waiting' ? request.request.timestamp : 0;
    outcomes.push(n1.receives('n2', grant(timestamp, 500)), n1.receives('n3', grant(timestamp, 510)));
    if (n1.view()?.requester?.state === 'held') outcomes.push(n1.release(7));
    for (const outcome of outcomes) for (const effect of outcome.of('entered')) expect(effect).not.toHaveProperty('roomUntil');
  });

  test('kept: no room within a lease of contention, for then no arbiter says that others wait', () => {
    const { n1, timestamp } = keeping();
    n1.receives('n2', inquire(timestamp, 500, OTHER));
    n1.release(1, 'a', TOKEN);
    const [again] = n1.acquireToKeep(2).sentOf('request');
    n1.receives('n2', grant(again?.timestamp ?? 0, 600));
    expect(n1.receives('n3', grant(again?.timestamp ?? 0, 610)).of('entered')[0]).not.toHaveProperty('roomUntil');
  });

  test('kept: no room where the clock has no values left for it, and none for more than 65,536 tokens (clock-bounded)', () => {
    const { n1, entered } = keeping(new TestNode({ coterie: N1_ASKS, slack: 10_000_000 }));
    let given = 0;
    let outcome = entered;
    for (let caller = 1; caller < 100; caller++) {
      const [{ token, roomUntil } = { token: 0 }] = outcome.of('entered');
      if (roomUntil === undefined) break;
      expect(roomUntil - token).toBeLessThanOrEqual(65_536);
      given += roomUntil - token;
      n1.release(caller, 'a', roomUntil);
      outcome = n1.acquireToKeep(caller + 1);
    }
    // What a second saves is used up, and then there is no more while no time passes.
    expect(given).toBeLessThan(1_000_000);
    expect(given).toBeGreaterThan(800_000);
  });

  test('kept: what was taken is in the clock of Release, and the next caller of the node enters above it', () => {
    const { n1 } = keeping();
    n1.release(1, 'a', TOKEN + 40);
    expect(n1.acquire(2).of('entered')).toMatchObject([{ token: TOKEN + 41 }]);
    const { n1: wanted, timestamp } = keeping();
    wanted.receives('n2', inquire(timestamp, 500, OTHER));
    for (const { clock } of wanted.release(1, 'a', TOKEN + 40).sentOf('release')) expect(clock).toBeGreaterThanOrEqual(TOKEN + 40);
  });

  test('kept: of a caller that is gone without a word all of the room was taken, and none beyond it is', () => {
    const { n1 } = keeping();
    n1.release(1);
    expect(n1.acquire(2).of('entered')).toMatchObject([{ token: ROOM_UNTIL + 1 }]);
    const { n1: liar } = keeping();
    liar.release(1, 'a', ROOM_UNTIL + 1_000_000);
    expect(liar.acquire(2).of('entered')).toMatchObject([{ token: ROOM_UNTIL + 1 }]);
  });

  test('kept: the same of one whose lock was stolen', () => {
    const { n1 } = keeping();
    n1.steal(2);
    for (const { clock } of n1.release(1, 'a', TOKEN + 40).sentOf('release')) expect(clock).toBeGreaterThanOrEqual(TOKEN + 40);
  });

  test('kept: a vote that comes later counts only if it allows every token of the room', () => {
    const { n1, timestamp } = keeping();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    expect(n1.receives('n4', grant(timestamp, ROOM_UNTIL - SLACK - 1)).reasons).toEqual(['clock is too far behind the token']);
    expect(n1.receives('n4', grant(timestamp, ROOM_UNTIL - SLACK)).reasons).toEqual([]);
  });
});

describe('kept: others want the lock (protocol.md section 15.4)', () => {
  test.each<[string, (n1: TestNode, timestamp: number) => Outcome]>([
    ['by an Inquire', (n1, timestamp) => n1.receives('n2', inquire(timestamp, 500, OTHER))],
    ['by a Grant that tells of others', (n1, timestamp) => n1.receives('n3', grant(timestamp, 510, { contended: true, sentAtMs: 0, clock: 520 }))],
    ['when another caller of its node asks', (n1) => n1.acquire(2)],
  ])('kept: its caller hears of it %s, once', (_, others) => {
    const { n1, timestamp } = keeping();
    expect(others(n1, timestamp).of('wanted')).toEqual([{ kind: 'wanted', lock: 'a', caller: 1 }]);
    expect(n1.receives('n3', inquire(timestamp, 510, OTHER)).of('wanted')).toEqual([]);
    expect(n1.acquire(3).of('wanted')).toEqual([]);
  });

  test('kept: a caller without room hears nothing of it', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    const [first] = n1.acquireRemotely(1).sentOf('request');
    const timestamp = first?.timestamp ?? 0;
    n1.receives('n2', grant(timestamp, 500));
    n1.receives('n3', grant(timestamp, 510));
    expect(n1.receives('n2', inquire(timestamp, 500, OTHER)).of('wanted')).toEqual([]);
  });

  test('kept: it is renewed as any that is held', () => {
    const { n1 } = keeping();
    expect(n1.advance(VALID_FOR_MS - 1).sentOf('request').length).toBeGreaterThan(0);
  });
});

describe('kept: what the client may do by itself (protocol.md section 15.4)', () => {
  const lock = (): KeptLock => new KeptLock(7, 9, LEASE_MS);

  test('kept: it enters again with the next token, up to the last of the room', () => {
    const kept = lock();
    expect(kept.leave(0, 1_000)).toBe(true);
    expect([kept.enter(0, LEASE_MS), kept.enter(0, LEASE_MS), kept.enter(0, LEASE_MS), kept.token]).toEqual([8, 9, null, 9]);
  });

  test('kept: it enters no further time once others want the lock or its stream broke, and keeps nothing after that', () => {
    const kept = lock();
    kept.keepNoLonger();
    expect(kept.enter(0, LEASE_MS)).toBeNull();
    expect(kept.leave(0, LEASE_MS)).toBe(false);
  });

  test('kept: it enters while a tenth of the lease is left', () => {
    const leftMs = reentryLeftMs(LEASE_MS);
    expect(lock().enter(100, 100 + leftMs)).toBe(8);
    expect(lock().enter(100, 100 + leftMs - 1)).toBeNull();
  });

  test('kept: an idle lock is kept until the time that was told when it became idle', () => {
    const kept = lock();
    expect(kept.leave(0, 800)).toBe(true);
    expect(kept.endsAtMs).toBe(800);
    kept.keepNoLonger();
    expect(kept.endsAtMs).toBe(-Infinity);
    expect(lock().leave(800, 800)).toBe(false);
  });
});
