/**
 * The arbiter: the role that lends out this node's vote, one instance per lock name.
 * Law: its live grants are pairwise compatible (one-vote), and no two grants ever have the same number.
 * Everything that decides who gets the vote is in this file. Source: protocol.md section 5; Maekawa
 * 1985, with the Yield of Sanders 1987.
 */
import { Deadlines } from './deadlines';
import type { HasDeadline } from './deadlines';
import type { Context } from './context';
import { withLast } from './few';
import { broken } from './invariants';
import { clockLockOf } from './memory';
import type { Claim, Contender, LamportTime, LockName, Mode, NodeId, Release, Request, RequestId, Yield } from './messages';
import { doesHold, doesSteal, hasPriority, isCompatible, isSameRequest } from './priority';

/** Some hundreds of bytes each: no flood of lock names may use up the memory. */
const DEFAULT_LOCKS_MAX = 2 ** 20;

/**
 * A node has one request for a lock at a time. What an arbiter knows beside that are earlier ones of which the Release was lost, for a
 * lease each. So a flood of requests costs no more for each than a few.
 */
export const REQUESTS_OF_A_NODE_MAX = 32;

/** The vote, lent to one request. */
interface LiveGrant {
  readonly request: RequestId;
  /** Whoever gets the vote goes before others as its timestamp says, and hears of those that are older. */
  readonly claim: 'waits' | 'steals';
  readonly mode: Mode;
  readonly keep: boolean;
  readonly number: LamportTime;
  expiresAtMs: number;
  /** Echo of the newest Request; the requester counts its lease from there. */
  sentAtMs: number;
  /** The clock last sent with this Grant: the holder's token is at most that plus SLACK. */
  sentClock: LamportTime;
  /** The oldest request for whose sake an Inquire went out; saves sending it again before a repeat. */
  inquiredFor: Contender | null;
}

/** A request in the queue. */
interface Waiter {
  readonly request: RequestId;
  readonly claim: Claim;
  readonly mode: Mode;
  readonly keep: boolean;
  sentAtMs: number;
  heardAtMs: number;
}

/** One lock. Exists only while a grant lives or a request waits. */
interface Arbiter extends HasDeadline {
  readonly lock: LockName;
  grants: LiveGrant[];
  /** Ordered by priority, the oldest first. */
  queue: Waiter[];
}

/** What one arbiter has lent, and who waits for it. */
export interface ArbiterView {
  readonly grants: readonly { request: RequestId; claim: Claim; mode: Mode; grant: LamportTime; expiresAtMs: number }[];
  readonly queue: readonly { request: RequestId; claim: Claim; mode: Mode; heardAtMs: number }[];
}

/** All arbiters of one node. */
export class Arbiters {
  private readonly byLock = new Map<LockName, Arbiter>();
  private readonly deadlines = new Deadlines<Arbiter>();
  private lastNumber: LamportTime = 0;
  /** As `CoreSettings.locksMax` counts. */
  private locksCounted = 0;

  constructor(private readonly context: Context) {}

  /** When the next lease ends here, in `nowMs`; or Infinity. */
  get earliestMs(): number {
    return this.deadlines.earliestMs;
  }

  get locks(): IterableIterator<LockName> {
    return this.byLock.keys();
  }

  view(lock: LockName): ArbiterView | null {
    const arbiter = this.byLock.get(lock);
    if (arbiter === undefined) return null;
    return {
      grants: arbiter.grants.map(({ request, claim, mode, number, expiresAtMs }) => ({ request, claim, mode, grant: number, expiresAtMs })),
      queue: arbiter.queue.map(({ request, claim, mode, heardAtMs }) => ({ request, claim, mode, heardAtMs })),
    };
  }

  onRequest(from: NodeId, message: Request): void {
    if (this.isFull() && !this.byLock.has(message.lock)) return this.context.ignore(from, message, 'too many locks');
    const arbiter = this.open(message.lock);
    const request: RequestId = { timestamp: message.timestamp, node: from };
    const grant = findGrant(arbiter, request);
    if (grant !== undefined && !this.context.takesPart) {
      // Renewed, it would outlast what another process of this id lends.
      this.context.ignore(from, message, 'another process has this id');
    } else if (grant !== undefined && !this.context.renews) {
      // Renewed, it would outlast the lease that nodes of another configuration wait for.
      this.context.ignore(from, message, 'another configuration may begin');
    } else if (grant !== undefined) {
      grant.expiresAtMs = this.context.nowMs + this.context.settings.leaseMs;
      grant.sentAtMs = Math.max(grant.sentAtMs, message.sentAtMs);
      this.sendGrant(arbiter, grant);
      this.orderForThief(arbiter);
    } else if (!this.hasRoomFor(arbiter, request)) {
      this.context.ignore(from, message, 'too many requests of the node for the lock');
    } else if (this.takeBackIn(arbiter, request, message)) {
      // Those that queued before it showed its grant could not inquire for it yet.
      for (const waiter of arbiter.queue) this.inquireFor(arbiter, waiter, false);
    } else {
      const { claim, mode, keep, sentAtMs } = message;
      const waiter: Waiter = { request, claim, mode, keep, sentAtMs, heardAtMs: this.context.nowMs };
      const isRepeat = this.enqueue(arbiter, waiter);
      this.fill(arbiter);
      this.inquireFor(arbiter, waiter, isRepeat);
    }
    this.orderForOwnThief(from, message);
    this.settle(arbiter);
  }

