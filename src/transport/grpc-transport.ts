/**
 * The transport over gRPC: one long-lived stream for each peer, frames of many messages.
 * Law: only what passed the handshake and the codec reaches the handlers; a peer that breaks the
 * protocol loses its stream and nothing else happens. May lose messages, never waits for a peer.
 *
 * Without TLS the id of a peer is what it claims; with TLS it is what its certificate says.
 */
import { randomUUID } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import type { Message, NodeId } from '../core/messages';
import type { Logger } from '../log';
import { FrameDecoder, encodeHello, protocolVersion, type Frame, type Hello } from './codec';
import { clockRefusal, helloRefusal, isRival, type Identity, type Refusal } from './handshake';
import { linkTiming, PeerLink, type LinkTiming } from './peer-link';
import { AcceptedStream, DialledStream, peerService } from './peer-stream';
import { NewsLog } from './news-log';
import { certificateFault, type TlsSource } from './tls';
import type { PeerStatus, Transport, TransportHandlers } from './transport';

export interface GrpcTransportOptions {
  readonly self: NodeId;
  readonly cluster: string;
  /** Of the configuration; equal on all nodes, as are the layout and the lease. */
  readonly digest: string;
  readonly layout: string;
  readonly leaseMs: number;
  /** This node ran before: its data directory says so. */
  readonly remembers: boolean;
  /** `host:port` of every other node; names are resolved anew with each dial. An entry of `self` is ignored. */
  readonly peers: ReadonlyMap<NodeId, string>;
  /** Carries the peer service from now on. Its owner binds it, and shuts it down after `stop`. */
  readonly server: grpc.Server;
  /** Must be what the server listens with. */
  readonly tls?: TlsSource;
  readonly log: Logger;
  /** For the jitter, in [0, 1). Default Math.random. */
  readonly random?: () => number;
  readonly timing?: Partial<LinkTiming>;
}

/** A stop waits that long for peers to see it. */
const stopMsMax = 300;

export class GrpcTransport implements Transport {
  private readonly identity: Identity;
  private readonly decoder: FrameDecoder;
  private readonly timing: LinkTiming;
  private readonly links = new Map<NodeId, PeerLink>();
  private readonly flushDue: PeerLink[] = [];
  /** Accepted, hello not yet received; and for how many ticks. */
  private readonly strangers = new Map<AcceptedStream, number>();
  private handlers: TransportHandlers | null = null;
  private phase: 'starting' | 'running' | 'stopped' = 'starting';
  private ticker: NodeJS.Timeout | null = null;
  private readonly news: NewsLog;

  constructor(private readonly options: GrpcTransportOptions) {
    const { self, cluster, digest, layout, leaseMs, remembers, peers } = options;
    this.identity = { self, cluster, digest, layout, leaseMs, remembers, incarnation: randomUUID(), nodes: new Set([self, ...peers.keys()]) };
    this.news = new NewsLog(options.log);
    this.decoder = new FrameDecoder(this.identity.nodes);
    this.timing = { ...linkTiming, ...options.timing };
    options.server.addService(peerService, {
      connect: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => this.greet(new AcceptedStream(call)),
    });
  }

  start(handlers: TransportHandlers): void {
    if (this.phase !== 'starting') throw new Error('a transport starts once');
    this.phase = 'running';
    this.handlers = handlers;
    const context = {
      identity: this.identity,
      handlers,
      decoder: this.decoder,
      timing: this.timing,
      random: this.options.random ?? Math.random,
      dial: (peer: NodeId) => this.dial(peer),
      helloTo: (peer: NodeId, hasMet: boolean) => helloOf(this.identity, handlers, peer, hasMet),
      flushSoon: (link: PeerLink) => this.flushSoon(link),
    };
    for (const peer of this.options.peers.keys()) {
      if (peer === this.identity.self) continue;
      this.links.set(peer, new PeerLink(peer, context, this.options.log.child({ peer })));
    }
    for (const link of this.links.values()) link.start();
    this.ticker = setInterval(() => this.tick(), this.timing.tickMs).unref();
  }

  send(to: NodeId, message: Message): void {
    // Clients may ask while the node still writes its first ceiling: what is open is repeated when the peer is up.
    if (this.phase === 'starting') return;
    const link = this.links.get(to);
    if (link === undefined) throw new Error(`there is no peer ${to}`);
    link.send(message);
  }

  probe(): void {
    for (const link of this.links.values()) link.probe();
  }

  greetAgain(reason: string): void {
    for (const link of this.links.values()) link.greetAgain(reason);
  }

  /** Handlers are not called any more once this was called. */
  async stop(): Promise<void> {
    this.phase = 'stopped';
    if (this.ticker !== null) clearInterval(this.ticker);
    for (const stream of this.strangers.keys()) stream.end(this.absent());
    this.strangers.clear();
    const stopped = Promise.all([...this.links.values()].map((link) => link.stop()));
    let deadline: NodeJS.Timeout | undefined;
    await Promise.race([stopped, new Promise((resolve) => (deadline = setTimeout(resolve, stopMsMax)))]);
    clearTimeout(deadline);
  }

