/**
 * A counting semaphore made of locks: each permit is one lock. A caller first asks for the permit that it had last.
 * If that permit does not come at once, the caller asks for all of them, keeps the first that comes, and gives the
 * others back. So nobody waits while a permit is free, and each permit is as safe as a lock.
 */
import { LockError } from '../errors';
import { lockNameFault } from '../lock-name';
import { onAbort } from './abort';
import { runInside } from './managed-lock';
import type { ManagedLock, ManagerTime } from './managed-lock';
import { optionsFault } from './request-arguments';
import type { HeldPermit, LockOptions, Permit, Semaphore, SemaphoreOptions, SemaphoreRequestOptions } from './types';

const PERMITS_MAX = 64;

/** How long the first permit may take before the others are asked for too. */
const HEAD_START_MS = 20;

/** What a semaphore asks of its manager. */
export interface SemaphoreParts {
  readonly time: ManagerTime;
  readonly begin: (name: string, options: LockOptions) => Promise<ManagedLock>;
  /** Whether a caller known here has this permit or waits for it. */
  readonly isTakenHere: (name: string) => boolean;
}

/** The lock behind a permit. Names that start with `-` are no user's. */
export function permitName(semaphore: string, permit: number): string {
  return `-permit ${permit} of ${semaphore}`;
}

/** The permit behind a lock; null for a lock that is none. */
export function permitOf(lockName: string): { readonly semaphore: string; readonly permit: number } | null {
  const match = /^-permit (\d+) of (.*)$/s.exec(lockName);
  return match === null ? null : { semaphore: match[2] ?? '', permit: Number(match[1]) };
}

export class CountingSemaphore implements Semaphore {
  /** The permit to ask for first. Nodes begin with different ones. */
  private preferred: number;

  /** @throws LockError `config` when `permits` is not a whole number from 1 to 64, TypeError when the name is no string */
  constructor(
    readonly name: string,
    readonly permits: number,
    private readonly parts: SemaphoreParts,
  ) {
    if (typeof name !== 'string') throw new TypeError(`the name of a semaphore is a string, not ${typeof name}`);
    if (!Number.isInteger(permits) || permits < 1 || permits > PERMITS_MAX) {
      throw new LockError('config', `the semaphore ${JSON.stringify(name)} needs from 1 to ${PERMITS_MAX} permits, not ${String(permits)}`);
    }
    const fault = lockNameFault(permitName(this.name, PERMITS_MAX));
    if (fault !== null) throw new LockError('config', `the name of the semaphore is too long, because the names of its permits contain it: ${fault}. Give it a shorter one`);
    this.preferred = Math.floor(Math.random() * permits);
  }

  /** With `ifAvailable` rejects with a LockError `timeout` as soon as all permits are known to be taken. */
  async acquire(options: SemaphoreRequestOptions = {}): Promise<ManagedPermit> {
    const fault = optionsFault(options);
    if (fault !== null) throw fault;
    return this.first(options);
  }

  async tryAcquire(options: Pick<SemaphoreOptions, 'label'> = {}): Promise<ManagedPermit | null> {
    const fault = optionsFault(options);
    if (fault !== null) throw fault;
    try {
      return await this.acquire({ ...options, ifAvailable: true });
    } catch (error) {
      if (error instanceof LockError && error.code === 'timeout') return null;
      throw error;
    }
  }

  request<T>(callback: (permit: Permit) => T): Promise<Awaited<T>>;
  request<T>(options: SemaphoreRequestOptions & { readonly ifAvailable?: false }, callback: (permit: Permit) => T): Promise<Awaited<T>>;
  request<T>(options: SemaphoreRequestOptions, callback: (permit: Permit | null) => T): Promise<Awaited<T>>;
  async request<T>(
    optionsOrCallback: SemaphoreRequestOptions | ((permit: Permit) => T),
    callbackOrNothing?: ((permit: Permit | null) => T) | ((permit: Permit) => T),
  ): Promise<Awaited<T>> {
    const options = typeof optionsOrCallback === 'function' ? {} : optionsOrCallback;
    // Called with null only when `ifAvailable` is set, and then its type allows it.
    const callback = (typeof optionsOrCallback === 'function' ? optionsOrCallback : callbackOrNothing) as ((permit: Permit | null) => T) | undefined;
    if (typeof callback !== 'function') throw new TypeError('request needs a function to run while a permit is held');
    const fault = optionsFault(options);
    if (fault !== null) throw fault;
    if (options.ifAvailable !== true) return runInside(await this.acquire(options), callback);
    const permit = await this.tryAcquire(options);
    return permit === null ? await callback(null) : await runInside(permit, callback);
  }

