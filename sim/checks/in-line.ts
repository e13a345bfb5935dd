/**
 * in-line: callers of one node go in the order in which they asked, and no caller's request is younger than its asking
 * (protocol.md section 6.2). One that steals goes before all, and makes those behind it ask anew; so does a node that learns what it has forgotten.
 */
import { isCompatible } from '../../src/core';
import type { Event, LamportTime } from '../../src/core';
import { violated } from './check';
import { clockOf, wishOf } from './scene';
import type { CallerView, Scene } from './scene';
import type { Entry, Witness } from './witness';

export class InLine implements Witness {
  /** By caller: no timestamp of its request is above that. */
  private readonly askedBy: LamportTime[] = [];
  private asking: CallerView | null = null;

  constructor(private readonly scene: Scene, private readonly hasThieves: boolean) {}

  asked(caller: CallerView): void {
    this.asking = caller;
    this.askedBy[caller.index] = Infinity;
  }

  /** It has asked: its clock is not below the timestamp that the caller was given. */
  stepped(machine: number, event: Event): void {
    const { asking } = this;
    if (event.kind !== 'acquire' || asking === null) return;
    this.asking = null;
    if (event.steals !== true) this.askedBy[asking.index] = clockOf(this.scene, machine);
  }

  /** Its callers ask anew. */
  joined(machine: number): void {
    for (const { index } of this.scene.places[machine]?.callers ?? []) this.askedBy[index] = Infinity;
  }

  entered({ machine, lock, caller, requester }: Entry): void {
    const { mode, steals } = wishOf(caller);
    if (steals) return;
    for (const other of caller.machine.callers) {
      if (other === caller || other.state !== 'waiting' || other.lock !== lock || other.id > caller.id || isCompatible(wishOf(other).mode, mode)) continue;
      violated('in-line', `${this.scene.nodeIds[machine]} lets caller ${caller.id} in before caller ${other.id}, which asked for lock ${this.scene.locks[lock]} before it`);
    }
    if (this.hasThieves || requester?.state !== 'held') return;
    const { timestamp } = requester.request;
    const askedBy = this.askedBy[caller.index] ?? Infinity;
    if (timestamp <= askedBy) return;
    violated('in-line', `${this.scene.nodeIds[machine]} caller ${caller.id} enters lock ${this.scene.locks[lock]} by request ${timestamp}, although it asked at ${askedBy}`);
  }
}
