/** How long a node is silent beyond one lease: after a life under a longer one, and while its driver says so (protocol.md section 16). */
import { silentForMs } from '../../src/core';
import { LEASE_MS, N1_ASKS, TestNode, only, release, request, yieldOf } from './harness';

describe('a life after one under other terms (protocol.md section 16)', () => {
  const OLD_LEASE_MS = 4 * LEASE_MS;

  test('silence: lasts for the longer of the two leases', () => {
    const n1 = new TestNode({ firstStart: false, ceilingOnDisk: 1000, silentMs: OLD_LEASE_MS });
    n1.receives('n2', request(1200));
    n1.advance(OLD_LEASE_MS - 1);
    expect(n1.receives('n2', request(1200)).sentOf('grant')).toEqual([]);
    expect(n1.advance(1).sentOf('grant')).toHaveLength(1);
  });
});

describe('a silence that the driver asks for (protocol.md section 17)', () => {
  test('silence: nothing new is lent until the driver says so; then all who wait are served', () => {
    const n1 = new TestNode();
    n1.event({ kind: 'silence', untilMs: null });
    expect(silentForMs(n1.core, n1.nowMs)).toBe(Infinity);
    expect(n1.receives('n2', request(200)).sent()).toEqual([]);
    expect(n1.receives('n3', request(210, { lock: 'b' })).sent()).toEqual([]);
    n1.advance(10 * LEASE_MS);
    n1.receives('n2', request(200));
    n1.receives('n3', request(210, { lock: 'b' }));
    expect(n1.event({ kind: 'silence', untilMs: n1.nowMs }).sentOf('grant').map(({ lock }) => lock)).toEqual(['a', 'b']);
    expect(n1.receives('n4', request(220, { lock: 'c' })).sentOf('grant')).toHaveLength(1);
  });

  test('silence: with a moment told, it ends by itself', () => {
    const n1 = new TestNode();
    n1.event({ kind: 'silence', untilMs: LEASE_MS / 2 });
    n1.receives('n2', request(200));
    expect(n1.advance(LEASE_MS / 2 - 1).sentOf('grant')).toEqual([]);
    expect(n1.advance(1).sentOf('grant')).toHaveLength(1);
  });

  test('silence: what is lent stays lent, and is renewed', () => {
    const n1 = new TestNode();
    const lent = only(n1.receives('n2', request(200)).sentOf('grant'));
    n1.event({ kind: 'silence', untilMs: null });
    expect(only(n1.receives('n2', request(200)).sentOf('grant')).grant).toBe(lent.grant);
    n1.receives('n3', request(210));
    expect(n1.receives('n2', yieldOf(200, lent.grant)).sentOf('grant')).toEqual([]);
    expect(n1.receives('n2', release(200)).sentOf('grant')).toEqual([]);
    expect(n1.view()).toMatchObject({ grants: [], queue: [{ request: { node: 'n3' } }] });
  });

  test('silence: never shortens the one that a life begins with', () => {
    const n1 = new TestNode({ firstStart: false, ceilingOnDisk: 1000 });
    n1.event({ kind: 'silence', untilMs: n1.nowMs });
    expect(silentForMs(n1.core, n1.nowMs)).toBe(LEASE_MS);
    n1.advance(1);
    n1.receives('n2', request(200));
    expect(n1.advance(LEASE_MS - 2).sentOf('grant')).toEqual([]);
    expect(n1.advance(1).sentOf('grant')).toHaveLength(1);
  });

  test('silence: meanwhile this node, too, would rather ask others than itself', () => {
    const n1 = new TestNode({ self: 'n2', coterie: N1_ASKS });
    n1.event({ kind: 'silence', untilMs: null });
    expect(n1.acquire(1).sentOf('request').map(({ to }) => to)).toEqual(['n3', 'n4']);
  });
});
