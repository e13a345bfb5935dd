/**
 * The requester: the role that wants locks for this node's callers, one instance per lock name.
 * Law: callers are inside only while grants that are valid now contain a quorum; at most one request
 * per lock is in the protocol, and further local callers wait in line behind it.
 * Everything that decides when a caller enters, keeps or loses a lock is in this file.
 * Source: protocol.md sections 6, 7 and 9.
 *
 * All times here are the requesters' time (`requesterNowMs`), which counts what the machine slept.
 */
import { Deadlines } from './deadlines';
import type { HasDeadline } from './deadlines';
import type { Context } from './context';
import type { AcquireEvent, CallerId, Thief } from './events';
import { assertNever, broken } from './invariants';
import type { Grant, Inquire, LamportTime, LockName, Mode, NodeId, Request, RequestId, Token } from './messages';
import { hasPriority } from './priority';

/** Whole milliseconds are cut off, once when a lease is counted here and once when it is at the arbiter. */
const CLOCK_RESOLUTION_MS = 2;

/**
 * Which share of the lease must be left to enter again under retained grants: with less, the lock could
 * be lost again before its renewal is back.
 */
const REENTRY_SHARE = 0.1;

/** However little of the lease is left, repeats are no closer together than this share of the retry interval. */
const REPEAT_SHARE_MIN = 0.125;

/**
 * A node that knows so many locks keeps no more of them after their release. Some kilobytes each, here and at
 * its arbiters: names that come once and never again must not pile up for a lease, which may be long.
 */
export const LOCKS_KEPT_MAX = 20_000;

/** How much of a lease must be left, in whole milliseconds, to enter again under retained grants. */
export function reentryLeftMs(leaseMs: number): number {
  return Math.ceil(leaseMs * REENTRY_SHARE);
}

/** How much earlier than its arbiter a requester takes a grant to end: what their clocks may drift apart. */
export function marginMs(leaseMs: number, driftMax: number): number {
  return Math.ceil(leaseMs * driftMax) + CLOCK_RESOLUTION_MS;
}

/** A local caller in line. */
interface Caller {
  readonly id: CallerId;
  readonly mode: Mode;
  /** Taken when the caller asked, so that waiting in the local line costs it no place among all nodes. */
  readonly timestamp: LamportTime;
  readonly steals: boolean;
  readonly remote: boolean;
}

/** A caller inside. */
interface Holder {
  readonly id: CallerId;
  /** It is in another process, which may hear late of what happens here. */
  readonly remote: boolean;
}

/** A vote in hand. */
interface VoteInHand {
  readonly number: LamportTime;
  readonly validUntilMs: number;
  /** The highest clock that came with this grant. */
  readonly clock: LamportTime;
}

/** A request that is in the protocol: some arbiters have been asked and not yet told that it is over. */
interface OpenRequest {
  readonly id: RequestId;
  readonly mode: Mode;
  readonly keep: boolean;
  readonly asked: NodeId[];
  readonly votes: Map<NodeId, VoteInHand>;
  /** Per arbiter the highest grant number that does not count any more: it was given back, or ran out here. */
  readonly floors: Map<NodeId, LamportTime>;
  askedAtMs: number;
  /** Callers are inside, or were: it says so when it asks (rule holder-first). */
  holds: boolean;
  /** Someone else wants this lock: it will be released for real. */
  contended: boolean;
  /** Clocks found too far apart are brought together at once the first time only (section 11). */
  clocksBroughtTogether: boolean;
}

/** What every phase with callers inside, or ready to enter again, knows. */
interface Entry {
  readonly request: OpenRequest;
  token: Token;
  /** The highest token that the votes in hand allow. */
  tokenMax: Token;
  /** Until when votes in hand contain a quorum. */
  validUntilMs: number;
}

type Held = Entry & { readonly state: 'held'; readonly inside: Holder[] };

