/** The requester: when a caller of this node is inside (protocol.md section 6). Tokens, callers in line, peers and retained grants have files of their own. */
import {
  ALONE, BORN_AT, FIVE_NODES, LEASE_MS, N1_ASKS, RETRY_MS, TestNode, VALID_FOR_MS, asking, grant, holding, inquire, only,
} from './harness';

describe('requester: acquire (protocol.md section 6)', () => {
  test('requester: asks each member of its voting set, with the clock just ticked for a timestamp (protocol.md section 6)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    n1.advance(40);
    const { clock } = n1;
    const expected = {
      kind: 'request', lock: 'a', clock: clock + 1, timestamp: clock + 1, mode: 'exclusive', claim: 'waits', keep: true, sentAtMs: 40, heldGrant: null,
    };
    expect(n1.acquire(1).sent()).toEqual([{ to: 'n2', ...expected }, { to: 'n3', ...expected }]);
  });

  test('requester: asks for the mode that the caller wants (protocol.md section 2)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    expect(n1.acquire(1, 'shared').sent()).toMatchObject([{ mode: 'shared' }, { mode: 'shared' }]);
  });

  test('requester: asks itself without a wire when it is in its own voting set (protocol.md section 6)', () => {
    const n1 = new TestNode({ coterie: FIVE_NODES });
    expect(n1.acquire(1).sent().map(({ to }) => to)).toEqual(['n2', 'n3']);
    expect(n1.view()).toMatchObject({ grants: [{ request: { node: 'n1' } }], requester: { granted: ['n1'] } });
  });

  test('requester: a node that is a quorum by itself enters in the same step, without a message (protocol.md section 6)', () => {
    const n1 = new TestNode({ coterie: ALONE });
    const outcome = n1.acquire(1);
    expect(outcome.callersIn).toEqual([1]);
    expect(outcome.sent()).toEqual([]);
  });

  test('requester: every lock name has a request of its own (protocol.md section 2)', () => {
    const { n1, timestamp } = asking();
    const other = n1.acquire(2, 'exclusive', 'b').sentOf('request');
    expect(other.map(({ lock }) => lock)).toEqual(['b', 'b']);
    expect(other[0]?.timestamp).toBeGreaterThan(timestamp);
  });

  test('requester: repeats to all asked every retry interval while it waits (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    expect(n1.advance(RETRY_MS - 1).sent()).toEqual([]);
    expect(n1.advance(1).sentOf('request')).toMatchObject([
      { to: 'n2', timestamp, sentAtMs: RETRY_MS, heldGrant: 500 },
      { to: 'n3', timestamp, sentAtMs: RETRY_MS, heldGrant: null },
    ]);
    expect(n1.advance(RETRY_MS).sentOf('request')).toHaveLength(2);
  });

  test('requester: shows no grant that has run out (protocol.md sections 5 and 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    n1.pass(VALID_FOR_MS);
    expect(n1.advance(0).sentOf('request')).toMatchObject([{ to: 'n2', heldGrant: null }, { to: 'n3' }]);
  });

  test('requester: repeats while it holds, and the Grants that answer renew its hold (protocol.md section 6)', () => {
    const { n1, timestamp } = holding();
    expect(n1.advance(RETRY_MS).sentOf('request')).toMatchObject([
      { to: 'n2', sentAtMs: RETRY_MS, heldGrant: 500 },
      { to: 'n3', sentAtMs: RETRY_MS, heldGrant: 510 },
    ]);
    const early = n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    expect(early.of('renewed')).toEqual([]);
    const renewal = n1.receives('n3', grant(timestamp, 510, { sentAtMs: RETRY_MS }));
    expect(renewal.of('renewed')).toEqual([{ kind: 'renewed', lock: 'a', callers: [1], validUntilMs: RETRY_MS + VALID_FOR_MS }]);
    expect(n1.advance(VALID_FOR_MS - 1).callersOut).toEqual([]);
    expect(n1.advance(1).callersOut).toEqual([1]);
  });
});

