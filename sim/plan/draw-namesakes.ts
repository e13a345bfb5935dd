/**
 * A second process is started under the id of a node that runs, with a data directory of its own (protocol.md section 17.2). Then one or the
 * other goes away and comes back. In some runs all reach each other, and only one is disturbed at a time: there nobody may be let in beside a
 * holder. In others links are cut, and the two need not hear of each other (protocol.md section 18.5): there a process that was refused must
 * stand apart all the same. In the end one of the two is stopped, and the other one serves.
 */
import { cutBothWays, endUsOf } from './outages';
import type { Death, Fault, LostMachine, Namesake } from './plan';
import type { Random } from './random';

export interface NamesakeSettings {
  /** How many ids there are. */
  readonly nodes: number;
  readonly leaseUs: number;
  readonly durationUs: number;
}

export interface NamesakeRun {
  readonly namesake: Namesake;
  readonly startUs: number;
  readonly faults: readonly Fault[];
  readonly lostForEver: readonly LostMachine[];
}

/** From the end of one disturbance to the next, in leases: a silent one, one apart, and one to see what follows. */
const SPACE_LEASES = 4;

export function drawNamesake(random: Random, settings: NamesakeSettings): NamesakeRun {
  const { nodes, leaseUs, durationUs } = settings;
  const of = random.below(nodes);
  // A node alone has no peer that could tell it of the other.
  const isTold = random.chance(600_000) && nodes > 1;
  const redialUs = Math.floor(leaseUs / random.pick([64, 16]));
  const namesake: Namesake = { of, isTold, redialUs, refusedRedialUs: Math.floor(leaseUs * random.pick([1 / 8, 1, 2])) };
  const startUs = leaseUs + random.below(leaseUs * 6);
  const lostForEver: LostMachine[] = [{ machine: random.chance(500_000) ? of : nodes, how: 'dead' }];
  const drawn = isTold ? drawSpaced(random, settings, of) : drawCrowded(random, settings, of, startUs);
  return { namesake, startUs, lostForEver, faults: drawn.filter((fault) => endUsOf(fault) < durationUs) };
}

function drawSpaced(random: Random, settings: NamesakeSettings, of: number): Fault[] {
  const { leaseUs, durationUs } = settings;
  const faults: Fault[] = [];
  for (let atUs = leaseUs + random.below(leaseUs * 4); atUs < durationUs - SPACE_LEASES * leaseUs; ) {
    const fault = drawOne(random, settings, atUs, random.pick([of, of, settings.nodes, settings.nodes, random.below(settings.nodes)]));
    if (endUsOf(fault) + SPACE_LEASES * leaseUs < durationUs) faults.push(fault);
    atUs = endUsOf(fault) + SPACE_LEASES * leaseUs + random.below(leaseUs * 2);
  }
  return faults;
}

function drawCrowded(random: Random, settings: NamesakeSettings, of: number, startUs: number): Fault[] {
  const { nodes, leaseUs, durationUs } = settings;
  const faults: Fault[] = [];
  // In most of these each of the two knows other peers while the second one begins: nobody tells either of the other.
  if (random.chance(900_000)) faults.push(...divide(random, settings, of, startUs - 1 - random.below(leaseUs / 2), leaseUs * random.between(6, 14), true));
  for (let atUs = leaseUs + random.below(leaseUs); atUs < durationUs; atUs += random.below(leaseUs * 3)) {
    const machine = random.pick([of, nodes, random.below(nodes)]);
    if (random.chance(400_000)) faults.push(drawOne(random, settings, atUs, machine));
    else faults.push(...divide(random, settings, of, atUs, 1 + random.below(leaseUs * random.pick([1, 4, 4]))));
  }
  return faults;
}

/** One of the two loses sight of some peers, and most often the other one of the others. */
function divide(random: Random, { nodes }: NamesakeSettings, of: number, atUs: number, forUs: number, isWhole = random.chance(800_000)): Fault[] {
  const peers = Array.from({ length: nodes }, (_, peer) => peer).filter((peer) => peer !== of);
  const some = peers.filter(() => random.chance(500_000));
  const others = isWhole ? peers.filter((peer) => !some.includes(peer)) : [];
  const cuts = [...cutBothWays('split', { atUs, forUs }, [of], some), ...cutBothWays('split', { atUs, forUs }, [nodes], others)];
  return cuts.filter((cut) => cut.kind === 'cut' && cut.from.length > 0 && cut.to.length > 0);
}

function drawOne(random: Random, { nodes, leaseUs }: NamesakeSettings, atUs: number, machine: number): Fault {
  const forUs = 1 + random.below(random.pick([leaseUs / 20, leaseUs / 2, leaseUs * 3, leaseUs * 6]) | 0);
  const how = random.pick<Death>(machine === nodes ? ['crash', 'stop', 'wipe'] : ['crash', 'stop']);
  const kind = random.pick(['crash', 'crash', 'pause', 'sleep'] as const);
  if (kind !== 'crash') return { kind, atUs, forUs, machine };
  return { kind, atUs, forUs, machine, how, wallBackUs: 0, writeLands: random.chance(500_000) };
}
