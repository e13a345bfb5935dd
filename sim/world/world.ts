/**
 * One run: machines, network and callers on a virtual clock, with the production core in each machine.
 * First phase: faults. Then everything is healed, each caller gets its lock once more, and when all are done nothing
 * goes on.
 * Law: everything that happens follows from the plan; the core is driven through `step` alone. The world judges
 * nothing and counts nothing: it tells those who watch, and knows none of them by name.
 */
import type { Effect, Event, Message } from '../../src/core';
import type { Scene } from '../checks/scene';
import { inTurn } from '../checks/witness';
import type { Witness, Write } from '../checks/witness';
import type { Core } from '../core';
import type { Plan } from '../plan/plan';
import { Callers } from './callers';
import { Detection } from './detection';
import { Disk } from './disk';
import { Faults } from './faults';
import { CALL, CALLER, CEILING, DELIVER, DETECT, FAULT, FAULT_ENDS, HEAL, LOOK, REST, START, WAKE, WRITE } from './items';
import { Lives } from './lives';
import { Namesakes } from './namesakes';
import type { Machine } from './machine';
import type { NetworkCounts } from './network';
import type { Observer } from './observer';
import { Operator } from './operator';
import { Post } from './post';
import { Resource } from './resource';
import { Rest } from './rest';
import { Rivals } from './rivals';
import { Sleep } from './sleep';
import { present, Stage } from './stage';
import { Timers } from './timers';

export interface WorldSettings {
  /** Whether the resource that the locks protect refuses late writes. Default true; else for tests of the checks themselves. */
  readonly looksAtTokens?: boolean;
}

export class World {
  private readonly stage: Stage;
  private readonly post: Post;
  private readonly timers: Timers;
  private readonly disk: Disk;
  private readonly detection: Detection;
  private readonly sleep: Sleep;
  private readonly rest: Rest;
  private readonly resource: Resource;
  private readonly callers: Callers;
  private readonly lives: Lives;
  private readonly faults: Faults;

  constructor(private readonly plan: Plan, core: Core, observer: Observer | null, { looksAtTokens = true }: WorldSettings = {}) {
    const stage = new Stage(plan, core, observer);
    const step = (machine: Machine, event: Event): void => this.step(machine, event);
    this.stage = stage;
    this.post = new Post(stage, step);
    this.timers = new Timers(stage, step);
    this.disk = new Disk(stage, step);
    this.detection = new Detection(stage, step);
    this.sleep = new Sleep(stage, step, this.timers, this.detection, (machine, { kind, a, b, payload }) => this.handleAt(machine, kind, a, b, payload));
    this.rest = new Rest(stage);
    this.resource = new Resource(stage, looksAtTokens);
    this.callers = new Callers(stage, step, this.resource, this.rest);
    const { post, timers, disk, detection, sleep, callers } = this;
    const rivals = plan.rolling === undefined ? null : new Rivals(stage, step, plan.rolling, detection);
    detection.rivals = rivals;
    const namesakes = plan.namesake === undefined ? null : new Namesakes(stage, step, plan.namesake);
    detection.namesakes = namesakes;
    post.namesakes = namesakes;
    const lives = new Lives(stage, step, disk, sleep, detection, callers, rivals);
    this.lives = lives;
    this.faults = new Faults(stage, { post, timers, disk, detection, sleep, callers, lives });
  }

  /** What there is to see of it, all the time. */
  get scene(): Scene {
    return this.stage;
  }

  /** Calls of the core so far. */
  get events(): number {
    return this.stage.events;
  }

  /** True time. */
  get nowUs(): number {
    return this.stage.nowUs;
  }

  get networkCounts(): Readonly<NetworkCounts> {
    return this.stage.network.counts;
  }

  /**
   * To the end. `witnesses` are told of everything, in this order.
   * @throws what a witness throws, and whatever the core throws
   */
  run(witnesses: readonly Witness[]): void {
    const { stage, rest } = this;
    stage.witnesses = inTurn(witnesses);
    const { agenda } = stage;
    this.begin();
    while (!rest.isOver && agenda.next()) {
      stage.nowUs = agenda.atUs;
      const { kind, a, b, payload } = agenda;
      if (kind <= DETECT) this.handOver(kind, a, b, payload);
      else this.handle(kind, a, payload);
    }
  }

  private begin(): void {
    const { plan } = this;
    const { agenda, network, witnesses } = this.stage;
    plan.machines.forEach((machine, index) => agenda.push(machine.startUs, START, index, 0));
    plan.faults.forEach((fault, index) => agenda.push(fault.atUs, FAULT, index, 0));
    plan.looks?.forEach(({ atUs, machine, peer }) => agenda.push(atUs, DETECT, network.link(machine, peer), 0));
    agenda.push(plan.durationUs, HEAL, 0, 0);
    if (plan.act !== undefined) new Operator(this.stage, plan.act).begin();
    witnesses.began();
  }

