/**
 * A rolling change of layout, as any deployment tool does it: nodes restart one after the other with another file, some with the former one
 * once more, and none has a memory that would stop it. Exclusion is promised all the same, where each quorum of one layout has a node that
 * both files name (protocol.md section 17.1). In the end all run under the new file.
 */
import { coterieOfLayout, drawLayoutOf, nodeIdsOf } from './layout';
import { cutBothWays } from './outages';
import type { Fault, FileName, LayoutName, Layout, LostMachine, Rolling } from './plan';
import type { Random } from './random';

export interface RollingSettings {
  readonly nodes: number;
  readonly leaseUs: number;
  readonly durationUs: number;
}

export interface RollingChange {
  readonly rolling: Rolling;
  readonly faults: readonly Fault[];
  readonly lostForEver: readonly LostMachine[];
  /** When each machine starts for the first time. */
  readonly startUs: readonly number[];
}

const DRAWS_MAX = 20;

/** By this share of the time nodes go from one file to the other, then those that are left find the new one. */
const ROLLING_SHARE = 0.7;
const LAST_SHARE = 0.9;

/** No glimpse takes longer than so many leases. */
const GLIMPSE_LEASES_MAX = 2.5;

/** For this share of a lease a node that starts is silent by any clock. */
const SILENT_SHARE = 0.9;

export function drawRolling(random: Random, settings: RollingSettings): RollingChange {
  const { nodes, durationUs } = settings;
  const isOfPairs = nodes > 3 && random.chance(500_000);
  const rolling = isOfPairs ? drawPairs(random, nodes) : drawLayouts(random, nodes);
  const all = Array.from({ length: nodes }, (_, machine) => machine);
  const startUs = all.map((machine) => (rolling.old.machines.includes(machine) ? 0 : random.below(durationUs * ROLLING_SHARE)));
  // In some of these both layouts are there after a few leases, and what comes then is that they lose and find their quorums.
  const isOfCuts = isOfPairs && random.chance(600_000);
  const left = drawLeftBehind(random, nodes, rolling);
  const faults = [...drawRestarts(random, settings, rolling, { startUs, isOfCuts, left }), ...(isOfPairs ? random.chance(300_000) ? drawGlimpses(random, settings, rolling) : drawCuts(random, settings, rolling) : [])];
  faults.push(...(isOfPairs ? drawCutsOfPairs(random, settings, rolling) : drawCutsOfStarts(random, settings, rolling, faults)));
  const lostForEver = all.filter((machine) => !rolling.new.machines.includes(machine)).map((machine): LostMachine => ({ machine, how: 'dead' }));
  if (left !== null) lostForEver.push({ machine: left, how: 'left behind' });
  return { rolling, faults, lostForEver, startUs };
}

/** One that nobody gives the new file, where the others make a quorum of that without it, and it makes none of the old one by itself. */
function drawLeftBehind(random: Random, nodes: number, { old, new: next }: Rolling): number | null {
  if (!random.chance(300_000)) return null;
  const ids = nodeIdsOf(nodes);
  const quorumOf = (layout: Layout, machines: readonly number[]): boolean => coterieOfLayout(layout, nodes).containsQuorum(new Set(machines.map((machine) => ids[machine] ?? '')));
  const candidates = old.machines.filter((machine) => next.machines.includes(machine) && !quorumOf(old, [machine]) && quorumOf(next, next.machines.filter((other) => other !== machine)));
  return candidates.length === 0 ? null : random.pick(candidates);
}

interface Restarts {
  readonly startUs: readonly number[];
  readonly isOfCuts: boolean;
  /** It ends up with the old file. */
  readonly left: number | null;
}

function drawRestarts(random: Random, { nodes, leaseUs, durationUs }: RollingSettings, rolling: Rolling, { startUs, isOfCuts, left }: Restarts): Fault[] {
  const all = startUs.map((_, machine) => machine);
  const isIn = (file: LayoutName, machine: number): boolean => rolling[file].machines.includes(machine);
  const rollsUs = Math.floor(durationUs * ROLLING_SHARE);
  const lastUs = Math.floor(durationUs * LAST_SHARE);
  const faults: Fault[] = [];
  const restart = (machine: number, atUs: number, file: LayoutName, forUsMax: number): void => {
    if (!isIn(file, machine) || (startUs[machine] ?? 0) >= atUs) return;
    const how = random.chance(300_000) ? 'wipe' : 'stop';
    faults.push({ kind: 'crash', atUs: Math.floor(atUs), forUs: 1 + random.below(forUsMax | 0), machine, how, wallBackUs: 0, writeLands: false, file });
  };
  const downUs = (): number => random.pick([leaseUs / 20, leaseUs / 2, leaseUs * 2]);

  if (isOfCuts) {
    for (const machine of all) if (preferredFile(random, rolling, machine) === 'new') restart(machine, leaseUs + random.below(leaseUs), 'new', leaseUs / 2);
  } else {
    // One after the other, in some order.
    const stepUs = (rollsUs - leaseUs) / nodes;
    const inTurn = random.inSomeOrder(all);
    if (random.chance(500_000)) inTurn.forEach((machine, turn) => restart(machine, leaseUs + (turn + random.below(1000) / 1000) * stepUs, 'new', downUs()));
    // Some out of turn, with whatever file they find.
    for (let more = random.below(nodes * 2); more > 0; more--) restart(random.below(nodes), leaseUs + random.below(rollsUs), random.chance(500_000) ? 'old' : 'new', downUs());
    // Now and then nearly all at about the same time, each with whatever it finds: then both layouts are about to begin at once.
    for (let atUs = leaseUs + random.below(leaseUs * 4); atUs < rollsUs; atUs += leaseUs * 4 + random.below(leaseUs * 4)) {
      const withinUs = random.pick([leaseUs / 200, leaseUs / 20, leaseUs / 2]);
      for (const machine of all) {
        if (random.chance(800_000)) restart(machine, atUs + random.below(withinUs), preferredFile(random, rolling, machine), withinUs);
      }
    }
  }
  for (const machine of all) {
    if (isIn('old', machine)) restart(machine, rollsUs + leaseUs + random.below(Math.max(1, lastUs - rollsUs)), machine === left ? 'old' : 'new', leaseUs / 2);
  }
  return faults;
}

