/** All mutants. The rules of protocol.md section 11 come first. */
import { ARBITER_MUTANTS } from './arbiters';
import type { Mutant } from './mutant';
import { NODE_MUTANTS } from './nodes';
import { REQUESTER_MUTANTS } from './requesters';
import { RULES } from './rules';

export const MUTANTS: readonly Mutant[] = [...RULES, ...ARBITER_MUTANTS, ...REQUESTER_MUTANTS, ...NODE_MUTANTS];
