/** The yardstick of clients: a bare bidirectional stream of grpc-js, on which each message comes back as it is. No locks, no protocol. */
import { credentials, makeGenericClientConstructor, Server, ServerCredentials } from '@grpc/grpc-js';
import type { Client, ClientDuplexStream, ServerDuplexStream } from '@grpc/grpc-js';

/** As long as the message of a lock is. */
const MESSAGE = Buffer.alloc(60, 7);
const asIs = (bytes: Buffer): Buffer => bytes;
const service = {
  echo: {
    path: '/bench.Echo/Echo', requestStream: true, responseStream: true,
    requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
  },
};
const EchoClient = makeGenericClientConstructor(service, 'Echo');

interface EchoCalls extends Client {
  echo(): ClientDuplexStream<Buffer, Buffer>;
}

/** Resolves to the port. */
export function serveEcho(): Promise<number> {
  const server = new Server();
  server.addService(service, {
    echo: (stream: ServerDuplexStream<Buffer, Buffer>) => {
      stream.on('data', (message: Buffer) => stream.write(message));
      stream.on('end', () => stream.end());
    },
  });
  return new Promise((resolve, reject) => server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(port) : reject(error))));
}

export class EchoStream {
  private readonly client: EchoCalls;
  private readonly stream: ClientDuplexStream<Buffer, Buffer>;
  private back: () => void = () => undefined;

  constructor(port: number) {
    this.client = new EchoClient(`127.0.0.1:${port}`, credentials.createInsecure()) as unknown as EchoCalls;
    this.stream = this.client.echo();
    this.stream.on('data', () => this.back());
    this.stream.on('error', () => undefined);
  }

  /** How many messages came back, with so many under way at a time. */
  async roundTrips(inFlight: number, forMs: number): Promise<number> {
    const endsAtMs = performance.now() + forMs;
    let count = 0;
    let underWay = inFlight;
    await new Promise<void>((resolve) => {
      this.back = () => {
        const isOver = performance.now() >= endsAtMs;
        if (!isOver) {
          count++;
          this.stream.write(MESSAGE);
        } else if (--underWay === 0) {
          resolve();
        }
      };
      for (let sent = 0; sent < inFlight; sent++) this.stream.write(MESSAGE);
    });
    return count;
  }

  close(): void {
    this.stream.cancel();
    this.client.close();
  }
}
