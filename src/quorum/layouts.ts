/** A sensible layout of each family for given nodes: what a new configuration starts from, and what others are compared with. */
import type { NodeId } from './coterie';
import { buildCoterie } from './family';
import type { Family, FamilyLayout } from './family';
import { planeOrder } from './plane';

/** Up to here a majority's quorums are no larger than a square grid's. */
const MAJORITY_NODES_MAX = 9;

/**
 * @param columnCount of a grid; default as near to a square as the number of nodes allows
 * @throws RangeError for a plane or a grid that cannot be
 */
export function layoutOf(family: Family, nodes: readonly NodeId[], columnCount = squarestColumnCount(nodes.length)): FamilyLayout {
  switch (family) {
    case 'majority':
      return { family };
    case 'plane':
      if (planeOrder(nodes.length) === null) throw new RangeError(`no projective plane of prime order has ${nodes.length} points`);
      return { family };
    case 'grid':
      return { family, columns: splitEvenly(nodes, columnCount) };
    case 'explicit': {
      const coterie = buildCoterie(nodes, layoutOf(familyOfSmallQuorums(nodes.length), nodes));
      return { family, sets: Object.fromEntries(nodes.map((node) => [node, coterie.votingSet(node)])) };
    }
  }
}

/** For so many nodes in a grid. A square one has the smallest quorums. */
export function squarestColumnCount(nodes: number): number {
  return Math.max(1, Math.round(Math.sqrt(nodes)));
}

function familyOfSmallQuorums(nodes: number): 'grid' | 'majority' | 'plane' {
  if (planeOrder(nodes) !== null) return 'plane';
  return nodes <= MAJORITY_NODES_MAX ? 'majority' : 'grid';
}

/** The first columns are taller by one where it does not come out even. */
function splitEvenly(nodes: readonly NodeId[], columnCount: number): NodeId[][] {
  if (!(columnCount >= 1 && columnCount <= nodes.length)) throw new RangeError(`${nodes.length} nodes do not fill ${columnCount} columns`);
  const height = Math.floor(nodes.length / columnCount);
  const taller = nodes.length % columnCount;
  return Array.from({ length: columnCount }, (_, column) => {
    const start = column * height + Math.min(column, taller);
    return nodes.slice(start, start + height + (column < taller ? 1 : 0));
  });
}