type Phase =
  | { readonly state: 'idle' }
  | { readonly state: 'waiting'; readonly request: OpenRequest }
  | Held
  | (Entry & { readonly state: 'retained' })
  /**
   * The lock was taken from remote callers, which may still count on it. So nobody is told that the request is
   * over before they have given the lock back, and nothing prolongs it: its grants run out.
   */
  | { readonly state: 'recalled'; readonly request: OpenRequest; readonly inside: Set<CallerId> };

const IDLE: Phase = { state: 'idle' };

/** One lock. Exists while a caller or a request does, and for a lease after contention. */
interface Requester extends HasDeadline {
  readonly lock: LockName;
  phase: Phase;
  readonly line: Caller[];
  /** There was contention lately: until then ask without `keep`. */
  noKeepUntilMs: number;
}

interface RequestView {
  readonly request: RequestId;
  readonly mode: Mode;
  readonly asked: readonly NodeId[];
  readonly granted: readonly NodeId[];
  readonly contended: boolean;
  readonly waitingCallers: readonly CallerId[];
}

/** How far this node is with a lock that its callers want. */
export type RequesterView =
  | { readonly state: 'idle'; readonly waitingCallers: readonly CallerId[] }
  | (RequestView & { readonly state: 'waiting' })
  | (RequestView & { readonly state: 'held'; readonly token: Token; readonly validUntilMs: number; readonly inside: readonly CallerId[] })
  | (RequestView & { readonly state: 'retained'; readonly token: Token; readonly validUntilMs: number })
  | (RequestView & { readonly state: 'recalled'; readonly inside: readonly CallerId[] });

/** All requesters of one node. */
export class Requesters {
  private readonly byLock = new Map<LockName, Requester>();
  private readonly deadlines = new Deadlines<Requester>();
  private readonly validForMs: number;
  /** All nodes whose votes count for anything, once they were needed. */
  private arbiters: ReadonlySet<NodeId> | undefined;

  constructor(private readonly context: Context) {
    const { leaseMs, driftMax } = context.settings;
    this.validForMs = leaseMs - marginMs(leaseMs, driftMax);
  }

  /** When the next repeat is due or the next lease ends, in `requesterNowMs`; or Infinity. */
  get earliestMs(): number {
    return this.deadlines.earliestMs;
  }

  get locks(): IterableIterator<LockName> {
    return this.byLock.keys();
  }

  view(lock: LockName): RequesterView | null {
    const requester = this.byLock.get(lock);
    if (requester === undefined) return null;
    const { phase } = requester;
    const waitingCallers = requester.line.map((caller) => caller.id);
    if (phase.state === 'idle') return { state: 'idle', waitingCallers };
    const { id, mode, asked, votes, contended } = phase.request;
    const open: RequestView = { request: id, mode, asked: [...asked], granted: [...votes.keys()], contended, waitingCallers };
    switch (phase.state) {
      case 'waiting':
        return { state: 'waiting', ...open };
      case 'held':
        return { state: 'held', ...open, token: phase.token, validUntilMs: this.toNodeTime(phase.validUntilMs), inside: phase.inside.map(({ id: caller }) => caller) };
      case 'retained':
        return { state: 'retained', ...open, token: phase.token, validUntilMs: this.toNodeTime(phase.validUntilMs) };
      case 'recalled':
        return { state: 'recalled', ...open, inside: [...phase.inside] };
      default:
        return assertNever(phase);
    }
  }

  acquire({ lock, mode, caller: id, steals, remote }: AcquireEvent): void {
    let requester = this.byLock.get(lock);
    if (requester === undefined) {
      requester = { lock, phase: IDLE, line: [], noKeepUntilMs: 0, deadlineMs: Infinity, heapIndex: -1 };
      this.byLock.set(lock, requester);
    }
    this.expire(requester);
    const caller: Caller = { id, mode, timestamp: this.context.clock.tick(), steals: steals === true, remote: remote === true };
    if (caller.steals) this.makeWay(requester, caller);
    else requester.line.push(caller);
    this.joinOrAdvance(requester);
    this.settle(requester);
  }

