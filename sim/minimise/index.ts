/**
 * From a failing plan to the smallest that still fails in the same way, found by leaving out, within a
 * time budget. The result is a plan like any other: it runs, prints and replays exactly.
 */
import { PRODUCTION_CORE } from '../core';
import type { Core } from '../core';
import type { Plan } from '../plan/plan';
import { withShortClocks } from '../outcome/trace';
import { describeParts, partsOf } from '../plan/describe';
import { PASSES, roundTimesUp } from './passes';
import type { Pass } from './passes';
import { cutShort } from './cut-short';
import { runFailing } from './failing-run';
import type { FailingRun } from './failing-run';
import { isPinned } from './pin';
import type { Pinned } from './pin';
import { Search } from './search';

export { describeParts, partsOf } from '../plan/describe';
export { isPlanFile, planFileText, replayPlanFile } from './plan-file';
export { asScenario } from './scenario';

/** A minimised run as text, to print: what is violated, and what it takes. */
export function describeMinimised({ plan, report, violation, original, runs, tookMs, isMinimal }: Minimised): string {
  const effort = `${runs} runs in ${(tookMs / 1000).toFixed(1)} s${isMinimal ? '; nothing can be left out' : '; the time was up'}`;
  return [
    `${violation.check}: ${withShortClocks(plan, violation.detail)}`,
    '',
    ...describeParts(plan, violation.atUs).map((line) => `  ${line}`),
    '',
    `from ${describeSize(original)}`,
    `to   ${describeSize({ plan, report })}   (${effort})`,
  ].join('\n');
}

function describeSize({ plan, report }: Pick<FailingRun, 'plan' | 'report'>): string {
  const { wishes, faults, fates, looks, lost } = partsOf(plan);
  const parts = [
    count(report.events, 'event'), count(wishes, 'wish', 'wishes'), count(faults, 'fault'), count(fates, 'odd message'),
    count(looks, 'look at a peer', 'looks at peers'), count(lost, 'node lost for ever', 'nodes lost for ever'), count(plan.machines.length, 'node'),
  ];
  return parts.filter((part) => !part.startsWith('0 ')).join(', ');
}

function count(n: number, noun: string, nouns = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : nouns}`;
}

export const MINIMISE_MS_MAX = 30_000;

export interface MinimiseOptions {
  /** The core that fails; the production core unless another is handed in. */
  readonly core?: Core;
  /** When to stop even if something could still be left out. Default 30 s. */
  readonly timeMsMax?: number;
}

export interface Minimised extends FailingRun {
  /** The run that it was made from. */
  readonly original: FailingRun;
  /** How many runs it took. */
  readonly runs: number;
  readonly tookMs: number;
  /** Nothing more can be left out; false when the time was up first. */
  readonly isMinimal: boolean;
}

/**
 * Leaving out ends where no single change helps. On another way that may be at a smaller plan, and from
 * there all ways are open again.
 */
const WAYS: readonly Way[] = [PASSES, [...PASSES.slice(2), ...PASSES.slice(0, 2)], [...PASSES].reverse()].flatMap((passes) => (
  ([['wishes', 'looks', 'fates'], ['wishes', 'looks'], []] as const).map((pins) => ({ passes, pins }))
));

interface Way {
  readonly passes: readonly Pass[];
  readonly pins: readonly Pinned[];
}

/** What is as small as this can be taken in at a glance, and further ways are not worth their time. */
const SMALL = 20;

/** Of the time there is: what ways after the first may take, each and together. */
const WAY_SHARE = 0.2;
const WAYS_SHARE = 0.5;

/** @throws RangeError when the plan does not fail */
export function minimise(plan: Plan, { core = PRODUCTION_CORE, timeMsMax = MINIMISE_MS_MAX }: MinimiseOptions = {}): Minimised {
  const startedMs = performance.now();
  const tookMs = (): number => performance.now() - startedMs;
  const original = runFailing(plan, core);
  let best = original;
  let isMinimal = false;
  let runs = 1;
  for (let from: FailingRun | null = null; from !== best && (best === original || sizeOf(best) > SMALL); ) {
    from = best;
    for (const { passes, pins } of WAYS) {
      const isFirst = best === original;
      if (tookMs() > timeMsMax * WAYS_SHARE || (!isFirst && sizeOf(best) <= SMALL)) break;
      const endMs = isFirst ? timeMsMax : Math.min(timeMsMax, tookMs() + timeMsMax * WAY_SHARE);
      const search = new Search(from, core, () => tookMs() > endMs);
      descend(search, passes, pins);
      runs += search.runs;
      if (!isFirst && sizeOf(search.found) >= sizeOf(best)) continue;
      best = search.found;
      isMinimal = !search.isOver();
    }
  }
  return { ...cutShort(best, core), original, runs, tookMs: tookMs(), isMinimal };
}

/** Until a round of all passes changes nothing. */
function descend(search: Search, passes: readonly Pass[], pins: readonly Pinned[]): void {
  for (let before: Plan | null = null; before !== search.plan && !search.isOver(); ) {
    before = search.plan;
    // What could not be pinned down among many things may be among few.
    search.pinDown(pins.filter((each) => !isPinned(search.plan, each)));
    for (const pass of passes) pass(search);
  }
  roundTimesUp(search);
}

/** What a reader has to take in: what happens, and above all why. */
function sizeOf({ plan, report }: FailingRun): number {
  const { wishes, faults, fates, looks, lost } = partsOf(plan);
  return report.events + 4 * (wishes + faults + fates + looks + lost) + plan.machines.length;
}
