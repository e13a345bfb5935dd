/** Finite projective planes of prime order (Maekawa 1985 section 3; Singer 1938). */
import { buildCoterie, nearestPlaneSizes, planeOrder } from '../../src/quorum';
import { plane } from '../../src/quorum/plane';
import { nodeIds } from './layouts';

const PLANES: [nodes: number, order: number][] = [[3, 1], [7, 2], [13, 3], [31, 5], [57, 7], [133, 11]];

describe('plane', () => {
  test.each(PLANES)('%i nodes: any two lines meet in exactly one node', (count, order) => {
    const nodes = nodeIds(count);
    const coterie = buildCoterie(nodes, { family: 'plane' });
    const lines = nodes.map((node) => new Set(coterie.votingSet(node)));
    expect(new Set(lines.map((line) => line.size))).toEqual(new Set([order + 1]));
    const common = new Set<number>();
    for (const [i, line] of lines.entries()) {
      for (const other of lines.slice(i + 1)) common.add([...line].filter((node) => other.has(node)).length);
    }
    expect(common).toEqual(new Set([1]));
  });

  test.each(PLANES)('%i nodes: each node is on as many lines as a line has nodes', (count, order) => {
    const nodes = nodeIds(count);
    const coterie = buildCoterie(nodes, { family: 'plane' });
    const lines = nodes.map((node) => coterie.votingSet(node));
    for (const node of nodes) expect(lines.filter((line) => line.includes(node))).toHaveLength(order + 1);
  });

  test('the order is found where it is a prime or 1, and nowhere else', () => {
    const sizes = Array.from({ length: 320 }, (_, count) => count).filter((count) => planeOrder(count) !== null);
    expect(sizes).toEqual([3, 7, 13, 31, 57, 133, 183, 307]);
    expect(sizes.map(planeOrder)).toEqual([1, 2, 3, 5, 7, 11, 13, 17]);
  });

  test('orders 4, 8 and 9 are no primes: there is a plane, but not of this construction', () => {
    expect([21, 73, 91].map(planeOrder)).toEqual([null, null, null]);
  });

  test('the nearest sizes are named, one on each side', () => {
    expect(nearestPlaneSizes(10)).toEqual([7, 13]);
    expect(nearestPlaneSizes(21)).toEqual([13, 31]);
    expect(nearestPlaneSizes(7)).toEqual([3, 13]);
    expect(nearestPlaneSizes(2)).toEqual([3]);
    expect(nearestPlaneSizes(1)).toEqual([3]);
  });

  test('refuses a number of nodes that has no plane', () => {
    expect(() => plane(nodeIds(8))).toThrow(RangeError);
    expect(() => plane([])).toThrow('no projective plane of prime order has 0 points');
  });
});