  onYield(from: NodeId, message: Yield): void {
    const arbiter = this.open(message.lock);
    const grant = findGrant(arbiter, { timestamp: message.timestamp, node: from });
    if (grant === undefined) {
      this.context.ignore(from, message, 'no such grant');
    } else if (grant.number !== message.grant) {
      // A late copy of an old Yield must not take away a vote in use (protocol.md section 11).
      this.context.ignore(from, message, 'grant number is old');
    } else {
      removeItem(arbiter.grants, grant);
      const { request, claim, mode, keep, sentAtMs } = grant;
      this.enqueue(arbiter, { request, claim, mode, keep, sentAtMs, heardAtMs: this.context.nowMs });
      this.fill(arbiter);
    }
    this.settle(arbiter);
  }

  onRelease(from: NodeId, message: Release): void {
    const arbiter = this.open(message.lock);
    const request: RequestId = { timestamp: message.timestamp, node: from };
    const grant = findGrant(arbiter, request);
    const waiter = findWaiter(arbiter, request);
    if (grant !== undefined) removeItem(arbiter.grants, grant);
    if (waiter !== undefined) removeItem(arbiter.queue, waiter);
    if (grant === undefined && waiter === undefined) this.context.ignore(from, message, 'no such request');
    else this.fill(arbiter, message.nextTimestamp);
    this.settle(arbiter);
  }

  /**
   * Lend on the votes whose lease has ended. Messages alone would do (protocol.md section 5 asks for no timer);
   * this only spares those who wait the time until their next repeat, and forgets unused locks.
   */
  onWake(): void {
    for (let due = this.deadlines.due(this.context.nowMs); due; due = this.deadlines.due(this.context.nowMs)) this.lendOn(due);
  }

  /** The silence ends at another time than before, or is over. */
  onSilence(): void {
    for (const arbiter of [...this.byLock.values()]) this.lendOn(arbiter);
  }

  private lendOn(arbiter: Arbiter): void {
    this.dropExpired(arbiter);
    this.fill(arbiter);
    this.settle(arbiter);
  }

  /** The arbiter of this lock, without the grants and waiters whose lease has run out. */
  private open(lock: LockName): Arbiter {
    let arbiter = this.byLock.get(lock);
    if (arbiter === undefined) {
      arbiter = { lock, grants: [], queue: [], deadlineMs: Infinity, heapIndex: -1 };
      this.byLock.set(lock, arbiter);
      this.locksCounted += countOf(lock);
    } else if (arbiter.deadlineMs <= this.context.nowMs) {
      this.dropExpired(arbiter);
      this.fill(arbiter);
    }
    return arbiter;
  }

  /** Wait for the next lease to end, or forget a lock that nobody uses. */
  private settle(arbiter: Arbiter): void {
    if (arbiter.grants.length === 0 && arbiter.queue.length === 0) {
      this.deadlines.remove(arbiter);
      this.byLock.delete(arbiter.lock);
      this.locksCounted -= countOf(arbiter.lock);
      return;
    }
    let deadlineMs = Infinity;
    for (const grant of arbiter.grants) deadlineMs = Math.min(deadlineMs, grant.expiresAtMs);
    const { leaseMs } = this.context.settings;
    for (const waiter of arbiter.queue) deadlineMs = Math.min(deadlineMs, waiter.heardAtMs + leaseMs);
    if (this.isSilent()) deadlineMs = Math.min(deadlineMs, this.context.silentUntilMs);
    this.deadlines.schedule(arbiter, deadlineMs);
  }

  private dropExpired(arbiter: Arbiter): void {
    const { nowMs, clock, settings } = this.context;
    const live = arbiter.grants.filter((grant) => grant.expiresAtMs > nowMs);
    if (live.length < arbiter.grants.length) {
      for (const grant of arbiter.grants) {
        // Its holder may have died with a token that nobody was told. Jump past any it could have had (protocol.md section 7).
        if (grant.expiresAtMs <= nowMs) clock.reach(grant.sentClock + settings.slack + 1);
      }
      arbiter.grants = live;
    }
    for (let i = arbiter.queue.length - 1; i >= 0; i--) {
      const waiter = arbiter.queue[i];
      if (waiter !== undefined && waiter.heardAtMs + settings.leaseMs <= nowMs) arbiter.queue.splice(i, 1);
    }
  }