  /** Done, or no longer waiting. */
  release(lock: LockName, id: CallerId): void {
    const requester = this.byLock.get(lock);
    if (requester === undefined) return;
    this.expire(requester);
    const { phase, line } = requester;
    const place = line.findIndex((caller) => caller.id === id);
    if (place >= 0) {
      line.splice(place, 1);
      // The request in the protocol is the first caller's own; the next one has its own timestamp.
      if (place === 0 && phase.state === 'waiting') this.end(requester, phase.request);
      this.joinOrAdvance(requester);
    } else if (phase.state === 'held') {
      const seat = phase.inside.findIndex((holder) => holder.id === id);
      if (seat >= 0) phase.inside.splice(seat, 1);
      if (phase.inside.length === 0) this.leave(requester, phase);
    } else if (phase.state === 'recalled') {
      phase.inside.delete(id);
      if (phase.inside.size === 0) {
        this.end(requester, phase.request);
        this.joinOrAdvance(requester);
      }
    }
    this.settle(requester);
  }

  onGrant(from: NodeId, message: Grant): void {
    const requester = this.find(message.lock);
    const request = requester === undefined ? null : requestOf(requester.phase, message.timestamp);
    if (requester === undefined || request === null) {
      this.answerUnknown(from, message);
      if (requester !== undefined) this.settle(requester);
      return;
    }
    this.receiveGrant(from, requester, request, message);
    this.settle(requester);
  }

  private receiveGrant(from: NodeId, requester: Requester, request: OpenRequest, message: Grant): void {
    // Not even a Yield: whoever is to give the lock back may still count on this very vote.
    if (requester.phase.state === 'recalled') return this.context.ignore(from, message, 'lock was recalled');
    this.dropExpired(request);
    const floor = request.floors.get(from);
    if (floor !== undefined && message.grant <= floor) {
      // It was given back, or ran out. The Yield may have been lost, so say it again (section 11).
      this.sendYield(from, request, message.lock, message.grant);
      return this.context.ignore(from, message, 'grant was given back');
    }
    const reason = this.ignoreGrant(from, request, message);
    if (reason !== null) return this.context.ignore(from, message, reason);
    this.count(from, requester, request, message);
  }

  onInquire(from: NodeId, message: Inquire): void {
    const requester = this.find(message.lock);
    const request = requester === undefined ? null : requestOf(requester.phase, message.timestamp);
    if (requester === undefined || request === null) {
      this.answerUnknown(from, message);
    } else {
      this.noteContention(requester, request);
      this.answerInquire(from, requester, request, message);
    }
    if (requester !== undefined) this.settle(requester);
  }

  /**
   * A peer went down, or its silence ended while those asked are down: others may be asked now than before.
   * It only chooses whom to ask; no lock is won or lost by it.
   */
  onReachChanged(): void {
    for (const requester of this.byLock.values()) this.widen(requester);
  }

  /** The peer may have missed what was sent meanwhile: repeat to it what is open. */
  onPeerUp(peer: NodeId): void {
    for (const requester of this.byLock.values()) {
      const { phase } = requester;
      if (phase.state === 'waiting' || phase.state === 'held') {
        if (phase.request.asked.includes(peer)) this.ask(peer, requester.lock, phase.request);
        this.widen(requester);
      }
    }
  }

  /** The machine slept: leases ended earlier than those inside were told. */
  onSlept(): void {
    for (const requester of this.byLock.values()) {
      this.expire(requester);
      if (requester.phase.state === 'held') this.tellRenewed(requester.lock, requester.phase);
      this.settle(requester);
    }
  }

  onWake(): void {
    const nowMs = this.context.requesterNowMs;
    for (let due = this.deadlines.due(nowMs); due; due = this.deadlines.due(nowMs)) {
      this.expire(due);
      const { phase } = due;
      if ((phase.state === 'waiting' || phase.state === 'held') && this.repeatAtMs(phase) <= nowMs) {
        // Whether others are needed shows in what the last repeat brought.
        const needsOthers = phase.state === 'held' && this.needsOthers(phase);
        this.askAll(due.lock, phase.request);
        if (needsOthers) this.askEverybody(due.lock, phase.request);
      }
      this.settle(due);
    }
  }

