/**
 * A mutant: the core with one planted bug, named after what it gets wrong. Evidence that the simulator
 * would notice: each must be caught, and by a check that stands for what the bug breaks.
 */
import type { LocalInvariant } from '../../src/core';
import type { Check } from '../checks';

/** A check of the simulator, or an assertion of the core. */
export type CheckName = Check | LocalInvariant;

/** Files of src/core that mutants change. */
export type CoreFile = 'arbiter' | 'clock' | 'deadlines' | 'node' | 'priority' | 'requester';

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
  /** The checks that may catch it. Caught by others alone, it counts as missed. */
  readonly caughtBy: readonly CheckName[];
}

/** Most mutants are one change to one file. */
export function inFile(file: CoreFile): (replace: string, by: string) => Change {
  return (replace, by) => ({ file, replace, by });
}
