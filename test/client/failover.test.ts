/**
 * Clients that are no nodes, when their node dies, freezes, is cut off or stops: the lock ends by the client's own
 * clock before anyone else can have it, and requests that wait go on at another node. Real processes, real time.
 */
import { join } from 'node:path';
import { connect, startNode } from '../../src';
import type { HeldLock, LockError, MaekawaNode, RemoteLocks } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { Script, freePorts, startCluster, until } from '../support/processes';
import { Proxy } from '../support/proxy';

const LEASE_MS = 2_000;
/** Long enough that a holder elsewhere outlives the silence of one of its arbiters. */
const LONG_LEASE_MS = 10_000;

let cluster: Cluster;
const clients: RemoteLocks[] = [];
const proxies: Proxy[] = [];

/** A cluster that is mended after each test. */
function withCluster(leaseMs: number): void {
  beforeAll(async () => {
    cluster = await startCluster({ leaseMs });
  });
  beforeEach(async () => {
    for (const { id } of cluster.configuration.nodes) {
      if (cluster.isRunning(id)) cluster.signal(id, 'SIGCONT');
      else cluster.start(id);
    }
    await cluster.untilConnected(30_000);
  });
  afterAll(() => cluster.remove());
}

let tests = 0;
/** A lock of this test alone: what another one left behind ends with its lease. */
let name: string;
beforeEach(() => {
  name = `r${++tests}`;
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  for (const proxy of proxies.splice(0)) proxy.close();
});

function clientOf(...addresses: string[]): RemoteLocks {
  const client = connect({ addresses });
  clients.push(client);
  return client;
}

function at(...ids: string[]): string[] {
  return ids.map((id) => cluster.addressOf(id));
}

async function proxyTo(id: string): Promise<Proxy> {
  const proxy = await Proxy.to(cluster.addressOf(id));
  proxies.push(proxy);
  return proxy;
}

/** The lock is granted to another only after its holder knew, by its own clock, that it has it no longer. */
async function lossBeforeNext(held: HeldLock): Promise<LockError> {
  const next = await clientOf(...at('n2')).locks.acquire(held.name);
  expect(held.signal.aborted).toBe(true);
  expect(held.validForMs()).toBe(0);
  expect(next.token).toBeGreaterThan(held.token);
  next.release();
  return held.signal.reason as LockError;
}

