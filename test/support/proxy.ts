/** A network between a client and its node that a test can hold up and cut. */
import { connect as dial, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A way to a node on which everything can be held up or cut. */
export class Proxy {
  /** Bytes in this direction are kept back. */
  readonly stopped = { up: false, down: false };
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async to(address: string): Promise<Proxy> {
    const [host = '', port = ''] = address.split(':');
    const server = createServer();
    const proxy = new Proxy(server);
    server.on('connection', (client) => {
      const node = dial(Number(port), host);
      proxy.join(client, node, 'up');
      proxy.join(node, client, 'down');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Every connection ends with a reset. */
  reset(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  close(): void {
    this.server.close();
    this.reset();
  }

  private join(from: Socket, to: Socket, direction: 'up' | 'down'): void {
    this.sockets.add(from);
    from.on('data', (bytes) => {
      if (!this.stopped[direction]) to.write(bytes);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
  }
}
