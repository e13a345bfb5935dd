/** The machines under test, and the words that this room fills in. Handed in, so that changed ones can be run. */
import { ClientSession, HeldLock, KeptLock, ServedSession, believedUntilMs } from '../../src/core';
import type { ClientFrame, ClientSessionEffect, Mode, NodeFrame, ServedSessionEffect, SessionEndCause } from '../../src/core';

export interface Machines {
  readonly ClientSession: typeof ClientSession;
  readonly ServedSession: typeof ServedSession;
  readonly HeldLock: typeof HeldLock;
  readonly KeptLock: typeof KeptLock;
  readonly believedUntilMs: typeof believedUntilMs;
}

export const PRODUCTION_MACHINES: Machines = { ClientSession, ServedSession, HeldLock, KeptLock, believedUntilMs };

/** What a client asks for. Each attempt has a number of its own, so a late copy is known for what it is. */
export interface Ask {
  readonly attempt: number;
  readonly lock: number;
  readonly mode: Mode;
  readonly ifAvailable: boolean;
  readonly steals: boolean;
  readonly atLeastMs: number;
  /** The client means to keep it when it is done. */
  readonly keeps: boolean;
  /** It passes it on to its own callers behind. */
  readonly passes: boolean;
}

export type Reason = 'stolen' | 'lost' | 'stops' | 'refused' | 'not free';
export type Cause = SessionEndCause<Reason>;
export type Failure = 'broke' | 'unreachable';

export type UpFrame = ClientFrame<Ask>;
export type DownFrame = NodeFrame<Cause>;
export type ClientEffect = ClientSessionEffect<Ask, Cause, Failure>;
export type NodeEffect = ServedSessionEffect<Ask, Reason>;
