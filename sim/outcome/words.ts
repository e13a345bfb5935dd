/** Plans and figures in words, for a terminal. */
import type { RunOptions } from '../plan/draw';
import { FAULT_KINDS } from '../plan/plan';
import type { FaultKind, Plan } from '../plan/plan';
import type { Counts } from './counts';
import type { Totals } from './totals';

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
