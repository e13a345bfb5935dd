/** Choosing a layout, and checking listed sets. */
import fc from 'fast-check';
import { buildCoterie, layoutOf, squarestColumnCount } from '../../src/quorum';
import type { FamilyLayout } from '../../src/quorum';
import { describeSet, disjointPairs } from '../../src/quorum/check';
import { holds } from '../support/holds';
import { nodeIds } from './layouts';

describe('layoutOf', () => {
  test('a grid is as near to a square as can be', () => {
    expect(heightsOf(layoutOf('grid', nodeIds(9)))).toEqual([3, 3, 3]);
    expect(heightsOf(layoutOf('grid', nodeIds(4)))).toEqual([2, 2]);
    expect(heightsOf(layoutOf('grid', nodeIds(7)))).toEqual([3, 2, 2]);
    expect(heightsOf(layoutOf('grid', nodeIds(1)))).toEqual([1]);
  });

  test('a grid has the columns asked for; they differ by at most one node and hold each node once', () => {
    holds(fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(), (count, drawn) => {
      const nodes = nodeIds(count);
      const columnCount = 1 + (drawn % count);
      const layout = layoutOf('grid', nodes, columnCount);
      const heights = heightsOf(layout);
      expect(heights).toHaveLength(columnCount);
      expect(Math.max(...heights) - Math.min(...heights)).toBeLessThanOrEqual(1);
      expect(layout.family === 'grid' && layout.columns.flat()).toEqual(nodes);
    }));
  });

  test('no other number of columns has smaller quorums than the squarest', () => {
    const quorumSize = (nodes: number, columns: number): number => Math.ceil(nodes / columns) + columns - 1;
    for (let nodes = 1; nodes <= 200; nodes++) {
      const sizes = Array.from({ length: nodes }, (_, index) => quorumSize(nodes, index + 1));
      expect({ nodes, size: quorumSize(nodes, squarestColumnCount(nodes)) }).toEqual({ nodes, size: Math.min(...sizes) });
    }
  });

  test('refuses a grid of more columns than nodes, and a plane that does not exist', () => {
    expect(() => layoutOf('grid', nodeIds(3), 4)).toThrow('3 nodes do not fill 4 columns');
    expect(() => layoutOf('grid', nodeIds(3), 0)).toThrow(RangeError);
    expect(() => layoutOf('plane', nodeIds(4))).toThrow(RangeError);
  });

  test.each([1, 2, 3, 4, 7, 9, 10, 13, 20, 31])('explicit: the sets listed for %i nodes intersect pairwise and contain their node', (count) => {
    const nodes = nodeIds(count);
    const layout = layoutOf('explicit', nodes);
    if (layout.family !== 'explicit') throw new Error('expected listed sets');
    expect(disjointPairs(nodes.map((name) => ({ name, members: layout.sets[name] ?? [] })))).toEqual([]);
    for (const node of nodes) expect(layout.sets[node]).toContain(node);
    expect(buildCoterie(nodes, layout).votingSet('n1')).toEqual(layout.sets['n1']);
  });

  test('explicit starts from the smallest quorums: a plane, a majority of few nodes, a grid of many', () => {
    const sizeOf = (count: number): number => buildCoterie(nodeIds(count), layoutOf('explicit', nodeIds(count))).votingSet('n1').length;
    expect([7, 5, 16].map(sizeOf)).toEqual([3, 3, 7]);
  });
});

describe('disjointPairs', () => {
  test('names every two sets that share no node', () => {
    const [a, b, c] = [{ name: 'a', members: ['n1', 'n2'] }, { name: 'b', members: ['n2', 'n3'] }, { name: 'c', members: ['n4'] }];
    expect(disjointPairs([a, b, c])).toEqual([[a, c], [b, c]]);
    expect(disjointPairs([a, b])).toEqual([]);
    expect(disjointPairs([])).toEqual([]);
  });

  test('an empty set shares no node with any', () => {
    expect(disjointPairs([{ name: 'a', members: [] }, { name: 'b', members: ['n1'] }])).toHaveLength(1);
  });

  test('a set is shown as {n1,n2}', () => {
    expect(describeSet(['n1', 'n2'])).toBe('{n1,n2}');
  });
});

function heightsOf(layout: FamilyLayout): number[] {
  return layout.family === 'grid' ? layout.columns.map((column) => column.length) : [];
}
