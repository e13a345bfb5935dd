/**
 * What every lock manager does in the same way, whether it belongs to a node or asks one: the Web
 * Locks semantics, several locks at once, semaphores. Law: knows how to ask for one lock and nothing of
 * how that is done.
 */
import { LockError } from '../errors';
import { lockNameFault } from '../transport/lock-name';
import { CountingSemaphore } from './semaphore';
import type {
  AcquireOptions, ClusterSnapshot, HeldLock, HeldLocks, Lock, LockManager, LockManagerSnapshot, LockOptions, QueryOptions, Semaphore,
} from './types';

/** How long a lock that nobody is known to hold may take to be granted before it counts as not available. */
export const IF_AVAILABLE_MS = 500;

/** The longest that a timer can wait. */
const WAIT_MS_MAX = 0x7fff_ffff;

type Callback<T> = (lock: Lock | null) => T;

/** A held lock as managers have it: hearing of its loss without a signal is cheaper, and few callbacks need the signal. */
export interface ManagedLock extends HeldLock {
  onLost(listener: (reason: LockError) => void): void;
  /** `work` uses what the lock protects until it settles: a node that stops waits for that a little. */
  inUseUntil?(work: PromiseLike<unknown>): void;
}

export abstract class BaseLockManager implements LockManager {
  /** Ask for one lock. Name and options have been checked. Rejects with a LockError `timeout` when `ifAvailable` is set and it is not. */
  protected abstract begin(name: string, options: LockOptions): Promise<ManagedLock>;
  abstract query(options?: QueryOptions & { readonly scope?: 'node' }): Promise<LockManagerSnapshot>;
  abstract query(options: QueryOptions): Promise<ClusterSnapshot>;

  /** With `ifAvailable` rejects with a LockError `timeout` as soon as the lock is known not to be free. */
  acquire(name: string, options: LockOptions = {}): Promise<HeldLock> {
    const fault = nameFault(name) ?? optionsFault(options);
    return fault === null ? this.begin(name, options) : Promise.reject(fault);
  }

  tryAcquire(name: string, options: Pick<AcquireOptions, 'mode'> = {}): Promise<HeldLock | null> {
    const fault = nameFault(name) ?? optionsFault(options);
    return fault === null ? this.beginIfAvailable(name, options) : Promise.reject(fault);
  }

  private async beginIfAvailable(name: string, options: AcquireOptions): Promise<ManagedLock | null> {
    try {
      return await this.begin(name, { ...options, ifAvailable: true });
    } catch (error) {
      if (error instanceof LockError && error.code === 'timeout') return null;
      throw error;
    }
  }

  request<T>(name: string, callback: (lock: Lock) => T): Promise<Awaited<T>>;
  request<T>(name: string, options: LockOptions & { readonly ifAvailable?: false }, callback: (lock: Lock) => T): Promise<Awaited<T>>;
  request<T>(name: string, options: LockOptions, callback: Callback<T>): Promise<Awaited<T>>;
  async request<T>(
    name: string,
    optionsOrCallback: LockOptions | ((lock: Lock) => T),
    callbackOrNothing?: Callback<T> | ((lock: Lock) => T),
  ): Promise<Awaited<T>> {
    const options = typeof optionsOrCallback === 'function' ? {} : optionsOrCallback;
    // Called with null only when `ifAvailable` is set, and then its type allows it.
    const callback = (typeof optionsOrCallback === 'function' ? optionsOrCallback : callbackOrNothing) as Callback<T> | undefined;
    if (typeof callback !== 'function') {
      throw new TypeError(`request(${JSON.stringify(name)}, …) needs a function to run while the lock is held`);
    }
    const fault = nameFault(name) ?? optionsFault(options) ?? requestFault(options);
    if (fault !== null) throw fault;
    const lock = await (options.ifAvailable === true ? this.beginIfAvailable(name, options) : this.begin(name, options));
    if (lock === null) return await callback(null);
    return await runInside(lock, callback);
  }

