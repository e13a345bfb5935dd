/** The faults of the plan, as they strike and as they end; and the end of them all, but for what is lost for ever. */
import type { Fault, LostMachine } from '../plan/plan';
import type { Callers } from './callers';
import type { Detection } from './detection';
import type { Disk } from './disk';
import { FAULT_ENDS } from './items';
import type { Lives } from './lives';
import type { Post } from './post';
import type { Sleep } from './sleep';
import type { Stage } from './stage';
import type { Timers } from './timers';

/** The parts of the world that faults strike. */
export interface Parts {
  readonly post: Post;
  readonly timers: Timers;
  readonly disk: Disk;
  readonly detection: Detection;
  readonly sleep: Sleep;
  readonly callers: Callers;
  readonly lives: Lives;
}

export class Faults {
  constructor(private readonly stage: Stage, private readonly parts: Parts) {}

  /** `index`: its place in the plan. */
  strike(fault: Fault, index: number): void {
    const { stage } = this;
    const { network, agenda, nowUs, witnesses } = stage;
    const { post, timers, detection, sleep, lives } = this.parts;
    stage.note({ kind: 'fault', fault });
    if ('forUs' in fault && fault.kind !== 'crash') agenda.push(nowUs + fault.forUs, FAULT_ENDS, index, 0);
    switch (fault.kind) {
      case 'cut':
        witnesses.happened('partitions');
        for (const from of fault.from) for (const to of fault.to) network.cut(network.link(from, to), fault.as !== 'unseen');
        return detection.lookAcross(fault.from, fault.to);
      case 'clog':
        return network.clog(network.link(fault.from, fault.to), nowUs + fault.forUs, fault.room);
      case 'suspect':
        return fault.machine === fault.peer ? undefined : detection.suspect(fault.machine, fault.peer, fault.forUs);
      case 'crash':
        return lives.crash(stage.machine(fault.machine), fault);
      case 'pause':
        return sleep.freeze(stage.machine(fault.machine), fault.forUs);
      case 'sleep':
        return sleep.fallAsleep(stage.machine(fault.machine), fault.forUs);
      case 'full': {
        const machine = stage.machine(fault.machine);
        machine.diskFullUntilUs = Math.max(machine.diskFullUntilUs, nowUs + fault.forUs);
        return detection.watch(fault.machine, fault.forUs + stage.plan.retryMs * 1000);
      }
      case 'slow': {
        const machine = stage.machine(fault.machine);
        machine.slowUntilUs = nowUs + fault.forUs;
        machine.perEventUs = fault.perEventUs;
        return;
      }
      case 'rate': {
        const machine = stage.machine(fault.machine);
        return machine.isAsleep ? undefined : sleep.setRate(machine, fault.ratePpm);
      }
      case 'wake': {
        const machine = stage.machine(fault.machine);
        return machine.node !== null && sleep.isRunning(machine) ? timers.wakeNow(machine) : undefined;
      }
      case 'jump':
        return sleep.jump(stage.machine(fault.machine), fault.byUs);
      case 'echo':
        return post.echo(fault);
    }
  }

  relent(fault: Fault): void {
    const { stage } = this;
    const { network } = stage;
    const { disk, detection, sleep } = this.parts;
    switch (fault.kind) {
      case 'cut':
        for (const from of fault.from) for (const to of fault.to) network.mend(network.link(from, to), fault.as !== 'unseen');
        return detection.lookAcross(fault.from, fault.to);
      case 'suspect':
        return fault.machine === fault.peer ? undefined : detection.look(fault.machine, fault.peer);
      case 'pause':
        return sleep.thaw(stage.machine(fault.machine));
      case 'sleep':
        return sleep.awakeInTime(stage.machine(fault.machine));
      case 'full': {
        const machine = stage.machine(fault.machine);
        return disk.isFull(machine) ? undefined : disk.makeRoom(machine);
      }
      case 'clog':
      case 'crash':
      case 'slow':
      case 'rate':
      case 'wake':
      case 'jump':
      case 'echo':
        return;
    }
  }

  /** All end. The nodes that are lost for ever stay as they are now. */
  heal(): void {
    const { stage } = this;
    const { lostForEver = [], profile } = stage.plan;
    const { disk, detection, sleep, callers, lives } = this.parts;
    stage.phase = 'load';
    stage.note({ kind: 'healed', lostForEver });
    stage.network.heal();
    detection.heal();
    for (const lost of lostForEver) this.loseForEver(lost);
    for (const machine of stage.places) {
      if (machine.isLostForEver) continue;
      if (profile === 'adrift') sleep.setRate(machine, 0);
      machine.slowUntilUs = 0;
      machine.frozenUntilUs = 0;
      disk.makeRoom(machine);
      if (machine.isAsleep) sleep.awake(machine);
      if (machine.node === null) lives.start(machine, 0);
      else sleep.thaw(machine);
      detection.lookFromAll(machine.index);
    }
    callers.heal();
    stage.witnesses.healed();
    callers.drainIfServed();
  }

  /** The others go on without it. */
  private loseForEver({ machine: index, how }: LostMachine): void {
    const { network, nowUs, places, witnesses } = this.stage;
    const machine = this.stage.machine(index);
    witnesses.happened('lostForEver');
    switch (how) {
      case 'dead':
        this.parts.lives.crash(machine, { kind: 'crash', atUs: nowUs, forUs: 0, machine: index, how: 'crash', wallBackUs: 0, writeLands: false });
        break;
      case 'frozen':
        machine.frozenUntilUs = Infinity;
        break;
      case 'cut':
        for (let other = 0; other < places.length; other++) {
          network.cut(network.link(index, other));
          network.cut(network.link(other, index));
        }
        break;
      case 'left behind':
        break;
      case 'mute':
        machine.diskFullUntilUs = Infinity;
        machine.frozenUntilUs = 0;
        if (machine.isAsleep) this.parts.sleep.awake(machine);
        this.parts.sleep.thaw(machine);
        break;
    }
    machine.isLostForEver = true;
    this.parts.detection.lookFromAll(index);
    // A node that is up is found mute only when it had something to say.
    if (how === 'mute') this.parts.detection.watch(index);
  }
}
