/**
 * The callers of one manager that want permits of one semaphore, in the order in which they came: which permits each asks for.
 * Law: no two of them ask for the same permit; none asks for more than `ASKED_MAX` at once; a permit that becomes free here goes
 * to the one who waits longest. So callers cost about one request each while permits are free, and a bounded number when none is.
 *
 * A caller that waits stands in line for up to `ASKED_MAX` permits. That leaves others, whose holders may go while nobody
 * stands there. So who holds what in the cluster is looked up now and then, and a permit that is free is asked for in place of
 * the one asked for last. The more callers wait, the more seldom each manager looks: all of them together about once a `LOOK_MS`.
 */
import { LockError } from '../errors';
import { onAbort } from './abort';
import { IF_AVAILABLE_MS } from './managed-lock';
import type { ManagedLock, ManagerTime } from './managed-lock';
import { ManagedPermit, permitName, permitOf } from './permit';
import type { LockManagerSnapshot, LockOptions, SemaphoreRequestOptions } from './types';

/** For so many permits a caller asks at once. A semaphore with no more permits is never looked up. */
const ASKED_MAX = 4;

/** How long a permit may take before another is asked for too: from when it is known that it was not had at once. */
const HEAD_START_MS = 50;

/** The same where the node knows of nobody who has it: most likely its votes are on their way. */
const VOTES_HEAD_START_MS = 200;

/** When nobody says so for so long, another is asked for all the same. Sooner, more requests would only burden who is busy. */
const UNHEARD_MS = 1_000;

/** How often it is looked up who holds what, while one caller waits. */
const LOOK_MS = 1_000;

/** What was seen is no guide after so long. */
const SEEN_MS = 2_000;

/** What a line asks of its manager. */
export interface PermitLineParts {
  readonly time: ManagerTime;
  readonly begin: (name: string, options: LockOptions & { readonly onQueued: (lock: string, ahead: readonly string[]) => void }) => Promise<ManagedLock>;
  /** Whether `onQueued` is called when a permit is not had at once. */
  readonly saysQueued: boolean;
  /** Whether a caller known here has this permit or waits for it, be it another process. */
  readonly isTakenHere: (name: string) => boolean;
  /** Who holds and wants what in the cluster. */
  readonly query: () => Promise<LockManagerSnapshot>;
}

export class PermitLine {
  /** Those that wait, in the order in which they came. */
  private readonly seekers = new Set<Seeker>();
  /** The permits that callers of this line hold or ask for. */
  private readonly ours = new Set<number>();
  /** How many held or wanted each permit elsewhere, when that was looked up. */
  private seen: ReadonlyMap<number, number> = new Map();
  private seenAtMs = -Infinity;
  private lookedAtMs = -Infinity;
  private stopLooking: (() => void) | undefined;

  /** @param onIdle called whenever no caller of this line has or wants anything any more */
  constructor(
    readonly semaphore: string,
    readonly permits: number,
    readonly parts: PermitLineParts,
    private readonly onIdle: () => void,
  ) {}

  /** The first permit that is granted. The signal is not aborted. `preferred` is asked for first if nothing speaks against it. */
  seek(options: SemaphoreRequestOptions, preferred: number): Promise<ManagedPermit> {
    return new Promise((resolve, reject) => {
      const seeker = new Seeker(this, options, resolve, reject);
      this.seekers.add(seeker);
      seeker.begin(preferred);
    });
  }

  /** Nobody is to wait any longer. */
  refuse(reason: LockError): void {
    for (const seeker of [...this.seekers].reverse()) seeker.refuse(reason);
  }

  /** A permit that no caller of this line has or wants; least wanted elsewhere, else any. Null when there is none. */
  choose(preferred: number, isOut: (permit: number) => boolean = () => false): number | null {
    const isFresh = this.parts.time.nowMs() - this.seenAtMs <= SEEN_MS;
    let best: number[] = [];
    let least = Infinity;
    for (let permit = 0; permit < this.permits; permit++) {
      if (this.ours.has(permit) || isOut(permit)) continue;
      const isTaken = this.parts.isTakenHere(permitName(this.semaphore, permit));
      const wanted = Math.max(isTaken ? 1 : 0, isFresh ? this.seen.get(permit) ?? 0 : 0);
      if (wanted > least) continue;
      if (wanted < least) best = [];
      least = wanted;
      best.push(permit);
    }
    if (best.includes(preferred)) return preferred;
    return best[Math.floor(Math.random() * best.length)] ?? null;
  }

  /** Whether it was seen, since then, that somebody elsewhere has it. */
  isSeenTaken(permit: number, sinceMs: number): boolean {
    return this.seenAtMs >= sinceMs && this.seen.has(permit);
  }

  asks(permit: number): void {
    this.ours.add(permit);
  }

  /** Nobody of this line has or wants it any more. `isFree`: nobody at all is known to have it. */
  leaves(permit: number, isFree: boolean): void {
    this.ours.delete(permit);
    const next = this.nextFor(isFree);
    if (next !== undefined) return next.ask(permit, isFree);
    for (const seeker of this.seekers) seeker.widenSoon();
    this.forgetIfIdle();
  }

