/** What a node's locks do beyond the Web Locks specification, for one caller. */
import type { HeldLock } from '../../src';
import { testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';

const LEASE_MS = 6_000;

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await testCluster({ nodes: 3, leaseMs: LEASE_MS, latencyMs: 10 });
});
afterEach(() => cluster.stop());

/** Let time pass until the lock is held. */
async function acquire(id: string, name = 'stock'): Promise<HeldLock> {
  const acquired = cluster.node(id).locks.acquire(name);
  await cluster.advance(100);
  return acquired;
}

describe('a held lock', () => {
  test('says for how long it is held if no renewal succeeds: less than a lease, and less and less', async () => {
    const held = await acquire('n1');
    const before = held.validForMs();
    expect(before).toBeLessThan(LEASE_MS);
    await cluster.advance(500);
    expect(held.validForMs()).toBe(before - 500);
    held.release();
    expect(held.validForMs()).toBe(0);
  });

  test('is renewed for as long as it is held, and tells so', async () => {
    const held = await acquire('n1');
    const renewals: number[] = [];
    held.onRenewed((validForMs) => renewals.push(validForMs));
    await cluster.advance(5 * LEASE_MS);
    expect(held.validForMs()).toBeGreaterThan(0);
    expect(held.signal.aborted).toBe(false);
    // One renewal in each third of a lease, each worth the lease less the way there and back and the margin.
    expect(renewals.length).toBeGreaterThanOrEqual(14);
    expect(Math.min(...renewals)).toBeGreaterThan(LEASE_MS * 0.9);
  });

  test('is released once, however often release is called', async () => {
    const first = await acquire('n1');
    first.release();
    const second = await acquire('n1');
    first.release();
    await cluster.advance(LEASE_MS);
    expect(second.signal.aborted).toBe(false);
    expect(second.validForMs()).toBeGreaterThan(0);
  });

  test('is released by its loss: a late release takes nothing from whoever has it now', async () => {
    const lost = await acquire('n1');
    cluster.isolate('n1');
    await cluster.advance(LEASE_MS);
    expect(lost.signal.aborted).toBe(true);
    cluster.heal();
    const now = await acquire('n1');
    lost.release();
    await cluster.advance(2 * LEASE_MS);
    expect(now.validForMs()).toBeGreaterThan(0);
    expect(now.token).toBeGreaterThan(lost.token);
  });

  test('has a signal that is aborted already when it is first asked for after the loss', async () => {
    const lost = await acquire('n1');
    cluster.isolate('n1');
    await cluster.advance(LEASE_MS);
    expect(lost.signal.aborted).toBe(true);
    expect(lost.signal.reason).toMatchObject({ code: 'lost', definite: false });
    expect(lost.validForMs()).toBe(0);
  });

  test('is held again without a message when nobody else asked meanwhile, under a larger token', async () => {
    const first = await acquire('n1');
    first.release();
    const again = cluster.node('n1').locks.acquire('stock', { waitMs: 0 });
    await cluster.settle(); // no time passes, and each message would take 10 ms
    expect((await again).token).toBeGreaterThan(first.token);
  });
});

describe('a caller that waits no longer', () => {
  test('leaves its place in the line of its node, and on the other nodes', async () => {
    const held = await acquire('n1');
    const giveUp = new AbortController();
    const results: string[] = [];
    const note = (who: string) => (result: unknown): unknown => results.push(`${who}: ${result instanceof Error ? result.message : 'held'}`);
    for (const id of ['n1', 'n2']) {
      cluster.node(id).locks.acquire('stock', { signal: giveUp.signal }).then(note(`first of ${id}`), note(`first of ${id}`));
    }
    const n3 = cluster.node('n3').locks.acquire('stock');
    n3.then(note('n3'), note('n3'));
    await cluster.advance(100);
    giveUp.abort(new Error('enough'));
    await cluster.advance(100);
    held.release();
    await cluster.advance(100);
    expect(results).toEqual(['first of n1: enough', 'first of n2: enough', 'n3: held']);
    expect((await cluster.node('n1').locks.query({ scope: 'cluster' })).pending).toEqual([]);
  });

  test('by waitMs: not a millisecond early', async () => {
    await acquire('n1');
    let error: unknown = null;
    cluster.node('n2').locks.acquire('stock', { waitMs: 1_000 }).catch((reason: unknown) => (error = reason));
    await cluster.advance(999);
    expect(error).toBeNull();
    await cluster.advance(1);
    expect(error).toMatchObject({ code: 'timeout', definite: true });
  });

  test('a time-out no longer matters once the lock is held', async () => {
    const acquired = cluster.node('n1').locks.acquire('stock', { waitMs: 1_000 });
    await cluster.advance(2 * LEASE_MS);
    expect((await acquired).validForMs()).toBeGreaterThan(0);
  });
});
