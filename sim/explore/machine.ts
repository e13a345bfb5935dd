/**
 * One node with all that is local to it: the production core, its callers, its disk, its clock; and what
 * may happen to it. Law: plain data, but for the core, so that a snapshot of it is the whole of it.
 */
import type { Contender, LamportTime, LocalInvariant, LockNode, Message, Mode, NodeId, Token } from '../../src/core';
import type { Check } from '../checks/check';
import { isInvariantError } from '../core';

export interface Peer {
  readonly index: number;
  /** 0 for a node that is down. */
  readonly life: number;
  /** What a handshake tells of it. */
  readonly clock: LamportTime;
  readonly silentForMs: number;
}

/** What may happen at one node. */
export type Action =
  | { readonly kind: 'deliver'; readonly from: NodeId; readonly message: Message }
  | { readonly kind: 'acquire'; readonly caller: number }
  /** A caller that is inside, or was told late that it is not any more, is done. */
  | { readonly kind: 'leave'; readonly caller: number }
  /** A caller that waits gives up. */
  | { readonly kind: 'cancel'; readonly caller: number }
  /** The timer that was asked for. It may come late: other things may happen first. */
  | { readonly kind: 'wake' }
  /** Time for a repeat passes at this node, and its timer comes. */
  | { readonly kind: 'repeat' }
  /** A step of the time in which leases end. Nobody is told; the clock just shows it. */
  | { readonly kind: 'pass' }
  | { readonly kind: 'crash' }
  /** Starts anew, and is connected to all that live. */
  | { readonly kind: 'restart'; readonly peers: readonly Peer[] }
  /** Takes a peer for down, for no reason. */
  | { readonly kind: 'suspect'; readonly peer: number }
  /** Finds out how things are with a peer. */
  | { readonly kind: 'notice'; readonly peer: Peer };

/** A request in the protocol, as its own node sees it. */
export interface OpenRequest extends Contender {
  readonly mode: Mode;
  readonly isWaiting: boolean;
}

/** What others see of an action. */
export interface Outcome {
  readonly sent: { readonly to: NodeId; readonly message: Message }[];
  readonly entries: { readonly mode: Mode; readonly token: Token }[];
}

/** Why a run is wrong. */
export interface Failure {
  readonly check: string;
  readonly detail: string;
}

/** A rule was broken that can be seen at one node. */
export class Broken extends Error {
  constructor(readonly check: Check | LocalInvariant, detail: string) {
    super(detail);
  }
}

/** `recalled`: the lock was taken from one in another process, which has not heard of it. */
type CallerState = 'away' | 'waiting' | 'inside' | 'recalled' | 'done';

export interface Caller {
  readonly mode: Mode;
  readonly steals: boolean;
  readonly remote: boolean;
  state: CallerState;
}

/** Someone uses the lock. It counts until its own clock says that it ran out, though its node may die before. */
export interface Hold {
  readonly caller: number;
  readonly mode: Mode;
  endsAtMs: number;
}

export interface Machine {
  /** Its place among the nodes. */
  readonly index: number;
  core: LockNode | null;
  life: number;
  readonly callers: Caller[];
  holds: Hold[];
  /** What it takes each node for: the life that it saw, or 0 for down. */
  readonly seenLife: number[];
  stepsPassed: number;
  repeats: number;
  wakeAtMs: number;
  ceilingOnDisk: LamportTime;
  /** That with the highest number it ever sent, in whatever life. */
  lastGrant: { readonly number: LamportTime; readonly to: NodeId; readonly timestamp: LamportTime };
}

/** An invariant that the core checks itself has a name too. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Broken) return { check: error.check, detail: error.message };
  if (isInvariantError(error)) return { check: error.invariant, detail: error.message };
  return { check: 'exception', detail: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
