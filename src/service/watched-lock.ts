/**
 * What a client that watches a lock has to be told next: each change while it reads, and the present holders when it begins or
 * has fallen behind. Law: bounded, however little it reads and however many hold the lock; and whatever it missed, in the end it
 * knows exactly who holds the lock. Pure: it knows no stream.
 */
import type { LockChange } from '../locks/types';
import type { Followed, HolderChange } from '../locks/watchers';

/** Of so many changes that wait to be read none is left out. */
const CHANGES_MAX = 128;

/** Changes were left out. Who held the lock may hold it no more: the present holders follow. */
export const MISSED = 'missed';

export class WatchedLock {
  private readonly changes: HolderChange[] = [];
  private hasMissed = false;
  /** The holders that have not been told yet. */
  private present: Iterator<HolderChange> | undefined;
  /** Those granted up to this one have been told. */
  private toldUpTo = 0;

  constructor(private readonly followed: Pick<Followed, 'holders' | 'newest'>) {
    this.beginAnew();
  }

  onChange(change: HolderChange): void {
    // Its turn among the present holders comes, if it is there by then.
    if (change.grantNumber > this.toldUpTo) return;
    if (this.changes.push(change) <= CHANGES_MAX) return;
    this.changes.length = 0;
    this.hasMissed = true;
    this.beginAnew();
  }

  /** Undefined: nothing for now. */
  next(): LockChange | typeof MISSED | undefined {
    if (this.hasMissed) {
      this.hasMissed = false;
      return MISSED;
    }
    return this.changes.shift() ?? this.nextPresent();
  }

  private beginAnew(): void {
    this.present = this.followed.holders();
    this.told(0);
  }

  private nextPresent(): HolderChange | undefined {
    const result = this.present?.next();
    if (result === undefined) return undefined;
    // Whoever was granted it later is gone already.
    this.told(result.done === true ? Infinity : result.value.grantNumber);
    return result.done === true ? undefined : result.value;
  }

  private told(grantNumber: number): void {
    const isAll = grantNumber >= this.followed.newest();
    this.toldUpTo = isAll ? Infinity : grantNumber;
    if (isAll) this.present = undefined;
  }
}
