/**
 * Somebody in another process, which keeps a lock when it is done with it and enters again by itself, until others want the lock; or
 * passes it on to its own callers that stand behind.
 * Law: whether a lock that is kept is in use nobody knows but its keeper, so it is asked before anybody is told.
 * Source: protocol.md sections 15.4 and 15.5.
 */
import type { ClientNumber, Token } from '../core';

export interface Keeper {
  /** It means to keep the lock. */
  readonly keeps: boolean;
  /** Of which client, if that passes the lock on. */
  readonly client: ClientNumber | null;
  /**
   * The lock was granted, and the keeper may take tokens up to this one by itself. Called before the grant is told, if at all.
   * `isInUse`: to be called when the keeper says that it uses the lock, and keeps it no further; or when it cannot be asked.
   */
  mayTake(until: Token, isInUse: () => void): void;
  /** The lock was granted, and the keeper may let these in after it, in this order. Called before the grant is told, if at all. */
  mayPass(until: Token, to: readonly Keeper[]): void;
  /** Others want the lock, or want to know: it is to be given back at once, unless it is in use. */
  wanted(): void;
  /** The highest token that it took; undefined: nobody knows. */
  readonly taken: Token | undefined;
}
