/**
 * called-in: a caller that keeps its lock hears at once when somebody else wants it, as far as its node knows
 * (protocol.md section 15.4), and once; and whoever was told of room has asked for it.
 */
import { violated } from './check';
import { doesKeep } from './scene';
import type { CallerView, Scene } from './scene';
import type { Entry, Performed, Witness } from './witness';

interface Keeping {
  readonly caller: CallerView;
  readonly id: number;
  isTold: boolean;
}

export class CalledIn implements Witness {
  /** By machine, and there by lock. */
  private readonly keeping: Map<number, Keeping>[];

  constructor(private readonly scene: Scene) {
    this.keeping = scene.places.map(() => new Map<number, Keeping>());
  }

  entered({ machine, lock, caller, passTo }: Entry): void {
    // Whoever may pass it on knows that others want it.
    if (caller.taken === null || passTo.length > 0) return;
    if (!doesKeep(caller)) violated('called-in', `${this.scene.nodeIds[machine]} caller ${caller.id} has room for tokens, and asked for none`);
    this.keeping[machine]?.set(lock, { caller, id: caller.id, isTold: false });
  }

  performed(effect: Performed): void {
    if (effect.kind !== 'wanted') return;
    const lock = this.scene.lockOf(effect.lock);
    for (const locks of this.keeping) {
      const keeping = locks.get(lock);
      if (keeping?.id !== effect.caller) continue;
      if (keeping.isTold) violated('called-in', `caller ${effect.caller} keeps lock ${effect.lock}, and is told twice that somebody else wants it`);
      keeping.isTold = true;
    }
  }

  stepped(machine: number): void {
    const locks = this.keeping[machine];
    if (locks === undefined || locks.size === 0) return;
    for (const [lock, { caller, id, isTold }] of locks) {
      if (caller.id !== id || caller.state !== 'inside') {
        locks.delete(lock);
        continue;
      }
      const requester = this.scene.inspect(machine, lock)?.requester;
      if (isTold || requester?.state !== 'held' || (!requester.contended && requester.waitingCallers.length === 0)) continue;
      violated('called-in', `${this.scene.nodeIds[machine]} caller ${id} keeps lock ${this.scene.locks[lock]}, and was not told that somebody else wants it`);
    }
  }
}
