/**
 * The search for a simpler plan that fails in the same way. A change is kept only if a run of the changed
 * plan violates the same check; nothing else is believed.
 */
import type { Core } from '../core';
import type { Plan } from '../plan/plan';
import type { Violation } from '../outcome/report';
import { runPlan } from '../run';
import type { Observer } from '../world/observer';
import { lastNewsUs } from './cut-short';
import type { FailingRun } from './failing-run';
import { leaveOut } from './leave-out';
import { pin } from './pin';
import type { Pinned } from './pin';

/** A plan with less in it may take longer to fail, but not much longer. */
const EVENTS_MORE = 100;

/** Ends a run that takes too many events to be worth while: what fails fails early, and most of the time goes into what does not. */
class Limit implements Observer {
  isExceeded = false;
  private events = 0;

  constructor(private readonly eventsMax: number) {}

  stepped(): void {
    if (++this.events <= this.eventsMax) return;
    this.isExceeded = true;
    throw new RangeError('too many events');
  }
}

export class Search {
  runs = 0;
  private best: FailingRun;

  constructor(
    start: FailingRun,
    private readonly core: Core,
    /** The time is up. */
    readonly isOver: () => boolean,
  ) {
    this.best = start;
  }

  get found(): FailingRun {
    return this.best;
  }

  get plan(): Plan {
    return this.best.plan;
  }

  get events(): number {
    return this.best.report.events;
  }

  get violation(): Violation {
    return this.best.violation;
  }

  /** It falls once all faults have ended. */
  get isAfterHeal(): boolean {
    return this.violation.atUs >= this.plan.durationUs;
  }

  /** Write these things into the plan as they were in its run, all at once or else one by one. */
  pinDown(what: readonly Pinned[]): void {
    const { plan, violation, core, events } = this;
    if (what.length === 0) return;
    if (this.isAfterHeal && plan.asksNoMore !== true && (plan.lostForEver ?? []).length === 0) {
      for (const untilUs of [lastNewsUs(plan, core) + 1, violation.atUs]) if (this.attempt(pin(plan, core, what, untilUs), 4 * events)) return;
    }
    if (this.attempt(pin(plan, core, what))) return;
    if (what.length > 1) for (const each of what) this.attempt(pin(this.plan, core, [each]));
  }

  /** Leave out of one list of the plan what can be left out. */
  leaveOut<Item>(items: readonly Item[], planWith: (kept: readonly Item[]) => Plan): void {
    leaveOut(items, (kept) => this.attempt(planWith(kept)), this.isOver);
  }

  /**
   * Take over this plan if it fails in the same way, within so many events. Once the time is up, nothing
   * is tried any more.
   */
  attempt(plan: Plan, eventsMax = 2 * this.events + EVENTS_MORE): boolean {
    if (this.isOver()) return false;
    this.runs++;
    const limit = new Limit(eventsMax);
    const report = runPlan(plan, { core: this.core, observer: limit });
    const { violation } = report;
    if (violation === null || limit.isExceeded || nameOf(violation) !== nameOf(this.violation)) return false;
    // What fell while faults happened must not be put off until they are over.
    if (violation.atUs >= plan.durationUs && !this.isAfterHeal) return false;
    this.best = { plan, report, violation };
    return true;
  }
}

/** An exception is told from another by what it says. */
function nameOf({ check, detail }: Violation): string {
  return check === 'exception' ? (detail.split('\n')[0] ?? detail) : check;
}
