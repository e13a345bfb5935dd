/**
 * Two processes with one node id, each with a data directory of its own (protocol.md section 17.2). As the transport does it: a peer has a
 * connection to one of the two at most, and while that works it refuses the other.
 * Law: what a refusal means is the core's to decide; here it is told, and the connections are made anew as the runtime makes them.
 * Only runs with a second process have this.
 */
import type { NodeId } from '../../src/core';
import type { Namesake } from '../plan/plan';
import { Random } from '../plan/random';
import { CALL } from './items';
import type { Machine } from './machine';
import type { Stage, Step } from './stage';

/** A peer's end of a connection. */
interface End {
  readonly process: Machine;
  readonly life: number;
}

/** What one of the two processes knows of its peers. By machine. */
interface Process {
  readonly machine: Machine;
  /** The peers that it takes for up, in which life of theirs. */
  readonly up: Map<number, number>;
  /** It does not dial these before that true time. */
  readonly notBeforeUs: Map<number, number>;
}

export class Namesakes {
  private readonly random: Random;
  private readonly id: NodeId;
  private readonly processes: readonly Process[];
  /** By peer. */
  private readonly ends = new Map<number, End>();

  constructor(private readonly stage: Stage, private readonly step: Step, private readonly plan: Namesake) {
    this.random = new Random(stage.plan.seed, 'namesakes');
    const both = [stage.machine(plan.of), stage.machine(stage.places.length - 1)];
    this.id = stage.machine(plan.of).id;
    this.processes = both.map((machine) => ({ machine, up: new Map(), notBeforeUs: new Map() }));
  }

  /** Whether one of these is one of the two processes. */
  concerns(one: Machine, other: Machine): boolean {
    return one.id === this.id || other.id === this.id;
  }

  starts(machine: Machine): void {
    const process = this.processOf(machine);
    if (process === null) return void this.ends.delete(machine.index);
    process.up.clear();
    process.notBeforeUs.clear();
    this.dialAgainAndAgain(process, machine.life);
  }

  /** `observer` finds out how things are with `peer`. */
  look(observer: Machine, peer: Machine): void {
    const [observing, observed] = [this.processOf(observer), this.processOf(peer)];
    if (observing !== null && observed === null) {
      if (observing.up.has(peer.index) && !this.isWhole(observing, peer)) this.ended(observing, peer);
      this.connect(observing, peer);
    } else if (observing === null && observed !== null) {
      const end = this.ends.get(observer.index);
      if (end?.process === peer && !this.doesWork(end, observer)) this.drops(observer);
      this.connect(observed, observer);
    }
  }

  /** Where a message to this node goes: over the one connection of the peer; null where there is none. */
  route(from: Machine, to: Machine): number | null {
    if (!this.concerns(from, to)) return to.index;
    if (this.processOf(from) === null) return this.ends.get(from.index)?.process.index ?? null;
    return this.isConnected(from, to) ? to.index : null;
  }

  /** Whether a message on its way between them still has a connection. */
  isConnected(from: Machine, to: Machine): boolean {
    if (!this.concerns(from, to)) return true;
    const [process, peer] = from.id === this.id ? [from, to] : [to, from];
    const end = this.ends.get(peer.index);
    return end?.process === process && end.life === process.life;
  }

  // --- connections ------------------------------------------------------------------------------

  /** One dials the other. */
  private connect(process: Process, peer: Machine): void {
    const { machine, up } = process;
    if (!this.doReach(machine, peer)) return;
    const end = this.ends.get(peer.index);
    if (end !== undefined && end.process !== machine) {
      // While it does not know yet that the other one is gone, the peer lets this one wait.
      return this.doesWork(end, peer) ? this.refuse(process, peer) : undefined;
    }
    if (end !== undefined && this.isWhole(process, peer)) return;
    if (end !== undefined) this.drops(peer);
    if (up.has(peer.index)) this.ended(process, peer);
    this.accept(process, peer);
  }

  private accept(process: Process, peer: Machine): void {
    const { machine, up } = process;
    const { core, witnesses } = this.stage;
    const wasApart = this.apartForMs(machine) === Infinity;
    this.ends.set(peer.index, { process: machine, life: machine.life });
    up.set(peer.index, peer.life);
    this.greets(machine, peer);
    this.greets(peer, machine);
    witnesses.accepted(machine.index, peer.index);
    if (wasApart && machine.node !== null && core.apartForMs(machine.node, this.stage.nowMsAt(machine)) < Infinity) this.takesPartInTime(process, machine.life);
  }

  /** One tells the other how things are with it. */
  private greets(machine: Machine, other: Machine): void {
    const { core, witnesses } = this.stage;
    if (machine.node === null) return;
    const clock = core.durableClock(machine.node);
    witnesses.introduced(machine.index, clock);
    const silentForMs = core.silentForMs(machine.node, this.stage.nowMsAt(machine));
    const remembers = core.remembers(machine.node);
    this.step(other, { kind: 'peerUp', nowMs: this.stage.nowMsAt(other), peer: machine.id, clock, silentForMs, ...(remembers ? {} : { remembers }) });
  }

