/**
 * What a run leaves: figures that add up over a sweep, and the violation if there was one. Each safety
 * check is worth something only beside the counts that show that the situation came up at all.
 */
import { FAULT_KINDS } from '../plan/plan';
import type { FaultKind, Plan } from '../plan/plan';
import type { RunOptions } from '../plan/draw';
import { addSightings, sightingsOf } from './sometimes';
import type { Sightings } from './sometimes';

export interface Counts {
  entries: number;
  sharedEntries: number;
  /** Shared entries beside a shared holder on another node. */
  readersTogether: number;
  /** Entries without a message, under grants in hand. */
  reentries: number;
  renewals: number;
  lost: number;
  /** Wishes that took the lock from others, and holders that lost it so. */
  steals: number;
  stolen: number;
  recalled: number;
  cancels: number;
  requests: number;
  grants: number;
  releases: number;
  inquires: number;
  yields: number;
  /** Grants that said that someone incompatible waits. */
  contended: number;
  /** Requests to nodes outside the voting set. */
  widened: number;
  /** Grants of an earlier life that an arbiter took back in. */
  adopted: number;
  /** A node's clock went on by more than SLACK between two messages that it sent. */
  clockJumps: number;
  crashes: number;
  stops: number;
  wipes: number;
  /** Disks left alone because the wall clock would not have covered their loss. */
  wipesNotCovered: number;
  restarts: number;
  pauses: number;
  sleeps: number;
  partitions: number;
  peerDowns: number;
  messagesLost: number;
  messagesDuplicated: number;
  /** Messages of some time ago that were sent again. */
  messagesEchoed: number;
  messagesOvertaken: number;
  /** Messages that a partition or a dead node swallowed. */
  messagesCut: number;
  /** Messages for which a link that held its messages back had no room. */
  messagesOverflowed: number;
  /** Restarts with a ceiling file older than the last. */
  staleFiles: number;
  /** Starts that were refused because the ceiling file was corrupt. */
  corruptFiles: number;
  /** Ceilings that waited for a full disk. */
  ceilingsDelayed: number;
  /** Nodes that died while a ceiling was being written: before it was on disk, or before what waited for it was sent. */
  ceilingsCutShort: number;
  /** Wall clocks set forward. */
  jumps: number;
  /** Releases of what had been released already. */
  releasedTwice: number;
  /** Nodes that stayed failed when the others were healed. */
  lostForEver: number;
  /** Requests sent again by those who wait, and by those inside. The rest of `requests` were first ones. */
  repeats: number;
  renewalRequests: number;
  /** Writes to the resource that a lock protects, by tokens in order, and those that came too late and were refused. */
  writes: number;
  lateWrites: number;
  /** Requests by a holder to an arbiter that its request had not asked before. */
  widenedInside: number;
  /** In `steadfast` runs: holds given back after an arbiter that they began with had been away for a lease or longer; and holds lost that were not owed. */
  outlived: number;
  notOwed: number;
  /** Entries beside an incompatible holder, with clocks beyond the drift bound. */
  overlaps: number;
}

export function newCounts(): Counts {
  return {
    entries: 0, sharedEntries: 0, readersTogether: 0, reentries: 0, renewals: 0, lost: 0, steals: 0, stolen: 0, recalled: 0, cancels: 0,
    requests: 0, grants: 0, releases: 0, inquires: 0, yields: 0,
    contended: 0, widened: 0, adopted: 0, clockJumps: 0,
    crashes: 0, stops: 0, wipes: 0, wipesNotCovered: 0, restarts: 0, pauses: 0, sleeps: 0,
    partitions: 0, peerDowns: 0, messagesLost: 0, messagesDuplicated: 0, messagesEchoed: 0, messagesOvertaken: 0, messagesCut: 0,
    messagesOverflowed: 0, staleFiles: 0, corruptFiles: 0, ceilingsDelayed: 0, ceilingsCutShort: 0, jumps: 0, releasedTwice: 0, lostForEver: 0,
    repeats: 0, renewalRequests: 0, writes: 0, lateWrites: 0, overlaps: 0, widenedInside: 0, outlived: 0, notOwed: 0,
  };
}

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

