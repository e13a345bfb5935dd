/**
 * Fencing, on the side of the resource that a lock protects: the resource remembers the highest token that it has seen
 * of each lock, and refuses a smaller one. So a holder that was paused past its lease, and wakes up after another one was
 * inside, does no harm. No lock service can prevent that by itself.
 * Law: tokens alone decide, no clock and no connection; check and write are one atomic step, which is the
 * store's part. Source: M. Kleppmann, How to do distributed locking, 2016.
 */
import type { Mode, Token } from '../core';
import { LockError } from '../errors';

/** The token of one holder of a lock. A `Lock` is one; so is what another process was told of it. */
export interface FencingToken {
  /** The lock's name. Tokens of different locks do not compare. */
  readonly name: string;
  readonly token: Token;
  /** Default `exclusive`. */
  readonly mode?: Mode;
}

/** What a store remembers of one lock. */
export interface TokensSeen {
  /** The highest token of an exclusive holder; 0 when there was none. */
  readonly exclusive: Token;
  /** The highest token of any holder. */
  readonly any: Token;
}

/** Where a resource keeps its tokens: beside its data, so that both change together or not at all. */
export interface FenceStore<Resource> {
  /**
   * In one atomic step: unless one of `tokens` is stale (see `admit`), remember all of them and do `write`.
   * `tokens` are of different locks, in the same order in every process. When `write` throws nothing has
   * changed, and the error is passed on. A store that commits only if nothing changed meanwhile may do
   * `write` again from the start.
   */
  transact<T>(tokens: readonly FencingToken[], write: (resource: Resource) => Promise<T>): Promise<FenceOutcome<T>>;
}

/** What a store says of a write. */
export type FenceOutcome<T> =
  | { readonly kind: 'written'; readonly value: T }
  /** Nothing has changed, for the lock `name` has the larger token `seen`. */
  | { readonly kind: 'stale'; readonly name: string; readonly seen: Token };

/** The lock under which a write is made, or several locks that all must be current. */
export type FencedBy = FencingToken | readonly FencingToken[] | { readonly locks: readonly FencingToken[] };

/** Writes to a resource that refuses holders of the past. Made by `fence`. */
export interface Fence<Resource> {
  /**
   * Do `write`, unless a later holder of one of the locks was here before. Resolves to what `write` returns.
   *
   * A holder may write as often as it likes, and again when it does not know whether its write arrived.
   * A shared holder is refused only when an exclusive one came after it. `write` must not use the same
   * fence again.
   *
   * @throws LockError `fenced` when a token is stale; nothing was written. `config` when there is no token,
   * one is no token, or two are of one lock. Passes on what `write` and the store throw. If the store could not be
   * reached at the end, nobody knows whether it has written.
   */
  write<T>(locks: FencedBy, write: (resource: Resource) => T): Promise<Awaited<T>>;
}

/** Guards the resource behind `store`: every write shows the token of the lock that it holds. */
export function fence<Resource>(store: FenceStore<Resource>): Fence<Resource> {
  return {
    write: async <T>(locks: FencedBy, write: (resource: Resource) => T): Promise<Awaited<T>> => {
      const tokens = tokensOf(locks);
      const outcome = await store.transact(tokens, async (resource): Promise<Awaited<T>> => await write(resource));
      if (outcome.kind === 'written') return outcome.value;
      throw staleError(outcome, tokens);
    },
  };
}

const NOTHING_SEEN: TokensSeen = { exclusive: 0, any: 0 };

/**
 * The rule, for stores that apply it themselves. `seen` is what the store remembered of the lock until now. Returns what
 * it must remember from now on, or null when the token is stale. An exclusive holder is stale when a larger token was
 * seen; an equal one is its own. Shared holders are inside together, with tokens in any order: one of them is stale
 * when an exclusive holder came after it.
 */
export function admit({ token, mode = 'exclusive' }: FencingToken, seen: TokensSeen = NOTHING_SEEN): TokensSeen | null {
  switch (mode) {
    case 'exclusive':
      return token < seen.any ? null : { exclusive: token, any: token };
    case 'shared':
      return token < seen.exclusive ? null : { exclusive: seen.exclusive, any: Math.max(seen.any, token) };
  }
}

/** Checked, and in the order of the names, so that two writers cannot wait for each other. */
function tokensOf(locks: FencedBy): readonly FencingToken[] {
  const tokens = 'locks' in locks ? [...locks.locks] : 'name' in locks ? [locks] : [...locks];
  if (tokens.length === 0) throw new LockError('config', 'a fenced write needs the token of at least one lock');
  tokens.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const [place, { name, token, mode }] of tokens.entries()) {
    const lock = JSON.stringify(name);
    if (typeof name !== 'string') throw new LockError('config', `a fenced write needs the name of its lock, a string, not ${lock}`);
    if (!Number.isSafeInteger(token) || token < 1) {
      throw new LockError('config', `the token of the lock ${lock} is a whole number from 1 to 2^53 - 1, not ${String(token)}`);
    }
    if (mode !== undefined && mode !== 'exclusive' && mode !== 'shared') {
      throw new LockError('config', `the mode of the lock ${lock} is 'exclusive' or 'shared', not ${JSON.stringify(mode)}`);
    }
    if (tokens[place + 1]?.name === name) throw new LockError('config', `a fenced write got two tokens of the lock ${lock}; give one`);
  }
  return tokens;
}

function staleError({ name, seen }: { readonly name: string; readonly seen: Token }, tokens: readonly FencingToken[]): LockError {
  const own = tokens.find((each) => each.name === name)?.token;
  return new LockError(
    'fenced',
    `refused to write under the lock ${JSON.stringify(name)} with token ${own}: a later holder with token ${seen} was here. ` +
      'The lock was lost meanwhile, and nothing was written. Take it again, and begin from what is there now',
  );
}
