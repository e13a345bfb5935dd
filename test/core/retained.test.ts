/** Retained grants: taking a free lock again costs nothing (protocol.md section 9). */
import { reentryLeftMs } from '../../src/core';
import { LOCKS_KEPT_MAX } from '../../src/core/requesters';
import { ALONE, LEASE_MS, N1_ASKS, RETRY_MS, SLACK, TestNode, VALID_FOR_MS, asking, grant, holding, inquire, retaining } from './harness';

const OLDER = { timestamp: 1, node: 'n4' };
const YOUNGER = { timestamp: 9999, node: 'n4' };

describe('retained: a lock that is held asks in time (protocol.md section 6)', () => {
  test('retained: entered again late in the lease, it has several chances to be renewed, should one be lost (it had one)', () => {
    const { n1, timestamp } = retaining();
    n1.pass(VALID_FOR_MS - reentryLeftMs(LEASE_MS));
    expect(n1.acquire(1).sentOf('request')).toHaveLength(2); // lost
    const again = n1.advance(Math.ceil(reentryLeftMs(LEASE_MS) / 2));
    expect(again.callersOut).toEqual([]);
    expect(again.sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3', 'n4']); // holder-spreads
    for (const peer of ['n2', 'n3']) n1.receives(peer, grant(timestamp, peer === 'n2' ? 500 : 510, { sentAtMs: n1.nowMs }));
    expect(n1.view()?.requester).toMatchObject({ state: 'held', validUntilMs: n1.nowMs + VALID_FOR_MS });
    expect(n1.advance(RETRY_MS - 1).sent()).toEqual([]);
  });

  test('retained: with all renewals lost it asks more often as its lease ends, and loses it at the end', () => {
    const { n1 } = holding();
    const askedAtMs: number[] = [];
    let lostAtMs = NaN;
    while (Number.isNaN(lostAtMs)) {
      const outcome = n1.advance(1);
      if (outcome.sentOf('request').length > 0) askedAtMs.push(n1.nowMs);
      if (outcome.callersOut.length > 0) lostAtMs = n1.nowMs;
    }
    expect(lostAtMs).toBe(VALID_FOR_MS);
    // Half of what is left of 2968 ms, but at least an eighth of the retry interval.
    expect(askedAtMs).toEqual([RETRY_MS, 1984, 2476, 2722, 2847]);
  });
});

describe('retained: release (protocol.md section 9)', () => {
  test('retained: a lock that nobody else wants is kept, and nothing is sent (protocol.md section 9)', () => {
    const { n1, timestamp } = holding();
    expect(n1.release(1).effects).toEqual([]);
    expect(n1.view()?.requester).toMatchObject({ state: 'retained', request: { timestamp }, token: 511, validUntilMs: VALID_FOR_MS });
  });

  test('retained: nothing is renewed; when the grants run out every arbiter is told (protocol.md section 9)', () => {
    const { n1, timestamp } = retaining();
    expect(n1.advance(VALID_FOR_MS - 1).sent()).toEqual([]);
    const outcome = n1.advance(1);
    expect(outcome.callersOut).toEqual([]);
    expect(outcome.sent()).toMatchObject([{ to: 'n2', kind: 'release', timestamp }, { to: 'n3', kind: 'release', timestamp }]);
    expect(n1.lockNames).toEqual([]);
  });

  test.each([['older', OLDER], ['younger', YOUNGER]])(
    'retained: an Inquire for an %s request is answered with Release to all arbiters asked (protocol.md section 9)', (_, contender) => {
      const { n1, timestamp } = retaining();
      expect(n1.receives('n3', inquire(timestamp, 510, contender)).sent()).toMatchObject([
        { to: 'n2', kind: 'release', timestamp },
        { to: 'n3', kind: 'release', timestamp },
      ]);
      expect(n1.view()?.requester).toEqual({ state: 'idle', waitingCallers: [] });
    });

  test.each([['older', OLDER], ['younger', YOUNGER]])(
    'retained: who heard of an %s request while inside releases for real (protocol.md section 9)', (_, contender) => {
      const { n1, timestamp } = holding();
      n1.receives('n3', inquire(timestamp, 510, contender));
      expect(n1.release(1).sentOf('release')).toHaveLength(2);
    });

  test('retained: who heard of contention while it waited releases for real (protocol.md section 9)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    n1.receives('n2', inquire(timestamp, 500, YOUNGER));
    n1.receives('n3', grant(timestamp, 510));
    expect(n1.release(1).sentOf('release')).toHaveLength(2);
  });

  test('retained: who was granted with contended releases for real (protocol.md section 9)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500, { contended: true }));
    n1.receives('n3', grant(timestamp, 510));
    expect(n1.release(1).sentOf('release')).toHaveLength(2);
  });

  test('retained: a node that knows too many locks releases the next for real: no name costs memory for ever (protocol.md section 9)', () => {
    const n1 = new TestNode({ coterie: ALONE });
    for (let caller = 1; caller <= LOCKS_KEPT_MAX + 1; caller++) {
      n1.acquire(caller, 'exclusive', `lock ${caller}`);
      n1.release(caller, `lock ${caller}`);
    }
    expect(n1.view(`lock ${LOCKS_KEPT_MAX}`)?.requester).toMatchObject({ state: 'retained' });
    expect(n1.view(`lock ${LOCKS_KEPT_MAX + 1}`)).toBeNull();
    n1.advance(LEASE_MS);
    expect(n1.lockNames).toEqual([]);
  });

  test('retained: a Grant that says contended ends it (protocol.md section 9)', () => {
    const { n1, timestamp } = retaining();
    expect(n1.receives('n2', grant(timestamp, 500, { contended: true })).sentOf('release')).toHaveLength(2);
    expect(n1.view()?.requester).toMatchObject({ state: 'idle' });
  });

  test('retained: a late renewal prolongs it (protocol.md section 9)', () => {
    const { n1, timestamp } = holding();
    n1.advance(RETRY_MS);
    n1.release(1);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    n1.receives('n3', grant(timestamp, 510, { sentAtMs: RETRY_MS }));
    expect(n1.view()?.requester).toMatchObject({ state: 'retained', validUntilMs: RETRY_MS + VALID_FOR_MS });
  });

  test('retained: a node that is told not to releases for real every time (protocol.md section 9)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS, retain: false });
    expect(n1.acquire(1).sentOf('request')).toMatchObject([{ keep: false }, { keep: false }]);
    expect(holding({ retain: false }).n1.release(1).sentOf('release')).toHaveLength(2);
  });
});