/** Figures of many runs. */
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

/** The options of the command line that fix what these options fix. */
export function commandFor(seed: number, options: RunOptions): string {
  const words = ['npm run sim --', `--seed ${seed}`];
  if (options.profile !== undefined) words.push(`--profile ${options.profile}`);
  if (options.nodes !== undefined) words.push(`--nodes ${options.nodes}`);
  if (options.family !== undefined) words.push(`--family ${options.family}`);
  if (options.locks !== undefined) words.push(`--locks ${options.locks}`);
  if (options.callers !== undefined) words.push(`--callers ${options.callers}`);
  if (options.sharedShare !== undefined) words.push(`--mode-mix ${options.sharedShare}`);
  if (options.leaseMs !== undefined) words.push(`--lease ${options.leaseMs}`);
  if (options.slack !== undefined) words.push(`--slack ${options.slack}`);
  if (options.ceilingBlock !== undefined) words.push(`--ceiling-block ${options.ceilingBlock}`);
  if (options.durationMs !== undefined) words.push(`--duration ${options.durationMs}`);
  if (options.faults !== undefined) words.push(`--faults ${describeFaults(options.faults)}`);
  return words.join(' ');
}

/** `loss=0.05,crash=2`, or `none`. */
export function describeFaults(faults: Partial<Readonly<Record<FaultKind, number>>>): string {
  const kinds = Object.keys(FAULT_KINDS) as FaultKind[];
  const on = kinds.filter((kind) => (faults[kind] ?? 0) > 0).map((kind) => `${kind}=${faults[kind]}`);
  return on.length === 0 ? 'none' : on.join(',');
}

export function describePlan(plan: Plan): string {
  const { machines, family, profile, locks, callers, leaseMs, slack, durationUs, intensities } = plan;
  const wishes = callers.flatMap((caller) => caller.wishes);
  const shared = wishes.filter((wish) => wish.mode === 'shared').length;
  return [
    `${profile}: ${machines.length} nodes (${family}), ${count(locks, 'lock')}, ${count(callers.length, 'caller')},`,
    `${wishes.length} wishes (${shared} shared), lease ${leaseMs} ms, slack ${slack}, ${durationUs / 1_000_000} s of faults`,
    `\n  faults: ${describeFaults(intensities)}`,
  ].join(' ');
}

export function describeFigures(totals: Readonly<Totals>): string {
  const { events, virtualUs, counts, ignored } = totals;
  const seconds = Math.max(1, virtualUs) / 1_000_000;
  const figures = (Object.entries(counts) as [string, number][]).filter(([, value]) => value > 0);
  const lines = [
    `  ${events} events in ${seconds.toFixed(1)} virtual s; ${(counts.entries / seconds).toFixed(1)} entries a virtual second`,
    `  ${figures.map(([name, value]) => `${name} ${value}`).join(', ')}`,
  ];
  if (counts.entries > 0) lines.push(`  ${describeMessages(counts)}`);
  const reasons = Object.entries(ignored);
  if (reasons.length > 0) lines.push(`  ignored: ${reasons.map(([reason, value]) => `${reason} ${value}`).join(', ')}`);
  return lines.join('\n');
}

/** What an entry costs; what only keeps it, or makes up for what was lost, counted apart. */
function describeMessages({ entries, requests, repeats, renewalRequests, grants, releases, inquires, yields }: Readonly<Counts>): string {
  const each = (messages: number): string => (messages / entries).toFixed(2);
  const first = requests - repeats - renewalRequests;
  return `messages an entry: ${each(first + grants + releases + inquires + yields)}, of them ${each(first)} first Requests, ${each(grants)} Grants, `
    + `${each(releases)} Releases, ${each(inquires)} Inquires, ${each(yields)} Yields; besides ${each(repeats)} repeats, ${each(renewalRequests)} renewals`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