  /** Of a node's requests that wait the one that was heard longest ago makes way: its node may have ended it long since. */
  private hasRoomFor(arbiter: Arbiter, request: RequestId): boolean {
    let count = 0;
    for (const { request: { node } } of arbiter.grants) if (node === request.node) count++;
    let longestUnheard: Waiter | undefined;
    for (const waiter of arbiter.queue) {
      if (waiter.request.node !== request.node) continue;
      if (waiter.request.timestamp === request.timestamp) return true;
      count++;
      if (longestUnheard === undefined || waiter.heardAtMs < longestUnheard.heardAtMs) longestUnheard = waiter;
    }
    if (count < (this.context.settings.requestsOfANodeMax ?? REQUESTS_OF_A_NODE_MAX)) return true;
    if (longestUnheard === undefined) return false;
    removeItem(arbiter.queue, longestUnheard);
    return true;
  }

  /** Put a request in the queue, or refresh it there. Returns whether it waited already. */
  private enqueue(arbiter: Arbiter, waiter: Waiter): boolean {
    const known = findWaiter(arbiter, waiter.request);
    if (known !== undefined) {
      // A late copy of an earlier Request must not shorten the lease to come.
      known.sentAtMs = Math.max(known.sentAtMs, waiter.sentAtMs);
      known.heardAtMs = waiter.heardAtMs;
      if (doesHold(waiter.claim) && !doesHold(known.claim)) {
        removeItem(arbiter.queue, known);
        insert(arbiter, { ...known, claim: waiter.claim });
      }
      return true;
    }
    if (findGrant(arbiter, waiter.request) !== undefined) {
      broken('not-both', `${describe(waiter.request)} is granted and would be queued`);
    }
    insert(arbiter, waiter);
    return false;
  }

  /**
   * Grant to the oldest while it is compatible. Stops at the first that is not, so that no writer starves.
   * @param nextTimestamp of a request that is about to come
   */
  private fill(arbiter: Arbiter, nextTimestamp?: LamportTime): void {
    if (!this.lendsTo(arbiter)) return;
    const { clock, nowMs, settings } = this.context;
    for (let oldest = arbiter.queue[0]; oldest !== undefined; oldest = arbiter.queue[0]) {
      if (conflictsWithAny(arbiter.grants, oldest.mode)) return;
      arbiter.queue.shift();
      const number = clock.tick();
      if (number <= this.lastNumber) broken('grant-rises', `${number} after ${this.lastNumber}`);
      this.lastNumber = number;
      this.lend(arbiter, oldest, number, nowMs + settings.leaseMs, nextTimestamp);
    }
  }

  private lend(arbiter: Arbiter, to: Waiter, number: LamportTime, expiresAtMs: number, nextTimestamp?: LamportTime): void {
    const { request, claim, mode, keep, sentAtMs } = to;
    if (conflictsWithAny(arbiter.grants, mode)) broken('one-vote', `${describe(request)} conflicts with a live grant`);
    if (findWaiter(arbiter, request) !== undefined) broken('not-both', `${describe(request)} is queued and would be granted`);
    const grant: LiveGrant = {
      request, claim: doesSteal(claim) ? 'steals' : 'waits', mode, keep, number, expiresAtMs, sentAtMs, sentClock: 0, inquiredFor: null,
    };
    arbiter.grants = withLast(arbiter.grants, grant);
    this.sendGrant(arbiter, grant, nextTimestamp);
  }

  private sendGrant(arbiter: Arbiter, grant: LiveGrant, nextTimestamp = Infinity): void {
    grant.sentClock = this.context.clock.now;
    // Not simply that of the first: those that hold or steal go first, however young they are.
    let waiting = Infinity;
    for (const { mode, request } of arbiter.queue) if (!isCompatible(mode, grant.mode)) waiting = Math.min(waiting, request.timestamp);
    const contenderTimestamp = Math.min(waiting, nextTimestamp);
    this.context.send(grant.request.node, {
      kind: 'grant',
      lock: arbiter.lock,
      clock: grant.sentClock,
      timestamp: grant.request.timestamp,
      grant: grant.number,
      sentAtMs: grant.sentAtMs,
      contended: waiting < Infinity,
      ...(contenderTimestamp < Infinity ? { contenderTimestamp } : {}),
    });
  }

