/**
 * The connections over which clients call. Law: each that asks for its number gets one that no other connection of this life
 * of the node has, and keeps it while it is in use. gRPC tells the address at its other end, and not when it ends; but one
 * that is not used is closed after a while.
 */
import { connectionIdleMs } from '../transport/server';

export class Connection {
  /** The address at its other end, without the port. */
  readonly address: string;
  private calls = 0;
  private usedAtMs: number;
  private ownNumber: number | undefined;

  constructor(
    peer: string,
    private readonly nowMs: () => number,
    private readonly nextNumber: () => number,
  ) {
    this.address = peer.replace(/:\d+$/, '');
    this.usedAtMs = nowMs();
  }

  /** Part of the id of the client. */
  get number(): number {
    return (this.ownNumber ??= this.nextNumber());
  }

  /** What comes from its address from now on is another client's. */
  get isOver(): boolean {
    return this.calls === 0 && this.nowMs() - this.usedAtMs > connectionIdleMs;
  }

  /** A call begins. */
  begin(): void {
    this.calls++;
  }

  end(): void {
    this.calls--;
    this.usedAtMs = this.nowMs();
  }
}

export class Connections {
  private readonly byPeer = new Map<string, Connection>();
  private numbered = 0;
  /** With so many, those that are over are looked for. */
  private sweepAt = 16;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** The one with this address and port at its other end. */
  of(peer: string): Connection {
    const known = this.byPeer.get(peer);
    if (known !== undefined && !known.isOver) return known;
    const connection = new Connection(peer, this.nowMs, () => ++this.numbered);
    this.byPeer.set(peer, connection);
    if (this.byPeer.size >= this.sweepAt) this.sweep();
    return connection;
  }

  private sweep(): void {
    for (const [peer, connection] of this.byPeer) if (connection.isOver) this.byPeer.delete(peer);
    this.sweepAt = 2 * this.byPeer.size + 16;
  }
}
