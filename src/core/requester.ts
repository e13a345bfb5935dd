/**
 * The requester: the role that wants one lock for this node's callers.
 * Law: callers are inside only while grants that are valid now contain a quorum; at most one request
 * is in the protocol, and further local callers wait in line behind it.
 * Everything that decides when a caller enters, keeps or loses a lock is in this file; which votes count is in votes.ts.
 * Source: protocol.md sections 6 and 9.
 *
 *               acquire        a quorum of Grants     the last one leaves, nobody else wants it
 *     +------+           +---------+            +------+                           +----------+
 *     | idle |---------->| waiting |----------->| held |-------------------------->| retained |
 *     +------+           +---------+            +------+<--------------------------+----------+
 *         ^                   |                  |    |       the next one enters        |
 *         |                   |                  |    |                                  |
 *         |                   |                  |    | taken from callers               |
 *         |                   |                  |    | in other processes               |
 *         |      the caller   |  the last one    |    v                                  |  contention, run out,
 *         |      gives up or  |  leaves, others  |  +----------+                         |  or of no use to
 *         |      makes way    |  want it; taken  |  | recalled |                         |  the next one
 *         |                   |                  |  +----------+                         |
 *         |                   |                  |    | given back by all                |
 *         +-------------------+------------------+----+----------------------------------+
 *
 * - `waiting`: asks, and asks again. An Inquire for a contender that goes first is answered with Yield, and it waits on.
 * - `held`: callers are inside, told so by `entered`; it renews. An Inquire is noted as contention. The lock is taken when
 *   a contender steals it or when its grants run out: callers of this process hear `lost`, others `recalled`.
 * - `retained`: nobody is inside, the grants are kept. To enter again takes no message, only the next token. A caller in another
 *   process may keep the lock in the same way, for which it is told of room: to this machine it is inside until it gives back.
 * - On the way back to `idle` all that were asked hear Release, and the next in line asks by a request of its own. Only a
 *   lock that is in use in another process when its node stops ends without a word.
 *
 * All times here are the requesters' time (`requesterNowMs`), which counts what the machine slept.
 */
import { answerUnknown, ask, askAll, askToo, sendRelease, sendYield } from './asking';
import type { Context } from './context';
import type { HasDeadline } from './deadlines';
import type { AcquireEvent, CallerId, Thief } from './events';
import { withLast } from './few';
import { assertNever } from './invariants';
import { reentryLeftMs, repeatHeldAtMs, repeatWaitingAtMs, validForMs } from './lease-times';
import type { Grant, Inquire, LamportTime, LockName, NodeId, RequestId, Token } from './messages';
import { viewOf } from './phases';
import type { Caller, Entry, Held, Idle, OpenPhase, OpenRequest, Phase, RequesterView, Retained, Room, Waiting } from './phases';
import { claimOf, hasPriority } from './priority';
import { Votes } from './votes';
import type { Entitlement } from './votes';

const IDLE: Idle = { state: 'idle' };

/** So many tokens a caller may take by itself at most: a third of a second of a process that does nothing else. Then it asks again. */
const ROOM_MAX = 2 ** 16;

/** To so many a client passes a lock on by itself at most. Then its node looks again who stands first. */
const PASS_MAX = 64;

const NOBODY: readonly CallerId[] = [];

/** Exists while a caller or a request does, and for a lease after contention. */
export class Requester implements HasDeadline {
  deadlineMs = Infinity;
  heapIndex = -1;

  private phase: Phase = IDLE;
  private line: Caller[] = [];
  /** There was contention lately: until then ask without `keep`. */
  private noKeepUntilMs = 0;

  constructor(
    readonly lock: LockName,
    private readonly context: Context,
  ) {}

  view(): RequesterView {
    return viewOf(this.phase, this.line, this.context.requesterNowMs - this.context.nowMs);
  }

  /** Nothing is in the protocol, and nobody waits. */
  get isIdle(): boolean {
    return this.phase.state === 'idle' && this.line.length === 0;
  }

  /** The request that waits to steal the lock; or null. */
  get thief(): RequestId | null {
    return this.phase.state === 'waiting' && this.phase.request.steals ? this.phase.request.id : null;
  }

  /** When something is to be done without any message; or Infinity. */
  get attentionAtMs(): number {
    const { phase } = this;
    switch (phase.state) {
      case 'idle':
        // Callers wait until this node takes part.
        return this.line.length > 0 ? Infinity : this.noKeepUntilMs;
      case 'waiting':
        return this.repeatAtMs(phase);
      case 'held':
        return Math.min(this.repeatAtMs(phase), phase.validUntilMs);
      case 'retained':
        return phase.validUntilMs;
      case 'recalled':
        return Infinity;
      default:
        return assertNever(phase);
    }
  }

