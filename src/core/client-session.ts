/**
 * One client's side of a session: all its locks at one node over one stream, which is opened again when it breaks.
 * Law: what the node says of a lock counts from when this client *sent* what the node echoes, and is handed on as a `Validity`; what
 * may be believed of it is `HeldLock`. Whoever gave a lock back names it in no later stream. Nothing that comes over an older stream
 * counts. Pure: events in, effects out, time and chance are arguments. Source: protocol.md section 15.
 */
import { believedUntilMs } from './held-lock';
import type { Validity } from './held-lock';
import { assertNever } from './invariants';
import type { Token } from './messages';
import type { ClientFrame, NodeFrame, AskId } from './session-frames';

/** How many signs of life go out in each lease while a lock is waited for: by so much of it the client counts more cautiously than the node. */
const SIGNS_PER_LEASE = 4;

/** While nothing is waited for, a sign goes out when so much of a lease is left of what was told of some lock. */
const LEFT_SHARE = 0.4;

/** But so many in each lease at least: silence means that the client is gone. */
const SIGNS_PER_LEASE_MIN = 2;

/** And so many at most, while a lock is waited for that may be held for a short time. */
const SIGNS_PER_LEASE_MAX = 50;

/** How many go out in such a time. */
const SIGNS_PER_HOLD = 5;

/** Two frames are never said to be sent at the same time, however coarse the clock. */
const LATER_MS = 2 ** -10;

/** How long the first attempt to come back waits at most, and how long each later one: many clients lose one node at one time. */
const FIRST_RETRY_MS = 100;
const RETRY_MAX_MS = 1_000;

export interface ClientSessionSettings<Ask> {
  /** A node that says nothing for so long counts as gone for those who wait. */
  readonly answerMs: number;
  /** The stream of a client that neither has nor wants anything is ended after so long. */
  readonly idleMs: number;
  /** What a frame may carry, in the measure of `bytesOf`. */
  readonly frameBytesMax: number;
  bytesOf(ask: Ask): number;
}

/** `nowMs` is the client's own time, sleep included. `chance`: from 0 to below 1, drawn anew for each event. */
export type ClientSessionEvent<Ask, Ended, Failure> =
  /**
   * `id` is `nextId`. `answerWithinMs`: without a word of the node for so long, from when it is sent, it is asked elsewhere. `maxHoldMs`: for so long may it be held,
   * counted from the last sign of life before its grant, so none may be old beside that.
   */
  | { readonly kind: 'ask'; readonly nowMs: number; readonly id: AskId; readonly ask: Ask; readonly answerWithinMs: number; readonly maxHoldMs?: number }
  /** The lock is used, or wanted, no longer. `used`: the highest token that was taken, of one for which there was room. */
  | { readonly kind: 'giveBack'; readonly nowMs: number; readonly id: AskId; readonly used?: Token }
  /** Others want the lock, which is in use: it is kept no further. */
  | { readonly kind: 'inUse'; readonly nowMs: number; readonly id: AskId }
  /** A frame can be written. */
  | { readonly kind: 'flush'; readonly nowMs: number }
  | { readonly kind: 'heard'; readonly nowMs: number; readonly stream: number; readonly frame: NodeFrame<Ended> }
  /** The stream is over. `isFinal`: to come back is in vain. */
  | { readonly kind: 'broke'; readonly nowMs: number; readonly stream: number; readonly failure: Failure; readonly isFinal: boolean; readonly chance: number }
  /** Nobody asks for anything from now on; what was given back is still told. */
  | { readonly kind: 'close'; readonly nowMs: number }
  /** The time of `wakeAtMs` has come. Early or superfluous ones do no harm. */
  | { readonly kind: 'wake'; readonly nowMs: number };

