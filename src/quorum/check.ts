/** The law of coteries, checked: any two quorums share a node. */
import type { NodeId } from './coterie';

/** A set that somebody listed, and under which name. */
export interface NamedSet {
  readonly name: string;
  readonly members: readonly NodeId[];
}

/** The pairs of sets that share no node, at most so many. Empty when the sets form a coterie. */
export function disjointPairs(sets: readonly NamedSet[], most = Infinity): (readonly [NamedSet, NamedSet])[] {
  const pairs: (readonly [NamedSet, NamedSet])[] = [];
  const memberships = sets.map((set) => new Set(set.members));
  for (const [i, a] of sets.entries()) {
    for (let j = i + 1; j < sets.length && pairs.length < most; j++) {
      const b = sets[j];
      const members = memberships[j];
      if (b !== undefined && members !== undefined && !a.members.some((node) => members.has(node))) pairs.push([a, b]);
    }
  }
  return pairs;
}

/** `{n1,n2}` */
export function describeSet(members: readonly NodeId[]): string {
  return `{${members.join(',')}}`;
}
