/**
 * The whole system: the product of all seats and the tally. A state is a tuple of integers, a seat for
 * each node and then the tally. From a state it finds every step, and says what each leads to and
 * whether it breaks a rule that no node can see alone.
 */
import { hasPriority, isCompatible } from '../../src/core';
import type { RequestId } from '../../src/core';
import type { Core } from '../core';
import type { Action, Failure } from './machine';
import { EFFECT, HOLDS, Machines, PASS } from './machines';
import { ROW, Seats } from './seats';
import type { SeatStep } from './seats';
import type { Setup } from './setup';
import type { IntVector } from './tables';
import { COST, FREE, NOTHING_LEFT, TOKEN_TOO_LOW, Tallies } from './tally';

/** A step that depends on how other nodes are: a restart, or finding out how a peer is. Peers go by their number. */
interface Meeting {
  readonly kind: 'restart' | 'notice';
  readonly place: number;
  readonly peers: readonly number[];
}

/** One step, for those who tell of it. Only time passes everywhere at once. */
export type Step =
  | { readonly kind: 'pass' }
  | (SeatStep & { readonly place: number });

const NO_MEETINGS: readonly Meeting[] = [];

export class System {
  readonly tallies = new Tallies();
  readonly machines: Machines;
  readonly seats: Seats;
  readonly nodes: number;
  /** How many integers a state is. */
  readonly width: number;

  /** What the step just told of, or just made, leads to, and what rule it breaks. */
  readonly next: Int32Array;
  failure: Failure | null = null;
  /** How often one request was overtaken at most, of what was told of so far. */
  overtakenMax = 0;

  // Which step that is.
  private place = 0;
  private row = -1;
  private meeting: Meeting | null = null;

  constructor(readonly setup: Setup, core: Core) {
    this.machines = new Machines(setup, core, this.tallies);
    this.seats = new Seats(this.machines, setup);
    this.nodes = setup.nodes;
    this.width = setup.nodes + 1;
    this.next = new Int32Array(this.width);
  }

  get bytes(): number {
    return this.machines.bytes + this.seats.bytes;
  }

  first(): Int32Array {
    const seats = this.machines.first().map((machine) => this.seats.idOf(machine, 0));
    return Int32Array.from([...seats, this.tallies.first(this.setup.budget)]);
  }

  machineAt(state: Int32Array, place: number): number {
    return this.seats.machineOf(state[place] ?? 0);
  }

  tallyOf(state: Int32Array): number {
    return state[this.nodes] ?? 0;
  }

  /** Tells of every step. Returns how many of them are free: such as a live system makes by itself. */
  expand(state: Int32Array, tell: () => void): number {
    const tally = this.tallyOf(state);
    const { rows } = this.seats;
    let free = 0;
    this.meeting = null;
    for (this.place = 0; this.place < this.nodes; this.place++) {
      let at = this.seats.rowsOf(state[this.place] ?? 0);
      const count = rows.at(at++);
      for (this.row = 0; this.row < count; this.row++) {
        const cost = rows.at(at + ROW.cost);
        const after = cost === FREE ? tally : this.tallies.spend(tally, cost);
        if (cost === FREE) free++;
        if (after !== NOTHING_LEFT) {
          this.take(state, after, rows.at(at + ROW.seat), rows, at + ROW.outcome);
          tell();
        }
        at += ROW.length + 2 * rows.at(at + ROW.receivers);
      }
    }
    for (this.meeting of this.meetings(state)) {
      if (this.meeting.kind === 'notice') free++;
      this.meet(state, this.meeting);
      tell();
    }
    this.meeting = null;
    this.row = -1;
    if (this.setup.budget.leaseEnd > 0 && !this.setup.freeClocks) {
      const after = this.tallies.spend(tally, COST.leaseEnd);
      if (after !== NOTHING_LEFT) {
        this.passTime(state, after);
        tell();
      }
    }
    return free;
  }

  /** The step that `expand` tells of. */
  describe(state: Int32Array): Step {
    if (this.meeting !== null) return { kind: 'act', place: this.meeting.place, action: this.actionOf(this.meeting) };
    if (this.row < 0) return { kind: 'pass' };
    return { place: this.place, ...this.seats.describe(state[this.place] ?? 0, this.row) };
  }

