/** The arbiter: who gets this node's vote (protocol.md section 5). */
import { REQUESTS_OF_A_NODE_MAX } from '../../src/core/arbiter';
import { LEASE_MS, RETRY_MS, SLACK, TestNode, grantNumber, only, release, request, yieldOf } from './harness';

describe('arbiter: Request (protocol.md section 5)', () => {
  test('arbiter: lends a free vote at once, under a new number (protocol.md section 5)', () => {
    const n1 = new TestNode();
    const { clock } = n1;
    const outcome = n1.receives('n2', request(300, { sentAtMs: 77 }));
    // Receipt makes the clock 301, the grant number is the next value, and the Grant carries it.
    expect(clock).toBeLessThan(300);
    expect(outcome.sent()).toEqual([
      { to: 'n2', kind: 'grant', lock: 'a', timestamp: 300, grant: 302, clock: 302, sentAtMs: 77, contended: false },
    ]);
  });

  test('arbiter: lends its vote to one exclusive request at a time (protocol.md section 5, one-vote)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    expect(n1.receives('n3', request(210)).sent()).toEqual([]);
    expect(n1.view()).toMatchObject({
      grants: [{ request: { timestamp: 200, node: 'n2' } }],
      queue: [{ request: { timestamp: 210, node: 'n3' } }],
    });
  });

  test('arbiter: every lock name has a vote of its own (protocol.md section 2)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    expect(n1.receives('n3', request(210, { lock: 'b' })).sent()).toMatchObject([{ to: 'n3', kind: 'grant', lock: 'b' }]);
  });

  test('arbiter: a repeated Request gets the same Grant again, with the new sentAt and clock (protocol.md section 5)', () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n2', request(200)));
    const again = only(n1.receives('n2', request(200, { sentAtMs: 1000, clock: 250 })).sentOf('grant'));
    expect(again).toMatchObject({ to: 'n2', timestamp: 200, grant: number, sentAtMs: 1000 });
    expect(again.clock).toBeGreaterThan(250);
  });

  test('arbiter: a repeated Request extends the lease from when it comes (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.advance(RETRY_MS);
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    expect(n1.view()?.grants).toMatchObject([{ expiresAtMs: RETRY_MS + LEASE_MS }]);
    expect(n1.advance(LEASE_MS - 1).sentOf('grant')).toEqual([]);
  });

  test('arbiter: a repeated Request that waits keeps its one place in the queue (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.receives('n4', request(220));
    n1.receives('n3', request(210));
    n1.receives('n4', request(220));
    expect(n1.view()?.queue.map(({ request: { node } }) => node)).toEqual(['n3', 'n4']);
  });

  test('arbiter: answers the newest Request of one that waited (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210, { sentAtMs: 5 }));
    n1.receives('n3', request(210, { sentAtMs: 1005 }));
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n3', kind: 'grant', sentAtMs: 1005 }]);
  });

  test('arbiter: answers the newest Request of one that waited, although a late copy of an older one came after it (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210, { sentAtMs: 5 }));
    n1.receives('n3', request(210, { sentAtMs: 1005 }));
    n1.receives('n3', request(210, { sentAtMs: 5 }));
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n3', kind: 'grant', sentAtMs: 1005 }]);
  });

  test('arbiter: a late copy of an older Request sets no grant back in time, nor the place in the queue that it is given back for (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n3', request(210, { sentAtMs: 5 }));
    const number = grantNumber(n1.receives('n3', request(210, { sentAtMs: 1005 })));
    expect(n1.receives('n3', request(210, { sentAtMs: 5 })).sent()).toMatchObject([{ to: 'n3', kind: 'grant', grant: number, sentAtMs: 1005 }]);
    n1.receives('n2', request(200));
    n1.receives('n3', yieldOf(210, number));
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n3', kind: 'grant', sentAtMs: 1005 }]);
  });

  test('arbiter: two requests of one node are two requests (protocol.md section 2)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n2', request(210));
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n2', kind: 'grant', timestamp: 210 }]);
  });
});

