/** A plan that fails, with the run that shows it. */
import type { Core } from '../core';
import type { RunReport, Violation } from '../outcome/report';
import type { Plan } from '../plan/plan';
import { runPlan } from '../run';

export interface FailingRun {
  readonly plan: Plan;
  readonly report: RunReport;
  readonly violation: Violation;
}

/** @throws RangeError when the plan does not fail */
export function runFailing(plan: Plan, core: Core): FailingRun {
  const report = runPlan(plan, { core });
  if (report.violation === null) throw new RangeError('a plan that violates no check cannot be minimised');
  return { plan, report, violation: report.violation };
}
