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
export { ServedLock } from './served-lock';
export type { EndCause, ServedLockEffect, ServedLockEvent, ServedLockSettings } from './served-lock';
export type { ArbiterView } from './arbiter';
export type { RequesterView } from './phases';
export {
  DEFAULT_CEILING_BLOCK, DEFAULT_SLACK, createNode, durableClock, inspectLock, inspectNode, lockNames, silentForMs, step,
} from './node';
export { Candidacy } from './candidacy';
export type { CandidacyOrder, CandidacySettings, RivalAnswer, RivalView, Standing } from './candidacy';
export type { Birth, LockNode, LockView, NodeView } from './node';
