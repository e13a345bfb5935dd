/** The lives of nodes: they start, die, and start again with what is on their disks. */
import type { Message } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Fault } from '../plan/plan';
import type { Callers } from './callers';
import type { Detection } from './detection';
import type { Disk } from './disk';
import { DELIVER, START } from './items';
import type { Machine } from './machine';
import type { Rivals } from './rivals';
import type { Sleep } from './sleep';
import type { Stage, Step } from './stage';

export class Lives {
  constructor(
    private readonly stage: Stage,
    private readonly step: Step,
    private readonly disk: Disk,
    private readonly sleep: Sleep,
    private readonly detection: Detection,
    private readonly callers: Callers,
    private readonly rivals: Rivals | null,
  ) {}

  /** `wallBackUs`: how far the wall clock was set back meanwhile. */
  start(machine: Machine, wallBackUs: number): void {
    const { stage } = this;
    const { plan, agenda, witnesses } = stage;
    if (machine.node !== null || machine.isLostForEver) return;
    if (machine.isFileCorrupt && !stage.isHealed) return this.refuseStart(machine);
    // It would write a ceiling before anything else.
    if (this.disk.isFull(machine)) return agenda.push(machine.diskFullUntilUs, START, machine.index, 0, wallBackUs);
    machine.isFileCorrupt = false;
    // What remembers another layout would not start (protocol.md section 16.2): whoever changes the file is ephemeral.
    if (machine.file !== machine.nextFile) machine.ceilingOnDisk = 0;
    machine.file = machine.nextFile;
    // Whoever starts with the new file joins a cluster that runs.
    const isFirst = machine.life === 0 && machine.file !== 'new' && !machine.isNamesake;
    const wallClockUs = this.disk.prepare(machine, wallBackUs);
    const terms = termsAt(plan, stage.nowUs);
    const before = machine.lentUnder;
    machine.slackBefore = before?.slack ?? terms.slack;
    const silentMs = Math.max(terms.leaseMs, before?.leaseMs ?? 0);
    machine.life++;
    machine.startedUs = stage.nowUs;
    machine.originUs = machine.random.below(2 ** 31);
    machine.wakeAtMs = Infinity;
    machine.wakeItemUs = Infinity;
    machine.ceilingUnderWay = 0;
    machine.node = stage.core.createNode(
      {
        self: machine.id,
        coterie: stage.coterieOfFile(machine.file),
        leaseMs: terms.leaseMs,
        retryMs: terms.retryMs,
        driftMax: plan.driftMaxPpm / 1_000_000,
        slack: terms.slack,
        ceilingBlock: plan.ceilingBlock,
        retain: plan.retain ?? true,
        ...(plan.heldBackMax === undefined ? {} : { heldBackMax: plan.heldBackMax }),
        ...(plan.locksKeptMax === undefined ? {} : { locksKeptMax: plan.locksKeptMax }),
      },
      { ceilingOnDisk: machine.ceilingOnDisk, wallClockUs, firstStart: isFirst, silentMs, slackBefore: machine.slackBefore },
    );
    witnesses.started(machine.index);
    if (!isFirst) witnesses.happened('restarts');
    stage.note({ kind: 'starts', node: machine.name, life: machine.life, ceilingOnDisk: machine.ceilingOnDisk });
    const nowMs = stage.nowMsAt(machine);
    machine.silentUntilMs = isFirst ? nowMs : nowMs + silentMs;
    if (isFirst) machine.lentUnder = terms;
    this.step(machine, { kind: 'start', nowMs });
    if (machine.file !== null) this.rivals?.begin(machine, machine.file, isFirst);
    this.detection.forget(machine.index);
    this.detection.lookFromAll(machine.index);
    for (const caller of machine.callers) this.callers.think(caller);
  }

  /** Until somebody deletes the file. */
  private refuseStart(machine: Machine): void {
    const { stage } = this;
    machine.isFileCorrupt = false;
    stage.note({ kind: 'refuses', node: machine.name });
    stage.witnesses.happened('corruptFiles');
    stage.agenda.push(stage.nowUs + 1 + machine.random.below(stage.plan.leaseMs * 1000), START, machine.index, 0, 0);
  }

  /** A `stop` tells the peers first. Clients of the dead node go on until their leases end. */
  crash(machine: Machine, fault: Extract<Fault, { kind: 'crash' }>): void {
    const { stage } = this;
    const { witnesses } = stage;
    machine.nextFile = fault.file ?? machine.nextFile;
    if (machine.node === null) return;
    stage.note({ kind: 'dies', node: machine.name, how: fault.how });
    if (fault.how === 'stop' && this.sleep.isRunning(machine)) {
      const inUse = this.callers.stop(machine);
      this.step(machine, { kind: 'stop', nowMs: stage.nowMsAt(machine), inUse });
      witnesses.happened('stops');
    } else {
      witnesses.happened('crashes');
    }
    // What it last lent under. While it is silent, it lends nothing.
    if (stage.nowMsAt(machine) >= machine.silentUntilMs) machine.lentUnder = termsAt(stage.plan, machine.startedUs);
    this.disk.suffer(machine, fault, stage.core.durableClock(machine.node));
    if (machine.isAsleep) this.sleep.awake(machine);
    machine.sleptUs = 0;
    witnesses.dying(machine.index);
    machine.node = null;
    this.rivals?.dies(machine);
    machine.frozenUntilUs = 0;
    machine.busyUntilUs = 0;
    machine.slowUntilUs = 0;
    for (const { kind, payload } of machine.inbox) if (kind === DELIVER) witnesses.arrived(stage.lockOf((payload as Message).lock));
    machine.inbox = [];
    machine.ceilingUnwritten = 0;
    machine.wakeGeneration++;
    this.callers.orphan(machine);
    stage.agenda.push(stage.nowUs + fault.forUs, START, machine.index, 0, fault.wallBackUs);
    this.detection.lookFromAll(machine.index);
  }
}
