/**
 * What every lock manager does in the same way, whether it belongs to a node or asks one: the Web
 * Locks semantics, several locks at once, semaphores. Law: knows how to ask for one lock and nothing of
 * how that is done.
 */
import { shown } from '../arguments';
import { LockError } from '../errors';
import { controllerThatLooks, either, onAbort } from './abort';
import { asyncDispose } from './async-dispose';
import { LockElection } from './election';
import type { Tell } from './latest';
import { runInside } from './managed-lock';
import type { ManagedLock, ManagerTime } from './managed-lock';
import { NESTED_TOLD_MS, NestedRequest, beginHold, heldAround, holds, insideHold, placeOf } from './nesting';
import { PermitLine } from './permit-line';
import { nameFault, onceFault, optionsFault, readRequest } from './request-arguments';
import type { RequestArguments } from './request-arguments';
import { CountingSemaphore } from './semaphore';
import type {
  AcquireOptions, ClusterSnapshot, Election, ElectionOptions, HeldLock, HeldLocks, Leader, Lock, LockManager, LockManagerSnapshot, LockOptions,
  OnceOptions, OnceOutcome, QueryOptions, Semaphore,
} from './types';

export interface BeginOptions extends LockOptions {
  /** For so long from its grant a lock of a client is held on by its node, however soon the client is done or gone. Default: not at all. */
  readonly atLeastMs?: number;
}

export abstract class BaseLockManager implements LockManager {
  protected abstract readonly time: ManagerTime;
  /** Whether `begin` calls the `onQueued` of its options when the lock is not had at once. */
  protected readonly saysQueued: boolean = false;
  private readonly permitLines = new Map<string, PermitLine>();
  /**
   * Ask for one lock. Name and options have been checked, and the signal is not aborted. Rejects with the
   * signal's reason when it aborts before the grant, and with a LockError `timeout` when `ifAvailable` is set
   * and it is not.
   */
  protected abstract begin(name: string, options: BeginOptions): Promise<ManagedLock>;
  /** Whether a caller known here holds the lock or waits for it. */
  protected abstract isTakenHere(name: string): boolean;
  /** Tell who holds the lock alone, through whichever node: now, and whenever that changes. Returns how to stop it. */
  protected abstract followLeader(name: string, tell: Tell<Leader | null>): () => void;
  abstract query(options?: QueryOptions & { readonly scope?: 'cluster' }): Promise<ClusterSnapshot>;
  abstract query(options: QueryOptions): Promise<LockManagerSnapshot>;

  /** With `ifAvailable` rejects with a LockError `timeout` as soon as the lock is known not to be free. */
  acquire(name: string, options: LockOptions = {}): Promise<HeldLock> {
    const fault = nameFault(name) ?? optionsFault(options);
    return fault === null ? this.known(name, options, this.beginUnlessNested(name, options)) : Promise.reject(fault);
  }

  tryAcquire(name: string, options: Pick<AcquireOptions, 'mode' | 'maxHoldMs' | 'label'> = {}): Promise<HeldLock | null> {
    const fault = nameFault(name) ?? optionsFault(options);
    return fault === null ? this.known(name, options, this.beginIfAvailable(name, options)) : Promise.reject(fault);
  }

  /** The chain of calls that asks will hold the lock, until it gives it back. */
  private known<Granted extends ManagedLock | null>(name: string, { mode = 'exclusive' }: LockOptions, begun: Promise<Granted>): Promise<Granted> {
    const hold = beginHold(this, name, mode);
    return begun.then((lock) => {
      if (lock === null) hold.isRefused = true;
      else holds(hold, lock);
      return lock;
    }, (reason: unknown) => {
      hold.isRefused = true;
      throw reason;
    });
  }

  /** Looks whether the chain of calls that asks holds this very lock. */
  private beginUnlessNested(name: string, options: LockOptions): Promise<ManagedLock> {
    const hold = heldAround(this, name);
    if (hold === undefined || options.steal === true || options.ifAvailable === true) return this.beginUnlessAborted(name, options);
    return this.beginNested(new NestedRequest(hold, options.mode ?? 'exclusive'), name, options);
  }

  /** No promise more than that of any other request: each would be a turn in which others go first. */
  private beginNested(nested: NestedRequest, name: string, options: LockOptions): Promise<ManagedLock> {
    const rejects = options.nested === 'reject';
    if (rejects && nested.isHopeless) return Promise.reject(nested.error());
    const rejection = new AbortController();
    const giveUp = rejects ? either(rejection.signal, options.signal) : undefined;
    const forget = this.time.schedule(() => {
      if (!nested.isHeldAround) return;
      if (rejects) rejection.abort(nested.error());
      else nested.warn();
    }, NESTED_TOLD_MS);
    const isOver = (): void => {
      forget();
      giveUp?.forget();
    };
    const begun = this.beginUnlessAborted(name, giveUp === undefined ? options : { ...options, signal: giveUp.signal });
    begun.then(isOver, isOver);
    return options.waitMs === undefined ? begun : begun.catch((error: unknown) => {
      if (!(error instanceof LockError) || error.code !== 'timeout' || !nested.isHeldAround) throw error;
      if (!rejects) nested.warn();
      throw new LockError('timeout', `${error.message}. It was ${nested.told}, and waited for itself`, { definite: error.definite, cause: error });
    });
  }

