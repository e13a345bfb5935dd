/**
 * A network inside one process, on which everything can be cut. Delivers at once, or after a latency of
 * virtual time; never loses a message that no cut swallows.
 */
import type { Message, NodeId } from '../core';
import { microtask } from '../runtime/turns';
import type { Transport, TransportHandlers } from '../transport/transport';
import type { VirtualTime } from './virtual-time';

export class MemoryNetwork {
  private readonly running = new Map<NodeId, TransportHandlers>();
  private readonly cuts = new Set<string>();

  constructor(
    private readonly time: VirtualTime,
    private readonly latencyMs: number,
  ) {}

  /** For one life of the node: when that has ended, its callers may go on, but nothing of what they do is heard. */
  transportOf(self: NodeId): Transport {
    let own: TransportHandlers | undefined;
    const isAlive = (): boolean => own !== undefined && this.running.get(self) === own;
    return {
      start: (handlers) => {
        own = handlers;
        this.join(self, handlers);
      },
      send: (to, message) => {
        if (isAlive()) this.send(self, to, message);
      },
      stop: () => {
        if (isAlive()) this.leave(self);
        return Promise.resolve();
      },
    };
  }

  isCut(a: NodeId, b: NodeId): boolean {
    return this.cuts.has(linkName(a, b));
  }

  cut(a: NodeId, b: NodeId): void {
    if (this.isCut(a, b)) return;
    this.cuts.add(linkName(a, b));
    this.tellDown(a, b, 'cut off by the test');
    this.tellDown(b, a, 'cut off by the test');
  }

  mend(a: NodeId, b: NodeId): void {
    if (!this.cuts.delete(linkName(a, b))) return;
    this.introduce(a, b);
    this.introduce(b, a);
  }

  /** Nothing is heard of the node any more, as after a crash. */
  leave(self: NodeId): void {
    if (!this.running.delete(self)) return;
    for (const other of this.running.keys()) this.tellDown(other, self, 'it stopped');
  }

  private join(self: NodeId, handlers: TransportHandlers): void {
    this.running.set(self, handlers);
    for (const other of this.running.keys()) {
      if (other === self || this.isCut(self, other)) continue;
      this.introduce(self, other);
      this.introduce(other, self);
    }
  }

  private introduce(to: NodeId, peer: NodeId): void {
    const handlers = this.running.get(peer);
    if (handlers === undefined) return;
    this.running.get(to)?.peerUp(peer, { clock: handlers.clock(), silentForMs: handlers.silentForMs(), knowsClock: handlers.knowsClock() });
  }

  private tellDown(to: NodeId, peer: NodeId, reason: string): void {
    if (this.running.has(to)) this.running.get(to)?.peerDown(peer, reason);
  }

  private send(from: NodeId, to: NodeId, message: Message): void {
    this.carry(from, to, (receiver) => receiver.message(from, message));
  }

  /** To a node that runs now and when it arrives, unless the link is cut then. */
  carry(from: NodeId, to: NodeId, arrive: (receiver: TransportHandlers) => void): void {
    const receiver = this.running.get(to);
    const deliver = (): void => {
      // A node that restarted meanwhile is another receiver.
      if (receiver === undefined || this.running.get(to) !== receiver || this.isCut(from, to)) return;
      arrive(receiver);
    };
    if (this.latencyMs === 0) microtask(deliver);
    else this.time.schedule(deliver, this.latencyMs);
  }
}

function linkName(a: NodeId, b: NodeId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
