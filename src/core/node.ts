/**
 * One node: arbiter and requester of every lock, one Lamport clock, one time. `step` takes an event
 * and returns the effects; the gRPC runtime and the simulator drive this very code.
 * Law: pure and deterministic. No clock, no randomness, no timer, no promise, no I/O: the same events
 * give the same effects in the same order.
 */
import type { NodeId } from '../quorum/coterie';
import { Arbiters } from './arbiter';
import type { ArbiterView } from './arbiter';
import { LamportClock } from './clock';
import type { Context, CoreSettings } from './context';
import type { Effect, Event } from './events';
import { assertNever, broken } from './invariants';
import { Memory } from './memory';
import type { LamportTime, LockName, Message, RequestId } from './messages';
import { Namesake } from './namesake';
import type { RequesterView } from './phases';
import { Reach } from './reach';
import { Requesters } from './requesters';

const DEFAULT_HELD_BACK_MAX = 10_000;

/** The longest lease that there is, and so the longest silence that a peer may tell of: one day. */
export const SILENCE_MAX_MS = 86_400_000;

const NO_EFFECTS: readonly Effect[] = [];

/** What a node's life begins with. */
export interface Birth {
  /** The ceiling found in the data directory, 0 when there is none: then it has no memory, and learns from peers (memory.ts). */
  readonly ceilingOnDisk: LamportTime;
  /**
   * The wall clock in microseconds; it stands in for a ceiling that was wiped, where peers cannot. Or a higher clock value that
   * all earlier ones are known to be below (`change.clock` of a configuration).
   */
  readonly wallClockUs: number;
  /**
   * The cluster is new, nobody has ever run: no vote of this node can be on loan, and it may lend at once. Otherwise its
   * arbiters lend nothing for `silentMs` (protocol.md section 16).
   */
  readonly firstStart: boolean;
  /** How long a vote of an earlier life may be on loan still, where that is longer than the lease. Default: the lease. */
  readonly silentMs?: number;
  /** The SLACK of earlier lives, where that was larger. Default: that of the settings. */
  readonly slackBefore?: number;
}

/** What one node knows of one lock. For status pages and checkers. */
export interface LockView extends ArbiterView {
  readonly lock: LockName;
  readonly requester: RequesterView | null;
}

/** What one node knows of itself. For checkers and tests. */
export interface NodeView {
  readonly id: NodeId;
  /** Its Lamport clock as it stands, told to nobody while it is above the ceiling on disk. */
  readonly clock: LamportTime;
  /** The ceiling on disk. */
  readonly ceiling: LamportTime;
}

/** What one node knows of who lends votes. For status pages. */
export interface LendingView {
  /** It lends its vote. */
  readonly isLending: boolean;
  /** It has a memory, or has learned what it can: its callers may ask for locks. */
  readonly takesPart: boolean;
  /** Which nodes lend nothing yet, and until when as far as it knows; itself among them. */
  readonly silentUntilMs: ReadonlyMap<NodeId, number>;
}

declare const opaque: unique symbol;

/** A node of the protocol, opaque: what there is to do with it are the functions of this module. `createNode` makes it. */
export interface LockNode {
  readonly [opaque]: never;
}

class CoreNode implements Context, LockNode {
  declare readonly [opaque]: never;

  readonly clock: LamportClock;
  readonly reach: Reach;
  nowMs = 0;
  silentUntilMs = 0;
  renews = true;

  private readonly memory: Memory;
  private readonly namesake: Namesake;
  /** Until when the silence lasts with which this life began; nothing shortens it. */
  private bornSilentUntilMs = 0;
  /** Until when its driver wants it silent. */
  private askedSilentUntilMs = -Infinity;
  /** Its clock is not yet above the tokens that its earlier life may have allowed. */
  private isJumpDue = true;
  private readonly arbiters: Arbiters;
  private readonly requesters: Requesters;
  private readonly peers: ReadonlySet<NodeId>;
  private sleptMs = 0;
  private started = false;
  private startedMs = 0;
  /** Its silence has begun and not ended. */
  private isSilent = false;
  private effects: Effect[] = [];
  /** Messages to this node itself: handled within the step that sent them, never on a wire. */
  private readonly toSelf: Message[] = [];
  /** Messages with a clock above the ceiling on disk, in order. */
  private heldBack: { readonly to: NodeId; readonly message: Message }[] = [];
  /** Since when something is held back; null while nothing is. */
  private heldBackSinceMs: number | null = null;
  private wakeAtMs = Infinity;

