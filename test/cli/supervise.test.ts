/** What `maekawa lock` does with its command in moments that real nodes only sometimes meet. */
import { EXIT } from '../../src/cli/exit-codes';
import { supervise } from '../../src/cli/supervise';
import type { SuperviseOptions } from '../../src/cli/supervise';
import { LockError } from '../../src/errors';

const IGNORES_TERM = ['sh', '-c', "trap '' TERM; while :; do sleep 0.01; done"] as const;

function optionsFor(command: SuperviseOptions['command'], warnings: string[]): SuperviseOptions {
  return { command, env: process.env, onLost: 'term', warn: (text) => warnings.push(text) };
}

test('a lock that the node says is lost may be held by another already: the command is killed at once', async () => {
  const abort = new AbortController();
  const lost = new LockError('lost', 'node n1 lost the lock "a"', { definite: false });
  const lock = { signal: abort.signal, validForMs: () => 3_600_000 };
  const code = await supervise(lock, { ...optionsFor(IGNORES_TERM, []), onStarted: () => setImmediate(() => abort.abort(lost)) });
  expect(code).toBe(EXIT.lost);
});

test('a command line that is too long is refused as a command that cannot be executed, and leaves no handler behind', async () => {
  const handlers = process.listenerCount('SIGTERM');
  const warnings: string[] = [];
  const lock = { signal: new AbortController().signal, validForMs: () => 3_600_000 };
  const tooLong = 'x'.repeat(4_000_000);
  expect(await supervise(lock, optionsFor(['true', tooLong], warnings))).toBe(EXIT.cannotExecute);
  expect(warnings).toEqual([expect.stringMatching(/^cannot execute true: .*spawn E2BIG/)]);
  expect(process.listenerCount('SIGTERM')).toBe(handlers);
});