export type ClientSessionEffect<Ask, Ended, Failure> =
  /** `isNew`: of a new session, whose name and secret nobody knows yet. */
  | { readonly kind: 'openStream'; readonly stream: number; readonly isNew: boolean }
  /** There is nothing more to say over it. */
  | { readonly kind: 'endStream'; readonly stream: number }
  | { readonly kind: 'send'; readonly stream: number; readonly frame: ClientFrame<Ask> }
  | { readonly kind: 'queued'; readonly id: AskId }
  /** `roomUntil`: it may be kept when it is used no longer, and entered again (`KeptLock`); or, with `passTo`, these may be let in after it. */
  | { readonly kind: 'held'; readonly id: AskId; readonly token: Token; readonly validity: Validity; readonly roomUntil?: Token; readonly passTo?: readonly AskId[] }
  /** Others want a lock for which there was room. */
  | { readonly kind: 'wanted'; readonly id: AskId }
  | { readonly kind: 'valid'; readonly id: AskId; readonly validity: Validity }
  /** Of a lock that is held: it is to be given back. Else nothing more comes. */
  | { readonly kind: 'ended'; readonly id: AskId; readonly ended: Ended; readonly wasHeld: boolean }
  /** The node does not answer, or no longer knows of it. Null: it is silent. Of a lock that is held: it is to be given back. */
  | { readonly kind: 'failed'; readonly id: AskId; readonly failure: Failure | null; readonly wasHeld: boolean }
  /** It was given back, and the node knows (`isHeard`), or need not hear of it. */
  | { readonly kind: 'over'; readonly id: AskId; readonly isHeard: boolean };

type Effects<Ask, Ended, Failure> = readonly ClientSessionEffect<Ask, Ended, Failure>[];

type State =
  /** Not in any frame yet. */
  | 'unsent'
  | 'waiting'
  | 'held'
  /** The node has said that it ended, or knows nothing of it; it is not given back yet. */
  | 'ended';

interface Request<Ask> {
  readonly id: AskId;
  state: State;
  /** Null as soon as the node is known to have it. */
  ask: Ask | null;
  /** In which frame it was asked for; Infinity as long as one has to be sent. */
  sentAtMs: number;
  readonly answerWithinMs: number;
  /** Until when the node may keep it, by what it told. */
  promisedUntilMs: number;
}

/** What was given back, and whether the node knows. */
interface GivenBack {
  readonly id: AskId;
  /** In which frame it was said; Infinity before. */
  sentAtMs: number;
  readonly promisedUntilMs: number;
  readonly used: Token | null;
}

/** What a frame says of locks that are held. */
type Said = Pick<ClientFrame<never>, 'releases' | 'spent' | 'inUse'>;

const NOTHING: readonly never[] = [];
const NOTHING_SAID: Said = { releases: NOTHING, spent: NOTHING, inUse: NOTHING };

export class ClientSession<Ask, Ended, Failure> {
  private readonly requests = new Map<AskId, Request<Ask>>();
  /** Those whose `ask` the node may not have, lowest first. */
  private unheard: Request<Ask>[] = [];
  /** How many of these have to be sent. */
  private unsentCount = 0;
  /** None of these counts as unanswered before; a bound, so that nobody has to look at all of them at each event. */
  private unheardUntilMs = Infinity;
  private readonly givenBack = new Map<AskId, GivenBack>();
  /** Of these the ones that are in no frame yet. */
  private unsaid: GivenBack[] = [];
  /** Locks that are kept and in use, of which the node was not told that yet. */
  private inUse: AskId[] = [];
  /** How many wait. */
  private waitingCount = 0;
  /** No lock that is held was promised for less; a bound, so that nobody has to look at all of them at each event. Infinity while none is. */
  private heldUntilMs = Infinity;
  /** For how long those may be held that wait and may not be held for ever. */
  private readonly shortHolds = new Map<AskId, number>();
  /** The least of these, as of the last frame: nobody looks at all of them at each event. */
  private shortestHoldMs = Infinity;
  private newest: AskId = 0;
  /** The stream that is open, or was last; 0 before the first. No number comes twice, in whatever session. */
  private stream = 0;
  /** The next stream is the first of a session. */
  private isNew = true;
  private isOpen = false;
  /** A frame came over it. */
  private isAnswered = false;
  /** It begins with a hello that was not sent yet. */
  private owesHello = false;
  private attempts = 0;
  private retryAtMs = Infinity;
  private lastSentAtMs = -Infinity;
  private echoMs = -Infinity;
  /** Since when the node owes an answer; Infinity when it does not. */
  private unansweredSinceMs = Infinity;
  private idleSinceMs = Infinity;
  private isClosing = false;
  private lastFailure: Failure | null = null;

