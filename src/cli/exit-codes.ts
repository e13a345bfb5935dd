/**
 * What the exit code of `maekawa` means. `maekawa lock` passes on the exit code of its command, so its
 * own ones keep clear of those that commands use; 124, 126, 127 and 128 + n are what timeout(1) and the
 * shell use for the same things, 64 and up are from sysexits.h.
 */
import { constants } from 'node:os';
import { LockError } from '../errors';
import type { LockErrorCode } from '../errors';
import { CANNOT_WRITE } from '../standard-output';

export const EXIT = {
  ok: 0,
  /** A check failed: the demo saw what must not be. */
  failed: 1,
  usage: 64,
  unreachable: 69,
  bug: 70,
  storage: 73,
  cannotWrite: CANNOT_WRITE,
  protocol: 76,
  noQuorum: 121,
  lost: 122,
  closed: 123,
  timeout: 124,
  cannotExecute: 126,
  notFound: 127,
} as const;

/** What a manual says of an exit code. `command` and `died` stand for those that are the command's own. */
export type ExitCodeName = Exclude<keyof typeof EXIT, 'ok' | 'bug'> | 'command' | 'died';

export const EXIT_MEANINGS: Readonly<Record<ExitCodeName, { readonly shown: string; readonly meaning: string }>> = {
  command: { shown: '0, n', meaning: 'the exit code of the command' },
  failed: { shown: '1', meaning: 'nobody holds the lock (maekawa who), or a check failed (maekawa demo)' },
  usage: { shown: '64', meaning: 'an option or the configuration is wrong' },
  unreachable: { shown: '69', meaning: 'no node answers, or the address to listen on is in use' },
  storage: { shown: '73', meaning: 'the data directory cannot be used' },
  cannotWrite: { shown: '74', meaning: 'the output cannot be written' },
  protocol: { shown: '76', meaning: 'somebody listens, and there is no talking to each other: TLS on one side only, a certificate that one side refuses, another program, another version or another cluster' },
  noQuorum: { shown: '121', meaning: 'the nodes that can be reached contain no quorum' },
  lost: { shown: '122', meaning: 'the lock was lost or stolen, or was held for as long as --max-hold allows, and the command was ended because of that' },
  closed: { shown: '123', meaning: 'the node stopped' },
  timeout: { shown: '124', meaning: 'the lock was not free, or did not become free in time' },
  cannotExecute: { shown: '126', meaning: 'the command cannot be executed' },
  notFound: { shown: '127', meaning: 'there is no such command' },
  died: { shown: '128+n', meaning: 'the command died of signal n, or signal n came before it ran; maekawa dies of that signal too, unless it is one that dumps core' },
};

/** Signals that end a command that waits. */
export const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** An exit code that is no error of `maekawa` itself, such as that of a child. Ends the program without a message. */
export class ExitWith extends Error {
  constructor(readonly exitCode: number) {
    super(`exit ${exitCode}`);
  }
}

/** The end of a program by a signal that came for it, or that its command died of. */
export class DieOf extends ExitWith {
  constructor(readonly signal: NodeJS.Signals) {
    super(128 + constants.signals[signal]);
  }
}

/** The end of a command that was ended because its lock was lost, stolen or expired, or its node stopped. */
export class EndedForLoss extends ExitWith {}

/** These write a core where the system keeps them, and nobody wants ours. */
const DUMPING: readonly NodeJS.Signals[] = ['SIGQUIT', 'SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV', 'SIGXCPU', 'SIGXFSZ', 'SIGSYS'];

/**
 * End this process as what a signal ended: a shell goes on with its script after a program that exits with 130, and not after
 * one that SIGINT ended. To what reads an exit code both are the same. Returns for the first process of a container, which has
 * to exit by itself.
 */
export function dieOf(signal: NodeJS.Signals): void {
  if (DUMPING.includes(signal)) return;
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
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
  expired: EXIT.lost,
  nested: EXIT.usage,
  stolen: EXIT.lost,
  fenced: EXIT.lost,
  'no-quorum': EXIT.noQuorum,
  closed: EXIT.closed,
  unreachable: EXIT.unreachable,
  protocol: EXIT.protocol,
  storage: EXIT.storage,
};
