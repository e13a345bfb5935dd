/** Which profiles suit what is fixed of a run: the command line refuses the others, and a seed draws none of them. */
import { STEADFAST_LEASE_MS_MIN } from './outages';
import { hasOutages } from './plan';
import type { Profile } from './plan';

interface Fixed {
  readonly nodes?: number | undefined;
  readonly leaseMs?: number | undefined;
}

/** What the profile needs that is not there, or null. */
export function whyNotOf(profile: Profile, { nodes = Infinity, leaseMs = Infinity }: Fixed): string | null {
  if (hasOutages(profile) && nodes < 3) return `needs 3 nodes or more: with ${nodes} none may be down`;
  if ((profile === 'rolling' || profile === 'acts') && nodes < 3) return 'needs 3 nodes or more: with fewer there are no two layouts to go between';
  if (profile === 'steadfast' && leaseMs < STEADFAST_LEASE_MS_MIN) return `needs --lease ${STEADFAST_LEASE_MS_MIN} or more: timers and disks take a millisecond or two`;
  return null;
}
