/**
 * A few nodes, the messages in flight between them and one virtual clock. Nothing happens by itself: a
 * message is delivered, time passes and a node fails when a command says so. Drives the core through
 * `step` alone and says in words what each node does. A violation is said, and the run goes on.
 */
import type { CallerId, CoreSettings, Effect, Event, LockName, LockNode, Message, NodeId } from '../../src/core';
import type { Coterie } from '../../src/quorum';
import { isInvariantError } from '../core';
import type { Core } from '../core';
import { ScenarioError } from './commands';
import type { Selection, Wish } from './commands';
import { fits } from './in-flight';
import type { InFlight } from './in-flight';
import { Referee } from './referee';
import { describeEffect, describeLock, describeMessage } from './words';
import type { Wording } from './words';

/** More deliveries or wakes for one command are a storm. */
const STEPS_PER_COMMAND_MAX = 10_000;

interface Machine {
  readonly id: NodeId;
  /** Null while it is crashed or stopped. */
  node: LockNode | null;
  hasStarted: boolean;
  ceilingOnDisk: number;
  wakeAtMs: number;
  isPaused: boolean;
  callers: Caller[];
}

/** Someone at a node who wants a lock or has it. */
interface Caller {
  readonly id: CallerId;
  readonly lock: LockName;
  readonly name: string | null;
}

export interface ClusterSettings extends Omit<CoreSettings, 'self'> {
  readonly coterie: Coterie;
  /** Print the sender's clock with each message. */
  readonly clocks: boolean;
  /** All nodes are connected before anything else. */
  readonly handshakes: boolean;
  /** Nodes that do not start with the others. */
  readonly absent: ReadonlySet<NodeId>;
}

type WithoutTime<E> = E extends Event ? Omit<E, 'nowMs'> : never;

export class Cluster {
  readonly violations: string[] = [];
  private readonly machines: readonly Machine[];
  private readonly referee = new Referee();
  private readonly sent: Record<Message['kind'], number> = { request: 0, grant: 0, release: 0, inquire: 0, yield: 0 };
  private readonly wording: Wording;
  private inFlight: InFlight[] = [];
  private nowMs = 0;
  private nextOrdinal = 1;
  private nextCaller = 1;
  private lines: string[] = [];

  /** All nodes but those that are absent start for the first time and are connected. */
  constructor(
    private readonly core: Core,
    private readonly settings: ClusterSettings,
  ) {
    this.machines = settings.coterie.nodes.map((id) => ({
      id, node: null, hasStarted: false, ceilingOnDisk: 0, wakeAtMs: Infinity, isPaused: false, callers: [],
    }));
    this.wording = { clocks: settings.clocks, caller: (node, caller) => this.nameOf(node, caller) };
    const present = this.machines.filter(({ id }) => !settings.absent.has(id));
    for (const machine of present) this.start(machine, 0, true);
    for (const [index, machine] of settings.handshakes ? present.entries() : []) {
      for (const earlier of present.slice(0, index)) this.shakeHands(earlier, machine);
    }
    this.takeLines();
  }

  /** What was said since the last time. */
  takeLines(): string[] {
    const { lines } = this;
    this.lines = [];
    return lines;
  }

  // --- callers ----------------------------------------------------------------------------------

  acquire(node: NodeId, wish: Wish, name: string | null): void {
    const machine = this.machine(node);
    const { lock } = wish;
    if (name !== null && machine.callers.some((caller) => caller.lock === lock && caller.name === name)) {
      throw new ScenarioError(`${name} wants ${lock} at ${node} already`);
    }
    const caller: Caller = { id: this.nextCaller++, lock, name };
    machine.callers.push(caller);
    this.step(machine, { kind: 'acquire', ...wish, caller: caller.id });
  }

  release(node: NodeId, lock: LockName, name: string | null): void {
    const machine = this.machine(node);
    const caller = machine.callers.find((each) => each.lock === lock && each.name === name);
    if (caller === undefined) throw new ScenarioError(`nobody${name === null ? '' : ` called ${name}`} wants ${lock} at ${node}`);
    this.forget(machine, caller.id, lock);
    this.step(machine, { kind: 'release', lock, caller: caller.id });
  }

  private forget(machine: Machine, caller: CallerId, lock: LockName): void {
    machine.callers = machine.callers.filter((each) => each.id !== caller);
    this.referee.left(lock, caller);
  }

  private nameOf(node: NodeId, caller: CallerId): string | null {
    return this.machine(node).callers.find((each) => each.id === caller)?.name ?? null;
  }

  // --- messages -----------------------------------------------------------------------------------

  /** Those in flight now; or until quiet, the answers to them too, and theirs. */
  deliver(selection: Selection, untilQuiet: boolean): void {
    let deliveries = 0;
    for (let batch = this.deliverable(selection); batch.length > 0; batch = this.deliverable(selection)) {
      for (const item of batch) this.deliverOne(item);
      deliveries += batch.length;
      if (!untilQuiet) break;
      if (deliveries > STEPS_PER_COMMAND_MAX) throw new ScenarioError('the messages never end');
    }
    if (deliveries === 0) this.say('nothing to deliver');
  }

