/** The figures of many runs. */
import { newCounts } from './counts';
import type { Counts } from './counts';
import type { RunReport, Violation } from './report';
import { addSightings, sightingsOf } from './sometimes';
import type { Sightings } from './sometimes';

export interface Totals {
  seeds: number;
  events: number;
  virtualUs: number;
  readonly counts: Counts;
  readonly ignored: Record<string, number>;
  readonly sometimes: Sightings;
  readonly failures: Failure[];
}

export interface Failure {
  readonly seed: number;
  readonly violation: Violation;
}

export function newTotals(): Totals {
  return { seeds: 0, events: 0, virtualUs: 0, counts: newCounts(), ignored: {}, sometimes: {}, failures: [] };
}

export function addReport(totals: Totals, report: RunReport): void {
  const { seed } = report.plan;
  addTotals(totals, {
    seeds: 1,
    events: report.events,
    virtualUs: report.virtualUs,
    counts: report.counts,
    ignored: report.ignored,
    sometimes: sightingsOf(report),
    failures: report.violation === null ? [] : [{ seed, violation: report.violation }],
  });
}

export function addTotals(to: Totals, from: Readonly<Totals>): void {
  to.seeds += from.seeds;
  to.events += from.events;
  to.virtualUs += from.virtualUs;
  for (const name of Object.keys(to.counts) as (keyof Counts)[]) to.counts[name] += from.counts[name];
  for (const [reason, count] of Object.entries(from.ignored)) to.ignored[reason] = (to.ignored[reason] ?? 0) + count;
  addSightings(to.sometimes, from.sometimes);
  to.failures.push(...from.failures);
}