  /** As the node told; Infinity before. */
  leaseMs = Infinity;

  constructor(private readonly settings: ClientSessionSettings<Ask>) {}

  get nextId(): AskId {
    return this.newest + 1;
  }

  /** Nothing is wanted or held, and the node knows so. */
  get isIdle(): boolean {
    return this.requests.size === 0 && this.givenBack.size === 0;
  }

  /** A `flush` would send something. */
  get hasToSay(): boolean {
    return this.isOpen && (this.owesHello || this.unsaid.length > 0 || this.inUse.length > 0 || this.unsentCount > 0);
  }

  /** When to `wake`. */
  get wakeAtMs(): number {
    if (this.isIdle) return this.isOpen ? this.idleEndMs : Infinity;
    if (!this.isOpen) return this.retryAtMs;
    return Math.min(this.signAtMs, this.answerByMs);
  }

  /** The node knows of everything that was asked for and given back. */
  get hasHeardAll(): boolean {
    return this.unheard.length === 0 && this.givenBack.size === 0;
  }

  /** Handle one event. The effects are to be performed in order. */
  step(event: ClientSessionEvent<Ask, Ended, Failure>): Effects<Ask, Ended, Failure> {
    switch (event.kind) {
      case 'ask':
        if (event.maxHoldMs !== undefined && event.maxHoldMs < Infinity) this.hasShortHold(event.id, event.maxHoldMs);
        return this.onAsk(event.id, event.ask, event.answerWithinMs);
      case 'giveBack':
        return this.onGiveBack(event.nowMs, event.id, event.used ?? null);
      case 'inUse':
        // After a break the node takes it for that.
        if (this.isOpen && !this.owesHello) this.inUse.push(event.id);
        return NOTHING;
      case 'flush':
        return this.onFlush(event.nowMs);
      case 'heard':
        return event.stream === this.stream && this.isOpen ? this.onHeard(event.nowMs, event.frame) : NOTHING;
      case 'broke':
        return event.stream === this.stream && this.isOpen ? this.onBroke(event) : NOTHING;
      case 'close':
        this.isClosing = true;
        return this.onWake(event.nowMs);
      case 'wake':
        return this.onWake(event.nowMs);
      default:
        return assertNever(event);
    }
  }

  private onAsk(id: AskId, ask: Ask, answerWithinMs: number): Effects<Ask, Ended, Failure> {
    this.newest = id;
    this.idleSinceMs = Infinity;
    const request: Request<Ask> = { id, state: 'unsent', ask, sentAtMs: Infinity, answerWithinMs, promisedUntilMs: -Infinity };
    this.requests.set(id, request);
    this.unheard.push(request);
    this.unsentCount++;
    this.waitingCount++;
    // While the first attempt to come back is about to be made, it waits for that.
    return this.isOpen || (this.retryAtMs < Infinity && this.attempts === 0) ? NOTHING : this.open();
  }

