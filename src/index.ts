/** What `import … from 'maekawa'` gives. */
export { startNode } from './node/start';
export type { MaekawaNode, NodeStatus, StartOptions } from './node/start';
export type {
  AcquireOptions, ClusterSnapshot, HeldLock, HeldLocks, HeldPermit, Lock, LockInfo, LockManager, LockManagerSnapshot, LockOptions, Permit,
  QueryOptions, Semaphore, SemaphoreOptions, SemaphoreRequestOptions,
} from './locks/types';
export { connect } from './service/connect';
export type { ConnectOptions, RemoteLocks } from './service/connect';
export { admit, fence } from './fencing';
export type { Fence, FencedBy, FenceOutcome, FenceStore, FencingToken, TokensSeen } from './fencing';
export { LockError } from './errors';
export type { LockErrorCode } from './errors';
export type { LogLevel, LogMethod, Logger } from './log';
export { parseConfiguration, readConfiguration } from './config';
export type { Configuration } from './config';
export { InvariantError } from './core';
export type { PeerStatus } from './transport/transport';
export type { LockView, Message, MessageKind, Mode, NodeId, Token } from './core';