  drop(selection: Selection): void {
    const dropped = this.selected(selection);
    this.inFlight = this.inFlight.filter((item) => !dropped.includes(item));
    for (const item of dropped) this.say(`${this.describe(item)} is lost`);
    if (dropped.length === 0) this.say('nothing to drop');
  }

  duplicate(selection: Selection): void {
    const doubled = this.selected(selection);
    for (const item of doubled) {
      this.inFlight.push({ ...item, ordinal: this.nextOrdinal++ });
      this.say(`${this.describe(item)} is doubled`);
    }
    if (doubled.length === 0) this.say('nothing to duplicate');
  }

  private deliverable(selection: Selection): InFlight[] {
    return this.selected(selection).filter(({ to }) => !this.machine(to).isPaused);
  }

  private selected(selection: Selection): InFlight[] {
    return this.inFlight.filter((item) => fits(item, selection.of) && !selection.but.some((each) => fits(item, each)));
  }

  private deliverOne(item: InFlight): void {
    const { from, to, message } = item;
    this.inFlight.splice(this.inFlight.indexOf(item), 1);
    const machine = this.machine(to);
    if (machine.node === null) {
      this.say(`${this.describe(item)} is lost: ${to} does not run`);
      return;
    }
    this.say(`${to} receives ${describeMessage(message, this.wording)} from ${from}`);
    this.indented(() => this.step(machine, { kind: 'message', from, message }));
  }

  private describe({ from, to, message }: InFlight): string {
    return `${from} → ${to}  ${describeMessage(message, this.wording)}`;
  }

  // --- time -----------------------------------------------------------------------------------------

  /** Whenever a node wished to be woken, it is, unless timers are late; nothing is delivered meanwhile. */
  advance(ms: number, isLate: boolean): void {
    const untilMs = this.nowMs + ms;
    for (let wakes = 0; !isLate; wakes++) {
      const next = this.machines
        .filter((machine) => canAct(machine) && machine.wakeAtMs <= untilMs)
        .reduce<Machine | null>((first, each) => (first === null || each.wakeAtMs < first.wakeAtMs ? each : first), null);
      if (next === null) break;
      if (wakes > STEPS_PER_COMMAND_MAX) throw new ScenarioError('the wakes never end');
      this.nowMs = Math.max(this.nowMs, next.wakeAtMs);
      this.wake(next);
    }
    this.nowMs = untilMs;
  }

  /** The timer comes, late or for nothing. */
  wakeUp(node: NodeId): void {
    this.wake(this.machine(node));
  }

  /** Says nothing of a node that had nothing to do. */
  private wake(machine: Machine): void {
    if (machine.wakeAtMs <= this.nowMs) machine.wakeAtMs = Infinity;
    const before = this.lines.length;
    this.say(`at ${this.nowMs}, ${machine.id} wakes`);
    this.indented(() => this.step(machine, { kind: 'wake' }));
    if (this.lines.length === before + 1) this.lines.pop();
  }

  // --- faults ---------------------------------------------------------------------------------------

  /** For the first time, after the others. */
  startLate(node: NodeId): void {
    const machine = this.machine(node);
    if (machine.hasStarted) throw new ScenarioError(`${node} has started before: restart it`);
    this.start(machine, this.nowMs * 1000, true);
  }

  crash(node: NodeId): void {
    const machine = this.machine(node);
    this.running(machine);
    machine.node = null;
    machine.callers = [];
    machine.isPaused = false;
  }

  stop(node: NodeId): void {
    const machine = this.machine(node);
    for (const { id, lock } of machine.callers) this.forget(machine, id, lock);
    this.step(machine, { kind: 'stop' });
    this.crash(node);
  }

  restart(node: NodeId, isWiped: boolean): void {
    const machine = this.machine(node);
    if (machine.node !== null) throw new ScenarioError(`${node} runs`);
    if (!machine.hasStarted) throw new ScenarioError(`${node} has not started yet: start it`);
    const others = this.machines.map((each) => (each.node === null ? 0 : this.core.inspectNode(each.node).clock));
    const wallClockUs = isWiped ? Math.max(machine.ceilingOnDisk, ...others) : 0;
    if (isWiped) machine.ceilingOnDisk = 0;
    this.start(machine, wallClockUs, false);
    const lendsAtMs = this.nowMs + this.settings.leaseMs;
    this.say(`${node} starts anew with clock ${this.core.inspectNode(this.running(machine)).clock}, lends nothing until ${lendsAtMs}`);
  }

  pause(node: NodeId): void {
    const machine = this.machine(node);
    this.running(machine);
    machine.isPaused = true;
  }

  resume(node: NodeId): void {
    const machine = this.machine(node);
    if (!machine.isPaused) throw new ScenarioError(`${node} is not paused`);
    machine.isPaused = false;
    if (machine.wakeAtMs <= this.nowMs) this.wake(machine);
  }

  /** The handshake with every running node, or that `at` alone finds it up. */
  up(node: NodeId, at: NodeId | null): void {
    const machine = this.machine(node);
    if (at !== null) return this.step(this.machine(at), this.introduce(machine));
    for (const other of this.machines) {
      if (other !== machine && canAct(other)) this.shakeHands(other, machine);
    }
  }

