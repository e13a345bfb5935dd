/**
 * Which locks the command that this process belongs to runs under: `maekawa lock` tells its command, and a `maekawa lock` in it
 * looks. Law: refuses only what is still held, for a daemon may have outlived the lock.
 */
import { LockError } from '../errors';
import type { LockInfo } from '../locks/types';
import { permitOf } from '../locks/permit';
import { printable } from './holders';

export const HELD_VARIABLE = 'MAEKAWA_HELD';

export interface HeldAround {
  /** Which cluster, as its nodes tell: two configurations may have a lock of one name. */
  readonly cluster: string;
  /** Of a semaphore: that of the lock behind the permit. */
  readonly lock: string;
  readonly mode: 'exclusive' | 'shared';
  readonly token: number;
}

export interface Wish {
  readonly cluster: string;
  readonly names: readonly string[];
  readonly mode: 'exclusive' | 'shared';
  /** Of a semaphore. */
  readonly permits?: number;
}

/** What the environment says. Anything that is not ours is no word about locks. */
export function heldAround(environment: NodeJS.ProcessEnv): HeldAround[] {
  try {
    const list: unknown = JSON.parse(environment[HELD_VARIABLE] ?? '[]');
    return Array.isArray(list) ? (list as unknown[]).filter(isHeldAround) : [];
  } catch {
    return [];
  }
}

function isHeldAround(value: unknown): value is HeldAround {
  if (typeof value !== 'object' || value === null) return false;
  const { cluster, lock, mode, token } = value as Partial<Record<keyof HeldAround, unknown>>;
  return typeof cluster === 'string' && typeof lock === 'string' && (mode === 'exclusive' || mode === 'shared') && typeof token === 'number';
}

/**
 * @param held what the nodes report
 * @throws LockError `config` when the wish waits for the end of a command that waits for it
 */
export function refuseNested(wish: Wish, around: readonly HeldAround[], held: readonly LockInfo[]): void {
  const here = around.filter((each) => each.cluster === wish.cluster && held.some((lock) => lock.name === each.lock && lock.token === each.token));
  for (const name of wish.names) {
    const own = here.filter(({ lock, mode }) =>
      wish.permits === undefined ? lock === name && !(mode === 'shared' && wish.mode === 'shared') : permitOf(lock)?.semaphore === name);
    if (own.length < (wish.permits ?? 1)) continue;
    const what = wish.permits === undefined ? `the lock ${printable(name)} is held` : `all ${wish.permits} permits of ${printable(name)} are held`;
    throw new LockError('config', `${what} by the maekawa lock that runs this command, so it would wait for itself; use the lock that you have, or take another one`);
  }
}
