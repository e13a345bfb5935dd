/**
 * What a node says of itself to people and to metrics: plain data that stays as it is when the node goes on. The core's
 * own views of its state are made into it here, and nowhere else, so that the core can change and the public words stay.
 */
import { assertNever } from '../core';
import type { LamportTime, LockView, Mode, NodeId, Token } from '../core';
import type { PeerStatus } from '../transport/transport';

/** What a node knows of itself, its peers and its locks at one moment. */
export interface NodeStatus {
  /** This node's id. */
  readonly id: NodeId;
  /** The cluster's name in the configuration. */
  readonly cluster: string;
  /** Digest of the configuration; equal on all nodes of a cluster. */
  readonly digest: string;
  /** Digest of the node ids and quorums alone: a node starts with another one only after `maekawa quorums change`. */
  readonly layout: string;
  /** What an operator must know now, in words: such as that nodes with another configuration serve beside it. Most often none. */
  readonly notices: readonly string[];
  /** For how long it has run. */
  readonly uptimeMs: number;
  /** Its Lamport clock, as far as others may know it: never above the ceiling that its data directory keeps. */
  readonly clock: LamportTime;
  /** All other nodes of the configuration. */
  readonly peers: readonly PeerStatus[];
  /** The locks of which it knows anything: lent, waited for, held, or released a short while ago. */
  readonly locks: readonly LockStatus[];
  /** Messages to and from other nodes since it started. */
  readonly messages: MessageCounts;
  /** How often callers of this node entered a lock. */
  readonly entries: number;
}

/** One lock, as one node knows it: what its vote does, and what its own callers do. */
export interface LockStatus {
  /** The lock's name. */
  readonly name: string;
  /** For whom this node's vote is on loan. Several at a time are shared ones. */
  readonly grants: readonly VoteStatus[];
  /** Requests that wait for this node's vote; the one that comes next is the first. */
  readonly queue: readonly WaitingStatus[];
  /** How far this node's own callers are with the lock; null when they do not use it. */
  readonly callers: CallersStatus | null;
}

/** This node's vote, lent to a request. */
export interface VoteStatus {
  /** The node that asked. */
  readonly node: NodeId;
  /** When it asked first, by its Lamport clock. */
  readonly timestamp: LamportTime;
  /** How it wants the lock. */
  readonly mode: Mode;
  /** For how much longer the vote is lent if the loan is not renewed. */
  readonly endsInMs: number;
}

/** A request that waits for this node's vote. */
export interface WaitingStatus {
  /** The node that asked. */
  readonly node: NodeId;
  /** When it asked first, by its Lamport clock. */
  readonly timestamp: LamportTime;
  /** How it wants the lock. */
  readonly mode: Mode;
  /** How long ago it was heard of last. Who waits repeats its request; after one lease without a word it is forgotten. */
  readonly heardAgoMs: number;
}

/** How far a node's own callers, its clients among them, are with one lock. The node makes one request for all of them. */
export type CallersStatus =
  /** Nobody wants it; it was contended a short while ago. */
  | { readonly state: 'idle'; readonly waiting: number }
  /** It was asked for and votes are missing. */
  | (RequestStatus & { readonly state: 'waiting' })
  /** It is held by `inside` callers. */
  | (RequestStatus & {
    readonly state: 'held';
    readonly inside: number;
    /** The fencing token of the newest entry. */
    readonly token: Token;
    /** For how much longer it is held if no renewal succeeds. */
    readonly validForMs: number;
  })
  /** It was released, and its votes are kept until somebody else asks for them. */
  | (RequestStatus & {
    readonly state: 'retained';
    /** The fencing token of the last entry. */
    readonly token: Token;
    /** For how much longer the votes may be kept. */
    readonly validForMs: number;
  })
  /** It was stolen from clients, or their lease ended, and `inside` of them have not given it back yet. */
  | (RequestStatus & { readonly state: 'recalled'; readonly inside: number });

/** A node's request for a lock. */
export interface RequestStatus {
  /** How the lock is wanted or held. */
  readonly mode: Mode;
  /** The nodes that were asked for their vote. */
  readonly asked: readonly NodeId[];
  /** Those of them whose vote is here. */
  readonly granted: readonly NodeId[];
  /** How many callers of this node wait for the lock. */
  readonly waiting: number;
}

/** The kinds of messages that nodes exchange. */
export type MessageKind = 'request' | 'grant' | 'release' | 'inquire' | 'yield';

/** Messages of the protocol since the node started. Those to itself are not counted. */
export interface MessageCounts {
  /** To other nodes, by kind. */
  readonly sent: Readonly<Record<MessageKind, number>>;
  /** From other nodes, by kind. */
  readonly received: Readonly<Record<MessageKind, number>>;
  /** Messages that had no effect, by reason. Such are normal after a message was lost or late. */
  readonly ignored: Readonly<Record<string, number>>;
}

/** What the core knows of one lock, in public words. `nowMs` is the core's time, in which its views speak. */
export function lockStatus({ lock, grants, queue, requester }: LockView, nowMs: number): LockStatus {
  return {
    name: lock,
    grants: grants.map(({ request, mode, expiresAtMs }) => ({
      node: request.node, timestamp: request.timestamp, mode, endsInMs: Math.max(0, expiresAtMs - nowMs),
    })),
    queue: queue.map(({ request, mode, heardAtMs }) => ({
      node: request.node, timestamp: request.timestamp, mode, heardAgoMs: Math.max(0, nowMs - heardAtMs),
    })),
    callers: requester === null ? null : callersStatus(requester, nowMs),
  };
}

function callersStatus(requester: NonNullable<LockView['requester']>, nowMs: number): CallersStatus {
  const waiting = requester.waitingCallers.length;
  if (requester.state === 'idle') return { state: 'idle', waiting };
  const { mode, asked, granted } = requester;
  const request: RequestStatus = { mode, asked, granted, waiting };
  switch (requester.state) {
    case 'waiting':
      return { state: 'waiting', ...request };
    case 'held':
      return {
        state: 'held', ...request,
        inside: requester.inside.length, token: requester.token, validForMs: Math.max(0, requester.validUntilMs - nowMs),
      };
    case 'retained':
      return { state: 'retained', ...request, token: requester.token, validForMs: Math.max(0, requester.validUntilMs - nowMs) };
    case 'recalled':
      return { state: 'recalled', ...request, inside: requester.inside.length };
    default:
      return assertNever(requester);
  }
}