  // --- what happens ---------------------------------------------------------------------------

  acquire({ mode, caller: id, steals, remote, keeps, client }: AcquireEvent): void {
    this.expire();
    const caller: Caller = {
      id, mode, timestamp: this.context.clock.tick(), steals: steals === true, remote: remote === true, keeps: keeps === true, client: client ?? null,
    };
    if (caller.steals) this.makeWay(caller);
    else this.line = withLast(this.line, caller);
    this.callIn();
    this.joinOrAdvance();
  }

  /**
   * Done, or no longer waiting.
   * @param mayKeep whether there is room to keep the grants
   * @param used the highest token that it took, of those that it had room for
   */
  release(id: CallerId, mayKeep: boolean, used?: Token): void {
    this.expire();
    const { phase, line } = this;
    this.spend(phase, id, used);
    const place = line.findIndex((caller) => caller.id === id);
    if (place >= 0) {
      line.splice(place, 1);
      // The request in the protocol is the first caller's own; the next one has its own timestamp.
      if (place === 0 && phase.state === 'waiting') this.end(phase.request);
      this.joinOrAdvance();
    } else if (phase.state === 'held') {
      const seat = phase.inside.findIndex((holder) => holder.id === id);
      if (seat >= 0) phase.inside.splice(seat, 1);
      if (phase.inside.length === 0) this.leave(phase, mayKeep);
    } else if (phase.state === 'recalled') {
      phase.inside.delete(id);
      if (phase.inside.size === 0) {
        this.end(phase.request);
        this.joinOrAdvance();
      }
    }
  }

  onGrant(from: NodeId, message: Grant): void {
    this.expire();
    const phase = this.phaseOf(message.timestamp);
    if (phase === null) answerUnknown(this.context, from, message);
    else this.receiveGrant(from, phase, message);
  }

  onInquire(from: NodeId, message: Inquire): void {
    this.expire();
    const phase = this.phaseOf(message.timestamp);
    if (phase === null) return answerUnknown(this.context, from, message);
    phase.request.votes.noteContender(from, message.contender.request.timestamp);
    this.noteContention(phase.request);
    this.callIn();
    this.answerInquire(from, phase, message);
  }

  /** The peer may have missed what was sent meanwhile: repeat to it what is open. */
  onPeerUp(peer: NodeId): void {
    const { phase } = this;
    if (phase.state !== 'waiting' && phase.state !== 'held') return;
    if (phase.request.asked.includes(peer)) ask(this.context, peer, this.lock, phase);
    this.widen();
  }

  /** Ask further arbiters when those asked that are up contain no quorum. */
  widen(): void {
    const { phase } = this;
    if (phase.state !== 'waiting' && phase.state !== 'held') return;
    askToo(this.context, this.context.reach.beside(phase.request.asked), this.lock, phase);
  }

  /** The machine slept: leases ended earlier than those inside were told. */
  onSlept(): void {
    this.expire();
    if (this.phase.state === 'held') this.tellRenewed(this.phase);
  }

  onWake(): void {
    this.expire();
    const { phase } = this;
    if ((phase.state !== 'waiting' && phase.state !== 'held') || this.repeatAtMs(phase) > this.context.requesterNowMs) return;
    // By what came of the last time.
    const needsOthers = phase.state === 'held' && this.needsOthers(phase);
    askAll(this.context, this.lock, phase);
    if (needsOthers) askToo(this.context, this.context.reach.everybody(), this.lock, phase);
    if (phase.state === 'waiting') this.loseNoHope(phase);
  }

  /** Another process has this node's id: what is held is held no more, and nobody asks until this node takes part again. */
  standApart(): void {
    this.expire();
    const { phase } = this;
    if (phase.state === 'held') this.takeAway(phase);
    else if (phase.state === 'waiting' || phase.state === 'retained') this.end(phase.request);
  }

  /** Callers that asked before this node took part ask now, under ids that no earlier life can have used. */
  onJoined(): void {
    const { line } = this;
    line.forEach((caller, place) => (line[place] = { ...caller, timestamp: this.context.clock.tick() }));
    this.joinOrAdvance();
  }

