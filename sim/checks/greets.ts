/**
 * greets: when a peer comes up, its node repeats to it what is open, in that very event; and a node without memory asks it which clocks are in use
 * (protocol.md sections 6.8 and 3.2). What was recalled is renewed no more (protocol.md section 13). A holder whose arbiter restarts has no time to lose, and who waits loses its place.
 * It looks at what a node says of its requests, and at messages.
 */
import { clockLockOf } from '../../src/core';
import type { Event, LamportTime, Message, RequesterView } from '../../src/core';
import { violated } from './check';
import type { Scene } from './scene';
import type { EventOf, Witness } from './witness';

/** What one node knows of its peers in this life. */
interface Peers {
  /** Those that were last said to be up. */
  readonly up: Set<string>;
  /** Those that told it their clock after its silence. */
  readonly told: Set<string>;
}

/** The request for a lock that the peer has been asked for. */
interface Open {
  readonly lock: number;
  readonly timestamp: LamportTime;
}

export class Greets implements Witness {
  private readonly peers: readonly Peers[];
  /** What must be repeated in the event that is being handled. */
  private due: Open[] = [];
  private asksForClock = false;
  /** The requests for locks that were recalled before that event. */
  private recalled: Open[] = [];
  /** The locks that a Request was sent for in that event, to the peer that comes up. */
  private readonly askedFor = new Set<number>();

  constructor(private readonly scene: Scene) {
    this.peers = scene.nodeIds.map(() => ({ up: new Set<string>(), told: new Set<string>() }));
  }

  started(machine: number): void {
    this.peers[machine]?.up.clear();
    this.peers[machine]?.told.clear();
  }

  stepping(machine: number, event: Event): void {
    const peers = this.peers[machine];
    this.due = [];
    this.recalled = [];
    this.asksForClock = false;
    this.askedFor.clear();
    if (event.kind === 'peerDown') peers?.up.delete(event.peer);
    // A node is no peer of its own.
    if (event.kind !== 'peerUp' || peers === undefined || event.peer === this.scene.nodeIds[machine]) return;
    const isNews = !peers.up.has(event.peer);
    peers.up.add(event.peer);
    this.asksForClock = event.remembers !== false && !peers.told.has(event.peer) && this.isWithoutMemory(machine, event.nowMs);
    if (isNews) this.due = this.openWith(machine, event);
    this.recalled = this.openIn(machine, (requester) => requester.state === 'recalled');
  }

  delivering(from: number, to: number, lock: number, message: Message): void {
    const self = this.scene.nodeIds[to] ?? '';
    if (message.kind !== 'grant' || this.scene.locks[lock] !== clockLockOf(self)) return;
    if (message.sentAtMs >= (this.scene.places[to]?.silentUntilMs ?? 0)) this.peers[to]?.told.add(this.scene.nodeIds[from] ?? '');
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    if (message.kind !== 'request' || cause.kind !== 'peerUp') return;
    if (this.scene.nodeIds[to] === cause.peer) this.askedFor.add(lock);
    if (!this.recalled.some((each) => each.lock === lock && each.timestamp === message.timestamp)) return;
    violated('greets', `${this.scene.nodeIds[from]} repeats its request ${message.timestamp} for lock ${this.scene.locks[lock]}, which was recalled`);
  }

  stepped(machine: number, event: Event): void {
    if (event.kind !== 'peerUp') return;
    const { nodeIds, locks } = this.scene;
    // What it says may be waiting for its disk, but not before it takes part.
    if (!this.scene.isHeldBack(machine)) for (const { lock, timestamp } of this.due) {
      const requester = this.scene.inspect(machine, lock)?.requester;
      if ((requester?.state !== 'waiting' && requester?.state !== 'held') || requester.request.timestamp !== timestamp || this.askedFor.has(lock)) continue;
      violated('greets', `${nodeIds[machine]} does not repeat its request ${timestamp} for lock ${locks[lock]} to ${event.peer}, which comes up`);
    }
    if (!this.asksForClock || !this.isWithoutMemory(machine, event.nowMs) || this.askedFor.has(this.scene.lockOf(clockLockOf(nodeIds[machine] ?? '')))) return;
    violated('greets', `${nodeIds[machine]}, which has no memory, does not ask ${event.peer}, which comes up and remembers, for its clock`);
  }

  private openWith(machine: number, { peer }: EventOf<'peerUp'>): Open[] {
    return this.openIn(machine, ({ state, asked }) => (state === 'waiting' || state === 'held') && asked.includes(peer));
  }

  private openIn(machine: number, isMeant: (requester: Exclude<RequesterView, { state: 'idle' }>) => boolean): Open[] {
    const open: Open[] = [];
    this.scene.locks.forEach((_, lock) => {
      const requester = this.scene.inspect(machine, lock)?.requester ?? null;
      if (requester !== null && requester.state !== 'idle' && isMeant(requester)) open.push({ lock, timestamp: requester.request.timestamp });
    });
    return open;
  }

  /** Its silence is over, and it asks its peers which clocks are in use. */
  private isWithoutMemory(machine: number, nowMs: number): boolean {
    const place = this.scene.places[machine];
    const node = place?.node ?? null;
    return node !== null && !this.scene.core.remembers(node) && nowMs >= (place?.silentUntilMs ?? 0);
  }
}
