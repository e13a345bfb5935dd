/** Another process has this node's id (protocol.md section 17.2). */
import { apartForMs } from '../../src/core';
import { Namesake } from '../../src/core/namesake';
import { LEASE_MS, RETRY_MS, SLACK, TestNode, grant, holding, inquire, request, retaining } from './harness';

function told(n1: TestNode, peer: string): void {
  n1.event({ kind: 'peerDown', peer });
  n1.event({ kind: 'namesake', peer });
}

describe('namesake: while a peer has another process of this id, a node', () => {
  test('lends nothing, and prolongs nothing that it lent', () => {
    const n1 = new TestNode();
    n1.receives('n3', request(200));
    told(n1, 'n2');
    expect(n1.receives('n4', request(210, { lock: 'b' })).sent()).toEqual([]);
    n1.pass(LEASE_MS - 1);
    const renewal = n1.receives('n3', request(200, { claim: 'holds' }));
    expect([renewal.sent(), renewal.reasons]).toEqual([[], ['another process has this id']]);
    n1.advance(1);
    expect(n1.view()).toBeNull();
  });

  test('holds nothing: who is inside has lost the lock, and all asked are told', () => {
    const { n1 } = holding();
    n1.event({ kind: 'peerDown', peer: 'n4' });
    const outcome = n1.event({ kind: 'namesake', peer: 'n4' });
    expect(outcome.callersOut).toEqual([1]);
    expect(outcome.sentOf('release').map(({ to }) => to)).toEqual(['n2', 'n3']);
  });

  test('recalls what a client holds, and tells nobody before that has given it back', () => {
    const { n1 } = holding({ remote: true });
    const outcome = n1.event({ kind: 'namesake', peer: 'n4' });
    expect([outcome.of('recalled').length, outcome.sent()]).toEqual([1, []]);
    expect(n1.release(1).sentOf('release').map(({ to }) => to)).toEqual(['n2', 'n3']);
  });

  test('keeps no grants, and asks nothing however long callers wait', () => {
    const { n1 } = retaining();
    expect(n1.event({ kind: 'namesake', peer: 'n4' }).sentOf('release')).toHaveLength(2);
    expect(n1.acquire(2).sent()).toEqual([]);
    expect(n1.advance(5 * LEASE_MS).sent()).toEqual([]);
    expect(apartForMs(n1.core, n1.nowMs)).toBe(Infinity);
  });

  test('answers for no request that it does not know: it may be the other one’s, who is inside', () => {
    const n1 = new TestNode();
    told(n1, 'n2');
    const answers = [n1.receives('n3', grant(500, 510)), n1.receives('n3', inquire(500, 510, { timestamp: 400, node: 'n4' }))];
    expect(answers.flatMap((outcome) => [outcome.sent().length, ...outcome.reasons])).toEqual([0, 'request of an earlier life', 0, 'request of an earlier life']);
  });

  test('takes part again one lease after the last such peer accepted it, and its callers ask under new ids', () => {
    const n1 = new TestNode();
    told(n1, 'n2');
    told(n1, 'n3');
    n1.acquire(1);
    n1.receives('n5', request(150, { lock: 'b' }));
    n1.event({ kind: 'peerUp', peer: 'n2', clock: 700 });
    n1.advance(2 * LEASE_MS);
    n1.receives('n5', request(150, { lock: 'b' }));
    expect(n1.event({ kind: 'peerUp', peer: 'n3', clock: 800 }).sent()).toEqual([]);
    n1.receives('n4', request(150, { lock: 'b' }));
    expect(n1.advance(LEASE_MS - 1).sent()).toEqual([]);
    const back = n1.advance(1);
    const asked = back.sentOf('request');
    expect(asked.length).toBeGreaterThan(1);
    expect(asked.every(({ timestamp }) => timestamp > 800)).toBe(true);
    n1.receives('n4', request(160, { lock: 'c' }));
    expect(n1.receives('n4', request(170, { lock: 'd' })).sentOf('grant')).toHaveLength(1);
  });

  test('lends above every token that the other process may have allowed: SLACK above what a peer told when it accepted this one', () => {
    const n1 = new TestNode();
    told(n1, 'n2');
    n1.event({ kind: 'peerUp', peer: 'n2', clock: 700 });
    n1.advance(LEASE_MS);
    const [granted] = n1.receives('n3', request(300)).sentOf('grant');
    expect(granted?.clock).toBeGreaterThan(700 + SLACK);
  });

  test('begins anew when a peer finds the other one again meanwhile', () => {
    const n1 = new TestNode();
    told(n1, 'n2');
    n1.event({ kind: 'peerUp', peer: 'n2', clock: 0 });
    n1.advance(LEASE_MS - 1);
    told(n1, 'n2');
    n1.acquire(1);
    expect(n1.advance(5 * RETRY_MS).sent()).toEqual([]);
  });

  test('is not let out of a silence that its driver asked for', () => {
    const n1 = new TestNode();
    told(n1, 'n2');
    n1.event({ kind: 'silence', untilMs: 0 });
    expect(n1.receives('n3', request(200)).sent()).toEqual([]);
    n1.event({ kind: 'silence', untilMs: null });
    n1.event({ kind: 'peerUp', peer: 'n2', clock: 0 });
    n1.advance(2 * LEASE_MS);
    expect(n1.receives('n3', request(300)).sentOf('grant')).toEqual([]);
  });

  test('that has no memory stands apart, too, when it joins', () => {
    const n1 = new TestNode({ firstStart: false });
    told(n1, 'n2');
    n1.acquire(1);
    expect(n1.advance(3 * LEASE_MS).sentOf('request').filter(({ lock }) => lock === 'a')).toEqual([]);
    n1.event({ kind: 'peerUp', peer: 'n2', clock: 0 });
    expect(n1.advance(LEASE_MS).sentOf('request').filter(({ lock }) => lock === 'a')).not.toEqual([]);
  });
});

test('namesake: a peer that falls silent has not dropped the other process', () => {
  const namesake = new Namesake({ leaseMs: LEASE_MS });
  expect([namesake.found('n2'), namesake.found('n3')]).toEqual([true, false]);
  expect([namesake.accepted('n4', 10), namesake.accepted('n2', 20), namesake.untilMs]).toEqual([false, false, Infinity]);
  expect([namesake.accepted('n3', 30), namesake.untilMs, namesake.standsApart]).toEqual([true, 30 + LEASE_MS, true]);
  expect([namesake.onTime(29 + LEASE_MS), namesake.onTime(30 + LEASE_MS), namesake.standsApart]).toEqual([false, true, false]);
});