/** Most often that in whose quorum it is. */
function preferredFile(random: Random, rolling: Rolling, machine: number): LayoutName {
  const own = (['old', 'new'] as const).find((file) => rolling[file].quorum?.includes(machine));
  return own !== undefined && random.chance(900_000) ? own : random.chance(500_000) ? 'old' : 'new';
}

/** Between those of one quorum, who lose sight of each other: whoever runs with the other file still reaches them all. */
function drawCuts(random: Random, { leaseUs, durationUs }: RollingSettings, rolling: Rolling): Fault[] {
  const faults: Fault[] = [];
  for (let atUs = leaseUs + random.below(leaseUs * 3); atUs < durationUs * ROLLING_SHARE; atUs += leaseUs + random.below(leaseUs * 4)) {
    const forUs = 1 + random.below(random.pick([leaseUs / 10, leaseUs * 4, leaseUs * 4]) | 0);
    // If both end at once, both layouts are about to begin.
    for (const file of random.pick([['old'], ['new'], ['old', 'new'], ['old', 'new']] as const)) {
      const [one = 0, other = 0] = rolling[file].quorum ?? [];
      faults.push(...cutBothWays('flap', { atUs, forUs }, [one], [other]));
      // If it ran with this file before, it remembers that it lent votes, and may take them back in.
      if (random.chance(200_000)) faults.push(restartOf(random.pick([one, other]), atUs + random.below(Math.min(forUs, leaseUs)), random.below(leaseUs / 20), file));
    }
  }
  return faults;
}

function restartOf(machine: number, atUs: number, forUs: number, file: LayoutName): Fault {
  return { kind: 'crash', atUs, forUs: 1 + forUs, machine, how: 'stop', wallBackUs: 0, writeLands: false, file };
}

/**
 * Both quorums are cut in two for longer than a lease. Then those of one see each other for a moment, in which they can lend a vote, and no
 * rival may look; when that is over, those of the other do.
 */
function drawGlimpses(random: Random, { leaseUs, durationUs }: RollingSettings, rolling: Rolling): Fault[] {
  const faults: Fault[] = [];
  for (let atUs = leaseUs * 2 + random.below(leaseUs * 2); atUs < durationUs * ROLLING_SHARE - GLIMPSE_LEASES_MAX * leaseUs; atUs += leaseUs * 5 + random.below(leaseUs * 4)) {
    const [first, second] = random.inSomeOrder(['old', 'new'] as const);
    const [one = 0, other = 0] = rolling[first ?? 'old'].quorum ?? [];
    const [third = 0, fourth = 0] = rolling[second ?? 'new'].quorum ?? [];
    const untilUs = atUs + Math.floor(leaseUs * 1.1) + random.below(leaseUs);
    const overUs = untilUs + random.below(random.pick([leaseUs / 50, leaseUs / 8]) | 0);
    const lateUs = random.below(random.pick([leaseUs / 50, leaseUs / 4]) | 0);
    faults.push(...cutBothWays('flap', { atUs, forUs: untilUs - atUs }, [one], [other]), ...cutBothWays('flap', { atUs, forUs: overUs + lateUs - atUs }, [third], [fourth]));
    if (random.chance(300_000)) {
      // They forget what they lent, and run with the other file from then on.
      for (const machine of random.pick([[one], [one, other]])) faults.push(restartOf(machine, overUs, random.below(leaseUs / 20), second ?? 'new'));
    } else {
      faults.push(...cutBothWays('flap', { atUs: overUs, forUs: leaseUs * 2 }, [one], [other]));
    }
  }
  return faults;
}

/**
 * Between rivals, but for one link that each quorum has to the other (protocol.md section 17.1). A rival that is lost sight of may serve
 * on, so a lease must pass. And whatever is in neither quorum is cut off as it comes.
 */
