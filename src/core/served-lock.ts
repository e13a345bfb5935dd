/**
 * What a node owes a client for which it holds a lock: one lock, from asking to its end.
 * Law: the lock is not given back while the client may still count on it by its own clock, unless the client itself said that
 * it is done; and in the end it always is. Pure: events in, effects out, time is an argument. It knows no stream and no gRPC.
 *
 * ```
 *           granted            taken, stops            wake: what it was told has run out
 *  waiting ─────────▶ held ───────────────▶ ended ──────────────────────────────────────▶ over
 *     │                │ │                   │  │ closed                                    ▲ ▲
 *     │ closed, broke, │ │ closed            │  └──────▶ closing ── told so, or wake ───────┘ │
 *     │ refused, stops │ └─────────────────────────────▶    │                                 │
 *     ▼                │ broke               │ broke        │ broke                           │
 *    over              └─────────────────────┴──────────────┴──────▶ kept ──── wake ──────────┘
 * ```
 * Source: protocol.md section 15.
 */
import { assertNever } from './invariants';

/** How long a lock of a client is kept, and how far clocks may be apart. All in milliseconds. */
export interface ServedLockSettings {
  readonly leaseMs: number;
  /** What the clocks of client and node may drift apart in a lease (`marginMs`). */
  readonly marginMs: number;
}

/** `nowMs` is the node's monotonic time; `sentAtMs` is the client's own, which is only ever echoed. */
export type ServedLockEvent<Reason> =
  /** Its request is good and stands in line. `pings`: it promised signs of life, so its silence means that it is gone. */
  | { readonly kind: 'asked'; readonly nowMs: number; readonly sentAtMs: number; readonly pings: boolean }
  /** A sign of life. */
  | { readonly kind: 'heard'; readonly nowMs: number; readonly sentAtMs: number }
  /** The node holds the lock for it. */
  | { readonly kind: 'granted' }
  /** The lock is valid for so long from now on, and this can be told. */
  | { readonly kind: 'valid'; readonly nowMs: number; readonly validForMs: number }
  /** It is valid for longer, but the client reads nothing of what it is told. */
  | { readonly kind: 'unread'; readonly nowMs: number }
  /** The lock was lost, stolen or recalled. */
  | { readonly kind: 'taken'; readonly nowMs: number; readonly reason: Reason }
  /** The lock will not be had. */
  | { readonly kind: 'refused'; readonly reason: Reason }
  /** The node is about to stop. */
  | { readonly kind: 'stops'; readonly nowMs: number; readonly reason: Reason }
  /** The client says that it is done, or waits no longer. */
  | { readonly kind: 'closed'; readonly nowMs: number }
  /** What `tellReleased` said has left: the way to the client was not broken when it closed. */
  | { readonly kind: 'releaseTold' }
  /** The way to the client broke. It goes by its own clock and may not know yet. */
  | { readonly kind: 'broke'; readonly nowMs: number }
  /** The time that `wake` asked for has come. Early or superfluous ones do no harm. */
  | { readonly kind: 'wake'; readonly nowMs: number };

/** Why a lock ended for its client. */
export type EndCause<Reason> =
  | { readonly kind: 'reason'; readonly reason: Reason }
  /** It sent nothing for a whole lease. */
  | { readonly kind: 'silent' }
  /** It read nothing of what it was told. */
  | { readonly kind: 'reads-nothing' };

export type ServedLockEffect<Reason> =
  | { readonly kind: 'tellHeld'; readonly validForMs: number; readonly sentAtMs: number }
  | { readonly kind: 'tellValid'; readonly validForMs: number; readonly sentAtMs: number }
  | { readonly kind: 'tellEnded'; readonly cause: EndCause<Reason> }
  /** Then answer `releaseTold`, unless the way to the client is found broken; and end the stream. */
  | { readonly kind: 'tellReleased' }
  /** Ask for the lock no longer. */
  | { readonly kind: 'giveUp' }
  | { readonly kind: 'giveBack' }
  | { readonly kind: 'endStream' }
  /** Nothing more comes of it. */
  | { readonly kind: 'over' }
  /** Send `wake` at `atMs`. Replaces any earlier wish. */
  | { readonly kind: 'wake'; readonly atMs: number };

/** What was heard last, and when. Only a client that pings is missed when it is silent. */
interface Heard {
  readonly sentAtMs: number;
  readonly atMs: number;
  readonly pings: boolean;
}

