/**
 * fairness: requests are served in the order of their Lamport time. Once an arbiter knows a request that waits,
 * it lends its vote to no younger one that conflicts with it; so only those may enter before it that had
 * votes already, one for each other node at most. Watched in runs without faults: there every request that
 * was sent is known to its arbiter from its arrival until its node says that it is over.
 * Must never look into the core: it sees messages and who enters.
 */
import { claimOf, doesHold, hasPriority, isCompatible } from '../../src/core';
import type { Contender, LamportTime, Message, Mode, NodeId } from '../../src/core';
import { violated } from './check';
import { LastAsked } from './openings';
import { ofLock } from './scene';
import type { Scene } from './scene';
import type { Entry, Witness } from './witness';

/** A request on its way to be granted. */
interface Waiting extends Contender {
  readonly mode: Mode;
  /** Arbiters that it was sent to and has not reached yet. */
  readonly awaiting: Set<NodeId>;
  /** Arbiters that send nothing which they decided before they knew it. */
  readonly reached: Set<NodeId>;
  /** The younger requests that entered since it reached its whole voting set. */
  readonly overtakenBy: Set<string>;
}

export class Fairness implements Witness {
  /** By lock and node. */
  private readonly waiting: Map<NodeId, Waiting>[];
  /** Per lock, by arbiter: its highest grant number so far. */
  private readonly highest: Map<NodeId, LamportTime>[];
  private readonly lastAsked: LastAsked;

  constructor(private readonly scene: Scene) {
    this.waiting = scene.locks.map(() => new Map<NodeId, Waiting>());
    this.highest = scene.locks.map(() => new Map<NodeId, LamportTime>());
    this.lastAsked = new LastAsked(scene.nodeIds.length, scene.locks);
  }

  sent(from: number, to: number, lock: number, message: Message): void {
    const node = this.idOf(from);
    switch (message.kind) {
      case 'request': {
        const { timestamp, mode, claim } = message;
        const isFirst = this.lastAsked.isFirst(from, to, lock, timestamp);
        if (isFirst && !doesHold(claim)) this.opened(lock, this.idOf(to), { request: { timestamp, node }, claim }, mode);
        return;
      }
      case 'grant':
        return this.lent(lock, node, this.idOf(to), message.timestamp, message.grant);
      case 'release':
        return this.over(lock, node, message.timestamp);
      case 'inquire':
      case 'yield':
        return;
    }
  }

  delivering(from: number, to: number, lock: number, message: Message): void {
    if (message.kind === 'request') this.reached(lock, this.idOf(from), this.idOf(to), message.timestamp, this.scene.isHeldBack(to));
  }

  entered({ lock, requester, hold }: Entry): void {
    if (requester?.state === 'held') this.overtaken(lock, { request: requester.request, claim: claimOf(requester.steals, false) }, hold.mode);
  }

  private opened(lock: number, arbiter: NodeId, { request: id, claim }: Contender, mode: Mode): void {
    const waiting = ofLock(this.waiting, lock);
    let request = waiting.get(id.node);
    if (request?.request.timestamp !== id.timestamp) {
      request = { request: id, claim, mode, awaiting: new Set(), reached: new Set(), overtakenBy: new Set() };
      waiting.set(id.node, request);
    }
    if (!request.reached.has(arbiter)) request.awaiting.add(arbiter);
  }

  /** `isHeldBack`: a ceiling is being written, so a vote lent before may be sent only later (protocol.md section 3). */
  private reached(lock: number, node: NodeId, arbiter: NodeId, timestamp: LamportTime, isHeldBack: boolean): void {
    const request = ofLock(this.waiting, lock).get(node);
    if (request?.request.timestamp !== timestamp) return;
    request.awaiting.delete(arbiter);
    if (!isHeldBack) request.reached.add(arbiter);
  }

  /** Entered or given up. */
  private over(lock: number, node: NodeId, timestamp: LamportTime): void {
    const waiting = ofLock(this.waiting, lock);
    if (waiting.get(node)?.request.timestamp === timestamp) waiting.delete(node);
  }

  /** An arbiter sends a Grant; what it lent before counts no more when it is sent again. */
  private lent(lock: number, arbiter: NodeId, to: NodeId, timestamp: LamportTime, grant: LamportTime): void {
    const highest = ofLock(this.highest, lock);
    if (grant <= (highest.get(arbiter) ?? 0)) return;
    highest.set(arbiter, grant);
    const waiting = ofLock(this.waiting, lock);
    const favoured = waiting.get(to);
    if (favoured?.request.timestamp !== timestamp) return; // It has entered by other votes, or given up.
    for (const older of waiting.values()) {
      if (!older.reached.has(arbiter) || isCompatible(older.mode, favoured.mode) || !hasPriority(older, favoured)) continue;
      violated('fairness', `lock ${this.scene.locks[lock]}: ${arbiter} lends its vote to request ${timestamp} of ${to}, `
        + `although it knows request ${older.request.timestamp} of ${older.request.node}`);
    }
  }

  private overtaken(lock: number, entrant: Contender, mode: Mode): void {
    const { request: id } = entrant;
    this.over(lock, id.node, id.timestamp);
    for (const older of ofLock(this.waiting, lock).values()) {
      if (older.awaiting.size > 0 || isCompatible(older.mode, mode) || !hasPriority(older, entrant)) continue;
      older.overtakenBy.add(`${id.node}'s request ${id.timestamp}`);
      if (older.overtakenBy.size <= overtakingMax(this.scene.nodeIds.length)) continue;
      violated('fairness', `lock ${this.scene.locks[lock]}: request ${older.request.timestamp} of ${older.request.node}, which all its arbiters know, `
        + `was overtaken by ${[...older.overtakenBy].join(', ')}`);
    }
  }

  private idOf(machine: number): NodeId {
    return this.scene.nodeIds[machine] ?? '';
  }
}

/**
 * So many younger requests may enter before one that has reached its whole voting set: each other node has at
 * most one in the protocol that may have votes of these arbiters, and what it asks for later gets none of them.
 * The explorer finds one at most with three or four callers (`sim:explore -- --overtaking`).
 */
function overtakingMax(nodeCount: number): number {
  return nodeCount - 1;
}