  /** Give everything back, so that nobody has to wait for a lease to end. */
  stop(inUse: readonly LockName[] = []): void {
    for (const requester of this.byLock.values()) {
      requester.line.length = 0;
      if (inUse.includes(requester.lock)) requester.phase = IDLE;
      else if (requester.phase.state !== 'idle') this.end(requester, requester.phase.request);
      requester.noKeepUntilMs = 0;
      this.settle(requester);
    }
  }

  private find(lock: LockName): Requester | undefined {
    const requester = this.byLock.get(lock);
    if (requester !== undefined) this.expire(requester);
    return requester;
  }

  /** Grants that ran out end a hold at that very moment, by this node's own clock and without a message. */
  private expire(requester: Requester): void {
    const { phase } = requester;
    if ((phase.state !== 'held' && phase.state !== 'retained') || this.context.requesterNowMs < phase.validUntilMs) return;
    if (phase.state === 'held') this.takeAway(requester, phase);
    else this.end(requester, phase.request);
    this.joinOrAdvance(requester);
  }

  /** Note when this lock needs attention next, or forget a lock that nobody uses. */
  private settle(requester: Requester): void {
    const { phase } = requester;
    switch (phase.state) {
      case 'idle':
        if (requester.noKeepUntilMs > this.context.requesterNowMs && this.byLock.size <= LOCKS_KEPT_MAX) {
          this.deadlines.schedule(requester, requester.noKeepUntilMs);
        } else {
          this.deadlines.remove(requester);
          this.byLock.delete(requester.lock);
        }
        return;
      case 'waiting':
        return this.deadlines.schedule(requester, this.repeatAtMs(phase));
      case 'held':
        return this.deadlines.schedule(requester, Math.min(this.repeatAtMs(phase), phase.validUntilMs));
      case 'retained':
        return this.deadlines.schedule(requester, phase.validUntilMs);
      case 'recalled':
        return this.deadlines.remove(requester);
      default:
        return assertNever(phase);
    }
  }

  /**
   * While the lock is held, also when half of what was left of it at the last time has passed: after a re-entry late in
   * the lease, or when renewals are lost, the usual interval may end later than the lock.
   */
  private repeatAtMs(phase: { readonly state: 'waiting'; readonly request: OpenRequest } | Held): number {
    const { askedAtMs } = phase.request;
    const { retryMs } = this.context.settings;
    if (phase.state === 'waiting') return askedAtMs + retryMs;
    const leftMs = phase.validUntilMs - askedAtMs;
    return askedAtMs + Math.min(retryMs, Math.max(Math.ceil(leftMs / 2), Math.ceil(retryMs * REPEAT_SHARE_MIN)));
  }

  // --- callers --------------------------------------------------------------------------------

  /** Let the first in line go on as far as it can without waiting for a message. */
  private joinOrAdvance(requester: Requester): void {
    const { phase, line } = requester;
    const first = line[0];
    if (first === undefined) return;
    switch (phase.state) {
      case 'idle':
        return this.start(requester, first);
      case 'waiting':
      case 'recalled':
        return;
      case 'held':
        // Local readers ride on the request that holds, while that keeps nobody waiting.
        if (first.mode === 'shared' && phase.request.mode === 'shared' && !phase.request.contended) {
          this.letIn(requester, phase);
        }
        return;
      case 'retained':
        return this.reenter(requester, phase, first);
      default:
        return assertNever(phase);
    }
  }

