/**
 * The client service as both of its sides see it: the methods of `proto/maekawa/v1/locks.proto`, and the shape
 * of its messages. Law: what a client sent and cannot be decoded is never an exception inside gRPC.
 */
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSchema } from './load-schema';
import { locksSchema } from './schemas';

export type WireMode = 'LOCK_MODE_UNSPECIFIED' | 'LOCK_MODE_EXCLUSIVE' | 'LOCK_MODE_SHARED';

export interface AcquireMessage {
  /** Absent when the client named none. */
  readonly lock?: Buffer;
  readonly mode: WireMode;
  readonly waitMs?: number;
  readonly pings: boolean;
  readonly sentAtMs: number;
  readonly steal: boolean;
  readonly label: string;
  readonly ifAvailable: boolean;
  readonly maxHoldMs?: number;
  /** Absent or 0: not held on. */
  readonly atLeastMs?: number;
  readonly keep?: boolean;
  readonly pass?: boolean;
}

export type HoldRequest =
  | { readonly kind?: 'acquire'; readonly acquire: AcquireMessage }
  | { readonly kind?: 'ping'; readonly ping: { readonly sentAtMs: number } };

export type EndedReason =
  | 'REASON_UNSPECIFIED' | 'REASON_TIMEOUT' | 'REASON_NO_QUORUM' | 'REASON_LOST' | 'REASON_CLOSED' | 'REASON_CONFIG'
  | 'REASON_STOLEN' | 'REASON_RELEASED' | 'REASON_EXPIRED' | 'REASON_UNAVAILABLE';

export interface QueuedMessage {
  readonly leaseMs: number;
  readonly ahead: readonly string[];
}

export interface HeldMessage {
  readonly token: number;
  readonly validForMs: number;
  readonly sentAtMs: number;
  readonly leaseMs: number;
}

export interface ValidMessage {
  readonly validForMs: number;
  readonly sentAtMs: number;
}

export interface EndedMessage {
  readonly reason: EndedReason;
  readonly message: string;
  readonly definite: boolean;
}

export type HoldEvent =
  | { readonly kind?: 'queued'; readonly queued: QueuedMessage }
  | { readonly kind?: 'held'; readonly held: HeldMessage }
  | { readonly kind?: 'valid'; readonly valid: ValidMessage }
  | { readonly kind?: 'ended'; readonly ended: EndedMessage };

export interface HelloMessage {
  readonly session: Buffer;
  readonly secret: Buffer;
  readonly stream: number;
  readonly keep: readonly number[];
}

export interface ClientFrameMessage {
  readonly hello: HelloMessage | null;
  readonly sentAtMs: number;
  readonly releases: readonly number[];
  readonly spent: readonly { readonly id: number; readonly token: number }[];
  readonly inUse: readonly number[];
  readonly acquires: readonly { readonly id: number; readonly acquire: AcquireMessage | null }[];
}

export interface NodeFrameMessage {
  readonly welcome: { readonly resumed: boolean; readonly leaseMs: number } | null;
  readonly sentAtMs: number;
  readonly ended: readonly { readonly id: number; readonly ended: EndedMessage | null }[];
  readonly queued: readonly { readonly id: number; readonly ahead: readonly string[] }[];
  readonly held: readonly { readonly id: number; readonly token: number; readonly validForMs: number; readonly roomUntil: number; readonly passTo: readonly number[] }[];
  readonly wanted: readonly number[];
  readonly valid: readonly { readonly id: number; readonly validForMs: number }[];
  readonly allValidForMs?: number;
  readonly noQuorum: boolean;
}

export interface VoteStatus {
  readonly node: string;
  readonly timestamp: number;
  readonly mode: WireMode;
}

export type CallersState = 'STATE_UNSPECIFIED' | 'STATE_IDLE' | 'STATE_WAITING' | 'STATE_HELD' | 'STATE_RETAINED' | 'STATE_RECALLED';

export interface CallersStatus {
  readonly state: CallersState;
  readonly inside: number;
  readonly waiting: number;
  readonly token: number;
  readonly validForMs: number;
}

export interface LockStatus {
  readonly lock: Buffer;
  readonly grants: readonly VoteStatus[];
  readonly queue: readonly VoteStatus[];
  readonly callers: CallersStatus | null;
  readonly moreGrants: number;
  readonly moreQueue: number;
}

export interface CountMessage {
  readonly of: string;
  readonly count: number;
}

