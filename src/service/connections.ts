/**
 * The connections over which clients want and hold locks. Law: each has a number that no other connection of this life of
 * the node has, and keeps it while it is in use. gRPC tells the address at its other end, and not when it ends; but one
 * that is not used is closed after a while.
 */
import { connectionIdleMs } from '../transport/server';

export class Connection {
  /** How many locks are wanted and held over it. */
  holds = 0;
  private usedAtMs: number;

  constructor(
    readonly number: number,
    private readonly nowMs: () => number,
  ) {
    this.usedAtMs = nowMs();
  }

  /** What comes from its address from now on is another client's. */
  get isOver(): boolean {
    return this.holds === 0 && this.nowMs() - this.usedAtMs > connectionIdleMs;
  }

  begin(): void {
    this.holds++;
  }

  end(): void {
    this.holds--;
    this.usedAtMs = this.nowMs();
  }
}

export class Connections {
  private readonly byPeer = new Map<string, Connection>();
  private begun = 0;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** The one with this address at its other end. */
  of(peer: string): Connection {
    const known = this.byPeer.get(peer);
    if (known !== undefined && !known.isOver) return known;
    for (const [each, connection] of this.byPeer) if (connection.isOver) this.byPeer.delete(each);
    const connection = new Connection(++this.begun, this.nowMs);
    this.byPeer.set(peer, connection);
    return connection;
  }
}
