/** no-residue: when nobody asks any more, it comes to rest, and every node of the core forgets every lock within a lease. */
import { longestTerms } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { progressBoundUs } from './bounds';
import { violated } from './check';
import type { Scene } from './scene';
import type { Witness } from './witness';

export class NoResidue implements Witness {
  constructor(private readonly scene: Scene, private readonly plan: Plan) {}

  unsettled(sinceUs: number): void {
    const restMaxUs = this.plan.progressBoundUs ?? progressBoundUs(this.plan) + 10 * longestTerms(this.plan).leaseMs * 1000;
    if (sinceUs + restMaxUs < this.scene.nowUs) violated('no-residue', 'nobody wants a lock, and still it does not come to rest');
  }

  settled(): void {
    const { core, places } = this.scene;
    for (const { id, node, isLostForEver } of places) {
      if (node === null || isLostForEver) continue;
      for (const lock of core.lockNames(node)) violated('no-residue', `${id} keeps ${JSON.stringify(core.inspectLock(node, lock))}`);
    }
  }
}
