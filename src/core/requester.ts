/**
 * The requester: the role that wants locks for this node's callers, one instance per lock name.
 * Law: callers are inside only while grants that are valid now contain a quorum; at most one request
 * per lock is in the protocol, and further local callers wait in line behind it.
 * Everything that decides when a caller enters, keeps or loses a lock is in this file.
 * Source: protocol.md sections 6, 7 and 9.
 *
 * All times here are the requesters' time (`requesterNowMs`), which counts what the machine slept.
 */
import { ask, askAll, askToo, sendRelease, sendYield } from './asking';
import { Deadlines } from './deadlines';
import type { HasDeadline } from './deadlines';
import type { Context } from './context';
import type { AcquireEvent, CallerId, Thief } from './events';
import { assertNever } from './invariants';
import { reentryLeftMs, repeatHeldAtMs, repeatWaitingAtMs, validForMs } from './lease-times';
import type { Grant, Inquire, LamportTime, LockName, NodeId, Token } from './messages';
import { viewOf } from './phases';
import type { Caller, Entry, Held, Idle, OpenPhase, OpenRequest, Phase, RequesterView, Waiting } from './phases';
import { claimOf, hasPriority } from './priority';
import { Votes } from './votes';
import type { Entitlement } from './votes';

/**
 * A node that knows so many locks keeps no more of them after their release. Some kilobytes each, here and at
 * its arbiters: names that come once and never again must not pile up for a lease, which may be long.
 */
export const LOCKS_KEPT_MAX = 20_000;

const IDLE: Idle = { state: 'idle' };

/** One lock. Exists while a caller or a request does, and for a lease after contention. */
interface Requester extends HasDeadline {
  readonly lock: LockName;
  phase: Phase;
  readonly line: Caller[];
  /** There was contention lately: until then ask without `keep`. */
  noKeepUntilMs: number;
}