  /** One that steals goes first; who is inside here loses the lock. */
  private makeWay(requester: Requester, caller: Caller): void {
    const { phase, line } = requester;
    if (phase.state === 'waiting') {
      this.end(requester, phase.request);
      // The request that was ended had the timestamp of the first in line, and an id is never used again.
      const first = line.shift();
      if (first !== undefined) line.unshift({ ...first, timestamp: this.context.clock.tick() });
    } else if (phase.state === 'held') {
      this.takeAway(requester, phase, { node: this.context.settings.self, caller: caller.id });
    }
    line.unshift(caller);
  }

  /**
   * Those inside hold the lock no longer: it was stolen, or its grants ran out by this node's own clock. A remote
   * caller may not know yet, and this clock may have been moved: its lock is free when it gives it back, or else
   * when its grants run out at the arbiters, whom nobody tells anything until then.
   */
  private takeAway(requester: Requester, { request, inside }: Held, thief?: Thief): void {
    const { lock } = requester;
    const recalled = new Set<CallerId>();
    for (const { id, remote } of inside) {
      if (remote) recalled.add(id);
      const kind = remote ? 'recalled' : 'lost';
      this.context.emit(thief === undefined ? { kind, lock, caller: id } : { kind, lock, caller: id, thief });
    }
    if (recalled.size === 0) this.end(requester, request);
    else requester.phase = { state: 'recalled', request, inside: recalled };
  }

  private start(requester: Requester, first: Caller): void {
    const { settings, preferredQuorum, requesterNowMs } = this.context;
    const { timestamp } = first;
    const request: OpenRequest = {
      id: first.steals ? { timestamp, node: settings.self, steals: true } : { timestamp, node: settings.self },
      mode: first.mode,
      keep: settings.retain && requesterNowMs >= requester.noKeepUntilMs,
      asked: [...preferredQuorum],
      votes: new Map(),
      floors: new Map(),
      askedAtMs: requesterNowMs,
      holds: false,
      contended: false,
      clocksBroughtTogether: false,
    };
    requester.phase = { state: 'waiting', request };
    this.askAll(requester.lock, request);
  }

  /** Enter again under the same request, without a message (section 9). */
  private reenter(requester: Requester, entry: Entry, first: Caller): void {
    const { request } = entry;
    const leftMs = entry.validUntilMs - this.context.requesterNowMs;
    const endsSoon = leftMs < reentryLeftMs(this.context.settings.leaseMs);
    if (first.mode !== request.mode || request.contended || entry.token + 1 > entry.tokenMax || endsSoon) {
      this.end(requester, request);
      return this.start(requester, first);
    }
    const held = this.enter(requester, entry, entry.token + 1);
    const { requesterNowMs, settings } = this.context;
    const roomIsLow = entry.tokenMax - entry.token < settings.slack / 2 && requesterNowMs > request.askedAtMs;
    if (roomIsLow || requesterNowMs >= this.repeatAtMs(held)) this.askAll(requester.lock, request);
    if (this.context.down.size > 0) this.widen(requester);
  }

  private enter(requester: Requester, entry: Entry, token: Token): Held {
    const { request, tokenMax, validUntilMs } = entry;
    for (const [arbiter, vote] of request.votes) {
      const floor = request.floors.get(arbiter);
      if (floor !== undefined && vote.number <= floor) broken('floor-holds', `${vote.number} of ${arbiter} was given back`);
    }
    // A Release must carry a clock of at least the token (section 7).
    this.context.clock.reach(token);
    const phase: Held = { state: 'held', request, token, tokenMax, validUntilMs, inside: [] };
    request.holds = true;
    requester.phase = phase;
    this.letIn(requester, phase);
    return phase;
  }

  /** The first in line enters; behind a reader, all readers up to the next writer do. */
  private letIn(requester: Requester, phase: Held): void {
    const { lock, line } = requester;
    const { mode } = phase.request;
    let first = line[0];
    while (first !== undefined && first.mode === mode && (mode === 'shared' || phase.inside.length === 0)) {
      line.shift();
      phase.inside.push({ id: first.id, remote: first.remote });
      this.context.emit({
        kind: 'entered', lock, caller: first.id, mode, token: phase.token, validUntilMs: this.toNodeTime(phase.validUntilMs),
      });
      first = line[0];
    }
  }

