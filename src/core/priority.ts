/**
 * The total order of requests: first by claim, then by `(timestamp, node)`, of which the smaller is older and wins. Node
 * ids break ties, so no two requests are ever equal in priority.
 * Source: protocol.md section 2, and the rules of steal and holder-first; Lamport 1978.
 */
import type { Claim, Contender, Mode, RequestId } from './messages';

/** Those that steal go before those that do not, and then those that hold before those that wait. */
const PLACE_IN_LINE: Readonly<Record<Claim, number>> = { stole: 0, steals: 1, holds: 2, waits: 3 };

export function claimOf(steals: boolean, isInside: boolean): Claim {
  if (steals) return isInside ? 'stole' : 'steals';
  return isInside ? 'holds' : 'waits';
}

/** Whether it takes the lock from others, or took it. */
export function doesSteal(claim: Claim): boolean {
  return claim === 'steals' || claim === 'stole';
}

/** Whether its caller is inside. */
export function doesHold(claim: Claim): boolean {
  return claim === 'holds' || claim === 'stole';
}

export function isSameRequest(a: RequestId, b: RequestId): boolean {
  return a.timestamp === b.timestamp && a.node === b.node;
}

/** Whether `a` goes before `b`. Compares ids by code unit, the same on every machine. */
export function hasPriority(a: Contender, b: Contender): boolean {
  if (a.claim !== b.claim) return PLACE_IN_LINE[a.claim] < PLACE_IN_LINE[b.claim];
  return a.request.timestamp !== b.request.timestamp ? a.request.timestamp < b.request.timestamp : a.request.node < b.request.node;
}

/** Two grants of one arbiter may live side by side only when both are shared. */
export function isCompatible(a: Mode, b: Mode): boolean {
  return a === 'shared' && b === 'shared';
}
