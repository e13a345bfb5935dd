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
import type { LamportTime, LockName, Message } from './messages';
import type { RequesterView } from './phases';
import { Reach } from './reach';
import { Requesters } from './requesters';

export const DEFAULT_SLACK = 2 ** 24;
export const DEFAULT_CEILING_BLOCK = 2 ** 20;

/** Messages held back while the ceiling is being written; beyond that they are lost, and repeated later. */
const HELD_BACK_MAX = 10_000;

/** The longest lease that there is, and so the longest silence that a peer may tell of: one day. */
const SILENCE_MAX_MS = 86_400_000;

const NO_EFFECTS: readonly Effect[] = [];

/** What a node's life begins with. */
export interface Birth {
  /** The ceiling found in the data directory, 0 when there is none. */
  readonly ceilingOnDisk: LamportTime;
  /**
   * The wall clock in microseconds; it stands in for a ceiling that was wiped. Or a higher clock value that all earlier
   * ones are known to be below (`change.clock` of a configuration).
   */
  readonly wallClockUs: number;
  /**
   * No vote of this node can be on loan: it may lend at once. Otherwise its arbiters lend nothing for `silentMs`
   * (protocol.md section 16).
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

  /** Until when the silence lasts with which this life began; nothing shortens it. */
  private bornSilentUntilMs = 0;
  private readonly arbiters: Arbiters;
  private readonly requesters: Requesters;
  private readonly peers: ReadonlySet<NodeId>;
  private sleptMs = 0;
  private started = false;
  private effects: Effect[] = [];
  /** Messages to this node itself: handled within the step that sent them, never on a wire. */
  private readonly toSelf: Message[] = [];
  /** Messages with a clock above the ceiling on disk, in order. */
  private heldBack: { readonly to: NodeId; readonly message: Message }[] = [];
  private wakeAtMs = Infinity;

  constructor(
    readonly settings: CoreSettings,
    private readonly birth: Birth,
  ) {
    const { coterie, self, slack, ceilingBlock } = settings;
    this.clock = new LamportClock(birth, Math.max(slack, birth.slackBefore ?? 0), ceilingBlock);
    this.peers = new Set(coterie.nodes.filter((node) => node !== self));
    this.reach = new Reach(settings);
    this.arbiters = new Arbiters(this);
    this.requesters = new Requesters(this);
  }

  get requesterNowMs(): number {
    return this.nowMs + this.sleptMs;
  }

  handle(event: Event): readonly Effect[] {
    if (this.started !== (event.kind !== 'start')) broken('started-once', `${event.kind} comes out of turn`);
    if (this.started && event.nowMs < this.nowMs) broken('time-forward', `${event.nowMs} after ${this.nowMs}`);
    this.nowMs = event.nowMs;
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
        return this.requesters.release(event.lock, event.caller);
      case 'message':
        if (!this.peers.has(event.from)) broken('self-delivery', `a message came from ${event.from}, which is no peer`);
        return this.receive(event.from, event.message);
      case 'peerUp':
        this.clock.witness(event.clock);
        return this.onPeerUp(event.peer, Math.min(event.silentForMs ?? 0, SILENCE_MAX_MS));
      case 'peerDown':
        if (this.reach.peerDown(event.peer)) this.requesters.onReachChanged();
        return;
      case 'ceilingReserved':
        this.clock.reserved(event.ceiling);
        return this.sendHeldBack();
      case 'wake':
        if (event.nowMs >= this.wakeAtMs) this.wakeAtMs = Infinity;
        // One after the other: whoever waits asks the first that comes back.
        while (this.reach.endSilence(event.nowMs)) this.requesters.onReachChanged();
        this.arbiters.onWake();
        return this.requesters.onWake();
      case 'slept':
        this.sleptMs += event.byMs;
        return this.requesters.onSlept();
      case 'silence':
        return this.onSilence(event.untilMs ?? Infinity);
      case 'stop':
        return this.requesters.stop(event.inUse);
      default:
        return assertNever(event);
    }
  }

  /** After a restart this node's arbiters lend nothing for as long as a vote may be on loan (protocol.md section 5). */
  private beginSilence(): void {
    if (this.birth.firstStart) {
      this.silentUntilMs = this.nowMs;
    } else {
      this.silentUntilMs = this.nowMs + (this.birth.silentMs ?? this.settings.leaseMs);
      this.reach.beginOwnSilence(this.silentUntilMs);
    }
    this.bornSilentUntilMs = this.silentUntilMs;
  }

  /** What is lent already stays lent; who waits is served when the silence is over. */
  private onSilence(untilMs: number): void {
    this.silentUntilMs = Math.max(this.bornSilentUntilMs, untilMs);
    this.reach.beginOwnSilence(this.silentUntilMs);
    while (this.reach.endSilence(this.nowMs)) this.requesters.onReachChanged();
    this.arbiters.onSilence();
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
        return this.requesters.onGrant(from, message);
      case 'inquire':
        return this.requesters.onInquire(from, message);
      default:
        return assertNever(message);
    }
  }

  send(to: NodeId, message: Message): void {
    // To itself too: a vote of its own above the ceiling would allow a token that it forgets in a crash.
    // Clocks only rise, so nothing overtakes what is held back.
    if (message.clock > this.clock.ceiling) {
      if (this.heldBack.length < HELD_BACK_MAX) this.heldBack.push({ to, message });
    } else if (to === this.settings.self) {
      this.toSelf.push(message);
    } else {
      this.effects.push({ kind: 'send', to, message });
    }
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
    const { heldBack } = this;
    this.heldBack = [];
    for (const { to, message } of heldBack) this.send(to, message);
  }

  private askForCeiling(): void {
    const ceiling = this.clock.ceilingToReserve();
    if (ceiling !== null) this.effects.push({ kind: 'reserveCeiling', ceiling });
  }

  private askForWake(): void {
    const atMs = Math.min(this.arbiters.earliestMs, this.requesters.earliestMs - this.sleptMs, this.reach.earliestMs);
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
  const { clock } = insideOf(node);
  return Math.min(clock.now, clock.ceiling);
}

/** For how much longer this node's arbiters lend nothing; Infinity when that is for its driver to say. */
export function silentForMs(node: LockNode, nowMs: number): number {
  return Math.max(0, insideOf(node).silentUntilMs - nowMs);
}

/** What this node knows of itself. */
export function inspectNode(node: LockNode): NodeView {
  const { settings, clock } = insideOf(node);
  return { id: settings.self, clock: clock.now, ceiling: clock.ceiling };
}

/** Every lock that this node knows anything of. */
export function lockNames(node: LockNode): LockName[] {
  return insideOf(node).lockNames();
}

/** What this node knows of a lock, or null when it has forgotten it. */
export function inspectLock(node: LockNode, lock: LockName): LockView | null {
  return insideOf(node).inspectLock(lock);
}