describe('arbiter: fill (protocol.md section 5)', () => {
  test('arbiter: lends to the oldest that waits, whoever came first (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(230));
    n1.receives('n4', request(220));
    n1.receives('n5', request(240));
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n4', kind: 'grant', timestamp: 220 }]);
    expect(n1.receives('n4', release(220)).sent()).toMatchObject([{ to: 'n3', kind: 'grant', timestamp: 230 }]);
    expect(n1.receives('n3', release(230)).sent()).toMatchObject([{ to: 'n5', kind: 'grant', timestamp: 240 }]);
  });

  test('arbiter: of equal timestamps the smaller node id is older (protocol.md section 2)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n4', request(210));
    n1.receives('n3', request(210));
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n3', kind: 'grant' }]);
  });

  test('arbiter: grant numbers strictly increase (protocol.md section 2, grant-rises)', () => {
    const n1 = new TestNode();
    const numbers = [
      grantNumber(n1.receives('n2', request(200))),
      grantNumber(n1.receives('n3', request(150, { lock: 'b' }))),
    ];
    n1.receives('n2', release(200));
    numbers.push(grantNumber(n1.receives('n4', request(120))));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(3);
  });

  test('arbiter: readers share the vote (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200, { mode: 'shared' }));
    expect(n1.receives('n3', request(210, { mode: 'shared' })).sent()).toMatchObject([{ to: 'n3', kind: 'grant' }]);
    expect(n1.view()).toMatchObject({ grants: [{ mode: 'shared' }, { mode: 'shared' }], queue: [] });
  });

  test('arbiter: a writer waits for every reader (protocol.md section 5, one-vote)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200, { mode: 'shared' }));
    n1.receives('n3', request(210, { mode: 'shared' }));
    n1.receives('n4', request(220));
    expect(n1.receives('n2', release(200)).sent()).toEqual([]);
    expect(n1.receives('n3', release(210)).sent()).toMatchObject([{ to: 'n4', kind: 'grant' }]);
  });

  test('arbiter: a waiting writer holds back younger readers, not older ones (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200, { mode: 'shared' }));
    n1.receives('n3', request(210));
    expect(n1.receives('n4', request(220, { mode: 'shared' })).sentOf('grant')).toEqual([]);
    expect(n1.receives('n5', request(205, { mode: 'shared' })).sentOf('grant')).toMatchObject([{ to: 'n5' }]);
  });

  test('arbiter: after a writer lends to all readers up to the next writer, oldest first (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n4', request(220, { mode: 'shared' }));
    n1.receives('n3', request(210, { mode: 'shared' }));
    n1.receives('n5', request(230));
    n1.receives('n2', request(240, { mode: 'shared' }));
    expect(n1.receives('n2', release(200)).sentOf('grant').map(({ timestamp }) => timestamp)).toEqual([210, 220]);
  });

  test('arbiter: a Grant says contended when an incompatible request waits already (protocol.md section 9)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.receives('n4', request(220));
    expect(n1.receives('n2', release(200)).sentOf('grant')).toMatchObject([{ to: 'n3', contended: true }]);
    expect(n1.receives('n3', release(210)).sentOf('grant')).toMatchObject([{ to: 'n4', contended: false }]);
    n1.receives('n5', request(230));
    expect(n1.receives('n4', request(220)).sentOf('grant')).toMatchObject([{ to: 'n4', contended: true }]);
  });

  test('arbiter: readers that wait behind a writer do not make a reader contended, the writer does (protocol.md section 9)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210, { mode: 'shared' }));
    n1.receives('n4', request(220, { mode: 'shared' }));
    expect(n1.receives('n2', release(200)).sentOf('grant')).toMatchObject([{ contended: false }, { contended: false }]);
    n1.receives('n5', request(230));
    expect(n1.receives('n3', request(210, { mode: 'shared' })).sentOf('grant')).toMatchObject([{ contended: true }]);
  });
});

