/**
 * Whom a node can reach, and so whom it asks for votes.
 * Law: it chooses whom to ask and never decides safety. It knows nothing of votes, clocks or tokens, and imports none of
 * them: a wrong guess here costs time, and no lock.
 * Source: protocol.md section 6 (a peer goes down), and the rule holder-spreads.
 */
import type { Coterie, NodeId } from '../quorum/coterie';

/** Who this node is, and among whom it lives. */
interface Neighbourhood {
  readonly self: NodeId;
  readonly coterie: Coterie;
}

export class Reach {
  /** The nodes that failure detection calls down, and those that lend nothing yet after a restart. */
  private readonly down: Set<NodeId>;
  /** Nodes that are up but lend nothing yet, and until when (in the arbiters' time). They count as down so long. */
  private readonly silent = new Map<NodeId, number>();
  private readonly votingSet: readonly NodeId[];
  /** All nodes whose votes count for anything, once they were needed. */
  private arbiters: ReadonlySet<NodeId> | undefined;

  /** At first every peer is down: no connection works yet. */
  constructor(private readonly settings: Neighbourhood) {
    const { self, coterie } = settings;
    this.down = new Set(coterie.nodes.filter((node) => node !== self));
    this.votingSet = coterie.votingSet(self);
  }

  /**
   * The quorum to ask first: the voting set, or a substitute while a member of it is down. Chosen when it is asked for:
   * a node that starts hears of each peer in turn, and what it would choose in between nobody asks for.
   */
  get preferredQuorum(): readonly NodeId[] {
    const { votingSet } = this;
    const { self, coterie } = this.settings;
    const isReachable = !votingSet.some((node) => this.down.has(node));
    // With no quorum in reach, ask the voting set: its members may be up for all we know.
    return isReachable ? votingSet : (coterie.quorumAvoiding(self, this.down) ?? votingSet);
  }

  get isAnyDown(): boolean {
    return this.down.size > 0;
  }

  /** Nodes that are up and lend nothing yet, and until when. */
  get silences(): ReadonlyMap<NodeId, number> {
    return new Map(this.silent);
  }

  /** When the next silence ends, or Infinity. */
  get earliestMs(): number {
    let earliestMs = Infinity;
    for (const untilMs of this.silent.values()) earliestMs = Math.min(earliestMs, untilMs);
    return earliestMs;
  }

  /** This node itself lends nothing until then: it would rather ask others, too. */
  beginOwnSilence(untilMs: number): void {
    this.silent.set(this.settings.self, untilMs);
    this.down.add(this.settings.self);
  }

  /** A connection works. Returns whether that is news; of a peer that is silent it is already known. */
  peerUp(peer: NodeId, nowMs: number, silentForMs: number): boolean {
    if (!this.down.has(peer) || this.silent.has(peer)) return false;
    if (silentForMs > 0) this.silent.set(peer, nowMs + silentForMs);
    else this.down.delete(peer);
    return true;
  }

  /** A connection is lost. Returns whether fewer nodes can be asked than before. */
  peerDown(peer: NodeId): boolean {
    const { self, coterie } = this.settings;
    this.silent.delete(peer);
    if (peer === self || this.down.has(peer) || !coterie.nodes.includes(peer)) return false;
    this.down.add(peer);
    return true;
  }

  /** Ends one silence that is over by now. Returns whether there was one; to be called until there is none. */
  endSilence(nowMs: number): boolean {
    for (const [node, untilMs] of this.silent) {
      if (untilMs > nowMs) continue;
      this.silent.delete(node);
      this.down.delete(node);
      return true;
    }
    return false;
  }

  /** Whom to ask too when those asked that are up contain no quorum; nobody when they do, or when no quorum is up. */
  beside(asked: readonly NodeId[]): readonly NodeId[] {
    const { self, coterie } = this.settings;
    if (coterie.containsQuorum(new Set(asked.filter((node) => !this.down.has(node))))) return [];
    return coterie.quorumAvoiding(self, this.down) ?? [];
  }

  /** A quorum without those, who are up and grant nothing; nobody when there is none. */
  without(mute: readonly NodeId[]): readonly NodeId[] {
    const { self, coterie } = this.settings;
    return coterie.quorumAvoiding(self, new Set([...this.down, ...mute])) ?? [];
  }

  /** Every node that is up and whose vote counts for anything. A node may be in no quorum at all. */
  everybody(): readonly NodeId[] {
    const { coterie } = this.settings;
    this.arbiters ??= new Set(coterie.nodes.flatMap((node) => coterie.votingSet(node)));
    return [...this.arbiters].filter((node) => !this.down.has(node));
  }
}
