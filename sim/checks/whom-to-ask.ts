/**
 * whom-to-ask: with faults, too, nobody is sent a message that no rule asks for (protocol.md sections 6.7 and 6.8). A new request goes to a quorum;
 * when a peer comes or goes, further arbiters are asked only if those asked that are up contain none, and then no more than one quorum; what is open is
 * repeated to the peer that comes up, and to no other; a Release goes to arbiters that were asked. And further ones are asked where they must be, also
 * when a kept lock is entered again (protocol.md section 9).
 * It looks at messages, and at whom a node says that it has asked. Who is up a node is told by its driver.
 */
import type { Event, LamportTime, Message, NodeId } from '../../src/core';
import type { Coterie } from '../../src/quorum/coterie';
import { violated } from './check';
import { OfNodesAndLocks } from './scene';
import type { Scene } from './scene';
import type { Witness } from './witness';

/** The newest request of a node for a lock, and whom it was sent to. */
interface Asking {
  timestamp: LamportTime;
  asked: ReadonlySet<NodeId>;
  readonly sentTo: Set<NodeId>;
}

/** The nodes that are up as one was told, with itself: until when, in its own time, each lends nothing; -Infinity from when it noticed that this is over. */
type Peers = Map<NodeId, number>;

export class WhomToAsk implements Witness {
  private readonly asking: OfNodesAndLocks<Asking>;
  private readonly peers: readonly Peers[];
  /** The locks for which Requests are sent in this event, and to whom. */
  private readonly requests = new Map<number, { readonly timestamp: LamportTime; readonly to: Set<NodeId> }>();
  /** By node: it lent nothing yet after the last event. */
  private readonly isSilent: boolean[] = [];
  private readonly before = new Map<number, { readonly timestamp: LamportTime; readonly asked: ReadonlySet<NodeId> }>();

  /** @param losesHeldBack whether a node has so little room that a Request may be lost before it is sent */
  constructor(private readonly scene: Scene, private readonly losesHeldBack: boolean) {
    this.asking = new OfNodesAndLocks(scene, () => ({ timestamp: 0, asked: new Set<NodeId>(), sentTo: new Set<NodeId>() }));
    this.peers = scene.nodeIds.map(() => new Map<NodeId, number>());
  }

  started(machine: number): void {
    this.isSilent[machine] = true;
    this.peers[machine]?.clear();
  }

  stepping(machine: number, event: Event): void {
    this.requests.clear();
    this.before.clear();
    const peers = this.peers[machine];
    if (event.kind === 'peerDown') peers?.delete(event.peer);
    else if (event.kind === 'peerUp' && peers?.has(event.peer) === false) peers.set(event.peer, (event.silentForMs ?? 0) > 0 ? event.nowMs + (event.silentForMs ?? 0) : -Infinity);
    if (event.kind !== 'peerDown' && event.kind !== 'peerUp') return;
    this.scene.locks.forEach((_, lock) => {
      const requester = this.scene.inspect(machine, lock)?.requester;
      if (requester?.state === 'waiting' || requester?.state === 'held') this.before.set(lock, { timestamp: requester.request.timestamp, asked: new Set(requester.asked) });
    });
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    const asking = this.asking.of(from, lock);
    const arbiter = this.idOf(to);
    const { timestamp } = message;
    if (message.kind === 'request') {
      if (timestamp > asking.timestamp) {
        asking.timestamp = timestamp;
        asking.sentTo.clear();
      }
      if (timestamp === asking.timestamp) asking.sentTo.add(arbiter);
      const request = this.requests.get(lock) ?? { timestamp, to: new Set<NodeId>() };
      request.to.add(arbiter);
      this.requests.set(lock, request);
    } else if (message.kind === 'release' && timestamp === asking.timestamp && !this.losesHeldBack) {
      const answers = cause.kind === 'ceilingReserved' || (cause.kind === 'message' && cause.from === arbiter && cause.message.timestamp === timestamp);
      if (!asking.sentTo.has(arbiter) && !answers) this.excess(from, lock, `releases its request ${timestamp} to ${arbiter}, which it has not asked`);
    }
  }

  stepped(machine: number, event: Event): void {
    if (event.kind === 'acquire' || event.kind === 'release') {
      const lock = this.scene.lockOf(event.lock);
      this.judgeOpened(machine, lock);
      this.judgeMissing(machine, lock, event.nowMs);
    }
    // Its own silence ends in whatever event comes first; then its own vote may let it enter, or repeat its Request.
    for (const [lock, { timestamp, to }] of this.requests) this.judgeNoted(machine, lock, timestamp, to);
    const wasSilent = this.isSilent[machine] !== false;
    this.isSilent[machine] = this.lendsNothing(machine);
    if (event.kind === 'wake' || event.kind === 'start') this.notices(machine, event);
    if (event.kind !== 'peerDown' && event.kind !== 'peerUp') return;
    for (const [lock, { timestamp, asked }] of this.before) {
      const requester = this.scene.inspect(machine, lock)?.requester;
      if ((requester?.state !== 'waiting' && requester?.state !== 'held') || requester.request.timestamp !== timestamp) continue;
      this.judgeMissing(machine, lock, event.nowMs);
      const further = requester.asked.filter((node) => !asked.has(node));
      if (further.length > 0) this.judgeFurther(machine, lock, asked, further, event.nowMs);
      // A vote of its own may let it repeat its Request at once.
      const sent = this.requests.get(lock);
      if (sent === undefined || sent.timestamp !== timestamp || further.includes(this.idOf(machine)) || wasSilent) continue;
      for (const node of sent.to) {
        if (asked.has(node) && !(event.kind === 'peerUp' && event.peer === node)) this.excess(machine, lock, `repeats its request ${timestamp} to ${node}, because ${event.peer} ${event.kind === 'peerUp' ? 'came' : 'went'}`);
      }
    }
  }

