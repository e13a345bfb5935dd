/**
 * What goes into the core and what comes out: the whole surface between the pure protocol and the
 * runtime or the simulator that drives it. Events in, effects out; nothing else happens.
 *
 * `nowMs` is the node's own monotonic time in whole milliseconds, from any origin. It never goes back.
 */
import type { LamportTime, LockName, Message, Mode, NodeId, Token } from './messages';

/** Names one local caller's wish to hold a lock. Chosen by the driver, never reused in one life of a node. */
export type CallerId = number;

/** Names one process for which this node asks. Chosen by the driver. */
export type ClientNumber = number;

/** Who took a lock from its holder: the node, and its caller if that is this very node. */
export interface Thief {
  readonly node: NodeId;
  readonly caller?: CallerId;
}

export type Event =
  /** First event of a node's life, exactly once. */
  | { readonly kind: 'start'; readonly nowMs: number }
  /** A local caller wants the lock. Answered in time by `entered`, unless a `release` cancels it. */
  | {
      readonly kind: 'acquire';
      readonly nowMs: number;
      readonly lock: LockName;
      readonly mode: Mode;
      readonly caller: CallerId;
      /** Take the lock from whoever holds it, here or elsewhere, before all others that wait. */
      readonly steals?: true;
      /** It is in another process, which may hear late of what happens here: it is `recalled` where others have `lost`. */
      readonly remote?: true;
      /** It means to enter again by itself when it is done, until it hears `wanted`. Of one that is `remote`, exclusive, and steals nothing. */
      readonly keeps?: true;
      /**
       * Of which client, if that passes the lock on to those behind it in line, when `entered` says so. Of one that is `remote`, exclusive,
       * and steals nothing.
       */
      readonly client?: ClientNumber;
    }
  /** The caller is done, or no longer waits. Idempotent: unknown to the core, it does nothing. */
  | {
      readonly kind: 'release';
      readonly nowMs: number;
      readonly lock: LockName;
      readonly caller: CallerId;
      /** The highest token that a caller took which was told of room for more, or one to which it passed the lock on. Default: all of the room. */
      readonly used?: Token;
    }
  /** A validated message arrived from a peer. Never from the node itself. */
  | { readonly kind: 'message'; readonly nowMs: number; readonly from: NodeId; readonly message: Message }
  /**
   * The connection to a peer works. From its handshake: its Lamport clock, and for how much longer its
   * arbiters lend nothing after a restart (default 0); until then others are asked where that will do.
   */
  | {
      readonly kind: 'peerUp';
      readonly nowMs: number;
      readonly peer: NodeId;
      readonly clock: LamportTime;
      readonly silentForMs?: number;
      /** It knows which clock values it has used. Default true. */
      readonly remembers?: boolean;
    }
  | { readonly kind: 'peerDown'; readonly nowMs: number; readonly peer: NodeId }
  /** The peer refuses this node, for another process of its id is connected to it. A `peerUp` of this peer says that it no longer is. */
  | { readonly kind: 'namesake'; readonly nowMs: number; readonly peer: NodeId }
  /** A ceiling that `reserveCeiling` asked for is safely on disk. */
  | { readonly kind: 'ceilingReserved'; readonly nowMs: number; readonly ceiling: LamportTime }
  /** The time that `wake` asked for has come. Early or superfluous ones do no harm. */
  | { readonly kind: 'wake'; readonly nowMs: number }
  /**
   * The driver's word beside the silence that a life begins with (which it never shortens): this node's arbiters lend
   * nothing new before `untilMs`, or with null until the driver says otherwise. Unless it `renews` (the default), what they lent runs out
   * meanwhile, and nothing is taken back in. The last word counts.
   */
  | { readonly kind: 'silence'; readonly nowMs: number; readonly untilMs: number | null; readonly renews?: boolean }
  /**
   * The machine slept for about `byMs` while `nowMs` stood still. Requesters count it (their grants
   * ran out meanwhile), arbiters do not (a vote lent is lent for a full lease of running time):
   * each side takes what is safe, so a wall clock set forward by hand cannot end a lease early.
   */
  | { readonly kind: 'slept'; readonly nowMs: number; readonly byMs: number }
  /**
   * The node leaves: every request is over and every arbiter asked is told so. Last event of a life.
   * Locks that someone outside this process may still use are `inUse`: of these nobody is told
   * anything, so that only the end of their lease frees them.
   */
  | { readonly kind: 'stop'; readonly nowMs: number; readonly inUse?: readonly LockName[] };

export type EventKind = Event['kind'];

export type AcquireEvent = Extract<Event, { kind: 'acquire' }>;

export type Effect =
  /** Send to a peer, never to the node itself. May be lost; the protocol heals it. */
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: Message }
  /** The caller holds the lock now. */
  | {
      readonly kind: 'entered';
      readonly lock: LockName;
      readonly caller: CallerId;
      readonly mode: Mode;
      readonly token: Token;
      /** Until when, in `nowMs` time, the lock is held unless `renewed` says more. */
      readonly validUntilMs: number;
      /** A caller that `keeps` may enter again by itself, with a larger token each time, up to this one. Left out: it may not. */
      readonly roomUntil?: Token;
      /**
       * The lock may be passed on to these when the caller is done with it, one after the other and without a word, each with a larger token
       * up to `roomUntil`; whoever is let in so is released at once. To the core the caller is inside until it is released, last of all.
       */
      readonly passTo?: readonly CallerId[];
    }
  /** Somebody else wants the lock: the caller, which was told of room, enters no further time. Told once. */
  | { readonly kind: 'wanted'; readonly lock: LockName; readonly caller: CallerId }
  /** The callers inside this lock hold it until `validUntilMs` now: for longer, or after sleep for less. */
  | { readonly kind: 'renewed'; readonly lock: LockName; readonly callers: readonly CallerId[]; readonly validUntilMs: number }
  /** The caller no longer holds the lock, at this very moment: its grants ran out, or the thief took it. */
  | { readonly kind: 'lost'; readonly lock: LockName; readonly caller: CallerId; readonly thief?: Thief }
  /**
   * The same for a remote caller, which may count on the lock until the last `validUntilMs` that it was told. The lock
   * is nobody else's before the caller's `release`: due as soon as the caller uses it no more, and then at the latest.
   */
  | { readonly kind: 'recalled'; readonly lock: LockName; readonly caller: CallerId; readonly thief?: Thief }
  /** Send a `wake` event at `atMs`. Replaces any earlier wish. */
  | { readonly kind: 'wake'; readonly atMs: number }
  /** Put this ceiling on disk, then answer `ceilingReserved`. */
  | { readonly kind: 'reserveCeiling'; readonly ceiling: LamportTime }
  /**
   * A node without memory takes part from now on, above every token that its earlier life can have allowed: as peers know that
   * remember, or, where too few of them could be heard, as far as the wall clocks go.
   */
  | { readonly kind: 'joined'; readonly by: 'peers' | 'wall clock' }
  /** A message was dropped, and why: one that came, or one of its own (`from` is the node itself) that there was no room for. For traces, metrics and tests; nothing to be done. */
  | { readonly kind: 'ignored'; readonly from: NodeId; readonly message: Message; readonly reason: string };

export type EffectKind = Effect['kind'];