  /** An abort counts until the caller has the lock in hand, which is later than the grant by a microtask. */
  private beginUnlessAborted(name: string, options: BeginOptions): Promise<ManagedLock> {
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

  private async beginIfAvailable(name: string, options: BeginOptions): Promise<ManagedLock | null> {
    try {
      return await this.beginUnlessAborted(name, { ...options, ifAvailable: true });
    } catch (error) {
      if (error instanceof LockError && error.code === 'timeout') return null;
      throw error;
    }
  }

  request<T>(name: string, callback: (lock: Lock) => T): Promise<Awaited<T>>;
  request<T>(name: string, options: LockOptions & { readonly ifAvailable?: false }, callback: (lock: Lock) => T): Promise<Awaited<T>>;
  request<T>(name: string, options: LockOptions, callback: (lock: Lock | null) => T): Promise<Awaited<T>>;
  request<T>(
    first: string,
    second: LockOptions | ((lock: Lock) => T),
    third?: ((lock: Lock | null) => T) | ((lock: Lock) => T),
  ): Promise<Awaited<T>> {
    let read: RequestArguments<T>;
    try {
      read = readRequest<T>(first, second, third);
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- it is one, be it of another realm
      return Promise.reject(error);
    }
    const { name, options, callback } = read;
    const place = placeOf(name);
    const run = (lock: ManagedLock): T => insideHold(this, place, lock, callback);
    // Few promises: an entry that costs no message is as fast as they are.
    if (options.ifAvailable !== true) return this.beginUnlessNested(name, options).then((lock) => runInside(lock, run));
    return this.beginIfAvailable(name, options).then(async (lock): Promise<Awaited<T>> => (lock === null ? await callback(null) : await runInside(lock, run)));
  }

  async acquireAll(names: Iterable<string>, options: LockOptions = {}): Promise<HeldLocks> {
    const sorted = sortedNames(names);
    const fault = optionsFault(options);
    if (fault !== null) throw fault;
    const { time } = this;
    const deadlineMs = time.nowMs() + (options.waitMs ?? Infinity);
    const locks: ManagedLock[] = [];
    const lost = controllerThatLooks(() => {
      for (const lock of locks) lock.validForMs();
    });
    const release = async (): Promise<void> => {
      await Promise.all(locks.map((lock) => lock.release()));
    };
    const giveUp = either(lost.signal, options.signal);
    const begun = sorted.map((name) => beginHold(this, name, options.mode ?? 'exclusive'));
    try {
      for (const [index, name] of sorted.entries()) {
        const left = deadlineMs === Infinity ? {} : { waitMs: Math.max(0, deadlineMs - time.nowMs()) };
        const lock = await this.beginUnlessNested(name, { ...options, ...left, signal: giveUp.signal });
        locks.push(lock);
        const hold = begun[index];
        if (hold !== undefined) holds(hold, lock);
        // One that is lost while the others are waited for: then it is none of them.
        const { signal } = lock;
        if (signal.aborted) lost.abort(signal.reason);
        else onAbort(signal, () => lost.abort(signal.reason));
      }
      giveUp.signal.throwIfAborted();
    } catch (error) {
      for (const hold of begun) hold.isRefused = true;
      const told = release();
      const isAborted = options.signal?.aborted === true && error === options.signal.reason;
      if (!isAborted) await told;
      throw sorted.length > 1 && !isAborted ? ofAll(sorted, error) : error;
    } finally {
      giveUp.forget();
    }
    return {
      locks,
      signal: lost.signal,
      validForMs: () => Math.min(Infinity, ...locks.map((lock) => lock.validForMs())),
      release,
      [asyncDispose]: release,
    };
  }

  async once<T>(name: string, options: OnceOptions, callback: (lock: Lock) => T): Promise<OnceOutcome<Awaited<T>>> {
    const fault = nameFault(name) ?? onceFault(options, callback);
    if (fault !== null) throw fault;
    const { atLeastMs, signal, label } = options;
    const place = placeOf(name);
    const lock = await this.beginIfAvailable(name, { atLeastMs, ...(signal === undefined ? {} : { signal }), ...(label === undefined ? {} : { label }) });
    if (lock === null) return { ran: false };
    lock.keepAtLeast(atLeastMs);
    return { ran: true, value: await runInside(lock, (held) => insideHold(this, place, held, callback)) };
  }

  semaphore(name: string, permits: number): Semaphore {
    return new CountingSemaphore(name, permits, () => this.permitLine(name, permits));
  }

  election(name: string, options: ElectionOptions = {}): Election {
    return new LockElection(name, options, {
      begin: (lock, wish) => this.beginUnlessAborted(lock, wish),
      follow: (lock, tell) => this.followLeader(lock, tell),
    });
  }

  /** One for all callers that mean the same semaphore, as long as one of them has or wants a permit. */
  private permitLine(semaphore: string, permits: number): PermitLine {
    const key = `${permits} ${semaphore}`;
    const known = this.permitLines.get(key);
    if (known !== undefined) return known;
    const line: PermitLine = new PermitLine(semaphore, permits, {
      time: this.time,
      begin: (name, options) => this.beginUnlessAborted(name, options),
      saysQueued: this.saysQueued,
      isTakenHere: (name) => this.isTakenHere(name),
      query: () => this.query(),
    }, () => {
      if (this.permitLines.get(key) === line) this.permitLines.delete(key);
    });
    this.permitLines.set(key, line);
    return line;
  }

  /** Nobody waits for a permit any longer. */
  protected refuseSeekers(reason: LockError): void {
    for (const line of [...this.permitLines.values()]) line.refuse(reason);
  }
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
