/** How a node stops with a grace: its own callers on virtual time, clients over gRPC. */
import { LockError, connect, startNode } from '../../src';
import type { MaekawaNode, RemoteLocks } from '../../src';
import { testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';
import { until } from '../support/processes';

const LEASE_MS = 5_000;

async function failure(promise: Promise<unknown>): Promise<LockError> {
  const error: unknown = await promise.then(() => null, (reason: unknown) => reason);
  if (!(error instanceof LockError)) throw new Error(`expected a LockError, not ${String(error)}`);
  return error;
}

/** Whether it has settled by now. */
async function isSettled(cluster: TestCluster, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.finally(() => (settled = true)).catch(() => undefined);
  await cluster.settle();
  return settled;
}

describe('callers of the process', () => {
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = await testCluster({ nodes: 3, leaseMs: LEASE_MS });
  });
  afterEach(() => cluster.stop());

  test('who is inside goes on for many leases, who waits and who asks is told at once; the node stops when the last one leaves', async () => {
    const n1 = cluster.node('n1');
    const { locks } = n1;
    const held = await locks.acquire('a');
    const waits = failure(locks.request('a', () => undefined));
    const stopped = n1.stop({ graceMs: 60_000 });
    expect(await waits).toMatchObject({ code: 'closed', definite: true, message: 'node n1 is stopping: it no longer waits for the lock "a", after 0 ms' });
    for (const asks of [locks.acquire('b'), locks.request('a', () => undefined), locks.tryAcquire('a'), locks.acquireAll(['b', 'c']), locks.semaphore('s', 2).acquire()]) {
      expect((await failure(asks)).code).toBe('closed');
    }
    await cluster.advance(6 * LEASE_MS);
    expect(held.signal.aborted).toBe(false);
    expect(held.validForMs()).toBeGreaterThan(0);
    expect(await isSettled(cluster, stopped)).toBe(false);
    held.release();
    await stopped;
    expect(cluster.now()).toBe(6 * LEASE_MS);
  });

  test('it lends its vote to others until it has stopped', async () => {
    const [n1, n2] = [cluster.node('n1'), cluster.node('n2')];
    const held = await n1.locks.acquire('a');
    cluster.node('n3').crash();
    const stopped = n1.stop({ graceMs: 60_000 });
    // Of three nodes one is dead: without the vote of the one that stops there is no quorum.
    const other = n2.locks.acquire('b');
    await cluster.advance(3 * LEASE_MS);
    expect((await other).signal.aborted).toBe(false);
    held.release();
    await stopped;
    await cluster.advance(2 * LEASE_MS);
    expect((await other).signal.aborted).toBe(true);
  });

  test('at the end of the grace the holders are told, as by a stop without one', async () => {
    const n1 = cluster.node('n1');
    const held = await n1.locks.acquire('a');
    held.signal.addEventListener('abort', () => void held.release());
    const next = cluster.node('n2').locks.acquire('a');
    const stopped = n1.stop({ graceMs: 10_000 });
    await cluster.advance(9_999);
    expect(held.signal.aborted).toBe(false);
    await cluster.advance(1);
    await stopped;
    expect(held.signal.reason).toMatchObject({ code: 'closed', definite: true });
    expect((await next).token).toBeGreaterThan(held.token);
  });

  test('a further call shortens the grace and never prolongs it; without one it ends at once', async () => {
    const n1 = cluster.node('n1');
    const held = await n1.locks.acquire('a');
    const stopped = n1.stop({ graceMs: 10_000 });
    void n1.stop({ graceMs: 60_000 });
    void n1.stop({ graceMs: 8_000 });
    await cluster.advance(7_999);
    expect(held.signal.aborted).toBe(false);
    await cluster.advance(1);
    expect(held.signal.aborted).toBe(true);
    await stopped;

    const n2 = cluster.node('n2');
    const another = await n2.locks.acquire('b');
    const slow = n2.stop({ graceMs: 10_000 });
    await cluster.settle();
    expect(another.signal.aborted).toBe(false);
    await n2.stop();
    expect(another.signal.aborted).toBe(true);
    await slow;
  });

  test('a grace that is none, or a misspelt option, is refused, and the node goes on', async () => {
    const n1 = cluster.node('n1');
    for (const [options, message] of [
      [{ graceMs: -1 }, /^graceMs is a number of milliseconds from 0 to 2147483647, not -1\. The node goes on$/],
      [{ graceMs: '30s' }, /not "30s"/],
      [{ graceMs: Infinity }, /not Infinity/],
      [{ grace: 30 }, /^stop has no option "grace"; it has graceMs\. The node goes on$/],
    ] as const) {
      const error = await failure(n1.stop(options as object));
      expect(error.code).toBe('config');
      expect(error.message).toMatch(message);
    }
    await n1.locks.request('a', () => undefined);
    // As a listener of a signal or an event it is called with something else.
    await n1.stop('SIGTERM' as unknown as object);
  });
});

