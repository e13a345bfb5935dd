/** What a run leaves: its hash, figures that add up over a sweep, and the violation if there was one. */
import type { Plan } from '../plan/plan';
import type { Counts } from './counts';

export interface Violation {
  /** The name of the invariant (protocol.md section 10), or `exception`. */
  readonly check: string;
  readonly detail: string;
  readonly atUs: number;
}

export interface RunReport {
  readonly plan: Plan;
  /** The same on any machine for the same plan and the same core. */
  readonly hash: string;
  /** Calls of `step`. */
  readonly events: number;
  readonly virtualUs: number;
  readonly counts: Readonly<Counts>;
  /** Messages that were dropped, by named reason. */
  readonly ignored: Readonly<Record<string, number>>;
  readonly violation: Violation | null;
}