  private onGiveBack(nowMs: number, id: AskId, used: Token | null): Effects<Ask, Ended, Failure> {
    const request = this.requests.get(id);
    if (request === undefined) return NOTHING;
    this.heardOf(request);
    this.forget(request);
    const { state, promisedUntilMs } = request;
    // Of what it was never told, or what it told nothing of that has not run out, it need not hear where there is no way to it.
    const isOver = state === 'unsent' || (!this.isOpen && (this.retryAtMs === Infinity || (state !== 'waiting' && promisedUntilMs <= nowMs)));
    if (isOver) {
      this.lookIdle(nowMs);
      return [{ kind: 'over', id, isHeard: false }];
    }
    this.sayGivenBack(id, promisedUntilMs, used);
    return NOTHING;
  }

  private sayGivenBack(id: AskId, promisedUntilMs: number, used: Token | null): void {
    const givenBack: GivenBack = { id, sentAtMs: Infinity, promisedUntilMs, used };
    this.givenBack.set(id, givenBack);
    this.unsaid.push(givenBack);
  }

  private open(): Effects<Ask, Ended, Failure> {
    this.stream++;
    this.isOpen = true;
    this.isAnswered = false;
    this.owesHello = true;
    this.retryAtMs = Infinity;
    this.unansweredSinceMs = Infinity;
    const { stream, isNew } = this;
    this.isNew = false;
    return [{ kind: 'openStream', stream, isNew }];
  }

  private onFlush(nowMs: number): Effects<Ask, Ended, Failure> {
    if (!this.isOpen) return NOTHING;
    const sentAtMs = Math.max(nowMs, this.lastSentAtMs + LATER_MS);
    this.lastSentAtMs = sentAtMs;
    this.lookAtShortHolds();
    if (this.unansweredSinceMs === Infinity) this.unansweredSinceMs = nowMs;
    const { stream } = this;
    const frame = (hello: ClientFrame<Ask>['hello'], { releases, spent, inUse }: Said, acquires: ClientFrame<Ask>['acquires']): Effects<Ask, Ended, Failure> =>
      [{ kind: 'send', stream, frame: { hello, sentAtMs, releases, spent, inUse, acquires } }];
    const isFirst = this.owesHello;
    const keep = isFirst ? this.known() : [];
    if (isFirst) {
      this.owesHello = false;
      // What is not named is given back by that.
      this.unsaid = [];
      for (const each of this.givenBack.values()) each.sentAtMs = sentAtMs;
      // It may be long; what is asked for follows.
      if (keep.length > 0) return frame({ stream, keep }, NOTHING_SAID, []);
    }
    const said = this.say(sentAtMs);
    const acquires: { id: AskId; ask: Ask }[] = [];
    let bytes = 8 * said.releases.length + 16 * said.spent.length;
    for (const request of this.unheard) {
      if (request.sentAtMs !== Infinity || request.ask === null) continue;
      bytes += this.settings.bytesOf(request.ask) + 8;
      if (bytes > this.settings.frameBytesMax && acquires.length > 0) break;
      acquires.push({ id: request.id, ask: request.ask });
      request.sentAtMs = sentAtMs;
      this.unsentCount--;
      this.unheardUntilMs = Math.min(this.unheardUntilMs, sentAtMs + request.answerWithinMs);
      if (request.state === 'unsent') request.state = 'waiting';
    }
    return frame(isFirst ? { stream, keep } : null, said, acquires);
  }

  /** What is given back, and what is kept no further. */
  private say(sentAtMs: number): Said {
    const { unsaid, inUse } = this;
    if (unsaid.length === 0 && inUse.length === 0) return NOTHING_SAID;
    this.unsaid = [];
    this.inUse = [];
    for (const each of unsaid) each.sentAtMs = sentAtMs;
    return {
      releases: unsaid.map(({ id }) => id),
      spent: unsaid.flatMap(({ id, used }) => (used === null ? [] : [{ id, token: used }])),
      inUse,
    };
  }

  /** What was asked for over an earlier stream, and not given back. */
  private known(): AskId[] {
    return [...this.requests.values()].filter(({ state }) => state !== 'unsent').map(({ id }) => id);
  }