describe('requester: Grant (protocol.md section 6)', () => {
  test('requester: those inside are told too when a newer Grant is valid for less than the one that it replaces (protocol.md section 6)', () => {
    const { n1, timestamp } = holding();
    n1.advance(RETRY_MS);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    n1.receives('n3', grant(timestamp, 510, { sentAtMs: RETRY_MS }));
    // n2 restarted and lent its vote anew, to a Request that was long on its way.
    const shorter = n1.receives('n2', grant(timestamp, 600, { sentAtMs: 0 }));
    expect(shorter.of('renewed')).toEqual([{ kind: 'renewed', lock: 'a', callers: [1], validUntilMs: VALID_FOR_MS }]);
    expect(n1.advance(VALID_FOR_MS - RETRY_MS).callersOut).toEqual([1]);
  });

  test('requester: a quorum of Grants lets the caller in, one fewer does not (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    expect(n1.receives('n2', grant(timestamp, 500)).callersIn).toEqual([]);
    expect(n1.receives('n3', grant(timestamp, 510)).of('entered')).toEqual([
      { kind: 'entered', lock: 'a', caller: 1, mode: 'exclusive', token: 511, validUntilMs: VALID_FOR_MS },
    ]);
  });

  test('requester: a second copy of a Grant is no second vote (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    expect(n1.receives('n2', grant(timestamp, 500)).callersIn).toEqual([]);
  });

  test('requester: counts the lease from when it sent the Request, less a margin for drift (protocol.md section 6, lease-inside)', () => {
    const { n1, timestamp } = asking();
    n1.pass(700);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: 0 }));
    expect(n1.receives('n3', grant(timestamp, 510, { sentAtMs: 0 })).of('entered')).toMatchObject([{ validUntilMs: VALID_FOR_MS }]);
    // One percent of the lease, and a millisecond cut off at either side.
    expect(VALID_FOR_MS).toBe(LEASE_MS - 32);
  });

  test('requester: its votes are valid until the first of a needed quorum runs out (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: 0 }));
    n1.advance(RETRY_MS);
    expect(n1.receives('n3', grant(timestamp, 510, { sentAtMs: RETRY_MS })).of('entered')).toMatchObject([{ validUntilMs: VALID_FOR_MS }]);
  });

  test('requester: of more votes than it needs those that last longest count (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: 0 }));
    n1.advance(RETRY_MS);
    n1.event({ kind: 'peerDown', peer: 'n3' });
    n1.receives('n4', grant(timestamp, 505, { sentAtMs: RETRY_MS }));
    const third = n1.receives('n3', grant(timestamp, 506, { sentAtMs: RETRY_MS }));
    expect(third.of('renewed')).toMatchObject([{ validUntilMs: RETRY_MS + VALID_FOR_MS }]);
  });

  test('requester: a vote that ran out while others were on their way does not count (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: 0 }));
    n1.pass(VALID_FOR_MS);
    const outcome = n1.receives('n3', grant(timestamp, 510, { sentAtMs: RETRY_MS }));
    expect(outcome.callersIn).toEqual([]);
    expect(n1.view()?.requester).toMatchObject({ state: 'waiting', granted: ['n3'] });
  });

  test('requester: ignores a Grant whose lease ran out on the way (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.pass(VALID_FOR_MS - 1);
    expect(n1.receives('n2', grant(timestamp, 500, { sentAtMs: 0 })).reasons).toEqual([]);
    n1.pass(1);
    expect(n1.receives('n3', grant(timestamp, 510, { sentAtMs: 0 })).reasons).toEqual(['lease ran out on the way']);
  });

  test('requester: answers Release to a Grant for no request of its (protocol.md section 6)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    expect(n1.receives('n2', grant(BORN_AT, 500)).sent()).toMatchObject([{ to: 'n2', kind: 'release', timestamp: BORN_AT }]);
    expect(n1.lockNames).toEqual([]);
  });

  test('requester: answers Release to a Grant for an earlier request of this life (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.release(1);
    n1.acquire(2);
    expect(n1.receives('n2', grant(timestamp, 500)).sent()).toMatchObject([{ to: 'n2', kind: 'release', timestamp }]);
    expect(n1.view()?.requester).toMatchObject({ granted: [] });
  });

  test('requester: is silent to a Grant for a request of an earlier life: its client may still use it (protocol.md sections 6 and 11)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    const outcome = n1.receives('n2', grant(BORN_AT - 1, 500));
    expect(outcome.sent()).toEqual([]);
    expect(outcome.reasons).toEqual(['request of an earlier life']);
  });

  test('requester: a Grant at or below the floor is answered with Yield and counts for nothing (protocol.md section 6, floor-holds)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', inquire(timestamp, 500, { timestamp: 1, node: 'n4' }));
    n1.receives('n3', grant(timestamp, 510));
    for (const number of [500, 499]) {
      const outcome = n1.receives('n2', grant(timestamp, number));
      expect(outcome.sent()).toMatchObject([{ to: 'n2', kind: 'yield', timestamp, grant: number }]);
      expect(outcome.reasons).toEqual(['grant was given back']);
      expect(outcome.callersIn).toEqual([]);
    }
    expect(n1.receives('n2', grant(timestamp, 501)).callersIn).toEqual([1]);
  });

  test('requester: a grant that ran out in hand is given back when a renewal of it comes, and never counts again (protocol.md section 6, floor-holds)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    n1.pass(VALID_FOR_MS);
    const late = n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    expect(late.sent()).toMatchObject([{ to: 'n2', kind: 'yield', grant: 500 }]);
    expect(late.reasons).toEqual(['grant was given back']);
    expect(n1.receives('n3', grant(timestamp, 510, { sentAtMs: RETRY_MS })).callersIn).toEqual([]);
    expect(n1.receives('n2', grant(timestamp, 511, { sentAtMs: RETRY_MS })).callersIn).toEqual([1]);
  });

  test('requester: a holder counts no renewal of a vote that ran out in hand (protocol.md section 6, floor-holds)', () => {
    const { n1, timestamp } = holding();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    n1.receives('n4', grant(timestamp, 512));
    n1.pass(RETRY_MS);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    n1.receives('n4', grant(timestamp, 512, { sentAtMs: RETRY_MS }));
    n1.pass(VALID_FOR_MS - RETRY_MS);
    expect(n1.receives('n3', grant(timestamp, 510, { sentAtMs: RETRY_MS })).sent()).toMatchObject([{ to: 'n3', kind: 'yield', grant: 510 }]);
    expect(n1.view()?.requester).toMatchObject({ state: 'held', granted: ['n2', 'n4'], validUntilMs: RETRY_MS + VALID_FOR_MS });
  });

  test('requester: the floor of one arbiter says nothing of another (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', inquire(timestamp, 520, { timestamp: 1, node: 'n4' }));
    expect(n1.receives('n3', grant(timestamp, 510)).reasons).toEqual([]);
    expect(n1.receives('n2', grant(timestamp, 521)).callersIn).toEqual([1]);
  });

  test('requester: ignores the vote of an arbiter that it never asked (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    const outcome = n1.receives('n4', grant(timestamp, 510));
    expect(outcome.reasons).toEqual(['arbiter was not asked']);
    expect(outcome.callersIn).toEqual([]);
  });

  test('requester: ignores an answer to a Request that it has yet to send (protocol.md section 4)', () => {
    const { n1, timestamp } = asking();
    expect(n1.receives('n2', grant(timestamp, 500, { sentAtMs: 1 })).reasons).toEqual(['answers a Request from the future']);
  });

  test('requester: ignores a late Grant that is older than the one in hand (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    expect(n1.receives('n2', grant(timestamp, 499)).reasons).toEqual(['grant is older than the one in hand']);
    expect(n1.advance(RETRY_MS).sentOf('request')).toMatchObject([{ to: 'n2', heldGrant: 500 }, { to: 'n3' }]);
  });

  test('requester: a newer Grant takes the place of the one in hand (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    n1.receives('n2', grant(timestamp, 505));
    expect(n1.advance(RETRY_MS).sentOf('request')).toMatchObject([{ to: 'n2', heldGrant: 505 }, { to: 'n3' }]);
  });

  test('requester: a late copy of a Grant does not make the vote end sooner (protocol.md section 6)', () => {
    const { n1, timestamp } = holding();
    n1.advance(RETRY_MS);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    n1.receives('n3', grant(timestamp, 510, { sentAtMs: RETRY_MS }));
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: 0 }));
    n1.receives('n3', grant(timestamp, 510, { sentAtMs: 0 }));
    expect(n1.view()?.requester).toMatchObject({ state: 'held', validUntilMs: RETRY_MS + VALID_FOR_MS });
  });
});

