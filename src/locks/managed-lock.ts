/**
 * A held lock as lock managers have it, and what it is to run a callback inside one. The same for callers of a node and for
 * clients of one: what may be believed of it is `HeldLock` of the core.
 * Law: nothing starts under a lock that is gone, and whoever runs inside hears at once when it is lost.
 */
import { HeldLock as Belief } from '../core';
import type { Mode, Token, Validity } from '../core';
import { LockError } from '../errors';
import { microtask } from '../runtime/turns';
import { controllerThatLooks } from './abort';
import { asyncDispose } from './async-dispose';
import type { HeldLock } from './types';

/** How long a lock that nobody is known to hold may take to be granted before it counts as not available. */
export const IF_AVAILABLE_MS = 500;

/** What a callback runs inside of. Hearing of a loss without a signal is cheaper, and few callbacks need the signal. */
export interface LockInside extends HeldLock {
  /** Why it is held no longer, when it was taken from its holder. */
  readonly lostReason: LockError | undefined;
  /** Called at once when it is lost already. A later listener takes the place of an earlier one. */
  onLost(listener: (reason: LockError) => void): void;
  /** As `release`; null when whoever lent the lock knows at once that it is over. */
  giveBack(): Promise<void> | null;
}

/** Who hears what becomes of a lock. One object, where two functions for each of many locks would take much room. */
export interface LockListener {
  lost(reason: LockError): void;
  renewed(validForMs: number): void;
}

export interface ManagedLock extends LockInside {
  /** As `onLost` and `onRenewed`, beside whoever hears by these. */
  heardBy(listener: LockListener): void;
  /** What may be believed of it. It leads to nothing else, so that whoever keeps it keeps no lock that is over. */
  readonly belief: Pick<Belief, 'isHeld'>;
  /** Given back sooner than so long from now, it is held on until then, for nobody. */
  keepAtLeast(ms: number): void;
  /** Whoever used it is done, and whoever has it in hand gives it back after so long: others see so. */
  showKeptOn(forMs: number): void;
}

/** Who has the lock in hand: a caller of this node, or a session at another one. */
export interface LockKeeper {
  /** The time by which the lock is held. Whoever is about to tell a loss does so within this. */
  nowMs(): number;
  /** The lock is in use no more. `wasHeld`: until now. */
  givenBack(wasHeld: boolean): void;
  /** The lock is in use no more, and is to be held on for so long. It is given back then: by the keeper, or by whoever has the lock in hand. */
  keptOn(forMs: number, givesBack: 'keeper' | 'caller'): void;
  /** What to say of a lock whose time ran out. */
  ranOut(): LockError;
  /** It was held for as long as it may be, and whoever uses it has been told. */
  expired(): void;
  /**
   * Until whoever lent the lock knows that it is over, or until it need not be told any more because all that it promised
   * has run out. Null when it knows. Never rejects.
   */
  untilTold(): Promise<void> | null;
}

/** For how long a lock may be held. */
export interface HoldLimit {
  readonly maxHoldMs: number;
  /** In the keeper's time. */
  readonly endsAtMs: number;
  /** Time that runs out by so much sooner was cut short by this limit too: the node counts from the grant, and its word travels. */
  readonly slackMs: number;
}

/** Counted from `sinceMs`; none where there is no limit. */
export function limitOf(maxHoldMs: number | undefined, sinceMs: number, slackMs: number): HoldLimit | undefined {
  return maxHoldMs === undefined ? undefined : { maxHoldMs, endsAtMs: sinceMs + maxHoldMs, slackMs };
}

const TOLD = Promise.resolve();

/** One lock, from its grant to its end. */
export class LockInHand implements ManagedLock {
  lostReason: LockError | undefined;
  readonly belief: Belief;
  private lostListener: ((reason: LockError) => void) | undefined;
  private renewedListener: ((validForMs: number) => void) | undefined;
  private listener: LockListener | undefined;
  /** In the keeper's time; null: it is given back as soon as it is released. */
  private keepUntilMs: number | null = null;
  /** Made when it is first asked for: most callers never do. */
  private abortController: AbortController | undefined;

  constructor(
    private readonly keeper: LockKeeper,
    readonly name: string,
    readonly mode: Mode,
    /** Stays when the lock is lost: a resource that is shown it says whether a later holder was there. */
    readonly token: Token,
    validUntilMs: number,
    private readonly limit?: HoldLimit,
  ) {
    this.belief = new Belief(validUntilMs, limit?.endsAtMs);
  }

  /** As far as anybody has noticed. */
  get isHeld(): boolean {
    return this.belief.isHeld;
  }

