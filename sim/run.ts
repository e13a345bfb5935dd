/** The simulator as a function: a seed, or a plan, to a report. */
import { PRODUCTION_CORE } from './core';
import type { Core } from './core';
import { drawPlan } from './plan/draw';
import type { RunOptions } from './plan/draw';
import type { Plan } from './plan/plan';
import type { RunReport } from './outcome/report';
import { World } from './world/world';
import type { CheckSettings, Observer } from './world/world';

export interface RunTools extends CheckSettings {
  /** The core to run; the production core unless another is handed in. */
  readonly core?: Core;
  readonly observer?: Observer;
}

/** Run one seed; what `options` leave open, the seed draws. Never throws for a violation: it is in the report. */
export function runSeed(seed: number, options: RunOptions = {}, tools: RunTools = {}): RunReport {
  return runPlan(drawPlan(seed, options), tools);
}

export function runPlan(plan: Plan, tools: RunTools = {}): RunReport {
  return new World(plan, tools.core ?? PRODUCTION_CORE, tools.observer ?? null, tools).run();
}