describe('requester: Inquire (protocol.md section 6)', () => {
  test('requester: while it waits it yields to an older contender, and needs that vote again (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    const outcome = n1.receives('n2', inquire(timestamp, 500, { timestamp: timestamp - 1, node: 'n4' }));
    expect(outcome.sent()).toEqual([{ to: 'n2', kind: 'yield', lock: 'a', clock: n1.clock, timestamp, grant: 500 }]);
    expect(n1.receives('n3', grant(timestamp, 510)).callersIn).toEqual([]);
    expect(n1.receives('n2', grant(timestamp, 520)).callersIn).toEqual([1]);
  });

  test('requester: while it waits it does not answer for a younger contender (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    const outcome = n1.receives('n2', inquire(timestamp, 500, { timestamp: timestamp + 1, node: 'n4' }));
    expect(outcome.sent()).toEqual([]);
    expect(outcome.reasons).toEqual(['contender is younger']);
    expect(n1.receives('n3', grant(timestamp, 510)).callersIn).toEqual([1]);
  });

  test('requester: of equal timestamps the node id decides to whom it yields (protocol.md section 2)', () => {
    const { n1, timestamp } = asking();
    expect(n1.receives('n2', inquire(timestamp, 500, { timestamp, node: 'n4' })).sent()).toEqual([]);
    expect(n1.receives('n2', inquire(timestamp, 500, { timestamp, node: 'n0' })).sentOf('yield')).toHaveLength(1);
  });

  test('requester: an Inquire that overtakes its Grant is answered; the late Grant is harmless (protocol.md sections 6 and 11)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n3', grant(timestamp, 510));
    expect(n1.receives('n2', inquire(timestamp, 500, { timestamp: 1, node: 'n4' })).sent()).toMatchObject([{ kind: 'yield', grant: 500 }]);
    const late = n1.receives('n2', grant(timestamp, 500));
    expect(late.callersIn).toEqual([]);
    expect(late.sent()).toMatchObject([{ kind: 'yield', grant: 500 }]);
  });

  test('requester: a late Inquire for a grant already given back leaves the newer vote alone (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    n1.receives('n2', inquire(timestamp, 450, { timestamp: 1, node: 'n4' }));
    expect(n1.receives('n3', grant(timestamp, 510)).callersIn).toEqual([1]);
  });

  test('requester: the floor never sinks (protocol.md section 6, floor-holds)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', inquire(timestamp, 500, { timestamp: 1, node: 'n4' }));
    n1.receives('n2', inquire(timestamp, 450, { timestamp: 1, node: 'n4' }));
    expect(n1.receives('n2', grant(timestamp, 500)).reasons).toEqual(['grant was given back']);
  });

  test('requester: while it holds it does not answer, but notes that someone waits (protocol.md section 6)', () => {
    const { n1, timestamp } = holding();
    const outcome = n1.receives('n2', inquire(timestamp, 500, { timestamp: 1, node: 'n4' }));
    expect(outcome.effects).toEqual([]);
    expect(n1.view()?.requester).toMatchObject({ state: 'held', contended: true });
    expect(n1.release(1).sent()).toMatchObject([{ to: 'n2', kind: 'release' }, { to: 'n3', kind: 'release' }]);
  });

  test('requester: answers Release to an Inquire for no request of its (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    const outcome = n1.receives('n2', inquire(timestamp + 50, 500, { timestamp: 1, node: 'n4' }));
    expect(outcome.sent()).toMatchObject([{ to: 'n2', kind: 'release', timestamp: timestamp + 50 }]);
  });

  test('requester: is silent to an Inquire for a request of an earlier life (protocol.md sections 6 and 11)', () => {
    const { n1 } = asking();
    const outcome = n1.receives('n2', inquire(BORN_AT - 1, 500, { timestamp: 1, node: 'n4' }));
    expect(outcome.sent()).toEqual([]);
    expect(outcome.reasons).toEqual(['request of an earlier life']);
  });
});

