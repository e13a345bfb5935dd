/** `once` for processes that are no nodes: their node keeps the lock on, under the limits of held ones, and not longer than it lives. */
import * as grpc from '@grpc/grpc-js';
import { connect } from '../../src';
import type { RemoteLocks } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { locksMethods } from '../../src/client-protocol/schema';
import type { HoldEvent } from '../../src/client-protocol/schema';
import { Script, startCluster, until } from '../support/processes';

const LEASE_MS = 1_500;

let cluster: Cluster;
const connections: RemoteLocks[] = [];

beforeAll(async () => {
  cluster = await startCluster({ leaseMs: LEASE_MS, nodeArguments: ['--limit', 'locksPerSession=3'] });
});
afterEach(() => Promise.all(connections.splice(0).map(({ close }) => close())));
afterAll(() => cluster.remove());

function locksAt(...ids: string[]): RemoteLocks['locks'] {
  const connection = connect({ addresses: ids.map((id) => cluster.addressOf(id)) });
  connections.push(connection);
  return connection.locks;
}

/** A process that runs a job once, says so, and ends; or dies within it. */
const JOB = `
  const { connect } = require('./dist/src');
  const [address, name, atLeastMs, dies] = process.argv.slice(1);
  const { locks, close } = connect({ addresses: [address] });
  void locks.once(name, { atLeastMs: Number(atLeastMs) }, () => {
    if (dies) process.kill(process.pid, 'SIGKILL');
    return 'done';
  }).then((outcome) => {
    console.log(JSON.stringify(outcome));
    return close();
  });
`;

test.each([['ends after its job', '', 0], ['dies within its job', 'dies', 'SIGKILL']])('a client that %s: its node keeps the lock on, and query shows it', async (_name, dies, end) => {
  const name = `kept ${dies}`;
  const job = new Script(JOB, cluster.addressOf('n1'), name, '60000', dies);
  expect(await job.ended).toBe(end);
  if (dies === '') expect(JSON.parse(job.output)).toEqual({ ran: true, value: 'done' });
  const locks = locksAt('n2');
  // Of one that died its node knows within a lease.
  const kept = await until(async () => (await locks.query()).held.find((each) => each.name === name && each.keptForMs !== undefined), 'it is shown as kept');
  expect(kept.clientId).toMatch(/^n1\/\d+$/);
  expect(kept.keptForMs).toBeLessThanOrEqual(60_000);
  await expect(locks.once(name, { atLeastMs: 60_000 }, () => 'again')).resolves.toEqual({ ran: false });
  await expect(locksAt('n1').once(name, { atLeastMs: 60_000 }, () => 'again')).resolves.toEqual({ ran: false });
});

test('at every node at once it runs once; and again when the time is over', async () => {
  const all = ['n1', 'n2', 'n3'].map((id) => locksAt(id));
  const run = (): Promise<boolean[]> => Promise.all(all.map(async (locks) => (await locks.once('all', { atLeastMs: 5_000 }, () => 'job')).ran));
  expect((await run()).filter(Boolean)).toHaveLength(1);
  await until(async () => (await all[0]?.query())?.held.every(({ name }) => name !== 'all'), 'it is kept no more');
  expect((await run()).filter(Boolean)).toHaveLength(1);
});

test('the node that keeps it is killed: the lock ends with the lease, and one that comes later runs the job', async () => {
  const of = await startCluster({ leaseMs: LEASE_MS });
  try {
    const at = (id: string): RemoteLocks['locks'] => {
      const connection = connect({ addresses: [of.addressOf(id)] });
      connections.push(connection);
      return connection.locks;
    };
    const first = await at('n1').once('nightly', { atLeastMs: 600_000 }, (lock) => lock.token);
    of.signal('n1', 'SIGKILL');
    const locks = at('n2');
    const later = await until(async () => {
      const outcome = await locks.once('nightly', { atLeastMs: 0 }, (lock) => lock.token);
      return outcome.ran ? outcome : null;
    }, 'it runs again');
    expect(later.value).toBeGreaterThan(first.ran ? first.value : Infinity);
  } finally {
    await of.remove();
  }
});

test('what is kept on counts as what is held: a session cannot have more of them', async () => {
  const locks = locksAt('n3');
  for (const name of ['x', 'y', 'z']) await locks.once(name, { atLeastMs: 60_000 }, () => name);
  await expect(locks.once('one too many', { atLeastMs: 60_000 }, () => 0)).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('has 3 locks wanted or held already') as string });
});

test('more than a day is refused', async () => {
  const client = new grpc.Client(cluster.addressOf('n1'), grpc.credentials.createInsecure());
  const { Hold } = locksMethods();
  const call = client.makeBidiStreamRequest<Parameters<typeof Hold.requestSerialize>[0], HoldEvent>(Hold.path, Hold.requestSerialize, Hold.responseDeserialize);
  const failed = new Promise<Partial<grpc.ServiceError>>((resolve) => call.on('error', resolve));
  call.on('data', () => undefined);
  call.write({ acquire: { lock: Buffer.from('a'), mode: 'LOCK_MODE_EXCLUSIVE', pings: false, sentAtMs: 0, steal: false, label: '', ifAvailable: false, atLeastMs: 86_400_001 } });
  expect(await failed).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: 'at_least_ms is 86400001, and at most 86400000, a day' });
  client.close();
});
