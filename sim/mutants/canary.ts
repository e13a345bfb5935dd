/**
 * The canary: a bug that shows in about one seed of a hundred. If a sweep over it is clean, or fails
 * everywhere, it is the sweep that is broken.
 */
import type { Totals } from '../outcome/totals';
import { inFile, isItsOwn, TOKEN_FALLS } from './mutant';
import type { Mutant } from './mutant';

export const CANARY: Mutant = {
  name: 'canary',
  what: 'a token of 1 where the clock is divisible by 4001',
  changes: [inFile('votes')('const token = highest + 1;', 'const token = highest % 4001 === 0 ? 1 : highest + 1;')],
  caughtBy: TOKEN_FALLS,
};

/** So many are enough to tell one in a hundred from none and from all. */
export const CANARY_SEEDS = 1_000;

/** From one seed in 400 to one in 40, and by no check of another name. */
export function isAsExpected({ seeds, failures }: Pick<Totals, 'seeds' | 'failures'>): boolean {
  const isOften = failures.length >= seeds / 400 && failures.length <= seeds / 40;
  return isOften && failures.every(({ violation }) => isItsOwn(CANARY, violation.check));
}
