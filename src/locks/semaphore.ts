/**
 * A counting semaphore out of locks: each permit is one lock. A caller first asks for the permit that it
 * had last, and if that does not come at once for all of them; the first that comes counts, the others
 * are given back. So a permit that is free is never waited for in vain, and each is as safe as a lock.
 */
import { LockError } from '../errors';
import type { ManagedLock } from './base';
import { runInside } from './base';
import type { Lock, LockOptions, Semaphore, SemaphoreOptions } from './types';

const PERMITS_MAX = 64;

/** How long the first permit may take before the others are asked for too. */
const HEAD_START_MS = 20;

export class CountingSemaphore implements Semaphore {
  /** The permit to ask for first. Nodes begin with different ones. */
  private preferred: number;

  /** @throws LockError `config` when `permits` is not a whole number from 1 to 64 */
  constructor(
    readonly name: string,
    readonly permits: number,
    private readonly begin: (name: string, options: LockOptions) => Promise<ManagedLock>,
  ) {
    if (!Number.isInteger(permits) || permits < 1 || permits > PERMITS_MAX) {
      throw new LockError('config', `the semaphore ${JSON.stringify(name)} needs from 1 to ${PERMITS_MAX} permits, not ${permits}`);
    }
    this.preferred = Math.floor(Math.random() * permits);
  }

  /** With `ifAvailable` rejects with a LockError `timeout` as soon as all permits are known to be taken. */
  acquire({ signal, waitMs, label, ifAvailable = false }: SemaphoreOptions & Pick<LockOptions, 'ifAvailable'> = {}): Promise<ManagedLock> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const deadlineMs = waitMs === undefined ? undefined : performance.now() + waitMs;
      const giveUp = new AbortController();
      const onAbort = (): void => giveUp.abort(signal?.reason);
      signal?.addEventListener('abort', onAbort);
      let asked = 0;
      let failed = 0;
      let isOver = false;
      const end = (): void => {
        isOver = true;
        clearTimeout(headStart);
        signal?.removeEventListener('abort', onAbort);
      };
      const ask = (permit: number): void => {
        asked++;
        const leftMs = asked === 1 || deadlineMs === undefined ? waitMs : Math.max(0, deadlineMs - performance.now());
        const options = {
          ifAvailable, signal: giveUp.signal, ...(leftMs === undefined ? {} : { waitMs: leftMs }), ...(label === undefined ? {} : { label }),
        };
        this.begin(this.lockName(permit), options).then(
          (lock) => {
            if (isOver) return lock.release();
            end();
            this.preferred = permit;
            resolve(lock);
            giveUp.abort(new LockError('aborted', 'another permit came first'));
          },
          (error: unknown) => {
            failed++;
            if (isOver) return;
            if (ifAvailable && asked < this.permits) askOthers();
            if (failed < asked) return;
            end();
            giveUp.abort(error);
            reject(this.named(error, waitMs));
          },
        );
      };
      const first = this.preferred;
      const askOthers = (): void => {
        clearTimeout(headStart);
        for (let i = 1; i < this.permits; i++) ask((first + i) % this.permits);
      };
      const headStart = setTimeout(askOthers, HEAD_START_MS);
      ask(first);
    });
  }

  request<T>(callback: (permit: Lock) => T): Promise<Awaited<T>>;
  request<T>(options: SemaphoreOptions, callback: (permit: Lock) => T): Promise<Awaited<T>>;
  async request<T>(optionsOrCallback: SemaphoreOptions | ((permit: Lock) => T), callbackOrNothing?: (permit: Lock) => T): Promise<Awaited<T>> {
    const options = typeof optionsOrCallback === 'function' ? {} : optionsOrCallback;
    const callback = typeof optionsOrCallback === 'function' ? optionsOrCallback : callbackOrNothing;
    if (typeof callback !== 'function') throw new TypeError('request needs a function to run while a permit is held');
    return runInside(await this.acquire(options), callback);
  }

  /** Names that start with `-` are no user's. */
  private lockName(permit: number): string {
    return `-permit ${permit} of ${this.name}`;
  }

  /** In the words of whoever asked: it knows a semaphore and not the lock behind a permit. */
  private named(error: unknown, waitMs: number | undefined): Error {
    if (!(error instanceof LockError)) return error as Error;
    const within = waitMs === undefined ? '' : ` within ${waitMs} ms`;
    const why = error.code === 'timeout' ? ` is free${within}` : `: ${error.message}`;
    const message = `no permit of the semaphore ${JSON.stringify(this.name)} (${this.permits} permits)${why}`;
    return new LockError(error.code, message, { definite: error.definite, cause: error });
  }
}