  // --- the agenda -------------------------------------------------------------------------------

  /** An item for a node waits while the node is frozen or busy. */
  private handOver(kind: number, a: number, b: number, payload: unknown): void {
    const { nowUs, agenda } = this.stage;
    const machine = this.receiverOf(kind, a);
    if (kind === CEILING && machine.diskFullUntilUs > nowUs) return this.disk.waitForRoom(machine, b, payload as number);
    if (machine.frozenUntilUs > nowUs || machine.isAsleep) {
      // The disk does not wait for the process.
      if (kind === CEILING) this.disk.write(machine, b, payload as number);
      machine.inbox.push({ kind, a, b, payload });
    } else if (machine.busyUntilUs > nowUs) {
      agenda.push(machine.busyUntilUs, kind, a, b, payload);
    } else {
      if (machine.slowUntilUs > nowUs) machine.busyUntilUs = nowUs + machine.perEventUs;
      this.handleAt(machine, kind, a, b, payload);
    }
  }

  private receiverOf(kind: number, a: number): Machine {
    const { stage } = this;
    switch (kind) {
      case DELIVER:
        return stage.machine(a % stage.places.length);
      case DETECT:
        return stage.machine(Math.floor(a / stage.places.length));
      case CALLER:
        return stage.caller(a).machine;
      default:
        return stage.machine(a);
    }
  }

  private handleAt(machine: Machine, kind: number, a: number, b: number, payload: unknown): void {
    switch (kind) {
      case DELIVER:
        return this.post.deliver(machine, a, b, payload as Message);
      case WAKE:
        return this.timers.wake(machine, b);
      case CALLER:
        return this.callers.advance(this.stage.caller(a), b);
      case CEILING:
        this.disk.written(machine, b, payload as number);
        return this.detection.maySpeak(machine);
      case DETECT:
        return this.detection.detect(machine, a);
    }
  }

  private handle(kind: number, a: number, payload: unknown): void {
    const { stage } = this;
    switch (kind) {
      case START:
        return this.lives.start(stage.machine(a), (payload as number | null) ?? 0);
      case FAULT:
        return stage.isHealed ? undefined : this.faults.strike(present(this.plan.faults[a], 'fault', a), a);
      case FAULT_ENDS:
        return stage.isHealed ? undefined : this.faults.relent(present(this.plan.faults[a], 'fault', a));
      case HEAL:
        return this.faults.heal();
      case LOOK:
        return stage.witnesses.looked();
      case REST:
        return this.rest.look();
      case WRITE:
        return this.resource.arrives(payload as Write);
      case CALL:
        return (payload as () => void)();
    }
  }

  // --- nodes ------------------------------------------------------------------------------------

  /** One event into the core, its effects out. The event is the cause of all of them, and goes along with each. */
  private step(machine: Machine, event: Event): void {
    const { stage } = this;
    const { witnesses } = stage;
    const { node, index } = machine;
    if (node === null) throw new Error(`${machine.id} is not running`);
    stage.events++;
    witnesses.stepping(index, event);
    if (!machine.isLostForEver) this.rest.lastActivityUs = stage.nowUs;
    const effects = stage.core.step(node, event);
    stage.observer?.stepped(stage.nowUs, machine.name, event, effects);
    for (const effect of effects) this.perform(machine, effect, event);
    witnesses.stepped(index, event);
  }

  private perform(machine: Machine, effect: Effect, cause: Event): void {
    switch (effect.kind) {
      case 'send':
        return this.post.send(machine, effect.to, effect.message, cause);
      case 'entered':
        return this.callers.entered(machine, effect, cause);
      case 'lost':
      case 'recalled':
        return this.callers.lost(machine, effect, cause);
      case 'renewed':
        this.callers.renewed(machine, effect);
        break;
      case 'wanted':
        this.callers.wanted(machine, effect);
        break;
      case 'wake':
        this.timers.set(machine, effect.atMs);
        break;
      case 'reserveCeiling':
        this.disk.reserve(machine, effect.ceiling);
        break;
      case 'joined':
        this.stage.witnesses.happened(effect.by === 'peers' ? 'learned' : 'restedOnWallClock');
        return this.stage.witnesses.joined(machine.index, effect.by);
      case 'ignored':
        break;
    }
    this.stage.witnesses.performed(effect);
  }
}
