/** The names of nodes and locks in a run, and the coterie of a family over so many nodes. */
import type { LockName, NodeId } from '../src/core';
import type { Coterie, NodeSet } from '../src/quorum/coterie';
import type { Family } from './plan';

const coteries = new Map<string, Coterie>();

export function coterieOf(family: Family, nodes: number): Coterie {
  const key = `${family} ${nodes}`;
  let coterie = coteries.get(key);
  if (coterie === undefined) {
    coterie = majority(nodeIdsOf(nodes));
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

function majority(nodes: readonly NodeId[]): Coterie {
  const k = Math.floor(nodes.length / 2) + 1;
  const take = (node: NodeId, avoid: NodeSet): NodeId[] | null => {
    const start = nodes.indexOf(node);
    const rotated = [...nodes.slice(start), ...nodes.slice(0, start)].filter((n) => !avoid.has(n)).slice(0, k);
    return rotated.length < k ? null : nodes.filter((n) => rotated.includes(n));
  };
  return {
    nodes,
    containsQuorum: (members) => {
      let count = 0;
      for (const n of nodes) if (members.has(n)) count++;
      return count >= k;
    },
    votingSet: (node) => take(node, new Set()) ?? [],
    quorumAvoiding: take,
  };
}