describe('a lock held through a node', () => {
  withCluster(LEASE_MS);

  test('that is killed is lost no later than its lease ends', async () => {
    const held = await clientOf(...at('n1')).locks.acquire(name);
    cluster.signal('n1', 'SIGKILL');
    expect(await lossBeforeNext(held)).toMatchObject({ code: 'lost', definite: false, message: expect.stringContaining(JSON.stringify(held.name)) as string });
  });

  test('that freezes is lost when its lease has ended by the clock of the client', async () => {
    const client = clientOf(...at('n1'));
    const held = await client.locks.acquire(name);
    const request = client.locks.request('callback', () => new Promise(() => undefined)).catch((error: unknown) => error);
    await until(async () => (await client.locks.query()).held.length === 2, 'both to be held');
    cluster.signal('n1', 'SIGSTOP');
    expect(await lossBeforeNext(held)).toMatchObject({ code: 'lost', definite: false });
    expect(await request).toMatchObject({ code: 'lost' });
    // A node that wakes up finds nothing to mend: its clients have gone on.
    cluster.signal('n1', 'SIGCONT');
    const again = await clientOf(...at('n1')).locks.acquire(name);
    expect(again.token).toBeGreaterThan(held.token);
  });

  test.each([
    ['in both directions', { up: true, down: true }],
    ['towards the node, whose renewals still arrive', { up: true, down: false }],
    ['from the node, which still hears the client', { up: false, down: true }],
  ])('that is cut off %s is lost when its lease has ended by the clock of the client', async (_what, stopped) => {
    const proxy = await proxyTo('n1');
    const held = await clientOf(proxy.address).locks.acquire(name);
    Object.assign(proxy.stopped, stopped);
    const reason = await lossBeforeNext(held);
    // Its own clock said so, and not the node.
    expect(reason).toMatchObject({ code: 'lost', definite: false, message: expect.stringContaining('did not renew it in time') as string });
  });

  test('is lost when its connection breaks for good, and kept from others for as long as the client was told', async () => {
    const proxy = await proxyTo('n1');
    const held = await clientOf(proxy.address).locks.acquire(name);
    proxy.close();
    expect(await lossBeforeNext(held)).toMatchObject({ code: 'lost', definite: false });
  });

  test('goes on with all the others when the connection is reset, and who waits keeps its place', async () => {
    const proxy = await proxyTo('n1');
    const { locks } = clientOf(proxy.address);
    const held = await Promise.all(Array.from({ length: 50 }, (_, index) => locks.acquire(`${name} ${index}`)));
    const first = locks.acquire(`${name} 0`);
    await locks.query({ scope: 'node' });
    const later = clientOf(...at('n1')).locks.acquire(`${name} 0`);
    await until(async () => (await locks.query({ scope: 'node' })).pending.filter((each) => each.name === `${name} 0`).length === 2, 'both to wait');
    for (let resets = 0; resets < 3; resets++) {
      const renewed = new Promise<void>((resolve) => held[1]?.onRenewed(() => resolve()));
      proxy.reset();
      await renewed; // over the stream that took the place of the one that broke
    }
    expect(held.filter(({ signal }) => signal.aborted)).toEqual([]);
    await Promise.all(held.map((lock) => lock.release()));
    const one = await first;
    expect(one.token).toBeGreaterThan(held[0]?.token ?? 0);
    await one.release();
    expect((await later).token).toBeGreaterThan(one.token);
  });

  test('that stops in good order: the signal aborts, and a callback that ends in time gives the lock back', async () => {
    const client = clientOf(...at('n1'));
    const result = client.locks.request(name, (lock) => new Promise<string>((resolve) => {
      lock.signal.addEventListener('abort', () => resolve(`ended by ${(lock.signal.reason as LockError).code}, valid: ${lock.validForMs() > 0}`));
    }));
    await until(async () => (await client.locks.query()).held.length > 0, 'the lock to be held');
    const next = clientOf(...at('n2')).locks.acquire(name);
    cluster.signal('n1', 'SIGTERM');
    expect(await result).toBe('ended by closed, valid: true');
    expect(await cluster.exited('n1')).toBe(0);
    expect((await next).token).toBeGreaterThan(0);
  });

  test('that stops while the callback goes on: the request ends with the lease', async () => {
    const client = clientOf(...at('n1'));
    let held: { readonly signal: AbortSignal; validForMs(): number } | undefined;
    const result = client.locks.request(name, (lock) => {
      held = lock;
      return new Promise(() => undefined);
    }).catch((error: unknown) => error);
    await until(() => held, 'the lock to be held');
    cluster.signal('n1', 'SIGTERM');
    await until(() => held?.signal.aborted === true, 'the signal');
    expect(held?.signal.reason).toMatchObject({ code: 'closed' });
    const next = clientOf(...at('n2')).locks.acquire(name).then((lock) => {
      expect(held?.validForMs()).toBe(0);
      return lock;
    });
    expect(await result).toMatchObject({ code: 'lost' });
    await next;
    await cluster.exited('n1');
  });

  test('is free for others when the client has closed', async () => {
    const client = clientOf(...at('n1'));
    const held = await client.locks.acquire(name);
    await client.close();
    expect(held.signal.reason).toMatchObject({ code: 'closed' });
    expect((await clientOf(...at('n1')).locks.query()).held).toEqual([]);
  });
});

describe('a request that waits', () => {
  withCluster(LONG_LEASE_MS);

  test.each([['is killed', 'SIGKILL'], ['freezes', 'SIGSTOP'], ['stops', 'SIGTERM']] as const)('goes on at another node when its own %s', async (_what, signal) => {
    const holder = await clientOf(...at('n3')).locks.acquire(name);
    const client = clientOf(...at('n1', 'n2'));
    const waiting = client.locks.acquire(name);
    await client.locks.query();
    cluster.signal('n1', signal);
    const other = clientOf(...at('n2'));
    await until(async () => (await other.locks.query()).pending.length > 0, 'the request to wait at n2');
    holder.release();
    expect((await waiting).token).toBeGreaterThan(holder.token);
    expect((await client.locks.query()).held).toMatchObject([{ name, clientId: expect.stringMatching(/^n2\/\d+$/) as string }]);
    if (signal !== 'SIGSTOP') await cluster.exited('n1');
  });

  test('passes over a node that takes connections and says nothing', async () => {
    cluster.signal('n1', 'SIGSTOP');
    const { locks } = clientOf(...at('n1', 'n2'));
    expect((await locks.acquire(name)).token).toBeGreaterThan(0);
    expect((await locks.query()).held).toMatchObject([{ name, clientId: expect.stringMatching(/^n2\/\d+$/) as string }]);
  });

  test('ends with what was tried when no node answers in time', async () => {
    cluster.signal('n1', 'SIGSTOP');
    const { locks } = clientOf(...at('n1'));
    await expect(locks.acquire(name, { waitMs: 100 })).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/^no node answered for the lock "r\d+" within \d+ ms; tried 127\.0\.0\.1:\d+ \(no answer for \d+ ms\)\. /) as string,
    });
  });
});

