/**
 * What must come up somewhere in a sweep of many seeds: else the checks were clean because nothing
 * happened. A property holds of a run or not; a sweep counts the runs of which it held.
 * Must never change a run: it only reads the report.
 */
import { FAULT_KINDS } from '../plan/plan';
import { endUsOf } from '../plan/outages';
import type { Fault, FaultKind, Plan } from '../plan/plan';
import type { Counts } from './counts';
import type { RunReport } from './report';

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
  'a lock was recalled from another process': ({ recalled }) => recalled > 0,
  'a caller gave up waiting': ({ cancels }) => cancels > 0,
  'a caller in another process kept a lock, and heard that somebody else wants it': ({ calledIn }) => calledIn > 0,
  'a client passed a lock on among its callers': ({ passed }) => passed > 0,
  'a node without memory learned from its peers': ({ learned }) => learned > 0,
  'a node without memory had to do with its wall clock': ({ restedOnWallClock }) => restedOnWallClock > 0,
  'a file was lost that the wall clock did not cover': ({ wipesNotCovered }) => wipesNotCovered > 0,
  'a node restarted with an older ceiling file': ({ staleFiles }) => staleFiles > 0,
  'a start was refused because the ceiling file was corrupt': ({ corruptFiles }) => corruptFiles > 0,
  'a ceiling waited for room on the disk': ({ ceilingsDelayed }) => ceilingsDelayed > 0,
  'a node died while a ceiling was being written': ({ ceilingsCutShort }) => ceilingsCutShort > 0,
  'a request beyond the limit of its node was refused': (_, ignored) => 'too many requests of the node for the lock' in ignored,
  'a late Yield was refused by its grant number': (_, ignored) => 'grant number is old' in ignored,
  'a link had no room for a message': ({ messagesOverflowed }) => messagesOverflowed > 0,
  'messages of some time ago came once more': ({ messagesEchoed }) => messagesEchoed > 0,
  'a lock was released twice': ({ releasedTwice }) => releasedTwice > 0,
  'nodes stayed failed and the others went on': ({ lostForEver }) => lostForEver > 0,
  'a wall clock was set forward': ({ jumps }) => jumps > 0,
  'a write that came too late was refused by its token': ({ lateWrites }) => lateWrites > 0,
  'a holder asked further arbiters while it was inside': ({ widenedInside }) => widenedInside > 0,
  'a steadfast hold outlived an arbiter that it began with': ({ outlived }) => outlived > 0,
  'a steadfast hold was lost for a reason that has a name': ({ notOwed }) => notOwed > 0,
  'a node met one that runs under another layout': ({ rivalsMet }) => rivalsMet > 0,
  'votes were lent under one layout and then under another': ({ layoutChanges }) => layoutChanges > 0,
  'a peer refused a process because of another one of its id': ({ namesakesRefused }) => namesakesRefused > 0,
  "a node did not start under another layout than it remembers, without the operator's act": ({ layoutsRefused }) => layoutsRefused > 0,
  'two processes of one id that did not hear of each other let two holders in at once': ({ besideNamesakes }) => besideNamesakes > 0,
  'clocks beyond the drift bound let two holders in at once': ({ overlaps }) => overlaps > 0,
};

const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];

/** Kinds that strike at a moment, or for a while. The others are in force as long as there are faults. */
const STRIKING: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'split', 'isolate', 'oneway', 'unseen', 'flap', 'ring', 'clog', 'overflow', 'suspect', 'crash', 'wipe', 'stop', 'stale', 'corrupt',
  'pause', 'sleep', 'full', 'slow', 'echo', 'jump',
]);

/** Of each two kinds of fault, that they were in force at one moment. But for two that strike at a moment, which never meet. */
const PAIRS: ReadonlyMap<number, string> = new Map(KINDS.flatMap((one, index) => KINDS.slice(index + 1)
  .filter((other) => !(isMomentary(one) && isMomentary(other)))
  .map((other) => [pairOf(one, other), `${one} at once with ${other}`] as const)));

export const SOMETIMES: readonly string[] = [...Object.keys(EVENTS), ...PAIRS.values()];

export function sightingsOf({ counts, ignored, plan }: RunReport): Sightings {
  const seen: Sightings = {};
  for (const [name, holds] of Object.entries(EVENTS)) if (holds(counts, ignored)) seen[name] = 1;
  for (const pair of pairsIn(plan)) seen[PAIRS.get(pair) ?? ''] = 1;
  return seen;
}

function isMomentary(kind: FaultKind): boolean {
  return kind === 'echo' || kind === 'jump';
}

function pairOf(one: FaultKind, other: FaultKind): number {
  const [a, b] = [KINDS.indexOf(one), KINDS.indexOf(other)];
  return Math.min(a, b) * KINDS.length + Math.max(a, b);
}

/** Pairs of kinds of which one was in force when the other struck, or that were in force throughout. */
function pairsIn({ intensities, faults }: Plan): Set<number> {
  const throughout = KINDS.filter((kind) => !STRIKING.has(kind) && intensities[kind] > 0);
  const pairs = new Set<number>();
  const meet = (one: FaultKind, other: FaultKind): void => {
    if (one !== other && !(isMomentary(one) && isMomentary(other))) pairs.add(pairOf(one, other));
  };
  throughout.forEach((one, index) => {
    for (const other of throughout.slice(index + 1)) meet(one, other);
  });
  /** Until when each kind is in force; faults are in the order in which they strike. */
  const untilUs = new Map<FaultKind, number>();
  for (const fault of faults) {
    const kind = kindOf(fault);
    if (!STRIKING.has(kind)) continue;
    for (const other of throughout) meet(kind, other);
    for (const [other, until] of untilUs) if (until >= fault.atUs) meet(kind, other);
    untilUs.set(kind, Math.max(untilUs.get(kind) ?? 0, endUsOf(fault)));
  }
  return pairs;
}

function kindOf(fault: Fault): FaultKind {
  switch (fault.kind) {
    case 'cut':
      return fault.as;
    case 'clog':
      return fault.room === undefined ? 'clog' : 'overflow';
    case 'crash':
      return fault.how;
    case 'rate':
      return 'drift';
    case 'wake':
      return 'timer';
    default:
      return fault.kind;
  }
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