type State =
  | { readonly kind: 'new' }
  | { readonly kind: 'waiting'; readonly heard: Heard }
  /** `toldUntilMs`: until when, in the node's time, the client may think that it holds the lock; null before it was told anything. */
  | { readonly kind: 'held'; readonly heard: Heard; readonly toldUntilMs: number | null }
  /** The client was told that its lock has ended, and has not given it back yet. */
  | { readonly kind: 'ended'; readonly keepUntilMs: number }
  /** It seems that the client closed its side. */
  | { readonly kind: 'closing'; readonly keepUntilMs: number }
  /** The way to the client broke, and it may not know yet. */
  | { readonly kind: 'kept'; readonly keepUntilMs: number }
  | { readonly kind: 'over' };

type Effects<Reason> = readonly ServedLockEffect<Reason>[];

const NOTHING: readonly never[] = [];

export class ServedLock<Reason> {
  private state: State = { kind: 'new' };

  constructor(private readonly settings: ServedLockSettings) {}

  get kind(): State['kind'] {
    return this.state.kind;
  }

  /** Whether the client may still use the lock: then nobody else may have it. */
  get isInUse(): boolean {
    const { kind } = this.state;
    return kind === 'held' || kind === 'ended' || kind === 'closing' || kind === 'kept';
  }

  /** Handle one event. The effects are to be performed in order. */
  step(event: ServedLockEvent<Reason>): Effects<Reason> {
    switch (event.kind) {
      case 'asked':
        if (this.state.kind !== 'new') return NOTHING;
        return this.hear({ kind: 'waiting', heard: { sentAtMs: event.sentAtMs, atMs: event.nowMs, pings: event.pings } });
      case 'heard':
        return this.onHeard(event.nowMs, event.sentAtMs);
      case 'granted':
        if (this.state.kind !== 'waiting') return [{ kind: 'giveBack' }];
        this.state = { kind: 'held', heard: this.state.heard, toldUntilMs: null };
        return NOTHING;
      case 'valid':
        return this.promise(event.nowMs, event.validForMs);
      case 'unread':
        return this.onUnread(event.nowMs);
      case 'taken':
        return this.state.kind === 'held' ? this.recall(event.nowMs, event.reason) : NOTHING;
      case 'refused':
        return this.end({ kind: 'reason', reason: event.reason });
      case 'stops':
        if (this.state.kind === 'held') return this.recall(event.nowMs, event.reason);
        return this.state.kind === 'new' || this.state.kind === 'waiting' ? this.end({ kind: 'reason', reason: event.reason }) : NOTHING;
      case 'closed':
        return this.onClosed(event.nowMs);
      case 'releaseTold':
        return this.state.kind === 'closing' ? this.letGo() : NOTHING;
      case 'broke':
        return this.onBroke(event.nowMs);
      case 'wake':
        return this.onWake(event.nowMs);
      default:
        return assertNever(event);
    }
  }

  private onHeard(nowMs: number, sentAtMs: number): Effects<Reason> {
    const { state } = this;
    if (state.kind !== 'waiting' && state.kind !== 'held') return NOTHING;
    return this.hear({ ...state, heard: { ...state.heard, sentAtMs, atMs: nowMs } });
  }

  private hear(state: Extract<State, { readonly heard: Heard }>): Effects<Reason> {
    this.state = state;
    return state.heard.pings ? [{ kind: 'wake', atMs: this.goneAtMs(state.heard) }] : NOTHING;
  }

  /** Whatever it was told was counted from what it sent: after a lease of silence all of it has run out. */
  private goneAtMs({ atMs }: Heard): number {
    return atMs + this.settings.leaseMs + this.settings.marginMs;
  }

  /**
   * What the client is told, remembered. One that pings counts from when it sent what was heard last; another
   * from when it hears this, less the time that this took.
   */
  private promise(nowMs: number, validForMs: number): Effects<Reason> {
    const { state } = this;
    if (state.kind !== 'held') return NOTHING;
    const { heard, toldUntilMs } = state;
    const untilMs = (heard.pings ? heard.atMs : nowMs) + validForMs;
    this.state = { kind: 'held', heard, toldUntilMs: Math.max(toldUntilMs ?? 0, untilMs) };
    return [{ kind: toldUntilMs === null ? 'tellHeld' : 'tellValid', validForMs, sentAtMs: heard.sentAtMs }];
  }

