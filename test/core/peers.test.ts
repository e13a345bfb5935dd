/** Failure detection only ever chooses whom to ask (protocol.md section 6). */
import { isMute } from '../../src/core';
import { buildCoterie } from '../../src/quorum';
import type { Coterie } from '../../src/quorum';
import type { Outcome } from './harness';
import { FIVE_NODES, LEASE_MS, N1_ASKS, RETRY_MS, TestNode, VALID_FOR_MS, asking, grant, holding, request, retaining } from './harness';

describe('a peer goes down (protocol.md section 6)', () => {
  test('peers: who waits asks a further arbiter when those asked that are up contain no quorum (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    const { clock } = n1;
    expect(n1.event({ kind: 'peerDown', peer: 'n3' }).sent()).toEqual([
      { to: 'n4', kind: 'request', lock: 'a', clock, timestamp, mode: 'exclusive', claim: 'waits', keep: true, sentAtMs: 0, heldGrant: null },
    ]);
    n1.receives('n2', grant(timestamp, 500));
    expect(n1.receives('n4', grant(timestamp, 505)).callersIn).toEqual([1]);
  });

  test('peers: nobody further is asked while those that are up contain a quorum (protocol.md section 6)', () => {
    const coterie: Coterie = {
      nodes: FIVE_NODES.nodes,
      votingSet: (node) => FIVE_NODES.votingSet(node),
      containsQuorum: (members) => FIVE_NODES.containsQuorum(members),
      quorumAvoiding: () => ['n3', 'n4', 'n5'],
    };
    const n1 = new TestNode({ coterie });
    n1.acquire(1);
    expect(n1.event({ kind: 'peerDown', peer: 'n5' }).sent()).toEqual([]);
    expect(n1.event({ kind: 'peerDown', peer: 'n2' }).sent().map(({ to }) => to)).toEqual(['n4', 'n5']);
  });

  test('peers: repeats go to all asked, the one that is down too: it may be up for all we know (protocol.md section 6)', () => {
    const { n1 } = asking();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    expect(n1.advance(RETRY_MS).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3', 'n4']);
  });

  test('peers: a vote of a peer that is down counts: safety and progress never depend on failure detection (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    n1.receives('n2', grant(timestamp, 500));
    expect(n1.receives('n3', grant(timestamp, 510)).callersIn).toEqual([1]);
  });

  test('peers: every arbiter asked is told when the request is over, in whatever state it is (protocol.md section 6)', () => {
    const { n1 } = asking();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    expect(n1.release(1).sentOf('release').map(({ to }) => to)).toEqual(['n2', 'n3', 'n4']);
  });

  test('peers: a holder asks further arbiters too, and so outlives its own (protocol.md section 14)', () => {
    const { n1, timestamp } = holding();
    expect(n1.event({ kind: 'peerDown', peer: 'n3' }).sentOf('request')).toMatchObject([{ to: 'n4', timestamp }]);
    n1.receives('n4', grant(timestamp, 505));
    n1.advance(RETRY_MS);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    n1.receives('n4', grant(timestamp, 505, { sentAtMs: RETRY_MS }));
    expect(n1.advance(VALID_FOR_MS - RETRY_MS).callersOut).toEqual([]);
    expect(n1.view()?.requester).toMatchObject({ state: 'held', validUntilMs: RETRY_MS + VALID_FOR_MS });
  });

  test('peers: a holder asks others in the place of an arbiter that is up and renews nothing: its vote may be lent to one that is gone (protocol.md section 14)', () => {
    const { n1, timestamp } = holding();
    expect(n1.advance(RETRY_MS).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3']);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    expect(n1.advance(RETRY_MS).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3', 'n4']);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: 2 * RETRY_MS }));
    n1.receives('n4', grant(timestamp, 505, { sentAtMs: 2 * RETRY_MS }));
    expect(n1.view()?.requester).toMatchObject({ state: 'held', validUntilMs: 2 * RETRY_MS + VALID_FOR_MS });
  });

  test('peers: a holder whose renewals come asks nobody further, nor one that finds nobody else up (protocol.md section 14)', () => {
    const { n1, timestamp } = holding();
    for (let sentAtMs = RETRY_MS; sentAtMs <= 5 * RETRY_MS; sentAtMs += RETRY_MS) {
      expect(n1.advance(RETRY_MS).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3']);
      n1.receives('n2', grant(timestamp, 500, { sentAtMs }));
      n1.receives('n3', grant(timestamp, 510, { sentAtMs }));
    }
    n1.event({ kind: 'peerDown', peer: 'n4' });
    expect(new Set(n1.advance(VALID_FOR_MS).sentOf('request').map(({ to }) => to))).toEqual(new Set(['n2', 'n3']));
  });

  test('peers: a retained lock asks nobody (protocol.md section 9)', () => {
    expect(retaining().n1.event({ kind: 'peerDown', peer: 'n3' }).sent()).toEqual([]);
  });

  test('peers: with no quorum in reach nobody further is asked (protocol.md section 6)', () => {
    const { n1 } = asking();
    n1.event({ kind: 'peerDown', peer: 'n4' });
    expect(n1.event({ kind: 'peerDown', peer: 'n3' }).sent()).toEqual([]);
  });

  test('peers: a new request asks a quorum of those that are up (protocol.md section 6)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    n1.event({ kind: 'peerDown', peer: 'n2' });
    expect(n1.acquire(1).sentOf('request').map(({ to }) => to)).toEqual(['n3', 'n4']);
  });

  test('peers: with no quorum in reach a new request asks the voting set (protocol.md section 6)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    n1.event({ kind: 'peerDown', peer: 'n2' });
    n1.event({ kind: 'peerDown', peer: 'n3' });
    expect(n1.acquire(1).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3']);
  });

  test('peers: that a peer is down is heard once (protocol.md section 6)', () => {
    const { n1 } = asking();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    expect(n1.event({ kind: 'peerDown', peer: 'n3' }).effects).toEqual([]);
    expect(n1.event({ kind: 'peerDown', peer: 'n9' }).effects).toEqual([]);
  });
});