describe('arbiter: Inquire (protocol.md section 5)', () => {
  test('arbiter: inquires the holder when an older request arrives (protocol.md section 5)', () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n2', request(200)));
    const outcome = n1.receives('n3', request(190));
    expect(outcome.sent()).toEqual([
      { to: 'n2', kind: 'inquire', lock: 'a', clock: n1.clock, timestamp: 200, grant: number, contender: { request: { timestamp: 190, node: 'n3' }, claim: 'waits' }, sentAtMs: 0 },
    ]);
  });

  test('arbiter: does not inquire for a younger request (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    expect(n1.receives('n3', request(210)).sent()).toEqual([]);
  });

  test('arbiter: inquires for a younger request that repeats, so that a lost Release heals (protocol.md sections 5 and 11)', () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n2', request(200)));
    n1.receives('n3', request(210));
    expect(n1.receives('n3', request(210)).sent()).toMatchObject([
      { to: 'n2', kind: 'inquire', grant: number, contender: { request: { timestamp: 210, node: 'n3' } } },
    ]);
    expect(n1.receives('n3', request(210)).sentOf('inquire')).toHaveLength(1);
  });

  test('arbiter: inquires at once for a younger request when the holder said keep (protocol.md section 9)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200, { keep: true }));
    expect(n1.receives('n3', request(210)).sent()).toMatchObject([{ to: 'n2', kind: 'inquire', contender: { request: { node: 'n3' } } }]);
  });

  test('arbiter: keep is known of a grant whose request waited first (protocol.md section 9)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210, { keep: true }));
    n1.receives('n2', release(200));
    expect(n1.receives('n4', request(220)).sent()).toMatchObject([{ to: 'n3', kind: 'inquire', contender: { request: { node: 'n4' } } }]);
  });

  test('arbiter: keep is known of a grant that was given back and lent again (protocol.md section 9)', () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n3', request(210, { keep: true })));
    n1.receives('n2', request(200));
    n1.receives('n3', yieldOf(210, number));
    n1.receives('n2', release(200));
    expect(n1.receives('n4', request(220)).sent()).toMatchObject([{ to: 'n3', kind: 'inquire', contender: { request: { node: 'n4' } } }]);
  });

  test('arbiter: an older writer makes it inquire every reader, and only a conflicting one (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200, { mode: 'shared' }));
    n1.receives('n3', request(210, { mode: 'shared' }));
    n1.receives('n4', request(220, { mode: 'shared' }));
    expect(n1.receives('n5', request(205)).sent()).toMatchObject([
      { to: 'n3', kind: 'inquire', contender: { request: { node: 'n5' } } },
      { to: 'n4', kind: 'inquire', contender: { request: { node: 'n5' } } },
    ]);
  });

  test('arbiter: a reader that waits behind a writer does not inquire the readers before it (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200, { mode: 'shared', keep: true }));
    n1.receives('n3', request(210));
    n1.receives('n4', request(220, { mode: 'shared' }));
    expect(n1.receives('n4', request(220, { mode: 'shared' })).sent()).toEqual([]);
  });

  test('arbiter: inquires again for one that is back after it was not heard of for a lease (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    expect(n1.receives('n3', request(190)).sentOf('inquire')).toHaveLength(1);
    n1.advance(LEASE_MS - 1);
    n1.receives('n2', request(200)); // The holder renews.
    n1.advance(1);
    expect(n1.view()).toMatchObject({ grants: [{ request: { node: 'n2' } }], queue: [] });
    expect(n1.receives('n3', request(190)).sent()).toMatchObject([{ to: 'n2', kind: 'inquire', contender: { request: { node: 'n3' } } }]);
  });

  test('arbiter: inquires for the oldest only, until a still older one or a repeat comes (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    expect(n1.receives('n3', request(180)).sentOf('inquire')).toHaveLength(1);
    expect(n1.receives('n4', request(190)).sentOf('inquire')).toEqual([]);
    expect(n1.receives('n5', request(170)).sentOf('inquire')).toMatchObject([{ contender: { request: { timestamp: 170 } } }]);
    expect(n1.receives('n4', request(190)).sentOf('inquire')).toMatchObject([{ contender: { request: { timestamp: 190 } } }]);
  });
});