  private judgeOpened(machine: number, lock: number): void {
    const requester = this.scene.inspect(machine, lock)?.requester;
    if (requester?.state !== 'waiting' || this.scene.coterie.containsQuorum(new Set(requester.asked))) return;
    this.excess(machine, lock, `asks ${requester.asked.join(' ')} alone by its request ${requester.request.timestamp}, and they contain no quorum`);
  }

  /** Repeats and Releases go to all that were asked, whoever that is. */
  private judgeNoted(machine: number, lock: number, timestamp: LamportTime, to: ReadonlySet<NodeId>): void {
    const requester = this.scene.inspect(machine, lock)?.requester;
    if (requester === undefined || requester === null || requester.state === 'idle' || requester.request.timestamp !== timestamp) return;
    for (const node of to) if (!requester.asked.includes(node)) this.excess(machine, lock, `sends its request ${timestamp} to ${node}, and does not note that it was asked`);
  }

  private judgeMissing(machine: number, lock: number, nowMs: number): void {
    const requester = this.scene.inspect(machine, lock)?.requester;
    const up = this.upOf(machine, nowMs);
    if (up === null || (requester?.state !== 'waiting' && requester?.state !== 'held')) return;
    const { coterie } = this.scene;
    if (!coterie.containsQuorum(up) || coterie.containsQuorum(new Set(requester.asked.filter((node) => up.has(node))))) return;
    this.excess(machine, lock, `asks nobody else by its request ${requester.request.timestamp}, although those of ${requester.asked.join(' ')} that are up contain no quorum`);
  }

  private judgeFurther(machine: number, lock: number, asked: ReadonlySet<NodeId>, further: readonly NodeId[], nowMs: number): void {
    const { coterie } = this.scene;
    const up = this.upOf(machine, nowMs);
    if (up === null) return;
    if (coterie.containsQuorum(new Set([...asked].filter((node) => up.has(node))))) {
      this.excess(machine, lock, `asks ${further.join(' ')} too, although those asked that are up contain a quorum`);
    }
    if (!isOfOneQuorum(coterie, further, [...up])) this.excess(machine, lock, `asks ${further.join(' ')} too, which is more than a quorum needs`);
  }

  private lendsNothing(machine: number): boolean {
    const { core, places } = this.scene;
    const node = places[machine]?.node ?? null;
    return node === null || !core.remembers(node) || core.silentForMs(node, this.scene.nowMs(machine)) > 0;
  }

  private notices(machine: number, { kind, nowMs }: Event): void {
    const peers = this.peers[machine];
    const self = this.idOf(machine);
    // One that starts for the first time of all is not silent.
    if (kind === 'start') peers?.set(self, this.scene.places[machine]?.silentUntilMs ?? 0);
    for (const [node, untilMs] of peers ?? []) if (untilMs <= nowMs) peers?.set(node, -Infinity);
  }

  /** Whom it takes for up; null where a silence is over that it has not noticed, or where it does not take part itself. */
  private upOf(machine: number, nowMs: number): ReadonlySet<NodeId> | null {
    const node = this.scene.places[machine]?.node ?? null;
    const peers = [...(this.peers[machine] ?? new Map<NodeId, number>())];
    if (node === null || !this.scene.core.remembers(node) || peers.some(([, untilMs]) => untilMs <= nowMs && untilMs !== -Infinity)) return null;
    return new Set(peers.filter(([, untilMs]) => untilMs === -Infinity).map(([peer]) => peer));
  }

  private excess(machine: number, lock: number, what: string): never {
    return violated('whom-to-ask', `lock ${this.scene.locks[lock]}: ${this.idOf(machine)} ${what}`);
  }

  private idOf(machine: number): NodeId {
    return this.scene.nodeIds[machine] ?? '';
  }
}

/** Whether some quorum of these nodes needs each of the members. */
function isOfOneQuorum(coterie: Coterie, members: readonly NodeId[], up: readonly NodeId[]): boolean {
  const others = up.filter((node) => !members.includes(node));
  for (let subset = 0; subset < 2 ** others.length; subset++) {
    const quorum = [...members, ...others.filter((_, place) => ((subset >> place) & 1) === 1)];
    if (coterie.containsQuorum(new Set(quorum)) && members.every((node) => !coterie.containsQuorum(new Set(quorum.filter((each) => each !== node))))) return true;
  }
  return false;
}
