/**
 * What a node owes a client that has one stream for all its locks. Each lock is a `ServedLock`, which decides alone when it is
 * given back; here is what they have in common: the stream, the signs of life, and what is still to be told.
 * Law: a lock is told as valid only for as long as its `ServedLock` remembers to have told; a word for all locks is the least over
 * all that the client may take it for; nothing that comes over an older stream changes anything. What waits to be told takes a
 * fixed room for each lock, however little the client reads. Pure: events in, effects out, time is an argument.
 * Source: protocol.md section 15.
 */
import { Deadlines } from './deadlines';
import { assertNever } from './invariants';
import type { Token } from './messages';
import { ServedLock } from './served-lock';
import type { Heard, ServedLockEffect, ServedLockEvent, ServedLockSettings } from './served-lock';
import type { ClientFrame, NodeFrame, AskId, SessionEndCause, SessionHeld, SessionWelcome } from './session-frames';

/** So many events are in a frame at most; the next follows in another turn. */
const EVENTS_PER_FRAME_MAX = 256;

/** All locks are looked at for a word about all of them so often in each lease at most, however many frames the client sends. */
const WORDS_PER_LEASE_MAX = 8;

/** A lock of which the client was told that it is valid for less than this share of a lease is told of by a word of its own. */
const LOW_SHARE = 1 / 3;

/** But not for a gain of less than this share. */
const GAIN_SHARE = 0.1;

/** A request is said to wait when it was not granted within this: most are granted before. */
const QUEUED_AFTER_MS = 10;

/** `nowMs` is the node's monotonic time. */
export type ServedSessionEvent<Ask, Reason> =
  /** A stream begins, of a client that has shown that the session is its own. */
  | { readonly kind: 'opened'; readonly nowMs: number; readonly stream: number; readonly keep: readonly AskId[] }
  /** The rest of each frame, or a part of it. */
  | { readonly kind: 'frame'; readonly nowMs: number; readonly stream: number; readonly frame: Omit<ClientFrame<Ask>, 'hello'> }
  /** The stream is over, whoever ended it: a client that is done says so first. */
  | { readonly kind: 'broke'; readonly nowMs: number; readonly stream: number }
  /**
   * The node holds the lock, for so long from now on if it cannot be renewed. `atLeastMs`: it is held on for so long once this was told,
   * however soon the client is done or gone.
   */
  | { readonly kind: 'granted'; readonly nowMs: number; readonly id: AskId; readonly token: Token; readonly validForMs: number; readonly atLeastMs?: number; readonly room?: ServedRoom }
  /** Others want the lock, which the client keeps, or want to know whether it uses it. */
  | { readonly kind: 'wanted'; readonly nowMs: number; readonly id: AskId }
  /** The lock is valid for so long from now on. */
  | { readonly kind: 'renewed'; readonly nowMs: number; readonly id: AskId; readonly validForMs: number }
  /** The lock was lost, stolen or recalled. */
  | { readonly kind: 'taken'; readonly nowMs: number; readonly id: AskId; readonly reason: Reason }
  /** The lock will not be had. */
  | { readonly kind: 'refused'; readonly nowMs: number; readonly id: AskId; readonly reason: Reason }
  /** The node is about to stop. */
  | { readonly kind: 'stops'; readonly nowMs: number; readonly reason: Reason }
  /** A frame can be written. `validForMs`: for how long a lock that the node holds is valid from `nowMs` on, in whole milliseconds; 0 for one that is not. */
  | { readonly kind: 'flush'; readonly nowMs: number; readonly validForMs: (id: AskId) => number }
  /** The time of `wakeAtMs` has come. Early or superfluous ones do no harm. */
  | { readonly kind: 'wake'; readonly nowMs: number };

