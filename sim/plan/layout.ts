/** What every run starts from: the names of nodes and locks, the coterie of a family over so many nodes, the wall clock. */
import type { LockName, NodeId } from '../../src/core';
import { buildCoterie } from '../../src/quorum';
import type { Coterie } from '../../src/quorum/coterie';
import type { FamilyLayout } from '../../src/quorum/family';
import { layoutOf } from '../../src/quorum/layouts';
import type { Family, FileName, Layout, LayoutName, Plan } from './plan';
import type { Random } from './random';

/** The wall clock at the start of a run: the numbers are as large as they are in life. */
export const WALL_CLOCK_START_US = 1_700_000_000_000_000;

const coteries = new Map<string, Coterie>();

export function familyLayoutOf(family: Family, ids: readonly NodeId[]): FamilyLayout {
  if (family !== 'wheel') return layoutOf(family, ids);
  const [hub = '', ...rim] = ids;
  return { family: 'explicit', sets: Object.fromEntries(ids.map((id) => [id, id === hub && rim.length > 0 ? rim : [hub, id]])) };
}

/** Built once: a sweep asks for the same ones again and again. */
export function coterieOf(family: Family, nodes: number): Coterie {
  const key = `${family} ${nodes}`;
  let coterie = coteries.get(key);
  if (coterie === undefined) {
    const ids = nodeIdsOf(nodes);
    coterie = buildCoterie(ids, familyLayoutOf(family, ids));
    coteries.set(key, coterie);
  }
  return coterie;
}

/** Over some of so many nodes. */
export function coterieOfLayout({ machines, family, quorum }: Layout, nodes: number): Coterie {
  const all = nodeIdsOf(nodes);
  const idsOf = (some: readonly number[]): NodeId[] => some.map((machine) => all[machine] ?? '');
  const ids = idsOf(machines);
  if (quorum === undefined) return buildCoterie(ids, familyLayoutOf(family, ids));
  return buildCoterie(ids, { family: 'explicit', sets: Object.fromEntries(ids.map((id) => [id, idsOf(quorum)])) });
}

/** Of these machines, in a grid now and then. */
export function drawLayoutOf(random: Random, machines: readonly number[]): Layout {
  return { machines, family: machines.length >= 4 && random.chance(400_000) ? 'grid' : 'majority' };
}

export function layoutOfFile(file: FileName): LayoutName {
  return file === 'old' ? 'old' : 'new';
}

/** `n1`, `n2`, … */
export function nodeIdsOf(nodes: number): NodeId[] {
  return Array.from({ length: nodes }, (_, index) => `n${index + 1}`);
}

/** The id with which each machine's node runs: of two machines the same, where two processes have one id. */
export function nodeIdsOfPlan({ machines, namesake }: Plan): NodeId[] {
  if (namesake === undefined) return nodeIdsOf(machines.length);
  const ids = nodeIdsOf(machines.length - 1);
  return [...ids, ids[namesake.of] ?? ''];
}

/** What people call them: `n3'` is the second process with the id `n3`. */
export function nodeNamesOf(plan: Plan): string[] {
  const ids = nodeIdsOfPlan(plan);
  return plan.namesake === undefined ? ids : ids.map((id, index) => (index === ids.length - 1 ? `${id}'` : id));
}

/** `a` to `z`, then `a1`, `b1`, … */
export function lockNamesOf(locks: number): LockName[] {
  return Array.from({ length: locks }, (_, index) => {
    const round = Math.floor(index / 26);
    return String.fromCharCode(97 + (index % 26)) + (round === 0 ? '' : String(round));
  });
}