  /** Give everything back, so that nobody has to wait for a lease to end; or, while it is in use elsewhere, say nothing. */
  stop(isInUse: boolean): void {
    this.line.length = 0;
    if (isInUse) this.phase = IDLE;
    else if (this.phase.state !== 'idle') this.end(this.phase.request);
    this.noKeepUntilMs = 0;
  }

  // --- votes, and questions about them --------------------------------------------------------

  private receiveGrant(from: NodeId, phase: OpenPhase, message: Grant): void {
    // Not even a Yield: whoever is to give the lock back may still count on this very vote.
    if (phase.state === 'recalled') return this.context.ignore(from, message, 'lock was recalled');
    const { request } = phase;
    const { votes } = request;
    votes.dropExpired(this.context.requesterNowMs);
    if (votes.isGivenBack(from, message)) {
      // The Yield may have been lost, so say it again (protocol.md section 11).
      sendYield(this.context, from, this.lock, request, message.grant);
      return this.context.ignore(from, message, 'grant was given back');
    }
    if (!request.asked.includes(from)) return this.context.ignore(from, message, 'arbiter was not asked');
    const reason = votes.ignoreGrant(from, message, this.context.requesterNowMs);
    if (reason !== null) return this.context.ignore(from, message, reason);
    if (message.contended) this.noteContention(request);
    this.callIn();
    switch (phase.state) {
      case 'waiting':
        votes.count(from, message);
        return this.tryEnter(phase);
      case 'held': {
        const before = phase.validUntilMs;
        this.countForEntry(from, phase, message);
        // For longer, or for less: a new grant may answer an older Request.
        if (phase.validUntilMs !== before) {
          this.tellRenewed(phase);
          this.joinOrAdvance();
        }
        if (message.contended) this.spread(phase);
        return;
      }
      case 'retained':
        this.countForEntry(from, phase, message);
        if (request.contended) {
          this.end(request);
          this.joinOrAdvance();
        }
        return;
      default:
        return assertNever(phase);
    }
  }

  /** A vote that comes while the lock is held or kept: what the votes allow may be more now. */
  private countForEntry(from: NodeId, entry: Held | Retained, message: Grant): void {
    const { votes } = entry.request;
    const reason = votes.ignoreBehind(highestToken(entry), from, message);
    if (reason !== null) return this.context.ignore(from, message, reason);
    votes.count(from, message);
    entry.tokenMax = votes.tokenMax;
    entry.validUntilMs = votes.quorumValidUntilMs();
  }

  private tryEnter(phase: Waiting): void {
    const { request } = phase;
    const allowed = request.votes.entitlement();
    if (allowed === 'no quorum') return;
    if (allowed === 'clocks too far apart') {
      // The repeat carries this node's clock to them. Once at once; then only at the usual interval.
      if (phase.clocksBroughtTogether) return;
      phase.clocksBroughtTogether = true;
      return askAll(this.context, this.lock, phase);
    }
    // Held means usable: with less of the lease left it could be lost again before its renewal is back.
    if (!this.isUsable(allowed)) {
      if (phase.votesRenewed) return;
      phase.votesRenewed = true;
      return askAll(this.context, this.lock, phase);
    }
    const held = this.enter(request, allowed, allowed.token);
    // While it waited it obeyed no younger thief: those that still want the lock shall say so again.
    if (request.steals) askAll(this.context, this.lock, held);
  }

  /** Whether as much of the lease is left as an entry needs: a tenth. */
  private isUsable({ validUntilMs }: Entitlement): boolean {
    return validUntilMs - this.context.requesterNowMs >= reentryLeftMs(this.context.settings.leaseMs);
  }

  private answerInquire(from: NodeId, phase: OpenPhase, message: Inquire): void {
    const { request } = phase;
    switch (phase.state) {
      case 'held':
        // Noted: the lock will be released for real. One that stole it before has lost it by now.
        if (message.contender.claim !== 'steals') return this.spread(phase);
        if (!this.isConfirmed(from, phase, message)) return this.askThief(phase, message.contender.request);
        this.takeAway(phase, { node: message.contender.request.node });
        return this.joinOrAdvance();
      case 'retained':
        this.end(request);
        return this.joinOrAdvance();
      case 'waiting':
        if (!hasPriority(message.contender, { request: request.id, claim: claimOf(request.steals, false) })) {
          return this.context.ignore(from, message, 'contender is younger');
        }
        // The Inquire may come before its Grant.
        request.votes.giveBack(from, message.grant);
        return sendYield(this.context, from, this.lock, request, message.grant);
      case 'recalled': // It is released when the callers have given it back.
        return;
      default:
        return assertNever(phase);
    }
  }

