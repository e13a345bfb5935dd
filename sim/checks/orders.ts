/**
 * orders: while a request of a node waits to steal a lock, the node answers each Request of a holder with the order; and a holder that hears of a thief
 * by anybody else asks that thief's node, once for each thief (protocol.md section 12). So a theft takes a message or two, whatever was lost before.
 * It looks at messages, and at what a node says of its request.
 */
import { doesHold, doesSteal } from '../../src/core';
import type { Event, LamportTime, LockView, Message, NodeId } from '../../src/core';
import { violated } from './check';
import { OfNodesAndLocks } from './scene';
import type { Scene } from './scene';
import type { EventOf, Witness } from './witness';

/** The request by which a node holds a lock, and of whose thefts it has heard: of each node the newest. */
interface Holding {
  timestamp: LamportTime;
  readonly thieves: Map<NodeId, LamportTime>;
}

type Requester = LockView['requester'];

export class Orders implements Witness {
  private readonly holding: OfNodesAndLocks<Holding>;
  /** What the node said of its request before this event. */
  private before: Requester = null;
  /** Of each node the newest theft that this one's own arbiter heard of: of that it hears by itself. */
  private readonly knownAtHome: OfNodesAndLocks<Map<NodeId, LamportTime>>;
  /** To whom it sent an order, and to whom a Request, in this event. */
  private readonly ordered = new Set<number>();
  private readonly requested = new Set<number>();

  constructor(private readonly scene: Scene) {
    this.knownAtHome = new OfNodesAndLocks(scene, () => new Map<NodeId, LamportTime>());
    this.holding = new OfNodesAndLocks(scene, () => ({ timestamp: 0, thieves: new Map<NodeId, LamportTime>() }));
  }

  stepping(machine: number, event: Event): void {
    this.ordered.clear();
    this.requested.clear();
    this.before = concerns(event) ? this.scene.inspect(machine, this.scene.lockOf(event.message.lock))?.requester ?? null : null;
  }

  delivering(from: number, to: number, lock: number, message: Message): void {
    if (message.kind !== 'request' || !doesSteal(message.claim)) return;
    const known = this.knownAtHome.of(to, lock);
    const node = this.scene.nodeIds[from] ?? '';
    known.set(node, Math.max(message.timestamp, known.get(node) ?? 0));
  }

  sent(_from: number, to: number, _lock: number, message: Message): void {
    if (message.kind === 'request') this.requested.add(to);
    else if (message.kind === 'inquire' && message.contender.claim === 'steals') this.ordered.add(to);
  }

  stepped(machine: number, event: Event): void {
    const { before } = this;
    // What it said may be waiting for its disk.
    if (before === null || !concerns(event)) return;
    const lock = this.scene.lockOf(event.message.lock);
    const after = this.scene.inspect(machine, lock)?.requester ?? null;
    if (event.message.kind === 'request') this.judgeThief(machine, lock, event, before, after);
    else if (event.message.kind === 'inquire') this.judgeHolder(machine, lock, event, before, after);
  }

  private judgeThief(machine: number, lock: number, { from }: EventOf<'message'>, before: Requester, after: Requester): void {
    const { nodeIds, locks } = this.scene;
    if (this.ordered.has(nodeIds.indexOf(from)) || this.scene.isHeldBack(machine) || before?.state !== 'waiting' || !before.steals || !isSame(before, after)) return;
    violated('orders', `lock ${locks[lock]}: ${nodeIds[machine]}, whose request ${before.request.timestamp} waits to steal it, does not tell ${from} so, which holds it`);
  }

  private judgeHolder(machine: number, lock: number, { from, message }: EventOf<'message'>, before: Requester, after: Requester): void {
    const { nodeIds, locks } = this.scene;
    if (message.kind !== 'inquire' || before?.state !== 'held' || before.request.timestamp !== message.timestamp || !isSame(before, after)) return;
    const { node, timestamp } = message.contender.request;
    const holding = this.holding.of(machine, lock);
    if (holding.timestamp !== message.timestamp) {
      holding.timestamp = message.timestamp;
      holding.thieves.clear();
    }
    const isKnown = timestamp <= (holding.thieves.get(node) ?? -Infinity);
    holding.thieves.set(node, Math.max(timestamp, holding.thieves.get(node) ?? 0));
    const isKnownAtHome = timestamp <= (this.knownAtHome.of(machine, lock).get(node) ?? 0);
    if (isKnown || isKnownAtHome || node === nodeIds[machine] || this.requested.has(nodeIds.indexOf(node)) || this.scene.isHeldBack(machine)) return;
    violated('orders', `lock ${locks[lock]}: ${nodeIds[machine]}, which holds it, hears by ${from} of request ${timestamp} of ${node}, which steals it, and does not ask ${node}`);
  }
}

/** A Request of a holder, or an Inquire for a thief. */
function concerns(event: Event): event is EventOf<'message'> {
  if (event.kind !== 'message') return false;
  const { message } = event;
  return message.kind === 'request' ? doesHold(message.claim) : message.kind === 'inquire' && message.contender.claim === 'steals';
}

function isSame(before: NonNullable<Requester>, after: Requester): boolean {
  return before.state !== 'idle' && after?.state === before.state && after.request.timestamp === before.request.timestamp;
}
