/** How long anybody may wait, by kind of run. */
import { delayUsMax } from '../plan/delays';
import { longestTerms } from '../plan/plan';
import type { Plan } from '../plan/plan';

/**
 * How long a caller may wait once all faults have ended: a silent lease of those that restarted, a
 * lease for grants of the dead, and then each of the others first, twice at the worst, with one
 * repeat to heal what was lost and one to bring clocks together.
 */
export function progressBoundUs(plan: Plan): number {
  const { profile, network, callers, rolling, namesake } = plan;
  const { leaseMs, retryMs } = longestTerms(plan);
  const turnUs = leaseMs * 250 + 2 * retryMs * 1000 + 12 * delayUsMax(network) + 2000;
  // In `spaced` runs somebody may be inside for many leases still when the faults end.
  const insideUs = profile === 'spaced' ? callers.length * Math.max(0, ...callers.flatMap(({ wishes }) => wishes.map(({ holdUs }) => holdUs))) : 0;
  // Without memory each joins a second lease after its start, and begins a lease after the last of the old layout (protocol.md section 17.1).
  // And of two with one id the one that is left is dialled again, and takes part a lease after the last peer accepted it (17.2).
  const beginsUs = rolling !== undefined || plan.act !== undefined ? 3 * leaseMs * 1000 : namesake === undefined ? 0 : 3 * leaseMs * 1000 + namesake.refusedRedialUs;
  return 3 * leaseMs * 1000 + 2 * network.detectionUs + callers.length * 2 * turnUs + insideUs + beginsUs;
}

/**
 * How long a caller of a node that is well may wait while faults never stop: each caller before it may need two
 * leases, should a message of it be lost or its node go down while it is inside; and six more for spells that
 * begin meanwhile. The longest of half a million waits took five leases.
 */
export function relentlessBoundUs(plan: Plan): number {
  return (6 + 2 * plan.callers.length) * plan.leaseMs * 1000;
}

/**
 * Without faults there is nothing to wait for but the others' holds, some message delays, and the writes of ceilings, which come
 * once for many requests: one at an arbiter, one at the node itself. Those that steal wait only until those who hold have heard of it.
 */
export function calmBoundUs({ callers, network, diskUs }: Plan, isStealing: boolean): number {
  const wishes = callers.flatMap((caller) => caller.wishes);
  const othersUs = Math.max(...wishes.map(({ holdUs, hearsAfterUs = 0 }) => (isStealing ? hearsAfterUs : holdUs)));
  return 2 * callers.length * (othersUs + 12 * delayUsMax(network)) + 2 * diskUs;
}