  async acquireAll(names: Iterable<string>, options: LockOptions = {}): Promise<HeldLocks> {
    const deadline = options.waitMs === undefined ? undefined : performance.now() + options.waitMs;
    const locks: ManagedLock[] = [];
    try {
      const sorted = [...new Set(names)].sort();
      for (const name of sorted) {
        const fault = nameFault(name) ?? optionsFault(options);
        if (fault !== null) throw fault;
      }
      for (const name of sorted) {
        const left = deadline === undefined ? {} : { waitMs: Math.max(0, deadline - performance.now()) };
        locks.push(await this.begin(name, { ...options, ...left }));
      }
    } catch (error) {
      for (const lock of locks) lock.release();
      throw error;
    }
    const lost = new AbortController();
    for (const lock of locks) lock.onLost((reason) => lost.abort(reason));
    return {
      locks,
      signal: lost.signal,
      validForMs: () => Math.min(Infinity, ...locks.map((lock) => lock.validForMs())),
      release: () => {
        for (const lock of locks) lock.release();
      },
      [Symbol.asyncDispose]: async () => {
        await Promise.all(locks.map((lock) => lock[Symbol.asyncDispose]()));
      },
    };
  }

  semaphore(name: string, permits: number): Semaphore {
    return new CountingSemaphore(name, permits, (permitName, options) => this.begin(permitName, options));
  }
}

/** Run `callback` while the lock is held; rejects at once when it is lost. */
export async function runInside<T>(lock: ManagedLock, callback: (lock: Lock) => T): Promise<Awaited<T>> {
  try {
    // The process may have been busy or frozen since the grant came: nothing starts under a lock that is gone.
    if (lock.validForMs() === 0) throw asSpecified(lossOf(lock));
    const result = callback(lock);
    if (!isThenable(result)) return await result;
    lock.inUseUntil?.(result);
    return await untilLost(lock, result);
  } finally {
    lock.release();
  }
}

function lossOf(lock: ManagedLock): LockError {
  let loss: LockError | undefined;
  lock.onLost((reason) => (loss = reason));
  return loss ?? new LockError('lost', `the lock ${JSON.stringify(lock.name)} ran out before its callback could start`);
}

function untilLost<T>(lock: ManagedLock, result: T & PromiseLike<unknown>): Promise<Awaited<T>> {
  return new Promise((resolve, reject) => {
    lock.onLost((reason) => reject(asSpecified(reason)));
    Promise.resolve(result).then(resolve, reject);
  });
}

/** A stolen lock is an AbortError by the specification. */
function asSpecified(reason: LockError): Error {
  return reason.code === 'stolen' ? new DOMException(reason.message, { name: 'AbortError', cause: reason }) : reason;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function nameFault(name: unknown): Error | null {
  if (typeof name !== 'string') return new TypeError(`a lock name is a string, not ${typeof name}`);
  // Names of our own start so; the specification leaves them to whoever implements it.
  if (name.startsWith('-')) return notSupported(`the lock name ${JSON.stringify(name)} starts with "-", which is reserved`);
  const fault = lockNameFault(name);
  return fault === null ? null : new LockError('config', fault);
}

function optionsFault({ mode, waitMs, steal, signal }: AcquireOptions): Error | null {
  if (mode !== undefined && mode !== 'exclusive' && mode !== 'shared') {
    return new TypeError(`mode is 'exclusive' or 'shared', not ${JSON.stringify(mode)}`);
  }
  if (waitMs !== undefined && !(waitMs >= 0 && waitMs <= WAIT_MS_MAX)) {
    return new LockError('config', `waitMs is a number of milliseconds from 0 to ${WAIT_MS_MAX}, not ${String(waitMs)}`);
  }
  if (steal === true && mode === 'shared') return notSupported('only an exclusive lock can be stolen');
  return signal?.aborted === true ? (signal.reason as Error) : null;
}

/** What the specification forbids to `request`. */
function requestFault({ ifAvailable, steal, signal }: LockOptions): Error | null {
  if (steal === true && ifAvailable === true) return notSupported('steal and ifAvailable exclude each other');
  if (signal !== undefined && steal === true) return notSupported('signal and steal exclude each other');
  if (signal !== undefined && ifAvailable === true) return notSupported('signal and ifAvailable exclude each other');
  return null;
}

function notSupported(message: string): DOMException {
  return new DOMException(message, 'NotSupportedError');
}