  /** The peer is connected to the other process. */
  private refuse(process: Process, peer: Machine): void {
    const { machine, up, notBeforeUs } = process;
    const { witnesses, nowUs } = this.stage;
    if (up.has(peer.index)) this.ended(process, peer);
    notBeforeUs.set(peer.index, nowUs + this.plan.refusedRedialUs);
    const isFirst = this.apartForMs(machine) === 0;
    this.step(machine, { kind: 'namesake', nowMs: this.stage.nowMsAt(machine), peer: peer.id });
    witnesses.happened('namesakesRefused');
    witnesses.refused(machine.index, peer.index);
    if (isFirst) this.greetsAgain(process);
  }

  /** It ends its connections and dials anew, for it has something else to say of itself. */
  private greetsAgain(process: Process): void {
    const { machine, up, notBeforeUs } = process;
    for (const index of [...up.keys()]) {
      const peer = this.stage.machine(index);
      this.ended(process, peer);
      const end = this.ends.get(index);
      if (end?.process === machine && this.doReach(machine, peer)) this.drops(peer);
      notBeforeUs.set(index, this.stage.nowUs + this.random.below(this.plan.redialUs));
    }
  }

  /** A lease after the last peer that had the other process accepted this one, it takes part again, and says so. */
  private takesPartInTime(process: Process, life: number): void {
    const { machine } = process;
    const forMs = this.apartForMs(machine);
    if (forMs === Infinity) return;
    this.later(Math.ceil(forMs * 1000), () => {
      if (machine.node === null || machine.life !== life) return;
      const leftMs = this.apartForMs(machine);
      if (leftMs > 0 || !this.isRunning(machine)) return this.takesPartInTime(process, life);
      this.step(machine, { kind: 'wake', nowMs: this.stage.nowMsAt(machine) });
      this.greetsAgain(process);
    });
  }

  private dialAgainAndAgain(process: Process, life: number): void {
    const { machine, up, notBeforeUs } = process;
    if (machine.node === null || machine.life !== life) return;
    for (const peer of this.stage.places) {
      if (this.processOf(peer) !== null || up.has(peer.index) || (notBeforeUs.get(peer.index) ?? 0) > this.stage.nowUs) continue;
      this.later(this.random.between(1, 2) * this.stage.plan.network.delayUs, () => {
        if (machine.life === life) this.connect(process, peer);
      });
    }
    this.later(this.plan.redialUs + this.random.below(this.plan.redialUs), () => this.dialAgainAndAgain(process, life));
  }

  /** The peer's end of its connection is no more. */
  private drops(peer: Machine): void {
    this.ends.delete(peer.index);
    this.tellDown(peer, this.id);
  }

  /** The process's end is no more. */
  private ended({ machine, up }: Process, peer: Machine): void {
    up.delete(peer.index);
    this.tellDown(machine, peer.id);
  }

  private tellDown(machine: Machine, peer: NodeId): void {
    if (machine.node === null) return;
    this.stage.witnesses.happened('peerDowns');
    this.step(machine, { kind: 'peerDown', nowMs: this.stage.nowMsAt(machine), peer });
  }

  // --- how things are ---------------------------------------------------------------------------

  /** Both ends are of the lives that there are. */
  private isWhole({ machine, up }: Process, peer: Machine): boolean {
    const end = this.ends.get(peer.index);
    return end?.process === machine && end.life === machine.life && up.get(peer.index) === peer.life && this.doReach(machine, peer);
  }

  private doesWork({ process, life }: End, peer: Machine): boolean {
    return life === process.life && this.doReach(process, peer);
  }

  private doReach(one: Machine, other: Machine): boolean {
    const { network } = this.stage;
    return one.node !== null && other.node !== null && this.isRunning(one) && this.isRunning(other)
      && !network.looksCut(network.link(one.index, other.index)) && !network.looksCut(network.link(other.index, one.index));
  }

  private isRunning({ frozenUntilUs, isAsleep }: Machine): boolean {
    return frozenUntilUs <= this.stage.nowUs && !isAsleep;
  }

  private apartForMs(machine: Machine): number {
    return machine.node === null ? 0 : this.stage.core.apartForMs(machine.node, this.stage.nowMsAt(machine));
  }

  private processOf(machine: Machine): Process | null {
    return this.processes.find((process) => process.machine === machine) ?? null;
  }

  private later(afterUs: number, call: () => void): void {
    this.stage.agenda.push(this.stage.nowUs + 1 + Math.floor(afterUs), CALL, 0, 0, call);
  }
}