/** All requesters of one node. */
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
    const requester = this.byLock.get(lock);
    if (requester === undefined) return null;
    return viewOf(requester.phase, requester.line, this.context.requesterNowMs - this.context.nowMs);
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
    const phase = requester === undefined ? null : phaseOf(requester, message.timestamp);
    if (requester === undefined || phase === null) this.answerUnknown(from, message);
    else this.receiveGrant(from, requester, phase, message);
    if (requester !== undefined) this.settle(requester);
  }

  private receiveGrant(from: NodeId, requester: Requester, phase: OpenPhase, message: Grant): void {
    // Not even a Yield: whoever is to give the lock back may still count on this very vote.
    if (phase.state === 'recalled') return this.context.ignore(from, message, 'lock was recalled');
    const { request } = phase;
    const { votes } = request;
    votes.dropExpired(this.context.requesterNowMs);
    if (votes.isGivenBack(from, message)) {
      // The Yield may have been lost, so say it again (protocol.md section 11).
      sendYield(this.context, from, requester.lock, request, message.grant);
      return this.context.ignore(from, message, 'grant was given back');
    }
    if (!request.asked.includes(from)) return this.context.ignore(from, message, 'arbiter was not asked');
    const reason = votes.ignoreGrant(from, message, this.context.requesterNowMs);
    if (reason !== null) return this.context.ignore(from, message, reason);
    if (message.contended) this.noteContention(requester, request);
    switch (phase.state) {
      case 'waiting':
        votes.count(from, message);
        return this.tryEnter(requester, phase);
      case 'held': {
        const before = phase.validUntilMs;
        this.countForEntry(from, phase, message);
        // For longer, or for less: a new grant may answer an older Request.
        if (phase.validUntilMs !== before) this.tellRenewed(requester.lock, phase);
        return;
      }
      case 'retained':
        this.countForEntry(from, phase, message);
        if (request.contended) {
          this.end(requester, request);
          this.joinOrAdvance(requester);
        }
        return;
      default:
        return assertNever(phase);
    }
  }

  /** A vote that comes while the lock is held or kept: what the votes allow may be more now. */
  private countForEntry(from: NodeId, entry: Entry, message: Grant): void {
    const { votes } = entry.request;
    const reason = votes.ignoreBehind(entry.token, from, message);
    if (reason !== null) return this.context.ignore(from, message, reason);
    votes.count(from, message);
    entry.tokenMax = votes.tokenMax;
    entry.validUntilMs = votes.quorumValidUntilMs();
  }

  onInquire(from: NodeId, message: Inquire): void {
    const requester = this.find(message.lock);
    const phase = requester === undefined ? null : phaseOf(requester, message.timestamp);
    if (requester === undefined || phase === null) {
      this.answerUnknown(from, message);
    } else {
      this.noteContention(requester, phase.request);
      this.answerInquire(from, requester, phase, message);
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
        if (phase.request.asked.includes(peer)) ask(this.context, peer, requester.lock, phase);
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
        // By what came of the last time.
        const needsOthers = phase.state === 'held' && this.needsOthers(phase);
        askAll(this.context, due.lock, phase);
        if (needsOthers) askToo(this.context, this.context.reach.everybody(), due.lock, phase);
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

  private repeatAtMs(phase: Waiting | Held): number {
    const { askedAtMs } = phase.request;
    const { retryMs } = this.context.settings;
    return phase.state === 'held' ? repeatHeldAtMs(askedAtMs, retryMs, phase.validUntilMs) : repeatWaitingAtMs(askedAtMs, retryMs);
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
    const { settings, reach, requesterNowMs } = this.context;
    const request: OpenRequest = {
      id: { timestamp: first.timestamp, node: settings.self },
      mode: first.mode,
      steals: first.steals,
      keep: settings.retain && requesterNowMs >= requester.noKeepUntilMs,
      asked: [...reach.preferredQuorum],
      votes: new Votes(settings),
      askedAtMs: requesterNowMs,
      contended: false,
    };
    const phase: Waiting = { state: 'waiting', request, clocksBroughtTogether: false };
    requester.phase = phase;
    askAll(this.context, requester.lock, phase);
  }

  /** Enter again under the same request, without a message (protocol.md section 9). */
  private reenter(requester: Requester, entry: Entry, first: Caller): void {
    const { request } = entry;
    const leftMs = entry.validUntilMs - this.context.requesterNowMs;
    const endsSoon = leftMs < reentryLeftMs(this.context.settings.leaseMs);
    if (first.mode !== request.mode || request.contended || entry.token + 1 > entry.tokenMax || endsSoon) {
      this.end(requester, request);
      return this.start(requester, first);
    }
    const held = this.enter(requester, request, entry, entry.token + 1);
    const { requesterNowMs, settings } = this.context;
    const roomIsLow = entry.tokenMax - entry.token < settings.slack / 2 && requesterNowMs > request.askedAtMs;
    if (roomIsLow || requesterNowMs >= this.repeatAtMs(held)) askAll(this.context, requester.lock, held);
    if (this.context.reach.isAnyDown) this.widen(requester);
  }

  /** @param entry what the votes of `request` allow */
  private enter(requester: Requester, request: OpenRequest, { tokenMax, validUntilMs }: Entitlement, token: Token): Held {
    request.votes.assertFloorHolds();
    // A Release must carry a clock of at least the token (protocol.md section 7).
    this.context.clock.reach(token);
    const phase: Held = { state: 'held', request, token, tokenMax, validUntilMs, inside: [] };
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

  /**
   * Whether a holder that repeats its Request needs further votes (rule holder-spreads). Others wait: when a node of
   * theirs dies together with an arbiter of this one, the votes lent to it cannot be had before the lease ends. Or no quorum
   * answered the last time, though whoever was asked is up: a vote may be lent to one that is gone.
   */
  private needsOthers({ request, validUntilMs }: Held): boolean {
    return request.contended || validUntilMs < request.askedAtMs + validForMs(this.context.settings);
  }

  /** The request is over: tell every arbiter that was asked. */
  private end(requester: Requester, request: OpenRequest): void {
    requester.phase = IDLE;
    for (const arbiter of request.asked) sendRelease(this.context, arbiter, requester.lock, request.id.timestamp);
  }

  /** Ask further arbiters when those asked that are up contain no quorum. */
  private widen(requester: Requester): void {
    const { phase, lock } = requester;
    if (phase.state !== 'waiting' && phase.state !== 'held') return;
    askToo(this.context, this.context.reach.beside(phase.request.asked), lock, phase);
  }

  private tryEnter(requester: Requester, phase: Waiting): void {
    const { request } = phase;
    const allowed = request.votes.entitlement();
    if (allowed === 'no quorum') return;
    if (allowed === 'clocks too far apart') {
      // The repeat carries this node's clock to them. Once at once; then only at the usual interval.
      if (phase.clocksBroughtTogether) return;
      phase.clocksBroughtTogether = true;
      return askAll(this.context, requester.lock, phase);
    }
    const held = this.enter(requester, request, allowed, allowed.token);
    // While it waited it obeyed no younger thief: those that still want the lock shall say so again.
    if (request.steals) askAll(this.context, requester.lock, held);
  }

  private answerInquire(from: NodeId, requester: Requester, phase: OpenPhase, message: Inquire): void {
    const { request } = phase;
    switch (phase.state) {
      case 'held':
        // Noted: the lock will be released for real. One that stole it before has lost it by now.
        if (message.contender.claim !== 'steals') return;
        this.takeAway(requester, phase, { node: message.contender.request.node });
        return this.joinOrAdvance(requester);
      case 'retained':
        this.end(requester, request);
        return this.joinOrAdvance(requester);
      case 'waiting':
        if (!hasPriority(message.contender, { request: request.id, claim: claimOf(request.steals, false) })) {
          return this.context.ignore(from, message, 'contender is younger');
        }
        // The Inquire may come before its Grant.
        request.votes.giveBack(from, message.grant);
        return sendYield(this.context, from, requester.lock, request, message.grant);
      case 'recalled': // It is released when the callers have given it back.
        return;
      default:
        return assertNever(phase);
    }
  }

  /** The arbiter lends its vote to a request that is over: tell it so, unless an earlier life made it. */
  private answerUnknown(from: NodeId, message: Grant | Inquire): void {
    // What an earlier life held its client may still use: it must run out by itself (protocol.md section 11).
    if (message.timestamp < this.context.clock.bornAt) this.context.ignore(from, message, 'request of an earlier life');
    else sendRelease(this.context, from, message.lock, message.timestamp);
  }

  private noteContention(requester: Requester, request: OpenRequest): void {
    request.contended = true;
    requester.noKeepUntilMs = this.context.requesterNowMs + this.context.settings.leaseMs;
  }

  private tellRenewed(lock: LockName, phase: Held): void {
    this.context.emit({ kind: 'renewed', lock, callers: phase.inside.map(({ id }) => id), validUntilMs: this.toNodeTime(phase.validUntilMs) });
  }

  /** From the requesters' time to `nowMs`, in which the effects speak. */
  private toNodeTime(requesterMs: number): number {
    return requesterMs - (this.context.requesterNowMs - this.context.nowMs);
  }
}

/** The phase of this request, unless the request is over. */
function phaseOf({ phase }: Requester, timestamp: LamportTime): OpenPhase | null {
  return phase.state !== 'idle' && phase.request.id.timestamp === timestamp ? phase : null;
}
