/**
 * Finite projective plane of prime order q: N = q² + q + 1 nodes, quorums of q + 1, any two of which
 * share exactly one node. The smallest quorums there are, as Maekawa proposed. Built from a perfect
 * difference set D: line i is { i + d mod N }. Source: Maekawa 1985 section 3; Singer 1938.
 */
import type { Coterie, NodeId } from './coterie';
import { ListedSets } from './listed';

/** Of order 1: a triangle. */
const PLANE_SIZE_MIN = 3;

/** The order q of the plane with that many nodes, or null when there is none of prime order (1 counts). */
export function planeOrder(nodes: number): number | null {
  const order = Math.round((Math.sqrt(4 * nodes - 3) - 1) / 2);
  return order >= 1 && order * order + order + 1 === nodes && (order === 1 || isPrime(order)) ? order : null;
}

/** The numbers of nodes nearest to `nodes` that have a plane: one below if there is any, and one above. */
export function nearestPlaneSizes(nodes: number): number[] {
  const sizes: number[] = [];
  for (let below = nodes - 1; below >= PLANE_SIZE_MIN && sizes.length === 0; below--) if (planeOrder(below) !== null) sizes.push(below);
  let above = nodes + 1;
  while (planeOrder(above) === null) above++;
  return [...sizes, above];
}

/** @throws RangeError when there is no plane with that many nodes; ask `planeOrder` first. */
export function plane(nodes: readonly NodeId[]): Coterie {
  const order = planeOrder(nodes.length);
  if (order === null) throw new RangeError(`no projective plane of prime order has ${nodes.length} points`);
  const differences = differenceSet(order);
  const lines = nodes.map((_, line) => {
    const members = new Set(differences.map((difference) => (line + difference) % nodes.length));
    return nodes.filter((_node, index) => members.has(index));
  });
  // Difference 0 puts each node on the line that it asks first.
  return new ListedSets(nodes, lines, new Map(nodes.map((node, index) => [node, index])));
}

/** q + 1 numbers whose differences modulo q² + q + 1 are all different; 0 is one of them. */
function differenceSet(order: number): number[] {
  if (order === 1) return [0, 1];
  // Singer: the powers of a generator of GF(q³) that lie in a plane through the origin. A cubic
  // x³ = a x² + b x + c whose powers fall into a perfect difference set is as good as a generator.
  for (let a = 0; a < order; a++) {
    for (let b = 0; b < order; b++) {
      for (let c = 1; c < order; c++) {
        const found = powersInPlane(order, a, b, c);
        if (isPerfect(found, order)) return found;
      }
    }
  }
  throw new RangeError(`no difference set of order ${order}`);
}

/** The exponents i below q² + q + 1 for which xⁱ has no x² in it. */
function powersInPlane(order: number, a: number, b: number, c: number): number[] {
  const exponents: number[] = [];
  let [square, linear, constant] = [0, 0, 1];
  for (let exponent = 0; exponent < order * order + order + 1; exponent++) {
    if (square === 0) exponents.push(exponent);
    [square, linear, constant] = [(linear + a * square) % order, (constant + b * square) % order, (c * square) % order];
  }
  return exponents;
}

function isPerfect(set: readonly number[], order: number): boolean {
  const modulus = order * order + order + 1;
  if (set.length !== order + 1) return false;
  const seen = new Set<number>();
  for (const x of set) for (const y of set) if (x !== y) seen.add((x - y + modulus) % modulus);
  return seen.size === modulus - 1;
}

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return value >= 2;
}