  /**
   * Whether a thief still wants the lock: its own node says so, and heard from this holder when all of them were inside already.
   * Any other order may be late, for a thief that is long done; nobody is robbed for it (protocol.md section 12).
   */
  private isConfirmed(from: NodeId, { lastEntryAtMs }: Held, { contender, sentAtMs }: Inquire): boolean {
    return from === contender.request.node && sentAtMs >= lastEntryAtMs;
  }

  private askThief(phase: Held, { node, timestamp }: RequestId): void {
    // Of this node's own thieves it knows by itself.
    if (node === this.context.settings.self) return;
    // Once, for the node's answer may be hearsay of another thief. From then on its node gets each repeat, should that Request be lost.
    if (timestamp <= (phase.thievesHeardOf?.get(node) ?? -Infinity)) return;
    (phase.thievesHeardOf ??= new Map()).set(node, timestamp);
    if (!phase.request.asked.includes(node)) phase.request.asked.push(node);
    ask(this.context, node, this.lock, phase);
  }

  /**
   * Somebody waits: when its node dies, votes lent to it cannot be had for a lease, and this holder may need them then. One
   * that is younger than a repeat asks with that (rule holder-spreads): short holds do not pay with messages to everybody.
   */
  private spread(phase: Held): void {
    if (this.context.requesterNowMs - phase.sinceMs < this.context.settings.retryMs) return;
    askToo(this.context, this.context.reach.everybody(), this.lock, phase);
  }

  private noteContention(request: OpenRequest): void {
    request.contended = true;
    this.noKeepUntilMs = this.context.requesterNowMs + this.context.settings.leaseMs;
  }

  // --- time -----------------------------------------------------------------------------------

  /** Grants that ran out end a hold at that very moment, by this node's own clock and without a message. */
  private expire(): void {
    const { phase } = this;
    if ((phase.state !== 'held' && phase.state !== 'retained') || this.context.requesterNowMs < phase.validUntilMs) return;
    if (phase.state === 'held') this.takeAway(phase);
    else this.end(phase.request);
    this.joinOrAdvance();
  }

  private repeatAtMs(phase: Waiting | Held): number {
    const { askedAtMs } = phase.request;
    const { retryMs } = this.context.settings;
    return phase.state === 'held' ? repeatHeldAtMs(askedAtMs, retryMs, phase.validUntilMs) : repeatWaitingAtMs(askedAtMs, retryMs);
  }

  /**
   * Whether a holder that repeats its Request needs further votes (rule holder-spreads). Others wait, or may without its being
   * told, for it asked without `keep`: when a node of theirs dies together with an arbiter of this one, the votes lent to it cannot
   * be had before the lease ends. Or no quorum answered the last time, though whoever was asked is up: a vote may be lent to one that is gone.
   */
  private needsOthers({ request, validUntilMs }: Held): boolean {
    return request.contended || !request.keep || validUntilMs < request.askedAtMs + validForMs(this.context.settings);
  }

  /**
   * Whoever was asked a lease ago and has granted nothing lent its vote for long, or is up and mute. One further quorum is
   * asked that does without them, and no other for a lease: it may be the former (protocol.md section 17).
   */
  private loseNoHope(phase: Waiting): void {
    const { requesterNowMs, settings, reach } = this.context;
    if (requesterNowMs < phase.patientUntilMs) return;
    const { asked, votes } = phase.request;
    // Of itself a node knows that it answers, although its own vote may be lent to another.
    const isHeardFrom = new Set([settings.self, ...votes.arbiters]);
    const others = reach.without(asked.filter((node) => !isHeardFrom.has(node))).filter((node) => !asked.includes(node));
    // Where a holder has so many votes that there is none, it is looked for again with each repeat.
    if (others.length === 0) return;
    phase.patientUntilMs = requesterNowMs + settings.leaseMs;
    askToo(this.context, others, this.lock, phase);
  }

  // --- from one phase to another --------------------------------------------------------------

  /** Let the first in line go on as far as it can without waiting for a message. */
  private joinOrAdvance(): void {
    const { phase, line } = this;
    const first = line[0];
    if (first === undefined) return;
    switch (phase.state) {
      case 'idle':
        if (this.context.takesPart) this.start(first);
        return;
      case 'waiting':
      case 'recalled':
        return;
      case 'held':
        // Local readers ride on the request that holds, while that keeps nobody waiting.
        if (first.mode === 'shared' && phase.request.mode === 'shared' && !phase.request.contended && this.isUsable(phase)) {
          this.letIn(phase);
        }
        return;
      case 'retained':
        return this.reenter(phase, first);
      default:
        return assertNever(phase);
    }
  }