describe('arbiter: Yield (protocol.md section 5)', () => {
  test('arbiter: a Yield passes the vote to the older request, and its sender waits on (protocol.md section 5)', () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n2', request(200)));
    n1.receives('n3', request(190));
    const lent = only(n1.receives('n2', yieldOf(200, number)).sent());
    expect(lent).toMatchObject({ to: 'n3', kind: 'grant', timestamp: 190, contended: true });
    expect(n1.view()?.queue).toMatchObject([{ request: { timestamp: 200, node: 'n2' } }]);
    expect(n1.receives('n3', release(190)).sent()).toMatchObject([{ to: 'n2', kind: 'grant', timestamp: 200 }]);
  });

  test('arbiter: lends again under a new number to one that yielded (protocol.md section 5, grant-rises)', () => {
    const n1 = new TestNode();
    const first = grantNumber(n1.receives('n2', request(200)));
    // Whoever made n2 yield has gone meanwhile: n2 is the oldest again.
    expect(grantNumber(n1.receives('n2', yieldOf(200, first)))).toBeGreaterThan(first);
  });

  test('arbiter: a late copy of an old Yield takes nothing away (protocol.md sections 5 and 11)', () => {
    const n1 = new TestNode();
    const first = grantNumber(n1.receives('n2', request(200)));
    n1.receives('n2', yieldOf(200, first));
    const late = n1.receives('n2', yieldOf(200, first));
    expect(late.sent()).toEqual([]);
    expect(late.reasons).toEqual(['grant number is old']);
    expect(n1.view()?.grants).toMatchObject([{ request: { timestamp: 200, node: 'n2' } }]);
  });

  test('arbiter: ignores a Yield of a request that has no grant (protocol.md section 5)', () => {
    const n1 = new TestNode();
    expect(n1.receives('n2', yieldOf(200, 150)).reasons).toEqual(['no such grant']);
    expect(n1.lockNames).toEqual([]);
    n1.receives('n3', request(210));
    n1.receives('n2', request(220));
    expect(n1.receives('n2', yieldOf(220, 150)).reasons).toEqual(['no such grant']);
    expect(n1.view()?.queue).toHaveLength(1);
  });

  test('arbiter: nobody yields the grant of another node (protocol.md section 5)', () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n2', request(200)));
    expect(n1.receives('n3', yieldOf(200, number)).reasons).toEqual(['no such grant']);
    expect(n1.view()?.grants).toMatchObject([{ request: { node: 'n2' } }]);
  });
});

describe('arbiter: Release (protocol.md section 5)', () => {
  test('arbiter: a Release frees the vote for the oldest that waits (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n3', kind: 'grant' }]);
  });

  test('arbiter: a Release takes one that waits off the queue (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.receives('n4', request(220));
    expect(n1.receives('n3', release(210)).sent()).toEqual([]);
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n4', kind: 'grant' }]);
  });

  test('arbiter: a writer that gives up lets the readers behind it in (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200, { mode: 'shared' }));
    n1.receives('n3', request(210));
    n1.receives('n4', request(220, { mode: 'shared' }));
    expect(n1.receives('n3', release(210)).sent()).toMatchObject([{ to: 'n4', kind: 'grant' }]);
  });

  test('arbiter: a late copy of a Release leaves a later request of its sender alone (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(500));
    n1.receives('n2', release(500));
    n1.receives('n2', request(600));
    n1.receives('n2', request(700));
    const late = n1.receives('n2', release(500));
    expect([late.sent(), late.reasons]).toEqual([[], ['no such request']]);
    expect(n1.view()).toMatchObject({ grants: [{ request: { timestamp: 600 } }], queue: [{ request: { timestamp: 700 } }] });
  });

  test('arbiter: a second Release changes nothing (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.receives('n2', release(200));
    const again = n1.receives('n2', release(200));
    expect(again.sent()).toEqual([]);
    expect(again.reasons).toEqual(['no such request']);
    expect(n1.view()?.grants).toMatchObject([{ request: { node: 'n3' } }]);
  });

  test('arbiter: nobody releases the request of another node (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    expect(n1.receives('n3', release(200)).reasons).toEqual(['no such request']);
    expect(n1.view()?.grants).toHaveLength(1);
  });

  test('arbiter: keeps nothing of a lock that nobody uses (no-residue)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.receives('n3', release(210));
    expect(n1.lockNames).toEqual(['a']);
    n1.receives('n2', release(200));
    expect(n1.lockNames).toEqual([]);
    expect(n1.view()).toBeNull();
  });
});

