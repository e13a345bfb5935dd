/**
 * refused-clearly: what arrives, or waits to be sent, is dropped for a reason that has a name; and what bounds the memory of a node is kept, and refuses
 * only what is beyond it (protocol.md sections 3, 5.7 and 6.9). Of a node's requests the one that was heard longest ago makes way for a further one
 * before that is refused, and no lock is refused while there is room. For runs with small limits.
 */
import type { Event, LockView, Message, NodeId } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { clockOf } from './scene';
import type { Scene } from './scene';
import type { Performed, Witness } from './witness';

/** As the core names it. */
export const HELD_BACK_REASON = 'too many messages are held back';

export class RefusedClearly implements Witness {
  /** The Request that an arbiter handles now, and why it was dropped. */
  private handled: { readonly from: number; readonly to: number; readonly lock: number; readonly message: Message } | null = null;
  private reason: string | null = null;
  /** What the arbiter knew of the lock before it. */
  private before: LockView | null = null;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {}

  delivering(from: number, to: number, lock: number, message: Message): void {
    this.handled = message.kind === 'request' ? { from, to, lock, message } : null;
    this.reason = null;
    this.before = this.handled === null ? null : this.scene.inspect(to, lock);
  }

  performed(effect: Performed): void {
    if (effect.kind === 'ignored' && effect.message === this.handled?.message) this.reason = effect.reason;
  }

  delivered(): void {
    if (this.handled === null) return;
    const { from, to, lock, message: { timestamp } } = this.handled;
    this.handled = null;
    const node = this.scene.nodeIds[from] ?? '';
    const view = this.scene.inspect(to, lock);
    const own = requestsOf(view, node);
    const { requestsOfANodeMax = Infinity } = this.plan;
    if (own.length > requestsOfANodeMax) this.fails(to, lock, `knows ${own.length} requests of ${node}, and the limit is ${requestsOfANodeMax}`);
    this.madeWay(to, lock, node, timestamp, view);
    if (this.reason === 'too many locks') this.fails(to, lock, 'refuses the lock, although there is room for all that there are');
    if (this.reason === 'too many requests of the node for the lock' && view?.queue.some(({ request }) => request.node === node) === true) {
      this.fails(to, lock, `refuses request ${timestamp} of ${node}, although another one of it only waits`);
    }
    if (this.reason === null && !own.includes(timestamp)) this.fails(to, lock, `drops request ${timestamp} of ${node} without a word`);
  }

  /** Of those that wait the one that was heard longest ago, and only where there are as many as may be. */
  private madeWay(to: number, lock: number, node: NodeId, timestamp: number, view: LockView | null): void {
    const { requestsOfANodeMax = Infinity } = this.plan;
    const { leaseMs } = termsAt(this.plan, this.scene.nowUs);
    const nowMs = this.scene.nowMs(to);
    const lent = (this.before?.grants ?? []).filter((each) => each.request.node === node && each.expiresAtMs > nowMs);
    const waited = (this.before?.queue ?? []).filter((each) => each.request.node === node && each.heardAtMs + leaseMs > nowMs);
    const isNew = ![...lent, ...waited].some(({ request }) => request.timestamp === timestamp);
    const left = requestsOf(view, node);
    // Before all else the arbiter lends a vote that is free by now (5.1): whoever got it waits no more.
    const waits = requestsOf({ ...view, grants: [] }, node);
    const gone = waited.filter(({ request }) => !left.includes(request.timestamp));
    const isBeyond = isNew && lent.length + waited.length >= requestsOfANodeMax;
    if (this.reason === 'too many requests of the node for the lock' && !isBeyond) this.fails(to, lock, `refuses request ${timestamp} of ${node}, and knows ${lent.length + waited.length} of it`);
    for (const { request, heardAtMs } of gone) {
      if (!isBeyond) this.fails(to, lock, `forgets request ${request.timestamp} of ${node}, and knows ${lent.length + waited.length} of it`);
      const earlier = waited.find((each) => each.heardAtMs < heardAtMs && waits.includes(each.request.timestamp));
      if (earlier !== undefined) this.fails(to, lock, `forgets request ${request.timestamp} of ${node}, and not ${earlier.request.timestamp}, which was heard longer ago`);
    }
  }

  private fails(arbiter: number, lock: number, detail: string): never {
    return violated('refused-clearly', `${this.scene.nodeIds[arbiter]}, lock ${this.scene.locks[lock]}: ${detail}`);
  }
}

