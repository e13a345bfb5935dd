/**
 * What a node owes a client for which it holds a lock: one lock, from asking to its end, whether the lock has a stream of its
 * own (`Hold`) or shares one with others (`ServedSession`).
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
 *
 * In a session the client gives back by a word of its own (`released`: over at once, in each state), and may come back after
 * its stream broke (`returned`): then what waits keeps its place, and what is kept is held, or ended, as before.
 *
 * A lock of which the client was told, and which it asked to be held for some time at least (`atLeastMs`), comes to `done` where
 * it would be given back before, from each state: nobody uses it, and it is given back at that time. One that is taken is not.
 * Source: protocol.md section 15.
 */
import { assertNever } from './invariants';

/** How long a lock of a client is kept, and how far clocks may be apart. All in milliseconds. */
export interface ServedLockSettings {
  readonly leaseMs: number;
  /** What the clocks of client and node may drift apart in a lease (`marginMs`). */
  readonly marginMs: number;
}

/** What was heard last of a client, and when by the node's clock. All locks of a session have the same. */
export interface Heard {
  sentAtMs: number;
  atMs: number;
}

/** A lock that was granted while its client was away, so that it was told nothing of it, waits for it no longer than this share of a lease. */
const UNTOLD_SHARE = 0.25;

/** `nowMs` is the node's monotonic time; `sentAtMs` is the client's own, which is only ever echoed. */
export type ServedLockEvent<Reason> =
  /** Its request is good and stands in line. `pings`: it promised signs of life, so its silence means that it is gone. */
  | { readonly kind: 'asked'; readonly nowMs: number; readonly sentAtMs: number; readonly pings: boolean }
  /** The same in a session, which says when the client is silent. `heard` is its, and changes with each sign of life. */
  | { readonly kind: 'askedInSession'; readonly heard: Heard }
  /** A sign of life. */
  | { readonly kind: 'heard'; readonly nowMs: number; readonly sentAtMs: number }
  /** The node holds the lock for it. `atLeastMs`: and holds it on for so long once this was told, however soon the client is done or gone. */
  | { readonly kind: 'granted'; readonly nowMs: number; readonly atLeastMs?: number }
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
  /** The client says in so many words that it is done, or waits no longer. */
  | { readonly kind: 'released' }
  /** The way to the client broke. It goes by its own clock and may not know yet. `mayReturn`: another way may take the place of this. */
  | { readonly kind: 'broke'; readonly nowMs: number; readonly mayReturn?: boolean }
  /** The client is back, and means to go on with this lock. */
  | { readonly kind: 'returned' }
  /** The client sent nothing for a lease and the margin. */
  | { readonly kind: 'silent' }
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
  /** Nobody uses it any more, and it is held on until then (`atLeastMs`). */
  | { readonly kind: 'keepOn'; readonly untilMs: number }
  | { readonly kind: 'endStream' }
  /** Nothing more comes of it. */
  | { readonly kind: 'over' }
  /** Send `wake` at `atMs`. Replaces any earlier wish. */
  | { readonly kind: 'wake'; readonly atMs: number };

/**
 * How the client is heard: it `pings` over the stream of this lock, so its silence is missed; or it does not (`plain`), and
 * counts from when it hears the node; or its `session` knows.
 */
type Hearing = 'pings' | 'plain' | 'session';

type State<Reason> =
  | { readonly kind: 'new' }
  /** `awaySinceMs`: since when there is no way to the client; null while there is one. */
  | { readonly kind: 'waiting'; readonly awaySinceMs: number | null }
  /** `toldUntilMs`: until when, in the node's time, the client may think that it holds the lock; null before it was told anything. */
  | { readonly kind: 'held'; readonly toldUntilMs: number | null }
  /** The client is told that its lock has ended, and has not given it back yet. */
  | { readonly kind: 'ended'; readonly keepUntilMs: number; readonly reason: Reason }
  /** It seems that the client closed its side. */
  | { readonly kind: 'closing'; readonly keepUntilMs: number }
  /** The way to the client broke, and it may not know yet. `taken`: the lock was lost, stolen or recalled, which it has not been told. */
  | { readonly kind: 'kept'; readonly keepUntilMs: number; readonly toldUntilMs: number | null; readonly taken: { readonly reason: Reason } | null }
  /** The client is done or gone, and the lock is held on as it asked. */
  | { readonly kind: 'done'; readonly keepUntilMs: number }
  | { readonly kind: 'over' };

