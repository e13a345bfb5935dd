/**
 * One stream to a peer, whichever side opened it: frames in, frames out, one end. Hides what differs
 * between the two sides in gRPC. Law: after its end, whoever caused it, a stream calls nobody. While it is paused no frame and no
 * end is told; both come afterwards, in order.
 */
import * as grpc from '@grpc/grpc-js';
import type { NodeId } from '../core/messages';
import { channelTo } from './channel';
import { encodeGoodbye } from './codec';
import { connectionFault } from './connection-fault';
import type { Refusal } from './handshake';
import type { TlsMaterial } from './tls';

/** The service of proto/maekawa/v1/peer.proto, in bytes: the codec does the rest. */
const bytesAsTheyAre = (bytes: Buffer): Buffer => bytes;
export const peerService = {
  connect: {
    path: '/maekawa.v1.Peer/Connect',
    requestStream: true,
    responseStream: true,
    requestSerialize: bytesAsTheyAre,
    requestDeserialize: bytesAsTheyAre,
    responseSerialize: bytesAsTheyAre,
    responseDeserialize: bytesAsTheyAre,
  },
} as const satisfies grpc.ServiceDefinition;

/** How long a peer may take to see that we ended the stream, before it is cut. */
const endGraceMs = 500;

export interface StreamHandlers {
  frame(bytes: Buffer): void;
  /** A frame has left; `framesInFlight` is smaller now. */
  written(): void;
  /** The other side ended the stream, or the connection broke. */
  ended(end: Refusal): void;
}

export abstract class PeerStream {
  /** Set by whoever is in charge of the stream at the time. */
  handlers: StreamHandlers | null = null;
  /** Resolves when the stream has ended on both sides. */
  readonly closed: Promise<void>;
  private inFlight = 0;
  private resolveClosed: () => void = () => undefined;
  private isPaused = false;
  /** What came while it was paused. No more than gRPC had read by then. */
  private readonly framesKept: Buffer[] = [];
  private endKept: Refusal | null = null;

  constructor(private readonly duplex: grpc.ClientDuplexStream<Buffer, Buffer> | grpc.ServerDuplexStream<Buffer, Buffer>) {
    this.closed = new Promise((resolve) => (this.resolveClosed = resolve));
    duplex.on('data', (bytes: Buffer) => {
      if (this.isPaused) this.framesKept.push(bytes);
      else this.handlers?.frame(bytes);
    });
  }

  /** Tell of no further frame, and read none, until `resume`. */
  pause(): void {
    this.isPaused = true;
    this.duplex.pause();
  }

  resume(): void {
    this.isPaused = false;
    for (let frame = this.framesKept.shift(); frame !== undefined; frame = this.framesKept.shift()) {
      this.handlers?.frame(frame);
      if (this.isPaused) return;
    }
    if (this.endKept !== null) this.tellEnd(this.endKept);
    else this.duplex.resume();
  }

  /** Frames handed to gRPC that are not on their way yet. */
  get framesInFlight(): number {
    return this.inFlight;
  }

  write(frame: Buffer): void {
    this.inFlight++;
    this.duplex.write(frame, this.onWritten);
  }

  abstract get remoteAddress(): string;

  /** End it in good order, after what was written. The other side is told why. */
  abstract end(refusal: Refusal): void;

  /** End it with a peer that may not listen any more. */
  abstract cut(reason: string): void;

  protected ended(end: Refusal): void {
    this.resolveClosed();
    if (!this.isPaused) return this.tellEnd(end);
    this.endKept = end;
    // Frames that came before the end, and were not asked for yet: `data` tells of each.
    while (this.duplex.read() !== null);
  }

  /** Nobody is told anything any more; what still comes is dropped. */
  protected abandon(): void {
    this.handlers = null;
    this.isPaused = false;
    this.framesKept.length = 0;
    this.duplex.resume();
  }

  private tellEnd(end: Refusal): void {
    const { handlers } = this;
    this.handlers = null;
    handlers?.ended(end);
  }

  private readonly onWritten = (): void => {
    this.inFlight--;
    this.handlers?.written();
  };
}

export class DialledStream extends PeerStream {
  private constructor(client: grpc.Client, private readonly call: grpc.ClientDuplexStream<Buffer, Buffer>) {
    super(call);
    call.on('error', () => undefined); // the status says the same
    call.on('status', ({ code, details }) => {
      client.close();
      this.ended({ code, reason: connectionFault({ code, details }).reason });
    });
  }

  /** A connection of its own: its name is resolved anew, and no backoff of gRPC's adds to ours. */
  static dial(address: string, node: NodeId, tls: TlsMaterial | undefined): DialledStream {
    const client = channelTo(address, node, tls, channelOptions);
    const { path, requestSerialize, responseDeserialize } = peerService.connect;
    return new DialledStream(client, client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize));
  }

  get remoteAddress(): string {
    return this.call.getPeer();
  }

  end({ reason }: Refusal): void {
    this.abandon();
    this.call.write(encodeGoodbye(reason));
    this.call.end();
    setTimeout(() => this.call.cancel(), endGraceMs).unref();
  }

  cut(): void {
    this.abandon();
    this.call.cancel();
  }
}

export class AcceptedStream extends PeerStream {
  constructor(private readonly call: grpc.ServerDuplexStream<Buffer, Buffer>) {
    super(call);
    call.on('end', () => {
      call.end();
      this.ended({ code: grpc.status.OK, reason: 'the peer ended the stream' });
    });
    call.on('cancelled', () => this.ended({ code: grpc.status.UNAVAILABLE, reason: 'the connection broke' }));
  }

  get remoteAddress(): string {
    return this.call.getPeer();
  }

  /** With TLS: what the peer's certificate says. */
  get certificate(): ReturnType<grpc.ServerDuplexStream<Buffer, Buffer>['getAuthContext']>['sslPeerCertificate'] {
    return this.call.getAuthContext().sslPeerCertificate;
  }

  end({ code, reason }: Refusal): void {
    this.abandon();
    if (code === grpc.status.OK) {
      this.call.write(encodeGoodbye(reason));
      this.call.end();
    } else {
      this.call.emit('error', { code, details: reason });
    }
  }

  cut(reason: string): void {
    // A server of gRPC cannot break a single connection; a dead one is found by the server's own pings.
    this.end({ code: grpc.status.UNAVAILABLE, reason });
  }
}

const channelOptions: grpc.ChannelOptions = {
  // Otherwise up to 1 MiB is buffered, for retries, before a write is felt to be slow.
  'grpc.per_rpc_retry_buffer_size': 0,
};