  private start(first: Caller): void {
    const { settings, reach, requesterNowMs } = this.context;
    const request: OpenRequest = {
      id: { timestamp: first.timestamp, node: settings.self },
      mode: first.mode,
      steals: first.steals,
      keep: settings.retain && requesterNowMs >= this.noKeepUntilMs,
      asked: [...reach.preferredQuorum],
      votes: new Votes(settings),
      askedAtMs: requesterNowMs,
      contended: false,
    };
    const phase: Waiting = {
      state: 'waiting', request, clocksBroughtTogether: false, votesRenewed: false, patientUntilMs: requesterNowMs + settings.leaseMs,
    };
    this.phase = phase;
    askAll(this.context, this.lock, phase);
  }

  /** @param entry what the votes of `request` allow */
  private enter(request: OpenRequest, { tokenMax, validUntilMs }: Entitlement, token: Token): Held {
    request.votes.assertFloorHolds();
    // A Release must carry a clock of at least the token (protocol.md section 7).
    this.context.clock.reach(token);
    const sinceMs = this.context.requesterNowMs;
    const phase: Held = { state: 'held', request, token, tokenMax, validUntilMs, sinceMs, lastEntryAtMs: sinceMs, inside: [], thievesHeardOf: null, room: null };
    this.phase = phase;
    this.letIn(phase);
    return phase;
  }

  /** The first in line enters; behind a reader, all readers up to the next writer do. */
  private letIn(phase: Held): void {
    const { lock, line } = this;
    const { mode } = phase.request;
    phase.lastEntryAtMs = this.context.requesterNowMs;
    let first = line[0];
    while (first !== undefined && first.mode === mode && (mode === 'shared' || phase.inside.length === 0)) {
      line.shift();
      phase.inside = withLast(phase.inside, { id: first.id, remote: first.remote });
      const passTo = this.behind(first, phase);
      if (passTo.length > 0) phase.room = { caller: first.id, until: phase.token + passTo.length, isCalledIn: true };
      else if (first.keeps) phase.room = this.roomFor(first.id, phase);
      this.context.emit({
        kind: 'entered', lock, caller: first.id, mode, token: phase.token, validUntilMs: this.toNodeTime(phase.validUntilMs),
        ...(phase.room === null ? {} : { roomUntil: phase.room.until }),
        ...(passTo.length === 0 ? {} : { passTo }),
      });
      first = line[0];
    }
  }

  /**
   * Those to whom the client of this caller may pass the lock on: its own that stand directly behind, as far as they asked before all
   * others of whom this node knows, and there are tokens for them.
   */
  private behind(caller: Caller, phase: Held): readonly CallerId[] {
    const { line, context } = this;
    const { request, token } = phase;
    if (caller.client === null || line[0]?.client !== caller.client) return NOBODY;
    // Whoever keeps its votes is inquired for others at once, so it has heard of all of them.
    const { keep, contended, votes } = request;
    const before = keep && !contended ? votes.before : Math.min(votes.before, votes.lowestClock);
    const roomMax = Math.min(PASS_MAX, roomIn(phase));
    const passTo: CallerId[] = [];
    for (const next of line) {
      if (next.client !== caller.client || next.timestamp >= before || passTo.length >= roomMax) break;
      passTo.push(next.id);
    }
    return context.clock.mayLend(token + passTo.length, context.nowMs) ? passTo : NOBODY;
  }

  /** What it may do by itself while nobody else wants the lock; null: nothing. */
  private roomFor(caller: CallerId, phase: Held): Room | null {
    const { request, token } = phase;
    const until = token + Math.min(ROOM_MAX, roomIn(phase));
    const isWanted = !request.keep || request.contended || this.line.length > 0;
    if (isWanted || until <= token || !this.context.clock.mayLend(until, this.context.nowMs)) return null;
    return { caller, until, isCalledIn: false };
  }

  /** Somebody else wants the lock: whoever keeps it enters no further time. */
  private callIn(): void {
    const { phase, line } = this;
    if (phase.state !== 'held' || phase.room === null || phase.room.isCalledIn) return;
    if (!phase.request.contended && line.length === 0) return;
    phase.room.isCalledIn = true;
    this.context.emit({ kind: 'wanted', lock: this.lock, caller: phase.room.caller });
  }

