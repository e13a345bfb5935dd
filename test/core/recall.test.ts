/**
 * A lock that is held for a caller in another process: when it is taken away here, that process may not know
 * yet. It is recalled, and nobody else's before it was given back or its grants ran out at the arbiters (protocol.md section 13).
 */
import { LEASE_MS, RETRY_MS, VALID_FOR_MS, asking, grant, holding, inquire } from './harness';

const THIEF = { timestamp: 9999, node: 'n4', claim: 'steals' } as const;
const OLDER = { timestamp: 1, node: 'n4' } as const;

describe('recall', () => {
  test('recall: one that steals gets the lock when it was given back, not before', () => {
    const { n1, timestamp } = holding({ remote: true });
    const order = n1.receives('n4', inquire(timestamp, 500, THIEF, { sentAtMs: n1.nowMs }));
    expect(order.of('recalled')).toEqual([{ kind: 'recalled', lock: 'a', caller: 1, thief: { node: 'n4' } }]);
    expect(order.of('lost')).toEqual([]);
    expect(order.sent()).toEqual([]);
    expect(n1.release(1).sentOf('release')).toMatchObject([{ to: 'n2', timestamp }, { to: 'n3', timestamp }]);
  });

  test('recall: one that steals at the same node waits until then too', () => {
    const { n1, timestamp } = holding({ remote: true });
    const theft = n1.steal(2);
    expect(theft.of('recalled')).toEqual([{ kind: 'recalled', lock: 'a', caller: 1, thief: { node: 'n1', caller: 2 } }]);
    expect(theft.sent()).toEqual([]);
    expect(n1.view()?.requester).toMatchObject({ state: 'recalled', inside: [1], waitingCallers: [2] });
    expect(n1.release(1).sent()).toMatchObject([
      { to: 'n2', kind: 'release', timestamp }, { to: 'n3', kind: 'release', timestamp },
      { to: 'n2', kind: 'request', claim: 'steals' }, { to: 'n3', kind: 'request', claim: 'steals' },
    ]);
  });

  test('recall: a lease that ends by this clock, which may have been moved, frees nothing that another process counts on', () => {
    const { n1 } = holding({ remote: true });
    const ended = n1.event({ kind: 'slept', byMs: LEASE_MS });
    expect(ended.of('recalled')).toEqual([{ kind: 'recalled', lock: 'a', caller: 1 }]);
    expect(ended.sent()).toEqual([]);
    n1.acquire(2);
    expect(n1.view()?.requester).toMatchObject({ state: 'recalled', waitingCallers: [2] });
    expect(n1.release(1).sentOf('release')).toHaveLength(2);
    expect(n1.view()?.requester).toMatchObject({ state: 'waiting', waitingCallers: [2] });
  });

  test('recall: so it is when the lease ends in the ordinary way', () => {
    const { n1 } = holding({ remote: true });
    expect(n1.advance(VALID_FOR_MS).of('recalled')).toMatchObject([{ caller: 1 }]);
  });

  test('recall: it is renewed no more, so that it runs out at the arbiters', () => {
    const { n1, timestamp } = holding({ remote: true });
    n1.receives('n4', inquire(timestamp, 500, THIEF, { sentAtMs: n1.nowMs }));
    expect(n1.advance(RETRY_MS).sent()).toEqual([]);
    const late = n1.receives('n3', grant(timestamp, 510, { sentAtMs: RETRY_MS }));
    expect(late.of('renewed')).toEqual([]);
    expect(late.reasons).toEqual(['lock was recalled']);
  });

  test('recall: no vote of it is given back, however an arbiter asks', () => {
    const { n1, timestamp } = holding({ remote: true });
    n1.event({ kind: 'slept', byMs: LEASE_MS });
    // To this node both grants have run out; a Yield would let the arbiter lend its vote on.
    expect(n1.receives('n2', grant(timestamp, 500)).sent()).toEqual([]);
    expect(n1.receives('n2', inquire(timestamp, 500, OLDER)).sent()).toEqual([]);
    expect(n1.receives('n3', inquire(timestamp, 510, THIEF)).sent()).toEqual([]);
  });

  test('recall: of several readers each must have given it back; those of this process have lost it at once', () => {
    const { n1, timestamp } = holding({ mode: 'shared', remote: true });
    n1.acquireRemotely(2, 'shared');
    n1.acquire(3, 'shared');
    const order = n1.receives('n4', inquire(timestamp, 500, THIEF, { sentAtMs: n1.nowMs }));
    expect(order.of('recalled').map(({ caller }) => caller)).toEqual([1, 2]);
    expect(order.of('lost').map(({ caller }) => caller)).toEqual([3]);
    n1.acquire(4, 'shared');
    expect(n1.release(1).sent()).toEqual([]);
    expect(n1.release(3).sent()).toEqual([]);
    expect(n1.release(1).sent()).toEqual([]);
    expect(n1.release(2).sentOf('release')).toHaveLength(2);
    expect(n1.view()?.requester).toMatchObject({ state: 'waiting', waitingCallers: [4] });
  });

  test('recall: given back it is not retained, and forgotten like any other', () => {
    const { n1, timestamp } = holding({ remote: true });
    n1.receives('n4', inquire(timestamp, 500, THIEF, { sentAtMs: n1.nowMs }));
    n1.release(1);
    n1.advance(LEASE_MS);
    expect(n1.view()).toBeNull();
  });

  test('recall: a node that stops tells nobody that it is free while it is in use', () => {
    const { n1, timestamp } = holding({ remote: true });
    n1.receives('n4', inquire(timestamp, 500, THIEF, { sentAtMs: n1.nowMs }));
    expect(n1.event({ kind: 'stop', inUse: ['a'] }).sent()).toEqual([]);
  });

  test('recall: who only waits for it has nothing to give back', () => {
    const { n1, timestamp } = asking({ remote: true });
    n1.receives('n2', grant(timestamp, 500));
    expect(n1.receives('n4', inquire(timestamp, 500, THIEF, { sentAtMs: n1.nowMs })).sent()).toMatchObject([{ kind: 'yield' }]);
    expect(n1.release(1).sentOf('release')).toHaveLength(2);
  });
});
