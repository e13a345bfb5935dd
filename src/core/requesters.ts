/**
 * The requesters of one node, one for each lock that its callers want: which there are, and when each needs attention.
 * Law: it hands on what happens and decides nothing about a lock; that is in requester.ts. A lock that nobody uses is
 * forgotten (no-residue).
 */
import { answerUnknown } from './asking';
import type { Context } from './context';
import { Deadlines } from './deadlines';
import type { AcquireEvent, CallerId } from './events';
import type { Grant, Inquire, LockName, NodeId, RequestId, Token } from './messages';
import type { RequesterView } from './phases';
import { Requester } from './requester';

/**
 * A node that knows so many locks keeps no more of them after their release. Some kilobytes each, here and at
 * its arbiters: names that come once and never again must not pile up for a lease, which may be long.
 */
export const LOCKS_KEPT_MAX = 20_000;

export class Requesters {
  private readonly byLock = new Map<LockName, Requester>();
  private readonly deadlines = new Deadlines<Requester>();

  constructor(private readonly context: Context) {}

  /** When the next repeat is due or the next lease ends, in `requesterNowMs`; or Infinity. */
  get earliestMs(): number {
    return this.deadlines.earliestMs;
  }

  get locks(): IterableIterator<LockName> {
    return this.byLock.keys();
  }

  view(lock: LockName): RequesterView | null {
    return this.byLock.get(lock)?.view() ?? null;
  }

  /** A request of this node that waits to steal the lock; or null. */
  thiefOf(lock: LockName): RequestId | null {
    return this.byLock.get(lock)?.thief ?? null;
  }

  acquire(event: AcquireEvent): void {
    let requester = this.byLock.get(event.lock);
    if (requester === undefined) {
      requester = new Requester(event.lock, this.context);
      this.byLock.set(event.lock, requester);
    }
    requester.acquire(event);
    this.settle(requester);
  }

  release(lock: LockName, caller: CallerId, used?: Token): void {
    const requester = this.byLock.get(lock);
    if (requester === undefined) return;
    requester.release(caller, this.hasRoom(), used);
    this.settle(requester);
  }

  onGrant(from: NodeId, message: Grant): void {
    const requester = this.byLock.get(message.lock);
    if (requester === undefined) return answerUnknown(this.context, from, message);
    requester.onGrant(from, message);
    this.settle(requester);
  }

  onInquire(from: NodeId, message: Inquire): void {
    const requester = this.byLock.get(message.lock);
    if (requester === undefined) return answerUnknown(this.context, from, message);
    requester.onInquire(from, message);
    this.settle(requester);
  }

  /**
   * A peer went down, or its silence ended while those asked are down: others may be asked now than before.
   * It only chooses whom to ask; no lock is won or lost by it.
   */
  onReachChanged(): void {
    for (const requester of this.byLock.values()) requester.widen();
  }

  onPeerUp(peer: NodeId): void {
    for (const requester of this.byLock.values()) requester.onPeerUp(peer);
  }

  onJoined(): void {
    for (const requester of this.byLock.values()) {
      requester.onJoined();
      this.settle(requester);
    }
  }

  /** Another process has this node's id. */
  standApart(): void {
    for (const requester of this.byLock.values()) {
      requester.standApart();
      this.settle(requester);
    }
  }

  onSlept(): void {
    for (const requester of this.byLock.values()) {
      requester.onSlept();
      this.settle(requester);
    }
  }

  onWake(): void {
    const nowMs = this.context.requesterNowMs;
    for (let due = this.deadlines.due(nowMs); due; due = this.deadlines.due(nowMs)) {
      due.onWake();
      this.settle(due);
    }
  }

  /** @param inUse the locks of which nobody is told anything */
  stop(inUse: readonly LockName[] = []): void {
    for (const requester of this.byLock.values()) {
      requester.stop(inUse.includes(requester.lock));
      this.settle(requester);
    }
  }

  /** Note when this lock needs attention next, or forget a lock that nobody uses. */
  private settle(requester: Requester): void {
    const { attentionAtMs } = requester;
    if (requester.isIdle && (attentionAtMs <= this.context.requesterNowMs || !this.hasRoom())) {
      this.deadlines.remove(requester);
      this.byLock.delete(requester.lock);
    } else if (attentionAtMs === Infinity) {
      this.deadlines.remove(requester);
    } else {
      this.deadlines.schedule(requester, attentionAtMs);
    }
  }

  private hasRoom(): boolean {
    return this.byLock.size <= (this.context.settings.locksKeptMax ?? LOCKS_KEPT_MAX);
  }
}
