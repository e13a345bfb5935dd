/** All mutants. The rules of protocol.md section 11 come first. */
import { ACT_MUTANTS } from './acts';
import { ARBITER_MUTANTS } from './arbiters';
import { BY_THE_LAW_MUTANTS } from './by-the-law';
import { CANARY } from './canary';
import { CLIENT_MUTANTS } from './clients';
import { FOURTH_SET_MUTANTS } from './fourth-set';
import { KEEPING_MUTANTS } from './keeping';
import { LATE_MUTANTS } from './late';
import { LIMIT_MUTANTS } from './limits';
import { MESSAGE_MUTANTS } from './messages';
import type { Mutant } from './mutant';
import { NAMESAKE_MUTANTS } from './namesakes';
import { NODE_MUTANTS } from './nodes';
import { ORDER_BY_THE_LAW_MUTANTS } from './order-by-the-law';
import { PASSING_MUTANTS } from './passing';
import { REQUESTER_MUTANTS } from './requesters';
import { RULES } from './rules';
import { SENTENCE_BY_SENTENCE_MUTANTS } from './sentence-by-sentence';
import { SESSION_MUTANTS } from './sessions';
import { TWO_LAYOUTS_MUTANTS } from './two-layouts';
import { UNFAIR_MUTANTS } from './unfair';
import { UNSAFE_MUTANTS } from './unsafe';
import { UNSEEN_MUTANTS } from './unseen';
import { VOTE_MUTANTS } from './votes';

export const MUTANTS: readonly Mutant[] = [
  ...RULES, ...ARBITER_MUTANTS, ...VOTE_MUTANTS, ...REQUESTER_MUTANTS, ...NODE_MUTANTS, ...LATE_MUTANTS, ...UNSAFE_MUTANTS, ...UNFAIR_MUTANTS,
  ...TWO_LAYOUTS_MUTANTS, ...NAMESAKE_MUTANTS, ...ACT_MUTANTS, ...LIMIT_MUTANTS, ...UNSEEN_MUTANTS, ...BY_THE_LAW_MUTANTS, ...ORDER_BY_THE_LAW_MUTANTS,
  ...KEEPING_MUTANTS, ...PASSING_MUTANTS, ...MESSAGE_MUTANTS, ...CLIENT_MUTANTS, ...SESSION_MUTANTS, ...SENTENCE_BY_SENTENCE_MUTANTS,
  ...FOURTH_SET_MUTANTS,
];

/** What can be planted by name. The canary is not hunted: it is there to be found now and then. */
export const PLANTABLE: readonly Mutant[] = [...MUTANTS, CANARY];

/** @throws RangeError that names those that are like it, or all there are, when there is none of this name */
export function planted(name: string): Mutant {
  const mutant = PLANTABLE.find((each) => each.name === name);
  if (mutant !== undefined) return mutant;
  const names = PLANTABLE.map((each) => each.name);
  const alike = likest(name, names);
  throw new RangeError(`there is no mutant "${name}"; ${alike.length > 0 ? `did you mean ${alike.join(' or ')}?` : `there are ${names.join(', ')}`}`);
}

const LIKE_MAX = 3;
/** Two names are alike when they share so much of their pairs of letters. */
const LIKE_MIN = 0.5;

function likest(name: string, names: readonly string[]): string[] {
  const own = pairsOf(name);
  return names
    .map((each) => ({ each, likeness: (2 * [...pairsOf(each)].filter((pair) => own.has(pair)).length) / (own.size + pairsOf(each).size) }))
    .filter(({ likeness }) => likeness >= LIKE_MIN)
    .sort((a, b) => b.likeness - a.likeness)
    .slice(0, LIKE_MAX)
    .map(({ each }) => each);
}

function pairsOf(name: string): Set<string> {
  return new Set(Array.from({ length: Math.max(0, name.length - 1) }, (_, i) => name.slice(i, i + 2)));
}
