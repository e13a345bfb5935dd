/** All mutants. The rules of protocol.md section 11 come first. */
import { ARBITER_MUTANTS } from './arbiters';
import { CANARY } from './canary';
import { LATE_MUTANTS } from './late';
import type { Mutant } from './mutant';
import { NODE_MUTANTS } from './nodes';
import { REQUESTER_MUTANTS } from './requesters';
import { RULES } from './rules';
import { UNFAIR_MUTANTS } from './unfair';
import { UNSAFE_MUTANTS } from './unsafe';
import { VOTE_MUTANTS } from './votes';

export const MUTANTS: readonly Mutant[] = [
  ...RULES, ...ARBITER_MUTANTS, ...VOTE_MUTANTS, ...REQUESTER_MUTANTS, ...NODE_MUTANTS, ...LATE_MUTANTS, ...UNSAFE_MUTANTS, ...UNFAIR_MUTANTS,
];

/** What can be planted by name. The canary is not hunted: it is there to be found now and then. */
export const PLANTABLE: readonly Mutant[] = [...MUTANTS, CANARY];

/** @throws RangeError that names all there are when there is none of this name */
export function planted(name: string): Mutant {
  const mutant = PLANTABLE.find((each) => each.name === name);
  if (mutant === undefined) throw new RangeError(`there is no mutant "${name}"; there are ${PLANTABLE.map((each) => each.name).join(', ')}`);
  return mutant;
}
