/**
 * How long a lease is worth to a requester, and when it asks again. Whole milliseconds in, whole milliseconds out.
 * Law: a requester takes a grant to end before its arbiter does (lease-inside), whatever their clocks drift apart.
 * Source: protocol.md sections 6 and 9.
 */

/** Whole milliseconds are cut off, once when a lease is counted here and once when it is at the arbiter. */
const CLOCK_RESOLUTION_MS = 2;

/**
 * Which share of the lease must be left to enter again under retained grants: with less, the lock could
 * be lost again before its renewal is back.
 */
const REENTRY_SHARE = 0.1;

/** However little of the lease is left, repeats are no closer together than this share of the retry interval. */
const REPEAT_SHARE_MIN = 0.125;

/** How much earlier than its arbiter a requester takes a grant to end: what their clocks may drift apart. */
export function marginMs(leaseMs: number, driftMax: number): number {
  return Math.ceil(leaseMs * driftMax) + CLOCK_RESOLUTION_MS;
}

/** How long a requester counts a grant, from when it sent the Request. */
export function validForMs({ leaseMs, driftMax }: { readonly leaseMs: number; readonly driftMax: number }): number {
  return leaseMs - marginMs(leaseMs, driftMax);
}

/** How much of a lease must be left, in whole milliseconds, to enter again under retained grants. */
export function reentryLeftMs(leaseMs: number): number {
  return Math.ceil(leaseMs * REENTRY_SHARE);
}

/** When to ask again while the request waits. */
export function repeatWaitingAtMs(askedAtMs: number, retryMs: number): number {
  return askedAtMs + retryMs;
}

/**
 * When to ask again while the lock is held: also when half of what was left of it at the last time has passed. After a
 * re-entry late in the lease, or when renewals are lost, the usual interval may end later than the lock.
 */
export function repeatHeldAtMs(askedAtMs: number, retryMs: number, validUntilMs: number): number {
  const leftMs = validUntilMs - askedAtMs;
  return askedAtMs + Math.min(retryMs, Math.max(Math.ceil(leftMs / 2), Math.ceil(retryMs * REPEAT_SHARE_MIN)));
}
