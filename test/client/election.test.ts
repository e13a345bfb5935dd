/** Elections on real nodes: candidates and observers that are no nodes, and leaders, nodes and clients that die or freeze. */
import { connect } from '../../src';
import type { Leader, RemoteLocks } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { Script, startCluster, until } from '../support/processes';

const LEASE_MS = 1_500;

let cluster: Cluster;
const connections: RemoteLocks[] = [];

beforeAll(async () => {
  cluster = await startCluster({ leaseMs: LEASE_MS });
});
afterEach(() => Promise.all(connections.splice(0).map(({ close }) => close())));
afterAll(() => cluster.remove());

function locksAt(...ids: string[]): RemoteLocks['locks'] {
  const connection = connect({ addresses: ids.map((id) => cluster.addressOf(id)) });
  connections.push(connection);
  return connection.locks;
}

/** A process that stands in the election: prints `led TOKEN`, and `over TOKEN CODE` when it hears of the end of the term. */
const CANDIDATE = `
  const { connect } = require('./dist/src');
  const [address, name, label] = process.argv.slice(1);
  void connect({ addresses: address.split(',') }).locks.election(name, { label }).run(async (term) => {
    console.log('led', term.token);
    await new Promise((resolve) => term.signal.addEventListener('abort', resolve));
    console.log('over', term.token, term.signal.reason.code);
  });
`;

function candidate(name: string, label: string, ...ids: string[]): Script {
  return new Script(CANDIDATE, ids.map((id) => cluster.addressOf(id)).join(','), name, label);
}

async function tokenOf(script: Script, term = 1): Promise<number> {
  await until(() => [...script.output.matchAll(/^led (\d+)$/gm)].length >= term, () => `term ${term} in: ${script.output}${script.errors}`);
  return Number([...script.output.matchAll(/^led (\d+)$/gm)][term - 1]?.[1]);
}

/** Collects what is observed. */
function observing(locks: RemoteLocks['locks'], name: string): (Leader | null)[] {
  const seen: (Leader | null)[] = [];
  void (async () => {
    for await (const leader of locks.election(name).observe()) seen.push(leader);
  })().catch(() => undefined); // closed, at the end of the test
  return seen;
}

test('observers at every node see the leader of any, and its end', async () => {
  const seen = ['n1', 'n2', 'n3'].map((id) => observing(locksAt(id), 'seen'));
  await until(() => seen.every(([first]) => first === null), 'nobody leads');
  const term = await locksAt('n2').election('seen', { label: 'n2 leads' }).campaign();
  await until(() => seen.every(([, leader]) => leader?.token === term.token), () => `all see the leader: ${JSON.stringify(seen)}`);
  expect(seen.map(([, leader]) => leader?.label)).toEqual(['n2 leads', 'n2 leads', 'n2 leads']);
  await term.resign();
  await until(() => seen.every(([, , leader]) => leader === null), () => `all see its end: ${JSON.stringify(seen)}`);
});

test('a leader that is killed: a successor within a lease, with a larger token, and observers hear of it', async () => {
  const first = candidate('killed', 'first', 'n1');
  const token = await tokenOf(first);
  const seen = observing(locksAt('n3'), 'killed');
  await until(() => seen.at(-1)?.label === 'first', 'the first leads');
  const second = candidate('killed', 'second', 'n2');
  const { locks } = connections.at(-1) ?? { locks: locksAt('n3') };
  await until(async () => (await locks.query({ scope: 'cluster' })).pending.some(({ name }) => name === 'killed'), 'the second waits');
  first.signal('SIGKILL');
  expect(await tokenOf(second)).toBeGreaterThan(token);
  await until(() => seen.at(-1)?.label === 'second', () => `the second is seen: ${JSON.stringify(seen)}`);
  second.signal('SIGKILL');
});

test('a leader that is frozen hears when it thaws that its term is over, and stands again', async () => {
  const first = candidate('frozen', 'first', 'n1');
  const token = await tokenOf(first);
  first.signal('SIGSTOP');
  const second = candidate('frozen', 'second', 'n2');
  const next = await tokenOf(second);
  expect(next).toBeGreaterThan(token);
  first.signal('SIGCONT');
  await first.prints(new RegExp(`^over ${token} lost$`, 'm'));
  second.signal('SIGKILL');
  expect(await tokenOf(first, 2)).toBeGreaterThan(next);
  first.signal('SIGKILL');
});

test('the node of leader and observer is killed: both go on through another node', async () => {
  const of = await startCluster({ leaseMs: LEASE_MS });
  try {
    const addresses = ['n1', 'n2', 'n3'].map((id) => of.addressOf(id));
    const leader = new Script(CANDIDATE, addresses.join(','), 'moves', 'leader');
    const token = await tokenOf(leader);
    const connection = connect({ addresses });
    connections.push(connection);
    const seen = observing(connection.locks, 'moves');
    await until(() => seen.at(-1)?.token === token, 'it leads');
    of.signal('n1', 'SIGKILL');
    await leader.prints(new RegExp(`^over ${token} lost$`, 'm'));
    const again = await tokenOf(leader, 2);
    expect(again).toBeGreaterThan(token);
    await until(() => seen.at(-1)?.token === again, () => `it is seen through another node: ${JSON.stringify(seen)}`);
    expect(seen.at(-1)?.clientId).toMatch(/^n[23]\//);
    leader.signal('SIGKILL');
  } finally {
    await of.remove();
  }
});
