/**
 * usable: a caller that enters has a tenth of the lease or more before it, by its node's clock; unless it joins readers of its node
 * that are inside already: then it has what they have (protocol.md sections 1 and 6.5).
 */
import { reentryLeftMs } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { joinsOthers } from './scene';
import type { Scene } from './scene';
import type { Entry, Witness } from './witness';

export class Usable implements Witness {
  constructor(private readonly scene: Scene, private readonly plan: Plan) {}

  entered({ machine, lock, caller, hold, validUntilMs }: Entry): void {
    const leftMs = validUntilMs - this.scene.nowMs(machine);
    if (leftMs >= reentryLeftMs(termsAt(this.plan, this.scene.nowUs).leaseMs)) return;
    if (joinsOthers(caller)) return;
    violated('usable', `${this.scene.nodeIds[machine]} caller ${hold.caller} enters lock ${this.scene.locks[lock]} with ${leftMs} ms left`);
  }
}
