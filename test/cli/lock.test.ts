import { chmodSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fence } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { memoryFenceStore } from '../../src/testing';
import { PROGRAM, Program, isRunning, processState, startCluster, until } from '../support/processes';

/** What only /proc can tell. */
const onLinux = process.platform === 'linux' ? test : test.skip;

const shell = (script: string): string[] => ['--', 'sh', '-c', script];

/** `D` is a shell whose child was stopped between vfork and exec: it waits for that in the kernel. maekawa may be in it for its disk, and stop later. */
function untilStopped(maekawa: number | undefined, command: number): Promise<unknown> {
  const state = (pid: number | undefined): string => processState(pid ?? 0) ?? '';
  return until(() => state(maekawa) === 'T' && /[TD]/.test(state(command)), () => `${maekawa} and ${command} to be stopped: ${state(maekawa)} and ${state(command)}`);
}

/** Whether a process has a handler of its own for a signal, as Linux tells: the signal with number 1 is the lowest bit. */
function catches(pid: number | undefined, signal: NodeJS.Signals): boolean {
  const [, caught = '0'] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return ((BigInt(`0x${caught}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
}

/** A command that does not end by itself, and says when it runs. */
const HOLD = shell('echo in; exec sleep 1000');

/** Starts a process in a session of its own, as a daemon does, and prints its id. */
function daemonScript(environment = 'process.env'): string[] {
  const options = `{ detached: true, stdio: 'ignore', env: ${environment} }`;
  return ['--', process.execPath, '-e', `const d = require('child_process').spawn('sleep', ['1000'], ${options}); d.unref(); console.log(d.pid)`];
}

describe('maekawa lock', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ leaseMs: 1_500 });
  });
  afterAll(() => cluster.remove());

  function lock(...args: string[]): Program {
    return new Program(['lock', '--config', cluster.configFile, ...args]);
  }

  function fileIn(name: string): string {
    return join(cluster.directory, name);
  }

  test('the command sees the lock, a token and how long it is valid; maekawa passes its output and exit code on', async () => {
    const program = lock('env', ...shell('echo "$MAEKAWA_LOCK $MAEKAWA_TOKEN $MAEKAWA_VALID_MS"; exit 7'));
    expect(await program.ended).toBe(7);
    expect(program.output).toMatch(/^env \d{10,16} \d{3,4}\n$/);
    expect(program.errors).toBe('');
  });

  test('--max-hold ends a command that hangs, says why, and others have the lock', async () => {
    const program = lock('hangs', '--max-hold', '2s', ...HOLD);
    expect(await program.ended).toBe(122);
    expect(program.output).toBe('in\n');
    expect(program.errors).toContain('the lock is held for as long as --max-hold allows; ending the command');
    expect(await lock('hangs', '--wait', '20s', '--', 'true').ended).toBe(0);
    const bare = lock('bare', '--max-hold', '300ms');
    expect(await bare.ended).toBe(122);
    expect(bare.errors).toContain('the lock "bare" was held for 300 ms');
    expect(await lock('none', '--max-hold', '0s', '--', 'true').ended).toBe(64);
  });

  test('standard input is passed on', async () => {
    const program = lock('stdin', '--', 'cat');
    program.child.stdin?.end('hello');
    expect(await program.ended).toBe(0);
    expect(program.output).toBe('hello');
  });

  test('the command is executed directly: no shell reads its arguments', async () => {
    const program = lock('direct', '--', 'echo', '$HOME', '*', 'a  b', '');
    expect(await program.ended).toBe(0);
    expect(program.output).toBe('$HOME * a  b \n');
  });

  test('options after the first word of the command are its own, with or without --', async () => {
    const program = lock('own-options', 'echo', '-n', '--try', '--json', '-v');
    expect(await program.ended).toBe(0);
    expect(program.output).toBe('--try --json -v');
    expect(program.errors).toBe('');
  });

  test.each([[0], [1], [64], [124], [255]])('maekawa ends with the exit code %d of the command', async (code) => {
    expect(await lock('exit-code', ...shell(`exit ${code}`)).ended).toBe(code);
  });

  test.each([['KILL', 'SIGKILL'], ['TERM', 'SIGTERM'], ['INT', 'SIGINT'], ['SEGV', 139]])('a command that dies of SIG%s gives %s', async (signal, end) => {
    expect(await lock('died', ...shell(`kill -${signal} $$`)).ended).toBe(end);
  });

  test('a command that is not there gives 127, one that cannot be executed 126', async () => {
    const missing = lock('missing', '--', 'no-such-command');
    expect(await missing.ended).toBe(127);
    expect(missing.errors).toBe('maekawa: there is no command no-such-command; check its name and your PATH\n');
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
    await second.complains(/^maekawa: waiting for order; held by n1\/\d+ \(\S+@\S+ pid \d+\) for \d+ (ms|s)$/m);
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
      expect(refused.errors).toMatch(/^maekawa: the lock "busy" is not free: n1\/\d+ \(a test\) holds it with token \d+\n$/);
    }
    expect(existsSync(mark)).toBe(false);
    holder.child.stdin?.end('\n');
    expect(await holder.ended).toBe(0);
  });

  test('--wait lets the command run when the lock comes in time', async () => {
    const holder = lock('in-time', '--node', 'n1', ...shell('echo in; read line'));
    await holder.prints(/in/);
    const waiting = lock('in-time', '--node', 'n2', '--wait', '1h', '-v', '--', 'echo', 'mine');
    await waiting.complains(/waiting/);
    holder.child.stdin?.end('\n');
    expect(await waiting.ended).toBe(0);
    expect(waiting.output).toBe('mine\n');
  });

  test('who waits is told again when another holds the lock', async () => {
    const first = lock('told', '--node', 'n1', '--name', 'first', ...shell('echo in; read line'));
    await first.prints(/in/);
    const second = lock('told', '--node', 'n2', '--name', 'second', '-v', ...shell('read line'));
    await second.complains(/held by n1\/\d+ \(first\)/);
    const third = lock('told', '--node', 'n3', '-v', '--', 'true');
    await third.complains(/held by n1\/\d+ \(first\) for \d+ m?s; 1 other waits$/m);
    first.child.stdin?.end('\n');
    await third.complains(/held by n2\/\d+ \(second\)/);
    second.child.stdin?.end('\n');
    expect(await third.ended).toBe(0);
  });

  test.each([['SIGINT', 'SIGINT'], ['SIGTERM', 'SIGTERM'], ['SIGHUP', 'SIGHUP'], ['SIGQUIT', 131]] as const)(
    '%s while waiting gives up at once, and leaves nothing behind', async (signal, end) => {
      const holder = lock('signal', '--node', 'n1', ...shell('echo in; read line'));
      await holder.prints(/in/);
      const mark = fileIn(`ran-${signal}`);
      const waiting = lock('signal', '--node', 'n2', '-v', '--', 'touch', mark);
      await waiting.complains(/waiting/);
      waiting.signal(signal);
      expect(await waiting.ended).toBe(end);
      holder.child.stdin?.end('\n');
      expect(await holder.ended).toBe(0);
      expect(await lock('signal', '--wait', '5s', '--', 'true').ended).toBe(0);
      expect(existsSync(mark)).toBe(false);
    },
  );

  test.each(['INT', 'TERM', 'HUP', 'QUIT', 'USR1', 'USR2', 'WINCH'])('SIG%s is passed on to the command, and maekawa ends as the command does', async (name) => {
    const program = lock('forward', ...shell(`trap "echo got ${name}; exit 3" ${name}; echo in; while :; do sleep 0.05; done`));
    await program.prints(/in/);
    program.signal(`SIG${name}` as NodeJS.Signals);
    expect(await program.ended).toBe(3);
    expect(program.output).toContain(`got ${name}`);
  });

  test('signals reach the whole group of the command, but not whoever started maekawa', async () => {
    const program = lock('group', ...shell('(trap "echo grandchild" TERM; echo in; sleep 0.1; while :; do sleep 0.05; done) & trap "exit 3" TERM; wait; wait'));
    await program.prints(/in/);
    program.signal('SIGTERM');
    expect(await program.ended).toBe(3);
    expect(program.output).toContain('grandchild');
  });

  test('what the command leaves running is ended before the lock is given back', async () => {
    const program = lock('grandchild', ...shell('sleep 1000 >/dev/null 2>&1 & echo $!'));
    expect(await program.ended).toBe(0);
    expect(program.errors).toMatch(/left processes running; ending them before the lock is given back/);
    expect(isRunning(Number(program.output))).toBe(false);
  });

  test('a grandchild that ignores SIGTERM is killed', async () => {
    const program = lock('stubborn', ...shell('sh -c "trap \'\' TERM; while :; do sleep 0.05; done" >/dev/null 2>&1 & echo $!; sleep 0.2'));
    expect(await program.ended).toBe(0);
    expect(isRunning(Number(program.output))).toBe(false);
  });

  onLinux('a daemon that left the process group is ended too', async () => {
    const program = lock('daemon', ...daemonScript());
    expect(await program.ended).toBe(0);
    const pid = Number(program.output);
    expect(program.errors).toContain(`left processes running in a session of their own (${pid})`);
    expect(isRunning(pid)).toBe(false);
  });

  test.each([
    ['--keep-daemons', 'process.env', ['--keep-daemons']],
    ['no MAEKAWA_HOLD in its environment', '{ ...process.env, MAEKAWA_HOLD: undefined }', []],
  ])('a daemon may outlive the lock: with %s', async (_how, environment, options) => {
    const program = lock('kept', ...options, ...daemonScript(environment));
    expect(await program.ended).toBe(0);
    expect(program.errors).toBe('');
    const pid = Number(program.output);
    expect(isRunning(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
  });

  onLinux.each(['SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const)('%s of a terminal stops the command too; it goes on with the lock', async (signal) => {
    const program = lock('suspended', '--json', ...shell('echo $$; read line; echo done'));
    const [, pid = ''] = await program.prints(/(\d+)\n/);
    // While it says so SIGTTOU has its default effect, and stops maekawa alone.
    await program.complains(/"event":"started"/);
    await until(() => catches(program.child.pid, signal), `maekawa to listen to ${signal} again`);
    program.signal(signal);
    await untilStopped(program.child.pid, Number(pid));
    program.signal('SIGCONT');
    program.child.stdin?.end('\n');
    expect(await program.ended).toBe(0);
    expect(program.output).toMatch(/done/);
  });

  onLinux('a command that was stopped until the lock had run out is killed before it does anything', async () => {
    const log = fileIn('suspended.log');
    const program = lock('too-late', ...shell(`trap "echo caught >> ${log}" TERM CONT; echo working >> ${log}; echo $$; while :; do echo working >> ${log}; sleep 0.01; done`));
    const [, pid = ''] = await program.prints(/(\d+)\n/);
    program.signal('SIGTSTP');
    await untilStopped(program.child.pid, Number(pid));
    const before = readFileSync(log, 'utf8');
    expect(await lock('too-late', '--node', 'n2', '--wait', '20s', '--', 'true').ended).toBe(0);
    program.signal('SIGCONT');
    expect(await program.ended).toBe(122);
    expect(readFileSync(log, 'utf8')).toBe(before);
  });

  onLinux.each([
    ['SIGTERM and then SIGKILL', [], 'TERM\n'],
    ['SIGKILL at once, with --on-lost kill', ['--on-lost', 'kill'], ''],
  ])('maekawa is stopped and its command is not: the guardian ends the command before somebody else has the lock, with %s', async (_how, options, caught) => {
    const log = fileIn('frozen.log');
    writeFileSync(log, '');
    // At its first word: maekawa is stopped in the moment when it has started the command.
    const program = lock('frozen', ...options, ...shell(`kill -STOP $PPID; trap 'echo TERM >> ${log}' TERM; echo $$; while :; do sleep 0.01; done`));
    const [, pid = ''] = await program.prints(/(\d+)\n/);
    expect(await lock('frozen', '--node', 'n2', '--wait', '20s', '--', 'true').ended).toBe(0);
    expect(isRunning(Number(pid))).toBe(false);
    expect(readFileSync(log, 'utf8')).toBe(caught);
    program.signal('SIGCONT');
    expect(await program.ended).toBe(122);
  });

  test('nobody reads what is told: the command goes on', async () => {
    const program = lock('unread', '-v', ...shell('read line; exit 5'));
    program.child.stderr?.destroy();
    program.child.stdin?.end('\n');
    expect(await program.ended).toBe(5);
  });

  test('one lock is held within another', async () => {
    const inner = [process.execPath, PROGRAM, 'lock', '--config', cluster.configFile, 'inner', ...shell('echo $MAEKAWA_LOCK; read line')];
    const program = lock('outer', '--', ...inner);
    await program.prints(/inner/);
    for (const name of ['outer', 'inner']) expect(await lock(name, '--try', '--', 'true').ended).toBe(124);
    program.child.stdin?.end('\n');
    expect(await program.ended).toBe(0);
    for (const name of ['outer', 'inner']) expect(await lock(name, '--wait', '5s', '--', 'true').ended).toBe(0);
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
    expect(await lock('other', '--also', 'to', '--try', '--', 'true').ended).toBe(124);
    expect(await lock('other', '--try', '--', 'true').ended).toBe(0);
    program.child.stdin?.end('\n');
    expect(await program.ended).toBe(0);
  });

  test('--semaphore lets in as many as it has permits', async () => {
    const inside = ['n1', 'n2'].map((node) => lock('pool', '--semaphore', '2', '--node', node, ...shell('echo in; read line')));
    await Promise.all(inside.map((each) => each.prints(/in/)));
    const third = lock('pool', '--semaphore', '2', '--node', 'n3', '--wait', '300ms', '--', 'true');
    expect(await third.ended).toBe(124);
    expect(third.errors).toBe('maekawa: no permit of the semaphore "pool" (2 permits) is free within 300 ms\n');
    const tried = lock('pool', '--semaphore', '2', '--node', 'n3', '--try', '--', 'true');
    expect(await tried.ended).toBe(124);
    expect(tried.errors).toBe('maekawa: no permit of the semaphore "pool" (2 permits) is free\n');
    const who = new Program(['who', 'pool', '--config', cluster.configFile]);
    expect(await who.ended).toBe(0);
    expect(who.output).toMatch(/^pool \(permit 1\) +n[12]\/\d+ +holds .*\npool \(permit 2\) +n[12]\/\d+ +holds /m);
    const waiting = lock('pool', '--semaphore', '2', '--node', 'n3', '-v', '--', 'true');
    await waiting.complains(/^maekawa: waiting for pool; held by n\d\/\d+ \(\S+@\S+ pid \d+\) for \d+ m?s, n\d\/\d+ \(\S+@\S+ pid \d+\) for \d+ m?s$/m);
    waiting.signal('SIGINT');
    await waiting.ended;
    for (const each of inside) each.child.stdin?.end('\n');
    expect(await Promise.all(inside.map((each) => each.ended))).toEqual([0, 0]);
  });

  test('--semaphore: name and token of a command are a pair that fences, and never refuses a valid holder', async () => {
    const fenced = fence(memoryFenceStore<string[]>([]));
    const write = ({ name, token }: { name: string; token: number }): Promise<unknown> => fenced.write({ name, token }, (resource) => resource.value.push(name));
    const pairs: { name: string; token: number; semaphore: string }[] = [];
    const hold = async (node: string): Promise<ReturnType<typeof lock>> => {
      const program = lock('desks', '--semaphore', '2', '--node', node, ...shell('echo "$MAEKAWA_TOKEN:$MAEKAWA_SEMAPHORE:$MAEKAWA_LOCK:"; read line'));
      const [, token, semaphore = '', name = ''] = await program.prints(/^(\d+):(.*):(.*):$/m);
      pairs.push({ name, token: Number(token), semaphore });
      return program;
    };
    const [first, second] = [await hold('n1'), await hold('n2')];
    expect(pairs).toMatchObject([{ semaphore: 'desks' }, { semaphore: 'desks' }]);
    expect(pairs.map(({ name }) => name).sort()).toEqual(['-permit 0 of desks', '-permit 1 of desks']);
    // The later one first: with one name for both, the earlier would be refused.
    for (const pair of [...pairs].reverse()) await write(pair);
    first.child.stdin?.end('\n');
    expect(await first.ended).toBe(0);
    const third = await hold('n3');
    for (const pair of pairs.slice(1).reverse()) await write(pair);
    await expect(write(pairs[0] as (typeof pairs)[0])).rejects.toMatchObject({ code: 'fenced' });
    for (const each of [second, third]) each.child.stdin?.end('\n');
    expect(await Promise.all([second.ended, third.ended])).toEqual([0, 0]);
  });

  test('--semaphore without a command prints the token and whose it is; --json too', async () => {
    const program = lock('seats', '--semaphore', '1', '--json');
    const [, token] = await program.prints(/^(\d+) -permit 0 of seats$/m);
    expect(program.errors).toContain(`"lock":"seats","event":"held","token":${token},"permit":"-permit 0 of seats",`);
    program.signal('SIGTERM');
    await program.ended;
  });

  test('maekawa who without a name shows all locks', async () => {
    const holders = [lock('all-1', '--node', 'n1', ...HOLD), lock('all-2', '--shared', '--node', 'n2', ...HOLD)];
    for (const each of holders) await each.prints(/in/);
    const who = new Program(['who', '--config', cluster.configFile]);
    expect(await who.ended).toBe(0);
    expect(who.output).toMatch(/^LOCK +CLIENT[^]*^all-1 +n1\/\d+ +holds +exclusive[^]*^all-2 +n2\/\d+ +holds +shared/m);
    for (const each of holders) each.signal('SIGTERM');
    for (const each of holders) expect(await each.ended).toBe('SIGTERM');
  });

  test('maekawa who shows who holds a lock and who waits; maekawa watch tells each change', async () => {
    const program = (...args: string[]): Program => new Program([...args, '--config', cluster.configFile]);
    const watching = program('watch', 'seen');
    await watching.prints(/nobody is known to hold seen/);
    const nobody = program('who', 'seen');
    expect(await nobody.ended).toBe(1);
    expect(nobody.output).toBe('nobody holds seen or waits for it\n');
    const holder = lock('seen', '--node', 'n1', '--name', 'deploy 7', ...shell('echo $MAEKAWA_TOKEN; read line'));
    const [, token = ''] = await holder.prints(/(\d+)/);
    const waiting = lock('seen', '--node', 'n2', '-v', '--', 'true');
    await waiting.complains(/waiting/);
    const who = program('who', 'seen');
    expect(await who.ended).toBe(0);
    expect(who.output).toMatch(new RegExp(`^n1/\\d+ +holds +exclusive +.* +${token} +deploy 7$`, 'm'));
    expect(who.output).toMatch(/^n2\/\d+ +waits +exclusive/m);
    await watching.prints(/n1\/\d+ \(deploy 7\) holds seen, token \d+/);
    holder.child.stdin?.end('\n');
    await watching.prints(/n1\/\d+ \(deploy 7\) gave seen back after [^]*n2\/\d+ \(\S+@\S+ pid \d+\) holds seen/);
    expect(await waiting.ended).toBe(0);
    watching.signal('SIGINT');
    expect(await watching.ended).toBe(0);
  });

  test('maekawa steal without a command breaks the lock and leaves it free', async () => {
    const holder = lock('broken', '--node', 'n1', ...HOLD);
    await holder.prints(/in/);
    const thief = new Program(['steal', 'broken', '--config', cluster.configFile, '--node', 'n2']);
    expect(await thief.ended).toBe(0);
    expect(thief.output).toMatch(/^\d+\n$/);
    expect(await holder.ended).toBe(122);
    expect(await lock('broken', '--wait', '5s', '--', 'true').ended).toBe(0);
  });

  test('maekawa steal takes the lock: the holder is ended with 122, the stealer has a larger token', async () => {
    const holder = lock('stuck', '--node', 'n1', ...shell('echo $MAEKAWA_TOKEN; exec sleep 1000'));
    const [, token = ''] = await holder.prints(/(\d+)/);
    const thief = new Program(['steal', 'stuck', '--config', cluster.configFile, '--node', 'n2', '--', 'sh', '-c', 'echo $MAEKAWA_TOKEN']);
    expect(await thief.ended).toBe(0);
    expect(Number(thief.output)).toBeGreaterThan(Number(token));
    expect(await holder.ended).toBe(122);
    expect(holder.errors).toMatch(/the lock "stuck", held through node n1, was stolen through node n2\. Stop/);
  });

  test('maekawa steal waits until the command of the holder has ended in good order', async () => {
    const file = join(cluster.directory, 'in use');
    const cleansUp = `trap "sleep 0.1; rm '${file}'; exit" TERM; touch '${file}'; echo in; while :; do sleep 0.01; done`;
    const holder = lock('in use', '--node', 'n1', '--grace', '750ms', ...shell(cleansUp));
    await holder.prints(/in/);
    const thief = new Program(['steal', 'in use', '--config', cluster.configFile, '--node', 'n2', '--', 'test', '-e', file]);
    expect(await thief.ended).toBe(1); // no such file
    expect(await holder.ended).toBe(122);
  });

  test('--json tells what happens on standard error', async () => {
    const program = lock('json', '--json', '--', 'true');
    expect(await program.ended).toBe(0);
    const events = program.errors.trim().split('\n').map((line) => JSON.parse(line) as { event: string; lock: string; token?: number });
    expect(events.map((each) => each.event)).toEqual(['held', 'started', 'ended', 'released']);
    expect(events[0]).toMatchObject({ lock: 'json', token: expect.any(Number) as number });
    expect(events[2]).toEqual({ at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string, lock: 'json', event: 'ended', exitCode: 0 });
    const missed = lock('json', '--json', '--node', 'n9', '--', 'true');
    expect(await missed.ended).toBe(64);
    expect(JSON.parse(missed.errors)).toMatchObject({ lock: 'json', event: 'failed', code: 'config', exitCode: 64, text: expect.stringContaining('no node "n9"') as string });
  });

  describe('when maekawa itself is killed with SIGKILL', () => {
    test('the command gets SIGTERM and is ended within the lease; then the lock is free', async () => {
      const log = fileIn('orphan.log');
      const program = lock('orphan', ...shell(`trap 'echo TERM >> ${log}' TERM; echo $$; while :; do sleep 0.05; done`));
      const [, pid = ''] = await program.prints(/(\d+)\n/);
      program.signal('SIGKILL');
      expect(await lock('orphan', '--wait', '20s', '--', 'true').ended).toBe(0);
      // It ignored SIGTERM, so SIGKILL ended it, before anybody else held the lock.
      expect(isRunning(Number(pid))).toBe(false);
      expect(readFileSync(log, 'utf8')).toBe('TERM\n');
    });

    test('--on-lost kill: it is killed at once', async () => {
      const log = fileIn('killed.log');
      const program = lock('orphan-killed', '--on-lost', 'kill', ...shell(`trap 'echo TERM >> ${log}' TERM; echo $$; while :; do sleep 0.05; done`));
      const [, pid = ''] = await program.prints(/(\d+)\n/);
      program.signal('SIGKILL');
      await until(() => !isRunning(Number(pid)), 'the command to be killed');
      expect(existsSync(log)).toBe(false);
    });

    test('--on-lost ignore: it goes on', async () => {
      const program = lock('orphan-ignored', '--on-lost', 'ignore', ...shell('echo $$; exec sleep 1000'));
      const [, pid = ''] = await program.prints(/(\d+)\n/);
      program.signal('SIGKILL');
      expect(await lock('orphan-ignored', '--wait', '20s', '--', 'true').ended).toBe(0);
      expect(isRunning(Number(pid))).toBe(true);
      process.kill(Number(pid), 'SIGKILL');
    });
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
    const address = lock('usage', '--address', 'nonsense', '--', 'true');
    expect(await address.ended).toBe(64);
    expect(address.errors).toMatch(/^maekawa: option '--address <host:port>' argument 'nonsense' is invalid. Write host:port.*\n\(see maekawa lock --help\)\n$/);
    const alone = lock('usage', '--shell');
    expect(await alone.ended).toBe(64);
    expect(alone.errors).toMatch(/^maekawa: --shell needs a command; write it after --\n$/);
    const long = lock('x'.repeat(5_000), '--', 'true');
    expect(await long.ended).toBe(64);
    expect(long.errors).toMatch(/5000 bytes long; at most 4096/);
  });

  test.each([
    ['lock', '--', '-x', '--', 'true'],
    ['lock', '--also=-x', 'fine', '--', 'true'],
    ['lock', '--semaphore', '2', '--', '-x', '--', 'true'],
    ['steal', '--', '-x'],
    ['who', '--', '-x'],
    ['watch', '--', '-x'],
  ])('a reserved name is 64 with one line: maekawa %s %s %s %s', async (...args) => {
    const program = new Program(args, { MAEKAWA_CONFIG: cluster.configFile });
    expect(await program.ended).toBe(64);
    expect(program.errors).toBe('maekawa: the lock name "-x" starts with "-", which is reserved\n');
  });

  test.each([['lock'], ['steal'], ['who'], ['watch'], ['lock', 'fine', '--also']])('a name of more than 4096 bytes is 64: maekawa %s', async (...args) => {
    const program = new Program([...args, 'x'.repeat(4_097)], { MAEKAWA_CONFIG: cluster.configFile });
    expect(await program.ended).toBe(64);
    expect(program.errors).toBe('maekawa: the lock name is 4097 bytes long; at most 4096 are allowed\n');
  });

  test('no node at the address is 69', async () => {
    const program = new Program(['lock', 'nobody', '--address', '127.0.0.1:9', '--', 'true']);
    expect(await program.ended).toBe(69);
    expect(program.errors).toMatch(/^maekawa: no node answers at 127.0.0.1:9 \(connection refused: nothing listens there\)\. Start one/);
  });
});

describe('maekawa lock, within a long lease', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ leaseMs: 120_000 });
  });
  afterAll(() => cluster.remove());

  /** Kills it when the command has printed its mark, and waits until the guardian has gone. */
  async function killed(name: string, options: readonly string[], script: string): Promise<{ tookMs: number; pid: number }> {
    const program = new Program(['lock', '--config', cluster.configFile, name, ...options, ...shell(`${script}\necho "$$ $MAEKAWA_HOLD"; while :; do sleep 0.05; done`)]);
    const [, pid = '', mark = ''] = await program.prints(/(\d+) (\S+)\n/);
    expect(guardians(mark)).not.toEqual([]);
    const startedMs = performance.now();
    program.signal('SIGKILL');
    await until(() => guardians(mark).length === 0, 'the guardian to end');
    return { tookMs: performance.now() - startedMs, pid: Number(pid) };
  }

  /** Processes that were given the mark as an argument. */
  function guardians(mark: string): string[] {
    return readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && isRunning(Number(pid)) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark);
      } catch {
        return false;
      }
    });
  }

  test('a signal ends the waiting for a node that does not answer when the lock is given back; the exit code is that of the command', async () => {
    const program = new Program(['lock', '--config', cluster.configFile, '--node', 'n1', '--json', 'given back', ...shell('echo in; read line; exit 5')]);
    await program.prints(/in/);
    cluster.signal('n1', 'SIGSTOP');
    program.child.stdin?.end('\n');
    await program.complains(/"event":"ended"/);
    const startedMs = performance.now();
    program.signal('SIGINT');
    expect(await program.ended).toBe(5);
    expect(performance.now() - startedMs).toBeLessThan(4_000); // the connection is given up after 7 s
    cluster.signal('n1', 'SIGCONT');
    expect(program.errors).toMatch(/"event":"ended","exitCode":5\}\n\{"at":"[^"]+","lock":"given back","event":"unanswered"\}\n$/);
  });

  onLinux.each([['the command', [], ':'], ['what left its group', [], 'setsid sleep 1000 >/dev/null 2>&1 &'], ['the command, whatever left its group', ['--keep-daemons'], ':']])(
    'the guardian ends with %s, and not a grace later', async (what, options, script) => {
      const { tookMs, pid } = await killed(`guarded ${what}`, options, script);
      expect(isRunning(pid)).toBe(false);
      expect(tookMs).toBeLessThan(15_000); // of 22.5 s
    },
  );

  onLinux('a command that ignores SIGTERM has the grace, and is killed then', async () => {
    const { tookMs, pid } = await killed('stubborn', ['--grace', '4s'], "trap '' TERM");
    expect(isRunning(pid)).toBe(false);
    expect(tookMs).toBeGreaterThan(2_500);
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

  test('--on-lost kill: the command is killed without a SIGTERM; exit code 122', async () => {
    const log = join(cluster.directory, 'child.log');
    const program = lock('lost', '--on-lost', 'kill', ...shell(`trap 'echo TERM >> ${log}' TERM; echo in; while :; do sleep 0.05; done`));
    await program.prints(/in/);
    for (const id of ['n2', 'n3']) cluster.signal(id, 'SIGKILL');
    expect(await program.ended).toBe(122);
    expect(existsSync(log)).toBe(false);
    expect(program.errors).toMatch(/killing the command/);
  });

  test('--on-lost ignore: the command goes on, and maekawa ends with its exit code', async () => {
    const program = lock('lost', '--on-lost', 'ignore', ...shell('echo in; read line; exit 5'));
    await program.prints(/in/);
    for (const id of ['n2', 'n3']) cluster.signal(id, 'SIGKILL');
    await program.complains(/the command goes on, because of --on-lost ignore/);
    program.child.stdin?.end('\n');
    expect(await program.ended).toBe(5);
  });

  test('without a command, 122 when the lock is lost', async () => {
    const program = lock('lost');
    await program.prints(/\d+\n/);
    for (const id of ['n2', 'n3']) cluster.signal(id, 'SIGKILL');
    expect(await program.ended).toBe(122);
    expect(program.errors).toMatch(/lost the lock "lost".*refuses your writes once a later holder was there/);
  });

  test('with -v it does not claim to have given back what no node has heard of', async () => {
    const program = lock('unheard', '-v', ...shell('echo in; read line'));
    await program.prints(/in/);
    cluster.signal('n1', 'SIGSTOP');
    program.child.stdin?.end('\n');
    expect(await program.ended).toBe(0);
    expect(program.errors).toMatch(/^maekawa: holding unheard, token \d+\nmaekawa: the node did not answer when unheard was given back, so the lock ends with its lease\n$/);
  });

  test('--grace: the command has time to clean up, and has done so before another one runs', async () => {
    const log = join(cluster.directory, 'grace.log');
    const cleanUp = `trap 'echo cleaning >> ${log}; sleep 0.2; echo cleaned >> ${log}; exit 0' TERM`;
    const first = lock('grace', '--grace', '900ms', ...shell(`${cleanUp}; echo in; while :; do sleep 0.01; done`));
    await first.prints(/in/);
    const second = new Program(['lock', '--config', cluster.configFile, '--node', 'n2', 'grace', ...shell(`echo second >> ${log}`)]);
    cluster.signal('n1', 'SIGSTOP'); // nothing renews the lock, and nobody says so
    expect(await second.ended).toBe(0);
    expect(await first.ended).toBe(122);
    expect(readFileSync(log, 'utf8')).toBe('cleaning\ncleaned\nsecond\n');
  });

  test('a command that cannot be stopped by SIGTERM is dead before another one runs', async () => {
    const log = join(cluster.directory, 'work.log');
    // $0 says who writes.
    const work = (who: string): string[] => ['--', 'sh', '-c', `trap '' TERM; echo in; while :; do echo $0 >> ${log}; sleep 0.002; done`, who];
    const first = lock('exclusive', ...work('first'));
    await first.prints(/in/);
    const second = new Program(['lock', '--config', cluster.configFile, '--node', 'n2', 'exclusive', ...work('second')]);
    cluster.signal('n1', 'SIGSTOP'); // nothing renews the lock, and nobody says so
    await second.prints(/in/);
    expect(await first.ended).toBe(122);
    second.signal('SIGKILL');
    await second.ended;
    await until(() => readFileSync(log, 'utf8').endsWith('second\n'), 'the second to have written');
    expect(readFileSync(log, 'utf8')).toMatch(/^(first\n)+(second\n)+$/);
  });

  test('no quorum while waiting is 121 and names the nodes that are down', async () => {
    for (const id of ['n2', 'n3']) cluster.signal(id, 'SIGKILL');
    await until(async () => (await cluster.status('n1'))?.peers.every((peer) => !peer.up), 'n1 to notice');
    const program = lock('none', '--wait', '300ms', '--', 'true');
    expect(await program.ended).toBe(121);
    expect(program.errors).toMatch(/contain no quorum. Missing: n2 .*n3 .*Start those that are down, or check the network/);
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