describe('a peer comes up (protocol.md section 6)', () => {
  test('peers: what is open is repeated to it: it may have missed it (protocol.md section 6)', () => {
    const { n1, timestamp } = holding();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    n1.advance(10);
    expect(n1.event({ kind: 'peerUp', peer: 'n3', clock: 0 }).sent()).toMatchObject([
      { to: 'n3', kind: 'request', timestamp, heldGrant: 510, sentAtMs: 10 },
    ]);
  });

  test('peers: nothing is repeated to one that was not asked, nor for a retained lock (protocol.md section 6)', () => {
    const waiting = asking();
    waiting.n1.event({ kind: 'peerDown', peer: 'n4' });
    expect(waiting.n1.event({ kind: 'peerUp', peer: 'n4', clock: 0 }).sent()).toEqual([]);
    const retained = retaining();
    retained.n1.event({ kind: 'peerDown', peer: 'n3' });
    expect(retained.n1.event({ kind: 'peerUp', peer: 'n3', clock: 0 }).sent()).toEqual([]);
  });

  test('peers: who could reach no quorum asks when one comes into reach (protocol.md section 6)', () => {
    const { n1 } = asking();
    n1.event({ kind: 'peerDown', peer: 'n4' });
    n1.event({ kind: 'peerDown', peer: 'n3' });
    expect(n1.event({ kind: 'peerUp', peer: 'n4', clock: 0 }).sentOf('request')).toMatchObject([{ to: 'n4' }]);
  });

  test('peers: the voting set is asked again once it is complete (protocol.md section 6)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    n1.event({ kind: 'peerDown', peer: 'n2' });
    n1.event({ kind: 'peerUp', peer: 'n2', clock: 0 });
    expect(n1.acquire(1).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3']);
  });

  test('peers: its clock is taken over: clocks start out as far apart as the nodes started (protocol.md section 3)', () => {
    const n1 = new TestNode();
    n1.event({ kind: 'peerUp', peer: 'n2', clock: 7000 });
    expect(n1.clock).toBe(7001);
  });
});

describe('a peer that is silent after its restart (protocol.md sections 5 and 6)', () => {
  test('peers: others are asked until its silence is over (protocol.md section 6)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    n1.event({ kind: 'peerDown', peer: 'n2' });
    n1.event({ kind: 'peerUp', peer: 'n2', clock: 0, silentForMs: LEASE_MS });
    expect(n1.acquire(1).sentOf('request').map(({ to }) => to)).toEqual(['n3', 'n4']);
    n1.release(1);
    n1.advance(LEASE_MS);
    expect(n1.acquire(2).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3']);
  });

  test('peers: who waits asks it when its silence ends, should those asked be down (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    for (const peer of ['n5', 'n4']) n1.event({ kind: 'peerDown', peer });
    n1.event({ kind: 'peerUp', peer: 'n4', clock: 0, silentForMs: LEASE_MS });
    expect(n1.event({ kind: 'peerDown', peer: 'n3' }).sent()).toEqual([]);
    expect(n1.advance(LEASE_MS).sentOf('request')).toContainEqual(expect.objectContaining({ to: 'n4', timestamp }));
  });

  test('peers: it is shown the grant that it may take back in (protocol.md section 5)', () => {
    const { n1, timestamp } = holding();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    expect(n1.event({ kind: 'peerUp', peer: 'n3', clock: 0, silentForMs: LEASE_MS }).sentOf('request')).toMatchObject([
      { to: 'n3', timestamp, heldGrant: 510 },
    ]);
  });

  test('peers: no silence is taken to be longer than the longest lease that there is, a day (protocol.md section 16)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    n1.event({ kind: 'peerDown', peer: 'n2' });
    n1.event({ kind: 'peerUp', peer: 'n2', clock: 0, silentForMs: 1e9 });
    n1.advance(86_400_000);
    expect(n1.acquire(2).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3']);
  });

  test('peers: one that goes down while silent is down for longer than its silence (protocol.md section 6)', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    n1.event({ kind: 'peerDown', peer: 'n2' });
    n1.event({ kind: 'peerUp', peer: 'n2', clock: 0, silentForMs: LEASE_MS });
    n1.event({ kind: 'peerDown', peer: 'n2' });
    n1.advance(LEASE_MS);
    expect(n1.acquire(1).sentOf('request').map(({ to }) => to)).toEqual(['n3', 'n4']);
  });

  test('peers: a node that is silent itself would rather ask others than itself (protocol.md section 6)', () => {
    const n1 = new TestNode({ firstStart: false, ceilingOnDisk: 50 });
    expect(n1.acquire(1).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3', 'n4']);
    n1.release(1);
    n1.advance(LEASE_MS);
    expect(n1.acquire(2).sentOf('request').map(({ to }) => to)).toEqual(['n2', 'n3']);
  });
});

