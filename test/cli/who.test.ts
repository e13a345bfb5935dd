/** `maekawa who` and `maekawa watch` where not all nodes answer; what they show of a healthy cluster is in lock.test.ts. */
import { connect } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { Program, startCluster, until } from '../support/processes';

let cluster: Cluster;

beforeEach(async () => {
  cluster = await startCluster();
});
afterEach(() => cluster.remove());

function maekawa(...args: string[]): Program {
  return new Program([...args, '--config', cluster.configFile]);
}

test('maekawa who names the nodes that do not answer, and claims no more than the others know', async () => {
  cluster.signal('n3', 'SIGKILL');
  await cluster.exited('n3');
  const some = maekawa('who', 'stock');
  expect(await some.ended).toBe(1);
  expect(some.output).toBe('nobody holds stock or waits for it, as far as the nodes that answer know\ndid not answer: n3\n');
  const json = maekawa('who', 'stock', '--json');
  expect(await json.ended).toBe(1);
  expect(JSON.parse(json.output)).toEqual({ lock: 'stock', held: [], pending: [], unanswered: ['n3'] });
  for (const id of ['n1', 'n2']) {
    cluster.signal(id, 'SIGKILL');
    await cluster.exited(id);
  }
  const none = maekawa('who', 'stock');
  expect(await none.ended).toBe(69);
  expect(none.output).toBe('');
  expect(none.errors).toMatch(/^maekawa: no node answers: n1 at 127\.0\.0\.1:\d+, n2 at .*, n3 at .*\. Start one, or name another configuration with --config\n$/);
});

test('maekawa watch tells when a node that holds the lock does not answer any more, and when it answers again', async () => {
  const watching = maekawa('watch', 'stock');
  await watching.prints(/nobody is known to hold stock/);
  const holder = new Program(['lock', '--config', cluster.configFile, '--node', 'n1', 'stock', '--', 'sleep', '1000']);
  await watching.prints(/n1\/\d+ holds stock, token \d+/);
  cluster.signal('n1', 'SIGKILL');
  await watching.prints(/n1 does not answer; it held stock, which it keeps for one lease at most\n/);
  expect(await holder.ended).toBe(122);
  cluster.start('n1');
  await watching.prints(/n1 answers again\n/);
  watching.signal('SIGTERM');
  expect(await watching.ended).toBe(0);
});

test('maekawa watch begins with the nodes that do not answer, and tells when they do', async () => {
  const holder = new Program(['lock', '--config', cluster.configFile, '--node', 'n1', '--on-lost', 'ignore', 'stock', '--', 'sleep', '1000']);
  await until(async () => {
    const who = maekawa('who', 'stock');
    return (await who.ended) === 0;
  }, 'the lock to be held');
  cluster.signal('n1', 'SIGSTOP');
  const watching = maekawa('watch', 'stock');
  await watching.prints(/^\S+ {2}n1 does not answer\n\S+ {2}nobody is known to hold stock\n$/);
  const json = maekawa('watch', 'stock', '--json');
  await json.prints(/^\{"at":"[^"]+","change":"silent","node":"n1"\}\n\{"at":"[^"]+","change":"nobody"\}\n$/);
  cluster.signal('n1', 'SIGCONT');
  await watching.prints(/n1 answers again\n/);
  expect(watching.output.match(/n1 does not answer/g)).toHaveLength(1);
  for (const each of [watching, json]) {
    each.signal('SIGINT');
    expect(await each.ended).toBe(0);
  }
  holder.signal('SIGTERM');
  await holder.ended;
});

test('maekawa watch says when it was too slow for the changes, and goes on', async () => {
  const watching = maekawa('watch', 'busy');
  await watching.prints(/nobody is known to hold busy/);
  await using client = connect({ addresses: [cluster.addressOf('n1')] });
  const change = (): Promise<void> => client.locks.request('busy', { label: 'x'.repeat(200) }, () => undefined);
  await change();
  await watching.prints(/gave busy back/);
  watching.signal('SIGSTOP');
  for (let changes = 0; changes < 1_000; changes++) await change(); // two events each
  watching.signal('SIGCONT');
  await watching.prints(/missed changes through n1, which came faster than they were read; the present holder follows\n/);
  expect(watching.output).not.toMatch(/does not answer/);
  await until(async () => {
    await change();
    return /follows\n[^]*gave busy back/.test(watching.output);
  }, 'the changes to be told again');
  watching.signal('SIGINT');
  expect(await watching.ended).toBe(0);
});

test('maekawa watch --json tells each change as a JSON line; of a semaphore, each permit', async () => {
  const watching = maekawa('watch', 'pool', '--json');
  await watching.prints(/"change":"nobody"/);
  const holder = new Program(['lock', '--config', cluster.configFile, 'pool', '--semaphore', '1', '--name', 'me', '--', 'cat']);
  await watching.prints(/"change":"held"/);
  holder.child.stdin?.end();
  expect(await holder.ended).toBe(0);
  await watching.prints(/"change":"released"/);
  watching.signal('SIGINT');
  expect(await watching.ended).toBe(0);
  const lines = watching.output.trim().split('\n').map((line) => JSON.parse(line) as { at: string; lock?: object });
  expect(lines[1]).toMatchObject({ change: 'held', lock: { name: '-permit 0 of pool', label: 'me', mode: 'exclusive' } });
  for (const { at } of lines) expect(new Date(at).toISOString()).toBe(at);
});