  /** Every running node, or `at` alone, finds it down. */
  down(node: NodeId, at: NodeId | null): void {
    const peer = this.machine(node).id;
    for (const other of at === null ? this.machines : [this.machine(at)]) {
      if (other.id !== peer && canAct(other)) this.step(other, { kind: 'peerDown', peer });
    }
  }

  /** Each tells the other the clock that it had before. */
  private shakeHands(a: Machine, b: Machine): void {
    const [ofA, ofB] = [this.introduce(a), this.introduce(b)];
    this.step(a, ofB);
    this.step(b, ofA);
  }

  private introduce(machine: Machine): WithoutTime<Event> {
    const node = this.running(machine);
    const { core, nowMs } = this;
    return { kind: 'peerUp', peer: machine.id, clock: core.durableClock(node), silentForMs: core.silentForMs(node, nowMs) };
  }

  // --- nodes ----------------------------------------------------------------------------------------

  private start(machine: Machine, wallClockUs: number, firstStart: boolean): void {
    const { ceilingOnDisk, id } = machine;
    machine.wakeAtMs = Infinity;
    machine.hasStarted = true;
    machine.node = this.core.createNode({ ...this.settings, self: id }, { ceilingOnDisk, wallClockUs, firstStart });
    this.step(machine, { kind: 'start' });
  }

  private step(machine: Machine, event: WithoutTime<Event>): void {
    const node = this.running(machine);
    if (machine.isPaused) throw new ScenarioError(`${machine.id} is paused`);
    try {
      for (const effect of this.core.step(node, { ...event, nowMs: this.nowMs })) this.perform(machine, effect);
    } catch (error) {
      if (!isInvariantError(error)) throw error;
      machine.node = null;
      this.violated(error.message);
    }
  }

  private perform(machine: Machine, effect: Effect): void {
    const line = describeEffect(machine.id, effect, this.wording);
    if (line !== null) this.say(line);
    switch (effect.kind) {
      case 'send':
        this.sent[effect.message.kind]++;
        this.inFlight.push({ ordinal: this.nextOrdinal++, from: machine.id, to: effect.to, message: effect.message });
        return;
      case 'entered':
        for (const violation of this.referee.entered(machine.id, effect, this.nowMs)) this.violated(violation);
        return;
      case 'renewed':
        return this.referee.renewed(effect);
      case 'lost':
        return this.forget(machine, effect.caller, effect.lock);
      case 'recalled': // It may be inside until it says otherwise, or its time is up.
        return;
      case 'wake':
        machine.wakeAtMs = effect.atMs;
        return;
      case 'reserveCeiling':
        machine.ceilingOnDisk = effect.ceiling;
        return this.step(machine, { kind: 'ceilingReserved', ceiling: effect.ceiling });
      case 'wanted': // It gives back when its scenario says so.
      case 'joined':
      case 'ignored':
        return;
    }
  }

  private machine(node: NodeId): Machine {
    const machine = this.machines.find(({ id }) => id === node);
    if (machine === undefined) throw new ScenarioError(`there is no ${node}, only ${this.settings.coterie.nodes.join(' ')}`);
    return machine;
  }

  private running({ id, node }: Machine): LockNode {
    if (node === null) throw new ScenarioError(`${id} does not run`);
    return node;
  }

  private violated(what: string): void {
    this.violations.push(what);
    this.say(`VIOLATION ${what}`);
  }

  // --- words ----------------------------------------------------------------------------------------

  /** What every node knows of every lock. */
  status(): void {
    const before = this.lines.length;
    for (const { id, node, isPaused } of this.machines) {
      if (node === null) this.say(`${id} does not run`);
      if (isPaused) this.say(`${id} is paused`);
      if (node === null) continue;
      for (const lock of this.core.lockNames(node).sort()) {
        const view = this.core.inspectLock(node, lock);
        if (view !== null) this.lines.push(...describeLock(id, view));
      }
    }
    if (this.lines.length === before) this.say('no node knows of a lock');
  }

  /** Every message in flight, with the number that names it. */
  listInFlight(): void {
    for (const item of this.inFlight) this.say(`m${item.ordinal}  ${this.describe(item)}`);
    if (this.inFlight.length === 0) this.say('nothing is in flight');
  }

  /** How many messages went between nodes since the start. */
  countMessages(): void {
    const { request, grant, release, inquire, yield: yielded } = this.sent;
    const total = request + grant + release + inquire + yielded;
    this.say(`${total} messages: ${request} Request, ${grant} Grant, ${release} Release, ${inquire} Inquire, ${yielded} Yield`);
  }

  private say(line: string): void {
    this.lines.push(line);
  }

  private indented(action: () => void): void {
    const outer = this.lines;
    this.lines = [];
    action();
    this.lines = [...outer, ...this.lines.map((line) => `  ${line}`)];
  }
}

function canAct({ node, isPaused }: Machine): boolean {
  return node !== null && !isPaused;
}