describe('arbiter: what others send uses up no more than so much memory', () => {
  test('arbiter: of too many locks those it does not know yet are left unanswered, until there is room', () => {
    const n1 = new TestNode({ locksMax: 2 });
    n1.receives('n2', request(500, { lock: 'one' }));
    n1.receives('n2', request(501, { lock: 'two' }));
    const third = n1.receives('n2', request(502, { lock: 'three' }));
    expect([third.sent(), third.reasons]).toEqual([[], ['too many locks']]);
    // Those that it knows go on as ever.
    expect(n1.receives('n2', request(501, { lock: 'two' })).sentOf('grant')).toHaveLength(1);
    n1.receives('n2', release(500, { lock: 'one' }));
    expect(n1.receives('n2', request(502, { lock: 'three' })).sentOf('grant')).toHaveLength(1);
    expect(n1.lockNames).toEqual(['two', 'three']);
  });

  test('arbiter: long names count for their length', () => {
    const n1 = new TestNode({ locksMax: 2 });
    n1.receives('n2', request(500, { lock: 'x'.repeat(4096) }));
    expect(n1.receives('n2', request(501, { lock: 'two' })).reasons).toEqual(['too many locks']);
    n1.advance(LEASE_MS);
    expect(n1.receives('n2', request(502, { lock: 'two' })).sentOf('grant')).toHaveLength(1);
    expect(n1.receives('n2', request(503, { lock: 'three' })).sentOf('grant')).toHaveLength(1);
  });

  test('arbiter: of too many requests of one node for a lock the one heard longest ago makes way, and a repeat keeps its place', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(500));
    for (let waiter = 1; waiter <= REQUESTS_OF_A_NODE_MAX; waiter++) n1.receives('n3', request(500 + waiter));
    n1.receives('n4', request(400));
    n1.pass(1);
    expect(n1.receives('n3', request(501)).sentOf('inquire')).toHaveLength(1);
    expect(n1.receives('n3', request(501 + REQUESTS_OF_A_NODE_MAX)).reasons).toEqual([]);
    const waiting = n1.view()?.queue.map(({ request: { timestamp } }) => timestamp);
    expect(waiting).toHaveLength(1 + REQUESTS_OF_A_NODE_MAX);
    expect(waiting).toEqual(expect.arrayContaining([400, 501, 501 + REQUESTS_OF_A_NODE_MAX]));
    expect(waiting).not.toContain(502);
  });

  test('arbiter: so many readers of one node are let in at a time, and others are not kept out by them', () => {
    const n1 = new TestNode();
    for (let reader = 0; reader < 2 * REQUESTS_OF_A_NODE_MAX; reader++) n1.receives('n2', request(500 + reader, { mode: 'shared' }));
    expect(n1.view()?.grants).toHaveLength(REQUESTS_OF_A_NODE_MAX);
    expect(n1.receives('n3', request(900, { mode: 'shared' })).sentOf('grant')).toHaveLength(1);
    n1.receives('n2', release(500));
    expect(n1.receives('n2', request(901, { mode: 'shared' })).sentOf('grant')).toHaveLength(1);
  });

  test('arbiter: a silent one takes back in no more grants of a node than it would lend', () => {
    const n1 = new TestNode({ firstStart: false, ceilingOnDisk: 400 });
    for (let reader = 0; reader < 2 * REQUESTS_OF_A_NODE_MAX; reader++) {
      n1.receives('n2', request(500 + reader, { mode: 'shared', heldGrant: 1 + reader }));
    }
    expect(n1.view()?.grants).toHaveLength(REQUESTS_OF_A_NODE_MAX);
  });
});

