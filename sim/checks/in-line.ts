/**
 * in-line: callers of one node go in the order in which they asked, and no caller's request is younger than its asking
 * (protocol.md section 6.2); behind a reader all readers in line enter, up to the next writer (6.5);
 * a reader that is the next joins readers that are inside, while their request has heard of nobody else and a tenth of the lease is left (6.2);
 * and the first in line has a request in the protocol. One that steals goes before all, and makes those behind it ask anew; so does a node that learns what it has forgotten.
 */
import { isCompatible, reentryLeftMs } from '../../src/core';
import type { Event, LamportTime, RequesterView } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { clockOf, wishOf } from './scene';
import type { CallerView, Scene } from './scene';
import type { Entry, Witness } from './witness';

export class InLine implements Witness {
  /** By caller: no timestamp of its request is above that. */
  private readonly askedBy: LamportTime[] = [];
  private asking: CallerView | null = null;
  /** The lock that a reader entered in the event that is being handled. */
  private readFrom: number | null = null;

  constructor(private readonly scene: Scene, private readonly plan: Plan, private readonly hasThieves: boolean) {}

  asked(caller: CallerView): void {
    this.asking = caller;
    this.askedBy[caller.index] = Infinity;
  }

  /** It has asked: its clock is not below the timestamp that the caller was given. */
  stepped(machine: number, event: Event): void {
    const { asking, readFrom } = this;
    this.readFrom = null;
    if (readFrom !== null) this.judgeBehind(machine, readFrom);
    this.scene.locks.forEach((_, lock) => this.judgeFirst(machine, lock));
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
    if (mode === 'shared') this.readFrom = lock;
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

  private judgeFirst(machine: number, lock: number): void {
    const { core, places, nodeIds, locks } = this.scene;
    const node = places[machine]?.node ?? null;
    const requester = this.scene.inspect(machine, lock)?.requester;
    if (requester?.state === 'held') return this.judgeJoins(machine, lock, requester);
    if (node === null || requester?.state !== 'idle' || requester.waitingCallers.length === 0 || !core.remembers(node)) return;
    violated('in-line', `${nodeIds[machine]} asks nobody for lock ${locks[lock]}, although caller ${requester.waitingCallers[0]} waits for it`);
  }

  private judgeJoins(machine: number, lock: number, { mode, contended, validUntilMs, waitingCallers }: Extract<RequesterView, { state: 'held' }>): void {
    const [first] = waitingCallers;
    if (first === undefined || mode !== 'shared' || contended) return;
    const { places, nodeIds, locks, nowUs } = this.scene;
    const leftMs = validUntilMs - this.scene.nowMs(machine);
    const next = places[machine]?.callers.find(({ id, state }) => id === first && state === 'waiting');
    if (next === undefined || wishOf(next).mode !== 'shared' || leftMs < reentryLeftMs(termsAt(this.plan, nowUs).leaseMs)) return;
    violated('in-line', `${nodeIds[machine]} caller ${next.id}, a reader that is the next in line, does not join the readers of lock ${locks[lock]}, which they have for ${leftMs} ms more`);
  }

  private judgeBehind(machine: number, lock: number): void {
    const requester = this.scene.inspect(machine, lock)?.requester;
    if (requester?.state !== 'held' || requester.mode !== 'shared') return;
    const [first] = requester.waitingCallers;
    const next = this.scene.places[machine]?.callers.find(({ id, state }) => id === first && state === 'waiting');
    if (next === undefined || wishOf(next).mode !== 'shared') return;
    violated('in-line', `${this.scene.nodeIds[machine]} lets a reader into lock ${this.scene.locks[lock]}, and not caller ${next.id}, a reader that is the next in line`);
  }
}
