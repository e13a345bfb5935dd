/**
 * What a node does while another process uses its id: two processes of one id would be two votes where there must be one.
 * Law: it stands apart, so it neither lends nor asks, from when the first peer says so until one lease after the last of them
 * accepted this very process again. It never concludes from silence that a peer has dropped the other one.
 * Source: protocol.md section 17.2.
 */
import type { NodeId } from '../quorum/coterie';

export class Namesake {
  /** Peers that are connected to the other process, as far as this one knows. */
  private readonly peers = new Set<NodeId>();
  /** Until when this node stands apart, in `nowMs`; Infinity while a peer has the other process, 0 when it does not stand apart. */
  untilMs = 0;

  constructor(private readonly settings: { readonly leaseMs: number }) {}

  get standsApart(): boolean {
    return this.untilMs > 0;
  }

  /** The peer refuses this process, for it is connected to another one of this id. Returns whether the node stood with the others until now. */
  found(peer: NodeId): boolean {
    const isFirst = !this.standsApart;
    this.peers.add(peer);
    this.untilMs = Infinity;
    return isFirst;
  }

  /** The peer is connected to this very process. Returns whether it was the last that had the other one. */
  accepted(peer: NodeId, nowMs: number): boolean {
    if (!this.peers.delete(peer) || this.peers.size > 0) return false;
    // Votes that the other process lent, and locks that it held, are valid no longer than that.
    this.untilMs = nowMs + this.settings.leaseMs;
    return true;
  }

  /** Returns whether it is over now. */
  onTime(nowMs: number): boolean {
    if (!this.standsApart || nowMs < this.untilMs) return false;
    this.untilMs = 0;
    return true;
  }
}
