/**
 * A coterie given by its minimal quorums, one list after the other. `explicit` configurations and
 * finite planes are of this kind. Law: the sets intersect pairwise; whoever makes one checks that.
 */
import type { Coterie, NodeId, NodeSet } from './coterie';

export class ListedSets implements Coterie {
  private readonly setsOf = new Map<NodeId, number[]>();
  /** How many members each set has; reused by every `containsQuorum`. */
  private readonly counts: Uint32Array;

  /** `first` names for each node the set that it asks first, by its place in `sets`. */
  constructor(
    readonly nodes: readonly NodeId[],
    private readonly sets: readonly (readonly NodeId[])[],
    private readonly first: ReadonlyMap<NodeId, number>,
  ) {
    for (const node of nodes) this.setsOf.set(node, []);
    for (const [index, set] of sets.entries()) for (const node of set) this.setsOf.get(node)?.push(index);
    this.counts = new Uint32Array(sets.length);
  }

  containsQuorum(members: NodeSet): boolean {
    const { counts, sets } = this;
    counts.fill(0);
    for (const member of members.keys()) {
      for (const index of this.setsOf.get(member) ?? []) {
        const count = (counts[index] ?? 0) + 1;
        counts[index] = count;
        if (count === sets[index]?.length) return true;
      }
    }
    return false;
  }

  votingSet(node: NodeId): readonly NodeId[] {
    return this.sets[this.first.get(node) ?? 0] ?? [];
  }

  quorumAvoiding(node: NodeId, down: NodeSet): readonly NodeId[] | null {
    const own = this.votingSet(node);
    const deadPlace = own.findIndex((each) => down.has(each));
    if (deadPlace < 0) return own;
    // Nodes start their search at different places, so that they turn to different sets. Those with the
    // node itself in them come before the rest: a message to itself costs nothing.
    const start = (this.first.get(node) ?? 0) + deadPlace;
    const withSelf = this.setsOf.get(node)?.map((index) => this.sets[index] ?? []) ?? [];
    const candidates = [...inCircle(withSelf, start), ...inCircle(this.sets, start)];
    return candidates.find((set) => !set.some((each) => down.has(each))) ?? null;
  }
}

function inCircle<T>(items: readonly T[], start: number): T[] {
  const first = items.length === 0 ? 0 : start % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
