/** Nodes of a test: real transports on loopback that note what they hear, a raw client, a network that can fail. */
import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import pino from 'pino';
import type { Standing } from '../../src/core';
import type { Message, NodeId } from '../../src/core/messages';
import { FrameBuilder, FrameDecoder, encodeHello, protocolVersion } from '../../src/transport/codec';
import type { Frame, Hello } from '../../src/transport/codec';
import { GrpcTransport } from '../../src/transport/grpc-transport';
import type { GrpcTransportOptions } from '../../src/transport/grpc-transport';
import type { PeerStatus } from '../../src/transport/transport';
import { peerService } from '../../src/transport/peer-stream';
import { createServer, listen } from '../../src/transport/server';
import type { Listening } from '../../src/transport/server';
import { until } from '../support/processes';

export const CLUSTER = 'test';
export const DIGEST = 'digest-1';

/** The nodes of the configuration. */
const NODES = ['n1', 'n2', 'n3'];

/** An address where nobody listens. */
const NOWHERE = '127.0.0.1:1';

type PeerOptions = Partial<Omit<GrpcTransportOptions, 'self' | 'peers' | 'server'>>;

/** What must be stopped when the test is over, the newest first. */
const open: { stop(): Promise<void> }[] = [];

export async function stopAll(): Promise<void> {
  for (const each of open.splice(0).reverse()) await each.stop();
}

/** The transport of one of three nodes; notes what its handlers are told. */
export class Peer {
  readonly messages: { readonly from: NodeId; readonly message: Message }[] = [];
  /** `up n2`, `down n2: reason`, in order. */
  readonly changes: string[] = [];
  readonly clocks = new Map<NodeId, number>();
  readonly silences = new Map<NodeId, number>();
  address = '';
  clock = 1_000;
  /** No clock above is believed. */
  clockMax = Number.MAX_SAFE_INTEGER;
  silentForMs = 0;
  standing: Standing = 'none';
  begins = 0;
  /** How dials ended that did not end in a connection, and who called under another configuration. */
  readonly dials: string[] = [];
  /** In which lives rivals answered. */
  readonly livesOfRivals = new Set<string>();
  /** Peers that know of an earlier life. */
  readonly earlierLives: NodeId[] = [];
  /** Why it can say nothing. */
  muteReason: string | null = null;
  onMessage: ((from: NodeId, message: Message) => void) | null = null;
  private readonly server = createServer();
  private listening: Listening | undefined;
  private readonly peers: Map<NodeId, string>;
  private readonly transport: GrpcTransport;

  constructor(readonly id: NodeId, private readonly options: PeerOptions = {}) {
    const log = pino({ level: 'silent' });
    this.peers = new Map(NODES.filter((node) => node !== id).map((node) => [node, NOWHERE]));
    this.transport = new GrpcTransport({ self: id, cluster: CLUSTER, digest: DIGEST, layout: 'layout-1', leaseMs: 5_000, remembers: false, peers: this.peers, server: this.server, log, ...options });
    open.push(this);
  }

  async listen(port = 0): Promise<this> {
    this.listening = await listen(this.server, `127.0.0.1:${port}`, this.options.tls === undefined ? {} : { tls: this.options.tls });
    this.address = `127.0.0.1:${this.listening.port}`;
    return this;
  }

  /** Where the others are; those not named are nowhere. */
  start(peers: Readonly<Record<NodeId, { readonly address: string }>> = {}): this {
    for (const [id, { address }] of Object.entries(peers)) this.peers.set(id, address);
    this.transport.start({
      message: (from, message) => {
        this.messages.push({ from, message });
        this.onMessage?.(from, message);
      },
      peerUp: (peer, { clock, silentForMs, knowsEarlierLife }) => {
        if (knowsEarlierLife === true) this.earlierLives.push(peer);
        this.changes.push(`up ${peer}`);
        this.clocks.set(peer, clock);
        this.silences.set(peer, silentForMs);
      },
      peerDown: (peer, reason) => this.changes.push(`down ${peer}: ${reason}`),
      namesake: (peer) => this.changes.push(`namesake at ${peer}`),
      clock: () => this.clock,
      clockMax: () => this.clockMax,
      clockRefused: (peer, clock) => this.dials.push(`${peer} tells clock ${clock}`),
      silentForMs: () => this.silentForMs,
      knowsClock: () => true,
      rivals: {
        dialStarts: () => undefined,
        dialFailed: (peer) => this.dials.push(`${peer} fails`),
        rivalAnswered: (peer, { standing, leaseMs, layout, life, begins }) => {
          this.dials.push(`${peer} ${standing} under ${layout}, lease ${leaseMs}, begins ${begins}`);
          this.livesOfRivals.add(life);
        },
        strangerCalled: (peer) => this.dials.push(`${peer} calls`),
        standing: () => this.standing,
        begins: () => this.begins,
      },
      muteReason: () => this.muteReason,
    });
    return this;
  }

  /** From now on the peer is there. */
  moves(peer: NodeId, { address }: { readonly address: string }): void {
    this.peers.set(peer, address);
  }

  send(to: NodeId, ...messages: Message[]): void {
    for (const message of messages) this.transport.send(to, message);
  }

  probe(): void {
    this.transport.probe();
  }

  status(peer: NodeId): PeerStatus | undefined {
    return this.transport.peers().find(({ id }) => id === peer);
  }