  private onHeard(nowMs: number, frame: NodeFrame<Ended>): Effects<Ask, Ended, Failure> {
    const effects: ClientSessionEffect<Ask, Ended, Failure>[] = [];
    this.isAnswered = true;
    this.attempts = 0;
    if (frame.welcome !== null) {
      this.leaseMs = frame.welcome.leaseMs;
      if (!frame.welcome.resumed) this.forgetEarlier(effects);
    }
    const { sentAtMs } = frame;
    this.onEcho(nowMs, sentAtMs, effects);
    for (const id of frame.queued) {
      const request = this.requests.get(id);
      if (request?.state !== 'waiting') continue;
      this.heardOf(request);
      effects.push({ kind: 'queued', id });
    }
    for (const { id, token, validForMs, roomUntil, passTo } of frame.held) {
      const request = this.requests.get(id);
      if (request === undefined || request.state === 'ended') continue;
      this.heardOf(request);
      const validity = { sentAtMs, validForMs };
      const isNew = request.state !== 'held';
      if (isNew) this.waitingCount--;
      request.state = 'held';
      this.promised(request, validity);
      this.heldUntilMs = Math.min(this.heldUntilMs, request.promisedUntilMs);
      const room = { ...(roomUntil === undefined ? {} : { roomUntil }), ...(passTo === undefined ? {} : { passTo }) };
      effects.push(isNew ? { kind: 'held', id, token, validity, ...room } : { kind: 'valid', id, validity });
    }
    for (const { id, validForMs } of frame.valid) this.onValid(id, { sentAtMs, validForMs }, effects);
    for (const id of frame.wanted) if (this.requests.get(id)?.state === 'held') effects.push({ kind: 'wanted', id });
    for (const { id, ended } of frame.ended) {
      const request = this.requests.get(id);
      if (request === undefined || request.state === 'ended') continue;
      effects.push({ kind: 'ended', id, ended, wasHeld: this.end(request) });
    }
    if (frame.allValidForMs !== null) {
      const validity = { sentAtMs, validForMs: frame.allValidForMs };
      for (const id of this.requests.keys()) this.onValid(id, validity, effects);
      this.heldUntilMs = Math.max(this.heldUntilMs, believedUntilMs(validity));
    }
    this.lookIdle(nowMs);
    return effects;
  }

  private onValid(id: AskId, validity: Validity, effects: ClientSessionEffect<Ask, Ended, Failure>[]): void {
    const request = this.requests.get(id);
    if (request?.state !== 'held' || believedUntilMs(validity) <= request.promisedUntilMs) return;
    this.promised(request, validity);
    effects.push({ kind: 'valid', id, validity });
  }

  private promised(request: Request<Ask>, validity: Validity): void {
    request.promisedUntilMs = Math.max(request.promisedUntilMs, believedUntilMs(validity));
  }

  /** What waited is over; what was held is to be given back by whoever has it. Returns whether it was held. */
  private end(request: Request<Ask>): boolean {
    this.heardOf(request);
    const wasHeld = request.state === 'held';
    if (wasHeld) request.state = 'ended';
    else this.forget(request);
    return wasHeld;
  }

  /** It is given back, or will not be had. */
  private forget({ id, state }: Request<Ask>): void {
    this.requests.delete(id);
    if (state === 'unsent' || state === 'waiting') this.waitingCount--;
    if (this.requests.size === this.waitingCount) this.heldUntilMs = Infinity;
  }

  /** The node has it, or need not have it any more. */
  private heardOf(request: Request<Ask>): void {
    if (request.ask === null) return;
    request.ask = null;
    if (request.sentAtMs === Infinity) this.unsentCount--;
    if (this.unheard[0] === request) this.unheard.shift();
    else this.unheard = this.unheard.filter((each) => each !== request);
  }

