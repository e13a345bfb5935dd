/** A permit of a semaphore: the lock behind it, and how that is named. */
import type { LockError } from '../errors';
import { asyncDispose } from './async-dispose';
import type { LockInside } from './managed-lock';
import type { HeldPermit } from './types';

/** The lock behind a permit. Names that start with `-` are no user's. */
export function permitName(semaphore: string, permit: number): string {
  return `-permit ${permit} of ${semaphore}`;
}

/** The permit behind a lock; null for a lock that is none. */
export function permitOf(lockName: string): { readonly semaphore: string; readonly permit: number } | null {
  const match = /^-permit (\d+) of (.*)$/s.exec(lockName);
  return match === null ? null : { semaphore: match[2] ?? '', permit: Number(match[1]) };
}

/** The lock behind a permit, and which one it is. */
export class ManagedPermit implements LockInside, HeldPermit {
  private lostListener: ((reason: LockError) => void) | undefined;

  /** @param onOver called once, when the permit is held here no more: given back, or lost. */
  constructor(
    private readonly lock: LockInside,
    readonly semaphore: string,
    readonly permit: number,
    private onOver: () => void,
  ) {
    lock.onLost((reason) => {
      this.end();
      this.lostListener?.(reason);
    });
  }

  /** The permit's own, for its tokens compare with no other's. */
  get name(): string {
    return this.lock.name;
  }

  get mode(): LockInside['mode'] {
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
    if (this.lostReason !== undefined) listener(this.lostReason);
    else this.lostListener = listener;
  }

  async release(): Promise<void> {
    await this.giveBack();
  }

  giveBack(): Promise<void> | null {
    const told = this.lock.giveBack();
    this.end();
    return told;
  }

  [asyncDispose](): Promise<void> {
    return this.release();
  }

  private end(): void {
    const { onOver } = this;
    this.onOver = () => undefined;
    onOver();
  }
}