describe('a peer that is up and mute (protocol.md section 17)', () => {
  test('mute: who has waited a lease asks one further quorum, without those that granted nothing', () => {
    const n1 = new TestNode();
    const timestamp = n1.acquire(1).sentOf('request')[0]?.timestamp ?? NaN;
    n1.receives('n3', grant(timestamp, 500));
    // n2 says nothing.
    expect(n1.advance(LEASE_MS - 1).sentOf('request').some(({ to }) => to === 'n4' || to === 'n5')).toBe(false);
    const asked = n1.advance(RETRY_MS).sentOf('request').map(({ to }) => to);
    expect(asked.filter((to) => to !== 'n2' && to !== 'n3')).toHaveLength(1);
  });

  test('mute: it does not avoid itself, though its own vote is lent to another that waits', () => {
    const n1 = new TestNode({ coterie: buildCoterie(['n1', 'n2', 'n3'], { family: 'majority' }) });
    n1.receives('n3', request(1));
    n1.acquire(1);
    const asked = new Set<string>();
    for (let elapsedMs = 0; elapsedMs <= LEASE_MS; elapsedMs += RETRY_MS) {
      n1.receives('n3', request(1)); // It goes on waiting, for n2 says nothing to it either.
      for (const { to } of n1.advance(RETRY_MS).sentOf('request')) asked.add(to);
    }
    expect([...asked].sort()).toEqual(['n2', 'n3']);
  });

  test('mute: where others have so many votes that there is no such quorum, it looks for one again with each repeat', () => {
    const n1 = new TestNode({ coterie: buildCoterie(['n1', 'n2', 'n3', 'n4'], { family: 'majority' }) });
    const timestamp = n1.acquire(1).sentOf('request')[0]?.timestamp ?? NaN;
    // n2 says nothing, and the vote of n3 is lent.
    expect(n1.advance(LEASE_MS + RETRY_MS).sentOf('request').some(({ to }) => to === 'n4')).toBe(false);
    n1.receives('n3', grant(timestamp, 500, { sentAtMs: LEASE_MS }));
    expect(n1.advance(RETRY_MS).sentOf('request').some(({ to }) => to === 'n4')).toBe(true);
  });

  test('mute: and no other before another lease, so that waiting behind a long hold costs little', () => {
    const n1 = new TestNode({ coterie: buildCoterie(['n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7'], { family: 'majority' }) });
    n1.acquire(1);
    const others = (outcome: Outcome): number => new Set(outcome.sentOf('request').map(({ to }) => to)).size;
    const before = others(n1.advance(LEASE_MS - 1));
    const after = others(n1.advance(LEASE_MS));
    expect(after - before).toBeLessThanOrEqual(4);
    expect(others(n1.advance(LEASE_MS))).toBeLessThanOrEqual(6);
  });

  test('mute: a node whose ceiling cannot be written for a retry interval, while it has something to say', () => {
    const n1 = new TestNode({ diskIsStuck: true, coterie: N1_ASKS });
    expect(isMute(n1.core, 5 * RETRY_MS)).toBe(false);
    n1.acquire(1);
    expect(isMute(n1.core, RETRY_MS - 1)).toBe(false);
    expect(isMute(n1.core, RETRY_MS)).toBe(true);
    n1.event({ kind: 'ceilingReserved', ceiling: 1e9 });
    expect(isMute(n1.core, 5 * RETRY_MS)).toBe(false);
  });
});
