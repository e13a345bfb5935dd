/**
 * How many crashes a coterie survives. Nodes *block* it when every quorum has one of them; a coterie
 * survives any crashes fewer than its smallest blocking set has nodes.
 */
import type { NodeId } from './coterie';
import { buildCoterie } from './family';
import type { FamilyLayout } from './family';

export interface BlockingSize {
  /** Nodes in the smallest blocking set. */
  readonly size: number;
  /** False when the search was given up: the size is then a lower bound. */
  readonly isExact: boolean;
}

/** How many sets the search may look at, all in all: about a second's work. */
const SETS_SEEN_MAX = 2_000_000;

export function smallestBlockingSize(nodes: readonly NodeId[], layout: FamilyLayout): BlockingSize {
  switch (layout.family) {
    case 'majority':
      return { size: Math.ceil(nodes.length / 2), isExact: true };
    case 'grid':
      // Either a whole column is down, or a node of every column is.
      return { size: Math.min(layout.columns.length, ...layout.columns.map((column) => column.length)), isExact: true };
    case 'plane':
      // No set smaller than a line meets all lines.
      return { size: buildCoterie(nodes, layout).votingSet(nodes[0] ?? '').length, isExact: true };
    case 'explicit':
      return searchBlockingSize(nodes.map((node) => layout.sets[node] ?? []));
  }
}

/** Tries blocking sets of one node, of two, … */
export function searchBlockingSize(sets: readonly (readonly NodeId[])[], seenMax = SETS_SEEN_MAX): BlockingSize {
  const shortestFirst = [...sets].sort((a, b) => a.length - b.length);
  let seenLeft = seenMax;
  /** Whether so many more nodes, none of them ruled out, can block what the chosen ones do not. */
  const canBlock = (chosen: ReadonlySet<NodeId>, ruledOut: ReadonlySet<NodeId>, more: number): boolean => {
    const at = shortestFirst.findIndex((set) => !set.some((node) => chosen.has(node)));
    const open = shortestFirst[at];
    if (open === undefined) return true;
    seenLeft -= at + 1;
    if (more === 0) return false;
    const tried = new Set(ruledOut);
    for (const node of open) {
      if (tried.has(node)) continue;
      if (seenLeft <= 0) return false;
      if (canBlock(new Set(chosen).add(node), tried, more - 1)) return true;
      tried.add(node);
    }
    return false;
  };
  for (let size = 1; ; size++) {
    const isBlocked = canBlock(new Set(), new Set(), size);
    if (isBlocked || seenLeft <= 0) return { size, isExact: isBlocked };
  }
}
