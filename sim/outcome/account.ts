/** Keeps account of one run while it goes on, and writes its report when it is over. */
import { CheckError } from '../checks/check';
import { isInvariantError } from '../core';
import type { Scene } from '../checks/scene';
import type { Figure, Witness } from '../checks/witness';
import type { Plan } from '../plan/plan';
import type { World } from '../world/world';
import { ClockJumps, Counting } from './counting';
import type { Counts } from './counts';
import type { RunReport, Violation } from './report';
import { TraceHash } from './trace-hash';

export class Account {
  private readonly hash: TraceHash;
  private readonly counting: Counting;
  private readonly clockJumps: ClockJumps;

  constructor(private readonly plan: Plan, scene: Scene) {
    this.hash = new TraceHash(scene);
    this.counting = new Counting(scene, plan);
    this.clockJumps = new ClockJumps(scene, plan.slack);
  }

  /** To be told of what happens before it is judged. */
  get first(): readonly Witness[] {
    return [this.hash, this.counting];
  }

  /** To be told of what all others let pass. */
  get last(): readonly Witness[] {
    return [this.clockJumps];
  }

  /** `witnesses`: all who watched, for what they alone could count. */
  report(world: World, witnesses: readonly Witness[], violation: Violation | null): RunReport {
    const { counting, plan, hash } = this;
    const { lost, duplicated, overtaken, cut, overflowed } = world.networkCounts;
    const counts: Counts = { ...counting.counts };
    counts.messagesLost += lost;
    counts.messagesDuplicated += duplicated;
    counts.messagesOvertaken += overtaken;
    counts.messagesCut += cut;
    counts.messagesOverflowed += overflowed;
    for (const { figures = {} } of witnesses) for (const [figure, count] of Object.entries(figures)) counts[figure as Figure] += count;
    return {
      plan,
      hash: hash.digest(),
      events: world.events,
      virtualUs: world.nowUs,
      counts,
      ignored: Object.fromEntries([...counting.ignored].sort(([a], [b]) => (a < b ? -1 : 1))),
      violation,
    };
  }
}

/** What a run ended with before its end. */
export function violationOf(error: unknown, atUs: number): Violation {
  if (error instanceof CheckError) return { check: error.check, detail: error.message, atUs };
  if (isInvariantError(error)) return { check: error.invariant, detail: error.message, atUs };
  if (error instanceof Error) return { check: 'exception', detail: error.stack ?? error.message, atUs };
  return { check: 'exception', detail: String(error), atUs };
}