  /** One that is free goes to who waits longest; others to who stands in no line yet. */
  private nextFor(isFree: boolean): Seeker | undefined {
    return [...this.seekers].find((seeker) => (isFree ? !seeker.isPromised : seeker.asked === 0) && seeker.mayAsk);
  }

  /** It waits no longer. What it asks for it gives up after this. */
  over(seeker: Seeker): void {
    this.seekers.delete(seeker);
    if (this.seekers.size === 0) {
      this.stopLooking?.();
      this.stopLooking = undefined;
    }
    this.forgetIfIdle();
  }

  private forgetIfIdle(): void {
    if (this.seekers.size === 0 && this.ours.size === 0) this.onIdle();
  }

  /** Somebody waits: from now on it is looked up who holds what. */
  lookUp(): void {
    if (this.permits <= ASKED_MAX || this.stopLooking !== undefined) return;
    let isOver = false;
    let forget = (): void => undefined;
    this.stopLooking = () => {
      isOver = true;
      forget();
    };
    // Not all in one moment.
    const lookIn = (ms: number): void => void (forget = this.parts.time.schedule(() => void look(), ms * (0.75 + Math.random() / 2)));
    const look = async (): Promise<void> => {
      const waiting = this.ours.size < this.permits ? await this.look() : 0;
      if (!isOver) lookIn(LOOK_MS * (1 + waiting / ASKED_MAX));
    };
    const againInMs = this.lookedAtMs + LOOK_MS - this.parts.time.nowMs();
    if (againInMs > 0) lookIn(againInMs);
    else void look();
  }

  /** Resolves to the number of requests that wait elsewhere. Never rejects: it decides only what is asked for. */
  async look(): Promise<number> {
    const lookedAtMs = this.parts.time.nowMs();
    this.lookedAtMs = lookedAtMs;
    const snapshot = await this.parts.query().catch(() => null);
    if (snapshot === null) return 0;
    const seen = new Map<number, number>();
    const count = ({ name }: { readonly name: string }): number => {
      const permit = permitOf(name);
      if (permit?.semaphore !== this.semaphore || permit.permit >= this.permits || this.ours.has(permit.permit)) return 0;
      seen.set(permit.permit, (seen.get(permit.permit) ?? 0) + 1);
      return 1;
    };
    snapshot.held.forEach(count);
    const waiting = snapshot.pending.reduce((sum, each) => sum + count(each), 0);
    this.seen = seen;
    this.seenAtMs = lookedAtMs;
    for (let next = this.nextFor(true); next !== undefined; next = this.nextFor(true)) {
      const free = this.choose(-1, (permit) => seen.has(permit));
      if (free === null) break;
      next.ask(free, true);
    }
    return waiting;
  }
}

/** One caller, until it has a permit or gives up. */
class Seeker {
  /** What it asks for, in the order in which it did, and how to ask no more. */
  private readonly lines = new Map<number, AbortController>();
  /** Permits that were found not to be free, where only a free one will do. */
  private readonly refused = new Set<number>();
  private readonly askedMs: number;
  private readonly deadlineMs: number;
  private readonly stepMsMax: number;
  private promisedUntilMs = -Infinity;
  private readonly stopListening: () => void;
  private forgetStep: (() => void) | undefined;
  private forgetDeadline: () => void = () => undefined;
  private isOver = false;

  constructor(
    private readonly line: PermitLine,
    private readonly options: SemaphoreRequestOptions,
    private readonly resolve: (permit: ManagedPermit) => void,
    private readonly reject: (reason: unknown) => void,
  ) {
    const { signal, waitMs = Infinity, ifAvailable } = options;
    this.askedMs = line.parts.time.nowMs();
    const patienceMs = ifAvailable === true ? Math.min(waitMs, IF_AVAILABLE_MS) : waitMs;
    this.deadlineMs = this.askedMs + patienceMs;
    // As many as it may ask for are asked for in the first half of the time.
    this.stepMsMax = patienceMs / (2 * ASKED_MAX);
    this.stopListening = signal === undefined ? () => undefined : onAbort(signal, () => this.end(() => this.reject(signal.reason)));
  }

  private get triesOnly(): boolean {
    return this.options.ifAvailable === true;
  }

  /** How many permits it asks for now. */
  get asked(): number {
    return this.lines.size;
  }

  get mayAsk(): boolean {
    return !this.isOver && (this.line.parts.time.nowMs() < this.deadlineMs || this.deadlineMs === this.askedMs);
  }

  /** It was given a permit that should be free, a moment ago. */
  get isPromised(): boolean {
    return this.line.parts.time.nowMs() < this.promisedUntilMs;
  }

  begin(preferred: number): void {
    const { time } = this.line.parts;
    if (this.deadlineMs < Infinity) this.forgetDeadline = time.schedule(() => this.onDeadline(), this.deadlineMs - this.askedMs);
    const isAsked = this.askNext(preferred);
    if (this.stepMsMax === 0) while (isAsked && this.asked < ASKED_MAX && this.askNext(-1));
  }