export interface StatusReply {
  readonly node: string;
  readonly cluster: string;
  readonly digest: string;
  readonly uptimeMs: number;
  readonly clock: number;
  readonly peers: readonly { readonly node: string; readonly address: string; readonly up: boolean; readonly reason: string }[];
  readonly locks: readonly LockStatus[];
  readonly sent: readonly CountMessage[];
  readonly received: readonly CountMessage[];
  readonly ignored: readonly CountMessage[];
  readonly entries: number;
  readonly layout: string;
  readonly notices: readonly string[];
  readonly version: string;
  /** Null from a node of a version that does not tell it. */
  readonly state: NodeStateMessage | null;
  readonly restsOnWallClocks: boolean;
  readonly nextPageToken: string;
}

export type NodeStateKind = 'KIND_UNSPECIFIED' | 'KIND_READY' | 'KIND_SILENT' | 'KIND_NO_QUORUM' | 'KIND_CANNOT_WRITE' | 'KIND_STOPPING';

export interface NodeStateMessage {
  readonly kind: NodeStateKind;
  readonly servesLocks: boolean;
  readonly lendsVote: boolean;
  readonly forMs: number;
  readonly text: string;
}

export interface LockInfoMessage {
  readonly lock: Buffer;
  readonly mode: WireMode;
  readonly clientId: string;
  readonly label: string;
  readonly token: number;
  readonly forMs: number;
  readonly keptForMs: number;
}

export interface WatchRequest {
  readonly lock?: Buffer;
}

export type ChangeWord = 'CHANGE_UNSPECIFIED' | 'CHANGE_HELD' | 'CHANGE_RELEASED' | 'CHANGE_LOST' | 'CHANGE_MISSED';

export interface WatchEventMessage {
  readonly change: ChangeWord;
  /** Absent when changes were missed. */
  readonly lock?: LockInfoMessage | null;
}

export interface QueryRequest {
  readonly cluster: boolean;
  readonly pageToken: string;
  readonly pageBytes: number;
  /** Absent: every lock. */
  readonly lock?: Buffer;
}

export interface ObserveRequest {
  readonly lock?: Buffer;
}

export interface LeaderMessage {
  readonly clientId: string;
  readonly label: string;
  readonly token: number;
}

export interface ObserveEventMessage {
  /** Absent when nobody is known to lead. */
  readonly leader?: LeaderMessage | null;
}

export interface StatusRequest {
  readonly pageToken: string;
}

export interface QueryReply {
  readonly held: readonly LockInfoMessage[];
  readonly pending: readonly LockInfoMessage[];
  readonly unanswered: readonly string[];
  readonly nextPageToken: string;
}

/** What a request becomes whose bytes cannot be decoded: it has none of the fields that it must have. */
export interface Malformed {
  readonly kind?: undefined;
}

/** The methods of `maekawa.v1.Locks`. */
export interface LocksMethods {
  readonly Hold: MethodDefinition<HoldRequest | Malformed, HoldEvent>;
  readonly Session: MethodDefinition<ClientFrameMessage | Malformed, NodeFrameMessage>;
  readonly Query: MethodDefinition<QueryRequest | Malformed, QueryReply>;
  readonly Watch: MethodDefinition<WatchRequest | Malformed, WatchEventMessage>;
  readonly Observe: MethodDefinition<ObserveRequest | Malformed, ObserveEventMessage>;
  readonly Status: MethodDefinition<StatusRequest | Malformed, StatusReply>;
}

export const LOCKS_SERVICE = 'maekawa.v1.Locks';

let methods: LocksMethods | undefined;

/** Loaded when first asked for: a process that uses no service does not pay for it. */
export function locksMethods(): LocksMethods {
  if (methods !== undefined) return methods;
  const service = loadSchema(locksSchema)[LOCKS_SERVICE] as unknown as LocksMethods;
  methods = {
    Hold: tolerant(service.Hold), Session: tolerant(service.Session), Query: tolerant(service.Query), Watch: tolerant(service.Watch),
    Observe: tolerant(service.Observe), Status: tolerant(service.Status),
  };
  return methods;
}

/** gRPC itself would call what cannot be decoded an internal error of the node; here the service answers it. */
function tolerant<Request, Response>(method: MethodDefinition<Request, Response>): MethodDefinition<Request, Response> {
  return {
    ...method,
    requestDeserialize: (bytes) => {
      try {
        return method.requestDeserialize(bytes);
      } catch {
        return {} as Request; // Malformed
      }
    },
  };
}
