/** A failing plan on disk: what was violated, the hash of the run, and the plan, so that a replay can be compared with it. */
import { PRODUCTION_CORE } from '../core';
import type { Core } from '../core';
import type { Plan } from '../plan/plan';
import type { RunReport } from '../outcome/report';
import { runPlan } from '../run';
import type { Observer } from '../world/observer';

const FORMAT = 'maekawa plan 1';

interface PlanFile {
  readonly format: typeof FORMAT;
  /** What the run violates, in words. For the reader; a replay finds out by itself. */
  readonly violation: string | null;
  readonly hash: string;
  readonly plan: Plan;
}

export function planFileText({ plan, hash, violation }: RunReport): string {
  const file: PlanFile = { format: FORMAT, violation: violation === null ? null : `${violation.check}: ${violation.detail}`, hash, plan };
  return `${JSON.stringify(file, null, 2)}\n`;
}

export interface PlanReplay {
  readonly report: RunReport;
  /** Everything happened exactly as when the file was written; false when the core has changed since. */
  readonly isSame: boolean;
}

export function isPlanFile(text: string): boolean {
  return text.includes(`"${FORMAT}"`);
}

/** @throws RangeError when this is no such file */
export function replayPlanFile(text: string, tools: { readonly core?: Core; readonly observer?: Observer } = {}): PlanReplay {
  const file = JSON.parse(text) as Partial<PlanFile>;
  if (file.format !== FORMAT || file.plan === undefined) throw new RangeError(`this is no file of the format "${FORMAT}"`);
  const report = runPlan(file.plan, { core: tools.core ?? PRODUCTION_CORE, ...tools });
  return { report, isSame: report.hash === file.hash };
}
