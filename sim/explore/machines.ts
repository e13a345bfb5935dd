/**
 * The states of all machines, each by a number, and what each action does to each of them, found out
 * once: the core runs once for each distinct (state of a node, event), not once for each global state.
 * Law: a memory of `Hardware`; it decides nothing itself.
 */
import type { NodeId, RequestId, Token } from '../../src/core';
import type { Coterie } from '../../src/quorum/coterie';
import type { Core } from '../core';
import { Bags } from './bags';
import { Hardware } from './hardware';
import { failureOf } from './machine';
import type { Action, Failure, Machine, OpenRequest, Outcome, Peer } from './machine';
import type { Setup } from './setup';
import { Snapshots } from './snapshot';
import { ByteStrings, IntVector, PairMap } from './tables';
import type { Tallies } from './tally';

/** What an action does, as a row of integers; by the place in the row. */
export const EFFECT = {
  /** The next state of the machine. */
  machine: 0,
  /** What others see of it: who entered, for the tally, or 0; what rule it broke, or 0; ... */
  outcome: 1,
  /** ... to how many nodes it sent something; and for each of these its place and the bag for it. */
  receivers: 3,
} as const;

// The first of a machine's actions.
export const PASS = 0;
export const CRASH = 1;
export const REPEAT = 2;

/** Who holds the lock at a machine. */
export const HOLDS = { nobody: 0, shared: 1, exclusive: 2, both: 3 } as const;

/** Lives of a node, and what others have seen of them, fit into so many bits. */
const LIFE_BITS = 3;
export const LIVES_MAX = (1 << LIFE_BITS) - 1;

export class Machines {
  readonly nodes: readonly NodeId[];
  readonly hardware: Hardware;
  readonly bags: Bags;
  readonly coterie: Coterie;
  readonly failures: Failure[] = [{ check: '', detail: '' }];
  readonly effects = new IntVector();
  /** All that a machine may do without any other; a machine's `enabled` are bits for these. */
  readonly actions: readonly Action[];
  /** How often the core was run. */
  runs = 0;

  private readonly places: ReadonlyMap<NodeId, number>;
  private readonly snapshots: Snapshots;
  private readonly states = new ByteStrings();
  private readonly placeOf = new IntVector();
  private readonly holdsOf = new IntVector();
  private readonly lifeOf = new IntVector();
  private readonly seenOf = new IntVector();
  private readonly enabledOf = new IntVector();
  private readonly waitingOf = new IntVector();
  private readonly emptyOf = new IntVector();
  /** What a handshake tells: by the number of that. */
  private readonly peerOf = new IntVector();
  private readonly peers: Peer[] = [];
  private readonly peerIds = new Map<string, number>();
  private readonly afterActions = new PairMap();
  private readonly afterLetters = new PairMap();
  private readonly afterNotices = new PairMap();
  private readonly afterRestarts = new Map<string, number>();

  constructor(setup: Setup, core: Core, private readonly tallies: Tallies) {
    this.hardware = new Hardware(core, setup);
    this.coterie = this.hardware.coterie;
    this.nodes = this.hardware.nodes;
    this.places = new Map(this.nodes.map((id, index) => [id, index]));
    this.snapshots = new Snapshots(this.hardware.settings, setup.keepOrder);
    this.bags = new Bags(this.snapshots);
    this.actions = this.hardware.allActions();
  }

  get size(): number {
    return this.states.size;
  }


  get bytes(): number {
    return this.states.bytes + this.effects.bytes + this.afterActions.bytes + this.afterLetters.bytes
      + this.bags.bytes + 7 * this.placeOf.bytes + this.afterNotices.bytes;
  }

  /** All started and connected to one another. */
  first(): number[] {
    return this.hardware.firstMachines().map((machine) => this.idOf(machine));
  }

  restore(id: number): Machine {
    return this.snapshots.read(this.states.read(id)) as Machine;
  }

  holds(id: number): number {
    return this.holdsOf.at(id);
  }

  /** Its number of lives, or 0 while it is down. */
  life(id: number): number {
    return this.lifeOf.at(id);
  }

  /** Which life it has seen of the node at that place, or 0 when it takes it for down. */
  seenLife(id: number, place: number): number {
    return (this.seenOf.at(id) >> (LIFE_BITS * place)) & LIVES_MAX;
  }

  isEnabled(id: number, action: number): boolean {
    return (this.enabledOf.at(id) & (1 << action)) !== 0;
  }

  /** Whether it runs and a caller of it waits. */
  isWaiting(id: number): boolean {
    return this.waitingOf.at(id) !== 0;
  }

  /** Whether it remembers nothing of the lock. */
  isEmpty(id: number): boolean {
    return this.emptyOf.at(id) !== 0;
  }

  /** Its request in the protocol, if there is one. */
  openRequest(id: number): OpenRequest | null {
    return this.hardware.openRequest(this.restore(id));
  }