describe('clients', () => {
  const nodes: MaekawaNode[] = [];
  const clients: RemoteLocks[] = [];
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await Promise.all(nodes.splice(0).map((node) => node.stop()));
  });

  test('who holds goes on until it releases; who waits and who asks goes to another node at once', async () => {
    const config = { cluster: 'test', nodes: ['n1', 'n2', 'n3'].map((id, index) => ({ id, address: `127.0.0.1:${index + 1}` })), quorums: { family: 'majority' }, leaseMs: 1_000 };
    const logged: string[] = [];
    const log = { debug: ignore, info: note, warn: note, error: note, fatal: note, child: () => log, isLevelEnabled: () => false };
    function ignore(): void {}
    function note(first: string | object, message?: string): void {
      logged.push(message ?? (typeof first === 'string' ? first : ''));
    }
    for (const id of ['n1', 'n2', 'n3']) {
      const peers = Object.fromEntries(nodes.map((node) => [node.id, node.address]));
      nodes.push(await startNode({ id, config, listen: '127.0.0.1:0', peers, ephemeral: true, firstStart: true, log }));
    }
    const [n1, n2] = nodes as [MaekawaNode, MaekawaNode, MaekawaNode];
    const client = (...of: MaekawaNode[]): RemoteLocks => {
      const remote = connect({ addresses: of.map((node) => node.address) });
      clients.push(remote);
      return remote;
    };
    const held = await client(n1).locks.acquire('a', { label: 'deploy 7' });
    const waits = client(n1, n2).locks.acquire('a', { label: 'waits' });
    await until(async () => (await n1.locks.query({ scope: 'node' })).pending.length === 1, 'the second client to wait through n1');

    const stopped = n1.stop({ graceMs: 60_000 });
    await until(async () => (await n2.locks.query({ scope: 'node' })).pending.length === 1, 'it to wait through n2');
    expect(await n1.locks.query({ scope: 'node' })).toMatchObject({ held: [{ clientId: 'n1/1' }], pending: [] });
    // Asked by one that begins with n1, n2 grants it.
    (await client(n1, n2).locks.acquire('b')).release();
    // Renewed: it goes on for longer than what it was told first.
    let renewals = 0;
    held.onRenewed(() => renewals++);
    await until(() => renewals >= 4, 'renewals');
    expect(held.signal.aborted).toBe(false);
    expect(logged.find((line) => line.startsWith('takes no new request'))).toBe('takes no new request, and waits up to 60 s for what is held: "a" by n1/1 (deploy 7)');

    held.release();
    await stopped;
    const next = await waits;
    expect(next.token).toBeGreaterThan(held.token);
    expect(held.signal.aborted).toBe(false);
    next.release();
  });

  test('what a client keeps and does not use is not waited for', async () => {
    const config = { cluster: 'test', nodes: [{ id: 'n1', address: '127.0.0.1:1' }], quorums: { family: 'majority' }, leaseMs: 60_000 };
    const node = await startNode({ id: 'n1', config, listen: '127.0.0.1:0', ephemeral: true, firstStart: true });
    nodes.push(node);
    const client = connect({ addresses: [node.address], keep: true });
    clients.push(client);
    await client.locks.request('a', () => undefined);
    await node.stop({ graceMs: 60_000 });
    // Within the test, and so before the end of the grace.
    expect((await failure(client.locks.acquire('a', { waitMs: 0 }))).code).toBe('unreachable');
  });
});
