/**
 * A mutant: the core with one planted bug, named after what it gets wrong. Evidence that the simulator
 * would notice: each must be caught, and by a check that stands for what the bug breaks.
 */
import type { LocalInvariant } from '../../src/core';
import type { Check } from '../checks/check';
import type { ClientCheck } from '../clients/check';
import type { ClientsOptions } from '../clients/draw';
import type { RunOptions } from '../plan/draw';

/** A check of the simulator, or an assertion of the core. */
export type CheckName = Check | ClientCheck | LocalInvariant;

/** Files of src/core that mutants change. */
export type CoreFile =
  | 'arbiter' | 'asking' | 'candidacy' | 'clock' | 'deadlines' | 'earlier-life' | 'lease-times' | 'memory' | 'namesake' | 'node' | 'priority' | 'reach' | 'requester' | 'requesters' | 'votes'
  | 'client-session' | 'held-lock' | 'kept-lock' | 'served-lock' | 'served-session';

/** One piece of source text that stands in the file exactly once, and what stands there instead. */
export interface Change {
  readonly file: CoreFile;
  readonly replace: string;
  readonly by: string;
}

export interface Mutant {
  /** A few words with dashes. */
  readonly name: string;
  /** What is wrong with it. */
  readonly what: string;
  readonly changes: readonly Change[];
  /** The checks that stand for what it breaks. Caught by others alone, it counts as missed. */
  readonly caughtBy: readonly CheckName[];
  /** What is fixed in the seeds that it is hunted with, where freely drawn ones take too long to get there. */
  readonly hunt?: RunOptions;
  /** It is hunted in the room of clients, with this fixed; `hunt` says nothing then. */
  readonly clients?: ClientsOptions;
}

export function isItsOwn({ caughtBy }: Mutant, check: string): boolean {
  return (caughtBy as readonly string[]).includes(check);
}

/**
 * A vote that somebody counts on is lent on. `lease-inside` sees it at the arbiter that lends it, `exclusion` when
 * it lets a second holder in: which of the two comes first is chance.
 */
export const VOTE_LENT_TWICE = ['lease-inside', 'exclusion'] as const satisfies readonly CheckName[];

/**
 * A token does not exceed an earlier one. `token-covered` sees it at the arbiter that makes it possible,
 * `token-rises` when two entries show it, `fenced` when a write that comes too late is accepted.
 */
export const TOKEN_FALLS = ['token-covered', 'jumps', 'token-rises', 'fenced'] as const satisfies readonly CheckName[];

/** Most mutants are one change to one file. */
export function inFile(file: CoreFile): (replace: string, by: string) => Change {
  return (replace, by) => ({ file, replace, by });
}

/** Without it, who waits for votes that never come asks others a lease later, which heals much that would else be seen. */
export const NO_BACKSTOP: Change = inFile('requester')('if (requesterNowMs < phase.patientUntilMs) return;', 'return;');
