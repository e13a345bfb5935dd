/** What `maekawa lock` does with its command in moments that real nodes only sometimes meet. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT } from '../../src/cli/exit-codes';
import { supervise } from '../../src/cli/supervise';
import type { SuperviseOptions } from '../../src/cli/supervise';
import { LockError } from '../../src/errors';
import type { LockErrorCode } from '../../src/errors';
import { until } from '../support/processes';

const IGNORES_TERM = ['sh', '-c', "trap '' TERM; while :; do sleep 0.01; done"] as const;

function optionsFor(command: SuperviseOptions['command'], warnings: string[]): SuperviseOptions {
  return { command, env: process.env, onLost: 'term', warn: (text) => warnings.push(text) };
}

/** A lock of so many milliseconds, lost as soon as the command has said something. */
async function losing(code: LockErrorCode, leaseMs: number, options: Partial<SuperviseOptions> = {}): Promise<{ code: number; untilMs: number; killedMs: number; warnings: string[] }> {
  const abort = new AbortController();
  const untilMs = performance.now() + leaseMs;
  const lock = { signal: abort.signal, validForMs: () => (abort.signal.aborted ? 0 : Math.max(0, untilMs - performance.now())) };
  const warnings: string[] = [];
  let killedMs = Infinity;
  const kill = process.kill.bind(process);
  jest.spyOn(process, 'kill').mockImplementation((pid, signal) => {
    if (signal === 'SIGKILL') killedMs = Math.min(killedMs, performance.now());
    return kill(pid, signal);
  });
  const { exitCode } = await supervise(lock, {
    ...optionsFor(IGNORES_TERM, warnings),
    onStarted: () => setTimeout(() => abort.abort(new LockError(code, 'node n1 lost the lock "a"', { definite: false })), 50),
    ...options,
  });
  jest.restoreAllMocks();
  return { code: exitCode, untilMs, killedMs, warnings };
}

test.each<[LockErrorCode, string]>([
  ['lost', 'which nobody else has before it was given back'],
  ['stolen', 'for which somebody waits'],
])('a lock that is %s, %s: the command may end in good order, but only while the lease lasts', async (reason) => {
  const { code, untilMs, killedMs, warnings } = await losing(reason, 4_000);
  expect(code).toBe(EXIT.lost);
  expect(killedMs).toBeLessThan(untilMs);
  expect(warnings).toEqual(['node n1 lost the lock "a"; ending the command']);
});

test('with --on-lost kill the command is killed at once', async () => {
  const { code, warnings } = await losing('stolen', 3_600_000, { onLost: 'kill' });
  expect(code).toBe(EXIT.lost);
  expect(warnings).toEqual(['node n1 lost the lock "a"; killing the command']);
});

test('a command line that is too long is refused as a command that cannot be executed, and leaves no handler behind', async () => {
  const handlers = process.listenerCount('SIGTERM');
  const warnings: string[] = [];
  const lock = { signal: new AbortController().signal, validForMs: () => 3_600_000 };
  const tooLong = 'x'.repeat(4_000_000);
  expect((await supervise(lock, optionsFor(['true', tooLong], warnings))).exitCode).toBe(EXIT.cannotExecute);
  expect(warnings).toEqual([expect.stringMatching(/^cannot execute true: .*spawn E2BIG/)]);
  expect(process.listenerCount('SIGTERM')).toBe(handlers);
});

test('a signal that comes twice at a time, to maekawa and to its group, is passed on once', async () => {
  const file = join(tmpdir(), `maekawa-once-${process.pid}`);
  const lock = { signal: new AbortController().signal, validForMs: () => 3_600_000 };
  const counts = `trap 'echo got >> "$0"' USR2; trap 'exit 3' TERM; echo up > "$0"; while :; do sleep 0.01; done`;
  const ended = supervise(lock, optionsFor(['sh', '-c', counts, file], []));
  const said = (): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  try {
    await until(() => said() === 'up\n', 'the command to begin');
    for (let i = 0; i < 2; i++) process.emit('SIGUSR2', 'SIGUSR2');
    await until(() => said().includes('got'), 'the signal to arrive');
    process.emit('SIGTERM', 'SIGTERM');
    expect((await ended).exitCode).toBe(3);
    expect(said()).toBe('up\ngot\n');
  } finally {
    rmSync(file, { force: true });
  }
});