describe('requester: release and cancel (protocol.md section 6)', () => {
  test('requester: tells every arbiter asked that the request is over, with a clock of at least its token (protocol.md sections 6 and 7)', () => {
    const { n1, timestamp } = holding({ retain: false });
    const releases = n1.release(1).sentOf('release');
    expect(releases).toMatchObject([{ to: 'n2', timestamp }, { to: 'n3', timestamp }]);
    for (const { clock } of releases) expect(clock).toBeGreaterThanOrEqual(511);
    expect(n1.lockNames).toEqual([]);
  });

  test('requester: a caller that no longer waits cancels its request (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    expect(n1.release(1).sent()).toMatchObject([{ to: 'n2', kind: 'release', timestamp }, { to: 'n3', kind: 'release', timestamp }]);
    expect(n1.lockNames).toEqual([]);
    // The Grant under way is returned at once.
    expect(n1.receives('n3', grant(timestamp, 510)).sent()).toMatchObject([{ to: 'n3', kind: 'release', timestamp }]);
  });

  test('requester: a second release, or one of a caller unknown, does nothing (protocol.md section 6)', () => {
    const { n1 } = holding({ retain: false });
    expect(n1.release(9).effects).toEqual([]);
    n1.release(1);
    expect(n1.release(1).effects).toEqual([]);
  });

  test('requester: a request id is never used twice (protocol.md section 2)', () => {
    const { n1, timestamp } = asking();
    n1.release(1);
    expect(n1.acquire(2).sentOf('request')[0]?.timestamp).toBeGreaterThan(timestamp);
  });
});

