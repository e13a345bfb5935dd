/** Who wants which lock, when and for how long. */
import type { Mode } from '../../src/core';
import type { DrawContext, RunOptions } from './draw-context';
import { toPpm } from './intensities';
import type { CallerPlan, Wish } from './plan';
import { Random } from './random';

/** How long a lock is held in `steadfast` runs and some others, so that outages come up meanwhile. */
const HOLD_LEASES_MAX = 3;

/** A run costs about so many events unless its duration is fixed. */
const EVENTS_AIMED_AT = 700;

/** What the callers of one run have in common: how eager they are and how long they stay. */
export function drawCallers(context: DrawContext, locks: number, options: RunOptions): CallerPlan[] {
  const { seed, profile, nodes, leaseUs, durationUs, delayUs, intensities } = context;
  const random = new Random(seed, 'callers');
  const isCalm = profile === 'calm';
  const count = random.between(2, 3 + nodes);
  const offset = random.below(nodes);
  const stepPerCaller = random.pick([0, 1, 1, 1]);
  const drawnShare = random.pick([0, 0, 200_000, 500_000, 850_000]);
  const sharedPpm = options.sharedShare === undefined ? drawnShare : toPpm(options.sharedShare);
  const burstPpm = random.pick([200_000, 600_000, 950_000]);
  // So many entries one after the other, as fast as can be: tokens run far ahead of the clocks.
  const sprint = random.pick([0, 0, 20, 100]);
  const drawnHoldUsMax = Math.floor(leaseUs / random.pick([1000, 100, 20, 4, 4]));
  // With clocks beyond the bound it is the long holds that overlap.
  const isSteadfast = profile === 'steadfast';
  // And with two layouts those that one layout renews while the other waits.
  const isForLeases = isSteadfast || (profile === 'rolling' && new Random(seed, 'holds for leases').chance(300_000));
  const holdUsMax = isCalm ? Math.floor(leaseUs / 1000) : profile === 'adrift' ? leaseUs : isForLeases ? leaseUs * HOLD_LEASES_MAX : drawnHoldUsMax;
  const longPpm = new Random(seed, 'long holds').chance(100_000) ? 200_000 : 20_000;
  // Half of the steadfast runs: nobody is in the way of a holder that asks for other votes.
  const isEachHisOwn = isSteadfast && locks <= nodes && new Random(seed, 'each his own').chance(500_000);

  const crowd = options.callers === undefined && !isCalm ? drawCrowd(new Random(seed, 'crowd'), nodes) : null;
  // All are such as a client has that passes a lock on.
  const areOfClients = new Random(seed, 'clients').chance(crowd !== null ? 600_000 : isCalm ? 200_000 : 0);
  const machines = crowd !== null ? crowd : options.callers === undefined
    ? Array.from({ length: count }, (_, i) => (offset + i * stepPerCaller + (random.chance(200_000) ? 1 : 0)) % nodes)
    : Array.from({ length: options.callers * nodes }, (_, i) => i % nodes);
  // An entry costs about 3 messages an arbiter, and some for faults and contention.
  const wishesAimedAt = EVENTS_AIMED_AT / (8 + 2 * nodes);
  const leases = options.durationMs === undefined ? (profile === 'relentless' ? 5 : profile === 'spaced' ? 3 : 1) : Math.max(1, durationUs / (leaseUs * 6));
  const wishesEach = isSteadfast ? Math.ceil(durationUs / (leaseUs * HOLD_LEASES_MAX)) : Math.ceil((wishesAimedAt * leases) / machines.length);
  const spreadUs = Math.floor((2 * durationUs) / wishesEach);

  return machines.map((drawnMachine, index) => {
    const machine = isEachHisOwn ? drawnMachine % locks : drawnMachine;
    const own = new Random(seed, 'wishes', index);
    const wishes: Wish[] = [];
    const sprintsAt = own.below(wishesEach);
    for (let i = 0; i < wishesEach; i++) {
      const isBurst = own.chance(burstPpm);
      const mode: Mode = own.chance(sharedPpm) ? 'shared' : 'exclusive';
      const patienceUs = 1 + own.below(own.pick([delayUs * 8, leaseUs]));
      // In `spaced` runs now and then for so long that several faults strike meanwhile.
      const isForLong = profile === 'spaced' && own.chance(longPpm);
      const lingersUs = isForLong ? leaseUs * own.between(4, 12) : own.chance(toPpm(intensities.linger)) ? leaseUs + own.below(leaseUs) : 0;
      wishes.push({
        lock: isEachHisOwn ? machine : crowd !== null ? 0 : own.below(locks),
        mode,
        thinkUs: (i === 0 && (isCalm || profile === 'spaced') ? leaseUs / 10 : 0) + (isBurst ? own.below(delayUs * 3) : own.below(spreadUs)),
        holdUs: lingersUs + own.below(holdUsMax),
        patienceUs: own.chance(toPpm(intensities.cancel)) ? patienceUs : null,
        steals: own.chance(toPpm(intensities.steal)),
        // No draw where the kind is off, so that the other wishes stay as they were.
        ...(intensities.twice > 0 && own.chance(toPpm(intensities.twice)) ? { releasesTwice: true } : {}),
        ...(intensities.deaf > 0 && own.chance(toPpm(intensities.deaf))
          ? deafWith(own.below(own.pick(isCalm ? [delayUs * 2] : [delayUs * 2, leaseUs / 4, leaseUs * 2]))) : {}),
        ...(areOfClients ? { hearsAfterUs: delayUs, passes: true } : {}),
      });
      if (i === sprintsAt) wishes.push(...Array.from({ length: sprint }, () => drawQuickWish(own, wishes[i])));
    }
    return { machine, wishes };
  });
}