  constructor(
    readonly settings: CoreSettings,
    private readonly birth: Birth,
  ) {
    const { coterie, self, ceilingBlock } = settings;
    this.clock = new LamportClock(birth, ceilingBlock);
    this.peers = new Set(coterie.nodes.filter((node) => node !== self));
    this.reach = new Reach(settings);
    this.memory = new Memory(this);
    this.namesake = new Namesake(settings);
    this.arbiters = new Arbiters(this);
    this.requesters = new Requesters(this);
  }

  get requesterNowMs(): number {
    return this.nowMs + this.sleptMs;
  }

  get takesPart(): boolean {
    return this.memory.isKnown && !this.namesake.standsApart;
  }

  /** For how much longer it stands apart because of another process of its id; Infinity while a peer has that one. */
  apartForMs(nowMs: number): number {
    return Math.max(0, this.namesake.untilMs - nowMs);
  }

  get lending(): LendingView {
    return { isLending: !this.isSilent, takesPart: this.takesPart, silentUntilMs: this.reach.silences };
  }

  /** As peers are told it. */
  silentForMs(nowMs: number): number {
    return this.isSilent ? Math.max(0, this.plannedUntilMs - nowMs) : 0;
  }

  /** When its silence is planned to end: when all that began it allow. */
  private get plannedUntilMs(): number {
    return Math.max(this.bornSilentUntilMs, this.askedSilentUntilMs, this.namesake.untilMs);
  }

  isMute(nowMs: number): boolean {
    return this.heldBackSinceMs !== null && nowMs - this.heldBackSinceMs >= this.settings.retryMs;
  }

  get toldClock(): LamportTime {
    return this.memory.isKnown ? Math.min(this.clock.now, this.clock.ceiling) : this.clock.now;
  }

  handle(event: Event): readonly Effect[] {
    if (this.started !== (event.kind !== 'start')) broken('started-once', `${event.kind} comes out of turn`);
    if (this.started && event.nowMs < this.nowMs) broken('time-forward', `${event.nowMs} after ${this.nowMs}`);
    this.nowMs = event.nowMs;
    // Before all else: nothing may be lent after the silence with a clock from before.
    this.endSilenceInTime();
    this.dispatch(event);
    // Handling one may send further ones: the loop runs over these too.
    for (const message of this.toSelf) this.receive(this.settings.self, message);
    this.toSelf.length = 0;
    this.askForCeiling();
    this.askForWake();
    if (this.effects.length === 0) return NO_EFFECTS;
    const effects = this.effects;
    this.effects = [];
    return effects;
  }

  private dispatch(event: Event): void {
    switch (event.kind) {
      case 'start':
        this.started = true;
        return this.beginSilence();
      case 'acquire':
        return this.requesters.acquire(event);
      case 'release':
        return this.requesters.release(event.lock, event.caller, event.used);
      case 'message':
        if (!this.peers.has(event.from)) broken('self-delivery', `a message came from ${event.from}, which is no peer`);
        return this.receive(event.from, event.message);
      case 'peerUp':
        if (this.namesake.accepted(event.peer, event.nowMs)) this.keepSilence();
        this.clock.witness(event.clock);
        this.memory.peerUp(event.peer, event.remembers ?? true);
        return this.onPeerUp(event.peer, Math.min(event.silentForMs ?? 0, SILENCE_MAX_MS));
      case 'peerDown':
        if (this.reach.peerDown(event.peer)) this.requesters.onReachChanged();
        return;
      case 'namesake':
        return this.standApart(event.peer);
      case 'ceilingReserved':
        this.clock.reserved(event.ceiling);
        return this.sendHeldBack();
      case 'wake':
        if (event.nowMs >= this.wakeAtMs) this.wakeAtMs = Infinity;
        this.endSilencesInReach();
        this.arbiters.onWake();
        return this.requesters.onWake();
      case 'slept':
        this.sleptMs += event.byMs;
        return this.requesters.onSlept();
      case 'silence':
        return this.onSilence(event.untilMs ?? Infinity, event.renews ?? true);
      case 'stop':
        return this.requesters.stop(event.inUse);
      default:
        return assertNever(event);
    }
  }

  /** After a restart this node's arbiters lend nothing for as long as a vote may be on loan (protocol.md section 16). */
  private beginSilence(): void {
    const { birth, nowMs } = this;
    this.startedMs = nowMs;
    this.silentUntilMs = nowMs;
    if (birth.firstStart) {
      this.isJumpDue = false;
    } else {
      this.bornSilentUntilMs = nowMs + Math.max(birth.silentMs ?? 0, this.settings.leaseMs);
      if (birth.ceilingOnDisk === 0) this.memory.lose(this.bornSilentUntilMs);
    }
    this.keepSilence();
  }