  /** Ask the holders of conflicting grants whether they still need them, for the sake of one that waits. */
  private inquireFor(arbiter: Arbiter, waiter: Contender & { readonly mode: Mode }, isRepeat: boolean): void {
    const { request, claim, mode } = waiter;
    if (findGrant(arbiter, request) !== undefined) return;
    for (const grant of arbiter.grants) {
      if (isCompatible(grant.mode, mode)) continue;
      if (!isRepeat && !grant.keep && !doesSteal(claim) && !hasPriority(waiter, grant)) continue;
      // An Inquire is under way for an older one. Should it be lost, the repeat sends another.
      if (!isRepeat && grant.inquiredFor !== null && hasPriority(grant.inquiredFor, waiter)) continue;
      const contender: Contender = { request, claim };
      if (grant.inquiredFor === null || hasPriority(contender, grant.inquiredFor)) grant.inquiredFor = contender;
      this.context.send(grant.request.node, {
        kind: 'inquire',
        lock: arbiter.lock,
        clock: this.context.clock.now,
        timestamp: grant.request.timestamp,
        grant: grant.number,
        contender,
        sentAtMs: grant.sentAtMs,
      });
    }
  }

  /**
   * Other arbiters know a thief by hearsay that may be old. Its own node knows whether it still waits, so a holder that heard
   * of it asks there, and obeys this answer alone (protocol.md section 12).
   */
  private orderForOwnThief(holder: NodeId, { lock, timestamp, claim, sentAtMs }: Request): void {
    if (!doesHold(claim)) return;
    const thief = this.context.thiefOf(lock);
    if (thief === null) return;
    const { clock } = this.context;
    this.context.send(holder, {
      kind: 'inquire', lock, clock: clock.now, timestamp, grant: clock.now, contender: { request: thief, claim: 'steals' }, sentAtMs,
    });
  }

  /** A thief that waits gives its order with every renewal, and so also to an older thief that has entered by now. */
  private orderForThief(arbiter: Arbiter): void {
    const next = arbiter.queue[0];
    if (next !== undefined && doesSteal(next.claim)) this.inquireFor(arbiter, next, true);
  }

  /**
   * While silent after a restart: take a grant of the earlier life back in, so that its holder does
   * not lose the lock because this arbiter forgot. Where two conflict the higher number was lent later
   * and wins. Only while silent: afterwards every grant of the earlier life has run out.
   */
  private takeBackIn(arbiter: Arbiter, request: RequestId, message: Request): boolean {
    const { nowMs, clock, settings } = this.context;
    const number = message.heldGrant;
    if (number === null || number >= clock.bornAt || !this.isSilent() || !this.context.takesPart || !this.context.renews) return false;
    const conflicting = arbiter.grants.filter((grant) => !isCompatible(grant.mode, message.mode));
    if (conflicting.some((grant) => grant.number > number)) return false;
    for (const grant of conflicting) removeItem(arbiter.grants, grant);
    const waiter = findWaiter(arbiter, request);
    if (waiter !== undefined) removeItem(arbiter.queue, waiter);
    const { claim, mode, keep, sentAtMs } = message;
    this.lend(arbiter, { request, claim, mode, keep, sentAtMs, heardAtMs: nowMs }, number, nowMs + settings.leaseMs);
    return true;
  }

  private isFull(): boolean {
    return this.locksCounted >= (this.context.settings.locksMax ?? DEFAULT_LOCKS_MAX);
  }

  private isSilent(): boolean {
    return this.context.nowMs < this.context.silentUntilMs;
  }

  /** Silent, it still lets a node without memory hear its clock: that lock nobody else asks for, and it protects nothing. */
  private lendsTo(arbiter: Arbiter): boolean {
    if (!this.isSilent()) return true;
    return this.context.takesPart && arbiter.queue.every(({ request }) => arbiter.lock === clockLockOf(request.node));
  }
}

function insert(arbiter: Arbiter, waiter: Waiter): void {
  const place = arbiter.queue.findIndex((other) => hasPriority(waiter, other));
  if (place < 0) arbiter.queue = withLast(arbiter.queue, waiter);
  else arbiter.queue.splice(place, 0, waiter);
}

function countOf(lock: LockName): number {
  return 1 + lock.length / 1024;
}

function findGrant(arbiter: Arbiter, request: RequestId): LiveGrant | undefined {
  for (const grant of arbiter.grants) if (isSameRequest(grant.request, request)) return grant;
  return undefined;
}

function findWaiter(arbiter: Arbiter, request: RequestId): Waiter | undefined {
  for (const waiter of arbiter.queue) if (isSameRequest(waiter.request, request)) return waiter;
  return undefined;
}

function conflictsWithAny(grants: readonly LiveGrant[], mode: Mode): boolean {
  for (const grant of grants) if (!isCompatible(grant.mode, mode)) return true;
  return false;
}

function removeItem<Item>(items: Item[], item: Item): void {
  items.splice(items.indexOf(item), 1);
}

function describe(request: RequestId): string {
  return `request (${request.timestamp}, ${request.node})`;
}
