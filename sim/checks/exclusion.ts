/**
 * exclusion: no two incompatible holders at one true time. A hold counts until its caller is done with it or its
 * holder's own clock says that it ran out, even when its node has died meanwhile.
 * Must never look into the core: it believes nothing but what a user of the lock was told.
 */
import { violated } from './check';
import { describeHold, ofLock } from './scene';
import type { Hold, Scene } from './scene';
import type { Entry, Witness } from './witness';

export class Exclusion implements Witness {
  /** Entries beside an incompatible holder, where that is no violation; shared entries beside a shared holder on another node. */
  readonly figures = { overlaps: 0, besideNamesakes: 0, readersTogether: 0 };
  /** By lock. Those that ran out are dropped when they are met. */
  private readonly holds: Hold[][];

  constructor(
    private readonly scene: Scene,
    /** Where it is not promised, how it is counted: with clocks beyond the drift bound, and with two processes of one id that do not hear of each other. */
    private readonly unpromised: 'overlaps' | 'besideNamesakes' | null,
  ) {
    this.holds = scene.locks.map(() => []);
  }

  entered({ lock, hold, machine }: Entry): void {
    const holds = ofLock(this.holds, lock);
    if (hold.mode === 'shared' && holds.some((other) => other.mode === 'shared' && other.machine !== machine && this.isLive(other))) {
      this.figures.readersTogether++;
    }
    for (let i = holds.length - 1; i >= 0; i--) {
      const other = holds[i];
      if (other === undefined || (other.mode === 'shared' && hold.mode === 'shared')) continue;
      if (!this.isLive(other)) holds.splice(i, 1);
      else if (this.unpromised !== null) this.figures[this.unpromised]++;
      else violated('exclusion', `${describeHold(this.scene, lock, hold)} entered while ${describeHold(this.scene, lock, other)} holds it`);
    }
    holds.push(hold);
  }

  left(lock: number, hold: Hold): void {
    const holds = ofLock(this.holds, lock);
    const place = holds.indexOf(hold);
    if (place >= 0) holds.splice(place, 1);
  }

  private isLive({ machine, endsAtUs }: Hold): boolean {
    const place = this.scene.places[machine];
    if (place === undefined) throw new RangeError(`no machine ${machine}`);
    return place.alive.localUs(this.scene.nowUs) < endsAtUs;
  }
}