  /** What is lent stays lent until its lease ends; what is held is given up, and who waits waits on. */
  private standApart(peer: NodeId): void {
    const isFirst = this.namesake.found(peer);
    this.keepSilence();
    if (isFirst) this.requesters.standApart();
  }

  /** The driver's word. What is lent already stays lent, or runs out; who waits is served when the silence is over. */
  private onSilence(untilMs: number, renews: boolean): void {
    this.renews = renews;
    this.askedSilentUntilMs = untilMs;
    this.keepSilence();
    this.endSilenceInTime();
    this.endSilencesInReach();
    this.arbiters.onSilence();
  }

  /** Until what both ask for, and until it takes part. */
  private keepSilence(): void {
    const { plannedUntilMs } = this;
    if (plannedUntilMs <= this.nowMs && !this.isSilent) return;
    this.isSilent = true;
    this.silentUntilMs = this.memory.isKnown ? plannedUntilMs : Infinity;
    this.reach.beginOwnSilence(plannedUntilMs);
  }

  private endSilenceInTime(): void {
    if (!this.isSilent) return;
    if (this.namesake.onTime(this.nowMs) && this.memory.isKnown) this.takePartAgain();
    if (!this.memory.isKnown && this.memory.onTime()) this.join('wall clock');
    if (this.memory.isKnown && this.nowMs >= this.silentUntilMs) this.endSilence();
  }

  /** Tokens that the other process allowed are no more than SLACK above what their peers told when they accepted this one (protocol.md section 17.2). */
  private takePartAgain(): void {
    this.jumpFrom(this.clock.now);
    this.requesters.onJoined();
  }

  /** A node without memory has learned what it can: all that was before belongs to an earlier life. */
  private join(by: 'peers' | 'wall clock'): void {
    const { clock, birth } = this;
    if (by === 'wall clock') clock.reach(birth.wallClockUs + (this.nowMs - this.startedMs) * 1000);
    this.memory.settle();
    this.jumpFrom(clock.now);
    clock.beginAgain();
    this.silentUntilMs = this.plannedUntilMs;
    this.emit({ kind: 'joined', by });
    this.requesters.onJoined();
    this.endSilenceInTime();
  }

  private endSilence(): void {
    this.isSilent = false;
    this.silentUntilMs = this.nowMs;
    if (this.isJumpDue) this.jumpFrom(this.clock.bornAt);
    this.arbiters.onSilence();
  }

  /** One after the other: whoever waits asks the first that comes back. */
  private endSilencesInReach(): void {
    while (this.reach.endSilence(this.nowMs)) this.requesters.onReachChanged();
  }

  /** Votes of the earlier life, none of them valid any more, allowed tokens up to SLACK above its clock: every Grant from now on exceeds these. */
  private jumpFrom(earlierClock: LamportTime): void {
    this.isJumpDue = false;
    this.clock.reach(earlierClock + Math.max(this.settings.slack, this.birth.slackBefore ?? 0) + 1);
  }

  /** A silent peer is told of what it may take back in, but others are asked for new votes. */
  private onPeerUp(peer: NodeId, silentForMs: number): void {
    if (this.reach.peerUp(peer, this.nowMs, silentForMs)) this.requesters.onPeerUp(peer);
  }

  private receive(from: NodeId, message: Message): void {
    this.clock.witness(message.clock);
    switch (message.kind) {
      case 'request':
        return this.arbiters.onRequest(from, message);
      case 'yield':
        return this.arbiters.onYield(from, message);
      case 'release':
        return this.arbiters.onRelease(from, message);
      case 'grant':
        if (!this.memory.isAbout(message)) return this.requesters.onGrant(from, message);
        if (this.memory.onGrant(from, message)) this.join('peers');
        return;
      case 'inquire':
        return this.requesters.onInquire(from, message);
      default:
        return assertNever(message);
    }
  }

  send(to: NodeId, message: Message): void {
    // Clocks only rise, so nothing overtakes what is held back.
    // What a node says that does not take part yet allows nobody anything.
    if (message.clock > this.clock.ceiling && this.memory.isKnown && !this.isOnlyItsOwn(to, message)) {
      this.heldBackSinceMs ??= this.nowMs;
      const { self: from, heldBackMax = DEFAULT_HELD_BACK_MAX } = this.settings;
      if (this.heldBack.length < heldBackMax) this.heldBack.push({ to, message });
      else this.ignore(from, message, 'too many messages are held back');
    } else if (to === this.settings.self) {
      this.toSelf.push(message);
    } else {
      this.effects.push({ kind: 'send', to, message });
    }
  }

