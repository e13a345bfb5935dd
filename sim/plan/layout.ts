/** The names of nodes and locks in a run, and the coterie of a family over so many nodes. */
import type { LockName, NodeId } from '../../src/core';
import { buildCoterie } from '../../src/quorum';
import type { Coterie } from '../../src/quorum/coterie';
import { layoutOf } from '../../src/quorum/layouts';
import type { Family } from './plan';

const coteries = new Map<string, Coterie>();

/** Built once: a sweep asks for the same ones again and again. */
export function coterieOf(family: Family, nodes: number): Coterie {
  const key = `${family} ${nodes}`;
  let coterie = coteries.get(key);
  if (coterie === undefined) {
    const ids = nodeIdsOf(nodes);
    coterie = buildCoterie(ids, layoutOf(family, ids));
    coteries.set(key, coterie);
  }
  return coterie;
}

/** `n1`, `n2`, … */
export function nodeIdsOf(nodes: number): NodeId[] {
  return Array.from({ length: nodes }, (_, index) => `n${index + 1}`);
}

/** `a` to `z`, then `a1`, `b1`, … */
export function lockNamesOf(locks: number): LockName[] {
  return Array.from({ length: locks }, (_, index) => {
    const round = Math.floor(index / 26);
    return String.fromCharCode(97 + (index % 26)) + (round === 0 ? '' : String(round));
  });
}
