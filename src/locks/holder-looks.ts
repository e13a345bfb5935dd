/**
 * Who holds the locks for which somebody here waits, as the other nodes tell. For messages: a request that is about to give up
 * names whom it waited for. Law: one look for all who wait for a lock here, and none when nobody does.
 */
import type { LockChange, LockInfo } from './types';

interface Look {
  users: number;
  holder: LockInfo | undefined;
  readonly stop: () => void;
}

export class HolderLooks {
  private readonly looks = new Map<string, Look>();

  /** @param watch be told of each change of who holds the lock through another node; returns how to stop it */
  constructor(private readonly watch: (name: string, listener: (change: LockChange) => void) => () => void) {}

  /** Look from now on. Returns how to stop it. */
  begin(name: string): () => void {
    let look = this.looks.get(name);
    if (look === undefined) {
      const begun: Look = { users: 0, holder: undefined, stop: this.watch(name, (change) => note(begun, name, change)) };
      this.looks.set(name, (look = begun));
    }
    const mine = look;
    mine.users++;
    return () => {
      if (--mine.users > 0) return;
      mine.stop();
      this.looks.delete(name);
    };
  }

  /** The one that was heard of last; of several readers one. */
  holderOf(name: string): LockInfo | undefined {
    return this.looks.get(name)?.holder;
  }
}

function note(look: Look, name: string, { change, lock }: LockChange): void {
  // A semaphore of the same name is another matter.
  if (lock.name !== name) return;
  if (change === 'held') look.holder = lock;
  else if (look.holder?.token === lock.token) look.holder = undefined;
}
