/**
 * Machines that sleep and nodes that are frozen. Whoever runs again first learns how long it slept, then handles all that came
 * meanwhile.
 */
import type { Detection } from './detection';
import type { Deferred, Machine } from './machine';
import { STOPPED_PPM } from './machine-clock';
import type { Stage, Step } from './stage';
import type { Timers } from './timers';

export class Sleep {
  constructor(
    private readonly stage: Stage,
    private readonly step: Step,
    private readonly timers: Timers,
    private readonly detection: Detection,
    /** Handles what came meanwhile. */
    private readonly handle: (machine: Machine, item: Deferred) => void,
  ) {}

  isRunning({ frozenUntilUs, isAsleep }: Machine): boolean {
    return frozenUntilUs <= this.stage.nowUs && !isAsleep;
  }

  setRate(machine: Machine, ratePpm: number): void {
    const { nowUs } = this.stage;
    if (!machine.isAsleep) machine.monotonic.setRate(nowUs, ratePpm);
    machine.alive.setRate(nowUs, ratePpm);
    this.timers.adjust(machine);
  }

  freeze(machine: Machine, forUs: number): void {
    const { nowUs, witnesses } = this.stage;
    machine.frozenUntilUs = Math.max(machine.frozenUntilUs, nowUs + forUs);
    witnesses.happened('pauses');
    this.detection.lookFromAll(machine.index);
  }

  fallAsleep(machine: Machine, forUs: number): void {
    const { nowUs, witnesses } = this.stage;
    if (machine.node === null) return;
    machine.asleepUntilUs = Math.max(machine.asleepUntilUs, nowUs + forUs);
    if (machine.isAsleep) return;
    witnesses.happened('sleeps');
    machine.isAsleep = true;
    machine.fellAsleepUs = machine.alive.localUs(nowUs);
    machine.monotonic.setRate(nowUs, STOPPED_PPM);
    this.detection.lookFromAll(machine.index);
  }

  /** Unless it fell asleep once more meanwhile, for longer. */
  awakeInTime(machine: Machine): void {
    if (machine.asleepUntilUs > this.stage.nowUs || !machine.isAsleep) return;
    this.awake(machine);
    this.thaw(machine);
  }

  awake(machine: Machine): void {
    const { nowUs } = this.stage;
    machine.isAsleep = false;
    machine.asleepUntilUs = 0;
    machine.monotonic.setRate(nowUs, machine.alive.ratePpm);
    machine.sleptUs += machine.alive.localUs(nowUs) - machine.fellAsleepUs;
    this.timers.adjust(machine);
  }

  thaw(machine: Machine): void {
    if (!this.isRunning(machine) || machine.node === null) return;
    if (machine.sleptUs > 0) this.tellOfSleep(machine);
    const { inbox } = machine;
    machine.inbox = [];
    for (const item of inbox) this.handle(machine, item);
    this.detection.lookFromAll(machine.index);
  }

  /** A wall clock is set forward, which the node takes for sleep. One that does not run finds out when it does. */
  jump(machine: Machine, byUs: number): void {
    if (machine.node === null) return;
    this.stage.witnesses.happened('jumps');
    machine.sleptUs += byUs;
    if (this.isRunning(machine)) this.tellOfSleep(machine);
  }

  private tellOfSleep(machine: Machine): void {
    const byMs = Math.ceil(machine.sleptUs / 1000);
    machine.sleptUs = 0;
    this.step(machine, { kind: 'slept', nowMs: this.stage.nowMsAt(machine), byMs });
  }
}