type Effects<Reason> = readonly ServedLockEffect<Reason>[];

const NOTHING: readonly never[] = [];
const OVER_ALONE = [{ kind: 'over' }] as const;
const OVER_AND_GIVE_UP = [{ kind: 'over' }, { kind: 'giveUp' }] as const;
const OVER_AND_GIVE_BACK = [{ kind: 'over' }, { kind: 'giveBack' }] as const;
/** Before it asked. */
const NEVER: Heard = { sentAtMs: 0, atMs: 0 };

const NEW = { kind: 'new' } as const;
const OVER = { kind: 'over' } as const;
const WAITING = { kind: 'waiting', awaySinceMs: null } as const;
const UNTOLD = { kind: 'held', toldUntilMs: null } as const;

export class ServedLock<Reason> {
  private state: State<Reason> = NEW;
  private heard: Heard = NEVER;
  private hearing: Hearing = 'plain';
  private atLeastMs = 0;
  /** Until when the lock is held on when the client is done before; null when it is not. */
  private atLeastUntilMs: number | null = null;

  constructor(private readonly settings: ServedLockSettings) {}

  get kind(): State<Reason>['kind'] {
    return this.state.kind;
  }

  /** Whether nobody else may have the lock: the client may still use it, or it is held on. */
  get isInUse(): boolean {
    const { kind } = this.state;
    return kind === 'held' || kind === 'ended' || kind === 'closing' || kind === 'kept' || kind === 'done';
  }

  /** Until when, in the node's time, the client may think that it holds the lock; null when it was told nothing, or of its end. */
  get toldUntilMs(): number | null {
    return this.state.kind === 'held' ? this.state.toldUntilMs : null;
  }

  /** Handle one event. The effects are to be performed in order. */
  step(event: ServedLockEvent<Reason>): Effects<Reason> {
    switch (event.kind) {
      case 'asked':
        return this.onAsked({ sentAtMs: event.sentAtMs, atMs: event.nowMs }, event.pings ? 'pings' : 'plain');
      case 'askedInSession':
        return this.onAsked(event.heard, 'session');
      case 'heard':
        if (this.state.kind !== 'waiting' && this.state.kind !== 'held') return NOTHING;
        this.heard = { sentAtMs: event.sentAtMs, atMs: event.nowMs };
        return this.watchSilence();
      case 'granted':
        return this.onGranted(event.nowMs, event.atLeastMs ?? 0);
      case 'valid':
        return this.promise(event.nowMs, event.validForMs);
      case 'unread':
        return this.onUnread(event.nowMs);
      case 'taken':
        this.atLeastUntilMs = null; // The node does not hold it any more, or another is to have it.
        return this.state.kind === 'done' ? this.letGo() : this.onTaken(event.nowMs, event.reason);
      case 'refused':
        return this.end({ kind: 'reason', reason: event.reason });
      case 'stops':
        // What is held on for nobody ends with its lease.
        if (this.isInUse) return this.onTaken(event.nowMs, event.reason);
        return this.end({ kind: 'reason', reason: event.reason });
      case 'closed':
        return this.onClosed(event.nowMs);
      case 'releaseTold':
        return this.state.kind === 'closing' ? this.letGo() : NOTHING;
      case 'released':
        return this.state.kind === 'over' || this.state.kind === 'done' ? NOTHING : this.letGo();
      case 'broke':
        return this.onBroke(event.nowMs, event.mayReturn === true);
      case 'returned':
        return this.onReturned();
      case 'silent':
        return this.state.kind === 'waiting' || this.state.kind === 'held' ? this.end({ kind: 'silent' }) : NOTHING;
      case 'wake':
        return this.onWake(event.nowMs);
      default:
        return assertNever(event);
    }
  }