  /** In the order of the configuration. */
  peers(): readonly PeerStatus[] {
    return [...this.links].map(([id, link]) => ({
      id,
      address: this.address(id),
      up: link.downReason === null,
      ...(link.downReason === null ? {} : { reason: link.downReason }),
      droppedMessages: link.droppedMessages,
    }));
  }

  private dial(peer: NodeId): DialledStream {
    return DialledStream.dial(this.address(peer), peer, this.options.tls?.material);
  }

  private address(peer: NodeId): string {
    return this.options.peers.get(peer) as string; // links are made of the keys of this map
  }

  /** A stream was opened to us; who it is, its first frame says. */
  private greet(stream: AcceptedStream): void {
    if (this.phase !== 'running') return stream.end(this.absent());
    this.strangers.set(stream, 0);
    stream.handlers = {
      frame: (bytes) => {
        this.strangers.delete(stream);
        this.meet(stream, this.decoder.decode(bytes));
      },
      written: () => undefined,
      ended: () => this.strangers.delete(stream),
    };
  }

  private meet(stream: AcceptedStream, frame: Frame): void {
    if (frame.kind !== 'hello') {
      const reason = frame.kind === 'invalid' ? frame.reason : 'the first frame is not a hello';
      return this.refuseStranger(stream, { code: grpc.status.INVALID_ARGUMENT, reason });
    }
    const { hello } = frame;
    const refusal = helloRefusal(hello, this.identity, null) ?? this.certificateRefusal(stream, hello.node) ?? this.clockRefusal(hello);
    if (refusal !== null) {
      this.answerRival(stream, hello);
      return this.refuseStranger(stream, refusal);
    }
    this.links.get(hello.node)?.offer(stream, hello); // every node of the identity but self has a link
  }

  /** A node of another configuration that dials us may ask whether we serve. What it says of itself counts for nothing. */
  private answerRival(stream: AcceptedStream, hello: Hello): void {
    const { handlers, identity } = this;
    if (handlers === null || hello.peer !== identity.self || !isRival(hello, identity, hello.node)) return;
    if (this.certificateRefusal(stream, hello.node) !== null) return;
    if (this.links.has(hello.node)) handlers.rivals?.strangerCalled(hello.node);
    stream.write(helloOf(identity, handlers, hello.node, false));
  }

  private certificateRefusal(stream: AcceptedStream, node: NodeId): Refusal | null {
    if (this.options.tls === undefined) return null;
    const { certificate } = stream;
    const fault = certificate === undefined ? 'there is no certificate' : certificateFault(certificate, node);
    return fault === null ? null : { code: grpc.status.PERMISSION_DENIED, reason: fault };
  }

  private clockRefusal({ node, clock }: Hello): Refusal | null {
    return this.handlers === null ? null : clockRefusal(node, clock, this.identity.self, this.handlers.clockMax());
  }

  private refuseStranger(stream: AcceptedStream, refusal: Refusal): void {
    const { code, reason } = refusal;
    this.news.warn({ address: stream.remoteAddress, reason, code: grpc.status[code] }, 'refused a stream');
    stream.end(refusal);
  }

  private absent(): Refusal {
    const what = this.phase === 'starting' ? 'starting' : 'shutting down';
    return { code: grpc.status.UNAVAILABLE, reason: `${this.identity.self} is ${what}` };
  }

  private tick(): void {
    const mute = this.handlers?.muteReason() ?? null;
    for (const link of this.links.values()) {
      if (mute === null) link.tick();
      else link.beMute(mute);
    }
    for (const [stream, ticks] of this.strangers) {
      this.strangers.set(stream, ticks + 1);
      if (ticks < this.timing.silentTicksMax) continue;
      this.strangers.delete(stream);
      this.refuseStranger(stream, { code: grpc.status.DEADLINE_EXCEEDED, reason: 'no hello came' });
    }
  }

  private flushSoon(link: PeerLink): void {
    if (link.isFlushDue) return;
    link.isFlushDue = true;
    if (this.flushDue.push(link) === 1) setImmediate(() => this.flush());
  }

  private flush(): void {
    for (const link of this.flushDue.splice(0)) {
      link.isFlushDue = false;
      link.flush();
    }
  }
}

function helloOf(identity: Identity, handlers: TransportHandlers, peer: NodeId, hasMet: boolean): Buffer {
  const { self: node, cluster, digest, incarnation, layout, leaseMs, remembers } = identity;
  return encodeHello({
    protocolVersion, node, peer, cluster, digest, clock: handlers.clock(), incarnation, silentForMs: handlers.silentForMs(),
    layout, leaseMs, remembers, hasMet, standing: handlers.rivals?.standing() ?? 'none', begins: handlers.rivals?.begins() ?? 0, knowsClock: handlers.knowsClock(),
  });
}
