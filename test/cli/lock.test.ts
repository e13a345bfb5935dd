import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../../src/cli/demo/cluster';
import { Program, startCluster, until } from '../support/processes';

jest.setTimeout(30_000);

describe('maekawa lock', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ leaseMs: 1_500 });
  });
  afterAll(() => cluster.remove());

  function lock(...args: string[]): Program {
    return new Program(['lock', '--config', cluster.configFile, ...args]);
  }

  const shell = (script: string): string[] => ['--', 'sh', '-c', script];

  function fileIn(name: string): string {
    return join(cluster.directory, name);
  }

  test('the command sees the lock, a token and how long it is valid; its output and exit code are ours', async () => {
    const program = lock('env', ...shell('echo "$MAEKAWA_LOCK $MAEKAWA_TOKEN $MAEKAWA_VALID_MS"; exit 7'));
    expect(await program.ended).toBe(7);
    expect(program.output).toMatch(/^env \d{10,16} \d{3,4}\n$/);
    expect(program.errors).toBe('');
  });

  test('standard input is passed on', async () => {
    const program = lock('stdin', '--', 'cat');
    program.child.stdin?.end('hello');
    expect(await program.ended).toBe(0);
    expect(program.output).toBe('hello');
  });

  test('a command that dies of a signal gives 128 + n', async () => {
    expect(await lock('died', ...shell('kill -9 $$')).ended).toBe(137);
  });

  test('a command that is not there gives 127, one that cannot be executed 126', async () => {
    const missing = lock('missing', '--', 'no-such-command');
    expect(await missing.ended).toBe(127);
    expect(missing.errors).toBe('maekawa: there is no command no-such-command\n');
    const file = fileIn('not-executable');
    writeFileSync(file, 'text');
    chmodSync(file, 0o644);
    expect(await lock('missing', '--', file).ended).toBe(126);
  });

  test('--shell takes a line of shell', async () => {
    const program = lock('shell', '--shell', '--', 'echo one && echo two');
    expect(await program.ended).toBe(0);
    expect(program.output).toBe('one\ntwo\n');
  });

  test('the second waits for the first, on whichever nodes they ask; tokens rise', async () => {
    const first = lock('order', '--node', 'n1', ...shell('echo $MAEKAWA_TOKEN; read line'));
    const [, firstToken = ''] = await first.prints(/(\d+)\n/);
    const second = lock('order', '--node', 'n2', '-v', ...shell('echo $MAEKAWA_TOKEN'));
    await second.complains(/waiting for order/);
    expect(second.output).toBe('');
    first.child.stdin?.end('\n');
    expect(await first.ended).toBe(0);
    expect(await second.ended).toBe(0);
    expect(Number(second.output)).toBeGreaterThan(Number(firstToken));
  });

  test('shared holders are inside together, an exclusive one is not', async () => {
    const first = lock('shared', '--shared', '--node', 'n1', ...shell('echo in; read line'));
    await first.prints(/in/);
    expect(await lock('shared', '--shared', '--node', 'n2', '--wait', '5s', '--', 'true').ended).toBe(0);
    expect(await lock('shared', '--node', 'n3', '--try', '--', 'true').ended).toBe(124);
    first.child.stdin?.end('\n');
    expect(await first.ended).toBe(0);
  });

  test('--try and --wait give 124 when the lock is not free, and say who holds it; the command does not run', async () => {
    const holder = lock('busy', '--node', 'n1', '--name', 'a test', ...shell('echo in; read line'));
    await holder.prints(/in/);
    const mark = fileIn('busy-ran');
    const attempt = lock('busy', '--node', 'n2', '--wait', '300ms', '--', 'touch', mark);
    expect(await attempt.ended).toBe(124);
    expect(attempt.errors).toMatch(/^maekawa: node n2 did not get the lock "busy" within 300 ms/m);
    expect(existsSync(mark)).toBe(false);
    // Through the holder's own node and through another one: who holds it is known, not guessed from a time-out.
    for (const node of ['n1', 'n3']) {
      const refused = lock('busy', '--try', '--node', node, '--', 'touch', mark);
      expect(await refused.ended).toBe(124);
      expect(refused.errors).toMatch(/^maekawa: the lock "busy" is not free: n1 \(a test\) holds it with token \d+\n$/);
    }
    expect(existsSync(mark)).toBe(false);
    holder.child.stdin?.end('\n');
    expect(await holder.ended).toBe(0);
  });

  test('a signal while waiting gives up at once', async () => {
    const holder = lock('signal', '--node', 'n1', ...shell('echo in; read line'));
    await holder.prints(/in/);
    const waiting = lock('signal', '--node', 'n2', '-v', '--', 'true');
    await waiting.complains(/waiting/);
    waiting.signal('SIGINT');
    expect(await waiting.ended).toBe(130);
    holder.child.stdin?.end('\n');
    expect(await holder.ended).toBe(0);
  });

  test('signals are passed on to the command, whose end is ours', async () => {
    const program = lock('forward', ...shell('trap "echo got TERM; exit 3" TERM; echo in; while :; do sleep 0.05; done'));
    await program.prints(/in/);
    program.signal('SIGTERM');
    expect(await program.ended).toBe(3);
    expect(program.output).toContain('got TERM');
  });

  test('what the command leaves running is ended before the lock is given back', async () => {
    const program = lock('grandchild', ...shell('sleep 1000 >/dev/null 2>&1 & echo $!'));
    expect(await program.ended).toBe(0);
    const pid = Number(program.output);
    expect(program.errors).toMatch(/left processes running/);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  test('without a command it prints the token and holds until a signal', async () => {
    const program = lock('hold');
    await program.prints(/^\d+\n$/);
    expect(await lock('hold', '--try', '--', 'true').ended).toBe(124);
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);
    expect(await lock('hold', '--wait', '1s', '--', 'true').ended).toBe(0);
  });

  test('--also holds several locks, or none; each token is told', async () => {
    const program = lock('from', '--also', 'to', ...shell('echo $MAEKAWA_LOCK $MAEKAWA_TOKENS; read line'));
    const [, tokens = ''] = await program.prints(/^from (\{.*\})$/m);
    expect(Object.keys(JSON.parse(tokens) as object).sort()).toEqual(['from', 'to']);
    expect(await lock('to', '--try', '--', 'true').ended).toBe(124);
    // It gives back what it has while it cannot have all.
    expect(await lock('other', '--also', 'to', '--wait', '300ms', '--', 'true').ended).toBe(124);
    expect(await lock('other', '--try', '--', 'true').ended).toBe(0);
    program.child.stdin?.end('\n');
    expect(await program.ended).toBe(0);
  });

  test('--semaphore lets in as many as it has permits', async () => {
    const inside = ['n1', 'n2'].map((node) => lock('pool', '--semaphore', '2', '--node', node, ...shell('echo in; read line')));
    await Promise.all(inside.map((each) => each.prints(/in/)));
    const third = lock('pool', '--semaphore', '2', '--node', 'n3', '--wait', '300ms', '--', 'true');
    expect(await third.ended).toBe(124);
    expect(third.errors).toMatch(/no permit of the semaphore "pool" \(2 permits\)/);
    for (const each of inside) each.child.stdin?.end('\n');
    expect(await Promise.all(inside.map((each) => each.ended))).toEqual([0, 0]);
  });

  test('maekawa who shows who holds a lock and who waits; maekawa watch tells each change', async () => {
    const program = (...args: string[]): Program => new Program([...args, '--config', cluster.configFile]);
    const watching = program('watch', 'seen');
    const nobody = program('who', 'seen');
    expect(await nobody.ended).toBe(1);
    expect(nobody.output).toBe('nobody holds seen or waits for it\n');
    const holder = lock('seen', '--node', 'n1', '--name', 'deploy 7', ...shell('echo $MAEKAWA_TOKEN; read line'));
    const [, token = ''] = await holder.prints(/(\d+)/);
    const waiting = lock('seen', '--node', 'n2', '-v', '--', 'true');
    await waiting.complains(/waiting/);
    const who = program('who', 'seen');
    expect(await who.ended).toBe(0);
    expect(who.output).toMatch(new RegExp(`^n1 +holds +exclusive +.* +${token} +deploy 7$`, 'm'));
    expect(who.output).toMatch(/^n2 +waits +exclusive/m);
    await watching.prints(/n1 \(deploy 7\) holds seen, token \d+/);
    holder.child.stdin?.end('\n');
    await watching.prints(/n1 \(deploy 7\) gave seen back after [^]*n2 holds seen/);
    expect(await waiting.ended).toBe(0);
    watching.signal('SIGINT');
    expect(await watching.ended).toBe(0);
  });

  test('maekawa steal takes the lock: the holder is ended with 122, the stealer has a larger token', async () => {
    const holder = lock('stuck', '--node', 'n1', ...shell('echo $MAEKAWA_TOKEN; exec sleep 1000'));
    const [, token = ''] = await holder.prints(/(\d+)/);
    const thief = new Program(['steal', 'stuck', '--config', cluster.configFile, '--node', 'n2', '--', 'sh', '-c', 'echo $MAEKAWA_TOKEN']);
    expect(await thief.ended).toBe(0);
    expect(Number(thief.output)).toBeGreaterThan(Number(token));
    expect(await holder.ended).toBe(122);
    expect(holder.errors).toMatch(/was stolen by another request/);
  });

  test('--json tells what happens on standard error', async () => {
    const program = lock('json', '--json', '--', 'true');
    expect(await program.ended).toBe(0);
    const events = program.errors.trim().split('\n').map((line) => JSON.parse(line) as { event: string; lock: string; token?: number });
    expect(events.map((each) => each.event)).toEqual(['held', 'released']);
    expect(events[0]).toMatchObject({ lock: 'json', token: expect.any(Number) as number });
  });

  test('a client that is killed frees its lock within a lease', async () => {
    const program = lock('killed', ...shell('echo in; exec sleep 5'));
    await program.prints(/in/);
    program.signal('SIGKILL');
    expect(await lock('killed', '--wait', '5s', '--', 'true').ended).toBe(0);
  });

  test('wrong usage is 64 with one line that says what to do', async () => {
    const both = lock('usage', '--try', '--wait', '1s', '--', 'true');
    expect(await both.ended).toBe(64);
    expect(both.errors).toMatch(/--try and --wait exclude each other/);
    const duration = lock('usage', '--wait', '10', '--', 'true');
    expect(await duration.ended).toBe(64);
    expect(duration.errors).toMatch(/500ms, 10s, 5m or 1h/);
    const node = lock('usage', '--node', 'n9', '--', 'true');
    expect(await node.ended).toBe(64);
    expect(node.errors).toMatch(/no node "n9".*n1, n2, n3/);
    const long = lock('x'.repeat(5_000), '--', 'true');
    expect(await long.ended).toBe(64);
    expect(long.errors).toMatch(/5000 bytes long; at most 4096/);
  });

  test('no node at the address is 69', async () => {
    const program = new Program(['lock', 'nobody', '--address', '127.0.0.1:9', '--', 'true']);
    expect(await program.ended).toBe(69);
    expect(program.errors).toMatch(/^maekawa: no node answers at 127.0.0.1:9. Start one/);
  });
});

