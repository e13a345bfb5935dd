/** Random small configurations of every family, each with the paper's definition of its quorums. */
import fc from 'fast-check';
import { buildCoterie } from '../../src/quorum';
import type { Coterie, FamilyLayout, NodeId } from '../../src/quorum';

export interface Example {
  readonly coterie: Coterie;
  readonly layout: FamilyLayout;
  /** Whether a set is a quorum or contains one, word by word as the family is defined. */
  readonly isQuorumByDefinition: (members: ReadonlySet<NodeId>) => boolean;
}

export function nodeIds(count: number): NodeId[] {
  return Array.from({ length: count }, (_, index) => `n${index + 1}`);
}

export function majorityOf(count: number): Example {
  return exampleOf(nodeIds(count), { family: 'majority' }, (members) => 2 * members.size > count);
}

export function gridOf(columns: readonly (readonly NodeId[])[]): Example {
  return exampleOf(columns.flat(), { family: 'grid', columns }, (members) =>
    columns.some((column) => column.every((node) => members.has(node))) &&
    columns.every((column) => column.some((node) => members.has(node))));
}

export function planeOf(count: number): Example {
  const nodes = nodeIds(count);
  const lines = nodes.map((node) => buildCoterie(nodes, { family: 'plane' }).votingSet(node));
  return exampleOf(nodes, { family: 'plane' }, containsOneOf(lines));
}

export function listedOf(sets: Readonly<Record<NodeId, readonly NodeId[]>>): Example {
  return exampleOf(Object.keys(sets), { family: 'explicit', sets }, containsOneOf(Object.values(sets)));
}

/** Columns of given heights, filled with n1, n2, … */
export function columnsOf(heights: readonly number[]): NodeId[][] {
  const nodes = nodeIds(heights.reduce((sum, height) => sum + height, 0));
  return heights.map((height) => nodes.splice(0, height));
}

const majorities = fc.integer({ min: 1, max: 9 }).map(majorityOf);

const raggedGrids = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })
  .filter((heights) => heights.reduce((sum, height) => sum + height, 0) <= 10)
  .map((heights) => gridOf(columnsOf(heights)));

const planes = fc.constantFrom(3, 7).map(planeOf);

/** Random sets, each mended with a member of every earlier set that it misses. */
const listed = fc.integer({ min: 1, max: 7 }).chain((count) => fc.array(
  fc.uniqueArray(fc.constantFrom(...nodeIds(count)), { minLength: 1, maxLength: count }),
  { minLength: count, maxLength: count },
)).map((drawn) => {
  const sets: NodeId[][] = [];
  for (const set of drawn) {
    const mended = new Set(set);
    for (const earlier of sets) {
      if (!earlier.some((node) => mended.has(node))) mended.add(earlier[mended.size % earlier.length] ?? '');
    }
    sets.push([...mended]);
  }
  return listedOf(Object.fromEntries(nodeIds(drawn.length).map((node, index) => [node, sets[index] ?? []])));
});

/** Of at most ten nodes, so that all sets of nodes can be tried. */
export const examples = fc.oneof(majorities, raggedGrids, planes, listed);

/** All sets of nodes of a small coterie. */
export function* subsetsOf(nodes: readonly NodeId[]): Generator<Set<NodeId>> {
  for (let mask = 0; mask < 2 ** nodes.length; mask++) yield new Set(nodes.filter((_, index) => mask & (1 << index)));
}

function exampleOf(nodes: readonly NodeId[], layout: FamilyLayout, isQuorumByDefinition: Example['isQuorumByDefinition']): Example {
  return { coterie: buildCoterie(nodes, layout), layout, isQuorumByDefinition };
}

function containsOneOf(sets: readonly (readonly NodeId[])[]): (members: ReadonlySet<NodeId>) => boolean {
  return (members) => sets.some((set) => set.every((node) => members.has(node)));
}
