/** A node that lost its memory (protocol.md section 16): it neither lends nor asks before it knows which tokens may be in use. */
import { clockLockOf } from '../../src/core';
import type { LamportTime, NodeId } from '../../src/core';
import { BORN_AT, FIVE_NODES, LEASE_MS, RETRY_MS, SLACK, TestNode, grant, inquire, only, request } from './harness';
import type { Options, Outcome } from './harness';

const CLOCK = clockLockOf('n1');

const lost = (options: Options = {}): TestNode => new TestNode({ firstStart: false, ceilingOnDisk: 0, ...options });

/** Its silence ends, and it asks for clocks: whom, each under which timestamp. */
function asks(n1: TestNode): ReadonlyMap<NodeId, LamportTime> {
  const sent = n1.advance(LEASE_MS).sentOf('request');
  expect(sent.every(({ lock }) => lock === CLOCK)).toBe(true);
  return new Map(sent.map(({ to, timestamp }) => [to, timestamp]));
}

function tells(n1: TestNode, from: NodeId, asked: ReadonlyMap<NodeId, LamportTime>, clock: LamportTime, sentAtMs = n1.nowMs): Outcome {
  return n1.receives(from, grant(asked.get(from) ?? 1, clock, { lock: CLOCK, sentAtMs }));
}

describe('memory: a node without any (protocol.md section 16)', () => {
  test('asks for nothing and lends nothing while it is silent, and says nothing of requests that may be its own', () => {
    const n1 = lost();
    expect(n1.acquire(1).sent()).toEqual([]);
    expect(n1.receives('n2', request(300)).sent()).toEqual([]);
    // Its earlier life may have made it, however high its timestamp: a client may still use what that life held.
    expect(n1.receives('n3', grant(90_000, 90_001)).sent()).toEqual([]);
    expect(n1.receives('n3', inquire(90_000, 90_001, { timestamp: 5, node: 'n2' })).sent()).toEqual([]);
    expect(n1.advance(LEASE_MS - 1).sent()).toEqual([]);
  });

  test('asks those who remember when its silence has ended, and no one sooner', () => {
    const n1 = lost();
    n1.event({ kind: 'peerUp', peer: 'n4', clock: 0, remembers: false });
    expect([...asks(n1).keys()]).toEqual(['n2', 'n3', 'n5']);
  });

  test('takes part when those heard meet every quorum, above the highest of them by SLACK', () => {
    const n1 = lost();
    n1.acquire(1);
    const asked = asks(n1);
    expect(tells(n1, 'n2', asked, 70_000).of('joined')).toEqual([]);
    expect(tells(n1, 'n3', asked, 90_000).of('joined')).toEqual([]);
    // n4, n5 and n1 itself contain no quorum without n4.
    const joins = tells(n1, 'n4', asked, 80_000);
    expect(joins.of('joined')).toEqual([{ kind: 'joined', by: 'peers' }]);
    expect(n1.clock).toBeGreaterThan(90_000 + SLACK);
    // Its caller asks now, under an id that is new.
    for (const { timestamp } of joins.sentOf('request')) expect(timestamp).toBeGreaterThan(90_000 + SLACK);
    expect(only(n1.receives('n5', request(300, { lock: 'b' })).sentOf('grant')).grant).toBeGreaterThan(90_000 + SLACK);
  });

  test('grants what was asked for meanwhile as soon as it takes part', () => {
    const n1 = lost();
    const asked = asks(n1);
    n1.receives('n5', request(300));
    tells(n1, 'n2', asked, 70_000);
    tells(n1, 'n3', asked, 70_000);
    expect(tells(n1, 'n4', asked, 70_000).sentOf('grant')).toMatchObject([{ to: 'n5', timestamp: 300 }]);
  });

  test('counts no answer to a question from before its silence ended: a vote of its earlier life was still valid then', () => {
    const n1 = lost();
    const asked = asks(n1);
    for (const peer of ['n2', 'n3', 'n4']) expect(tells(n1, peer, asked, 70_000, LEASE_MS - 1).of('joined')).toEqual([]);
  });

  test('counts nobody who does not remember, and nobody twice', () => {
    const n1 = lost();
    n1.event({ kind: 'peerUp', peer: 'n4', clock: 0, remembers: false });
    const asked = asks(n1);
    for (const peer of ['n2', 'n3', 'n3', 'n4']) expect(tells(n1, peer, asked, 70_000).of('joined')).toEqual([]);
    expect(tells(n1, 'n5', asked, 70_000).of('joined')).toHaveLength(1);
  });

  test('counts who joined after its last handshake: its answer proves that it remembers', () => {
    const n1 = lost();
    const asked = asks(n1);
    // It lost its disk, and the question reached its new life, which waits for what it can learn and answers then.
    n1.event({ kind: 'peerUp', peer: 'n4', clock: 0, remembers: false });
    for (const peer of ['n2', 'n3']) expect(tells(n1, peer, asked, 70_000).of('joined')).toEqual([]);
    expect(tells(n1, 'n4', asked, 90_000).of('joined')).toEqual([{ kind: 'joined', by: 'peers' }]);
  });

  test('asks again at the usual interval, and whoever comes up', () => {
    const n1 = lost();
    n1.event({ kind: 'peerDown', peer: 'n5' });
    const asked = asks(n1);
    tells(n1, 'n2', asked, 70_000);
    expect(n1.advance(RETRY_MS).sentOf('request').map(({ to, timestamp }) => [to, timestamp])).toEqual([['n3', asked.get('n3')], ['n4', asked.get('n4')], ['n5', asked.get('n5')]]);
    expect(n1.event({ kind: 'peerUp', peer: 'n5', clock: 0 }).sentOf('request')).toMatchObject([{ to: 'n5', lock: CLOCK }]);
  });

  test('is not stopped by a lost disk: after one more lease it takes part as far as the wall clock goes, and says so', () => {
    const n1 = lost({ wallClockUs: 7_000_000 });
    const asked = asks(n1);
    tells(n1, 'n2', asked, 70_000);
    expect(n1.advance(LEASE_MS - 1).of('joined')).toEqual([]);
    expect(n1.advance(1).of('joined')).toEqual([{ kind: 'joined', by: 'wall clock' }]);
    expect(n1.clock).toBeGreaterThan(7_000_000 + 2 * LEASE_MS * 1000 + SLACK);
    expect(n1.receives('n5', request(300)).sentOf('grant')).toHaveLength(1);
  });

  test('puts no ceiling on disk before it takes part: what is there says that its node remembers', () => {
    const n1 = lost({ diskIsStuck: true });
    const asked = asks(n1);
    tells(n1, 'n2', asked, 70_000);
    tells(n1, 'n3', asked, 70_000);
    const joins = tells(n1, 'n4', asked, 70_000);
    expect(only(joins.of('reserveCeiling')).ceiling).toBeGreaterThan(70_000 + SLACK);
    // And lends nothing that is not on disk.
    expect(n1.receives('n5', request(300)).sentOf('grant')).toEqual([]);
  });

  test('in a new cluster, where nobody ever ran, it takes part at once', () => {
    const n1 = new TestNode({ firstStart: true, peersAreDown: true });
    expect(n1.clock).toBe(BORN_AT);
    expect(n1.receives('n2', request(50)).sentOf('grant')).toHaveLength(1);
  });
});