  async untilUp(...peers: NodeId[]): Promise<void> {
    await until(() => peers.every((peer) => this.status(peer)?.up), () => `${this.id} to be connected to ${peers.join(', ')}; ${this.changes.join('; ')}`);
  }

  async untilDown(peer: NodeId, reason: RegExp): Promise<void> {
    await until(
      () => {
        const status = this.status(peer);
        return status?.up === false && reason.test(status.reason ?? '');
      },
      () => `${this.id} to see ${peer} down for ${reason}; last: ${JSON.stringify(this.status(peer))}`,
    );
  }

  async stop(): Promise<void> {
    await this.transport.stop();
    this.listening?.stop();
  }
}

/** Two connected nodes. */
export async function pair(options: PeerOptions = {}): Promise<[Peer, Peer]> {
  const n1 = await new Peer('n1', options).listen();
  const n2 = await new Peer('n2', options).listen();
  n1.start({ n2 });
  n2.start({ n1 });
  await Promise.all([n1.untilUp('n2'), n2.untilUp('n1')]);
  return [n1, n2];
}

/** A network path to a node: can freeze (the bytes just stop) and break. */
export class Proxy {
  address = '';
  /** Connections so far. */
  accepted = 0;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private isFrozen = false;

  private constructor(target: string) {
    const [host = '', port = ''] = target.split(':');
    this.server = createTcpServer((from) => {
      this.accepted++;
      const to = connect(Number(port), host);
      for (const [source, sink] of [[from, to], [to, from]] as const) {
        this.sockets.add(source);
        source.on('data', (chunk: Buffer) => {
          if (!this.isFrozen) sink.write(chunk);
        });
        source.on('error', () => undefined);
        source.on('close', () => {
          this.sockets.delete(source);
          if (!this.isFrozen) sink.destroy();
        });
      }
    });
    open.push(this);
  }

  static async to(target: Peer): Promise<Proxy> {
    const proxy = new Proxy(target.address);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    proxy.address = `127.0.0.1:${(proxy.server.address() as AddressInfo).port}`;
    return proxy;
  }

  get connections(): number {
    return this.sockets.size / 2;
  }

  /** From now on nothing comes through, and nobody is told. */
  freeze(): void {
    this.isFrozen = true;
  }

  thaw(): void {
    this.isFrozen = false;
    this.break();
  }

  break(): void {
    for (const socket of [...this.sockets]) socket.destroy();
  }

  async stop(): Promise<void> {
    this.break();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Somebody who speaks gRPC and sends whatever it likes. */
export class RawPeer {
  readonly frames: Frame[] = [];
  status: grpc.StatusObject | null = null;
  readonly call: grpc.ClientDuplexStream<Buffer, Buffer>;
  private readonly client: grpc.Client;

  constructor(address: string, credentials = grpc.credentials.createInsecure(), options: grpc.ChannelOptions = {}) {
    this.client = new grpc.Client(address, credentials, { 'grpc.use_local_subchannel_pool': 1, 'grpc.max_send_message_length': -1, ...options });
    const { path, requestSerialize, responseDeserialize } = peerService.connect;
    this.call = this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const decoder = new FrameDecoder(new Set(['n1', 'n2', 'n3']));
    this.call.on('data', (bytes: Buffer) => this.frames.push(decoder.decode(bytes)));
    this.call.on('error', () => undefined);
    this.call.on('status', (status) => (this.status = status));
    open.push(this);
  }

  /** One that has passed the handshake. */
  static async connected(to: Peer, hello: Partial<Hello> = {}): Promise<RawPeer> {
    const raw = new RawPeer(to.address);
    raw.send(helloOf({ peer: to.id, ...hello }));
    await until(() => raw.frames[0]?.kind === 'hello', `the hello of ${to.id}; ${JSON.stringify(raw.status)}`);
    return raw;
  }

  send(bytes: Buffer): void {
    this.call.write(bytes);
  }

  sendFrame(messages: readonly Message[]): void {
    const builder = new FrameBuilder();
    for (const message of messages) builder.add(message);
    this.send(builder.take());
  }

  /** Frames with something in them. */
  get framesOfMessages(): Message[][] {
    return this.frames.flatMap((frame) => (frame.kind === 'messages' && frame.messages.length > 0 ? [[...frame.messages]] : []));
  }

  get received(): Message[] {
    return this.framesOfMessages.flat();
  }

  /** How the stream ended. */
  async end(): Promise<{ code: string; reason: string }> {
    const { code, details } = await until(() => this.status, 'the end of the stream');
    return { code: grpc.status[code], reason: details };
  }

  stop(): Promise<void> {
    this.call.cancel();
    this.client.close();
    return Promise.resolve();
  }
}

export function helloOf(fields: Partial<Hello>): Buffer {
  return encodeHello({
    protocolVersion, node: 'n2', peer: 'n1', cluster: CLUSTER, digest: DIGEST, clock: 1, incarnation: 'raw', silentForMs: 0,
    layout: 'layout-1', remembers: false, hasMet: false, standing: 'none', leaseMs: 5_000, begins: 0, knowsClock: true, ...fields,
  });
}

/** The `number`th message of a conversation. */
export function release(number: number, lock = 'stock'): Message {
  return { kind: 'release', lock, clock: number + 1, timestamp: number + 1 };
}
