/**
 * A client that gave its locks back may exit at once, without `close`: nobody waits for its lease. The lease is so long that a
 * lock which was not given back is not free within any of these tests.
 */
import { connect } from '../../src';
import type { LockError, RemoteLocks } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { Script, startCluster, until } from '../support/processes';

const LEASE_MS = 60_000;
const WITHIN_MS = 20_000;

let cluster: Cluster;
let other: RemoteLocks;

beforeAll(async () => {
  cluster = await startCluster({ leaseMs: LEASE_MS });
  other = connect({ addresses: [cluster.addressOf('n2')] });
});
afterAll(async () => {
  await other.close();
  await cluster.remove();
});

/** Runs this in a process of its own that is a client of n1. */
function client(body: string): Script {
  return new Script(`
    const { locks } = require('./dist/src').connect({ addresses: [process.argv[1]] });
    (async () => {${body}})().catch((error) => { console.error(error); process.exit(1); });
  `, cluster.addressOf('n1'));
}

test.each([
  ['request', ['a'], "await locks.request('a', () => 1)"],
  ['a request whose callback throws', ['b'], "await locks.request('b', () => { throw new Error('mine') }).catch(() => 0)"],
  ['release', ['c'], "await (await locks.acquire('c')).release()"],
  ['a second release', ['d'], "const lock = await locks.acquire('d'); lock.release(); await lock.release()"],
  ['asyncDispose', ['e'], "await (await locks.acquire('e'))[Symbol.asyncDispose]()"],
  ['acquireAll', ['f', 'g'], "await (await locks.acquireAll(['f', 'g'])).release()"],
  ['a request of a semaphore', ['s'], "await locks.semaphore('s', 1).request(() => 1)"],
  ['the release of a permit', ['t'], "await (await locks.semaphore('t', 1).acquire()).release()"],
])('%s, then process.exit: the next one has it at once', async (_what, names, body) => {
  expect(await client(`${body}; process.exit(7)`).ended).toBe(7);
  for (const name of names) {
    const isSemaphore = name === 's' || name === 't';
    const held = await (isSemaphore ? other.locks.semaphore(name, 1).acquire({ waitMs: WITHIN_MS }) : other.locks.acquire(name, { waitMs: WITHIN_MS }));
    await held.release();
  }
});

test('acquireAll that does not get all gives back what it had before it rejects', async () => {
  const blocker = await other.locks.acquire('z');
  expect(await client("await locks.acquireAll(['y', 'z'], { waitMs: 500 }).catch((error) => process.exit(error.code === 'timeout' ? 7 : 8))").ended).toBe(7);
  await (await other.locks.acquire('y', { waitMs: WITHIN_MS })).release();
  await blocker.release();
});

test('a client that uses no lock any more keeps no process alive, closed or not', async () => {
  expect(await client("await locks.request('h', () => 1)").ended).toBe(0);
});

describe('a node that does not answer', () => {
  test.each<['frozen' | 'dead', NodeJS.Signals]>([['frozen', 'SIGSTOP'], ['dead', 'SIGKILL']])('%s: release resolves at the latest when what it promised has run out, and request as its callback', async (_how, signal) => {
    const own = await startCluster({ leaseMs: 1_500 });
    const { locks, close } = connect({ addresses: [own.addressOf('n1')] });
    try {
      const lock = await locks.acquire('a');
      const all = await locks.acquireAll(['b', 'c']);
      let isInside = false;
      let leave = (): void => undefined;
      const request = locks.request('d', () => new Promise<string>((resolve) => {
        isInside = true;
        leave = () => resolve('left');
      }));
      const outcome = request.catch((error: LockError) => error.code);
      await until(() => isInside, 'the callback to begin');
      own.signal('n1', signal);
      leave();
      await expect(lock.release()).resolves.toBeUndefined();
      await expect(all.release()).resolves.toBeUndefined();
      // Dead, it may have been noticed first.
      expect(['left', 'lost']).toContain(await outcome);
    } finally {
      own.signal('n1', 'SIGCONT');
      await close();
      await own.remove();
    }
  });
});