export type ServedSessionEffect<Ask, Reason> =
  /** Ask for this lock; answer `granted` or `refused`. */
  | { readonly kind: 'ask'; readonly id: AskId; readonly ask: Ask }
  /** Ask for it no longer. */
  | { readonly kind: 'giveUp'; readonly id: AskId }
  /** `used`: the highest token that the client may have taken. */
  | { readonly kind: 'giveBack'; readonly id: AskId; readonly used: Token }
  /** The client uses the lock that it keeps, and keeps it no further; or it cannot be asked. */
  | { readonly kind: 'inUse'; readonly id: AskId }
  /** Nobody uses it any more, and it is held on until then (`atLeastMs`). */
  | { readonly kind: 'keepOn'; readonly id: AskId; readonly untilMs: number }
  | { readonly kind: 'send'; readonly stream: number; readonly frame: NodeFrame<SessionEndCause<Reason>> }
  /** Nothing that comes over this stream counts any more. */
  | { readonly kind: 'dropStream'; readonly stream: number; readonly why: 'replaced' | 'silent' | 'older' };

type Effects<Ask, Reason> = readonly ServedSessionEffect<Ask, Reason>[];

const NOTHING: readonly never[] = [];

/** What the client may do by itself when it is done with a lock: take tokens up to `until`. */
export interface ServedRoom {
  readonly until: Token;
  /** To let these in, one after the other; null: to keep the lock, and enter again. */
  readonly passTo: readonly AskId[] | null;
}

/** One lock of the session. */
class Entry<Reason> {
  deadlineMs = Infinity;
  heapIndex = -1;
  token: Token = 0;
  /** What the client has to be told of it. */
  say: 'nothing' | 'queued' | 'held' | 'valid' | 'ended' = 'nothing';
  cause: SessionEndCause<Reason> | null = null;
  /** The client may have been told that it holds the lock. */
  isTold = false;
  /** It is held on for nobody. */
  isKeptOn = false;
  /** Up to which the client may take tokens by itself, and may have; null: it may not. */
  roomUntil: Token | null = null;
  /** To which it may pass the lock on, as far as they still wait when it is told; null: it may keep it. */
  passTo: readonly AskId[] | null = null;
  /** The highest that it took, by its own word. */
  spent: Token | null = null;
  /** Until when the lock was valid by its grant. */
  grantedUntilMs = 0;
  /** It was taken before the client was told of its grant, which comes first: until then is it promised. */
  heldBeforeUntilMs = 0;

  constructor(
    readonly id: AskId,
    readonly lock: ServedLock<Reason>,
  ) {}
}

export class ServedSession<Ask, Reason> {
  private readonly entries = new Map<AskId, Entry<Reason>>();
  private readonly heard: Heard = { sentAtMs: -Infinity, atMs: -Infinity };
  private stream = 0;
  private isAway = true;
  /** The newest request that arrived. */
  private newest: AskId = 0;
  /** Locks that are kept, or whose place is, for so long. */
  private readonly deadlines = new Deadlines<Entry<Reason>>();
  /** The first that still has to be said to wait; when. */
  private readonly unqueued: { readonly entry: Entry<Reason>; readonly atMs: number }[] = [];
  /** Those with something to say, in the order in which it happened. */
  private readonly saying = new Set<Entry<Reason>>();
  /** Requests that the client goes on with, and of which the node knows nothing any more. */
  private unknown: AskId[] = [];
  /** Locks that are kept by the client, and of which it is still to hear that others want them. */
  private calledIn: AskId[] = [];
  private welcome: SessionWelcome | null = null;
  private owesEcho = false;
  /** A frame came since the last word about all locks. */
  private owesWord = false;
  private wordAtMs = -Infinity;
  /** How many are held on for nobody: no client is missed for their sake. */
  private keptOn = 0;

  constructor(private readonly settings: ServedLockSettings) {}

  /** How many locks are wanted, held, or kept. */
  get size(): number {
    return this.entries.size;
  }

  /** Something is wanted or held, and not only held on for nobody. */
  get isInUse(): boolean {
    return this.entries.size > this.keptOn;
  }

  /** Nothing more comes of it. */
  get isOver(): boolean {
    return this.isAway && this.entries.size === 0;
  }

  /**
   * A `flush` would send something. Before the first frame is done as a whole there is nothing to echo, from which the client could
   * count, so nothing is said.
   */
  get hasToSay(): boolean {
    if (this.isAway || this.heard.sentAtMs === -Infinity) return false;
    return this.owesEcho || this.saying.size > 0 || this.unknown.length > 0 || this.calledIn.length > 0 || this.welcome !== null;
  }

