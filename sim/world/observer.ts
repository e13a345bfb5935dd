/** How a run is watched from outside, to be shown or written down. An observer sees everything and changes nothing. */
import type { CallerId, Effect, Event, LockName, Message, NodeId, Token } from '../../src/core';
import type { Death, Fault, LostMachine } from '../plan/plan';

/** Effects are the core's own array: copy what is to be kept. */
export interface Observer {
  stepped(atUs: number, node: NodeId, event: Event, effects: readonly Effect[]): void;
  /** A message was sent, and when its copies are to arrive. */
  sent?(atUs: number, from: NodeId, to: NodeId, message: Message, arrivesAtUs: readonly number[]): void;
  /** A message, or a copy of it, did not arrive. */
  dropped?(atUs: number, from: NodeId, to: NodeId, message: Message, reason: DropReason): void;
  /** What no node was told. */
  noted?(atUs: number, note: Note): void;
}

export type Note =
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'starts'; readonly node: NodeId; readonly life: number; readonly ceilingOnDisk: number }
  | { readonly kind: 'dies'; readonly node: NodeId; readonly how: Death }
  /** It does not start: its ceiling file is corrupt. */
  | { readonly kind: 'refuses'; readonly node: NodeId }
  /** A write to the resource that a lock protects arrives. */
  | { readonly kind: 'write'; readonly node: NodeId; readonly caller: CallerId; readonly lock: LockName; readonly token: Token; readonly isAccepted: boolean }
  /** All faults end, but for what has become of these nodes. */
  | { readonly kind: 'healed'; readonly lostForEver: readonly LostMachine[] }
  /** Nobody asks any more. */
  | { readonly kind: 'drained' };

export type DropReason = 'lost' | 'link is cut' | 'node is down' | 'other file' | 'no connection';
