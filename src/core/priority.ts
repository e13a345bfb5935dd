/**
 * The total order of requests: `(timestamp, node)`, smaller is older and wins. Node ids break ties,
 * so no two requests are ever equal in priority. Those that steal go before those that do not, and then those that hold
 * before those that wait.
 * Source: protocol.md section 2; Lamport 1978.
 */
import type { Mode, RequestId } from './messages';

export function isSameRequest(a: RequestId, b: RequestId): boolean {
  return a.timestamp === b.timestamp && a.node === b.node;
}

/** Whether `a` goes before `b`. Compares ids by code unit, the same on every machine. */
export function hasPriority(a: RequestId, b: RequestId): boolean {
  if (a.steals !== b.steals) return a.steals === true;
  if (a.holds !== b.holds) return a.holds === true;
  return a.timestamp !== b.timestamp ? a.timestamp < b.timestamp : a.node < b.node;
}

/** Two grants of one arbiter may live side by side only when both are shared. */
export function isCompatible(a: Mode, b: Mode): boolean {
  return a === 'shared' && b === 'shared';
}
