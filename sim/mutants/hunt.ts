/** Runs a mutant, seed by seed, until a check that stands for what it breaks fails. */
import { PRODUCTION_MACHINES } from '../clients/machines';
import type { Machines } from '../clients/machines';
import { runClientsSeed } from '../clients/run';
import { PRODUCTION_CORE } from '../core';
import type { Core } from '../core';
import { runSeed } from '../run';
import { loadMutant } from './load';
import { isItsOwn } from './mutant';
import type { Mutant } from './mutant';

/** A check that failed, and where. */
export interface Catch {
  readonly check: string;
  readonly seed: number;
  readonly events: number;
  /** The core never came back from one of its events. */
  readonly isHung?: true;
}

/** Which seeds to try. */
export interface Seeds {
  /** Caught it the last time, and is tried first. */
  readonly remembered?: number | undefined;
  readonly from: number;
  readonly to: number;
}

export interface Hunt {
  /** By a check that stands for what it breaks; null when it survived. */
  readonly caught: Catch | null;
  /** The first catch by each check of another name, before that. */
  readonly others: readonly Catch[];
  readonly seedsRun: number;
}

const PRODUCTION: Core & Machines = { ...PRODUCTION_CORE, ...PRODUCTION_MACHINES };

/** `onSeed` is told of each seed before it is run. */
export function hunt(mutant: Mutant, seeds: Seeds, onSeed: (seed: number) => void = () => undefined, healthy: Core & Machines = PRODUCTION): Hunt {
  const core = loadMutant(mutant);
  const others = new Map<string, Catch>();
  let seedsRun = 0;
  for (const seed of order(seeds)) {
    onSeed(seed);
    seedsRun++;
    const { violation, events } = run(mutant, seed, core);
    if (violation === null) continue;
    const found: Catch = { check: violation.check, seed, events };
    if (!isItsOwn(mutant, violation.check)) {
      if (!others.has(violation.check)) others.set(violation.check, found);
    } else if (run(mutant, seed, healthy).violation === null) {
      return { caught: found, others: [...others.values()], seedsRun };
    } // What fails without the bug is no evidence.
  }
  return { caught: null, others: [...others.values()], seedsRun };
}

/** One seed, in the room that the mutant belongs to. */
function run({ clients, hunt: options }: Mutant, seed: number, core: Core & Machines): { readonly violation: { readonly check: string } | null; readonly events: number } {
  return clients === undefined ? runSeed(seed, options, { core }) : runClientsSeed(seed, clients, { machines: core });
}

function* order({ remembered, from, to }: Seeds): Generator<number> {
  if (remembered !== undefined) yield remembered;
  for (let seed = from; seed <= to; seed++) yield seed;
}