  /** The node has done everything that this frame and those before asked for. */
  private onEcho(nowMs: number, echoMs: number, effects: ClientSessionEffect<Ask, Ended, Failure>[]): void {
    if (echoMs <= this.echoMs) return;
    this.echoMs = echoMs;
    this.unansweredSinceMs = echoMs >= this.lastSentAtMs ? Infinity : nowMs;
    let known = 0;
    for (const request of this.unheard) {
      if (request.sentAtMs > echoMs) break;
      request.ask = null;
      known++;
    }
    if (known > 0) this.unheard = this.unheard.slice(known);
    for (const { id, sentAtMs } of this.givenBack.values()) {
      if (sentAtMs > echoMs) break; // In the order in which they were said.
      this.givenBack.delete(id);
      effects.push({ kind: 'over', id, isHeard: true });
    }
  }

  /** The node knows nothing of what it said over earlier streams. What was asked for over this one, it has. */
  private forgetEarlier(effects: ClientSessionEffect<Ask, Ended, Failure>[]): void {
    for (const request of [...this.requests.values()]) if (request.ask === null) this.fail(request, this.lastFailure, effects);
  }

  private fail(request: Request<Ask>, failure: Failure | null, effects: ClientSessionEffect<Ask, Ended, Failure>[]): void {
    const { id, state } = request;
    if (state !== 'ended') effects.push({ kind: 'failed', id, failure, wasHeld: this.end(request) });
  }

  private onBroke({ nowMs, failure, isFinal, chance }: { readonly nowMs: number; readonly failure: Failure; readonly isFinal: boolean; readonly chance: number }): Effects<Ask, Ended, Failure> {
    const effects: ClientSessionEffect<Ask, Ended, Failure>[] = [];
    this.isOpen = false;
    this.owesHello = false;
    this.inUse = [];
    this.lastFailure = failure;
    this.unansweredSinceMs = Infinity;
    // Whether it arrived, the next stream shows.
    for (const request of this.unheard) this.sendAgain(request);
    if (!this.isAnswered || isFinal) {
      this.attempts++;
      for (const request of [...this.requests.values()]) if (isFinal || request.state !== 'held') this.fail(request, failure, effects);
    }
    if (isFinal || !this.wantsBack(nowMs, !this.isAnswered)) return this.giveUp(nowMs, effects);
    const soonMs = Math.min(RETRY_MAX_MS, FIRST_RETRY_MS * 2 ** this.attempts);
    this.retryAtMs = nowMs + (this.attempts === 0 ? chance * soonMs : (0.5 + chance / 2) * soonMs);
    return effects;
  }

  private sendAgain(request: Request<Ask>): void {
    if (request.sentAtMs === Infinity) return;
    request.sentAtMs = Infinity;
    this.unsentCount++;
  }

  /** Whether something is left that to come back would be good for. `isDeaf`: the node could not be reached the last time. */
  private wantsBack(nowMs: number, isDeaf: boolean): boolean {
    for (const { state, promisedUntilMs } of this.requests.values()) {
      if (state === 'unsent' || state === 'waiting' || promisedUntilMs > nowMs) return true;
    }
    for (const { promisedUntilMs } of this.givenBack.values()) if (!isDeaf || promisedUntilMs > nowMs) return true;
    return false;
  }

  /** There is no way back, or no need for one. Each lock that is believed in runs out. */
  private giveUp(nowMs: number, effects: ClientSessionEffect<Ask, Ended, Failure>[]): Effects<Ask, Ended, Failure> {
    this.retryAtMs = Infinity;
    this.attempts = 0;
    for (const id of this.givenBack.keys()) effects.push({ kind: 'over', id, isHeard: false });
    this.givenBack.clear();
    this.unsaid = [];
    this.lookIdle(nowMs);
    // What comes next is another session.
    if (this.requests.size === 0) this.isNew = true;
    return effects;
  }

