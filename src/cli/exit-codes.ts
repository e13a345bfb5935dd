/**
 * What the exit code of `maekawa` means. `maekawa lock` passes on the exit code of its command, so its
 * own ones keep clear of those that commands use; 124, 126, 127 and 128 + n are what timeout(1) and the
 * shell use for the same things, 64 and up are from sysexits.h.
 */
import { LockError } from '../errors';
import type { LockErrorCode } from '../errors';

export const EXIT = {
  ok: 0,
  /** A check failed: the demo saw what must not be. */
  failed: 1,
  usage: 64,
  unreachable: 69,
  bug: 70,
  storage: 73,
  protocol: 76,
  noQuorum: 121,
  lost: 122,
  closed: 123,
  timeout: 124,
  cannotExecute: 126,
  notFound: 127,
} as const;

/** For `--help` and the README. */
export const EXIT_CODE_HELP = `Exit codes:
  0    success; with \`maekawa lock\`: the exit code of the command
  1    a check failed (\`maekawa demo\`)
  64   usage or configuration is wrong
  69   no node answers, or the address is in use
  73   the data directory cannot be used
  76   the other side speaks another protocol, or belongs to another cluster
  121  no quorum of nodes can be reached
  122  the lock was lost, or stolen, while the command ran
  123  the node stopped
  124  the lock was not free in time
  126  the command cannot be executed
  127  the command was not found
  128+n  the command died of signal n`;

/** An exit code that is no error of ours, such as that of a child. Ends the program without a message. */
export class ExitWith extends Error {
  constructor(readonly exitCode: number) {
    super(`exit ${exitCode}`);
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof ExitWith) return error.exitCode;
  return error instanceof LockError ? exitCodes[error.code] : EXIT.bug;
}

const exitCodes: Record<LockErrorCode, number> = {
  config: EXIT.usage,
  timeout: EXIT.timeout,
  aborted: EXIT.timeout,
  lost: EXIT.lost,
  stolen: EXIT.lost,
  fenced: EXIT.lost,
  'no-quorum': EXIT.noQuorum,
  closed: EXIT.closed,
  unreachable: EXIT.unreachable,
  protocol: EXIT.protocol,
  storage: EXIT.storage,
};
