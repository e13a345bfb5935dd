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
import { Requesters } from './requester';
import type { RequesterView } from './requester';

export const DEFAULT_SLACK = 2 ** 24;
export const DEFAULT_CEILING_BLOCK = 2 ** 20;

/** Messages held back while the ceiling is being written; beyond that they are lost, and repeated later. */
const HELD_BACK_MAX = 10_000;

const NO_EFFECTS: readonly Effect[] = [];

/** What a node's life begins with. */
export interface Birth {
  /** The ceiling found in the data directory, 0 when there is none. */
  readonly ceilingOnDisk: LamportTime;
  /** The wall clock in microseconds; it stands in for a ceiling that was wiped. */
  readonly wallClockUs: number;
  /**
   * This node has never run before, so no vote of it can be on loan: it may lend at once. Otherwise
   * its arbiters lend nothing for one lease (protocol.md section 16).
   */
  readonly firstStart: boolean;
}

/** What one node knows of one lock. For status pages and checkers. */
export interface LockView extends ArbiterView {
  readonly lock: LockName;
  readonly requester: RequesterView | null;
}

/** A node of the protocol. Opaque: use `step`, `durableClock`, `lockNames` and `inspectLock`. */
export class LockNode implements Context {
  readonly clock: LamportClock;
  readonly down: Set<NodeId>;
  nowMs = 0;
  silentUntilMs = 0;
  preferredQuorum: readonly NodeId[];

  private readonly arbiters: Arbiters;
  private readonly requesters: Requesters;
  private readonly peers: ReadonlySet<NodeId>;
  /** Nodes that are up but lend nothing yet, and until when (in `nowMs`). They count as down so long. */
  private readonly silentNodes = new Map<NodeId, number>();
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
    this.clock = new LamportClock(birth, slack, ceilingBlock);
    this.peers = new Set(coterie.nodes.filter((node) => node !== self));
    this.down = new Set(this.peers);
    this.preferredQuorum = coterie.votingSet(self);
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
        return this.onPeerUp(event.peer, Math.min(event.silentForMs ?? 0, this.settings.leaseMs));
      case 'peerDown':
        this.silentNodes.delete(event.peer);
        if (!this.peers.has(event.peer) || this.down.has(event.peer)) return;
        this.down.add(event.peer);
        this.choosePreferredQuorum();
        return this.requesters.onReachChanged();
      case 'ceilingReserved':
        this.clock.reserved(event.ceiling);
        return this.sendHeldBack();
      case 'wake':
        if (event.nowMs >= this.wakeAtMs) this.wakeAtMs = Infinity;
        this.endSilences();
        this.arbiters.onWake();
        return this.requesters.onWake();
      case 'slept':
        this.sleptMs += event.byMs;
        return this.requesters.onSlept();
      case 'stop':
        return this.requesters.stop(event.inUse);
      default:
        return assertNever(event);
    }
  }

  /** Until its own arbiters lend again, this node too would rather ask others. */
  private beginSilence(): void {
    const { self, leaseMs } = this.settings;
    this.silentUntilMs = this.birth.firstStart ? this.nowMs : this.nowMs + leaseMs;
    if (this.birth.firstStart) return;
    this.silentNodes.set(self, this.silentUntilMs);
    this.down.add(self);
  }

  /** A silent peer is told of what it may take back in, but others are asked for new votes. */
  private onPeerUp(peer: NodeId, silentForMs: number): void {
    if (!this.down.has(peer) || this.silentNodes.has(peer)) return;
    if (silentForMs > 0) this.silentNodes.set(peer, this.nowMs + silentForMs);
    else this.down.delete(peer);
    this.choosePreferredQuorum();
    this.requesters.onPeerUp(peer);
  }

  private endSilences(): void {
    for (const [peer, untilMs] of this.silentNodes) {
      if (untilMs > this.nowMs) continue;
      this.silentNodes.delete(peer);
      this.down.delete(peer);
      this.choosePreferredQuorum();
      this.requesters.onReachChanged();
    }
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

  private choosePreferredQuorum(): void {
    const { coterie, self } = this.settings;
    const votingSet = coterie.votingSet(self);
    const isReachable = !votingSet.some((node) => this.down.has(node));
    // With no quorum in reach, ask the voting set: its members may be up for all we know.
    this.preferredQuorum = isReachable ? votingSet : (coterie.quorumAvoiding(self, this.down) ?? votingSet);
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
    let atMs = Math.min(this.arbiters.earliestMs, this.requesters.earliestMs - this.sleptMs);
    for (const untilMs of this.silentNodes.values()) atMs = Math.min(atMs, untilMs);
    if (atMs >= this.wakeAtMs) return;
    this.wakeAtMs = atMs;
    this.effects.push({ kind: 'wake', atMs });
  }
}

/** A node before its `start` event. */
export function createNode(settings: CoreSettings, birth: Birth): LockNode {
  return new LockNode(settings, birth);
}

/**
 * Handle one event. The effects are to be performed in order.
 * @throws InvariantError when the core or its driver is wrong; the node must not be used any more.
 */
export function step(node: LockNode, event: Event): readonly Effect[] {
  return node.handle(event);
}

/** The Lamport clock as far as it may be told to others: never above the ceiling on disk. */
export function durableClock(node: LockNode): LamportTime {
  return Math.min(node.clock.now, node.clock.ceiling);
}

/** For how much longer this node's arbiters lend nothing: what it tells its peers in a handshake. */
export function silentForMs(node: LockNode, nowMs: number): number {
  return Math.max(0, node.silentUntilMs - nowMs);
}

/** Every lock that this node knows anything of. */
export function lockNames(node: LockNode): LockName[] {
  return node.lockNames();
}

/** What this node knows of a lock, or null when it has forgotten it. */
export function inspectLock(node: LockNode, lock: LockName): LockView | null {
  return node.inspectLock(lock);
}
