/**
 * spreads: a holder of which others want the lock, or may want it unheard for it asked without `keep`, asks all arbiters that its node takes for up
 * (rule holder-spreads, protocol.md section 14): with each repeat, and one that is older than a retry interval as soon as it hears of them.
 * It looks at what holders say of whom they asked; who is up a node is told by its driver.
 */
import { doesHold } from '../../src/core';
import type { Event, LamportTime, Message, NodeId } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { OfNodesAndLocks, joinsOthers } from './scene';
import type { Scene } from './scene';
import type { Entry, Performed, Witness } from './witness';

/** The peers that are up as one node was told: until when, in its own time, each lends nothing; -Infinity from when it noticed that this is over. */
type Peers = Map<NodeId, number>;

/** Of one node and lock. */
interface Holding {
  /** When its hold began, in the node's time, and the number of that event. */
  sinceMs: number;
  enteredEvent: number;
  /** The request that had heard of others before the event that is being handled. */
  contended: LamportTime;
  /** The request, and whom it has asked. */
  request: LamportTime;
  readonly asked: Set<number>;
  /** It asked with `keep`. */
  keeps: boolean;
}

export class Spreads implements Witness {
  private readonly peers: readonly Peers[];
  private readonly holding: OfNodesAndLocks<Holding>;
  /** Whose votes count for anything. */
  private readonly arbiters: ReadonlySet<NodeId>;
  /** The locks whose holders repeat their Request in the event that is being handled. */
  private readonly repeatedNow = new Set<number>();
  /** What that event says of others that want a lock. */
  private heardNow: { readonly lock: number; readonly message: Message } | null = null;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    const { nodeIds, coterie } = scene;
    this.peers = nodeIds.map(() => new Map<NodeId, number>());
    this.holding = new OfNodesAndLocks(scene, () => ({ sinceMs: 0, enteredEvent: -1, contended: 0, request: 0, asked: new Set<number>(), keeps: true }));
    this.arbiters = new Set(nodeIds.flatMap((node) => coterie.votingSet(node)));
  }

  started(machine: number): void {
    this.peers[machine]?.clear();
  }

  stepping(machine: number, event: Event): void {
    const peers = this.peers[machine];
    if (event.kind === 'peerDown') peers?.delete(event.peer);
    else if (event.kind === 'peerUp' && peers?.has(event.peer) === false) peers.set(event.peer, (event.silentForMs ?? 0) > 0 ? event.nowMs + (event.silentForMs ?? 0) : -Infinity);
    // For the end of a silence it is woken, which may be late.
    else if (event.kind === 'wake') for (const [peer, untilMs] of peers ?? []) if (untilMs <= event.nowMs) peers?.set(peer, -Infinity);
  }

  delivering(_from: number, _to: number, lock: number, message: Message): void {
    const isHeard = (message.kind === 'grant' && message.contended) || (message.kind === 'inquire' && message.contender.claim !== 'steals');
    if (isHeard) this.heardNow = { lock, message };
  }

  performed(effect: Performed): void {
    if (effect.kind === 'ignored' && effect.message === this.heardNow?.message) this.heardNow = null;
  }

  entered({ machine, lock, caller }: Entry): void {
    if (!joinsOthers(caller)) Object.assign(this.holding.of(machine, lock), { sinceMs: this.scene.nowMs(machine), enteredEvent: this.scene.events });
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    if (message.kind !== 'request') return;
    const holding = this.holding.of(from, lock);
    if (holding.request !== message.timestamp) holding.asked.clear();
    holding.request = message.timestamp;
    holding.keeps = message.keep;
    // A peer whose silence ends is asked alone, and before the next repeat; and one that stole asks once more as it enters.
    const isRepeat = doesHold(message.claim) && holding.asked.has(to) && holding.enteredEvent !== this.scene.events;
    if (cause.kind === 'wake' && isRepeat) this.repeatedNow.add(lock);
    holding.asked.add(to);
  }

  stepped(machine: number): void {
    const { heardNow, repeatedNow } = this;
    if (repeatedNow.size > 0) {
      for (const lock of repeatedNow) this.judge(machine, lock, null);
      repeatedNow.clear();
    }
    if (heardNow === null) return;
    this.heardNow = null;
    this.judge(machine, heardNow.lock, heardNow.message);
  }

  /** @param heard what told it of others just now; null when it repeats its Request */
  private judge(machine: number, lock: number, heard: Message | null): void {
    const requester = this.scene.inspect(machine, lock)?.requester;
    if (requester?.state !== 'held') return;
    // Who asked without `keep` may not have been told of others (protocol.md section 18.6).
    if (!requester.contended && (heard !== null || this.holding.of(machine, lock).keeps)) return;
    const { timestamp } = requester.request;
    if (heard !== null && (heard.kind === 'request' || heard.timestamp !== timestamp)) return;
    const holding = this.holding.of(machine, lock);
    const nowMs = this.scene.nowMs(machine);
    const isOld = nowMs - holding.sinceMs >= termsAt(this.plan, this.scene.nowUs).retryMs;
    const hadHeard = heard === null && (holding.contended === timestamp || !holding.keeps);
    if (requester.contended) holding.contended = timestamp;
    if (!isOld && !hadHeard) return;
    for (const [peer, untilMs] of this.peers[machine] ?? []) {
      if (untilMs !== -Infinity || !this.arbiters.has(peer) || requester.asked.includes(peer)) continue;
      violated('spreads', `${this.scene.nodeIds[machine]} holds lock ${this.scene.locks[lock]}, which others want, and does not ask ${peer}, which is up`);
    }
  }
}