  /** The last one inside left: keep the grants if nobody else wants them, else release for real. */
  private leave(requester: Requester, entry: Entry): void {
    const { request, token, tokenMax, validUntilMs } = entry;
    if (request.keep && !request.contended && this.byLock.size <= LOCKS_KEPT_MAX) {
      requester.phase = { state: 'retained', request, token, tokenMax, validUntilMs };
    } else {
      this.end(requester, request);
    }
    this.joinOrAdvance(requester);
  }

  // --- the request in the protocol ------------------------------------------------------------

  private askAll(lock: LockName, request: OpenRequest): void {
    request.askedAtMs = this.context.requesterNowMs;
    for (const arbiter of request.asked) this.ask(arbiter, lock, request);
  }

  private ask(arbiter: NodeId, lock: LockName, request: OpenRequest): void {
    const vote = request.votes.get(arbiter);
    const sentAtMs = this.context.requesterNowMs;
    let message: Request = {
      kind: 'request',
      lock,
      clock: this.context.clock.now,
      timestamp: request.id.timestamp,
      mode: request.mode,
      keep: request.keep,
      sentAtMs,
      heldGrant: vote !== undefined && vote.validUntilMs > sentAtMs ? vote.number : null,
    };
    if (request.id.steals === true) message = { ...message, steals: true };
    if (request.holds) message = { ...message, holds: true };
    this.context.send(arbiter, message);
  }

  /**
   * Whether a holder that repeats its Request needs further votes (rule holder-spreads). Others wait: when a node of
   * theirs dies together with an arbiter of this one, the votes lent to it cannot be had before the lease ends. Or no quorum
   * answered the last time, though whoever was asked is up: a vote may be lent to one that is gone.
   */
  private needsOthers({ request, validUntilMs }: Held): boolean {
    return request.contended || validUntilMs < request.askedAtMs + this.validForMs;
  }

  private askEverybody(lock: LockName, request: OpenRequest): void {
    const { coterie } = this.context.settings;
    // A node may be in no quorum at all.
    this.arbiters ??= new Set(coterie.nodes.flatMap((node) => coterie.votingSet(node)));
    this.askToo([...this.arbiters].filter((node) => !this.context.down.has(node)), lock, request);
  }

  private askToo(arbiters: readonly NodeId[], lock: LockName, request: OpenRequest): void {
    for (const node of arbiters) {
      if (request.asked.includes(node)) continue;
      request.asked.push(node);
      this.ask(node, lock, request);
    }
  }

  /** The request is over: tell every arbiter that was asked. */
  private end(requester: Requester, request: OpenRequest): void {
    requester.phase = IDLE;
    for (const arbiter of request.asked) this.sendRelease(arbiter, requester.lock, request.id.timestamp);
  }

  /** Ask further arbiters when those asked that are up contain no quorum. */
  private widen(requester: Requester): void {
    const { phase, lock } = requester;
    if (phase.state !== 'waiting' && phase.state !== 'held') return;
    const { asked } = phase.request;
    const { coterie, self } = this.context.settings;
    const { down } = this.context;
    if (coterie.containsQuorum(new Set(asked.filter((node) => !down.has(node))))) return;
    this.askToo(coterie.quorumAvoiding(self, down) ?? [], lock, phase.request);
  }

  private ignoreGrant(from: NodeId, request: OpenRequest, message: Grant): string | null {
    const nowMs = this.context.requesterNowMs;
    if (!request.asked.includes(from)) return 'arbiter was not asked';
    if (message.sentAtMs > nowMs) return 'answers a Request from the future';
    if (message.sentAtMs + this.validForMs <= nowMs) return 'lease ran out on the way';
    const vote = request.votes.get(from);
    if (vote !== undefined && message.grant < vote.number) return 'grant is older than the one in hand';
    return null;
  }