  ask(permit: number, isFree: boolean): void {
    const { begin, time, saysQueued } = this.line.parts;
    // It will have that one, unless somebody elsewhere is faster.
    if (isFree) this.promisedUntilMs = time.nowMs() + HEAD_START_MS;
    if (this.asked >= ASKED_MAX) this.giveUpLast();
    const { label, ifAvailable, waitMs, maxHoldMs } = this.options;
    const line = new AbortController();
    const askedMs = time.nowMs();
    const onQueued = (_lock: string, ahead: readonly string[]): void => {
      if (this.lines.get(permit) !== line) return;
      this.forgetStep?.();
      this.forgetStep = undefined;
      // The answers of a busy node take longer, and its grants too.
      this.widenSoon(Math.max(2 * (time.nowMs() - askedMs), ahead.length === 0 ? VOTES_HEAD_START_MS : 0));
    };
    this.lines.set(permit, line);
    this.line.asks(permit);
    begin(permitName(this.line.semaphore, permit), {
      signal: line.signal, onQueued,
      ...(label === undefined ? {} : { label }),
      ...(maxHoldMs === undefined ? {} : { maxHoldMs }),
      ...(ifAvailable === true ? { ifAvailable } : {}),
      ...(waitMs === undefined ? {} : { waitMs: Math.max(0, this.askedMs + waitMs - time.nowMs()) }),
    }).then(
      (lock) => {
        if (this.lines.get(permit) === line) this.onGranted(permit, lock);
        // It was given up, and granted in that very turn.
        else void lock.release();
      },
      (error: unknown) => {
        // One that was given up says so, in its own time.
        if (this.lines.get(permit) === line) this.onFailed(permit, error);
      },
    );
    this.widenSoon(saysQueued ? UNHEARD_MS : 0);
  }

  /** If it has to wait, it asks for another one too, unless it asks for enough. */
  widenSoon(atLeastMs = 0): void {
    const inMs = Math.min(this.stepMsMax, Math.max(HEAD_START_MS, atLeastMs));
    if (this.asked < ASKED_MAX) this.forgetStep ??= this.line.parts.time.schedule(() => this.step(), inMs);
  }

  refuse(reason: LockError): void {
    this.end(() => this.reject(this.named(reason)));
  }

  private step(): void {
    this.forgetStep = undefined;
    if (!this.triesOnly) this.line.lookUp();
    if (this.asked < ASKED_MAX) this.askNext(-1);
  }

  /** Whether there was one to ask for. */
  private askNext(preferred: number): boolean {
    if (!this.mayAsk) return false;
    const isOut = (permit: number): boolean => this.refused.has(permit) || (this.triesOnly && this.line.isSeenTaken(permit, this.askedMs));
    const permit = this.line.choose(preferred, isOut);
    if (permit !== null) this.ask(permit, false);
    else if (this.triesOnly && this.asked === 0) this.onNoneFree();
    return permit !== null;
  }

  private onGranted(permit: number, lock: ManagedLock): void {
    const { line } = this;
    this.lines.delete(permit);
    this.end(() => this.resolve(new ManagedPermit(lock, line.semaphore, permit, () => line.leaves(permit, true))));
  }

  private onFailed(permit: number, error: unknown): void {
    this.lines.delete(permit);
    if (this.triesOnly && error instanceof LockError && error.code === 'timeout') {
      if (this.refused.size === 0) void this.line.look();
      this.refused.add(permit);
      this.askNext(-1);
    }
    if (this.asked === 0) this.end(() => this.reject(this.named(error)));
    this.line.leaves(permit, false);
  }

  /** Those that it asks for end by themselves, and with a better reason. */
  private onDeadline(): void {
    if (this.asked === 0) this.onNoneFree();
  }

  private onNoneFree(): void {
    this.refuse(new LockError('timeout', 'all are taken'));
  }

  private giveUpLast(): void {
    const last = [...this.lines.keys()].at(-1);
    if (last !== undefined) this.giveUp(last);
  }

  private giveUp(permit: number): void {
    const line = this.lines.get(permit);
    this.lines.delete(permit);
    line?.abort(new LockError('aborted', 'another permit came first'));
    this.line.leaves(permit, false);
  }

  private end(settle: () => void): void {
    if (this.isOver) return;
    this.isOver = true;
    this.forgetStep?.();
    this.forgetDeadline();
    this.stopListening();
    settle();
    this.line.over(this);
    for (const permit of [...this.lines.keys()]) this.giveUp(permit);
  }

  /** In the words of the caller, who knows a semaphore and not the lock behind a permit. */
  private named(error: unknown): unknown {
    if (!(error instanceof LockError)) return error;
    const { semaphore, permits } = this.line;
    const { waitMs } = this.options;
    const within = waitMs === undefined ? '' : ` within ${waitMs} ms`;
    const why = error.code === 'timeout' ? ` is free${within}` : `: ${error.message}`;
    const message = `no permit of the semaphore ${JSON.stringify(semaphore)} (${permits} permits)${why}`;
    return new LockError(error.code, message, { definite: error.definite, cause: error });
  }
}
