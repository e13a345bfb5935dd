/**
 * The API that people call: ask for a lock by name, be inside, leave. Law: a callback or a holder is
 * told at once when its lock is lost; nothing here decides whether it is.
 */
import type { CallerId, Mode, NodeId, Token } from '../core';
import { LockError } from '../errors';
import type { Caller, Runtime } from '../node/runtime';
import { lockNameFault } from '../transport/lock-name';

export interface LockOptions {
  /** `exclusive` (default): alone. `shared`: together with other shared holders. */
  readonly mode?: Mode;
  /** Gives up waiting when aborted: the promise rejects with the signal's reason. No effect once the lock is held. */
  readonly signal?: AbortSignal;
  /** Gives up waiting after so many milliseconds, with a LockError `timeout` or `no-quorum`. Default: never. */
  readonly waitMs?: number;
}

/** A lock that is held. */
export interface Lock {
  readonly name: string;
  readonly mode: Mode;
  /**
   * The fencing token, a safe integer. Hand it to the resource that the lock protects, and let that
   * refuse a smaller token than it has seen: then even a holder that was paused can do no harm.
   */
  readonly token: Token;
  /** Aborts the moment the lock is lost, with a LockError (`lost` or `closed`) as its reason. */
  readonly signal: AbortSignal;
  /** For how many more milliseconds the lock is held if no renewal succeeds; 0 once it is lost. */
  validForMs(): number;
}

/** A lock to be released by its holder. `await using` releases it at the end of the block. */
export interface HeldLock extends Lock {
  /** Idempotent. */
  release(): void;
  /** Called after each renewal with the new `validForMs()`. */
  onRenewed(listener: (validForMs: number) => void): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface LockManager {
  /**
   * Run `callback` while holding the lock; resolves or rejects as it does.
   * Rejects with LockError `timeout`, `no-quorum` or `closed` when the lock is not granted, with the
   * signal's reason when aborted, and with `lost` at once when the lock is lost while the callback
   * runs (which is told by `lock.signal`, and whose outcome is then unknown).
   */
  request<T>(name: string, callback: (lock: Lock) => T | PromiseLike<T>): Promise<T>;
  request<T>(name: string, options: LockOptions, callback: (lock: Lock) => T | PromiseLike<T>): Promise<T>;
  /** Resolves when the lock is held; the caller releases it. Rejects as `request` does. */
  acquire(name: string, options?: LockOptions): Promise<HeldLock>;
}

/** How the locks of one node are asked for. */
export class NodeLockManager implements LockManager {
  constructor(
    private readonly id: NodeId,
    private readonly runtime: Runtime,
    private readonly hasQuorum: () => boolean,
  ) {}

  acquire(name: string, options: LockOptions = {}): Promise<HeldLock> {
    return new Promise((resolve, reject) => {
      const problem = checkOptions(name, options);
      if (problem !== null) throw new LockError('config', problem);
      new Acquisition(this.runtime, name, options, resolve, reject, (waitedMs) => this.timeoutError(name, waitedMs));
    });
  }

  async request<T>(
    name: string,
    optionsOrCallback: LockOptions | ((lock: Lock) => T | PromiseLike<T>),
    callbackOrNothing?: (lock: Lock) => T | PromiseLike<T>,
  ): Promise<T> {
    const options = typeof optionsOrCallback === 'function' ? {} : optionsOrCallback;
    const callback = typeof optionsOrCallback === 'function' ? optionsOrCallback : callbackOrNothing;
    if (typeof callback !== 'function') {
      throw new LockError('config', `request(${JSON.stringify(name)}, …) needs a function to run while the lock is held`);
    }
    const lock = await this.acquire(name, options);
    try {
      const result = callback(lock);
      return isThenable(result) ? await untilLost(lock, result) : result;
    } finally {
      lock.release();
    }
  }

  private timeoutError(name: string, waitedMs: number): LockError {
    const lock = JSON.stringify(name);
    if (!this.hasQuorum()) {
      const down = [...this.runtime.down].map(([peer, reason]) => `${peer} (${reason})`).join(', ');
      return new LockError(
        'no-quorum',
        `node ${this.id} waited ${waitedMs} ms for the lock ${lock}, but the nodes it can reach contain no quorum. ` +
          `Down: ${down}. Start them, or check the network`,
      );
    }
    return new LockError('timeout', `node ${this.id} did not get the lock ${lock} within ${waitedMs} ms${this.holderKnown(name)}`);
  }