  private count(from: NodeId, requester: Requester, request: OpenRequest, message: Grant): void {
    const { phase } = requester;
    if (message.contended) this.noteContention(requester, request);
    const older = request.votes.get(from);
    const isRenewal = older !== undefined && older.number === message.grant;
    const vote: VoteInHand = {
      number: message.grant,
      validUntilMs: Math.max(message.sentAtMs + this.validForMs, isRenewal ? older.validUntilMs : 0),
      clock: Math.max(message.clock, isRenewal ? older.clock : 0),
    };
    switch (phase.state) {
      case 'waiting':
        request.votes.set(from, vote);
        return this.tryEnter(requester, request);
      case 'held':
        if (this.countForEntry(from, vote, phase, message)) this.tellRenewed(requester.lock, phase);
        return;
      case 'retained':
        this.countForEntry(from, vote, phase, message);
        if (request.contended) {
          this.end(requester, request);
          this.joinOrAdvance(requester);
        }
        return;
      case 'idle':
      case 'recalled':
        return broken('floor-holds', 'a grant was counted for no request');
      default:
        return assertNever(phase);
    }
  }

  /**
   * A vote that comes while the lock is held. Should this holder die, the arbiter jumps to just above
   * `vote.clock + SLACK`; below the token that would be no protection, so such a vote does not count.
   * Returns whether the entry is valid for longer now, or for less: a new grant may answer an older Request.
   */
  private countForEntry(from: NodeId, vote: VoteInHand, entry: Entry, message: Grant): boolean {
    if (vote.clock + this.context.settings.slack < entry.token) {
      this.context.ignore(from, message, 'clock is too far behind the token');
      return false;
    }
    const { votes } = entry.request;
    votes.set(from, vote);
    entry.tokenMax = lowestClock(votes) + this.context.settings.slack;
    const before = entry.validUntilMs;
    entry.validUntilMs = this.quorumValidUntilMs(votes);
    return entry.validUntilMs !== before;
  }

  private tryEnter(requester: Requester, request: OpenRequest): void {
    const { coterie, slack } = this.context.settings;
    const { votes } = request;
    if (!coterie.containsQuorum(votes)) return;
    // Votes whose clock lies too far behind the others' cannot be used with them (section 7).
    const highest = highestClock(votes);
    const token = highest + 1;
    let usable = votes;
    if (token > lowestClock(votes) + slack) {
      usable = new Map([...votes].filter(([, vote]) => token <= vote.clock + slack));
      if (!coterie.containsQuorum(usable)) {
        // The repeat carries this node's clock to them. Once at once; then only at the usual interval.
        if (!request.clocksBroughtTogether) {
          request.clocksBroughtTogether = true;
          this.askAll(requester.lock, request);
        }
        return;
      }
      for (const [node, vote] of votes) {
        if (usable.has(node)) continue;
        votes.delete(node);
        raiseFloor(request.floors, node, vote.number);
      }
    }
    const tokenMax = lowestClock(usable) + slack;
    this.enter(requester, { request, token, tokenMax, validUntilMs: this.quorumValidUntilMs(votes) }, token);
    // While it waited it obeyed no younger thief: those that still want the lock shall say so again.
    if (request.id.steals === true) this.askAll(requester.lock, request);
  }

  private answerInquire(from: NodeId, requester: Requester, request: OpenRequest, message: Inquire): void {
    const { phase } = requester;
    switch (phase.state) {
      case 'held':
        // Noted: the lock will be released for real. A thief that says it holds the lock has lost it by now.
        if (message.contender.steals !== true || message.contender.holds === true) return;
        this.takeAway(requester, phase, { node: message.contender.node });
        return this.joinOrAdvance(requester);
      case 'retained':
        this.end(requester, request);
        return this.joinOrAdvance(requester);
      case 'waiting': {
        if (!hasPriority(message.contender, request.id)) {
          return this.context.ignore(from, message, 'contender is younger');
        }
        // The Inquire may come before its Grant: the floor makes the late Grant harmless.
        raiseFloor(request.floors, from, message.grant);
        const vote = request.votes.get(from);
        if (vote !== undefined && vote.number <= message.grant) request.votes.delete(from);
        return this.sendYield(from, request, requester.lock, message.grant);
      }
      case 'recalled': // It is released when the callers have given it back.
      case 'idle':
        return;
      default:
        return assertNever(phase);
    }
  }