  /**
   * A vote of its own above the ceiling would allow a token that the node forgets in a crash. All else that it tells itself allows nothing:
   * it comes at once and is never lost, so the arbiter knows of this node's own requests what is so.
   */
  private isOnlyItsOwn(to: NodeId, message: Message): boolean {
    return to === this.settings.self && message.kind !== 'grant';
  }

  thiefOf(lock: LockName): RequestId | null {
    return this.requesters.thiefOf(lock);
  }

  emit(effect: Effect): void {
    this.effects.push(effect);
  }

  ignore(from: NodeId, message: Message, reason: string): void {
    this.effects.push({ kind: 'ignored', from, message, reason });
  }

  lockNames(): LockName[] {
    return [...new Set([...this.arbiters.locks, ...this.requesters.locks])];
  }

  inspectLock(lock: LockName): LockView | null {
    const arbiter = this.arbiters.view(lock);
    const requester = this.requesters.view(lock);
    if (arbiter === null && requester === null) return null;
    return { lock, grants: arbiter?.grants ?? [], queue: arbiter?.queue ?? [], requester };
  }

  private sendHeldBack(): void {
    const { heldBack, heldBackSinceMs } = this;
    this.heldBack = [];
    this.heldBackSinceMs = null;
    for (const { to, message } of heldBack) this.send(to, message);
    if (this.heldBackSinceMs !== null) this.heldBackSinceMs = heldBackSinceMs;
  }

  private askForCeiling(): void {
    // What is on disk says that its node remembers.
    const ceiling = this.memory.isKnown ? this.clock.ceilingToReserve() : null;
    if (ceiling !== null) this.effects.push({ kind: 'reserveCeiling', ceiling });
  }

  private askForWake(): void {
    const atMs = Math.min(this.arbiters.earliestMs, this.requesters.earliestMs - this.sleptMs, this.reach.earliestMs, this.memory.earliestMs, this.namesake.standsApart ? this.namesake.untilMs : Infinity);
    if (atMs >= this.wakeAtMs) return;
    this.wakeAtMs = atMs;
    this.effects.push({ kind: 'wake', atMs });
  }
}

/** A node before its `start` event. */
export function createNode(settings: CoreSettings, birth: Birth): LockNode {
  return new CoreNode(settings, birth);
}

/** The inside of a node. Sound: the brand cannot be written down elsewhere, so `createNode` made it. */
function insideOf(node: LockNode): CoreNode {
  return node as CoreNode;
}

/**
 * Handle one event. The effects are to be performed in order.
 * @throws InvariantError when the core or its driver is wrong; the node must not be used any more.
 */
export function step(node: LockNode, event: Event): readonly Effect[] {
  return insideOf(node).handle(event);
}

/** The Lamport clock as far as it may be told to others: never above the ceiling on disk. */
export function durableClock(node: LockNode): LamportTime {
  return insideOf(node).toldClock;
}

/** For how much longer this node's arbiters lend nothing; Infinity when that is for its driver to say. */
export function silentForMs(node: LockNode, nowMs: number): number {
  return insideOf(node).silentForMs(nowMs);
}

/** For how much longer it neither lends nor asks because of another process of its id; Infinity while a peer has that one. */
export function apartForMs(node: LockNode, nowMs: number): number {
  return insideOf(node).apartForMs(nowMs);
}

/** What this node knows of itself. */
export function inspectNode(node: LockNode): NodeView {
  const { settings, clock } = insideOf(node);
  return { id: settings.self, clock: clock.now, ceiling: clock.ceiling };
}

/** What this node knows of who lends votes. */
export function inspectLending(node: LockNode): LendingView {
  return insideOf(node).lending;
}

/**
 * Whether this node is up and can say nothing: for a retry interval its ceiling could not be written. Its driver must not let
 * it look alive then, so that its peers ask others (protocol.md section 17).
 */
export function isMute(node: LockNode, nowMs: number): boolean {
  return insideOf(node).isMute(nowMs);
}

/** Whether this node remembers which clock values it has used, or has learned it: what it tells its peers in a handshake. */
export function remembers(node: LockNode): boolean {
  return insideOf(node).takesPart;
}

/** Every lock that this node knows anything of. */
export function lockNames(node: LockNode): LockName[] {
  return insideOf(node).lockNames();
}

/** What this node knows of a lock, or null when it has forgotten it. */
export function inspectLock(node: LockNode, lock: LockName): LockView | null {
  return insideOf(node).inspectLock(lock);
}
