/**
 * What the two sides of a session say to each other: one stream of a client, which carries all its locks.
 * Law: within a stream frames arrive in the order in which they were sent, or not at all, and the stream with the higher
 * number is the newer. So whatever comes over an older stream, late or twice, is known for what it is. Source: protocol.md section 15.
 */
import type { EndCause } from './served-lock';
import type { Token } from './messages';

/** Names one request of a session. The client chooses it, higher than all before. */
export type AskId = number;

/** The first word of each stream. */
export interface SessionHello {
  /** Higher for each stream of a client. */
  readonly stream: number;
  /** All requests of earlier streams with which the client goes on, lowest first. It has given the others back. */
  readonly keep: readonly AskId[];
}

export interface ClientFrame<Ask> {
  readonly hello: SessionHello | null;
  /** The client's own time, which only the client reads. It rises with each frame. Null in a part of a frame that is not the last. */
  readonly sentAtMs: number | null;
  /** Given back, or waited for no longer. These come before what is asked for. */
  readonly releases: readonly AskId[];
  /** Of those the ones whose client took tokens by itself: the highest of each. */
  readonly spent: readonly { readonly id: AskId; readonly token: Token }[];
  /** Locks that are kept, and in use: they are kept no further. */
  readonly inUse: readonly AskId[];
  /** Lowest first, and higher than all that were asked for over this stream before. */
  readonly acquires: readonly { readonly id: AskId; readonly ask: Ask }[];
}

/** Why a lock, or a request for one, ended. */
export type SessionEndCause<Reason> =
  | EndCause<Reason>
  /** The node knows nothing of it any more: the client was away for too long. */
  | { readonly kind: 'unknown' };

export interface SessionWelcome {
  /** Whether the node knows the session. If not, nothing of its earlier streams is in effect. */
  readonly resumed: boolean;
  readonly leaseMs: number;
}

export interface SessionHeld {
  readonly id: AskId;
  readonly token: Token;
  readonly validForMs: number;
  readonly roomUntil?: Token | undefined;
  readonly passTo?: readonly AskId[] | undefined;
}

/** The parts are to be taken in this order. */
export interface NodeFrame<Ended> {
  /** The first word of each stream. */
  readonly welcome: SessionWelcome | null;
  /** Echo of the newest frame of which everything was done. Before there is one, the node says nothing. */
  readonly sentAtMs: number;
  /** These are not free at once. */
  readonly queued: readonly AskId[];
  /**
   * Comes again for a lock with which the client goes on over a new stream. `roomUntil`: the client may keep it when it is done, and
   * enter again with a larger token each time, up to this one; or, with `passTo`, let these in instead, one after the other.
   */
  readonly held: readonly SessionHeld[];
  readonly valid: readonly { readonly id: AskId; readonly validForMs: number }[];
  /** Others want these locks: one that is kept and not in use is to be given back. */
  readonly wanted: readonly AskId[];
  /** No lock of these is in effect, or soon will not be: one that was held is to be given back. */
  readonly ended: readonly { readonly id: AskId; readonly ended: Ended }[];
  /** For every lock that was told as held and not as ended, up to here: the least over all of them. */
  readonly allValidForMs: number | null;
}
