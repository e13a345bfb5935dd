/** A request that steals: before all others, and a holder gives the lock up (protocol.md section 12). */
import { CEILING_BLOCK, LEASE_MS, RETRY_MS, TestNode, asking, grant, grantNumber, holding, inquire, release, request, retaining, yieldOf } from './harness';
import type { Claim, RequestId } from '../../src/core';

const THIEF: RequestId & { readonly claim: Claim } = { timestamp: 9999, node: 'n4', claim: 'steals' };

describe('steal: the arbiter', () => {
  test('steal: the arbiter queues it before all that do not, however old', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.receives('n4', request(220, { claim: 'steals' }));
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n4', kind: 'grant' }]);
  });

  test('steal: the arbiter inquires the holder at once, and says that the contender steals', () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n2', request(200)));
    expect(n1.receives('n4', request(220, { claim: 'steals' })).sent()).toMatchObject([
      { to: 'n2', kind: 'inquire', grant: number, contender: { request: { timestamp: 220, node: 'n4' }, claim: 'steals' } },
    ]);
  });

  test('steal: the arbiter inquires a holder that stole it too', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200, { claim: 'steals' }));
    expect(n1.receives('n4', request(220, { claim: 'steals' })).sentOf('inquire')).toMatchObject([{ to: 'n2', contender: { request: { node: 'n4' } } }]);
  });

  test('steal: an Inquire under way for an older request does not spare one for the thief', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(190));
    expect(n1.receives('n4', request(220, { claim: 'steals' })).sentOf('inquire')).toMatchObject([{ contender: { request: { node: 'n4' } } }]);
  });

  test('steal: a renewal brings its holder the order of a thief that waits by now', () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n3', request(210, { claim: 'steals' })));
    n1.receives('n4', request(220, { claim: 'steals' }));
    expect(n1.receives('n3', request(210, { claim: 'steals', heldGrant: number })).sent()).toMatchObject([
      { to: 'n3', kind: 'grant', timestamp: 210 },
      { to: 'n3', kind: 'inquire', timestamp: 210, contender: { request: { timestamp: 220, node: 'n4' }, claim: 'steals' } },
    ]);
    n1.receives('n4', release(220));
    expect(n1.receives('n3', request(210, { claim: 'steals', heldGrant: number })).sentOf('inquire')).toEqual([]);
  });

  test('steal: a Request that says otherwise whether it steals is the same request (it stopped the node: not-both)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n2', request(210));
    n1.receives('n2', request(210, { claim: 'steals' }));
    expect(n1.receives('n2', release(200)).sentOf('grant')).toMatchObject([{ timestamp: 210 }]);
    expect(n1.view()?.queue).toEqual([]);
  });

  test('steal: one that gave its vote back still goes before those that do not steal', () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n4', request(220, { claim: 'steals' })));
    n1.receives('n3', request(100));
    expect(n1.receives('n4', yieldOf(220, number)).sent()).toMatchObject([{ to: 'n4', kind: 'grant', timestamp: 220 }]);
  });
});

