/**
 * What must come up somewhere in a sweep of many seeds: else the checks were clean because nothing
 * happened. A property holds of a run or not; a sweep counts the runs of which it held.
 * Must never change a run: it only reads the report.
 */
import { FAULT_KINDS } from './plan';
import type { FaultIntensities, FaultKind } from './plan';
import type { Counts, RunReport } from './report';

/** By name: in how many runs it came up. A property that did not come up has no entry. */
export type Sightings = Record<string, number>;

/** A sweep of so many seeds in which a property never comes up says little, and fails. */
export const SWEEP_SEEDS_MIN = 10_000;

const EVENTS: Readonly<Record<string, (counts: Readonly<Counts>, ignored: Readonly<Record<string, number>>) => boolean>> = {
  'a Yield gave a vote back': ({ yields }) => yields > 0,
  'a late Grant was refused by the floor': (_, ignored) => 'grant was given back' in ignored,
  'a Grant came after its lease had run out': (_, ignored) => 'lease ran out on the way' in ignored,
  'a message of an earlier life was refused': (_, ignored) => 'request of an earlier life' in ignored,
  'a Grant was too far behind the token': (_, ignored) => 'clock is too far behind the token' in ignored,
  'a clock jumped by more than the slack': ({ clockJumps }) => clockJumps > 0,
  'a holder survived the restart of its arbiter': ({ adopted }) => adopted > 0,
  'a request was widened to another quorum': ({ widened }) => widened > 0,
  'readers of several nodes were inside together': ({ readersTogether }) => readersTogether > 0,
  'an entry cost no message': ({ reentries }) => reentries > 0,
  'a lease was renewed': ({ renewals }) => renewals > 0,
  'a lease ended while its holder was inside': ({ lost, stolen }) => lost > stolen,
  'a holder lost its lock to one that steals': ({ stolen }) => stolen > 0,
  'a caller gave up waiting': ({ cancels }) => cancels > 0,
  'a wiped disk was covered by the wall clock': ({ wipes, wipesNotCovered }) => wipes > wipesNotCovered,
};

const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];

/** Of each two kinds of fault, that they were on together. */
const PAIRS: readonly (readonly [name: string, one: FaultKind, other: FaultKind])[] = KINDS.flatMap((one, index) =>
  KINDS.slice(index + 1).map((other) => [`${one} together with ${other}`, one, other] as const));

export const SOMETIMES: readonly string[] = [...Object.keys(EVENTS), ...PAIRS.map(([name]) => name)];

export function sightingsOf({ counts, ignored, plan }: RunReport): Sightings {
  const seen: Sightings = {};
  for (const [name, holds] of Object.entries(EVENTS)) if (holds(counts, ignored)) seen[name] = 1;
  addPairs(seen, plan.intensities);
  return seen;
}

function addPairs(seen: Sightings, intensities: FaultIntensities): void {
  for (const [name, one, other] of PAIRS) if (intensities[one] > 0 && intensities[other] > 0) seen[name] = 1;
}

export function addSightings(to: Sightings, from: Readonly<Sightings>): void {
  for (const [name, runs] of Object.entries(from)) to[name] = (to[name] ?? 0) + runs;
}

/**
 * What a sweep must not be called clean without: the properties that never came up, of a long sweep
 * with everything drawn. What is fixed may leave some of them out, and a short sweep may miss some.
 */
export function uncovered(seeds: number, isAllDrawn: boolean, seen: Readonly<Sightings>): string[] {
  return seeds < SWEEP_SEEDS_MIN || !isAllDrawn ? [] : missing(seen);
}

/** The properties that never came up. */
export function missing(seen: Readonly<Sightings>): string[] {
  return SOMETIMES.filter((name) => seen[name] === undefined);
}

/** A line for a sweep: how many of the properties came up, and the rarest. */
export function describeSightings(seen: Readonly<Sightings>): string {
  const sightings = Object.entries(seen).sort(([, a], [, b]) => a - b);
  const rarest = sightings[0] === undefined ? '' : `; the rarest in ${sightings[0][1]} seeds: ${sightings[0][0]}`;
  return `  sometimes: ${sightings.length} of ${SOMETIMES.length} came up${rarest}`;
}