/** Every second one keeps its locks, and every second one passes them on. No draw, so that all else stays as it was. */
function deafWith(hearsAfterUs: number): Pick<Wish, 'hearsAfterUs' | 'keeps' | 'passes'> {
  return { hearsAfterUs, ...(hearsAfterUs % 2 === 0 ? {} : { keeps: true }), ...(hearsAfterUs % 4 < 2 ? {} : { passes: true }) };
}

/** In some runs nearly all are at one node: one after the other enters there without a message, until somebody else asks. */
function drawCrowd(random: Random, nodes: number): number[] | null {
  if (nodes < 2 || !random.chance(60_000)) return null;
  const machine = random.below(nodes);
  return [...new Array<number>(random.between(8, 14)).fill(machine), (machine + 1) % nodes];
}

/** Once more the same, at once and not for long. */
function drawQuickWish(random: Random, like: Wish | undefined): Wish {
  const { lock, mode } = like ?? { lock: 0, mode: 'exclusive' };
  return { lock, mode, thinkUs: random.below(20), holdUs: random.below(20), patienceUs: null, steals: false };
}

/** Each lock has one node that wants it, always in the same mode, with one caller or two. */
export function drawFrugalCallers({ seed, nodes, leaseUs }: DrawContext, locks: number): CallerPlan[] {
  const callers: CallerPlan[] = [];
  for (let lock = 0; lock < locks; lock++) {
    const random = new Random(seed, 'frugal', lock);
    const mode = random.pick<Mode>(['exclusive', 'exclusive', 'shared']);
    const machine = lock % nodes;
    // Now and then many in a row, each for some microseconds; or one that steals from nobody.
    const isCrowd = random.chance(200_000);
    const count = isCrowd ? random.between(4, 8) : random.between(1, 2);
    const steals = count === 1 && random.chance(300_000);
    for (let caller = count; caller > 0; caller--) {
      const wishes = Array.from({ length: random.between(2, 8) }, (_, i): Wish => ({
        lock,
        mode,
        thinkUs: (i === 0 ? leaseUs / 10 : 0) + random.below(random.pick([leaseUs / 200, leaseUs / 2, leaseUs * 2])),
        // Now and then for so long that it must be renewed.
        holdUs: random.below(isCrowd ? 50 : random.pick([leaseUs / 50, leaseUs / 50, leaseUs * 2])),
        patienceUs: null,
        steals: steals && random.chance(500_000),
      }));
      callers.push({ machine, wishes });
    }
  }
  return callers;
}
