/**
 * What every lock manager does in the same way, whether it belongs to a node or asks one: the Web
 * Locks semantics, several locks at once, semaphores. Law: knows how to ask for one lock and nothing of
 * how that is done.
 */
import { LockError } from '../errors';
import { either, onAbort } from './abort';
import { nameFault, optionsFault, readRequest, shown } from './request-arguments';
import { CountingSemaphore } from './semaphore';
import type {
  AcquireOptions, ClusterSnapshot, HeldLock, HeldLocks, Lock, LockManager, LockManagerSnapshot, LockOptions, QueryOptions, Semaphore,
} from './types';

/** How long a lock that nobody is known to hold may take to be granted before it counts as not available. */
export const IF_AVAILABLE_MS = 500;

/** A held lock as managers have it: hearing of its loss without a signal is cheaper, and few callbacks need the signal. */
export interface ManagedLock extends HeldLock {
  /** Why it is held no longer, when it was taken from its holder. */
  readonly lostReason: LockError | undefined;
  /** Called at once when it is lost already. A later listener takes the place of an earlier one. */
  onLost(listener: (reason: LockError) => void): void;
}

/** The time that a manager lives in; a test's may stand still. */
export interface ManagerTime {
  nowMs(): number;
  /** Call back once, after so many milliseconds. Returns how to forget it. */
  schedule(callback: () => void, delayMs: number): () => void;
}

export abstract class BaseLockManager implements LockManager {
  protected abstract readonly time: ManagerTime;
  /**
   * Ask for one lock. Name and options have been checked, and the signal is not aborted. Rejects with the
   * signal's reason when it aborts before the grant, and with a LockError `timeout` when `ifAvailable` is set
   * and it is not.
   */
  protected abstract begin(name: string, options: LockOptions): Promise<ManagedLock>;
  /** Whether a caller known here holds the lock or waits for it. */
  protected abstract isTakenHere(name: string): boolean;
  abstract query(options?: QueryOptions & { readonly scope?: 'node' }): Promise<LockManagerSnapshot>;
  abstract query(options: QueryOptions): Promise<ClusterSnapshot>;

  /** With `ifAvailable` rejects with a LockError `timeout` as soon as the lock is known not to be free. */
  acquire(name: string, options: LockOptions = {}): Promise<HeldLock> {
    const fault = nameFault(name) ?? optionsFault(options);
    return fault === null ? this.beginUnlessAborted(name, options) : Promise.reject(fault);
  }

  tryAcquire(name: string, options: Pick<AcquireOptions, 'mode' | 'label'> = {}): Promise<HeldLock | null> {
    const fault = nameFault(name) ?? optionsFault(options);
    return fault === null ? this.beginIfAvailable(name, options) : Promise.reject(fault);
  }

  /** An abort counts until the caller has the lock in hand, which is later than the grant by a microtask. */
  private beginUnlessAborted(name: string, options: LockOptions): Promise<ManagedLock> {
    const { signal } = options;
    if (signal === undefined) return this.begin(name, options);
    const unlessAborted = async (): Promise<ManagedLock> => {
      signal.throwIfAborted();
      const lock = await this.begin(name, options);
      if (signal.aborted) lock.release();
      signal.throwIfAborted();
      return lock;
    };
    return unlessAborted();
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
  request<T>(name: string, options: LockOptions, callback: (lock: Lock | null) => T): Promise<Awaited<T>>;
  async request<T>(
    first: string,
    second: LockOptions | ((lock: Lock) => T),
    third?: ((lock: Lock | null) => T) | ((lock: Lock) => T),
  ): Promise<Awaited<T>> {
    const { name, options, callback } = readRequest<T>(first, second, third);
    if (options.ifAvailable !== true) return await runInside(await this.beginUnlessAborted(name, options), callback);
    const lock = await this.beginIfAvailable(name, options);
    return lock === null ? await callback(null) : await runInside(lock, callback);
  }

  async acquireAll(names: Iterable<string>, options: LockOptions = {}): Promise<HeldLocks> {
    const sorted = sortedNames(names);
    const fault = optionsFault(options);
    if (fault !== null) throw fault;
    const { time } = this;
    const deadlineMs = time.nowMs() + (options.waitMs ?? Infinity);
    const locks: ManagedLock[] = [];
    const lost = new AbortController();
    const giveUp = either(lost.signal, options.signal);
    try {
      for (const name of sorted) {
        const left = deadlineMs === Infinity ? {} : { waitMs: Math.max(0, deadlineMs - time.nowMs()) };
        const lock = await this.beginUnlessAborted(name, { ...options, ...left, signal: giveUp.signal });
        locks.push(lock);
        // One that is lost while the others are waited for: then it is none of them.
        const { signal } = lock;
        if (signal.aborted) lost.abort(signal.reason);
        else onAbort(signal, () => lost.abort(signal.reason));
      }
      giveUp.signal.throwIfAborted();
    } catch (error) {
      for (const lock of locks) lock.release();
      const isAborted = options.signal?.aborted === true && error === options.signal.reason;
      throw sorted.length > 1 && !isAborted ? ofAll(sorted, error) : error;
    } finally {
      giveUp.forget();
    }
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
    return new CountingSemaphore(name, permits, {
      time: this.time,
      begin: (permitName, options) => this.beginUnlessAborted(permitName, options),
      isTakenHere: (permitName) => this.isTakenHere(permitName),
    });
  }
}

/** Run `callback` while the lock is held; rejects at once when it is lost. */
export async function runInside<L extends ManagedLock, T>(lock: L, callback: (lock: L) => T): Promise<Awaited<T>> {
  let value: Awaited<T>;
  try {
    // The process may have been busy or frozen since the grant came: nothing starts under a lock that is gone.
    if (lock.validForMs() === 0) {
      throw asSpecified(lock.lostReason ?? new LockError('lost', `the lock ${JSON.stringify(lock.name)} ran out before its callback could start, because this process was busy or frozen; take it again`));
    }
    const result = callback(lock);
    if (!isThenable(result)) {
      value = result as Awaited<T>;
    } else {
      // Once: the `then` of a lazy thenable, such as a query, does the work each time.
      value = await untilLost(lock, Promise.resolve(result) as Promise<Awaited<T>>);
    }
  } finally {
    lock.release();
  }
  // It ran out before this process got to its timers, for the callback kept it busy.
  if (lock.lostReason !== undefined) throw asSpecified(lock.lostReason);
  return value;
}

function untilLost<T>(lock: ManagedLock, work: Promise<T>): Promise<T> {
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

/** Each name once, in the order in which all callers everywhere take them. */
function sortedNames(names: Iterable<string>): string[] {
  // A single string is an iterable of its characters, and to a Set nothing is as good as an empty list.
  if (typeof names === 'string') throw new TypeError(`acquireAll takes the names in an array, such as [${JSON.stringify(names)}]`);
  if (!isIterable(names)) throw new TypeError(`acquireAll takes the names in an array, such as ['from', 'to'], not ${shown(names)}`);
  const sorted = [...new Set(names)].sort();
  for (const name of sorted) {
    const fault = nameFault(name);
    if (fault !== null) throw fault;
  }
  return sorted;
}

function isIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

function ofAll(names: readonly string[], error: unknown): unknown {
  if (!(error instanceof LockError)) return error;
  const message = `did not get all of ${names.map((name) => JSON.stringify(name)).join(', ')}, and holds none of them: ${error.message}`;
  return new LockError(error.code, message, { definite: error.definite, cause: error });
}
