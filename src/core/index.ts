/**
 * The core: the whole protocol of one node, pure. Events go into {@link step}, effects come out; whoever drives it owns the
 * network, the disk and the time. Start to read at requester.ts and arbiter.ts; node.ts puts them together.
 *
 * One whole entry, seen from n1 of three nodes: any two of them are a quorum, and n1 asks itself and n2 first. What a node
 * says to itself never leaves it. The comment under each event holds all its effects (a test runs this very text).
 *
 * ```ts
 * const settings = {
 *   self: 'n1', coterie: buildCoterie(['n1', 'n2', 'n3'], { family: 'majority' }), leaseMs: 3000, retryMs: 1000,
 *   driftMax: 0.01, slack: 100, ceilingBlock: 64_000, retain: true,
 * };
 * const n1 = createNode(settings, { ceilingOnDisk: 0, wallClockUs: 100, firstStart: true });
 *
 * // A life begins. No message may carry a clock above the ceiling that is on disk.
 * step(n1, { kind: 'start', nowMs: 0 });
 * // → { kind: 'reserveCeiling', ceiling: 1101 }
 * step(n1, { kind: 'ceilingReserved', nowMs: 5, ceiling: 1101 });
 * step(n1, { kind: 'peerUp', nowMs: 8, peer: 'n2', clock: 200 });
 *
 * // A caller wants the lock: n1 has its own vote at once and asks n2 for the other.
 * step(n1, { kind: 'acquire', nowMs: 10, lock: 'a', mode: 'exclusive', caller: 1 });
 * // → { kind: 'send', to: 'n2', message: { kind: 'request', lock: 'a', clock: 202, timestamp: 202,
 * //     mode: 'exclusive', claim: 'waits', keep: true, sentAtMs: 10, heldGrant: null } }
 * // → { kind: 'wake', atMs: 1010 }
 *
 * // Two votes are a quorum. The lease counts from when the Request was sent, less a margin for drift.
 * step(n1, { kind: 'message', nowMs: 12, from: 'n2', message: { kind: 'grant', lock: 'a', clock: 205, timestamp: 202,
 *   grant: 205, sentAtMs: 10, contended: false } });
 * // → { kind: 'entered', lock: 'a', caller: 1, mode: 'exclusive', token: 206, validUntilMs: 2978 }
 *
 * // The Request sent again renews the lease.
 * step(n1, { kind: 'wake', nowMs: 1010 });
 * // → { kind: 'send', to: 'n2', message: { kind: 'request', lock: 'a', clock: 206, timestamp: 202,
 * //     mode: 'exclusive', claim: 'holds', keep: true, sentAtMs: 1010, heldGrant: 205 } }
 * // → { kind: 'wake', atMs: 1994 }
 * step(n1, { kind: 'message', nowMs: 1013, from: 'n2', message: { kind: 'grant', lock: 'a', clock: 210, timestamp: 202,
 *   grant: 205, sentAtMs: 1010, contended: false } });
 * // → { kind: 'renewed', lock: 'a', callers: [1], validUntilMs: 3978 }
 *
 * // The caller is done. Nobody else wants the lock, so n1 says nothing and keeps the grants, until n3 asks n2.
 * step(n1, { kind: 'release', nowMs: 1500, lock: 'a', caller: 1 });
 * step(n1, { kind: 'message', nowMs: 1600, from: 'n2', message: { kind: 'inquire', lock: 'a', clock: 220, timestamp: 202,
 *   grant: 205, contender: { request: { timestamp: 215, node: 'n3' }, claim: 'waits' }, sentAtMs: 1010 } });
 * // → { kind: 'send', to: 'n2', message: { kind: 'release', lock: 'a', clock: 221, timestamp: 202 } }
 * ```
 */
export * from './messages';
export * from './events';
export type { CoreSettings } from './context';
export { InvariantError, assertNever } from './invariants';
export type { LocalInvariant } from './invariants';
export { claimOf, doesHold, doesSteal, hasPriority, isCompatible, isSameRequest } from './priority';
export { marginMs, reentryLeftMs } from './lease-times';
export { effectOf, eventOf, tracedEffect, tracedEvent } from './traced';
export type { TracedEffect, TracedEvent } from './traced';
export { HeldLock, believedUntilMs } from './held-lock';
export type { Validity } from './held-lock';
export { KeptLock } from './kept-lock';
export { ServedLock } from './served-lock';
export type { ServedLockEffect, ServedLockEvent, ServedLockSettings } from './served-lock';
export { ServedSession } from './served-session';
export type { ServedRoom, ServedSessionEffect, ServedSessionEvent } from './served-session';
export { ClientSession } from './client-session';
export type { ClientSessionEffect, ClientSessionEvent } from './client-session';
export type { ClientFrame, NodeFrame, AskId, SessionEndCause } from './session-frames';
export { FORMER_SLACK, ceilingBlockOf, slackOf } from './clock';
export { layoutActOf, mayStartUnder, termsOfLife } from './earlier-life';
export type { ActSettings, LayoutAct, LendingTerms, LifeSettings, LifeTerms } from './earlier-life';
export { clockLockOf } from './memory';
export type { ArbiterView } from './arbiter';
export type { RequesterView } from './phases';
export {
  SILENCE_MAX_MS, apartForMs, createNode, durableClock, inspectLending, inspectLock, inspectNode, isMute, lockNames, remembers, silentForMs, step,
} from './node';
export { CredibleClock } from './credible-clock';
export { Candidacy } from './candidacy';
export type { CandidacyOrder, CandidacySettings, RivalAnswer, RivalView, Standing } from './candidacy';
export type { Birth, LendingView, LockNode, LockView, NodeView } from './node';