  /** The permits as they are asked for: those that callers known here have come last. */
  private order(): number[] {
    const order = Array.from({ length: this.permits }, (_, index) => (this.preferred + index) % this.permits);
    const taken = new Set(order.filter((permit) => this.parts.isTakenHere(permitName(this.name, permit))));
    return [...order.filter((permit) => !taken.has(permit)), ...taken];
  }

  /** The first permit that is granted. */
  private first({ signal, waitMs, label, ifAvailable = false }: SemaphoreRequestOptions): Promise<ManagedPermit> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const giveUp = new AbortController();
      const stopListening = signal === undefined ? () => undefined : onAbort(signal, () => giveUp.abort(signal.reason));
      const headStartMs = Math.min(HEAD_START_MS, (waitMs ?? Infinity) / 2);
      let asked = 0;
      let failed = 0;
      let isOver = false;
      const end = (): void => {
        isOver = true;
        forgetOthers();
        stopListening();
      };
      const ask = (permit: number): void => {
        const waitedMs = asked++ === 0 ? 0 : headStartMs;
        const left = waitMs === undefined ? {} : { waitMs: waitMs - waitedMs };
        this.parts.begin(permitName(this.name, permit), { ifAvailable, signal: giveUp.signal, ...left, ...(label === undefined ? {} : { label }) }).then(
          (lock) => {
            if (isOver) return void lock.giveBack();
            end();
            this.preferred = permit;
            resolve(new ManagedPermit(lock, this.name, permit));
            giveUp.abort(new LockError('aborted', 'another permit came first'));
          },
          (error: unknown) => {
            failed++;
            if (isOver) return;
            if (ifAvailable && asked < order.length) askOthers();
            if (failed < asked && !giveUp.signal.aborted) return;
            end();
            giveUp.abort(error);
            const isAborted = signal?.aborted === true && error === signal.reason;
            reject(isAborted ? (error as Error) : this.named(error, waitMs));
          },
        );
      };
      const order = this.order();
      const askOthers = (): void => {
        forgetOthers();
        for (const permit of order.slice(asked)) ask(permit);
      };
      const forgetOthers = headStartMs === 0 ? () => undefined : this.parts.time.schedule(askOthers, headStartMs);
      for (const permit of headStartMs === 0 ? order : order.slice(0, 1)) ask(permit);
    });
  }

  /** In the words of the caller, who knows a semaphore and not the lock behind a permit. */
  private named(error: unknown, waitMs: number | undefined): Error {
    if (!(error instanceof LockError)) return error as Error;
    const within = waitMs === undefined ? '' : ` within ${waitMs} ms`;
    const why = error.code === 'timeout' ? ` is free${within}` : `: ${error.message}`;
    const message = `no permit of the semaphore ${JSON.stringify(this.name)} (${this.permits} permits)${why}`;
    return new LockError(error.code, message, { definite: error.definite, cause: error });
  }
}

/** The lock behind a permit, and which one it is. */
class ManagedPermit implements ManagedLock, HeldPermit {
  constructor(
    private readonly lock: ManagedLock,
    readonly semaphore: string,
    readonly permit: number,
  ) {}

  /** The permit's own, for its tokens compare with no other's. */
  get name(): string {
    return this.lock.name;
  }

  get mode(): ManagedLock['mode'] {
    return this.lock.mode;
  }

  get token(): number {
    return this.lock.token;
  }

  get signal(): AbortSignal {
    return this.lock.signal;
  }

  get lostReason(): LockError | undefined {
    return this.lock.lostReason;
  }

  validForMs(): number {
    return this.lock.validForMs();
  }

  onRenewed(listener: (validForMs: number) => void): void {
    this.lock.onRenewed(listener);
  }

  onLost(listener: (reason: LockError) => void): void {
    this.lock.onLost(listener);
  }

  release(): Promise<void> {
    return this.lock.release();
  }

  giveBack(): Promise<void> | null {
    return this.lock.giveBack();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lock[Symbol.asyncDispose]();
  }
}