  private onAsked(heard: Heard, hearing: Hearing): Effects<Reason> {
    if (this.state.kind !== 'new') return NOTHING;
    this.state = WAITING;
    this.heard = heard;
    this.hearing = hearing;
    return this.watchSilence();
  }

  private watchSilence(): Effects<Reason> {
    return this.hearing === 'pings' ? [{ kind: 'wake', atMs: this.goneAtMs() }] : NOTHING;
  }

  /** Whatever it was told was counted from what it sent: after a lease of silence all of it has run out. */
  private goneAtMs(): number {
    return this.heard.atMs + this.settings.leaseMs + this.settings.marginMs;
  }

  private onGranted(nowMs: number, atLeastMs: number): Effects<Reason> {
    const { state } = this;
    if (state.kind !== 'waiting') return [{ kind: 'giveBack' }];
    this.state = UNTOLD;
    this.atLeastMs = atLeastMs;
    // Others wait for it, and it may never come back: it has a moment.
    return state.awaySinceMs === null ? NOTHING : this.keep(state.awaySinceMs + UNTOLD_SHARE * this.settings.leaseMs, nowMs, null);
  }

  /**
   * What the client is told, remembered. One that pings counts from when it sent what was heard last; another
   * from when it hears this, less the time that this took.
   */
  private promise(nowMs: number, validForMs: number): Effects<Reason> {
    const { state } = this;
    if (state.kind !== 'held') return NOTHING;
    const { toldUntilMs } = state;
    // Of a lock of which it never heard the client has not used anything.
    if (toldUntilMs === null && this.atLeastMs > 0) this.atLeastUntilMs = nowMs + this.atLeastMs;
    const untilMs = (this.hearing === 'plain' ? nowMs : this.heard.atMs) + validForMs;
    if (toldUntilMs === null || untilMs > toldUntilMs) this.state = { kind: 'held', toldUntilMs: untilMs };
    return [{ kind: toldUntilMs === null ? 'tellHeld' : 'tellValid', validForMs, sentAtMs: this.heard.sentAtMs }];
  }

  private onUnread(nowMs: number): Effects<Reason> {
    const { state } = this;
    return state.kind === 'held' && nowMs > this.keepUntilMs(state.toldUntilMs, nowMs) ? this.end({ kind: 'reads-nothing' }) : NOTHING;
  }

  /** The client is to give its lock back. It may not hear of it, or not do it: then it has as long as it was told. */
  private onTaken(nowMs: number, reason: Reason): Effects<Reason> {
    const { state } = this;
    if (state.kind === 'kept' && state.taken === null) {
      if (state.toldUntilMs === null) return this.letGo();
      this.state = { ...state, taken: { reason } };
    }
    if (state.kind !== 'held') return NOTHING;
    const keepUntilMs = this.keepUntilMs(state.toldUntilMs, nowMs);
    this.state = { kind: 'ended', keepUntilMs, reason };
    return this.tellTaken(keepUntilMs, reason);
  }

