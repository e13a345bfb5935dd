/** The disks of machines, where each node keeps its ceiling: writing takes time, a disk may be full, a file may be lost. */
import { WALL_CLOCK_START_US } from '../plan/layout';
import type { Fault } from '../plan/plan';
import { CEILING } from './items';
import type { Machine } from './machine';
import { present } from './stage';
import type { Stage, Step } from './stage';

export class Disk {
  constructor(private readonly stage: Stage, private readonly step: Step) {}

  /** A node asks for a ceiling to be written. */
  reserve(machine: Machine, ceiling: number): void {
    const { nowUs, plan, isHealed, agenda } = this.stage;
    machine.ceilingUnderWay = ceiling;
    const atUs = nowUs + 1 + machine.random.below(isHealed ? 1000 : plan.diskUs);
    agenda.push(atUs, CEILING, machine.index, machine.life, ceiling);
  }

  write(machine: Machine, life: number, ceiling: number): void {
    if (machine.life !== life || machine.node === null || ceiling <= machine.ceilingOnDisk) return;
    machine.ceilingBefore = machine.ceilingOnDisk;
    machine.ceilingOnDisk = ceiling;
    machine.isFileOld = false;
  }

  /** The node hears that it is on disk. */
  written(machine: Machine, life: number, ceiling: number): void {
    if (machine.life !== life || machine.node === null) return;
    this.write(machine, life, ceiling);
    this.step(machine, { kind: 'ceilingReserved', nowMs: this.stage.nowMsAt(machine), ceiling });
  }

  isFull({ diskFullUntilUs }: Machine): boolean {
    return diskFullUntilUs > this.stage.nowUs;
  }

  waitForRoom(machine: Machine, life: number, ceiling: number): void {
    if (machine.life !== life || machine.node === null) return;
    this.stage.witnesses.happened('ceilingsDelayed');
    machine.ceilingUnwritten = Math.max(machine.ceilingUnwritten, ceiling);
  }

  makeRoom(machine: Machine): void {
    const { agenda, nowUs } = this.stage;
    machine.diskFullUntilUs = 0;
    if (machine.ceilingUnwritten > 0) agenda.push(nowUs + 1, CEILING, machine.index, machine.life, machine.ceilingUnwritten);
    machine.ceilingUnwritten = 0;
  }

  /**
   * What a death does to the disk, and whether a write that was under way still lands. `clock`: the highest that the node can
   * have told.
   */
  suffer(machine: Machine, { how, writeLands }: Extract<Fault, { kind: 'crash' }>, clock: number): void {
    const { witnesses } = this.stage;
    machine.toldClock = Math.max(machine.toldClock, clock);
    if (how === 'wipe' || how === 'stale' || how === 'corrupt') {
      machine.isFileLost = true;
      machine.ceilingLeft = how === 'stale' ? machine.ceilingBefore : 0;
      machine.isFileCorrupt = how === 'corrupt';
      if (how === 'wipe') witnesses.happened('wipes');
      if (how === 'stale') witnesses.happened('staleFiles');
    }
    if (machine.ceilingUnderWay > machine.ceilingOnDisk) witnesses.happened('ceilingsCutShort');
    if (writeLands && !this.isFull(machine)) this.write(machine, machine.life, machine.ceilingUnderWay);
  }

  /**
   * The wall clock at which a node starts, and what is on its disk by then. Nothing covers an older file but a wall clock that
   * has overtaken the Lamport clock: nobody can tell that it is old.
   */
  prepare(machine: Machine, wallBackUs: number): number {
    const { plan, nowUs, witnesses } = this.stage;
    const { wallSkewUs } = present(plan.machines[machine.index], 'machine', machine.index);
    const backUs = machine.life === 0 ? plan.uptimeUs : machine.isFileOld ? 0 : wallBackUs;
    machine.wallAheadUs = wallSkewUs - backUs;
    const wallClockUs = WALL_CLOCK_START_US + nowUs + machine.wallAheadUs;
    if (machine.isFileLost) {
      const isCovered = wallClockUs >= machine.toldClock;
      if (!isCovered) witnesses.happened('wipesNotCovered');
      if (isCovered || machine.ceilingLeft === 0) machine.ceilingOnDisk = machine.ceilingLeft;
      machine.isFileOld = isCovered && machine.ceilingLeft > 0;
      machine.isFileLost = false;
    }
    return wallClockUs;
  }
}