  /** There is more to say than one frame holds. */
  get isBehind(): boolean {
    return this.saying.size > EVENTS_PER_FRAME_MAX;
  }

  /** When to `wake`. */
  get wakeAtMs(): number {
    const queuedAtMs = this.isAway ? Infinity : (this.unqueued[0]?.atMs ?? Infinity);
    return Math.min(this.deadlines.earliestMs, queuedAtMs, this.silentAtMs);
  }

  /** The requests whose locks the client may still use. */
  *inUse(): IterableIterator<AskId> {
    for (const { id, lock } of this.entries.values()) if (lock.isInUse) yield id;
  }

  /** Handle one event. The effects are to be performed in order. */
  step(event: ServedSessionEvent<Ask, Reason>): Effects<Ask, Reason> {
    switch (event.kind) {
      case 'opened':
        return this.onOpened(event.nowMs, event.stream, event.keep);
      case 'frame':
        return event.stream === this.stream && !this.isAway ? this.onFrame(event.nowMs, event.frame) : NOTHING;
      case 'broke':
        return event.stream === this.stream && !this.isAway ? this.onBroke(event.nowMs) : NOTHING;
      case 'granted':
        return this.onGranted(event);
      case 'wanted':
        return this.onWanted(event.id);
      case 'renewed':
        return this.onRenewed(event);
      case 'taken':
        return this.onTaken(event.nowMs, event.id, event.reason);
      case 'refused':
        return this.stepOne(event.id, { kind: 'refused', reason: event.reason });
      case 'stops':
        return this.stepAll({ kind: 'stops', nowMs: event.nowMs, reason: event.reason });
      case 'flush':
        return this.hasToSay ? [{ kind: 'send', stream: this.stream, frame: this.takeFrame(event.nowMs, event.validForMs) }] : NOTHING;
      case 'wake':
        return this.onWake(event.nowMs);
      default:
        return assertNever(event);
    }
  }

  private onOpened(nowMs: number, stream: number, keep: readonly AskId[]): Effects<Ask, Reason> {
    if (stream <= this.stream) return [{ kind: 'dropStream', stream, why: 'older' }];
    const effects: ServedSessionEffect<Ask, Reason>[] = [];
    if (!this.isAway) effects.push({ kind: 'dropStream', stream: this.stream, why: 'replaced' });
    this.welcome = { resumed: this.stream > 0, leaseMs: this.settings.leaseMs };
    this.stream = stream;
    this.isAway = false;
    this.heard.atMs = nowMs;
    const kept = new Set(keep);
    for (const entry of [...this.entries.values()]) {
      const { lock } = entry;
      effects.push(...this.perform(entry, lock.step({ kind: kept.has(entry.id) ? 'returned' : 'released' })));
      if (lock.kind === 'waiting') this.sayLater(entry, nowMs);
      else if (lock.kind === 'held') this.say(entry, 'held');
    }
    // What is newer than all that arrived is still to come. One that is held on for nobody the client has been away from for too long.
    this.unknown = keep.filter((id) => id <= this.newest && (this.entries.get(id)?.isKeptOn ?? true));
    return effects;
  }

  private onFrame(nowMs: number, { sentAtMs, releases, spent, inUse, acquires }: Omit<ClientFrame<Ask>, 'hello'>): Effects<Ask, Reason> {
    // Later than when it came is safe: what is told is kept longer.
    this.heard.atMs = nowMs;
    const effects: ServedSessionEffect<Ask, Reason>[] = [];
    for (const { id, token } of spent) this.onSpent(id, token);
    for (const id of inUse) if (this.entries.has(id)) effects.push({ kind: 'inUse', id });
    for (const id of releases) effects.push(...this.onReleased(id));
    for (const { id, ask } of acquires) {
      // Sent again over a new stream, for the client does not know that it arrived.
      if (id <= this.newest) continue;
      this.newest = id;
      const entry = new Entry<Reason>(id, new ServedLock(this.settings));
      this.entries.set(id, entry);
      entry.lock.step({ kind: 'askedInSession', heard: this.heard });
      this.sayLater(entry, nowMs);
      effects.push({ kind: 'ask', id, ask });
    }
    if (sentAtMs !== null) {
      this.heard.sentAtMs = sentAtMs;
      this.owesEcho = true;
      this.owesWord = true;
    }
    return effects;
  }

