/**
 * What `import … from 'maekawa'` gives. Begin with {@link startNode}, or with {@link connect} in a process that is no node;
 * both give `locks`, a {@link LockManager}.
 *
 * @module maekawa
 */
export { startNode } from './node/start';
export type { MaekawaNode, StartOptions } from './node/start';
export type { StopOptions } from './node/stop-options';
export type { ClientLimits } from './service/limits';
export type {
  CallersStatus, LockStatus, MessageCounts, MessageKind, NodeState, NodeStatus, RequestStatus, VoteStatus, WaitingStatus,
} from './locks/status';
export type {
  AcquireOptions, BareAbortSignal, CampaignOptions, ClusterSnapshot, Election, ElectionOptions, HeldLock, HeldLocks, HeldPermit, HeldTerm, Leader, Lock, LockInfo, LockManager, LockManagerSnapshot, LockOptions, OnceOptions, OnceOutcome,
  Permit, PlatformAbortSignal, QueryOptions, Semaphore, SemaphoreOptions, SemaphoreRequestOptions, Term,
} from './locks/types';
export { connect } from './client/connect';
export type { ConnectOptions, RemoteLocks } from './client/connect';
export { admit, fence } from './fencing';
export type { Fence, FencedBy, FenceOutcome, FenceStore, FencingToken, TokensSeen } from './fencing';
export { LockError } from './errors';
export type { LockErrorCode, LockErrorOptions } from './errors';
export type { LogLevel, LogMethod, Logger } from './log';
export { parseConfiguration, readConfiguration } from './config';
export type { Configuration, LayoutChange, NodeAddress } from './config';
export type { Coterie, FamilyLayout, NodeSet } from './quorum';
export { InvariantError } from './core';
export type { PeerStatus, TlsFiles } from './transport/transport';
export type { LamportTime, LocalInvariant, Mode, NodeId, Token } from './core';