test('a request leaves a node that reaches no quorum for one that does', async () => {
  const ports = await freePorts(3);
  const config = { cluster: 'torn', nodes: ports.map((port, index) => ({ id: `n${index + 1}`, address: `127.0.0.1:${port}` })), quorums: { family: 'majority' }, leaseMs: LEASE_MS };
  const nowhere = '127.0.0.1:9';
  const peers: Record<string, Record<string, string>> = { n1: { n2: nowhere, n3: nowhere }, n2: { n1: nowhere }, n3: { n1: nowhere } };
  const nodes: MaekawaNode[] = [];
  try {
    for (const id of ['n1', 'n2', 'n3']) nodes.push(await startNode({ id, config, ephemeral: true, firstStart: true, ...(peers[id] === undefined ? {} : { peers: peers[id] }) }));
    const client = clientOf(...nodes.map((node) => node.address));
    const lock = await client.locks.acquire(name);
    expect((await client.locks.query()).held).toMatchObject([{ name, clientId: expect.stringMatching(/^n[23]\//) as string, token: lock.token }]);
    // With no better node to go to, it says what is missing.
    await expect(clientOf(nodes[0]?.address ?? '').locks.acquire('s', { waitMs: 1_500 })).rejects.toMatchObject({ code: 'no-quorum' });
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
});

test('a client that comes back while its node has no room for a session goes on with its locks when there is room again', async () => {
  const config = { nodes: [{ id: 'n1', address: '127.0.0.1:7001' }], quorums: { family: 'majority' }, leaseMs: 60_000 };
  const node = await startNode({ id: 'n1', config, listen: '127.0.0.1:0', ephemeral: true, firstStart: true, limits: { sessionsPerNode: 1 } });
  const proxy = await Proxy.to(node.address);
  const client = clientOf(proxy.address);
  const lock = await client.locks.acquire('a');
  proxy.reset();
  const other = clientOf(node.address);
  let taken: HeldLock | undefined;
  await until(async () => (taken = await other.locks.acquire('b').catch(() => undefined)) !== undefined, 'the other client to take the only place');
  await expect(client.locks.acquire('c')).rejects.toMatchObject({ code: 'config', message: expect.stringMatching(/sessions already/) as string });
  expect(lock.signal.aborted).toBe(false);
  await taken?.release();
  await other.close();
  await until(() => client.locks.request('d', () => true).catch(() => false), 'the client to come back');
  expect(lock.signal.aborted).toBe(false);
  await lock.release();
  await node.locks.request('a', { waitMs: 5_000 }, () => undefined);
  proxy.close();
  await node.stop();
});

describe('a process ends by itself', () => {
  withCluster(LEASE_MS);

  /** Runs it in a process of its own; nothing there calls `process.exit`. */
  async function run(body: string): Promise<{ readonly code: number | NodeJS.Signals; readonly output: string }> {
    const script = new Script(`const { connect, startNode } = require(${JSON.stringify(join(__dirname, '../../dist/src'))});
      (async () => { ${body} })().catch((error) => { console.log(error); process.exitCode = 1; });`);
    const killer = setTimeout(() => script.signal('SIGKILL'), 60_000);
    const code = await script.ended;
    clearTimeout(killer);
    return { code, output: script.output + script.errors };
  }

  // What waits is asked for outside the chain of calls that holds: else it would be warned.
  const uses = `
    const { AsyncResource } = require('node:async_hooks');
    const elsewhere = new AsyncResource('elsewhere');
    await locks.request('a', () => 1);
    const held = await locks.acquire('b');
    const giveUp = new AbortController();
    const refused = elsewhere.runInAsyncScope(() => Promise.allSettled([locks.acquire('b', { signal: giveUp.signal }), locks.acquire('b', { waitMs: 50 }), locks.tryAcquire('b')]));
    await locks.query();
    giveUp.abort();
    await refused;
    await locks.semaphore('pool', 3).request(() => 1);
    const both = await locks.acquireAll(['c', 'd']);
    const waits = elsewhere.runInAsyncScope(() => Promise.allSettled([locks.acquire('c'), locks.request('d', () => 1)]));
  `;

  test('after close, with locks held and waited for', async () => {
    const addresses = JSON.stringify(at('n1', 'n2'));
    expect(await run(`const { locks, close } = connect({ addresses: ${addresses} }); ${uses} await close(); await waits; console.log('closed');`)).toEqual({ code: 0, output: 'closed\n' });
  });

  test('after close, when the node is frozen', async () => {
    cluster.signal('n1', 'SIGSTOP');
    const addresses = JSON.stringify(at('n1'));
    expect(await run(`const { locks, close } = connect({ addresses: ${addresses} });
      const waits = locks.acquire('a').catch((error) => console.log(error.code)); setTimeout(close, 500); await waits;`)).toEqual({ code: 0, output: 'closed\n' });
  });

  test('after the node in it was stopped, with locks held and waited for', async () => {
    const config = JSON.stringify({ nodes: [{ id: 'n1', address: '127.0.0.1:7001' }], quorums: { family: 'majority' }, leaseMs: 60_000 });
    expect(await run(`const node = await startNode({ id: 'n1', config: ${config}, listen: '127.0.0.1:0', ephemeral: true, firstStart: true });
      const { locks } = node; ${uses} await node.stop(); await waits; console.log('stopped');`)).toEqual({ code: 0, output: 'stopped\n' });
  });
});
