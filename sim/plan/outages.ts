/**
 * The outages of a `relentless` or a `steadfast` run: they never stop, but at any time at most so many nodes are down, frozen,
 * cut off or silent after a restart that the others contain a quorum, whichever they are. And of any plan: when it keeps
 * a node from the others. What happens to single messages is drawn elsewhere.
 */
import { smallestBlockingSize } from '../../src/quorum/crashes';
import { familyLayoutOf, nodeIdsOf } from './layout';
import type { Family, Fault, Partition, Plan } from './plan';
import type { Random } from './random';

export interface OutageSettings {
  readonly family: Family;
  readonly nodes: number;
  readonly leaseUs: number;
  readonly durationUs: number;
  /** An outage takes up to one of these, in leases. */
  readonly leases: readonly number[];
}

/** Now and then for longer than anybody may wait: then the others must do without. */
export const RELENTLESS_LEASES: readonly number[] = [0.25, 1, 2, 2, 60];

/** In a `steadfast` run: some are over before anybody need do without, in some all votes of the node run out. */
export const STEADFAST_LEASES: readonly number[] = [0.25, 1, 2, 6];

/** With a shorter lease, a tenth of it is not much longer than timers and disks take. */
export const STEADFAST_LEASE_MS_MIN = 60;

/** How many nodes may be down at a time: one fewer than could block every quorum. */
export function nodesDownMax(family: Family, nodes: number): number {
  const ids = nodeIdsOf(nodes);
  return smallestBlockingSize(ids, familyLayoutOf(family, ids)).size - 1;
}

export function drawOutages(random: Random, { family, nodes, leaseUs, durationUs, leases }: OutageSettings): Fault[] {
  const faults: Fault[] = [];
  /** Until when each node is down or silent. */
  const awayUntilUs = new Array<number>(nodes).fill(0);
  for (let place = nodesDownMax(family, nodes); place > 0; place--) {
    for (let atUs = random.below(leaseUs); atUs < durationUs; ) {
      const forUs = 1 + random.below(leaseUs * random.pick(leases));
      const overUs = atUs + forUs + 2 * leaseUs; // A silent lease, and time to notice.
      const machine = random.below(nodes);
      if ((awayUntilUs[machine] ?? 0) < atUs) {
        awayUntilUs[machine] = overUs;
        faults.push(...spellsOf(random, machine, nodes, atUs, forUs));
        atUs = overUs;
      }
      atUs += 1 + random.below(leaseUs);
    }
  }
  return faults;
}

function spellsOf(random: Random, machine: number, nodes: number, atUs: number, forUs: number): Fault[] {
  const kind = random.pick(['crash', 'crash', 'stop', 'pause', 'sleep', 'cut'] as const);
  switch (kind) {
    case 'crash':
    case 'stop':
      return [{ kind: 'crash', atUs, forUs, machine, how: kind, wallBackUs: 0, writeLands: random.chance(500_000) }];
    case 'pause':
    case 'sleep':
      return [{ kind, atUs, forUs, machine }];
    case 'cut': {
      const others = Array.from({ length: nodes }, (_, other) => other).filter((other) => other !== machine);
      return cutBothWays('isolate', { atUs, forUs }, [machine], others);
    }
  }
}

/** No message goes from these to those, nor from those to these. */
export function cutBothWays(
  as: Partition, spell: { readonly atUs: number; readonly forUs: number }, these: readonly number[], those: readonly number[],
): Fault[] {
  return [{ kind: 'cut', as, ...spell, from: these, to: those }, { kind: 'cut', as, ...spell, from: those, to: these }];
}

/** When it is over; for one that strikes at a moment, that moment. */
export function endUsOf(fault: Fault): number {
  return fault.atUs + ('forUs' in fault ? fault.forUs : 0);
}

/** When something of the plan keeps this machine from the others for the first time after that; or Infinity. */
export function firstAwayUs(plan: Plan, machine: number, sinceUs: number): number {
  let firstUs = Infinity;
  for (const fault of plan.faults) if (keepsAway(fault, machine) && fault.atUs > sinceUs) firstUs = Math.min(firstUs, fault.atUs);
  return firstUs;
}

/** The last time, up to now, at which something of the plan kept this machine from the others; now, if it still does. */
export function lastAwayUs(plan: Plan, machine: number, nowUs: number): number {
  let lastUs = 0;
  for (const fault of plan.faults) {
    if (!keepsAway(fault, machine) || !('forUs' in fault) || fault.atUs > nowUs) continue;
    lastUs = Math.max(lastUs, Math.min(nowUs, fault.atUs + fault.forUs));
  }
  return lastUs;
}

function keepsAway(fault: Fault, machine: number): boolean {
  return fault.kind === 'cut' ? fault.from.length === 1 && fault.from[0] === machine : 'machine' in fault && fault.machine === machine;
}

/** The nodes that a fault struck: of a cut the one that was cut off, or both ends. */
export function machinesOf(fault: Fault): readonly number[] {
  switch (fault.kind) {
    case 'cut':
      return fault.from.length === 1 && fault.to.length === 1 ? [...fault.from, ...fault.to] : fault.from.length === 1 ? fault.from : fault.to;
    case 'clog':
    case 'echo':
      return [fault.from, fault.to];
    case 'suspect':
      return [fault.machine, fault.peer];
    default:
      return [fault.machine];
  }
}
