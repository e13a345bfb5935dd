/**
 * The bare round trip: two ends of the transport that nodes use, one of which answers each Request with
 * a Grant at once. No protocol, no locks: what an acquire would cost if the protocol were free.
 */
import type { Message, NodeId } from '../src/core';
import { silentLog } from '../src/log';
import { GrpcTransport } from '../src/transport/grpc-transport';
import { createServer, listen } from '../src/transport/server';
import type { Listening } from '../src/transport/server';
import { idle } from './scenarios';

export interface EchoEnd {
  readonly self: NodeId;
  readonly peers: Readonly<Record<NodeId, string>>;
  readonly listenAt: string;
}

export class Echo {
  private waiting: ((message: Message) => void) | null = null;
  private whenUp: (() => void) | null = null;
  private readonly up: Promise<void> = new Promise((resolve) => (this.whenUp = resolve));
  private readonly server = createServer();
  private listening: Listening | undefined;
  private readonly transport: GrpcTransport;
  private clock = Date.now() * 1000;

  constructor(private readonly end: EchoEnd) {
    this.transport = new GrpcTransport({
      self: end.self,
      cluster: 'echo',
      digest: 'echo',
      layout: 'echo',
      leaseMs: 5_000,
      remembers: false,
      peers: new Map(Object.entries(end.peers)),
      server: this.server,
      log: silentLog,
    });
  }

  async start(): Promise<void> {
    this.listening = await listen(this.server, this.end.listenAt);
    this.transport.start({
      message: (from, message) => this.onMessage(from, message),
      peerUp: () => this.whenUp?.(),
      peerDown: () => undefined,
      namesake: () => undefined,
      clock: () => this.clock,
      clockMax: () => Number.MAX_SAFE_INTEGER,
      clockRefused: () => undefined,
      silentForMs: () => 0,
      knowsClock: () => true,
      muteReason: () => null,
    });
  }

  ready(): Promise<void> {
    return this.up;
  }

  /** One after the other; microseconds each, sorted. */
  async roundTrips(to: NodeId, forMs: number): Promise<number[]> {
    const latenciesUs: number[] = [];
    for (const endsAt = performance.now() + forMs; performance.now() < endsAt; ) {
      const sentAt = performance.now();
      await new Promise<Message>((resolve) => {
        this.waiting = resolve;
        const clock = ++this.clock;
        this.transport.send(to, {
          kind: 'request', lock: 'latency', clock, timestamp: clock, mode: 'exclusive', claim: 'waits', keep: false, sentAtMs: Math.floor(sentAt), heldGrant: null,
        });
      });
      latenciesUs.push((performance.now() - sentAt) * 1000);
      await idle();
    }
    return latenciesUs.sort((a, b) => a - b);
  }

  async stop(): Promise<void> {
    await this.transport.stop();
    this.listening?.stop();
  }

  private onMessage(from: NodeId, message: Message): void {
    this.clock = Math.max(this.clock, message.clock) + 1;
    if (message.kind !== 'request') return this.waiting?.(message);
    const { lock, timestamp, sentAtMs } = message;
    this.transport.send(from, { kind: 'grant', lock, clock: this.clock, timestamp, grant: this.clock, sentAtMs, contended: false });
  }
}