  get isOver(): boolean {
    return this.belief.isOver;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  validForMs(): number {
    return this.belief.validForMs(this.look());
  }

  onRenewed(listener: (validForMs: number) => void): void {
    this.renewedListener = listener;
  }

  onLost(listener: (reason: LockError) => void): void {
    if (this.lostReason !== undefined) listener(this.lostReason);
    else this.lostListener = listener;
  }

  heardBy(listener: LockListener): void {
    if (this.lostReason !== undefined) listener.lost(this.lostReason);
    else this.listener = listener;
  }

  release(): Promise<void> {
    return this.giveBack() ?? TOLD;
  }

  giveBack(): Promise<void> | null {
    // It may have run out before this process got to its timers: then it is lost, and not released.
    if (!this.belief.isOver) this.look();
    // By what was told within it may be over.
    if (!this.isOver) {
      const wasHeld = this.belief.isHeld;
      this.belief.end();
      const keptForMs = wasHeld && this.keepUntilMs !== null ? this.keepUntilMs - this.keeper.nowMs() : 0;
      if (keptForMs > 0) this.keeper.keptOn(keptForMs, 'keeper');
      else this.keeper.givenBack(wasHeld);
    }
    return this.keeper.untilTold();
  }

  [asyncDispose](): Promise<void> {
    return this.release();
  }

  keepAtLeast(ms: number): void {
    this.keepUntilMs = this.keeper.nowMs() + ms;
  }

  showKeptOn(forMs: number): void {
    this.keeper.keptOn(forMs, 'caller');
  }

  /** The node's own word, in the keeper's time. */
  renewed(validUntilMs: number): void {
    this.belief.renewed(validUntilMs);
    this.tellRenewed();
  }

  /** What the node told its client. */
  told(validity: Validity): void {
    if (this.belief.told(validity)) this.tellRenewed();
  }

  /** Looks whether it has run out; returns the time. */
  look(): number {
    const nowMs = this.keeper.nowMs();
    const { limit } = this;
    if (this.belief.runsOut(nowMs)) {
      if (limit === undefined || nowMs < limit.endsAtMs - limit.slackMs) this.tellLost(this.keeper.ranOut());
      else this.expire(expiredError(this.name, limit.maxHoldMs));
    }
    return nowMs;
  }

  /** It was taken from its holder, who is told unless it knows. */
  lose(reason: LockError): void {
    if (this.belief.lose()) this.tellLost(reason);
  }

  /** It was held for as long as it may be, by the word of whoever lent it or by the clock. */
  expire(reason: LockError): void {
    this.belief.lose();
    this.tellLost(reason);
    // Whoever heard of it may have given it back within that.
    if (!this.isOver) this.keeper.expired();
  }

  /** It is over without a word to anybody. */
  end(): void {
    this.belief.end();
  }

  /** The signal aborts, and the lock is still held until it is given back. */
  interrupt(reason: LockError): void {
    this.controller.abort(reason);
  }

  private get controller(): AbortController {
    if (this.abortController === undefined) {
      this.abortController = controllerThatLooks(() => void this.look());
      if (this.lostReason !== undefined) this.abortController.abort(this.lostReason);
    }
    return this.abortController;
  }

  private tellRenewed(): void {
    const { renewedListener, listener } = this;
    // In its own turn: what a listener throws is no failure of whoever tells it.
    if (renewedListener !== undefined) microtask(() => renewedListener(this.validForMs()));
    if (listener !== undefined) microtask(() => listener.renewed(this.validForMs()));
  }

  private tellLost(reason: LockError): void {
    this.lostReason = reason;
    this.lostListener?.(reason);
    this.listener?.lost(reason);
    // Listeners of a signal run at once, within this; what they throw is reported by themselves.
    this.abortController?.abort(reason);
  }
}

export function expiredError(name: string, maxHoldMs: number): LockError {
  return new LockError(
    'expired',
    `the lock ${JSON.stringify(name)} was held for ${maxHoldMs} ms, as long as maxHoldMs allows, and is free for others now. ` +
      'Stop using what it protects. A resource that checks the fencing token refuses your writes once a later holder was there',
    { definite: false },
  );
}

/** The time that a manager lives in; a test's may stand still. */
export interface ManagerTime {
  nowMs(): number;
  /** Call back once, after so many milliseconds. Returns how to forget it. */
  schedule(callback: () => void, delayMs: number): () => void;
}

/**
 * Run `callback` while the lock is held. Rejects at once when it is lost; else ends when whoever lent the lock knows that it
 * is over, so that a process which exits then leaves nobody waiting.
 */
export function runInside<L extends LockInside, T>(lock: L, callback: (lock: L) => T): Awaited<T> | Promise<Awaited<T>> {
  let result: T;
  try {
    // The process may have been busy or frozen since the grant came: nothing starts under a lock that is gone.
    if (lock.validForMs() === 0) {
      throw asSpecified(lock.lostReason ?? new LockError('lost', `the lock ${JSON.stringify(lock.name)} ran out before its callback could start, because this process was busy or frozen; take it again`));
    }
    result = callback(lock);
  } catch (error) {
    return whenGivenBack(lock, () => {
      throw error;
    });
  }
  return isThenable(result) ? untilSettled(lock, result as PromiseLike<Awaited<T>>) : whenGivenBack(lock, () => valueOf(lock, result as Awaited<T>));
}

async function untilSettled<T>(lock: LockInside, result: PromiseLike<T>): Promise<T> {
  let value: T;
  try {
    // Once: the `then` of a lazy thenable, such as a query, does the work each time.
    value = await untilLost(lock, Promise.resolve(result));
  } finally {
    const told = lock.giveBack();
    if (told !== null && lock.lostReason === undefined) await told;
  }
  return valueOf(lock, value);
}

/** No promise where none is needed: a lock whose votes are kept is entered and left within a turn. */
function whenGivenBack<T>(lock: LockInside, settle: () => T): T | Promise<T> {
  const told = lock.giveBack();
  return told === null || lock.lostReason !== undefined ? settle() : told.then(settle);
}

/** It may have run out before this process got to its timers, for the callback kept it busy. */
function valueOf<T>(lock: LockInside, value: T): T {
  if (lock.lostReason !== undefined) throw asSpecified(lock.lostReason);
  return value;
}

function untilLost<T>(lock: LockInside, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    lock.onLost((reason) => reject(asSpecified(reason)));
    work.then(resolve, reject);
  });
}

/** A stolen lock is an AbortError by the specification. */
function asSpecified(reason: LockError): Error {
  return reason.code === 'stolen' ? new DOMException(reason.message, { name: 'AbortError', cause: reason }) : reason;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') && 'then' in value && typeof value.then === 'function';
}
