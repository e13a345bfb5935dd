/**
 * The canary: a bug that shows in about one seed of a hundred. If a sweep over it is clean, or fails
 * everywhere, it is the sweep that is broken.
 */
import { addReport, newTotals } from '../report';
import { runSeed } from '../run';
import { loadMutant } from './load';
import { inFile } from './mutant';
import type { Mutant } from './mutant';

export const CANARY: Mutant = {
  name: 'canary',
  what: 'a token of 1 where the clock is divisible by 4001',
  changes: [inFile('requester')('const token = highest + 1;', 'const token = highest % 4001 === 0 ? 1 : highest + 1;')],
  caughtBy: ['token-rises', 'token-covered'],
};

const SEEDS = 2_000;

/** What is as expected: from one seed in 400 to one in 40. */
const FAILURES_MIN = SEEDS / 400;
const FAILURES_MAX = SEEDS / 40;

export interface CanarySweep {
  readonly seeds: number;
  readonly failures: number;
  readonly isAsExpected: boolean;
}

export function sweepCanary(seeds = SEEDS): CanarySweep {
  const core = loadMutant(CANARY);
  const totals = newTotals();
  for (let seed = 1; seed <= seeds; seed++) addReport(totals, runSeed(seed, {}, { core }));
  const failures = totals.failures.filter(({ violation }) => (CANARY.caughtBy as readonly string[]).includes(violation.check)).length;
  const isAsExpected = failures === totals.failures.length && failures >= FAILURES_MIN && failures <= FAILURES_MAX;
  return { seeds, failures: totals.failures.length, isAsExpected };
}
