/**
 * Who watches which lock of this node, and who holds what is watched. Law: each change is told once, in the order in which it
 * happened, and nobody who watches can make the node fail or wait.
 */
import { microtask } from '../runtime/turns';
import { permitOf } from './permit';
import type { LockChange, LockInfo } from './types';

/** Somebody who holds a lock through this node. */
export interface Holder {
  readonly name: string;
  /** Counts the grants of this node, whatever their lock. */
  readonly grantNumber: number;
  info(): LockInfo;
}

export interface HolderChange extends LockChange {
  /** Of the grant that this is about. */
  readonly grantNumber: number;
}

export interface Followed {
  /** Those who hold the lock now, first granted first. It may be read slowly: it leaves out who is gone meanwhile, and comes to who is new. */
  readonly holders: () => IterableIterator<HolderChange>;
  /** The number of the newest grant of the lock; 0 when there was none since somebody watches, and nobody holds it. */
  readonly newest: () => number;
  readonly stop: () => void;
}

interface Watched {
  readonly listeners: Set<(change: HolderChange) => void>;
  readonly holders: Set<Holder>;
  newest: number;
}

export class Watchers {
  /** What somebody watches, by the name of a lock or of a semaphore. Most often nobody does, and a change costs nothing. */
  private readonly byName = new Map<string, Watched>();

  /** @param held all that are known to hold a lock through this node, first granted first */
  constructor(private readonly held: () => Iterable<Holder>) {}

  isWatched(name: string): boolean {
    return this.watchedOf({ name }).length > 0;
  }

  granted(holder: Holder): void {
    for (const watched of this.watchedOf(holder)) {
      watched.holders.add(holder);
      watched.newest = holder.grantNumber;
      tell(watched, holder, 'held');
    }
  }

  ended(holder: Holder, change: 'released' | 'lost'): void {
    for (const watched of this.watchedOf(holder)) {
      watched.holders.delete(holder);
      tell(watched, holder, change);
    }
  }

  /** `listener` is called within the very turn of a change, and must not throw. */
  follow(name: string, listener: (change: HolderChange) => void): Followed {
    const watched = this.watched(name);
    watched.listeners.add(listener);
    return {
      *holders() {
        for (const holder of watched.holders) yield { change: 'held', lock: holder.info(), grantNumber: holder.grantNumber };
      },
      newest: () => watched.newest,
      stop: () => {
        watched.listeners.delete(listener);
        // Stopped twice, it finds those of others in its place.
        if (watched.listeners.size === 0 && this.byName.get(name) === watched) this.byName.delete(name);
      },
    };
  }

  /** Call back for each change, beginning with the present holders. Returns how to stop it. */
  watch(name: string, listener: (change: LockChange) => void): () => void {
    // In its own turn: what a listener throws is not the node's failure.
    const inTurn = ({ change, lock }: HolderChange): void => microtask(() => listener({ change, lock }));
    const { holders, stop } = this.follow(name, inTurn);
    for (const present of holders()) inTurn(present);
    return stop;
  }

  private watched(name: string): Watched {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    const holders = [...this.held()].filter((holder) => watchedNames(holder.name).includes(name));
    const watched: Watched = { listeners: new Set(), holders: new Set(holders), newest: holders.at(-1)?.grantNumber ?? 0 };
    this.byName.set(name, watched);
    return watched;
  }

  private watchedOf(holder: Pick<Holder, 'name'>): readonly Watched[] {
    return this.byName.size === 0 ? [] : watchedNames(holder.name).flatMap((name) => this.byName.get(name) ?? []);
  }
}

function watchedNames(lock: string): readonly string[] {
  const semaphore = permitOf(lock)?.semaphore;
  return semaphore === undefined ? [lock] : [lock, semaphore];
}

function tell({ listeners }: Watched, holder: Holder, change: LockChange['change']): void {
  const told: HolderChange = { change, lock: holder.info(), grantNumber: holder.grantNumber };
  for (const listener of listeners) listener(told);
}