  /** It is done: what it took is taken, and Release must carry a clock of at least that (protocol.md section 7). */
  private spend(phase: Phase, caller: CallerId, used: Token = Infinity): void {
    if ((phase.state !== 'held' && phase.state !== 'recalled') || phase.room?.caller !== caller) return;
    const token = Math.min(used, phase.room.until);
    this.context.clock.reach(token);
    if (phase.state !== 'held') return;
    phase.token = Math.max(phase.token, token);
    phase.room = null;
  }

  /** The last one inside left: keep the grants if nobody else wants them, else release for real. */
  private leave(entry: Entry, mayKeep: boolean): void {
    const { request, token, tokenMax, validUntilMs } = entry;
    if (request.keep && !request.contended && mayKeep) {
      this.phase = { state: 'retained', request, token, tokenMax, validUntilMs };
    } else {
      this.end(request);
    }
    this.joinOrAdvance();
  }

  /** Enter again under the same request, without a message (protocol.md section 9). */
  private reenter(entry: Entry, first: Caller): void {
    const { request } = entry;
    const isSameEntry = first.mode === request.mode && !request.contended && entry.token + 1 <= entry.tokenMax && this.isUsable(entry);
    if (!isSameEntry || !this.context.clock.mayTickFreely(this.context.nowMs)) {
      this.end(request);
      return this.start(first);
    }
    const held = this.enter(request, entry, entry.token + 1);
    const { requesterNowMs, settings } = this.context;
    const roomIsLow = entry.tokenMax - entry.token < settings.slack / 2 && requesterNowMs > request.askedAtMs;
    if (roomIsLow || requesterNowMs >= this.repeatAtMs(held)) askAll(this.context, this.lock, held);
    if (this.context.reach.isAnyDown) this.widen();
  }

  /** One that steals goes first; who is inside here loses the lock. */
  private makeWay(caller: Caller): void {
    const { phase, line } = this;
    if (phase.state === 'waiting') {
      this.end(phase.request);
      // The request that was ended had the timestamp of the first in line, and an id is never used again.
      const first = line.shift();
      if (first !== undefined) line.unshift({ ...first, timestamp: this.context.clock.tick() });
    } else if (phase.state === 'held') {
      this.takeAway(phase, { node: this.context.settings.self, caller: caller.id });
    }
    line.unshift(caller);
  }

  /**
   * Those inside hold the lock no longer: it was stolen, or its grants ran out by this node's own clock. A remote
   * caller may not know yet, and this clock may have been moved: its lock is free when it gives it back, or else
   * when its grants run out at the arbiters, whom nobody tells anything until then.
   */
  private takeAway({ request, inside, room }: Held, thief?: Thief): void {
    const { lock } = this;
    const recalled = new Set<CallerId>();
    for (const { id, remote } of inside) {
      if (remote) recalled.add(id);
      const kind = remote ? 'recalled' : 'lost';
      this.context.emit(thief === undefined ? { kind, lock, caller: id } : { kind, lock, caller: id, thief });
    }
    if (recalled.size === 0) this.end(request);
    else this.phase = { state: 'recalled', request, inside: recalled, room };
  }

  /** The request is over: tell every arbiter that was asked. */
  private end(request: OpenRequest): void {
    this.phase = IDLE;
    for (const arbiter of request.asked) sendRelease(this.context, arbiter, this.lock, request.id.timestamp, this.line[0]?.timestamp);
  }

  // -------------------------------------------------------------------------------------------

  private tellRenewed(phase: Held): void {
    this.context.emit({ kind: 'renewed', lock: this.lock, callers: phase.inside.map(({ id }) => id), validUntilMs: this.toNodeTime(phase.validUntilMs) });
  }

  /** From the requesters' time to `nowMs`, in which the effects speak. */
  private toNodeTime(requesterMs: number): number {
    return requesterMs - (this.context.requesterNowMs - this.context.nowMs);
  }

  /** The phase of this request, unless the request is over. */
  private phaseOf(timestamp: LamportTime): OpenPhase | null {
    const { phase } = this;
    return phase.state !== 'idle' && phase.request.id.timestamp === timestamp ? phase : null;
  }
}

/** How many tokens above its own it may give away: half of what its votes allow is left for votes that come later (protocol.md section 15.4). */
function roomIn({ token, tokenMax }: Held): number {
  return Math.floor((tokenMax - token) / 2);
}

/** That may have been taken under this entry. */
function highestToken(entry: Held | Retained): Token {
  return entry.state === 'held' && entry.room !== null ? entry.room.until : entry.token;
}
