/**
 * Liveness. Where no free step is left, the system is quiet: a node that still waits then waits for a
 * timer, because a message was lost or someone died, or it waits for ever. From every quiet state the
 * faults are ended and time goes on: repeats are made, leases end. Then all that wait at a live node
 * must be served in a bounded number of rounds, and in the end no node may remember anything.
 *
 * There is no other way to fail. Each step uses up something that only falls or moves on something that
 * only rises (a budget, a caller's state, a life, a Lamport clock: `Hardware.act` asserts it), so no
 * path comes back to where it was; and when the search ends, all paths are finite. So every path, fair
 * or not, ends in a quiet state, and there are no cycles to look for.
 */
import type { NodeId } from '../../src/core';
import type { Failure } from './machine';
import { REPEAT } from './machines';
import type { System } from './system';
import { StateTable } from './tables';

/** Rounds until all are served: in each, repeats are made, and in every third a lease ends. */
const ROUNDS_MAX = 12;
const REPEATS_A_LEASE = 3;
/** In one round. So many steps and no end to them are a storm of messages. */
const STEPS_MAX = 10_000;
/** One for what waits in a queue, and one for who remembers that there was contention. */
const LEASES_TO_FORGET = 2;

export class Settler {
  /** States from which it is known to end well. */
  private readonly good: StateTable;
  private readonly state: Int32Array;
  private readonly fresh: Int32Array[] = [];

  constructor(private readonly system: System) {
    this.good = new StateTable(system.width);
    this.state = new Int32Array(system.width);
  }

  get bytes(): number {
    return this.good.bytesNext;
  }

  /** `quiet` has no free step. What is wrong with it, or null. */
  check(quiet: Int32Array): Failure | null {
    const { system, state } = this;
    const { budget } = system.setup;
    const waiting = this.waiting(quiet);
    const used = system.tallies.used(system.tallyOf(quiet), budget);
    if (waiting.length > 0 && used.loss + used.crash + used.leaseEnd === 0) {
      return { check: 'progress', detail: `${waiting.join(', ')} would wait for ever, though no message was lost` };
    }
    state.set(quiet);
    state[system.nodes] = system.tallies.withoutFaults(system.tallyOf(quiet));
    this.fresh.length = 0;
    const failure = this.settle();
    if (failure === null) for (const each of this.fresh) this.good.add(each, -1);
    return failure;
  }

  private settle(): Failure | null {
    const { system, state } = this;
    for (let round = 1; this.waiting(state).length > 0; round++) {
      if (!this.hasQuorum()) return null;
      if (this.isKnown()) return null;
      if (round > ROUNDS_MAX) {
        return { check: 'progress', detail: `${this.waiting(state).join(', ')} is not served in ${ROUNDS_MAX} rounds of repeats, though all faults have ended` };
      }
      const failure = round % REPEATS_A_LEASE === 0 ? this.leaseEnds() : this.repeat();
      if (failure !== null) return failure;
    }
    if (this.isKnown()) return null;
    for (let lease = 0; lease < LEASES_TO_FORGET; lease++) {
      const failure = this.leaseEnds();
      if (failure !== null) return failure;
    }
    const place = system.machines.nodes.findIndex((_, each) => !system.machines.isEmpty(system.machineAt(state, each)));
    return place < 0 ? null : { check: 'no-residue', detail: `${system.machines.nodes[place]} keeps something when all is over` };
  }

  /** Notes the state, and whether it was known to end well before. */
  private isKnown(): boolean {
    const copy = Int32Array.from(this.state);
    if (this.good.has(copy)) return true;
    this.fresh.push(copy);
    return false;
  }

  private repeat(): Failure | null {
    const { system, state } = this;
    for (let place = 0; place < system.nodes; place++) {
      if (!system.machines.isEnabled(system.machineAt(state, place), REPEAT)) continue;
      system.act(state, place, REPEAT);
      if (system.failure !== null) return system.failure;
      state.set(system.next);
    }
    return this.untilQuiet();
  }

  private leaseEnds(): Failure | null {
    const { system, state } = this;
    for (let step = 0; step < system.setup.leaseSteps; step++) {
      system.passTime(state, system.tallyOf(state));
      state.set(system.next);
      const failure = this.untilQuiet();
      if (failure !== null) return failure;
    }
    return null;
  }

  private untilQuiet(): Failure | null {
    const { system, state } = this;
    for (let step = 0; system.advance(state); step++) {
      if (system.failure !== null) return system.failure;
      if (step === STEPS_MAX) return { check: 'progress', detail: `a storm of messages: ${STEPS_MAX} steps and no end` };
      state.set(system.next);
    }
    return null;
  }

  private waiting(state: Int32Array): readonly NodeId[] {
    const { machines } = this.system;
    return machines.nodes.filter((_, place) => machines.isWaiting(this.system.machineAt(state, place)));
  }

  /** Without a quorum of live nodes nothing is promised. */
  private hasQuorum(): boolean {
    const { machines } = this.system;
    const live = machines.nodes.filter((_, place) => machines.life(this.system.machineAt(this.state, place)) !== 0);
    return machines.coterie.containsQuorum(new Set(live));
  }
}
