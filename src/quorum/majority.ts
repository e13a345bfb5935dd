/**
 * Majority: every set of more than half of the nodes is a quorum. Survives the most crashes of all
 * coteries; its quorums are no larger than a square grid's up to nine nodes. Source: Thomas 1979.
 */
import type { Coterie, NodeId, NodeSet } from './coterie';

export class Majority implements Coterie {
  private readonly indexOf: ReadonlyMap<NodeId, number>;
  private readonly size: number;

  constructor(readonly nodes: readonly NodeId[]) {
    this.indexOf = new Map(nodes.map((node, index) => [node, index]));
    this.size = Math.floor(nodes.length / 2) + 1;
  }

  containsQuorum(members: NodeSet): boolean {
    if (members.size < this.size) return false;
    let count = 0;
    for (const member of members.keys()) if (this.indexOf.has(member)) count++;
    return count >= this.size;
  }

  votingSet(node: NodeId): readonly NodeId[] {
    return this.following(node, this.nodes);
  }

  quorumAvoiding(node: NodeId, down: NodeSet): readonly NodeId[] | null {
    const up = this.nodes.filter((each) => !down.has(each));
    return up.length < this.size ? null : this.following(node, up);
  }

  /** The node itself if it is among the candidates, and those after it in a circle: spreads the load evenly. */
  private following(node: NodeId, candidates: readonly NodeId[]): NodeId[] {
    const self = this.indexOf.get(node) ?? 0;
    const first = Math.max(0, candidates.findIndex((each) => (this.indexOf.get(each) ?? 0) >= self));
    const circle = [...candidates.slice(first), ...candidates.slice(0, first)].slice(0, this.size);
    const chosen = new Set(circle);
    return this.nodes.filter((each) => chosen.has(each));
  }
}