  private onSpent(id: AskId, token: Token): void {
    const entry = this.entries.get(id);
    if (entry !== undefined && entry.roomUntil !== null) entry.spent = Math.max(entry.token, Math.min(token, entry.roomUntil));
  }

  /** By the client's own word: what it says nothing of it has not taken. */
  private onReleased(id: AskId): Effects<Ask, Reason> {
    const entry = this.entries.get(id);
    if (entry === undefined) return NOTHING;
    entry.spent ??= entry.token;
    return this.perform(entry, entry.lock.step({ kind: 'released' }));
  }

  /** One that was told of no room yet is told of none. */
  private onWanted(id: AskId): Effects<Ask, Reason> {
    const entry = this.entries.get(id);
    if (entry === undefined || entry.roomUntil === null) return NOTHING;
    if (!entry.isTold) return this.keepsNoLonger(entry);
    if (!this.isAway) this.calledIn.push(id);
    return NOTHING;
  }

  private keepsNoLonger(entry: Entry<Reason>): Effects<Ask, Reason> {
    if (!entry.isTold) entry.roomUntil = null;
    return [{ kind: 'inUse', id: entry.id }];
  }

  private onBroke(nowMs: number): Effects<Ask, Reason> {
    // A client whose stream broke enters no lock that it kept, and cannot be asked.
    const effects = [...this.entries.values()].flatMap((entry) => (entry.roomUntil === null ? [] : this.keepsNoLonger(entry)));
    this.calledIn = [];
    this.isAway = true;
    this.welcome = null;
    this.owesEcho = false;
    this.unknown = [];
    this.unqueued.length = 0;
    this.saying.clear();
    for (const [id, entry] of this.entries) {
      entry.say = 'nothing';
      if (entry.lock.kind === 'over') this.entries.delete(id);
    }
    return [...effects, ...this.stepAll({ kind: 'broke', nowMs, mayReturn: true })];
  }

  private onGranted({ nowMs, id, token, validForMs, atLeastMs = 0, room }: Extract<ServedSessionEvent<Ask, Reason>, { readonly kind: 'granted' }>): Effects<Ask, Reason> {
    const entry = this.entries.get(id);
    if (entry === undefined) return [{ kind: 'giveBack', id, used: token }];
    entry.token = token;
    // Whoever is away enters again by no means.
    if (!this.isAway && room !== undefined) {
      entry.roomUntil = room.until;
      entry.passTo = room.passTo;
    }
    entry.grantedUntilMs = nowMs + validForMs;
    const effects = this.perform(entry, entry.lock.step({ kind: 'granted', nowMs, atLeastMs }));
    if (entry.lock.kind === 'held') this.say(entry, 'held');
    return room !== undefined && this.isAway ? [{ kind: 'inUse', id }, ...effects] : effects;
  }

  /** Whoever is robbed in the moment of its grant hears of both. Until the votes of the grant run out nobody else enters unless the lock is given back. */
  private onTaken(nowMs: number, id: AskId, reason: Reason): Effects<Ask, Reason> {
    const entry = this.entries.get(id);
    if (entry === undefined) return NOTHING;
    const validForMs = Math.floor(entry.grantedUntilMs - nowMs);
    if (entry.say === 'held' && !entry.isTold && entry.lock.kind === 'held' && validForMs > 0) {
      this.promise(entry, nowMs, () => validForMs);
      entry.heldBeforeUntilMs = this.heard.atMs + validForMs;
    }
    return this.perform(entry, entry.lock.step({ kind: 'taken', nowMs, reason }));
  }

  /** A renewal is told with the answer to the next sign of life, unless the client would have little left until then. */
  private onRenewed({ nowMs, id, validForMs }: { readonly nowMs: number; readonly id: AskId; readonly validForMs: number }): Effects<Ask, Reason> {
    const entry = this.entries.get(id);
    if (entry?.say === 'nothing' && !this.isAway && this.isLow(entry, nowMs, validForMs)) this.say(entry, 'valid');
    return NOTHING;
  }