  /** Whether its arbiter lends its vote to a holder of that token, by its own clock. */
  lendsTo(id: number, request: RequestId, token: Token): boolean {
    return this.hardware.lendsTo(this.restore(id), request, token);
  }

  /** Whether its arbiter has the request, in its queue or with its vote. */
  knows(id: number, request: RequestId): boolean {
    return this.hardware.knows(this.restore(id), request);
  }

  /** What a handshake with it tells, by a number. */
  peer(id: number): number {
    return this.peerOf.at(id);
  }

  peerOfNumber(peer: number): Peer {
    const found = this.peers[peer];
    if (found === undefined) throw new RangeError(`no peer ${peer}`);
    return found;
  }

  /** What one of `actions` does: where its row in `effects` begins. */
  afterAction(id: number, action: number): number {
    let row = this.afterActions.get(id, action);
    if (row < 0) {
      row = this.run(id, this.actions[action]);
      this.afterActions.set(id, action, row);
    }
    return row;
  }

  afterLetter(id: number, letter: number): number {
    let row = this.afterLetters.get(id, letter);
    if (row < 0) {
      row = this.run(id, { kind: 'deliver', ...this.bags.letter(letter) });
      this.afterLetters.set(id, letter, row);
    }
    return row;
  }

  /** When it finds out how a peer is. */
  afterNotice(id: number, peer: number): number {
    let row = this.afterNotices.get(id, peer);
    if (row < 0) {
      row = this.run(id, { kind: 'notice', peer: this.peerOfNumber(peer) });
      this.afterNotices.set(id, peer, row);
    }
    return row;
  }

  afterRestart(id: number, peers: readonly number[]): number {
    const key = `${id} ${peers.join()}`;
    let row = this.afterRestarts.get(key);
    if (row === undefined) {
      row = this.run(id, { kind: 'restart', peers: peers.map((peer) => this.peerOfNumber(peer)) });
      this.afterRestarts.set(key, row);
    }
    return row;
  }

  private run(id: number, action: Action | undefined): number {
    if (action === undefined) throw new RangeError('no such action');
    this.runs++;
    const place = this.placeOf.at(id);
    const machine = this.restore(id);
    const { effects } = this;
    const row = effects.length;
    try {
      const { sent, entries } = this.hardware.act(machine, action);
      const sends = this.bagsFor(place, sent);
      const next = this.idOf(machine);
      effects.push(next);
      effects.push(this.tallies.entriesId(entries));
      effects.push(0);
      effects.push(sends.size);
      for (const [to, bag] of sends) {
        effects.push(to);
        effects.push(bag);
      }
    } catch (error) {
      const failure = this.failures.push(failureOf(error)) - 1;
      for (const each of [id, 0, failure, 0]) effects.push(each);
    }
    return row;
  }

  private bagsFor(place: number, sent: Outcome['sent']): Map<number, number> {
    const from = this.nodes[place] ?? '';
    const letters = new Map<number, number[]>();
    for (const { to, message } of sent) {
      const receiver = this.places.get(to);
      if (receiver === undefined) throw new RangeError(`${from} sends to ${to}`);
      const letter = this.bags.letterId({ from, message });
      const others = letters.get(receiver);
      if (others === undefined) letters.set(receiver, [letter]);
      else others.push(letter);
    }
    return new Map([...letters].map(([receiver, each]) => [receiver, this.bags.idOf(each)]));
  }

  private idOf(machine: Machine): number {
    this.snapshots.write(machine);
    const known = this.states.size;
    const id = this.states.idOf(this.snapshots.scratch, this.snapshots.length);
    if (id === known) this.describe(machine);
    return id;
  }

  private peerId(peer: Peer): number {
    const key = `${peer.index} ${peer.life} ${peer.clock} ${peer.silentForMs}`;
    let id = this.peerIds.get(key);
    if (id === undefined) {
      id = this.peers.push(peer) - 1;
      this.peerIds.set(key, id);
    }
    return id;
  }

  private describe(machine: Machine): void {
    const peer = this.hardware.asPeer(machine);
    this.placeOf.push(machine.index);
    this.lifeOf.push(peer.life);
    this.peerOf.push(this.peerId(peer));
    this.seenOf.push(machine.seenLife.reduceRight((bits, life) => (bits << LIFE_BITS) | life, 0));
    this.holdsOf.push(holdsAt(machine));
    this.waitingOf.push(machine.callers.some((caller) => caller.state === 'waiting') ? 1 : 0);
    this.emptyOf.push(this.hardware.isEmpty(machine) ? 1 : 0);
    this.enabledOf.push(this.hardware.enabled(machine, this.actions));
  }
}

function holdsAt({ holds }: Machine): number {
  const exclusive = holds.filter((hold) => hold.mode === 'exclusive').length;
  if (exclusive === 0) return holds.length === 0 ? HOLDS.nobody : HOLDS.shared;
  return holds.length === 1 ? HOLDS.exclusive : HOLDS.both;
}