describe('arbiter: the end of a lease (protocol.md sections 5 and 7)', () => {
  test('arbiter: a grant lasts exactly one lease (protocol.md section 5)', () => {
    for (const [passedMs, grants] of [[LEASE_MS - 1, 0], [LEASE_MS, 1]] as const) {
      const n1 = new TestNode();
      n1.receives('n2', request(200));
      n1.pass(passedMs);
      expect(n1.receives('n3', request(210)).sentOf('grant')).toHaveLength(grants);
    }
  });

  test('arbiter: any message for the lock makes it drop what has run out, without a timer (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.pass(RETRY_MS);
    n1.receives('n3', request(210));
    n1.pass(LEASE_MS - RETRY_MS);
    expect(n1.receives('n4', release(999)).sent()).toMatchObject([{ to: 'n3', kind: 'grant' }]);
  });

  test('arbiter: wakes at the end of the lease to lend its vote on (protocol.md section 5)', () => {
    const n1 = new TestNode();
    expect(n1.receives('n2', request(200)).of('wake')).toEqual([{ kind: 'wake', atMs: LEASE_MS }]);
    n1.advance(RETRY_MS);
    n1.receives('n3', request(210));
    expect(n1.advance(LEASE_MS - RETRY_MS - 1).sent()).toEqual([]);
    expect(n1.advance(1).sent()).toMatchObject([{ to: 'n3', kind: 'grant' }]);
  });

  test('arbiter: jumps past every token that a grant allowed when its lease runs out (protocol.md sections 5 and 7)', () => {
    const n1 = new TestNode();
    const lent = only(n1.receives('n2', request(200)).sentOf('grant'));
    n1.advance(LEASE_MS);
    expect(n1.clock).toBe(lent.clock + SLACK + 1);
    const next = only(n1.receives('n3', request(150)).sentOf('grant'));
    expect(next.clock).toBeGreaterThan(lent.clock + SLACK);
  });

  test('arbiter: counts the jump from the clock it sent last with that Grant (protocol.md section 5)', () => {
    const n1 = new TestNode();
    const first = only(n1.receives('n2', request(200)).sentOf('grant'));
    const again = only(n1.receives('n2', request(200, { clock: 260 })).sentOf('grant'));
    expect(again.clock).toBeGreaterThan(first.clock);
    n1.advance(LEASE_MS);
    expect(n1.clock).toBe(again.clock + SLACK + 1);
  });

  test('arbiter: jumps past the tokens of every reader whose lease runs out (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200, { mode: 'shared', clock: 290 }));
    const highest = only(n1.receives('n3', request(210, { mode: 'shared' })).sentOf('grant'));
    n1.receives('n4', request(205));
    n1.advance(LEASE_MS);
    expect(n1.clock).toBeGreaterThan(highest.clock + SLACK);
  });

  test('arbiter: does not jump for a grant that was released or given back in time (protocol.md section 5)', () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n2', request(200)));
    n1.receives('n2', yieldOf(200, number));
    n1.receives('n2', release(200));
    const { clock } = n1;
    n1.advance(2 * LEASE_MS);
    expect(n1.clock).toBe(clock);
  });

  test('arbiter: a clock that is past the tokens already stays where it is (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(5000, { lock: 'b' }));
    n1.receives('n3', release(5000, { lock: 'b' }));
    const { clock } = n1;
    n1.advance(LEASE_MS);
    expect(n1.clock).toBe(clock);
  });

  test('arbiter: drops a queued request not heard of for one lease (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.receives('n4', request(220));
    for (let i = 0; i < 3; i++) {
      n1.advance(RETRY_MS);
      n1.receives('n2', request(200));
      n1.receives('n4', request(220));
    }
    expect(n1.view()?.queue).toMatchObject([{ request: { node: 'n4' } }]);
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n4', kind: 'grant' }]);
  });

  test('arbiter: a queued request that repeats stays, however long it waits (protocol.md section 5)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    for (let i = 0; i < 9; i++) {
      n1.advance(RETRY_MS);
      n1.receives('n2', request(200));
      n1.receives('n3', request(210));
    }
    expect(n1.receives('n2', release(200)).sent()).toMatchObject([{ to: 'n3', kind: 'grant' }]);
  });

  test('arbiter: keeps nothing beyond one lease of nodes that fell silent (no-residue)', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.advance(LEASE_MS - 1);
    n1.receives('n3', request(210));
    n1.advance(1);
    expect(n1.view()).toMatchObject({ grants: [{ request: { node: 'n3' } }], queue: [] });
    n1.advance(LEASE_MS);
    expect(n1.lockNames).toEqual([]);
  });
});