describe('maekawa lock, when the lock cannot be kept', () => {
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await startCluster({ leaseMs: 2_000 });
  });
  afterEach(() => cluster.remove());

  function lock(...args: string[]): Program {
    return new Program(['lock', '--config', cluster.configFile, '--node', 'n1', ...args]);
  }

  test('without a quorum the command gets SIGTERM and is gone before the lease ends; exit code 122', async () => {
    const log = join(cluster.directory, 'child.log');
    const program = lock('lost', '--', 'sh', '-c', `trap 'echo TERM >> ${log}' TERM; echo in; while :; do sleep 0.05; done`);
    await program.prints(/in/);
    for (const id of ['n2', 'n3']) cluster.signal(id, 'SIGKILL');
    expect(await program.ended).toBe(122);
    // It ignored SIGTERM, so SIGKILL ended it.
    expect(readFileSync(log, 'utf8')).toBe('TERM\n');
    expect(program.errors).toMatch(/cannot be renewed; ending the command/);
  });

  test('no quorum while waiting is 121 and names the nodes that are down', async () => {
    for (const id of ['n2', 'n3']) cluster.signal(id, 'SIGKILL');
    await until(async () => (await cluster.status('n1'))?.peers.every((peer) => !peer.up), 'n1 to notice');
    const program = lock('none', '--wait', '300ms', '--', 'true');
    expect(await program.ended).toBe(121);
    expect(program.errors).toMatch(/contain no quorum. Down: n2 .*n3 /);
  });

  test('when the node stops, the command is ended and the lock given back at once; exit code 123', async () => {
    const program = lock('stopping', '--', 'sh', '-c', 'echo in; exec sleep 1000');
    await program.prints(/in/);
    cluster.signal('n1', 'SIGTERM');
    expect(await program.ended).toBe(123);
    expect(await cluster.exited('n1')).toBe(0);
  });

  test('when the node is killed, the command is ended within the lease; exit code 122', async () => {
    const program = lock('killed', '--', 'sh', '-c', 'echo in; exec sleep 1000');
    await program.prints(/in/);
    cluster.signal('n1', 'SIGKILL');
    expect(await program.ended).toBe(122);
  });

  test('a node that is frozen for two leases loses the lock; its successor has a larger token', async () => {
    const frozen = lock('frozen', '--', 'sh', '-c', 'echo $MAEKAWA_TOKEN; exec sleep 1000');
    const [, frozenToken = ''] = await frozen.prints(/(\d+)\n/);
    cluster.signal('n1', 'SIGSTOP');
    const next = new Program(['lock', '--config', cluster.configFile, '--node', 'n2', 'frozen', '--', 'sh', '-c', 'echo $MAEKAWA_TOKEN; sleep 3']);
    const [, nextToken = ''] = await next.prints(/(\d+)\n/);
    expect(Number(nextToken)).toBeGreaterThan(Number(frozenToken));
    // By its own clock the client ended its command although its node said nothing.
    expect(await frozen.ended).toBe(122);
    expect(await next.ended).toBe(0);
    cluster.signal('n1', 'SIGCONT');
    await until(async () => (await cluster.status('n1'))?.peers.every((peer) => peer.up), 'n1 to come back');
    expect(await lock('frozen', '--wait', '10s', '--', 'true').ended).toBe(0);
  });
});
