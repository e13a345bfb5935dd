/** Which processes a command has left, while they come and go. */
import { spawn } from 'node:child_process';
import type * as Fs from 'node:fs';
import { Descendants, markedEnvironment } from '../../src/cli/descendants';
import { processState, track, until } from '../support/processes';

/** Called when the environment of a process has been read. */
let mockAfterEnvironment: (pid: number) => void = () => undefined;

jest.mock('node:fs', () => {
  const real = jest.requireActual<typeof Fs>('node:fs');
  return {
    ...real,
    readFileSync: (...args: Parameters<typeof Fs.readFileSync>) => {
      const content = real.readFileSync(...args);
      const pid = /^\/proc\/(\d+)\/environ$/.exec(String(args[0]))?.[1];
      if (pid !== undefined) mockAfterEnvironment(Number(pid));
      return content;
    },
  };
});

const onLinux = process.platform === 'linux' ? test : test.skip;

afterEach(() => {
  mockAfterEnvironment = () => undefined;
});

onLinux('a process of the group that ends while it is looked at has not left the group', () => {
  const leader = track(spawn('sleep', ['1000'], { detached: true, env: markedEnvironment(process.env, 'the mark') }));
  const descendants = new Descendants(leader, 'the mark');
  let looks = 0;
  mockAfterEnvironment = (pid) => {
    if (pid !== leader.pid) return;
    looks += 1;
    process.kill(pid, 'SIGKILL');
    for (const deadline = performance.now() + 30_000; processState(pid) !== 'Z' && performance.now() < deadline; );
  };
  expect(descendants.daemons()).toEqual([]);
  expect(looks).toBe(1);
});

onLinux('one that left the group has, until it ends', async () => {
  const leader = track(spawn('sleep', ['1000'], { detached: true, env: markedEnvironment(process.env, 'another mark') }));
  const daemon = track(spawn('sleep', ['1000'], { detached: true, env: markedEnvironment(process.env, 'another mark') }));
  const descendants = new Descendants(leader, 'another mark');
  await until(() => descendants.daemons().length > 0, 'both to run');
  expect(descendants.daemons()).toEqual([daemon.pid]);
  daemon.kill('SIGKILL');
  await until(() => descendants.daemons().length === 0, 'it to end');
  expect(descendants.groupLives()).toBe(true);
});

onLinux('SIGTERM is left to whoever keeps a lock within this one, while anybody is there to pass it on', async () => {
  const asleep = (mark: string, environment: NodeJS.ProcessEnv = process.env): ReturnType<typeof spawn> => track(spawn('sleep', ['1000'], { detached: true, env: markedEnvironment(environment, mark) }));
  const leader = asleep('outer');
  const daemon = asleep('outer');
  const inner = asleep('inner', markedEnvironment(process.env, 'outer'));
  const descendants = new Descendants(leader, 'outer');
  await until(() => descendants.daemons().length === 2, 'both daemons to run');
  descendants.signal('SIGTERM');
  await until(() => !descendants.groupLives() && descendants.daemons().length === 1, 'the others to end');
  expect(descendants.daemons()).toEqual([inner.pid]);
  expect(daemon.signalCode ?? 'SIGTERM').toBe('SIGTERM');
  descendants.signal('SIGTERM');
  await until(() => descendants.daemons().length === 0, 'it to end too');
});
