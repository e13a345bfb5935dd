/** `maekawa who` and `maekawa watch` where not all nodes answer; what they show of a healthy cluster is in lock.test.ts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
  expect(some.output).toBe('nobody holds stock or waits for it, as far as the nodes that answer know\ndid not answer: n3 (connection refused: nothing listens there)\n');
  const json = maekawa('who', 'stock', '--json');
  expect(await json.ended).toBe(1);
  expect(JSON.parse(json.output)).toEqual({ lock: 'stock', held: [], pending: [], unanswered: ['n3'], unansweredWhy: { n3: 'connection refused: nothing listens there' } });
  for (const id of ['n1', 'n2']) {
    cluster.signal(id, 'SIGKILL');
    await cluster.exited(id);
  }
  const none = maekawa('who', 'stock');
  expect(await none.ended).toBe(69);
  expect(none.output).toBe('');
  expect(none.errors).toMatch(/^maekawa: no node answers: n1 at 127\.0\.0\.1:\d+ \(connection refused: nothing listens there\), n2 at .*, n3 at .*\. Start one, or name another configuration with --config\n$/);
});

describe('a configuration of another cluster, with the addresses of this one', () => {
  test.each<[string, [string, ...string[]]]>([
    ['lock', ['lock', 'stock', '--', 'true']],
    ['lock --try', ['lock', '--try', 'stock', '--', 'true']],
    ['steal', ['steal', 'stock']],
    ['who', ['who', 'stock']],
    ['watch', ['watch', 'stock']],
  ])('maekawa %s takes and shows no lock of it: exit code 76', async (_what, [command, ...args]) => {
    const other = join(cluster.directory, 'other.json');
    writeFileSync(other, JSON.stringify({ ...(JSON.parse(readFileSync(cluster.configFile, 'utf8')) as object), cluster: 'staging' }));
    const program = new Program([command, '--config', other, ...args]);
    expect(await program.ended).toBe(76);
    expect(program.output).toBe('');
    expect(program.errors).toMatch(/cluster differs: node n\d is in "\w+", the client means "staging"/);
  });

  test('connect refuses with `protocol`, and takes the lock of the cluster that it means', async () => {
    await using wrong = connect({ addresses: [cluster.addressOf('n1')], cluster: 'staging' });
    await expect(wrong.locks.acquire('stock')).rejects.toMatchObject({ code: 'protocol' });
    await expect(wrong.locks.query()).rejects.toMatchObject({ code: 'protocol' });
    const { cluster: name } = JSON.parse(readFileSync(cluster.configFile, 'utf8')) as { cluster: string };
    await using right = connect({ addresses: [cluster.addressOf('n1')], cluster: name });
    await right.locks.request('stock', () => undefined);
  });
});

test('maekawa watch tells when a node that holds the lock does not answer any more, and when it answers again', async () => {
  const watching = maekawa('watch', 'stock');
  await watching.prints(/nobody is known to hold stock/);
  const holder = new Program(['lock', '--config', cluster.configFile, '--node', 'n1', 'stock', '--', 'sh', '-c', 'echo in; exec sleep 1000']);
  await watching.prints(/n1\/\d+ \(\S+@\S+ pid \d+\) holds stock, token \d+/);
  // Others may hear of a grant before its holder does: one that was told nothing would wait on, for a node that is dead.
  await holder.prints(/in\n/);
  cluster.signal('n1', 'SIGKILL');
  await watching.prints(/n1 does not answer \(.+\); it held stock, which it keeps for one lease at most\n/);
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
  await watching.prints(/^\S+ {2}n1 does not answer \(.+\)\n\S+ {2}nobody is known to hold stock\n$/);
  const json = maekawa('watch', 'stock', '--json');
  await json.prints(/^\{"at":"[^"]+","change":"silent","node":"n1","reason":"[^"]+"\}\n\{"at":"[^"]+","change":"nobody"\}\n$/);
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
  for (let changes = 0; changes < 400; changes++) await change(); // two events each, more than a stream takes unread
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

test('what a client calls itself and its lock cannot steer the terminal of whoever looks', async () => {
  const nodes = connect({ addresses: [cluster.addressOf('n1')] });
  const held = await nodes.locks.acquire('stock\u009b2J', { label: 'a\x1b[2Jb\nc' });
  const who = maekawa('who');
  expect(await who.ended).toBe(0);
  expect(who.output).toContain('"stock\\u009b2J"');
  expect(who.output).toContain('a\\u001b[2Jb\\u000ac');
  held.release();
  await nodes.close();
});
