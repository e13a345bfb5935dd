/**
 * The five messages of the algorithm, and the words they are made of.
 * Plain data that never changes after it was made; who sent a message travels beside it.
 * Source: protocol.md sections 2 to 4 and 9.
 */
import type { NodeId } from '../quorum/coterie';

export type { NodeId } from '../quorum/coterie';

/** Each lock name is an independent instance of the whole protocol. Any string, the empty one too. */
export type LockName = string;

/** A value of the node's one Lamport clock: a safe integer, in practice below 2^53. */
export type LamportTime = number;

/** A fencing token: a Lamport time; tokens of successive holders of one lock strictly increase. */
export type Token = number;

/** `exclusive`: alone. `shared`: together with other shared holders. */
export type Mode = 'exclusive' | 'shared';

/** Names one wish to hold a lock. Never reused. */
export interface RequestId {
  readonly timestamp: LamportTime;
  readonly node: NodeId;
}

/**
 * By what right a request wants a vote, and so its place in line (see `hasPriority`). Not part of its name: one that
 * waits holds once its caller is inside, and never waits again; one that steals stole.
 */
export type Claim =
  /** It wants the lock when its turn comes. */
  | 'waits'
  /**
   * Its caller is inside. It goes before all that wait, for they cannot enter before it is over anyway, and it may need
   * this vote to outlive an arbiter (rule holder-first).
   */
  | 'holds'
  /** It takes the lock from whoever holds it, and goes before all that do not steal. */
  | 'steals'
  /** The same, and its caller is inside: it took the lock. */
  | 'stole';

/** A request and its claim: what decides who gets a vote. */
export interface Contender {
  readonly request: RequestId;
  readonly claim: Claim;
}

/** Requester to arbiter: lend me your vote. Sent again it is the retry, and for a holder the renewal. */
export interface Request {
  readonly kind: 'request';
  readonly lock: LockName;
  /** The sender's Lamport clock when it sent this. */
  readonly clock: LamportTime;
  readonly timestamp: LamportTime;
  readonly mode: Mode;
  readonly claim: Claim;
  /** The requester may keep the grants after its release (protocol.md section 9): inquire at once, whoever asks. */
  readonly keep: boolean;
  /** The requester's own time when it sent this, in whole milliseconds. Only that requester reads it. */
  readonly sentAtMs: number;
  /** The number of this arbiter's grant that the requester holds, for an arbiter that lost its memory; or null. */
  readonly heldGrant: LamportTime | null;
}

/** Arbiter to requester: my vote is yours for one lease. */
export interface Grant {
  readonly kind: 'grant';
  readonly lock: LockName;
  readonly clock: LamportTime;
  readonly timestamp: LamportTime;
  /** The grant number: no other grant of this arbiter ever had it. */
  readonly grant: LamportTime;
  /** `sentAtMs` of the Request that this answers. */
  readonly sentAtMs: number;
  /** An incompatible request waits at this arbiter already. */
  readonly contended: boolean;
  /**
   * The lowest timestamp of such requests, and of those of which the node whose Release freed the vote said that it asks next. Left out
   * when there are none, or by an arbiter that does not say.
   */
  readonly contenderTimestamp?: LamportTime;
}

/** Requester to arbiter: this request is over (done, cancelled, or unknown to me). */
export interface Release {
  readonly kind: 'release';
  readonly lock: LockName;
  readonly clock: LamportTime;
  readonly timestamp: LamportTime;
  /** That of the caller for which this node asks next, right after this. Left out when it has none. */
  readonly nextTimestamp?: LamportTime;
}

/** Arbiter to requester: do you still need this vote? */
export interface Inquire {
  readonly kind: 'inquire';
  readonly lock: LockName;
  readonly clock: LamportTime;
  readonly timestamp: LamportTime;
  readonly grant: LamportTime;
  /** The request that wants the vote. If it `steals`, a holder is told to give the lock up, and does so when its own node confirms that. */
  readonly contender: Contender;
  /** `sentAtMs` of the newest Request that this arbiter has heard from the one that it asks. */
  readonly sentAtMs: number;
}

/** Requester to arbiter: I give this grant back and still wait. */
export interface Yield {
  readonly kind: 'yield';
  readonly lock: LockName;
  readonly clock: LamportTime;
  readonly timestamp: LamportTime;
  readonly grant: LamportTime;
}

/** Everything that nodes say to each other. */
export type Message = Request | Grant | Release | Inquire | Yield;
/** The name of a message. */
export type MessageKind = Message['kind'];