  private isLow({ isTold, lock: { toldUntilMs } }: Entry<Reason>, nowMs: number, validForMs: number): boolean {
    if (!isTold || toldUntilMs === null) return false;
    const { leaseMs } = this.settings;
    return toldUntilMs < nowMs + LOW_SHARE * leaseMs && this.heard.atMs + validForMs > toldUntilMs + GAIN_SHARE * leaseMs;
  }

  private onWake(nowMs: number): Effects<Ask, Reason> {
    const effects: ServedSessionEffect<Ask, Reason>[] = [];
    for (let entry = this.deadlines.due(nowMs); entry !== undefined; entry = this.deadlines.due(nowMs)) {
      this.deadlines.remove(entry);
      effects.push(...this.perform(entry, entry.lock.step({ kind: 'wake', nowMs })));
    }
    let due = 0;
    for (; due < this.unqueued.length; due++) {
      const next = this.unqueued[due];
      if (next === undefined || next.atMs > nowMs) break;
      if (next.entry.lock.kind === 'waiting') this.say(next.entry, 'queued');
    }
    this.unqueued.splice(0, due);
    if (nowMs < this.silentAtMs) return effects;
    effects.push(...this.stepAll({ kind: 'silent' }), ...this.onBroke(nowMs), { kind: 'dropStream', stream: this.stream, why: 'silent' });
    return effects;
  }

  /** Only who wants or holds something is missed when it is silent. While it is away, each of its locks knows for how long it is kept. */
  private get silentAtMs(): number {
    return this.isAway || this.entries.size === this.keptOn ? Infinity : this.heard.atMs + this.settings.leaseMs + this.settings.marginMs;
  }

  private stepAll(event: ServedLockEvent<Reason>): Effects<Ask, Reason> {
    const effects: ServedSessionEffect<Ask, Reason>[] = [];
    for (const entry of [...this.entries.values()]) effects.push(...this.perform(entry, entry.lock.step(event)));
    return effects;
  }

  private stepOne(id: AskId, event: ServedLockEvent<Reason>): Effects<Ask, Reason> {
    const entry = this.entries.get(id);
    return entry === undefined ? NOTHING : this.perform(entry, entry.lock.step(event));
  }

  private perform(entry: Entry<Reason>, wishes: readonly ServedLockEffect<Reason>[]): Effects<Ask, Reason> {
    if (wishes.length === 0) return NOTHING;
    const { id } = entry;
    const effects: ServedSessionEffect<Ask, Reason>[] = [];
    for (const wish of wishes) {
      switch (wish.kind) {
        case 'tellEnded':
          entry.cause = wish.cause;
          this.say(entry, 'ended');
          break;
        case 'giveUp':
          effects.push({ kind: 'giveUp', id });
          break;
        case 'giveBack':
          effects.push({ kind: 'giveBack', id, used: entry.spent ?? entry.roomUntil ?? entry.token });
          break;
        case 'keepOn':
          entry.isKeptOn = true;
          this.keptOn++;
          effects.push({ kind: 'keepOn', id, untilMs: wish.untilMs });
          break;
        case 'over':
          if (entry.isKeptOn) this.keptOn--;
          entry.isKeptOn = false;
          this.deadlines.remove(entry);
          break;
        case 'wake':
          this.deadlines.schedule(entry, wish.atMs);
          break;
        case 'tellHeld': // Frames say these.
        case 'tellValid':
        case 'tellReleased':
        case 'endStream':
          break;
        default:
          assertNever(wish);
      }
    }
    this.forgetIfOver(entry);
    return effects;
  }

  /** One that the client has to be told of is forgotten then. */
  private forgetIfOver(entry: Entry<Reason>): void {
    if (entry.lock.kind !== 'over') return;
    if (!this.isAway && entry.say === 'ended') return;
    this.saying.delete(entry);
    this.entries.delete(entry.id);
  }

  private say(entry: Entry<Reason>, what: 'queued' | 'held' | 'valid' | 'ended'): void {
    if (this.isAway) return;
    entry.say = what;
    this.saying.add(entry);
  }

  private sayLater(entry: Entry<Reason>, nowMs: number): void {
    this.unqueued.push({ entry, atMs: nowMs + QUEUED_AFTER_MS });
  }

