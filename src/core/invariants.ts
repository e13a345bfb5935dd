/**
 * The assertions of the core. They stay on in production: a lock that is wrong is worse than one that
 * stopped. The names are those of protocol.md section 10; the simulator checks the global ones.
 */

/** Invariants that one node can check by itself. The last three are duties of whoever drives the core. */
export type LocalInvariant =
  | 'one-vote'
  | 'not-both'
  | 'grant-rises'
  | 'floor-holds'
  | 'clock-rises'
  | 'time-forward'
  | 'self-delivery'
  | 'started-once';

/** A bug, in the core or in its driver. Never an operating error. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
  readonly invariant: LocalInvariant;

  constructor(invariant: LocalInvariant, detail: string) {
    super(`invariant ${invariant} is broken: ${detail}`);
    this.invariant = invariant;
  }
}

/** Call it behind an `if`, so that the detail is only put together when it is needed. */
export function broken(invariant: LocalInvariant, detail: string): never {
  throw new InvariantError(invariant, detail);
}

/** Makes a `switch` exhaustive: the compiler refuses a variant that is not handled. */
export function assertNever(value: never): never {
  throw new TypeError(`not handled: ${JSON.stringify(value)}`);
}