describe('retained: re-entry (protocol.md section 9)', () => {
  test('retained: enters again at once under the next token, without a message (protocol.md section 9, frugal)', () => {
    const { n1 } = retaining();
    expect(n1.acquire(2).effects).toEqual([
      { kind: 'entered', lock: 'a', caller: 2, mode: 'exclusive', token: 512, validUntilMs: VALID_FOR_MS },
    ]);
  });

  test('retained: the lock passes from one local caller to the next without a message (protocol.md section 9)', () => {
    const { n1 } = holding();
    n1.acquire(2);
    n1.acquire(3);
    expect(n1.release(1).effects).toMatchObject([{ kind: 'entered', caller: 2, token: 512 }]);
    expect(n1.release(2).effects).toMatchObject([{ kind: 'entered', caller: 3, token: 513 }]);
  });

  test('retained: the release of a re-entry carries a clock of at least its token (protocol.md section 7)', () => {
    const { n1, timestamp } = asking();
    for (let caller = 2; caller <= 20; caller++) n1.acquire(caller);
    n1.receives('n2', grant(timestamp, 500));
    n1.receives('n3', grant(timestamp, 510));
    // Nothing but the tokens themselves makes the clock go on from here.
    for (let caller = 1; caller < 20; caller++) n1.release(caller);
    n1.release(20);
    const releases = n1.receives('n2', inquire(timestamp, 500, OLDER)).sentOf('release');
    expect(releases).toHaveLength(2);
    for (const { clock } of releases) expect(clock).toBeGreaterThanOrEqual(511 + 19);
  });

  test('retained: another mode needs a request of its own (protocol.md section 9)', () => {
    const { n1, timestamp } = retaining();
    const outcome = n1.acquire(2, 'shared');
    expect(outcome.callersIn).toEqual([]);
    expect(outcome.sent()).toMatchObject([
      { to: 'n2', kind: 'release', timestamp },
      { to: 'n3', kind: 'release', timestamp },
      { to: 'n2', kind: 'request', mode: 'shared' },
      { to: 'n3', kind: 'request', mode: 'shared' },
    ]);
  });

  test('retained: readers enter again under retained shared grants (protocol.md section 9)', () => {
    const { n1 } = retaining({ mode: 'shared' });
    expect(n1.acquire(2, 'shared').effects).toMatchObject([{ kind: 'entered', caller: 2, mode: 'shared', token: 512 }]);
  });

  test('retained: never a token above what the grants allow: then a new request (protocol.md sections 7 and 9)', () => {
    const { n1, timestamp } = retaining();
    let highest = 0;
    for (;;) {
      const outcome = n1.acquire(2);
      const [entered] = outcome.of('entered');
      if (entered === undefined) {
        expect(outcome.sentOf('release')).toMatchObject([{ timestamp }, { timestamp }]);
        expect(outcome.sentOf('request')).toHaveLength(2);
        break;
      }
      highest = entered.token;
      n1.release(2);
    }
    expect(highest).toBe(500 + SLACK);
  });

  test('retained: renews on re-entry only when less than two thirds of the lease is left (protocol.md section 9)', () => {
    for (const [passedMs, requests] of [[RETRY_MS - 1, 0], [RETRY_MS, 2]] as const) {
      const { n1, timestamp } = retaining();
      n1.pass(passedMs);
      const outcome = n1.acquire(2);
      expect(outcome.callersIn).toEqual([2]);
      expect(outcome.sentOf('request')).toHaveLength(requests);
      for (const request of outcome.sentOf('request')) expect(request.timestamp).toBe(timestamp);
    }
  });

  test('retained: renews on re-entry when less than half of the token room is left (protocol.md section 9)', () => {
    const { n1 } = retaining();
    n1.pass(1);
    const tokensOfRenewals: number[] = [];
    for (let token = 512; token <= 560; token++) {
      const outcome = n1.acquire(2);
      if (outcome.sentOf('request').length > 0) tokensOfRenewals.push(outcome.of('entered')[0]?.token ?? NaN);
      n1.release(2);
    }
    // 600 is the highest token allowed: after 551 there is room for 49 more. One renewal under way is enough for now.
    expect(tokensOfRenewals).toEqual([552]);
  });

  test('retained: a new request when so little of the lease is left that a renewal may come too late (protocol.md section 9)', () => {
    for (const [leftMs, callers] of [[reentryLeftMs(LEASE_MS), [2]], [reentryLeftMs(LEASE_MS) - 1, []]] as const) {
      const { n1 } = retaining();
      n1.pass(VALID_FOR_MS - leftMs);
      expect(n1.acquire(2).callersIn).toEqual(callers);
    }
  });

  test('retained: grants that ran out let nobody in, even if no timer fired (protocol.md section 9)', () => {
    const { n1, timestamp } = retaining();
    n1.pass(VALID_FOR_MS);
    const outcome = n1.acquire(2);
    expect(outcome.callersIn).toEqual([]);
    expect(outcome.sentOf('release')).toMatchObject([{ timestamp }, { timestamp }]);
    expect(outcome.sentOf('request').every((request) => request.timestamp > timestamp)).toBe(true);
  });

  test('retained: a re-entry while an arbiter is down asks a further one, so that it can be renewed (protocol.md sections 6 and 9)', () => {
    const { n1 } = retaining();
    expect(n1.event({ kind: 'peerDown', peer: 'n3' }).sent()).toEqual([]);
    const outcome = n1.acquire(2);
    expect(outcome.callersIn).toEqual([2]);
    expect(outcome.sentOf('request')).toMatchObject([{ to: 'n4' }]);
  });
});

