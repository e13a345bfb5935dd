/**
 * sparing: where several nodes want a lock, no message is sent that no rule asks for (protocol.md sections 5.2, 5.4, 6.8, 9 and 14). For runs
 * without faults, in which nobody is down and nothing is repeated because it was lost.
 * Must never look into the core: it sees messages and who enters.
 */
import { doesHold, doesSteal, hasPriority } from '../../src/core';
import type { Contender, Event, LamportTime, Message, NodeId } from '../../src/core';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { LastAsked } from './openings';
import { OfNodesAndLocks, joinsOthers } from './scene';
import type { Scene } from './scene';
import type { Entry, Witness } from './witness';

/** What a node has sent and heard for one lock. Times are its own. */
interface Asking {
  timestamp: LamportTime;
  isOver: boolean;
  readonly asked: Set<number>;
  /** The number of the event, and the time, at which it asked arbiters that it had not asked before. */
  event: number;
  addedAtMs: number;
  enteredAtMs: number;
  contentionAtMs: number;
}

/** Of one arbiter and lock. */
interface Inquiries {
  /** The oldest contender for whose sake it has inquired, by number of the grant. */
  readonly oldest: Map<LamportTime, Contender>;
  /** The Request that it handles now is a repeat. */
  isRepeat: boolean;
}

/** Grants of so many numbers are kept apart at an arbiter. */
const GRANTS_REMEMBERED = 100;

export class Sparing implements Witness {
  private readonly asking: OfNodesAndLocks<Asking>;
  private readonly inquiries: OfNodesAndLocks<Inquiries>;
  private readonly lastHeard: LastAsked;
  private readonly hasThieves: boolean;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.asking = new OfNodesAndLocks(scene, () => ({
      timestamp: 0, isOver: true, asked: new Set<number>(), event: 0, addedAtMs: 0, enteredAtMs: -Infinity, contentionAtMs: -Infinity,
    }));
    this.inquiries = new OfNodesAndLocks(scene, () => ({ oldest: new Map<LamportTime, Contender>(), isRepeat: false }));
    this.lastHeard = new LastAsked(scene.nodeIds.length, scene.locks);
    this.hasThieves = plan.intensities.steal > 0;
  }

  delivering(from: number, to: number, lock: number, message: Message): void {
    if (message.kind === 'request') {
      this.inquiries.of(to, lock).isRepeat = !this.lastHeard.isFirst(from, to, lock, message.timestamp);
    } else if (message.kind === 'inquire') {
      const asking = this.asking.of(to, lock);
      if (asking.timestamp === message.timestamp && !asking.isOver) asking.contentionAtMs = this.scene.nowMs(to);
    }
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    switch (message.kind) {
      case 'request':
        return this.requested(from, to, lock, message, cause);
      case 'release': {
        const asking = this.asking.of(from, lock);
        if (asking.timestamp === message.timestamp) asking.isOver = true;
        return;
      }
      case 'inquire':
        return this.inquired(from, lock, message, cause);
      case 'grant':
      case 'yield':
        return;
    }
  }

  entered({ machine, lock, caller }: Entry): void {
    // One that joins readers inside begins no hold.
    if (joinsOthers(caller)) return;
    this.asking.of(machine, lock).enteredAtMs = this.scene.nowMs(machine);
  }

  private requested(from: number, to: number, lock: number, message: Message & { kind: 'request' }, cause: Event): void {
    const { leaseMs, retryMs } = this.plan;
    const { events } = this.scene;
    const nowMs = this.scene.nowMs(from);
    const asking = this.asking.of(from, lock);
    if (asking.timestamp !== message.timestamp) {
      if (message.keep && nowMs < asking.contentionAtMs + leaseMs) this.excess(from, lock, 'asks to keep grants that others wanted within the last lease');
      asking.timestamp = message.timestamp;
      asking.isOver = false;
      asking.asked.clear();
    } else if (!asking.asked.has(to) && asking.event !== events && !this.hasThieves) {
      if (!doesHold(message.claim)) {
        if (nowMs < asking.addedAtMs + leaseMs) this.excess(from, lock, `asks ${this.idOf(to)} too, ${nowMs - asking.addedAtMs} ms after it asked others`);
      } else if (cause.kind !== 'wake' && nowMs < asking.enteredAtMs + retryMs) {
        this.excess(from, lock, `asks ${this.idOf(to)} too, ${nowMs - asking.enteredAtMs} ms after it entered`);
      }
    }
    if (asking.asked.has(to)) return;
    asking.asked.add(to);
    asking.event = events;
    asking.addedAtMs = nowMs;
  }

  private inquired(arbiter: number, lock: number, { contender, grant }: Message & { kind: 'inquire' }, cause: Event): void {
    if (cause.kind !== 'message' || cause.message.kind !== 'request' || doesSteal(contender.claim) || contender.request.node === this.idOf(arbiter)) return;
    const { from, message } = cause;
    const { node, timestamp } = contender.request;
    if (node !== from || timestamp !== message.timestamp) this.excess(arbiter, lock, `inquires for request ${timestamp} of ${node}, because ${from} sent request ${message.timestamp}`);
    const { oldest, isRepeat } = this.inquiries.of(arbiter, lock);
    const before = oldest.get(grant);
    if (before === undefined || hasPriority(contender, before)) oldest.set(grant, contender);
    else if (!isRepeat && hasPriority(before, contender)) {
      this.excess(arbiter, lock, `inquires for request ${timestamp} of ${node}, although it has for the older request ${before.request.timestamp} of ${before.request.node}`);
    }
    if (oldest.size > GRANTS_REMEMBERED) oldest.clear();
  }

  private excess(machine: number, lock: number, what: string): never {
    return violated('sparing', `lock ${this.scene.locks[lock]}: ${this.idOf(machine)} ${what}`);
  }

  private idOf(machine: number): NodeId {
    return this.scene.nodeIds[machine] ?? '';
  }
}
