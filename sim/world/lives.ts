/** The lives of nodes: they start, die, and start again with what is on their disks. */
import type { LifeSettings, Message } from '../../src/core';
import { layoutOfFile } from '../plan/layout';
import { termsAt } from '../plan/plan';
import type { Fault, FileName } from '../plan/plan';
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
    if (plan.rolling !== undefined && machine.file !== machine.nextFile) machine.ceilingOnDisk = 0;
    if (machine.nextFile !== null && !this.mayStartWith(machine, machine.nextFile)) return this.refuseLayout(machine);
    machine.file = machine.nextFile;
    // Whoever starts with the new file joins a cluster that runs.
    const isFirst = machine.life === 0 && (machine.file === null || machine.file === 'old') && !machine.isNamesake;
    const wallClockUs = this.disk.prepare(machine, wallBackUs);
    const terms = termsAt(plan, stage.nowUs);
    const life = stage.core.termsOfLife({ ...terms, ...this.layoutOf(machine.file), existed: machine.ceilingOnDisk > 0, terms: machine.remembers });
    const { silentMs } = life;
    machine.slackBefore = life.slackBefore;
    machine.remembers = life.whileSilent;
    machine.lendsUnder = life.whenLending;
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
        ...(plan.locksMax === undefined ? {} : { locksMax: plan.locksMax }),
        ...(plan.requestsOfANodeMax === undefined ? {} : { requestsOfANodeMax: plan.requestsOfANodeMax }),
        ...(plan.locksKeptMax === undefined ? {} : { locksKeptMax: plan.locksKeptMax }),
      },
      { ceilingOnDisk: machine.ceilingOnDisk, wallClockUs: Math.max(wallClockUs, life.clockFloor), firstStart: isFirst, silentMs, slackBefore: life.slackBefore },
    );
    witnesses.started(machine.index);
    if (!isFirst) witnesses.happened('restarts');
    stage.note({ kind: 'starts', node: machine.name, life: machine.life, ceilingOnDisk: machine.ceilingOnDisk });
    const nowMs = stage.nowMsAt(machine);
    machine.silentUntilMs = isFirst ? nowMs : nowMs + silentMs;
    this.step(machine, { kind: 'start', nowMs });
    if (machine.file !== null) this.rivals?.begin(machine, layoutOfFile(machine.file), isFirst);
    this.detection.forget(machine.index);
    this.detection.lookFromAll(machine.index);
    for (const caller of machine.callers) this.callers.think(caller);
  }

  /** What the file says of layouts; where all nodes run under one, that. */
  private layoutOf(file: FileName | null): Pick<LifeSettings, 'layout' | 'change'> {
    const { act } = this.stage;
    if (file === null) return { layout: 'old' };
    return { layout: layoutOfFile(file), ...(file === 'new' && act !== null ? { change: act } : {}) };
  }

  /** A node that remembers another layout starts only with the file that has the act. */
  private mayStartWith(machine: Machine, file: FileName): boolean {
    const { plan, core } = this.stage;
    return plan.act === undefined || core.mayStartUnder({ ...this.layoutOf(file), terms: machine.ceilingOnDisk > 0 ? machine.remembers : null });
  }

  /** Somebody looks why, and gives it the file that it had before. */
  private refuseLayout(machine: Machine): void {
    const { stage } = this;
    stage.note({ kind: 'refuses', node: machine.name });
    stage.witnesses.happened('layoutsRefused');
    machine.nextFile = machine.file;
    stage.agenda.push(stage.nowUs + 1 + machine.random.below(stage.plan.leaseMs * 1000), START, machine.index, 0, 0);
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
    if (stage.nowMsAt(machine) >= machine.silentUntilMs) machine.remembers = machine.lendsUnder;
    // One without a ceiling has told what it knew, to ask for clocks (protocol.md section 3.2); it may have joined since.
    const { core } = stage;
    this.disk.suffer(machine, fault, machine.ceilingOnDisk > 0 ? core.durableClock(machine.node) : core.inspectNode(machine.node).clock);
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