describe('retained: adaptive keep (protocol.md section 9)', () => {
  test('keep: is asked for while there was no contention (protocol.md section 9)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    expect(n1.acquire(1).sentOf('request')).toMatchObject([{ keep: true }, { keep: true }]);
  });

  test('keep: is not asked for until one lease after contention was heard of (protocol.md section 9)', () => {
    const { n1, timestamp } = holding();
    n1.receives('n2', inquire(timestamp, 500, OLDER));
    n1.release(1);
    n1.advance(LEASE_MS - 1);
    expect(n1.acquire(2).sentOf('request')).toMatchObject([{ keep: false }, { keep: false }]);
    n1.release(2);
    n1.advance(1);
    expect(n1.acquire(3).sentOf('request')).toMatchObject([{ keep: true }, { keep: true }]);
  });

  test('keep: a request made without it is released for real, contended or not (protocol.md section 9)', () => {
    const { n1, timestamp } = holding();
    n1.receives('n2', inquire(timestamp, 500, OLDER));
    n1.release(1);
    const next = n1.acquire(2).sentOf('request')[0]?.timestamp ?? NaN;
    n1.receives('n2', grant(next, 700));
    n1.receives('n3', grant(next, 710));
    expect(n1.release(2).sentOf('release')).toHaveLength(2);
  });

  test('keep: repeats say what the first Request said (protocol.md section 9)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', inquire(timestamp, 500, YOUNGER));
    expect(n1.advance(RETRY_MS).sentOf('request')).toMatchObject([{ keep: true }, { keep: true }]);
  });

  test('keep: a node that knows too many locks does not remember contention (protocol.md section 9)', () => {
    const { n1, timestamp } = holding();
    n1.receives('n2', inquire(timestamp, 500, OLDER));
    for (let caller = 2; caller <= LOCKS_KEPT_MAX + 1; caller++) n1.acquire(caller, 'exclusive', `lock ${caller}`);
    n1.release(1);
    expect(n1.view()).toBeNull();
  });

  test('keep: the memory of contention ends with it: the lock is forgotten (no-residue)', () => {
    const { n1, timestamp } = holding();
    n1.receives('n2', inquire(timestamp, 500, OLDER));
    n1.release(1);
    expect(n1.lockNames).toEqual(['a']);
    n1.advance(LEASE_MS);
    expect(n1.lockNames).toEqual([]);
  });
});