  private takeFrame(nowMs: number, validForMs: (id: AskId) => number): NodeFrame<SessionEndCause<Reason>> {
    const ended: { id: AskId; ended: SessionEndCause<Reason> }[] = [];
    const queued: AskId[] = [];
    const held: SessionHeld[] = [];
    const valid: { id: AskId; validForMs: number }[] = [];
    let room = EVENTS_PER_FRAME_MAX;
    for (const id of this.unknown.splice(0, room)) ended.push({ id, ended: { kind: 'unknown' } });
    room -= ended.length;
    for (const entry of this.saying) {
      if (room-- <= 0) break;
      this.saying.delete(entry);
      const { id, say, cause, token } = entry;
      entry.say = 'nothing';
      switch (say) {
        case 'ended': {
          // The client counts from the newest echo, which may be later than that of the promise.
          const forMs = Math.floor(entry.heldBeforeUntilMs - this.heard.atMs);
          if (forMs > 0) held.push({ id, token, validForMs: forMs });
          entry.heldBeforeUntilMs = 0;
          if (cause !== null) ended.push({ id, ended: cause });
          this.forgetIfOver(entry);
          break;
        }
        case 'queued':
          if (entry.lock.kind === 'waiting') queued.push(id);
          break;
        case 'held':
        case 'valid': {
          const isNews = !entry.isTold;
          const forMs = this.promise(entry, nowMs, validForMs);
          if (forMs <= 0) break; // It is found lost by that, and this is told next.
          // Told again after the stream broke, it is kept no further.
          if (say === 'held') held.push({ id, token, validForMs: forMs, ...(isNews ? this.roomOf(entry) : {}) });
          else valid.push({ id, validForMs: forMs });
          break;
        }
        case 'nothing':
          break;
        default:
          assertNever(say);
      }
    }
    const welcome = this.welcome;
    this.welcome = null;
    this.owesEcho = false;
    const allValidForMs = this.wordForAll(nowMs, validForMs);
    // Each of these was told before that it holds.
    const wanted = this.calledIn.filter((id) => this.entries.get(id)?.lock.kind === 'held');
    this.calledIn = [];
    return { welcome, sentAtMs: this.heard.sentAtMs, queued, held, valid, wanted, ended, allValidForMs };
  }

  private roomOf({ roomUntil, passTo }: Entry<Reason>): Pick<SessionHeld, 'roomUntil' | 'passTo'> {
    if (roomUntil === null) return {};
    if (passTo === null) return { roomUntil };
    const waiting = passTo.filter((id) => this.entries.get(id)?.lock.kind === 'waiting');
    // A room for nobody would be one to keep the lock, which others want.
    return waiting.length === 0 ? {} : { roomUntil, passTo: waiting };
  }

  /** Whatever is told is remembered first. */
  private promise(entry: Entry<Reason>, nowMs: number, validForMs: (id: AskId) => number): number {
    const forMs = entry.lock.kind === 'held' ? validForMs(entry.id) : 0;
    if (forMs > 0) {
      entry.lock.step({ kind: 'valid', nowMs, validForMs: forMs });
      entry.isTold = true;
    }
    return forMs;
  }

  /**
   * The client takes it for each lock of which it knows no end, so all ends must have been said. Where the least is little, those that
   * have more are told of one by one.
   */
  private wordForAll(nowMs: number, validForMs: (id: AskId) => number): number | null {
    const { leaseMs } = this.settings;
    if (!this.owesWord || this.saying.size > 0 || this.unknown.length > 0 || nowMs < this.wordAtMs + leaseMs / WORDS_PER_LEASE_MAX) return null;
    this.owesWord = false;
    this.wordAtMs = nowMs;
    const all: Entry<Reason>[] = [];
    let least = Infinity;
    for (const entry of this.entries.values()) {
      if (!entry.isTold || entry.lock.kind !== 'held') continue;
      all.push(entry);
      least = Math.min(least, validForMs(entry.id));
    }
    if (all.length === 0) return null;
    for (const entry of all) {
      if (least > 0) entry.lock.step({ kind: 'valid', nowMs, validForMs: least });
      if (least < LOW_SHARE * leaseMs && this.isLow(entry, nowMs, validForMs(entry.id))) this.say(entry, 'valid');
    }
    return least > 0 ? least : null;
  }
}