  private onUnread(nowMs: number): Effects<Reason> {
    const { state } = this;
    return state.kind === 'held' && nowMs > this.keepUntilMs(state.toldUntilMs, nowMs) ? this.end({ kind: 'reads-nothing' }) : NOTHING;
  }

  /** The client is to give its lock back. It may not hear of it, or not do it: then it has as long as it was told. */
  private recall(nowMs: number, reason: Reason): Effects<Reason> {
    if (this.state.kind !== 'held') return NOTHING;
    const keepUntilMs = this.keepUntilMs(this.state.toldUntilMs, nowMs);
    this.state = { kind: 'ended', keepUntilMs };
    return [{ kind: 'tellEnded', cause: { kind: 'reason', reason } }, { kind: 'wake', atMs: keepUntilMs }];
  }

  /** When the client counts on its lock no more, whatever it knows. */
  private keepUntilMs(toldUntilMs: number | null, nowMs: number): number {
    return toldUntilMs === null ? nowMs : toldUntilMs + this.settings.marginMs;
  }

  /**
   * The client closed its side: it is done, or waits no longer. But a stream that breaks says the same a moment before it
   * says so; one on which something can still be written did not break. The answer may never leave: a client need not read.
   */
  private onClosed(nowMs: number): Effects<Reason> {
    const { state } = this;
    switch (state.kind) {
      case 'held':
      case 'ended': {
        const keepUntilMs = state.kind === 'ended' ? state.keepUntilMs : this.keepUntilMs(state.toldUntilMs, nowMs);
        this.state = { kind: 'closing', keepUntilMs };
        return [{ kind: 'wake', atMs: keepUntilMs }, { kind: 'tellReleased' }];
      }
      case 'new':
      case 'waiting':
        return [...this.letGo(), { kind: 'tellReleased' }];
      case 'closing':
      case 'kept': // It broke before: the client may not know yet.
      case 'over': // It was ended from here.
        return NOTHING;
      default:
        return assertNever(state);
    }
  }

  private onBroke(nowMs: number): Effects<Reason> {
    const { state } = this;
    switch (state.kind) {
      case 'held':
      case 'ended':
      case 'closing': {
        const keepUntilMs = state.kind === 'held' ? this.keepUntilMs(state.toldUntilMs, nowMs) : state.keepUntilMs;
        this.state = { kind: 'kept', keepUntilMs };
        return [{ kind: 'wake', atMs: keepUntilMs }];
      }
      case 'new':
      case 'waiting':
        return this.letGo();
      case 'kept':
      case 'over':
        return NOTHING;
      default:
        return assertNever(state);
    }
  }

  private onWake(nowMs: number): Effects<Reason> {
    const { state } = this;
    switch (state.kind) {
      case 'waiting':
      case 'held': {
        const goneAtMs = this.goneAtMs(state.heard);
        if (!state.heard.pings) return NOTHING;
        return nowMs < goneAtMs ? [{ kind: 'wake', atMs: goneAtMs }] : this.end({ kind: 'silent' });
      }
      case 'ended':
      case 'closing':
      case 'kept':
        if (nowMs < state.keepUntilMs) return [{ kind: 'wake', atMs: state.keepUntilMs }];
        return state.kind === 'kept' ? this.letGo() : [...this.letGo(), { kind: 'endStream' }];
      case 'new':
      case 'over':
        return NOTHING;
      default:
        return assertNever(state);
    }
  }

  /** The lock was not granted, or nobody is there to use it. */
  private end(cause: EndCause<Reason>): Effects<Reason> {
    if (this.state.kind === 'over') return NOTHING;
    const isAwaited = this.state.kind === 'new' || this.state.kind === 'waiting' || this.state.kind === 'held';
    return [...this.letGo(), ...(isAwaited ? [{ kind: 'tellEnded', cause } as const] : []), { kind: 'endStream' }];
  }

  private letGo(): Effects<Reason> {
    const { kind } = this.state;
    this.state = { kind: 'over' };
    switch (kind) {
      case 'new':
      case 'over':
        return [{ kind: 'over' }];
      case 'waiting':
        return [{ kind: 'over' }, { kind: 'giveUp' }];
      case 'held':
      case 'ended':
      case 'closing':
      case 'kept':
        return [{ kind: 'over' }, { kind: 'giveBack' }];
      default:
        return assertNever(kind);
    }
  }
}
