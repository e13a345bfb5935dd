/**
 * What a node says of itself to people and to metrics: plain data that stays as it is when the node goes on. The core's
 * own views of its state are made into it here, and nowhere else, so that the core can change and the public words stay.
 */
import { assertNever } from '../core';
import type { LamportTime, LockView, Mode, NodeId, Token } from '../core';
import type { Lending, WhyNoVote } from '../runtime/lending';
import type { PeerStatus } from '../transport/transport';

/** What a node knows of itself, its peers and its locks at one moment. */
export interface NodeStatus {
  /** This node's id. */
  readonly id: NodeId;
  /** The version of maekawa that it runs. */
  readonly version: string;
  /** What it can do at this moment: whether a lock can be had through it, and whether it lends its vote. */
  readonly state: NodeState;
  /**
   * It lost its memory, and too few peers could tell it which tokens may be in use: its tokens exceed earlier ones only if the
   * machines' wall clocks agree to within a lease.
   */
  readonly restsOnWallClocks: boolean;
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

/** What a node can do at one moment. */
export interface NodeState {
  /**
   * - `ready`: a lock can be had through it, and it lends its vote.
   * - `silent`: it lends no vote yet, for votes that it lent before it restarted may be on loan. A lock may be had through it with
   *   the votes of others (`servesLocks`).
   * - `no-quorum`: the nodes in reach that lend their votes contain no quorum.
   * - `cannot-write`: it cannot write its data directory, and says nothing until it can.
   * - `stopping`: it takes no new requests. What is held goes on, and it lends its vote, until the grace is over.
   */
  readonly kind: 'ready' | 'silent' | 'no-quorum' | 'cannot-write' | 'stopping';
  /** A lock can be had through it, as far as it knows. */
  readonly servesLocks: boolean;
  /** It lends its vote to other nodes. */
  readonly lendsVote: boolean;
  /** For how much longer it stays so, as far as it knows: of `silent` and `stopping`. */
  readonly forMs?: number;
  /** The same for people, with the reasons, in one line. */
  readonly text: string;
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

/** What a node knows of the votes in reach, in public words. `graceLeftMs`: null while it does not stop. */
export function nodeState(id: NodeId, { why, mayAsk }: Lending, hasQuorum: boolean, graceLeftMs: number | null): NodeState {
  const own = why.get(id);
  const lendsVote = own === undefined;
  if (graceLeftMs !== null) {
    const text = `takes no new requests, and waits up to ${inSeconds(graceLeftMs)} more for what is held; then it stops`;
    return { kind: 'stopping', servesLocks: false, lendsVote, forMs: graceLeftMs, text };
  }
  const servesLocks = hasQuorum && mayAsk;
  const noLock = `no lock can be had here: ${hasQuorum ? 'it takes no part yet' : noQuorumText(id, why)}`;
  if (own?.kind === 'cannot write') {
    return { kind: 'cannot-write', servesLocks, lendsVote, text: `${servesLocks ? '' : 'no lock can be had here: '}it ${whyNoVoteText(own)}` };
  }
  if (own?.kind !== 'silent' && !hasQuorum) return { kind: 'no-quorum', servesLocks, lendsVote, text: noLock };
  if (own === undefined) return { kind: 'ready', servesLocks, lendsVote, text: 'a lock can be had here, and it lends its vote' };
  const forMs = own.kind === 'silent' ? { forMs: own.forMs } : {};
  return { kind: 'silent', servesLocks, lendsVote, ...forMs, text: `${whyNoVoteText(own)}${servesLocks ? '' : `; ${noLock}`}` };
}

/** Which votes are missing, and why: `n2 (connection refused), n3 (lends no vote for 3 s more after its restart)`. */
export function missingVotes(why: Lending['why']): string {
  const all = [...why];
  // A node that only waits for the others to be up is not what is missing.
  const causes = all.filter(([, { kind }]) => kind !== 'has not begun');
  return (causes.length === 0 ? all : causes).sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, reason]) => `${node} (${whyNoVoteText(reason)})`).join(', ');
}

function noQuorumText(id: NodeId, why: Lending['why']): string {
  const others = new Map([...why].filter(([node]) => node !== id));
  if (others.size === 0) return 'its own vote is missing';
  return `the nodes that it reaches and that lend their votes contain no quorum. Missing: ${missingVotes(others)}`;
}

function whyNoVoteText(why: WhyNoVote): string {
  switch (why.kind) {
    case 'down':
      return why.reason;
    case 'silent':
      return `lends no vote for ${inSeconds(why.forMs)} more after its restart`;
    case 'learns':
      return 'lends no vote yet: it lost its memory, and learns from its peers first';
    case 'has not begun':
      return 'lends no vote yet: it waits for a quorum of nodes with its configuration';
    case 'cannot write':
      return `lends no vote: ${why.reason}`;
    case 'another process':
      return `lends and asks nothing: another process ${why.at.length > 0 ? `is connected to ${why.at.join(', ')}` : 'was connected until a moment ago'} under its id`;
    default:
      return assertNever(why);
  }
}

/** Rounded up: who waits for so long does not come too early. */
function inSeconds(ms: number): string {
  return ms < 1_000 ? `${Math.ceil(ms)} ms` : `${Math.ceil(ms / 1_000)} s`;
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