function drawCutsOfPairs(random: Random, { leaseUs, durationUs }: RollingSettings, rolling: Rolling): Fault[] {
  const faults: Fault[] = [];
  if (random.chance(400_000)) return faults;
  const [ones, others] = [rolling.old.quorum ?? [], rolling.new.quorum ?? []];
  const links = random.inSomeOrder(ones.flatMap((one) => others.map((other) => [one, other] as const)));
  const free = links.slice(1);
  const rest = rolling.old.machines.filter((machine) => !ones.includes(machine) && !others.includes(machine));
  for (let atUs = random.below(leaseUs * 3); atUs < durationUs * ROLLING_SHARE; atUs += leaseUs / 2 + random.below(leaseUs * 3)) {
    const forUs = 1 + random.below(random.pick([leaseUs / 10, leaseUs * 2, leaseUs * 6]) | 0);
    for (const [one, other] of free) if (random.chance(700_000)) faults.push(...cutBothWays('flap', { atUs, forUs }, [one], [other]));
    for (const machine of rest) if (random.chance(300_000)) faults.push(...cutBothWays('flap', { atUs, forUs }, [machine], [random.pick([...ones, ...others])]));
  }
  return faults;
}

/**
 * A node that starts is cut off at once, and the cut heals before it can wish: it is silent so long. And those that one file alone names are cut
 * from each other, for they are no rivals at any time, or do not dial each other.
 */
function drawCutsOfStarts(random: Random, { leaseUs, durationUs, nodes }: RollingSettings, { old, new: next }: Rolling, restarts: readonly Fault[]): Fault[] {
  const faults: Fault[] = [];
  if (random.chance(400_000)) return faults;
  const all = Array.from({ length: nodes }, (_, machine) => machine);
  for (const fault of restarts) {
    if (fault.kind !== 'crash' || random.chance(600_000)) continue;
    const atUs = fault.atUs + fault.forUs;
    // From anybody; or from those alone that run with the other file, so that it has a quorum and wishes meanwhile.
    const isFromRivals = random.chance(500_000);
    const others = all.filter((machine) => machine !== fault.machine && (isFromRivals ? fileAt(restarts, machine, atUs) !== fault.file : random.chance(700_000)));
    if (others.length > 0) faults.push(...cutBothWays('isolate', { atUs, forUs: 1 + random.below(Math.floor(leaseUs * SILENT_SHARE)) }, [fault.machine], others));
  }
  const only = all.filter((machine) => !old.machines.includes(machine) || !next.machines.includes(machine));
  for (let atUs = leaseUs + random.below(leaseUs * 3); only.length > 1 && atUs < durationUs * ROLLING_SHARE; atUs += leaseUs + random.below(leaseUs * 4)) {
    const [one, other] = [random.pick(only), random.pick(only)];
    if (one !== other) faults.push(...cutBothWays('flap', { atUs, forUs: 1 + random.below(leaseUs * 4) }, [one], [other]));
  }
  return faults;
}

/** Which file the machine runs with then, if nothing else keeps it down. */
function fileAt(restarts: readonly Fault[], machine: number, atUs: number): FileName {
  let file: FileName = 'old';
  let sinceUs = -1;
  for (const fault of restarts) {
    if (fault.kind !== 'crash' || fault.machine !== machine || fault.atUs > atUs || fault.atUs <= sinceUs) continue;
    file = fault.file ?? file;
    sinceUs = fault.atUs;
  }
  return file;
}

/** All nodes are in both files, and two of them are the one quorum of each. */
function drawPairs(random: Random, nodes: number): Rolling {
  const machines = Array.from({ length: nodes }, (_, machine) => machine);
  const [first = 0, second = 0, third = 0, fourth = 0] = random.inSomeOrder(machines);
  return { old: { machines, family: 'majority', quorum: [first, second] }, new: { machines, family: 'majority', quorum: [third, fourth] } };
}

function drawLayouts(random: Random, nodes: number): Rolling {
  const all = Array.from({ length: nodes }, (_, machine) => machine);
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const old = all.filter((machine) => machine < 2 || random.chance(650_000));
    const others = all.filter((machine) => !old.includes(machine) || random.chance(650_000));
    const drawn: Rolling = { old: drawLayoutOf(random, old), new: drawLayoutOf(random, others) };
    if (others.length > 1 && doMeet(drawn, nodes)) return drawn;
  }
  return { old: { machines: all, family: 'majority' }, new: { machines: all.slice(0, -1), family: 'majority' } };
}

/** Each quorum of either has a node that both name. */
function doMeet({ old, new: next }: Rolling, nodes: number): boolean {
  const ids = nodeIdsOf(nodes);
  const only = (one: Layout, other: Layout): Set<string> => new Set(one.machines.filter((machine) => !other.machines.includes(machine)).map((machine) => ids[machine] ?? ''));
  return !coterieOfLayout(old, nodes).containsQuorum(only(old, next)) && !coterieOfLayout(next, nodes).containsQuorum(only(next, old));
}
