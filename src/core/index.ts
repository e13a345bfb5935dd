export * from './messages';
export * from './events';
export type { CoreSettings } from './context';
export { InvariantError, assertNever } from './invariants';
export type { LocalInvariant } from './invariants';
export { hasPriority, isCompatible, isSameRequest } from './priority';
export { marginMs, reentryLeftMs } from './requester';
export { HeldLock, believedUntilMs } from './held-lock';
export type { Validity } from './held-lock';
export { ServedLock } from './served-lock';
export type { EndCause, ServedLockEffect, ServedLockEvent, ServedLockSettings } from './served-lock';
export type { ArbiterView } from './arbiter';
export type { RequesterView } from './requester';
export {
  DEFAULT_CEILING_BLOCK, DEFAULT_SLACK, createNode, durableClock, inspectLock, lockNames, silentForMs, step,
} from './node';
export type { Birth, LockNode, LockView } from './node';