  /** Makes the first free step there is, and tells whether there was one. */
  advance(state: Int32Array): boolean {
    const { rows } = this.seats;
    for (this.place = 0; this.place < this.nodes; this.place++) {
      let at = this.seats.rowsOf(state[this.place] ?? 0);
      for (let row = rows.at(at++); row > 0; row--) {
        if (rows.at(at + ROW.cost) === FREE) {
          this.take(state, this.tallyOf(state), rows.at(at + ROW.seat), rows, at + ROW.outcome);
          return true;
        }
        at += ROW.length + 2 * rows.at(at + ROW.receivers);
      }
    }
    const notice = this.meetings(state).find(({ kind }) => kind === 'notice');
    if (notice !== undefined) this.meet(state, notice);
    return notice !== undefined;
  }

  /** A step of the time in which leases end. */
  passTime(state: Int32Array, tally: number): void {
    for (let place = 0; place < this.nodes; place++) {
      const seat = state[place] ?? 0;
      const row = this.machines.afterAction(this.seats.machineOf(seat), PASS);
      this.next[place] = this.seats.idOf(this.machines.effects.at(row + EFFECT.machine), this.seats.bagOf(seat));
    }
    this.next[this.nodes] = tally;
    this.failure = null;
  }

  /** What a machine does by itself. */
  act(state: Int32Array, place: number, action: number): void {
    this.place = place;
    this.takeEffects(state, this.machines.afterAction(this.machineAt(state, place), action));
  }

  private meet(state: Int32Array, { kind, place, peers }: Meeting): void {
    const { machines } = this;
    const machine = this.machineAt(state, place);
    this.place = place;
    if (kind === 'notice') return this.takeEffects(state, machines.afterNotice(machine, peers[0] ?? 0));
    this.takeEffects(state, machines.afterRestart(machine, peers));
    if (!this.setup.handshakesApart) this.introduce(place);
  }

  /** All that live find out, as part of the same step, that the node there is back. */
  private introduce(newcomer: number): void {
    const { machines } = this;
    const peer = machines.peer(this.machineAt(this.next, newcomer));
    for (let place = 0; place < this.nodes; place++) {
      const machine = this.machineAt(this.next, place);
      if (place === newcomer || machines.life(machine) === 0 || this.failure !== null) continue;
      this.place = place;
      this.takeEffects(this.next, machines.afterNotice(machine, peer));
    }
  }

  private actionOf({ kind, peers }: Meeting): Action {
    const [peer, ...others] = peers.map((each) => this.machines.peerOfNumber(each));
    if (kind === 'restart') return { kind, peers: peer === undefined ? [] : [peer, ...others] };
    if (peer === undefined) throw new Error('nobody is noticed');
    return { kind, peer };
  }

  private meetings(state: Int32Array): readonly Meeting[] {
    if (this.setup.budget.crash + this.setup.budget.suspect === 0) return NO_MEETINGS;
    const { machines } = this;
    const meetings: Meeting[] = [];
    for (let place = 0; place < this.nodes; place++) {
      const machine = this.machineAt(state, place);
      const isUp = machines.life(machine) !== 0;
      const livePeers: number[] = [];
      for (let other = 0; other < this.nodes; other++) {
        if (other === place) continue;
        const otherMachine = this.machineAt(state, other);
        const life = machines.life(otherMachine);
        if (isUp && machines.seenLife(machine, other) !== life) {
          meetings.push({ kind: 'notice', place, peers: [machines.peer(otherMachine)] });
        }
        if (!isUp && life !== 0) livePeers.push(machines.peer(otherMachine));
      }
      if (!isUp) meetings.push({ kind: 'restart', place, peers: livePeers });
    }
    return meetings;
  }

  private takeEffects(state: Int32Array, row: number): void {
    const { effects } = this.machines;
    const seat = this.seats.idOf(effects.at(row + EFFECT.machine), this.seats.bagOf(state[this.place] ?? 0));
    this.take(state, this.tallyOf(state), seat, effects, row + EFFECT.outcome);
  }

