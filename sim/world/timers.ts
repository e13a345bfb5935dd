/** The timers of nodes: each wishes to be woken at one time of its own, and is, a little late. */
import { WAKE } from './items';
import type { Machine } from './machine';
import type { Stage, Step } from './stage';

export class Timers {
  constructor(private readonly stage: Stage, private readonly step: Step) {}

  /** As the node wishes now. */
  set(machine: Machine, atMs: number): void {
    machine.wakeAtMs = atMs;
    this.schedule(machine);
  }

  /** The machine's clock goes at another rate now. */
  adjust(machine: Machine): void {
    if (machine.wakeAtMs !== Infinity && machine.node !== null) this.schedule(machine);
  }

  wake(machine: Machine, generation: number): void {
    if (machine.wakeGeneration !== generation || machine.node === null) return;
    machine.wakeItemUs = Infinity;
    if (machine.wakeAtMs === Infinity) return;
    if (this.stage.nowMsAt(machine) < machine.wakeAtMs) this.schedule(machine);
    else this.wakeNow(machine);
  }

  /** At its time, or for nothing. */
  wakeNow(machine: Machine): void {
    const nowMs = this.stage.nowMsAt(machine);
    if (nowMs >= machine.wakeAtMs) machine.wakeAtMs = Infinity;
    this.step(machine, { kind: 'wake', nowMs });
  }

  private schedule(machine: Machine): void {
    const { nowUs, plan, isHealed, agenda } = this.stage;
    const dueUs = Math.max(nowUs, machine.monotonic.trueUs(machine.wakeAtMs * 1000 - machine.originUs));
    const atUs = dueUs + machine.random.below(isHealed ? 1000 : plan.timerLagUs);
    // An earlier item comes first and looks again.
    if (machine.wakeItemUs <= atUs) return;
    machine.wakeItemUs = atUs;
    agenda.push(atUs, WAKE, machine.index, ++machine.wakeGeneration);
  }
}