describe('steal: the requester', () => {
  test('steal: the Requests say so, the repeats too', () => {
    const n1 = new TestNode();
    expect(n1.steal(1).sentOf('request')).toMatchObject([{ claim: 'steals' }, { claim: 'steals' }]);
    expect(n1.advance(RETRY_MS).sentOf('request')).toMatchObject([{ claim: 'steals' }, { claim: 'steals' }]);
  });

  test('steal: a holder that hears of a thief asks its node, and gives the lock up when that confirms it, to all arbiters asked', () => {
    const { n1, timestamp } = holding();
    const hears = n1.receives('n2', inquire(timestamp, 500, THIEF));
    expect(hears.of('lost')).toEqual([]);
    expect(hears.sent()).toMatchObject([{ to: 'n4', kind: 'request', timestamp, claim: 'holds' }]);
    const outcome = n1.receives('n4', inquire(timestamp, 600, THIEF));
    expect(outcome.of('lost')).toEqual([{ kind: 'lost', lock: 'a', caller: 1, thief: { node: 'n4' } }]);
    expect(outcome.sentOf('release').map(({ to }) => to)).toEqual(['n2', 'n3', 'n4']);
  });

  test('steal: an order that answers a Request from before the holder entered robs nobody: the thief may be long done', () => {
    const { n1, timestamp } = asking();
    n1.pass(50);
    n1.receives('n2', grant(timestamp, 500));
    n1.receives('n3', grant(timestamp, 510));
    const late = n1.receives('n4', inquire(timestamp, 505, THIEF, { sentAtMs: 49 }));
    expect(late.of('lost')).toEqual([]);
    // It asks once more; a thief that still waits says so.
    expect(late.sent()).toMatchObject([{ to: 'n4', kind: 'request', sentAtMs: 50 }]);
    expect(n1.receives('n4', inquire(timestamp, 600, THIEF, { sentAtMs: 50 })).callersOut).toEqual([1]);
  });

  test('steal: a reader that joined after the Request left is robbed for nobody either: the thief may have gone before', () => {
    const { n1, timestamp } = holding({ mode: 'shared' });
    n1.pass(50);
    n1.acquire(2, 'shared');
    const late = n1.receives('n4', inquire(timestamp, 505, THIEF, { sentAtMs: 49 }));
    expect(late.of('lost')).toEqual([]);
    expect(late.sent()).toMatchObject([{ to: 'n4', kind: 'request', sentAtMs: 50 }]);
    // Somebody waits, so no reader joins any more.
    n1.pass(50);
    n1.acquire(3, 'shared');
    expect(n1.receives('n4', inquire(timestamp, 600, THIEF, { sentAtMs: 50 })).callersOut).toEqual([1, 2]);
  });

  test('steal: the node of a thief tells a holder that asks, and only while the thief waits', () => {
    const n1 = new TestNode();
    const thief = n1.steal(1).sentOf('request')[0]?.timestamp ?? NaN;
    const asks = request(90, { claim: 'holds', sentAtMs: 77 });
    expect(n1.receives('n5', asks).sentOf('inquire')).toMatchObject([
      { to: 'n5', timestamp: 90, contender: { request: { timestamp: thief, node: 'n1' }, claim: 'steals' }, sentAtMs: 77 },
    ]);
    // Whoever only waits is no holder.
    expect(n1.receives('n4', request(95)).sentOf('inquire')).toEqual([]);
    n1.receives('n2', grant(thief, 500));
    n1.receives('n3', grant(thief, 510));
    expect(n1.view()?.requester).toMatchObject({ state: 'held' });
    expect(n1.receives('n5', asks).sentOf('inquire')).toEqual([]);
    n1.release(1);
    expect(n1.receives('n5', asks).sentOf('inquire')).toEqual([]);
  });

  test('steal: a holder asks the node of a thief once (two nodes that each knew of a thief of the other had kept it asking)', () => {
    const { n1, timestamp } = holding();
    const asked = (from: string, thief: typeof THIEF): string[] => n1.receives(from, inquire(timestamp, 500, thief)).sentOf('request').map(({ to }) => to);
    const other = { ...THIEF, node: 'n2' };
    expect([asked('n2', THIEF), asked('n4', other), asked('n2', THIEF), asked('n4', other)]).toEqual([['n4'], ['n2'], [], []]);
    // Should that be lost, a repeat goes there too; and a newer thief is another one.
    expect(n1.advance(RETRY_MS).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3', 'n4']);
    expect(asked('n2', { ...THIEF, timestamp: 10_005 })).toEqual(['n4']);
  });

  test('steal: a node whose disk takes nothing orders no theft for a thief that gave up (the Release was lost for want of room)', () => {
    const n1 = new TestNode({ diskIsStuck: true, heldBackMax: 3 });
    n1.receives('n2', request(90));
    n1.event({ kind: 'ceilingReserved', ceiling: n1.clock });
    n1.steal(1); // Three Requests are held back, and there is no room for more.
    n1.release(1);
    n1.event({ kind: 'ceilingReserved', ceiling: n1.clock + CEILING_BLOCK });
    expect(n1.view()?.queue).toEqual([]);
    expect(n1.receives('n2', request(90, { claim: 'holds' })).sent()).toMatchObject([{ to: 'n2', kind: 'grant' }]);
  });

  test('steal: every reader inside loses the lock', () => {
    const { n1, timestamp } = holding({ mode: 'shared' });
    n1.acquire(2, 'shared');
    expect(n1.receives('n4', inquire(timestamp, 500, THIEF)).callersOut).toEqual([1, 2]);
  });

  test('steal: whoever waits yields to it, however old', () => {
    const { n1, timestamp } = asking();
    expect(n1.receives('n2', inquire(timestamp, 500, THIEF)).sent()).toMatchObject([{ to: 'n2', kind: 'yield', grant: 500 }]);
  });

  test('steal: of two that steal the older one does not yield while it waits', () => {
    const n1 = new TestNode();
    const timestamp = n1.steal(1).sentOf('request')[0]?.timestamp ?? NaN;
    expect(n1.receives('n2', inquire(timestamp, 500, THIEF)).reasons).toEqual(['contender is younger']);
  });

  test('steal: of two that steal the older one asks again when it enters, and obeys the younger if that still waits', () => {
    const n1 = new TestNode();
    const timestamp = n1.steal(1).sentOf('request')[0]?.timestamp ?? NaN;
    n1.receives('n2', grant(timestamp, 500));
    n1.receives('n2', inquire(timestamp, 500, THIEF));
    const entry = n1.receives('n3', grant(timestamp, 501));
    expect(entry.of('entered')).toHaveLength(1);
    expect(entry.of('lost')).toEqual([]); // The thief may have given up meanwhile.
    expect(entry.sentOf('request').slice(-2).map(({ to, heldGrant }) => [to, heldGrant])).toEqual([['n2', 500], ['n3', 501]]);
    expect(n1.receives('n4', inquire(timestamp, 600, THIEF)).of('lost')).toMatchObject([{ lock: 'a', caller: 1, thief: { node: 'n4' } }]);
  });

  test('steal: from callers of the same node it takes the lock without asking anyone but its arbiters', () => {
    const { n1, timestamp } = holding();
    n1.acquire(2);
    const outcome = n1.steal(3);
    expect(outcome.of('lost')).toEqual([{ kind: 'lost', lock: 'a', caller: 1, thief: { node: 'n1', caller: 3 } }]);
    expect(outcome.sent()).toMatchObject([
      { to: 'n2', kind: 'release', timestamp }, { to: 'n3', kind: 'release', timestamp },
      { to: 'n2', kind: 'request', claim: 'steals' }, { to: 'n3', kind: 'request', claim: 'steals' },
    ]);
    expect(n1.view()?.requester).toMatchObject({ waitingCallers: [3, 2] });
  });

  test('steal: one that waited at the same node waits on behind it, under a new request id', () => {
    const { n1, timestamp } = asking();
    n1.acquire(2);
    const outcome = n1.steal(3);
    expect(outcome.sentOf('release')).toMatchObject([{ timestamp }, { timestamp }]);
    expect(n1.view()?.requester).toMatchObject({ waitingCallers: [3, 1, 2] });
    // The id of a request that is over is never used again (protocol.md section 2).
    const next = n1.release(3).sentOf('request');
    expect(next.every((each) => each.timestamp > timestamp && each.claim === 'waits')).toBe(true);
  });

  test('steal: a free lock that is retained is simply entered', () => {
    const { n1 } = retaining();
    expect(n1.steal(2).of('entered')).toMatchObject([{ caller: 2, token: 512 }]);
  });

  test('steal: the token of the thief exceeds that of the holder (token-rises)', () => {
    const { n1 } = holding();
    const timestamp = n1.steal(2).sentOf('request')[0]?.timestamp ?? NaN;
    // The Releases and Requests carried clocks above 511; the arbiters took them over.
    n1.receives('n2', grant(timestamp, 520));
    expect(n1.receives('n3', grant(timestamp, 521)).of('entered')).toMatchObject([{ caller: 2, token: 522 }]);
  });

  test('steal: a holder that cannot be reached keeps the lock until its lease ends', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.pass(LEASE_MS - 1);
    expect(n1.receives('n4', request(220, { claim: 'steals' })).sentOf('grant')).toEqual([]);
    n1.pass(1);
    expect(n1.receives('n4', request(220, { claim: 'steals' })).sentOf('grant')).not.toEqual([]);
  });
});