  /** The arbiter lends its vote to a request that is over: tell it so, unless an earlier life made it. */
  private answerUnknown(from: NodeId, message: Grant | Inquire): void {
    // What an earlier life held its client may still use: it must run out by itself (section 11).
    if (message.timestamp < this.context.clock.bornAt) this.context.ignore(from, message, 'request of an earlier life');
    else this.sendRelease(from, message.lock, message.timestamp);
  }

  private noteContention(requester: Requester, request: OpenRequest): void {
    request.contended = true;
    requester.noKeepUntilMs = this.context.requesterNowMs + this.context.settings.leaseMs;
  }

  private sendYield(to: NodeId, request: OpenRequest, lock: LockName, grant: LamportTime): void {
    this.context.send(to, { kind: 'yield', lock, clock: this.context.clock.now, timestamp: request.id.timestamp, grant });
  }

  private sendRelease(to: NodeId, lock: LockName, timestamp: LamportTime): void {
    this.context.send(to, { kind: 'release', lock, clock: this.context.clock.now, timestamp });
  }

  private tellRenewed(lock: LockName, phase: Held): void {
    this.context.emit({ kind: 'renewed', lock, callers: phase.inside.map(({ id }) => id), validUntilMs: this.toNodeTime(phase.validUntilMs) });
  }

  /**
   * A grant that ran out here does not come back to life by a renewal: its arbiter may have lent the vote to
   * another, forgotten that in a crash, and believed a late Request of ours that still shows the grant.
   */
  private dropExpired({ votes, floors }: OpenRequest): void {
    for (const [node, vote] of votes) {
      if (vote.validUntilMs > this.context.requesterNowMs) continue;
      votes.delete(node);
      raiseFloor(floors, node, vote.number);
    }
  }

  /** Until when the votes contain a quorum, if none is added. */
  private quorumValidUntilMs(votes: ReadonlyMap<NodeId, VoteInHand>): number {
    let first = Infinity;
    let last = 0;
    for (const { validUntilMs } of votes.values()) {
      first = Math.min(first, validUntilMs);
      last = Math.max(last, validUntilMs);
    }
    if (first === last) return first; // As a rule: all were asked at once.
    const { coterie } = this.context.settings;
    const lasting = new Set<NodeId>();
    for (const [node, vote] of [...votes].sort(([, a], [, b]) => b.validUntilMs - a.validUntilMs)) {
      lasting.add(node);
      if (coterie.containsQuorum(lasting)) return vote.validUntilMs;
    }
    return first;
  }

  /** From the requesters' time to `nowMs`, in which the effects speak. */
  private toNodeTime(requesterMs: number): number {
    return requesterMs - (this.context.requesterNowMs - this.context.nowMs);
  }
}

function requestOf(phase: Phase, timestamp: LamportTime): OpenRequest | null {
  return phase.state !== 'idle' && phase.request.id.timestamp === timestamp ? phase.request : null;
}

function raiseFloor(floors: Map<NodeId, LamportTime>, arbiter: NodeId, number: LamportTime): void {
  floors.set(arbiter, Math.max(floors.get(arbiter) ?? 0, number));
}

function lowestClock(votes: ReadonlyMap<NodeId, VoteInHand>): LamportTime {
  let lowest = Infinity;
  for (const vote of votes.values()) lowest = Math.min(lowest, vote.clock);
  return lowest;
}

function highestClock(votes: ReadonlyMap<NodeId, VoteInHand>): LamportTime {
  let highest = 0;
  for (const vote of votes.values()) highest = Math.max(highest, vote.clock);
  return highest;
}