function requestsOf(view: Partial<Pick<LockView, 'grants' | 'queue'>> | null, node: NodeId): number[] {
  return [...(view?.grants ?? []), ...(view?.queue ?? [])].flatMap(({ request }) => (request.node === node ? [request.timestamp] : []));
}

/** What bounds the memory of a node for what it says, and for the locks that it keeps. */
export class KeepsItsLimits implements Witness {
  /** By node: the lowest clock of a message that was lost for want of room since its ceiling was written last. */
  private readonly lostAt: number[];
  /** By node: numbers of grants that were sent, or said to be lost. */
  private readonly accountedFor: Set<number>[];
  private clock = 0;
  private sentNow = 0;
  /** The locks that its callers had to do with before this event. */
  private before: ReadonlySet<number> = new Set<number>();

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.lostAt = scene.nodeIds.map(() => Infinity);
    this.accountedFor = scene.nodeIds.map(() => new Set<number>());
  }

  started(machine: number): void {
    this.lostAt[machine] = Infinity;
  }

  stepping(machine: number, event: Event): void {
    this.sentNow = 0;
    this.clock = event.kind === 'ceilingReserved' ? clockOf(this.scene, machine) : -Infinity;
    this.before = this.busy(machine);
  }

  performed(effect: Performed): void {
    if (effect.kind !== 'ignored' || effect.reason !== HELD_BACK_REASON) return;
    const machine = this.scene.nodeIds.indexOf(effect.from);
    this.lostAt[machine] = Math.min(this.lostAt[machine] ?? Infinity, effect.message.clock);
    if (effect.message.kind === 'grant') this.accountedFor[machine]?.add(effect.message.grant);
  }

  /** What waited for the ceiling was said before it was written. */
  sent(from: number, _to: number, lock: number, message: Message): void {
    const { kind, clock } = message;
    if (message.kind === 'grant') this.accountedFor[from]?.add(message.grant);
    if (clock > this.clock) return;
    this.sentNow++;
    const { nodeIds, locks } = this.scene;
    if (clock > (this.lostAt[from] ?? Infinity)) violated('refused-clearly', `${nodeIds[from]} sends a ${kind} of lock ${locks[lock]} that it held back, and lost an earlier one for want of room`);
  }

  stepped(machine: number, event: Event): void {
    const { heldBackMax = Infinity, locksKeptMax = Infinity } = this.plan;
    const { nodeIds, locks } = this.scene;
    if (event.kind === 'ceilingReserved') {
      this.lostAt[machine] = Infinity;
      if (!this.scene.isHeldBack(machine)) locks.forEach((_, lock) => this.lookForLost(machine, lock));
    }
    if (this.sentNow > heldBackMax) violated('refused-clearly', `${nodeIds[machine]} held ${this.sentNow} messages back, and the limit is ${heldBackMax}`);
    const known = locks.flatMap((_, lock) => (this.requesterOf(machine, lock) === null ? [] : [lock]));
    if (known.length <= locksKeptMax) return;
    for (const lock of this.before) {
      const requester = this.requesterOf(machine, lock);
      const isRemembered = requester?.state === 'idle' && requester.waitingCallers.length === 0;
      if (requester?.state !== 'retained' && !isRemembered) continue;
      violated('refused-clearly', `${nodeIds[machine]} ${isRemembered ? 'remembers that others wanted' : 'keeps its grants of'} lock ${locks[lock]}, and knows ${known.length} locks; the limit is ${locksKeptMax}`);
    }
  }

  /** Nothing is held back any more: what was said by then was sent, or lost and said to be. */
  private lookForLost(machine: number, lock: number): void {
    const { nodeIds, locks } = this.scene;
    for (const { grant, request } of this.scene.inspect(machine, lock)?.grants ?? []) {
      if (request.node === nodeIds[machine] || this.accountedFor[machine]?.has(grant) === true) continue;
      violated('refused-clearly', `${nodeIds[machine]} has lent its vote for lock ${locks[lock]} to request ${request.timestamp} of ${request.node}, and its Grant was lost without a word`);
    }
  }

  /** Those that somebody holds or waits for: with the end of that it is decided whether something is kept. */
  private busy(machine: number): ReadonlySet<number> {
    const busy = new Set<number>();
    this.scene.locks.forEach((_, lock) => {
      const requester = this.requesterOf(machine, lock);
      if (requester !== null && (requester.state === 'waiting' || requester.state === 'held')) busy.add(lock);
    });
    return busy;
  }

  private requesterOf(machine: number, lock: number): LockView['requester'] {
    return this.scene.inspect(machine, lock)?.requester ?? null;
  }
}