  /** Who holds the lock or asked first, as far as this node's callers and its own arbiter know. */
  private holderKnown(name: string): string {
    const view = this.runtime.inspect(name);
    if (view?.requester?.state === 'held') return `; another caller of ${this.id} holds it`;
    const others = (view?.grants ?? []).map((grant) => grant.request.node).filter((node) => node !== this.id);
    return others.length === 0 ? '' : `; last known to be held or asked for first by ${others.join(', ')}`;
  }
}

/** One caller's way from asking to release. */
class Acquisition implements Caller, HeldLock {
  readonly name: string;
  readonly mode: Mode;
  token: Token = 0;
  private validUntilMs = 0;
  private state: 'waiting' | 'held' | 'over' = 'waiting';
  private readonly caller: CallerId;
  private readonly stopWaiting: (() => void) | undefined;
  private lostReason: LockError | undefined;
  private lostListener: ((reason: LockError) => void) | undefined;
  private renewedListener: ((validForMs: number) => void) | undefined;
  /** Made when it is first asked for: most callers never do. */
  private abortController: AbortController | undefined;

  constructor(
    private readonly runtime: Runtime,
    name: string,
    options: LockOptions,
    private readonly resolve: (lock: HeldLock) => void,
    private readonly reject: (reason: unknown) => void,
    timeoutError: (waitedMs: number) => LockError,
  ) {
    this.name = name;
    this.mode = options.mode ?? 'exclusive';
    options.signal?.throwIfAborted();
    this.caller = runtime.acquire(name, this.mode, this);
    // A free lock whose grants were retained is entered at once.
    if (this.isWaiting() && (options.signal !== undefined || options.waitMs !== undefined)) {
      this.stopWaiting = this.waitAtMost(options, timeoutError);
    }
  }

  entered(token: Token, validUntilMs: number): void {
    this.stopWaiting?.();
    this.state = 'held';
    this.token = token;
    this.validUntilMs = validUntilMs;
    this.resolve(this);
  }

  renewed(validUntilMs: number): void {
    this.validUntilMs = validUntilMs;
    const listener = this.renewedListener;
    // In its own turn: what a listener throws is not the node's failure.
    if (listener !== undefined) queueMicrotask(() => listener(this.validForMs()));
  }

  lost(reason: LockError): void {
    this.stopWaiting?.();
    const wasWaiting = this.isWaiting();
    this.state = 'over';
    if (wasWaiting) return this.reject(reason);
    this.lostReason = reason;
    this.abortController?.abort(reason);
    this.lostListener?.(reason);
  }

  get signal(): AbortSignal {
    this.abortController ??= new AbortController();
    if (this.lostReason !== undefined) this.abortController.abort(this.lostReason);
    return this.abortController.signal;
  }

  validForMs(): number {
    return this.state === 'held' ? Math.max(0, this.validUntilMs - this.runtime.nowMs()) : 0;
  }

  onRenewed(listener: (validForMs: number) => void): void {
    this.renewedListener = listener;
  }

  /** For `request`: cheaper than a signal, which few callbacks need. */
  onLost(listener: (reason: LockError) => void): void {
    if (this.lostReason !== undefined) listener(this.lostReason);
    else this.lostListener = listener;
  }

  release(): void {
    if (this.state !== 'held') return;
    this.state = 'over';
    this.runtime.release(this.caller);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.release();
    return Promise.resolve();
  }

  private isWaiting(): boolean {
    return this.state === 'waiting';
  }

  private waitAtMost(options: LockOptions, timeoutError: (waitedMs: number) => LockError): () => void {
    const { signal, waitMs } = options;
    const giveUp = (reason: unknown): void => {
      stop();
      this.state = 'over';
      this.runtime.release(this.caller);
      this.reject(reason);
    };
    const onAbort = (): void => giveUp(signal?.reason);
    const timer = waitMs === undefined ? undefined : setTimeout(() => giveUp(timeoutError(waitMs)), waitMs);
    const stop = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort);
    return stop;
  }
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function untilLost<T>(lock: HeldLock, result: PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (lock instanceof Acquisition) lock.onLost(reject);
    result.then(resolve, reject);
  });
}

function checkOptions(name: unknown, options: LockOptions): string | null {
  if (typeof name !== 'string') return `a lock name is a string, not ${typeof name}`;
  const nameFault = lockNameFault(name);
  if (nameFault !== null) return nameFault;
  const { mode, waitMs } = options;
  if (mode !== undefined && mode !== 'exclusive' && mode !== 'shared') {
    return `mode is 'exclusive' or 'shared', not ${JSON.stringify(mode)}`;
  }
  if (waitMs !== undefined && !(waitMs >= 0 && waitMs <= 0x7fff_ffff)) {
    return `waitMs is a number of milliseconds from 0 to ${0x7fff_ffff}, not ${waitMs}`;
  }
  return null;
}
