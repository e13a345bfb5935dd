/**
 * asks-back: an arbiter that hears of a request asks for the votes back that are in its way, where the law says so: at once for one that steals, for
 * one that goes before those who have the votes, and where these may be kept; and with each repeat, for what was said before may be lost. One
 * that takes a grant back in after a restart asks for all that had queued by then (protocol.md sections 5.4, 5.6 and 14).
 * It looks at what arbiters have lent, and at messages.
 */
import { doesSteal, hasPriority, isCompatible, isSameRequest } from '../../src/core';
import type { Contender, Event, LamportTime, LockView, Message, NodeId } from '../../src/core';
import { shortestLeaseMs } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { OfNodesAndLocks, isOf } from './scene';
import type { Scene } from './scene';
import type { Witness } from './witness';

/** Grants of so many numbers are kept apart at an arbiter. */
const GRANTS_REMEMBERED = 100;

type Grant = LockView['grants'][number];
type Waiter = LockView['queue'][number];

/** One arbiter and lock. */
interface Asked {
  /** By number of the grant: the one that goes first of those for whose sake it was asked back in this life. */
  readonly for: Map<LamportTime, Contender>;
  /** Of each node the newest request that asked with `keep`. */
  readonly keeping: Map<NodeId, LamportTime>;
}

export class AsksBack implements Witness {
  private readonly inquiries: OfNodesAndLocks<Asked>;
  /** What the arbiter knew of the lock before the Request that it handles. */
  private before: LockView | null = null;
  /** The grants that it asks back in this event, and for whom. */
  private readonly now: { readonly grant: LamportTime; readonly contender: Contender }[] = [];
  /** One that was heard of less than that ago is still in the queue. */
  private readonly leaseMs: number;

  constructor(private readonly scene: Scene, plan: Plan) {
    this.inquiries = new OfNodesAndLocks(scene, () => ({ for: new Map<LamportTime, Contender>(), keeping: new Map<NodeId, LamportTime>() }));
    this.leaseMs = shortestLeaseMs(plan);
  }

  started(machine: number): void {
    for (const asked of this.inquiries.ofNode(machine)) asked.for.clear();
  }

  stepping(machine: number, event: Event): void {
    this.now.length = 0;
    this.before = null;
    if (event.kind !== 'message' || event.message.kind !== 'request') return;
    const lock = this.scene.lockOf(event.message.lock);
    this.before = this.scene.inspect(machine, lock);
    if (event.message.keep) this.inquiries.of(machine, lock).keeping.set(event.from, event.message.timestamp);
  }

  sent(from: number, _to: number, lock: number, message: Message, cause: Event): void {
    if (message.kind !== 'inquire') return;
    // A vote that comes back is lent on, and whoever gave it back waits: its next Request asks for it (protocol.md section 5.5).
    if (cause.kind === 'message' && cause.message.kind === 'yield' && isOf(cause, message.contender.request) && !doesSteal(message.contender.claim)) {
      violated('asks-back', `lock ${this.scene.locks[lock]}: ${this.scene.nodeIds[from]} asks a vote back for request ${message.contender.request.timestamp} of ${cause.from}, which has just given it back`);
    }
    this.now.push({ grant: message.grant, contender: message.contender });
    const askedFor = this.inquiries.of(from, lock).for;
    const before = askedFor.get(message.grant);
    if (before === undefined || hasPriority(message.contender, before)) askedFor.set(message.grant, message.contender);
    // The lowest number goes, and never one of which this very step speaks.
    if (askedFor.size > GRANTS_REMEMBERED) askedFor.delete(Math.min(...askedFor.keys()));
  }

  stepped(machine: number, event: Event): void {
    // What it said may be waiting for its disk.
    if (event.kind !== 'message' || event.message.kind !== 'request' || this.scene.isHeldBack(machine)) return;
    const lock = this.scene.lockOf(event.message.lock);
    const view = this.scene.inspect(machine, lock);
    if (view === null) return;
    this.judgeAsked(machine, lock, view);
    const waiter = view.queue.find((each) => isOf(event, each.request));
    // One that is lent after the Request was handled says with its Grant that others wait.
    const lentBefore = view.grants.filter((each) => this.before?.grants.some(({ grant }) => grant === each.grant) === true);
    if (waiter !== undefined) for (const grant of lentBefore) this.judge(machine, lock, view, grant, waiter, this.isRepeat(waiter, event.nowMs));
    const lent = view.grants.find((each) => isOf(event, each.request));
    const isTakenBackIn = lent !== undefined && !lentBefore.includes(lent) && event.nowMs < (this.scene.places[machine]?.silentUntilMs ?? 0);
    if (isTakenBackIn) for (const each of view.queue) this.judge(machine, lock, view, lent, each, false);
  }

  /** Nobody is asked for a vote that is in nobody's way. */
  private judgeAsked(machine: number, lock: number, { grants, queue }: LockView): void {
    const { nodeIds, locks } = this.scene;
    for (const { grant, contender: { request, claim } } of this.now) {
      // A node orders for its own thief whoever holds the lock, whatever it has lent itself: no vote is asked for by that (protocol.md section 12).
      if (doesSteal(claim) && request.node === nodeIds[machine]) continue;
      const lent = grants.find((each) => each.grant === grant);
      const waiter = queue.find((each) => isSameRequest(each.request, request));
      if (lent === undefined || waiter === undefined || !isCompatible(lent.mode, waiter.mode)) continue;
      violated('asks-back', `lock ${locks[lock]}: ${nodeIds[machine]} asks ${lent.request.node} for its vote back for a reader, which may be beside it`);
    }
  }

  private judge(machine: number, lock: number, { requester }: LockView, { request, claim, mode, grant }: Grant, waiter: Waiter, isRepeat: boolean): void {
    const { nodeIds, locks } = this.scene;
    if (isCompatible(mode, waiter.mode)) return;
    // Whoever has the vote goes by its timestamp, but for a theft, and not by what the arbiter may say that it claims.
    const goesFirst = hasPriority(waiter, { request, claim: doesSteal(claim) ? 'steals' : 'waits' });
    if (request.node === nodeIds[machine]) {
      // It asks itself within the event, and one that waits yields.
      if (!goesFirst || requester?.state !== 'waiting' || !isSameRequest(requester.request, request)) return;
    } else {
      const asked = this.inquiries.of(machine, lock);
      const isKept = asked.keeping.get(request.node) === request.timestamp;
      if (!isRepeat && !goesFirst && !isKept && !doesSteal(waiter.claim)) return;
      if (isRepeat && this.now.some((each) => each.grant === grant && isSameRequest(each.contender.request, waiter.request))) return;
      const askedFor = asked.for.get(grant);
      if (!isRepeat && askedFor !== undefined && !hasPriority(waiter, askedFor)) return;
    }
    violated('asks-back', `lock ${locks[lock]}: ${nodeIds[machine]} leaves its vote with request ${request.timestamp} of ${request.node}, which ${claim}, and does not `
      + `ask it back for ${isRepeat ? 'the repeat of ' : ''}request ${waiter.request.timestamp} of ${waiter.request.node}, which ${waiter.claim}`);
  }

  private isRepeat({ request }: Waiter, nowMs: number): boolean {
    const known = this.before?.queue.find((each) => isSameRequest(each.request, request));
    return known !== undefined && nowMs - known.heardAtMs < this.leaseMs;
  }
}
