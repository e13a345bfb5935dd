/**
 * Somebody in another process, which keeps a lock when it is done with it and enters again by itself, until others want the lock.
 * Law: whether such a lock is in use nobody knows but its keeper, so it is asked before anybody is told. Source: protocol.md section 15.4.
 */
import type { Token } from '../core';

export interface Keeper {
  /**
   * The lock was granted, and the keeper may take tokens up to this one by itself. Called before the grant is told, if at all.
   * `isInUse`: to be called when the keeper says that it uses the lock, and keeps it no further; or when it cannot be asked.
   */
  mayTake(until: Token, isInUse: () => void): void;
  /** Others want the lock, or want to know: it is to be given back at once, unless it is in use. */
  wanted(): void;
  /** The highest token that it took; undefined: nobody knows. */
  readonly taken: Token | undefined;
}
