/** The simulator as a function: a seed, or a plan, to a report. Here world, witnesses and account are put together. */
import { witnessesOf } from './checks/witnesses-of';
import type { CheckSettings } from './checks/witnesses-of';
import { PRODUCTION_CORE } from './core';
import type { Core } from './core';
import { Account, violationOf } from './outcome/account';
import type { RunReport, Violation } from './outcome/report';
import { drawPlan } from './plan/draw';
import type { RunOptions } from './plan/draw';
import type { Plan } from './plan/plan';
import type { Observer } from './world/observer';
import { World } from './world/world';
import type { WorldSettings } from './world/world';

export interface RunTools extends CheckSettings, WorldSettings {
  /** The core to run; the production core unless another is handed in. */
  readonly core?: Core;
  readonly observer?: Observer;
}

/** Run one seed; what `options` leave open, the seed draws. Never throws for a violation: it is in the report. */
export function runSeed(seed: number, options: RunOptions = {}, tools: RunTools = {}): RunReport {
  return runPlan(drawPlan(seed, options), tools);
}

export function runPlan(plan: Plan, tools: RunTools = {}): RunReport {
  const world = new World(plan, tools.core ?? PRODUCTION_CORE, tools.observer ?? null, tools);
  const account = new Account(plan, world.scene);
  const witnesses = witnessesOf(plan, world.scene, account, tools);
  let violation: Violation | null = null;
  try {
    world.run(witnesses);
  } catch (error) {
    violation = violationOf(error, world.nowUs);
  }
  return account.report(world, witnesses, violation);
}
