/** Which clusters are measured: sizes all over the range, and every plane that there is near them. */
import { planeOrder } from '../../src/quorum/plane';
import type { Family } from '../../sim/plan/plan';

const SIZES: Readonly<Partial<Record<Family, readonly number[]>>> = {
  grid: [3, 4, 5, 7, 9, 16, 25, 36, 49, 64, 100, 169, 256, 400, 625, 1_000],
  plane: [3, 7, 13, 31, 57, 133, 183, 307, 381, 553, 871, 993],
  majority: [3, 5, 7, 9, 13, 17, 25, 33, 49, 65, 101, 201, 401, 701, 1_000],
};

export function sizesUpTo(nodesMax: number): { readonly family: Family; readonly nodes: number }[] {
  return (Object.entries(SIZES) as [Family, readonly number[]][]).flatMap(([family, sizes]) =>
    sizes.filter((nodes) => nodes <= nodesMax && (family !== 'plane' || planeOrder(nodes) !== null)).map((nodes) => ({ family, nodes })));
}
