/** `ifAvailable` and `tryAcquire`: yes whenever the lock is free, no as soon as its holder says so. */
import type { HeldLock } from '../../src';
import { testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';

const LEASE_MS = 6_000;
const LATENCY_MS = 10;
const ROUND_TRIP_MS = 2 * LATENCY_MS;
/** How long a lock that nobody is known to hold may take to be granted. */
const PATIENCE_MS = 500;

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await testCluster({ nodes: 3, leaseMs: LEASE_MS, latencyMs: LATENCY_MS });
});
afterEach(() => cluster.stop());

async function acquire(id: string, mode: 'exclusive' | 'shared' = 'exclusive'): Promise<HeldLock> {
  const acquired = cluster.node(id).locks.acquire('stock', { mode });
  await cluster.advance(100);
  return acquired;
}

/** What `tryAcquire` came to, `undefined` while it has not. */
class Attempt {
  outcome: HeldLock | null | undefined;

  constructor(id: string, mode: 'exclusive' | 'shared' = 'exclusive') {
    void cluster.node(id).locks.tryAcquire('stock', { mode }).then((lock) => (this.outcome = lock));
  }
}

describe('a lock that is not free', () => {
  test('held through another node: the answer comes after one round trip, and the holder keeps it', async () => {
    const held = await acquire('n1');
    const attempt = new Attempt('n2');
    await cluster.advance(ROUND_TRIP_MS - 1);
    expect(attempt.outcome).toBeUndefined();
    await cluster.advance(1);
    expect(attempt.outcome).toBeNull();
    await cluster.advance(2 * LEASE_MS);
    expect(held.validForMs()).toBeGreaterThan(0);
  });

  test('held through the same node: at once, without a message', async () => {
    await acquire('n1');
    const attempt = new Attempt('n1');
    await cluster.settle();
    expect(attempt.outcome).toBeNull();
  });

  test('waited for by another: as soon as that one holds it', async () => {
    const held = await acquire('n1');
    const next = cluster.node('n3').locks.acquire('stock');
    await cluster.advance(100);
    held.release();
    const attempt = new Attempt('n2');
    await cluster.advance(4 * LATENCY_MS + ROUND_TRIP_MS);
    expect(attempt.outcome).toBeNull();
    (await next).release();
  });

  test('held by readers: no for a writer, yes for a reader', async () => {
    await acquire('n1', 'shared');
    const writer = new Attempt('n2');
    await cluster.advance(ROUND_TRIP_MS);
    expect(writer.outcome).toBeNull();
    const reader = new Attempt('n3', 'shared');
    await cluster.advance(100);
    expect(reader.outcome?.mode).toBe('shared');
  });

  test('held by one that does not answer: after half a second, and yes once its lease has ended', async () => {
    await acquire('n1');
    cluster.node('n1').crash();
    const early = new Attempt('n2');
    await cluster.advance(PATIENCE_MS - 1);
    expect(early.outcome).toBeUndefined();
    await cluster.advance(1);
    expect(early.outcome).toBeNull();
    await cluster.advance(LEASE_MS);
    const late = new Attempt('n2');
    await cluster.advance(100);
    expect(late.outcome?.token).toBeGreaterThan(0);
  });

  test('held by one that only the other nodes reach: after half a second', async () => {
    await acquire('n1');
    cluster.cut('n1', 'n2');
    const attempt = new Attempt('n2');
    await cluster.advance(PATIENCE_MS);
    expect(attempt.outcome).toBeNull();
  });

  test('nothing of the attempt is left in the way of others', async () => {
    const held = await acquire('n1');
    const attempt = new Attempt('n2');
    await cluster.advance(100);
    expect(attempt.outcome).toBeNull();
    expect((await cluster.node('n1').locks.query()).pending).toEqual([]);
    held.release();
    expect((await acquire('n3')).token).toBeGreaterThan(held.token);
  });
});

describe('a lock that is free', () => {
  test('never used: granted', async () => {
    const attempt = new Attempt('n2');
    await cluster.advance(ROUND_TRIP_MS);
    expect(attempt.outcome?.token).toBeGreaterThan(0);
  });

  test('released, its votes kept by the node that had it: granted after these are given back', async () => {
    const held = await acquire('n1');
    held.release();
    const attempt = new Attempt('n2');
    await cluster.advance(2 * ROUND_TRIP_MS);
    expect(attempt.outcome?.token).toBeGreaterThan(held.token);
  });

  test('tried by two at once, or one a little later: exactly one gets it', async () => {
    for (let laterMs = 0; laterMs <= 3 * ROUND_TRIP_MS; laterMs++) {
      const attempts = [new Attempt('n1')];
      await cluster.advance(laterMs);
      attempts.push(new Attempt('n2'));
      await cluster.advance(PATIENCE_MS + 100);
      const granted = attempts.flatMap(({ outcome }) => outcome ?? []);
      expect([laterMs, granted.length]).toEqual([laterMs, 1]);
      for (const lock of granted) lock.release();
      await cluster.advance(LEASE_MS); // no votes are kept: the next two begin from nothing
    }
  });

  test('held for good once it is granted, whoever asks meanwhile', async () => {
    const attempt = new Attempt('n1');
    await cluster.advance(ROUND_TRIP_MS);
    const others = [new Attempt('n2'), new Attempt('n3')];
    await cluster.advance(2 * LEASE_MS);
    expect(others.map(({ outcome }) => outcome)).toEqual([null, null]);
    expect(attempt.outcome?.validForMs()).toBeGreaterThan(0);
  });
});