describe('memory: one that remembers (protocol.md section 16)', () => {
  test('lets others hear its clock though it is silent, for that lock alone', () => {
    const n1 = new TestNode({ coterie: FIVE_NODES, firstStart: false, ceilingOnDisk: 5000 });
    expect(n1.receives('n2', request(300, { lock: 'a' })).sentOf('grant')).toEqual([]);
    expect(n1.receives('n2', request(301, { lock: clockLockOf('n3') })).sentOf('grant')).toEqual([]);
    expect(only(n1.receives('n2', request(302, { lock: clockLockOf('n2') })).sentOf('grant')).clock).toBeGreaterThan(5000);
  });

  test('one that does not lets nobody', () => {
    expect(lost().receives('n2', request(302, { lock: clockLockOf('n2') })).sentOf('grant')).toEqual([]);
  });

  test('a clock that was heard is given back: nothing is left behind', () => {
    const n1 = lost();
    const asked = asks(n1);
    expect(tells(n1, 'n2', asked, 70_000).sentOf('release')).toMatchObject([{ to: 'n2', lock: CLOCK, timestamp: asked.get('n2') }]);
    // Who has not answered need not.
    tells(n1, 'n3', asked, 70_000);
    const joins = tells(n1, 'n4', asked, 70_000);
    expect(joins.sentOf('release').map(({ to }) => to)).toEqual(['n4', 'n5']);
  });
});
