/**
 * A counting semaphore made of locks: each permit is one lock, and as safe as one. Which permits a caller asks for,
 * `PermitLine` decides. Law: whoever has a permit has a lock with a name and tokens of its own.
 */
import { LockError } from '../errors';
import { lockNameFault } from '../lock-name';
import { runInside } from './managed-lock';
import { permitName } from './permit';
import type { ManagedPermit } from './permit';
import type { PermitLine } from './permit-line';
import { optionsFault } from './request-arguments';
import type { Permit, Semaphore, SemaphoreOptions, SemaphoreRequestOptions } from './types';

export const PERMITS_MAX = 64;

export class CountingSemaphore implements Semaphore {
  /** The permit to ask for first: the one that was had last, for its votes may be here still. Others begin with another one. */
  private preferred: number;

  /**
   * @param line where callers of this process stand that want a permit now
   * @throws LockError `config` when `permits` is not a whole number from 1 to 64, TypeError when the name is no string
   */
  constructor(
    readonly name: string,
    readonly permits: number,
    private readonly line: () => PermitLine,
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
    // Before there is a line: one that nobody stands in would never be forgotten.
    options.signal?.throwIfAborted();
    const permit = await this.line().seek(options, this.preferred);
    this.preferred = permit.permit;
    return permit;
  }

  async tryAcquire(options: Pick<SemaphoreOptions, 'maxHoldMs' | 'label'> = {}): Promise<ManagedPermit | null> {
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
}
