/**
 * Who comes while a mishap of a `spaced` run is in force, or is just over: at the node that it struck, where least of anything is left. In some
 * runs they find a reader there, who stays for many leases, and nobody else.
 */
import type { DrawContext } from './draw-context';
import { endUsOf, machinesOf } from './outages';
import type { CallerPlan, Fault, Wish } from './plan';
import { Random } from './random';

const LATECOMERS = 5;

/** A hold can be nearly over when its node was cut off for so long, as a share of the lease. */
const LONG_SHARE = 0.6;

export interface Latecomers {
  readonly callers: readonly CallerPlan[];
  /** The node at which they find a reader; nobody else is there, nor wants a lock for itself. Null: anybody may be anywhere. */
  readonly host: number | null;
}

export function drawLatecomers({ seed, profile, leaseUs }: DrawContext, locks: number, faults: readonly Fault[]): Latecomers {
  const random = new Random(seed, 'latecomers');
  const strikes = faults.filter((fault) => fault.kind !== 'rate' && fault.kind !== 'wake');
  if (profile !== 'spaced' || strikes.length === 0 || !random.chance(250_000)) return { callers: [], host: null };
  const isHosted = random.chance(500_000);
  const lock = random.below(locks);
  const cutOff = strikes.find((fault) => fault.kind === 'cut' && fault.as === 'isolate' && fault.forUs > leaseUs * LONG_SHARE && fault.forUs < leaseUs);
  const host = machinesOf(isHosted && cutOff !== undefined ? cutOff : random.pick(strikes))[0] ?? 0;
  const theirs = strikes.filter((fault) => machinesOf(fault).includes(host));
  const late = Array.from({ length: LATECOMERS }, (): CallerPlan => {
    const fault = cutOff !== undefined && theirs.includes(cutOff) && random.chance(500_000) ? cutOff : random.pick(theirs);
    const beforeUs = random.below(random.pick([leaseUs / 10, Math.max(1, endUsOf(fault) - fault.atUs)]) | 0);
    return { machine: host, wishes: [{ ...drawWish(random, lock, isHosted, leaseUs / 20), atUs: Math.max(leaseUs / 4, Math.floor(endUsOf(fault) - beforeUs)) }] };
  });
  if (!isHosted) return { callers: late, host: null };
  const stays = Array.from({ length: 8 }, (): Wish => {
    const wish = drawWish(random, lock, true, leaseUs / 10);
    return { ...wish, holdUs: leaseUs * random.between(4, 12) };
  });
  return { callers: [{ machine: host, wishes: stays }, ...late], host };
}

function drawWish(random: Random, lock: number, isShared: boolean, holdUsMax: number): Wish {
  const mode = isShared || random.chance(300_000) ? 'shared' : 'exclusive';
  return { lock, mode, thinkUs: 1 + random.below(holdUsMax / 10), holdUs: random.below(holdUsMax), patienceUs: null, steals: false };
}
