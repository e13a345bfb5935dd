/** `maekawa elect`, and `maekawa lock --at-least`: real processes that lead, lose it, and are killed. */
import type { Cluster } from '../../src/cli/demo/cluster';
import { Program, isRunning, startCluster, until } from '../support/processes';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ leaseMs: 1_500 });
});
afterAll(() => cluster.remove());

function maekawa(command: string, ...args: string[]): Program {
  return new Program([command, '--config', cluster.configFile, ...args]);
}

const shell = (script: string): string[] => ['--', 'sh', '-c', script];
/** Says who it is, and goes on until it is ended. */
const LEAD = shell('echo "led $MAEKAWA_LOCK $MAEKAWA_TOKEN $$"; exec sleep 1000');

async function term(program: Program, which = 1): Promise<{ token: number; pid: number }> {
  const terms = (): RegExpExecArray[] => [...program.output.matchAll(/^led \S+ (\d+) (\d+)$/gm)];
  await until(() => terms().length >= which, () => `term ${which} in:\n${program.output}${program.errors}`);
  const [, token, pid] = terms()[which - 1] ?? [];
  return { token: Number(token), pid: Number(pid) };
}

describe('maekawa elect', () => {
  test('ends as the command does when that ends by itself', async () => {
    const program = maekawa('elect', 'ends', ...shell('echo "$MAEKAWA_LOCK $MAEKAWA_TOKEN"; exit 7'));
    expect(await program.ended).toBe(7);
    expect(program.output).toMatch(/^ends \d{10,16}\n$/);
    expect(program.errors).toBe('');
    expect(await maekawa('who', 'ends').ended).toBe(1); // nobody
  });

  test('a leader that is killed: its command ends, and another leads within a lease, with a larger token', async () => {
    const first = maekawa('elect', 'killed', ...LEAD);
    const one = await term(first);
    const second = maekawa('elect', '--json', 'killed', ...LEAD);
    await second.complains(/"event":"waiting"/);
    first.signal('SIGKILL');
    const two = await term(second);
    expect(two.token).toBeGreaterThan(one.token);
    await until(() => !isRunning(one.pid), 'the command of the first to be ended by its guardian');
    second.signal('SIGTERM');
    expect(await second.ended).toBe('SIGTERM');
    expect(isRunning(two.pid)).toBe(false);
  });

  test('deposed, it ends the command, stands again, and starts it anew with a larger token', async () => {
    const program = maekawa('elect', 'deposed', ...LEAD);
    const one = await term(program);
    expect(await maekawa('steal', 'deposed').ended).toBe(0);
    const two = await term(program, 2);
    expect(two.token).toBeGreaterThan(one.token);
    expect(isRunning(one.pid)).toBe(false);
    program.signal('SIGINT');
    expect(await program.ended).toBe('SIGINT');
  });

  test('when its node is killed it leads again through another one', async () => {
    const of = await startCluster({ leaseMs: 1_500 });
    try {
      const program = new Program(['elect', '--config', of.configFile, 'moves', ...LEAD]);
      const one = await term(program);
      of.signal('n1', 'SIGKILL');
      const two = await term(program, 2);
      expect(two.token).toBeGreaterThan(one.token);
      expect(isRunning(one.pid)).toBe(false);
      program.signal('SIGTERM');
      expect(await program.ended).toBe('SIGTERM');
    } finally {
      await of.remove();
    }
  });

  test('--restart starts a command anew that ends by itself, until a signal comes', async () => {
    const program = maekawa('elect', '--restart', 'restarts', ...shell('echo "led $MAEKAWA_LOCK $MAEKAWA_TOKEN $$"; exit 3'));
    const one = await term(program);
    const two = await term(program, 2);
    expect(two.token).toBeGreaterThan(one.token);
    program.signal('SIGTERM');
    expect([3, 'SIGTERM']).toContain(await program.ended); // as the command ended, or in between
  });

  test('--restart takes a rest before it tries anew a command that cannot be started', async () => {
    const program = maekawa('elect', '--restart', 'absent', '--', '/no/such/command');
    const saidMs: number[] = [];
    for (let times = 1; times <= 3; times++) {
      await until(() => program.errors.split('there is no command').length > times, 'it to say so');
      saidMs.push(performance.now());
    }
    program.signal('SIGTERM');
    await program.ended;
    expect((saidMs[2] ?? 0) - (saidMs[0] ?? 0)).toBeGreaterThan(1_000);
  });

  test('a signal while it waits ends it', async () => {
    const leader = maekawa('elect', 'busy', ...LEAD);
    await term(leader);
    const program = maekawa('elect', '--json', 'busy', ...LEAD);
    await program.complains(/"event":"waiting"/);
    program.signal('SIGTERM');
    expect(await program.ended).toBe('SIGTERM');
    leader.signal('SIGTERM');
    await leader.ended;
  });

  test('what would leave two leaders, and what has nothing to run, is refused', async () => {
    const ignoring = maekawa('elect', '--on-lost', 'ignore', 'x', '--', 'true');
    expect(await ignoring.ended).toBe(64);
    expect(ignoring.errors).toMatch(/--on-lost ignore would leave a command running/);
    expect(await maekawa('elect', 'x').ended).toBe(64);
  });
});

describe('maekawa lock --at-least', () => {
  test('the lock is kept when the command has ended: others do not run it, who shows it, steal frees it', async () => {
    const first = maekawa('lock', 'nightly', '--at-least', '10m', ...shell('echo ran; exit 5'));
    expect(await first.ended).toBe(5);
    const second = maekawa('lock', 'nightly', '--at-least', '10m', '--node', 'n2', '--', 'echo', 'ran');
    expect([await second.ended, second.output]).toEqual([124, '']);
    expect(second.errors).toMatch(/is done with it, and it is kept for \d+ ms more|is not free/);
    expect(await maekawa('lock', 'nightly', '--at-least', '10m', '-E', '0', '--', 'false').ended).toBe(0);
    const who = maekawa('who', 'nightly');
    expect(await who.ended).toBe(0);
    expect(who.output).toMatch(/done, kept for \d+/);
    expect(await maekawa('steal', 'nightly').ended).toBe(0);
    expect(await maekawa('who', 'nightly').ended).toBe(1); // nobody
  });

  test.each([
    [['--also', 'other'], /--at-least is for one exclusive lock/], [['--shared'], /--at-least is for one exclusive lock/],
    [['--semaphore', '2'], /--at-least is for one exclusive lock/], [['--at-least', '25h'], /a day \(24h\) at most/],
    [['--max-hold', '30s'], /--max-hold is shorter than --at-least/],
  ])('what does not go with it: %j', async (args, why) => {
    const program = maekawa('lock', 'x', '--at-least', '1m', ...args, '--', 'true');
    expect(await program.ended).toBe(64);
    expect(program.errors).toMatch(why);
  });
});