  private hasShortHold(id: AskId, maxHoldMs: number): void {
    this.shortHolds.set(id, maxHoldMs);
    this.shortestHoldMs = Math.min(this.shortestHoldMs, maxHoldMs);
  }

  private lookAtShortHolds(): void {
    this.shortestHoldMs = Infinity;
    for (const [id, maxHoldMs] of this.shortHolds) {
      const state = this.requests.get(id)?.state;
      if (state === 'unsent' || state === 'waiting') this.shortestHoldMs = Math.min(this.shortestHoldMs, maxHoldMs);
      else this.shortHolds.delete(id);
    }
  }

  /** Before the first welcome nobody knows how long a lease is. */
  private get signAtMs(): number {
    if (this.leaseMs === Infinity) return Infinity;
    const forShortestMs = Math.max(this.shortestHoldMs / SIGNS_PER_HOLD, this.leaseMs / SIGNS_PER_LEASE_MAX);
    const earliestAtMs = this.lastSentAtMs + Math.min(this.leaseMs / SIGNS_PER_LEASE, forShortestMs);
    // A grant counts from the last sign before it, so who waits lets none grow old.
    if (this.waitingCount > 0) return earliestAtMs;
    return Math.max(earliestAtMs, Math.min(this.lastSentAtMs + this.leaseMs / SIGNS_PER_LEASE_MIN, this.heldUntilMs - LEFT_SHARE * this.leaseMs));
  }

  /** When who waits takes the node for gone. */
  private get answerByMs(): number {
    return Math.min(this.unansweredSinceMs + this.settings.answerMs, this.unheard.length === this.unsentCount ? Infinity : this.unheardUntilMs);
  }

  private onWake(nowMs: number): Effects<Ask, Ended, Failure> {
    if (this.isIdle) return this.onIdle(nowMs);
    const effects: ClientSessionEffect<Ask, Ended, Failure>[] = [];
    if (!this.isOpen) {
      if (nowMs < this.retryAtMs) return NOTHING;
      return this.wantsBack(nowMs, this.attempts > 0) ? this.open() : this.giveUp(nowMs, effects);
    }
    if (nowMs >= this.answerByMs) this.onSilent(nowMs, effects);
    if (nowMs >= this.signAtMs) effects.push(...this.onFlush(nowMs));
    return effects;
  }

  /** Who waits may ask elsewhere. What is held is believed in for as long as it was told. */
  private onSilent(nowMs: number, effects: ClientSessionEffect<Ask, Ended, Failure>[]): void {
    const isSilent = nowMs >= this.unansweredSinceMs + this.settings.answerMs;
    this.unheardUntilMs = Infinity;
    for (const request of [...this.requests.values()]) {
      const { id, state, answerWithinMs, ask, sentAtMs } = request;
      if (state !== 'waiting' && state !== 'unsent') continue;
      if (!isSilent && (ask === null || nowMs < sentAtMs + answerWithinMs)) {
        if (ask !== null) this.unheardUntilMs = Math.min(this.unheardUntilMs, sentAtMs + answerWithinMs);
        continue;
      }
      this.fail(request, null, effects);
      if (sentAtMs === Infinity && state === 'unsent') continue;
      // Should it wake up, it is told.
      this.sayGivenBack(id, -Infinity, null);
    }
    // From here on the next answer is waited for.
    if (isSilent) this.unansweredSinceMs = nowMs;
  }

  private get idleEndMs(): number {
    return this.isClosing ? -Infinity : this.idleSinceMs + this.settings.idleMs;
  }

  private lookIdle(nowMs: number): void {
    if (this.isIdle && this.idleSinceMs === Infinity) this.idleSinceMs = nowMs;
  }

  private onIdle(nowMs: number): Effects<Ask, Ended, Failure> {
    if (!this.isOpen || nowMs < this.idleEndMs) return NOTHING;
    const { stream } = this;
    this.isOpen = false;
    this.isNew = true;
    return [{ kind: 'endStream', stream }];
  }
}