describe('requester: lost (protocol.md section 6)', () => {
  test('requester: a holder loses the lock at the very moment its votes contain no quorum, without a message (protocol.md section 6)', () => {
    const { n1, timestamp } = holding();
    expect(n1.advance(VALID_FOR_MS - 1).callersOut).toEqual([]);
    const outcome = n1.advance(1);
    expect(outcome.of('lost')).toEqual([{ kind: 'lost', lock: 'a', caller: 1 }]);
    expect(outcome.sent()).toMatchObject(['n2', 'n3', 'n4'].map((to) => ({ to, kind: 'release', timestamp })));
    expect(n1.lockNames).toEqual([]);
  });

  test('requester: one arbiter that renews is no quorum (protocol.md section 6)', () => {
    const { n1, timestamp } = holding();
    n1.advance(RETRY_MS);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    expect(n1.advance(VALID_FOR_MS - RETRY_MS).callersOut).toEqual([1]);
  });

  test('requester: a renewal that comes too late does not revive a hold, even if no timer fired (protocol.md section 6)', () => {
    const { n1, timestamp } = holding();
    n1.pass(VALID_FOR_MS);
    const outcome = n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    expect(outcome.callersOut).toEqual([1]);
    expect(outcome.of('renewed')).toEqual([]);
    expect(outcome.sentOf('release').map(({ to }) => to)).toEqual(['n2', 'n3', 'n2']);
  });

  test('requester: a caller that leaves too late is told that it had lost the lock (protocol.md section 6)', () => {
    const { n1 } = holding();
    n1.pass(VALID_FOR_MS);
    expect(n1.release(1).callersOut).toEqual([1]);
  });

  test('requester: an Inquire that comes too late finds no hold (protocol.md section 6)', () => {
    const { n1, timestamp } = holding();
    n1.pass(VALID_FOR_MS);
    const outcome = n1.receives('n2', inquire(timestamp, 500, { timestamp: 1, node: 'n4' }));
    expect(outcome.callersOut).toEqual([1]);
    expect(only(outcome.sentOf('release').filter(({ to }) => to === 'n3')).timestamp).toBe(timestamp);
  });

  test('requester: who asks next after a lost hold asks anew (protocol.md section 6)', () => {
    const { n1, timestamp } = holding();
    n1.pass(VALID_FOR_MS);
    const outcome = n1.acquire(2);
    expect(outcome.callersOut).toEqual([1]);
    expect(outcome.sentOf('request').every((request) => request.timestamp > timestamp && request.heldGrant === null)).toBe(true);
  });
});

describe('enter: held means usable (protocol.md section 6)', () => {
  test('enter: with less than a tenth of the lease left the votes are renewed first, at once the first time', () => {
    const { n1, timestamp } = asking();
    n1.pass(VALID_FOR_MS - LEASE_MS / 10 + 1);
    n1.receives('n2', grant(timestamp, 500));
    const late = n1.receives('n3', grant(timestamp, 510));
    expect(late.callersIn).toEqual([]);
    expect(late.sentOf('request').map(({ to, heldGrant }) => [to, heldGrant])).toEqual([['n2', 500], ['n3', 510]]);
    const sentAtMs = n1.nowMs;
    expect(n1.receives('n2', grant(timestamp, 500, { sentAtMs })).sent()).toEqual([]);
    expect(n1.receives('n3', grant(timestamp, 510, { sentAtMs })).of('entered')).toMatchObject([{ validUntilMs: sentAtMs + VALID_FOR_MS }]);
  });

  test('enter: a tenth is enough', () => {
    const { n1, timestamp } = asking();
    n1.pass(VALID_FOR_MS - LEASE_MS / 10);
    n1.receives('n2', grant(timestamp, 500));
    expect(n1.receives('n3', grant(timestamp, 510)).callersIn).toEqual([1]);
  });
});
