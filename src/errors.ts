/**
 * The one error class of the project. Operating errors (a bad file, a busy port, a time-out, a lost
 * lock) are `LockError`s with a code; a broken invariant is an `InvariantError` from the core instead.
 * Messages say what happened and what to do; programs tell errors apart by `code`, never by text.
 */

/** What went wrong, for programs. The README has a table of what to do. */
export type LockErrorCode =
  /** The configuration, an option or a command line is wrong. Mend it; trying again does not help. */
  | 'config'
  /** The lock was not granted within the time given. */
  | 'timeout'
  /** The caller gave up waiting (its signal was aborted). */
  | 'aborted'
  /** The lock was held, and its votes ran out before they could be renewed. */
  | 'lost'
  /** The caller's own chain of calls holds the lock, and asked with `nested: 'reject'`. */
  | 'nested'
  /** The lock was held for as long as `maxHoldMs` allows. */
  | 'expired'
  /** No quorum of nodes can be reached. */
  | 'no-quorum'
  /** The lock was held, and another request took it with `steal`. */
  | 'stolen'
  /** A fenced resource has seen a later holder: the lock was lost meanwhile, and nothing was written. */
  | 'fenced'
  /** The node or client is shutting down or was stopped. */
  | 'closed'
  /** A node could not be reached, or its address is in use. */
  | 'unreachable'
  /** A peer or client broke the wire protocol, or speaks another version or configuration. */
  | 'protocol'
  /** The data directory cannot be used: in use by another process, corrupt, not writable. */
  | 'storage';

/** What else an error knows. */
export interface LockErrorOptions {
  /**
   * Whether the outcome is known. `true`: nothing of the failed operation is in effect. `false`: it may be in effect,
   * because a request was sent and nobody knows what became of it. Default true.
   */
  readonly definite?: boolean;
  readonly cause?: unknown;
}

/** Every operating error. Tell errors apart by `code`; the message is for people, and says what to do. */
export class LockError extends Error {
  override readonly name = 'LockError';
  readonly code: LockErrorCode;
  /** Whether nothing of the failed operation is in effect. `false`: it may be, nobody knows. */
  readonly definite: boolean;

  constructor(code: LockErrorCode, message: string, options: LockErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.definite = options.definite ?? true;
  }
}
