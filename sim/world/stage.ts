/**
 * What the parts of the world share: the true time, what is still to happen, machines and callers, and who watches.
 * It looks things up and tells of them; it makes nothing happen by itself.
 */
import { clockLockOf } from '../../src/core';
import type { Event, LayoutAct, LockName, LockView, NodeId } from '../../src/core';
import type { Coterie } from '../../src/quorum/coterie';
import type { RunPhase, Scene } from '../checks/scene';
import { inTurn } from '../checks/witness';
import type { Witnesses } from '../checks/witness';
import type { Core } from '../core';
import { coterieOf, coterieOfLayout, layoutOfFile, lockNamesOf, nodeIdsOfPlan, nodeNamesOf } from '../plan/layout';
import type { FileName, LayoutName, Plan } from '../plan/plan';
import { Agenda } from './agenda';
import { LOOK } from './items';
import { isHeldBack, newCaller, newMachine } from './machine';
import type { Caller, Machine } from './machine';
import { Network } from './network';
import type { Note, Observer } from './observer';

/** One event into the core of one node, and all that comes of it. */
export type Step = (machine: Machine, event: Event) => void;

export class Stage implements Scene {
  readonly agenda = new Agenda();
  readonly coterie: Coterie;
  readonly nodeIds: readonly NodeId[];
  readonly locks: readonly LockName[];
  readonly places: readonly Machine[];
  readonly callers: readonly Caller[];
  readonly network: Network;
  /** Who watches. */
  witnesses: Witnesses = inTurn([]);
  nowUs = 0;
  events = 0;
  phase: RunPhase = 'faults';
  /** What the operator's command wrote into the new file. */
  act: LayoutAct | null = null;
  private readonly lockIndex: ReadonlyMap<LockName, number>;
  private readonly coterieOfLayouts: Readonly<Record<LayoutName, Coterie>> | null;

  constructor(readonly plan: Plan, readonly core: Core, readonly observer: Observer | null) {
    this.nodeIds = nodeIdsOfPlan(plan);
    this.coterie = coterieOf(plan.family, new Set(this.nodeIds).size);
    const layouts = plan.rolling ?? plan.act;
    const ofLayout = (layout: LayoutName): Coterie => layouts === undefined ? this.coterie : coterieOfLayout(layouts[layout], plan.machines.length);
    this.coterieOfLayouts = layouts === undefined ? null : { old: ofLayout('old'), new: ofLayout('new') };
    // Nodes without memory ask for theirs; a node may die before its first ceiling is on disk.
    const forgets = plan.namesake !== undefined || plan.faults.some(({ kind }) => kind === 'crash');
    this.locks = [...lockNamesOf(plan.locks), ...(forgets ? this.nodeIds.map(clockLockOf) : [])];
    this.lockIndex = new Map(this.locks.map((lock, index) => [lock, index]));
    const names = nodeNamesOf(plan);
    this.places = plan.machines.map((_, index) => newMachine(plan, index, this.nodeIds[index] ?? '', names[index] ?? ''));
    this.callers = plan.callers.map(({ machine, wishes }, index) => newCaller(this.machine(machine), index, wishes));
    for (const caller of this.callers) caller.machine.callers.push(caller);
    this.network = new Network(plan.seed, this.places.length, plan.network);
  }

  get isHealed(): boolean {
    return this.phase !== 'faults';
  }

  /** Where all run with one file: that. */
  coterieOfFile(file: FileName | null): Coterie {
    return file === null || this.coterieOfLayouts === null ? this.coterie : this.coterieOfLayouts[layoutOfFile(file)];
  }

  machine(index: number): Machine {
    return present(this.places[index], 'machine', index);
  }

  caller(index: number): Caller {
    return present(this.callers[index], 'caller', index);
  }

  lockOf(name: LockName): number {
    return present(this.lockIndex.get(name), 'lock', name);
  }

  lockName(lock: number): LockName {
    return this.locks[lock] ?? '';
  }

  nowMs(machine: number): number {
    return this.nowMsAt(this.machine(machine));
  }

  nowMsAt({ monotonic, originUs }: Machine): number {
    return Math.floor((monotonic.localUs(this.nowUs) + originUs) / 1000);
  }

  endsAtUs(machine: number, validUntilMs: number): number {
    const { monotonic, alive, originUs } = this.machine(machine);
    const leftUs = validUntilMs * 1000 - originUs - monotonic.localUs(this.nowUs);
    return alive.localUs(this.nowUs) + leftUs;
  }

  inspect(machine: number, lock: number): LockView | null {
    const { node } = this.machine(machine);
    return node === null ? null : this.core.inspectLock(node, this.lockName(lock));
  }

  isHeldBack(machine: number): boolean {
    const { node } = this.machine(machine);
    if (isHeldBack(this.machine(machine))) return true;
    if (node === null) return false;
    // One that comes to itself again may not have been told yet of what its disk did meanwhile.
    const { clock, ceiling } = this.core.inspectNode(node);
    return clock > ceiling;
  }

  lookAt(atUs: number): void {
    this.agenda.push(atUs, LOOK, 0, 0);
  }

  note(note: Note): void {
    this.observer?.noted?.(this.nowUs, note);
  }
}

export function present<Item>(item: Item | undefined, what: string, which: number | string): Item {
  if (item === undefined) throw new RangeError(`no ${what} ${which}`);
  return item;
}
