/**
 * A run as the page shows it: plain data, in the order in which things happened. Nodes and locks are
 * named by their place in the lists; Lamport times count from the first of the run and a node's own
 * times from the start of its life, so that the numbers stay short. Of the nodes' state only what an
 * event changed is kept.
 */
import type { CallerId, EffectKind, Event, LockView, Message, Mode, RequesterView } from '../../src/core';

export interface Recording {
  readonly title: string;
  /** What else is worth knowing of the run, a line each: its settings, the command that repeats it. */
  readonly subtitle: readonly string[];
  readonly nodes: readonly string[];
  readonly locks: readonly string[];
  readonly leaseMs: number;
  /** `true`: one clock for all nodes, the simulator's. `wall`: each node's own, which may be apart. */
  readonly time: 'true' | 'wall';
  /** What to say when there is no violation. */
  readonly allWell: string;
  readonly rows: readonly Row[];
  readonly messages: readonly RecordedMessage[];
  readonly holds: readonly RecordedHold[];
  readonly faults: readonly RecordedFault[];
  readonly violation: RecordedViolation | null;
}

export type Row = StepRow | NoteRow | WriteRow;

/** One event into the core of one node, and what came of it. */
export interface StepRow {
  readonly kind: 'step';
  readonly atUs: number;
  readonly node: number;
  /** The node's own time. */
  readonly nowMs: number;
  /** The node's Lamport clock afterwards. */
  readonly clock: number;
  readonly event: RecordedEvent;
  readonly effects: readonly RecordedEffect[];
  /** Present only if something changed. */
  readonly changes?: readonly StateChange[];
}

/** What no node was told. */
export interface NoteRow {
  readonly kind: 'note';
  readonly atUs: number;
  /** The node that it is about, or null. */
  readonly node: number | null;
  readonly about: 'fault' | 'death' | 'phase';
  readonly text: string;
}

/** A write to the resource that a lock protects arrives there. */
export interface WriteRow {
  readonly kind: 'write';
  readonly atUs: number;
  /** Of the one who writes. */
  readonly node: number;
  readonly lock: number;
  readonly caller: CallerId;
  readonly token: number;
  /** The token is at least as large as any that the resource has seen. */
  readonly isAccepted: boolean;
}

export interface RecordedEvent {
  readonly kind: Event['kind'];
  readonly lock?: number;
  readonly mode?: Mode;
  readonly caller?: CallerId;
  readonly steals?: boolean;
  readonly remote?: boolean;
  /** In `messages`. */
  readonly message?: number;
  readonly peer?: number;
  readonly clock?: number;
  readonly silentForMs?: number;
  readonly ceiling?: number;
  readonly byMs?: number;
  /** Of `silence`: absent when it lasts until further notice. */
  readonly untilMs?: number;
  /** Of `start`: whether the node has run before. */
  readonly life?: number;
}

export interface RecordedEffect {
  readonly kind: EffectKind;
  /** Of `send`: in `messages`. */
  readonly message?: number;
  /** Of `ignored`. */
  readonly reason?: string;
  readonly lock?: number;
  readonly caller?: CallerId;
  readonly callers?: readonly CallerId[];
  readonly mode?: Mode;
  readonly token?: number;
  readonly validUntilMs?: number;
  readonly atMs?: number;
  readonly ceiling?: number;
  readonly thief?: { readonly node: string };
}

/** What a node knows of a lock, part by part. */
export interface StateParts {
  readonly grants: LockView['grants'];
  readonly queue: LockView['queue'];
  readonly requester: RequesterView | null;
}

/** The parts that are new. */
export interface StateChange extends Partial<StateParts> {
  readonly lock: number;
}

export interface RecordedMessage {
  readonly from: number;
  readonly to: number;
  readonly lock: number;
  /** Row of the step that sent it; -1 when that is not recorded. */
  readonly sentAt: number;
  /** Rows of the steps that received it: none, one, or more for copies. */
  readonly receivedAt: readonly number[];
  /** Why a copy of it did not arrive. */
  readonly dropped?: readonly string[];
  readonly message: Message;
}

/** Someone is inside a lock. */
export interface RecordedHold {
  readonly node: number;
  readonly lock: number;
  readonly caller: CallerId;
  readonly mode: Mode;
  readonly token: number;
  readonly from: number;
  /** The row at which it ended; null when it had not. */
  readonly to: number | null;
  /** Why it ended. `outlived`: its node died first, and its lease ended later. */
  readonly end: 'released' | 'lost' | 'outlived' | null;
  /** The row at which its node died while someone was inside. */
  readonly diedAt?: number;
}

/** A fault that lasts. */
export interface RecordedFault {
  readonly kind: 'down' | 'cut' | 'clog' | 'pause' | 'sleep' | 'full' | 'slow' | 'suspect';
  readonly text: string;
  /** The nodes whose lines it marks. */
  readonly nodes: readonly number[];
  readonly from: number;
  /** The first row after it; null when it lasts to the end. */
  readonly to: number | null;
}

export interface RecordedViolation {
  readonly check: string;
  readonly detail: string;
  /** What the check demands, in a sentence or two. */
  readonly explanation: string;
  readonly row: number;
  /** Whom it concerns, in `holds`: those that clash. */
  readonly holds: readonly number[];
}
