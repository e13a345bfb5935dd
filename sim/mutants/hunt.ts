/** Runs a mutant, seed by seed, until a check that may catch it does. */
import { runSeed } from '../run';
import { loadMutant } from './load';
import type { Mutant } from './mutant';

/** A check that failed, and where. */
export interface Catch {
  readonly check: string;
  readonly seed: number;
  readonly events: number;
  readonly detail: string;
}

export interface Hunt {
  readonly mutant: string;
  /** By a check that may catch it; null when it survived. */
  readonly caught: Catch | null;
  /** The first catch by each check of another name, before that. */
  readonly others: readonly Catch[];
  /** It looped for ever. */
  readonly hung?: true;
}

export function hunt(mutant: Mutant, seedMax: number): Hunt {
  const core = loadMutant(mutant);
  const others = new Map<string, Catch>();
  for (let seed = 1; seed <= seedMax; seed++) {
    const { violation, events } = runSeed(seed, {}, { core });
    if (violation === null) continue;
    const { check, detail } = violation;
    const found: Catch = { check, seed, events, detail };
    if ((mutant.caughtBy as readonly string[]).includes(check)) return { mutant: mutant.name, caught: found, others: [...others.values()] };
    if (!others.has(check)) others.set(check, found);
  }
  return { mutant: mutant.name, caught: null, others: [...others.values()] };
}
