/** A holder that asks goes before all that only wait: they cannot enter before it is over, and it may need the vote to outlive an arbiter (protocol.md section 14). */
import { FIVE_NODES, LEASE_MS, RETRY_MS, TestNode, asking, grant, grantNumber, holding, inquire, release, request, yieldOf } from './harness';

const HOLDER = { timestamp: 9999, node: 'n4', claim: 'holds' } as const;

describe('holder-first: the arbiter', () => {
  test('holder-first: the arbiter queues it before all that wait, however old', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.receives('n4', request(220, { claim: 'holds' }));
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n4', kind: 'grant' }]);
  });

  test('holder-first: one that waited and holds by now goes before all that wait', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.receives('n4', request(220));
    n1.receives('n4', request(220, { claim: 'holds' }));
    n1.receives('n4', request(220)); // a late copy
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n4', kind: 'grant' }]);
    expect(n1.view()?.queue).toMatchObject([{ request: { node: 'n3' } }]);
  });

  test('holder-first: not before one that steals', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210, { claim: 'steals' }));
    n1.receives('n4', request(190, { claim: 'holds' }));
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n3', kind: 'grant' }]);
  });

  test('holder-first: the arbiter inquires at once for it, and says that the contender holds', () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n2', request(200)));
    expect(n1.receives('n4', request(220, { claim: 'holds' })).sentOf('inquire')).toMatchObject([
      { to: 'n2', grant: number, contender: { request: { timestamp: 220, node: 'n4' }, claim: 'holds' } },
    ]);
    expect(n1.receives('n2', yieldOf(200, number)).sentOf('grant')).toMatchObject([{ to: 'n4', timestamp: 220, contended: true }]);
  });

  test('holder-first: once it has the vote, it hears of those that are older as everybody does', () => {
    const n1 = new TestNode();
    n1.receives('n4', request(220, { claim: 'holds' }));
    expect(n1.receives('n2', request(200)).sentOf('inquire')).toMatchObject([{ to: 'n4', contender: { request: { timestamp: 200, node: 'n2' } } }]);
  });
});

describe('holder-first: the requester', () => {
  test('holder-first: the Requests of a holder say so, those of one that waits do not', () => {
    const { n1, timestamp } = asking();
    expect(n1.advance(RETRY_MS).sentOf('request').map(({ claim }) => claim)).toEqual(['waits', 'waits']);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    n1.receives('n3', grant(timestamp, 510, { sentAtMs: RETRY_MS }));
    expect(n1.advance(RETRY_MS).sentOf('request').map(({ claim }) => claim)).toEqual(['holds', 'holds']);
  });

  test('holder-first: who waits yields to it, though it is younger', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    expect(n1.receives('n2', inquire(timestamp, 500, HOLDER)).sent()).toMatchObject([{ to: 'n2', kind: 'yield', grant: 500 }]);
  });

  test('holder-first: a thief that waits does not', () => {
    const n1 = new TestNode();
    const { timestamp } = n1.steal(1).sentOf('request')[0] ?? { timestamp: 0 };
    n1.receives('n2', grant(timestamp, 500));
    expect(n1.receives('n2', inquire(timestamp, 500, HOLDER)).sentOf('yield')).toEqual([]);
  });

  test('holder-first: a holder gives nothing up for another that says it holds, not even for a thief: one of the two is late', () => {
    const { n1, timestamp } = holding();
    for (const contender of [HOLDER, { ...HOLDER, claim: 'stole' } as const]) {
      const heard = n1.receives('n2', inquire(timestamp, 500, contender));
      expect([heard.callersOut, heard.sent()]).toEqual([[], []]);
    }
    expect(n1.release(1).sentOf('release')).toHaveLength(2); // it was contention, though
  });
});

describe('holder-spreads', () => {
  function contended(): ReturnType<typeof holding> {
    const held = holding();
    held.n1.receives('n2', inquire(held.timestamp, 500, { timestamp: 9999, node: 'n2' }));
    return held;
  }

  test('holder-spreads: one for which others wait asks all arbiters at its first repeat, and each is told when it is over', () => {
    const { n1, timestamp } = contended();
    expect(n1.advance(RETRY_MS - 1).sent()).toEqual([]);
    expect(n1.advance(1).sentOf('request')).toMatchObject(['n2', 'n3', 'n4'].map((to) => ({ to, timestamp, claim: 'holds' })));
    expect(n1.release(1).sentOf('release').map(({ to }) => to)).toEqual(['n2', 'n3', 'n4']);
  });

  test('holder-spreads: one that is older than a repeat asks all as soon as it hears that somebody waits: its node may die before the next', () => {
    const { n1, timestamp } = holding();
    n1.advance(RETRY_MS);
    for (const arbiter of ['n2', 'n3']) n1.receives(arbiter, grant(timestamp, arbiter === 'n2' ? 500 : 510, { sentAtMs: RETRY_MS }));
    n1.advance(1);
    const waiting = { timestamp: 9999, node: 'n2' };
    expect(n1.receives('n2', inquire(timestamp, 500, waiting)).sent()).toMatchObject([{ to: 'n4', kind: 'request', claim: 'holds' }]);
    expect(n1.receives('n3', inquire(timestamp, 510, waiting)).sent()).toEqual([]);
  });

  test('holder-spreads: the same when a Grant tells it', () => {
    const { n1, timestamp } = holding();
    n1.advance(RETRY_MS);
    const renewal = grant(timestamp, 500, { sentAtMs: RETRY_MS, contended: true });
    expect(n1.receives('n2', renewal).sent()).toMatchObject([{ to: 'n4', kind: 'request', claim: 'holds' }]);
  });

  test('holder-spreads: not one that nobody waits for', () => {
    expect(holding().n1.advance(RETRY_MS).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3']);
  });

  test('holder-spreads: a peer that is down is not asked, nor one that is in no quorum', () => {
    const { n1 } = contended();
    n1.event({ kind: 'peerDown', peer: 'n4' });
    expect(n1.advance(RETRY_MS).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3']);
  });

  test('holder-spreads: with the votes of all it outlives any arbiter, also when the others are lent to nobody else', () => {
    const n1 = new TestNode({ coterie: FIVE_NODES });
    const { timestamp } = n1.acquire(1).sentOf('request')[0] ?? { timestamp: 0 };
    for (const node of ['n2', 'n3']) n1.receives(node, grant(timestamp, 500));
    n1.receives('n3', inquire(timestamp, 500, { timestamp: 1, node: 'n5' }));
    n1.advance(RETRY_MS);
    for (const node of ['n2', 'n4', 'n5']) n1.receives(node, grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    n1.event({ kind: 'peerDown', peer: 'n3' });
    n1.event({ kind: 'peerDown', peer: 'n2' });
    n1.advance(RETRY_MS);
    for (const node of ['n4', 'n5']) n1.receives(node, grant(timestamp, 500, { sentAtMs: 2 * RETRY_MS }));
    expect(n1.advance(LEASE_MS - RETRY_MS).callersOut).toEqual([]);
  });
});
