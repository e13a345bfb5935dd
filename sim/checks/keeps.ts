/**
 * keeps: nobody loses a lock that was not stolen. Without faults never; in `steadfast` runs not while a quorum lives, which the
 * ledger in steadfast.ts decides; in `spaced` runs not by a mishap of others.
 */
import { claimOf } from '../../src/core';
import type { NodeId, RequestId } from '../../src/core';
import { endUsOf } from '../plan/outages';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import type { Openings } from './openings';
import type { CallerView, Hold, Scene } from './scene';
import { Steadfast } from './steadfast';
import type { Struck } from './struck';
import type { EffectOf, Entry, Witness } from './witness';

/** Without faults. */
export class KeepsAlways implements Witness {
  constructor(private readonly scene: Scene) {}

  lost(machine: number, { caller, thief }: EffectOf<'lost' | 'recalled'>): void {
    if (thief === undefined) violated('keeps', `${this.scene.nodeIds[machine]} caller ${caller} loses its lock without any fault`);
  }
}

/** While a quorum lives. */
export class KeepsWhileQuorumLives implements Witness {
  /** Holds given back after an arbiter that they began with had been away for a lease or longer; and holds lost that were not owed. */
  readonly figures = { outlived: 0, notOwed: 0 };
  private readonly ledger: Steadfast;
  /** By number of the hold: when it began, and the arbiters whose votes it began with. */
  private readonly beginnings: { readonly atUs: number; readonly granted: readonly NodeId[] }[] = [];

  constructor(private readonly scene: Scene, private readonly plan: Plan, private readonly openings: Openings) {
    this.ledger = new Steadfast(scene, plan);
  }

  started(machine: number): void {
    this.ledger.started(machine, this.scene.places[machine]?.ceilingOnDisk ?? 0);
  }

  stepped(machine: number): void {
    this.ledger.acted(this.scene.nowUs, machine);
  }

  entered({ hold, requester }: Entry): void {
    this.beginnings[hold.number] = { atUs: this.scene.nowUs, granted: requester?.state === 'held' ? requester.granted : [] };
  }

  /** It is given back although the vote of an arbiter that it began with must have run out. */
  left(_lock: number, hold: Hold, isDone: boolean): void {
    const beginning = this.beginnings[hold.number];
    if (!isDone || beginning === undefined) return;
    const longestUs = this.ledger.longestOutageUs(this.scene.nowUs, beginning.atUs, beginning.granted);
    if (longestUs >= this.plan.leaseMs * 1000) this.figures.outlived++;
  }

  lost(machine: number, effect: EffectOf<'lost' | 'recalled'>, caller: CallerView | undefined): void {
    if (effect.thief !== undefined) return;
    const { nowUs, nodeIds } = this.scene;
    const node = nodeIds[machine] ?? '';
    const lock = this.scene.lockOf(effect.lock);
    const { timestamp, mode, steals } = this.openings.by(machine, lock);
    const request: RequestId = { timestamp, node };
    if (this.ledger.isOwed(nowUs, lock, machine, { request, claim: claimOf(steals, true), mode, enteredAtUs: caller?.enteredAtUs ?? 0 })) {
      violated('keeps', `${node} caller ${effect.caller} loses lock ${effect.lock}, although there was a quorum all the time`);
    }
    this.figures.notOwed++;
  }
}

/**
 * Where faults come one at a time: a node that no fault struck keeps its lock, whatever happened to others. But for one whose vote was lent to
 * a request of a node that a fault struck (protocol.md section 18.6), and where so many are away that no quorum is left.
 */
export class KeepsWhenOthersAreStruck implements Witness {
  constructor(private readonly scene: Scene, private readonly plan: Plan, private readonly struck: Struck) {}

  lost(machine: number, effect: EffectOf<'lost' | 'recalled'>, caller: CallerView | undefined): void {
    if (effect.thief !== undefined || this.scene.phase !== 'faults' || caller === undefined) return;
    const { nowUs, nodeIds } = this.scene;
    const leaseUs = this.plan.leaseMs * 1000;
    const lock = this.scene.lockOf(effect.lock);
    for (const fault of this.plan.faults) {
      if (fault.atUs > nowUs || endUsOf(fault) + 2 * leaseUs < nowUs || fault.kind === 'rate' || fault.kind === 'wake') continue;
      if (this.struck.roleOfHolder(fault, machine, lock) !== 'aside') return;
    }
    if (!this.struck.isRestart(nowUs) && this.struck.quorumIsBackUs(nowUs - leaseUs) > nowUs - leaseUs) return;
    violated('keeps', `${nodeIds[machine]} caller ${effect.caller} loses lock ${effect.lock}, although no fault struck it, ${nowUs - caller.enteredAtUs} us after it entered`);
  }
}
