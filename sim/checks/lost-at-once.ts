/**
 * lost-at-once: a hold that ran out is told at that moment, for which its node has asked to be woken, and never comes
 * back. Sleep shortens what is left of a lease by the node's time, and those inside must hear of that too.
 */
import type { Event } from '../../src/core';
import { violated } from './check';
import { describeHold, isDeaf } from './scene';
import type { Place, Scene } from './scene';
import type { Renewal, Witness } from './witness';

export class LostAtOnce implements Witness {
  constructor(private readonly scene: Scene) {}

  stepped(machine: number, event: Event): void {
    const place = this.scene.places[machine];
    if (place === undefined) throw new RangeError(`no machine ${machine}`);
    this.demandWake(place);
    if (event.kind === 'wake') this.demandTold(place, event.nowMs);
    else if (event.kind === 'slept') this.demandToldOfSleep(place);
  }

  renewed({ lock, hold, endedAtUs }: Renewal): void {
    const { places, nowUs } = this.scene;
    if (endedAtUs === null || (places[hold.machine]?.alive.localUs(nowUs) ?? 0) < endedAtUs) return;
    violated('lost-at-once', `${describeHold(this.scene, lock, hold)} was renewed after it had run out`);
  }

  /** Whoever is inside can be told in time only by a node that is awake then. */
  private demandWake({ id, callers, wakeAtMs }: Place): void {
    for (const caller of callers) {
      if (caller.state === 'inside' && caller.validUntilMs < wakeAtMs) {
        violated('lost-at-once', `${id} caller ${caller.id} holds until ${caller.validUntilMs}, and its node sleeps until ${wakeAtMs}`);
      }
    }
  }

  private demandTold({ id, callers }: Place, nowMs: number): void {
    for (const caller of callers) {
      if (caller.state === 'inside' && caller.validUntilMs <= nowMs) {
        violated('lost-at-once', `${id} caller ${caller.id} holds until ${caller.validUntilMs}, and was not told at ${nowMs}`);
      }
    }
  }

  private demandToldOfSleep({ index, id, callers }: Place): void {
    for (const caller of callers) {
      const { hold, validUntilMs } = caller;
      if (caller.state === 'inside' && hold !== null && !isDeaf(caller) && this.scene.endsAtUs(index, validUntilMs) > hold.endsAtUs) {
        violated('lost-at-once', `${id} caller ${caller.id} was not told that sleep took some of its lease`);
      }
    }
  }
}
