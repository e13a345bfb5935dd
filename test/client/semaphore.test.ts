/** Semaphores of clients of real nodes: how many streams their callers open, and that no permit is lost over it. */
import { connect } from '../../src';
import type { RemoteLocks } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { NodeConnection } from '../../src/client/node-connection';
import { startCluster } from '../support/processes';

/** So long that a permit which is not given back is missed. */
const LEASE_MS = 60_000;

let cluster: Cluster;
const clients: RemoteLocks[] = [];
/** Each opens a stream. */
const asked = jest.spyOn(NodeConnection.prototype, 'acquire');

beforeAll(async () => {
  cluster = await startCluster({ leaseMs: LEASE_MS });
});
beforeEach(() => asked.mockClear());
afterEach(async () => {
  await Promise.all(clients.splice(0).map(({ close }) => close()));
});
afterAll(async () => {
  asked.mockRestore();
  await cluster.remove();
});

function client(id: string): RemoteLocks {
  const one = connect({ addresses: [cluster.addressOf(id)] });
  clients.push(one);
  return one;
}

/** So many callers of each client enter once. Returns how many were inside at once at most. */
async function enter(semaphore: string, permits: number, callers: number, ids: readonly string[]): Promise<number> {
  let inside = 0;
  let most = 0;
  await Promise.all(ids.map((id) => {
    const { locks } = client(id);
    return Promise.all(Array.from({ length: callers }, () => locks.semaphore(semaphore, permits).request(async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 50));
      inside--;
    })));
  }));
  return most;
}

/** All permits can be had at once, so none is held or waited for by anybody. */
async function expectAllFree(semaphore: string, permits: number): Promise<void> {
  const one = client('n3').locks.semaphore(semaphore, permits);
  const held = await Promise.all(Array.from({ length: permits }, () => one.acquire({ waitMs: 20_000 })));
  expect(new Set(held.map(({ permit }) => permit)).size).toBe(permits);
  await Promise.all(held.map((permit) => permit.release()));
}

test('ten callers, fifty permits: about one stream each, and nobody waits for another', async () => {
  expect(await enter('free', 50, 10, ['n1'])).toBe(10);
  // One each on a quiet machine; on a busy one somebody is slow to hear of its permit, and asks for three more at most.
  expect(asked.mock.calls.length).toBeLessThanOrEqual(4 * 10);
  await expectAllFree('free', 50);
});

test('two hundred callers, eight permits, clients of all nodes: all are served, and no permit is lost', async () => {
  expect(await enter('busy', 8, 40, ['n1', 'n1', 'n2', 'n2', 'n3'])).toBeLessThanOrEqual(8);
  expect(asked.mock.calls.length).toBeLessThanOrEqual(4 * 200);
  await expectAllFree('busy', 8);
});

test('one caller of each of many clients: they find the permits that others leave free', async () => {
  const ids = Array.from({ length: 12 }, (_, index) => `n${1 + (index % 3)}`);
  expect(await enter('spread', 16, 1, ids)).toBeLessThanOrEqual(16);
  expect(asked.mock.calls.length).toBeLessThanOrEqual(4 * 12);
  await expectAllFree('spread', 16);
});

test('a caller finds the one permit that becomes free among those for which it is not in line', async () => {
  const one = client('n1').locks.semaphore('last', 12);
  const held = await Promise.all(Array.from({ length: 12 }, () => one.acquire()));
  const waiting = client('n2').locks.semaphore('last', 12).acquire({ waitMs: 20_000 });
  const { held: all, pending } = await client('n3').locks.query();
  expect(all).toHaveLength(12);
  expect(pending.length).toBeLessThanOrEqual(4);
  const left = held[Math.floor(Math.random() * 12)];
  await left?.release();
  expect((await waiting).permit).toBe(left?.permit);
});

test('close: those that wait are refused, in line for a permit or not, and all is given back', async () => {
  const one = client('n1');
  const semaphore = one.locks.semaphore('closing', 2);
  await Promise.all([semaphore.acquire(), semaphore.acquire()]);
  const refused = Promise.all([1, 2, 3].map(() => expect(semaphore.acquire()).rejects.toMatchObject({ code: 'closed' })));
  await one.close();
  await refused;
  await expectAllFree('closing', 2);
});