  private tellTaken(keepUntilMs: number, reason: Reason): Effects<Reason> {
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
      case 'done':
      case 'over': // It was ended from here.
        return NOTHING;
      default:
        return assertNever(state);
    }
  }

  private onBroke(nowMs: number, mayReturn: boolean): Effects<Reason> {
    const { state } = this;
    switch (state.kind) {
      case 'held':
        if (state.toldUntilMs !== null || !mayReturn) return this.keep(this.keepUntilMs(state.toldUntilMs, nowMs), nowMs, state.toldUntilMs);
        return this.keep(nowMs + UNTOLD_SHARE * this.settings.leaseMs, nowMs, null);
      case 'ended':
        return this.keep(state.keepUntilMs, nowMs, state.keepUntilMs, { reason: state.reason });
      case 'closing':
        return this.keep(state.keepUntilMs, nowMs, state.keepUntilMs);
      case 'waiting':
        if (!mayReturn) return this.letGo();
        this.state = { kind: 'waiting', awaySinceMs: nowMs };
        return [{ kind: 'wake', atMs: this.goneAtMs() }];
      case 'new':
        return this.letGo();
      case 'kept':
      case 'done':
      case 'over':
        return NOTHING;
      default:
        return assertNever(state);
    }
  }

  /** There is no way to the client. */
  private keep(keepUntilMs: number, nowMs: number, toldUntilMs: number | null, taken: { readonly reason: Reason } | null = null): Effects<Reason> {
    this.state = { kind: 'kept', keepUntilMs, toldUntilMs, taken };
    // Nothing was told that has not run out, and nobody waits for it any longer.
    if (toldUntilMs === null && keepUntilMs < nowMs) return this.letGo();
    return [{ kind: 'wake', atMs: keepUntilMs }];
  }

  /** What was said before it went away may not have reached it. */
  private onReturned(): Effects<Reason> {
    const { state } = this;
    switch (state.kind) {
      case 'waiting':
        this.state = WAITING;
        return NOTHING;
      case 'ended':
        return this.tellTaken(state.keepUntilMs, state.reason);
      case 'kept': {
        const { keepUntilMs, toldUntilMs, taken } = state;
        this.state = taken === null ? { kind: 'held', toldUntilMs } : { kind: 'ended', keepUntilMs, reason: taken.reason };
        return taken === null ? NOTHING : this.tellTaken(keepUntilMs, taken.reason);
      }
      case 'new':
      case 'held':
      case 'closing':
      case 'done':
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
        const isAway = state.kind === 'waiting' && state.awaySinceMs !== null;
        if (this.hearing !== 'pings' && !isAway) return NOTHING;
        return nowMs < this.goneAtMs() ? [{ kind: 'wake', atMs: this.goneAtMs() }] : this.end({ kind: 'silent' });
      }
      case 'ended':
      case 'closing':
      case 'kept':
        if (nowMs < state.keepUntilMs) return [{ kind: 'wake', atMs: state.keepUntilMs }];
        return state.kind === 'kept' ? this.letGo() : [...this.letGo(), { kind: 'endStream' }];
      case 'done':
        return nowMs < state.keepUntilMs ? [{ kind: 'wake', atMs: state.keepUntilMs }] : this.letGo();
      case 'new':
      case 'over':
        return NOTHING;
      default:
        return assertNever(state);
    }
  }

  /** The lock was not granted, or nobody is there to use it. */
  private end(cause: EndCause<Reason>): Effects<Reason> {
    if (this.state.kind === 'over' || this.state.kind === 'done') return NOTHING;
    const isAwaited = this.state.kind === 'new' || this.state.kind === 'waiting' || this.state.kind === 'held';
    return [...this.letGo(), ...(isAwaited ? [{ kind: 'tellEnded', cause } as const] : []), { kind: 'endStream' }];
  }

  private letGo(): Effects<Reason> {
    const { kind } = this.state;
    this.state = OVER;
    switch (kind) {
      case 'new':
      case 'over':
        return OVER_ALONE;
      case 'waiting':
        return OVER_AND_GIVE_UP;
      case 'held':
      case 'ended':
      case 'closing':
      case 'kept':
        return this.keepOn();
      case 'done':
        return OVER_AND_GIVE_BACK;
      default:
        return assertNever(kind);
    }
  }

  /** The client does not use it any more. */
  private keepOn(): Effects<Reason> {
    const keepUntilMs = this.atLeastUntilMs;
    if (keepUntilMs === null) return OVER_AND_GIVE_BACK;
    this.state = { kind: 'done', keepUntilMs };
    return [{ kind: 'keepOn', untilMs: keepUntilMs }, { kind: 'wake', atMs: keepUntilMs }];
  }
}