describe('arbiter: a new life (protocol.md section 5)', () => {
  /** A node that ran before: it may have lent its vote just now, and has forgotten to whom. */
  const restarted = (): TestNode => new TestNode({ firstStart: false, ceilingOnDisk: 1000 });

  test('arbiter: a node that never ran before lends at once (protocol.md section 5)', () => {
    expect(new TestNode({ firstStart: true }).receives('n2', request(200)).sentOf('grant')).toHaveLength(1);
  });

  test('arbiter: lends nothing for one lease after a restart, but queues (protocol.md sections 5 and 11)', () => {
    const n1 = restarted();
    expect(n1.receives('n3', request(1210)).sent()).toEqual([]);
    expect(n1.receives('n2', request(1200)).sent()).toEqual([]);
    expect(n1.view()?.queue.map(({ request: { node } }) => node)).toEqual(['n2', 'n3']);
    n1.advance(LEASE_MS - 1);
    expect(n1.receives('n2', request(1200)).sentOf('grant')).toEqual([]);
    expect(n1.receives('n3', request(1210)).sentOf('grant')).toEqual([]);
    expect(n1.advance(1).sent()).toMatchObject([{ to: 'n2', kind: 'grant' }]);
  });

  test('arbiter: a Release or a Yield while silent lends nothing either (protocol.md section 5)', () => {
    const n1 = restarted();
    const number = 900;
    n1.receives('n2', request(800, { heldGrant: number }));
    n1.receives('n3', request(1210));
    expect(n1.receives('n2', yieldOf(800, number)).sent()).toEqual([]);
    expect(n1.receives('n2', release(800)).sent()).toEqual([]);
    expect(n1.view()).toMatchObject({ grants: [], queue: [{ request: { node: 'n3' } }] });
  });

  test('arbiter: takes the grant of an earlier life back in and renews it (protocol.md section 5)', () => {
    const n1 = restarted();
    n1.advance(500);
    expect(n1.receives('n2', request(800, { heldGrant: 900, sentAtMs: 42 })).sent()).toMatchObject([
      { to: 'n2', kind: 'grant', timestamp: 800, grant: 900, sentAtMs: 42 },
    ]);
    expect(n1.view()?.grants).toMatchObject([{ grant: 900, expiresAtMs: 500 + LEASE_MS }]);
    // The silence ends; the holder renews and keeps the vote.
    n1.receives('n3', request(1210));
    n1.advance(1000);
    n1.receives('n2', request(800, { heldGrant: 900 }));
    n1.receives('n3', request(1210));
    n1.advance(LEASE_MS - 1000);
    expect(n1.receives('n3', request(1210)).sentOf('grant')).toEqual([]);
  });

  test('arbiter: renews nothing and takes nothing back in while a rival may begin (protocol.md section 17.1, lent-runs-out)', () => {
    const n1 = restarted();
    n1.receives('n2', request(800, { heldGrant: 900 }));
    n1.event({ kind: 'silence', untilMs: null, renews: false });
    n1.advance(LEASE_MS - 1);
    const renewal = n1.receives('n2', request(800, { heldGrant: 900, claim: 'holds' }));
    expect([renewal.sent(), renewal.reasons]).toEqual([[], ['another configuration may begin']]);
    expect(n1.receives('n3', request(810, { lock: 'b', heldGrant: 890 })).sentOf('grant')).toEqual([]);
    expect(n1.view()?.grants).toMatchObject([{ expiresAtMs: LEASE_MS }]);
    n1.advance(1);
    expect(n1.view()).toBeNull();
    // It begins anew, and renews what it lends from then on.
    n1.event({ kind: 'silence', untilMs: n1.nowMs });
    expect(n1.receives('n4', request(1300)).sentOf('grant')).toHaveLength(1);
    expect(n1.receives('n4', request(1300, { claim: 'holds' })).sentOf('grant')).toHaveLength(1);
  });

  test('arbiter: takes in a request that it had queued while silent (protocol.md section 5, not-both)', () => {
    const n1 = restarted();
    n1.receives('n2', request(800));
    n1.receives('n2', request(800, { heldGrant: 900 }));
    expect(n1.view()).toMatchObject({ grants: [{ request: { node: 'n2' } }], queue: [] });
  });

  test('arbiter: of two conflicting grants of its earlier life the higher number wins (protocol.md section 5)', () => {
    const lowFirst = restarted();
    lowFirst.receives('n2', request(800, { heldGrant: 900 }));
    expect(lowFirst.receives('n3', request(810, { heldGrant: 950 })).sentOf('grant')).toMatchObject([{ to: 'n3', grant: 950 }]);
    expect(lowFirst.view()?.grants).toMatchObject([{ request: { node: 'n3' }, grant: 950 }]);

    const highFirst = restarted();
    highFirst.receives('n3', request(810, { heldGrant: 950 }));
    expect(highFirst.receives('n2', request(800, { heldGrant: 900 })).sentOf('grant')).toEqual([]);
    expect(highFirst.view()?.grants).toMatchObject([{ request: { node: 'n3' }, grant: 950 }]);
  });

  test('arbiter: takes all readers of its earlier life back in (protocol.md section 5)', () => {
    const n1 = restarted();
    n1.receives('n2', request(800, { heldGrant: 900, mode: 'shared' }));
    expect(n1.receives('n3', request(810, { heldGrant: 890, mode: 'shared' })).sentOf('grant')).toMatchObject([{ to: 'n3', grant: 890 }]);
    expect(n1.view()?.grants).toHaveLength(2);
  });

  test('arbiter: a number of this life is no grant of an earlier one (protocol.md section 5)', () => {
    const n1 = restarted();
    const bornAt = 1001;
    expect(n1.receives('n2', request(800, { heldGrant: bornAt })).sentOf('grant')).toEqual([]);
    expect(n1.receives('n2', request(800, { heldGrant: bornAt - 1 })).sentOf('grant')).toHaveLength(1);
  });

  test('arbiter: once its silence is over every grant of its earlier life has run out (protocol.md section 5)', () => {
    const n1 = restarted();
    n1.advance(LEASE_MS);
    expect(only(n1.receives('n2', request(800, { heldGrant: 900 })).sentOf('grant')).grant).toBeGreaterThan(1000);
  });

  test('arbiter: a node that never ran before takes nothing in: a vote shown to it was not its own (protocol.md section 5)', () => {
    const n1 = new TestNode({ ceilingOnDisk: 1000 });
    expect(only(n1.receives('n2', request(800, { heldGrant: 900 })).sentOf('grant')).grant).toBeGreaterThan(1000);
  });

  test('arbiter: inquires the holder that it took back in, and jumps when that lease runs out (protocol.md section 5)', () => {
    const n1 = restarted();
    const taken = only(n1.receives('n2', request(800, { heldGrant: 900 })).sentOf('grant'));
    expect(n1.receives('n3', request(700)).sent()).toMatchObject([{ to: 'n2', kind: 'inquire', timestamp: 800, grant: 900 }]);
    n1.advance(LEASE_MS);
    expect(n1.clock).toBeGreaterThan(taken.clock + SLACK);
  });

  test('arbiter: inquires a grant that it takes back in for the sake of an older request that waits already (protocol.md section 5)', () => {
    const n1 = restarted();
    n1.receives('n3', request(700));
    expect(n1.receives('n2', request(800, { heldGrant: 900 })).sent()).toMatchObject([
      { to: 'n2', kind: 'grant', contended: true },
      { to: 'n2', kind: 'inquire', timestamp: 800, grant: 900, contender: { request: { node: 'n3', timestamp: 700 } } },
    ]);
    const youngerWaits = restarted();
    youngerWaits.receives('n3', request(810));
    expect(youngerWaits.receives('n2', request(800, { heldGrant: 900 })).sent()).toMatchObject([{ to: 'n2', kind: 'grant', contended: true }]);
  });

  test('arbiter: numbers of a new life are above all of the earlier one (grant-rises)', () => {
    const n1 = restarted();
    n1.advance(LEASE_MS);
    expect(grantNumber(n1.receives('n2', request(5)))).toBeGreaterThan(1000);
  });
});