  /** `rows` from `at` on: the entries, the failure, the number of receivers, and what each is sent. */
  private take(state: Int32Array, tally: number, seat: number, rows: IntVector, at: number): void {
    const { next, seats } = this;
    if (next !== state) next.set(state);
    next[this.place] = seat;
    const end = at + 3 + 2 * rows.at(at + 2);
    for (let send = at + 3; send < end; send += 2) {
      const to = rows.at(send);
      next[to] = seats.withLetters(next[to] ?? 0, rows.at(send + 1));
    }
    const failure = rows.at(at + 1);
    this.failure = failure === 0 ? null : (this.machines.failures[failure] ?? null);
    const entries = rows.at(at);
    next[this.nodes] = entries === 0 ? tally : this.enter(tally, entries);
    if (entries !== 0 && this.setup.countsOvertaking) this.countOvertaking();
  }

  /** Checks what an entry may break, and returns the tally after it. */
  private enter(tally: number, entries: number): number {
    const { freeClocks } = this.setup;
    if (!freeClocks && !this.areHoldersCompatible()) {
      this.failure = { check: 'exclusion', detail: `${this.holders().join(' and ')} hold the lock at one time` };
    }
    const after = this.tallies.enter(tally, entries);
    if (after !== TOKEN_TOO_LOW) return after;
    // One that enters on votes that have ended, because its clock stood still, is refused by its token.
    if (freeClocks && !this.isBacked(entries)) return this.tallies.enterUnchecked(tally, entries);
    const tokens = this.tallies.entriesOf(entries).map(({ mode, token }) => `${mode} ${token}`);
    this.failure = { check: 'token-rises', detail: `token ${tokens.join(', ')} after ${this.tallies.highest(tally)}` };
    return tally;
  }

  /** Only an entry can change that for the worse. */
  private areHoldersCompatible(): boolean {
    let exclusive = 0;
    let shared = 0;
    for (let place = 0; place < this.nodes; place++) {
      const holds = this.machines.holds(this.machineAt(this.next, place));
      if (holds === HOLDS.shared) shared++;
      else if (holds === HOLDS.exclusive) exclusive++;
      else if (holds === HOLDS.both) exclusive += 2;
    }
    return exclusive === 0 || (exclusive === 1 && shared === 0);
  }

  /** Whether arbiters that form a quorum lend their votes to the one who just entered, by their own clocks. */
  private isBacked(entries: number): boolean {
    const { machines } = this;
    const request = machines.openRequest(this.machineAt(this.next, this.place));
    if (request === null) return false;
    const token = Math.max(...this.tallies.entriesOf(entries).map((entry) => entry.token));
    const lenders = machines.nodes.filter((_, place) => machines.lendsTo(this.machineAt(this.next, place), request.request, token));
    return machines.coterie.containsQuorum(new Set(lenders));
  }

  /** Whom the one who just entered has overtaken: older ones, incompatible, whom their whole voting sets know. */
  private countOvertaking(): void {
    const { machines, next, tallies } = this;
    const entrant = machines.openRequest(this.machineAt(next, this.place));
    if (entrant === null) return;
    const overtaken: number[] = [];
    for (let place = 0; place < this.nodes; place++) {
      const request = machines.openRequest(this.machineAt(next, place));
      if (request === null || !request.isWaiting || isCompatible(request.mode, entrant.mode)) continue;
      if (hasPriority(request, entrant) && this.hasReachedAll(place, request.request)) overtaken.push(place);
    }
    const tally = tallies.overtake(this.tallyOf(next), this.place, overtaken);
    for (const place of overtaken) this.overtakenMax = Math.max(this.overtakenMax, tallies.overtaken(tally, place));
    next[this.nodes] = tally;
  }

  private hasReachedAll(place: number, request: RequestId): boolean {
    const { coterie, nodes } = this.machines;
    return coterie.votingSet(nodes[place] ?? '').every((arbiter) => this.machines.knows(this.machineAt(this.next, nodes.indexOf(arbiter)), request));
  }

  private holders(): string[] {
    return this.machines.nodes.filter((_, place) => this.machines.holds(this.machineAt(this.next, place)) !== HOLDS.nobody);
  }
}
