/**
 * What is explored: the nodes, their quorums, who asks for the lock, and how many of each fault there
 * may be. One lock; others would be independent instances of the same.
 */
import type { CoreSettings, LockName, Mode, NodeId } from '../../src/core';
import { buildCoterie, layoutOf } from '../../src/quorum';
import type { Coterie } from '../../src/quorum/coterie';

export const FAMILIES = ['majority', 'grid', 'plane'] as const;
export type ExploredFamily = (typeof FAMILIES)[number];

/** Faults, and whatever else may only happen so many times lest the states never end. */
export const BUDGETED = ['loss', 'duplicate', 'crash', 'leaseEnd', 'repeat', 'cancel', 'suspect'] as const;
export type Budgeted = (typeof BUDGETED)[number];
export type Budget = Readonly<Record<Budgeted, number>>;

export const NO_FAULTS: Budget = { loss: 0, duplicate: 0, crash: 0, leaseEnd: 0, repeat: 0, cancel: 0, suspect: 0 };

/** Someone at a node who asks for the lock once. */
export interface CallerPlan {
  /** Place of the node among the nodes. */
  readonly node: number;
  readonly mode: Mode;
  /** It takes the lock from whoever holds it. */
  readonly steals: boolean;
  /** It is in another process, and hears late that its lock was taken. */
  readonly remote: boolean;
}

export interface Setup {
  readonly family: ExploredFamily;
  readonly nodes: number;
  readonly callers: readonly CallerPlan[];
  readonly budget: Budget;
  /** In how many equal steps a lease ends; all clocks make each step together, unless they run free. */
  readonly leaseSteps: number;
  /**
   * Each clock runs as it likes, far beyond what drift is allowed. Nothing is promised then of who holds
   * the lock, and it is not checked; but tokens must rise.
   */
  readonly freeClocks: boolean;
  /** After a restart each node finds out for itself that the peer is back; else all do when it starts. */
  readonly handshakesApart: boolean;
  /** Count how often younger requests enter before an older one that has reached its whole voting set. */
  readonly countsOvertaking: boolean;
  readonly slack: number;
  readonly retain: boolean;
  /** Tell states apart by the order of Sets and Maps too. */
  readonly keepOrder: boolean;
}

/** Small, so that a path can be followed by hand; larger than any clock can rise on one. */
export const CLOCKS = 1000;

export const LOCK: LockName = 'a';

/**
 * A repeat is due after the shortest time there is, so a node may make some without any lease coming to
 * its end, and without the others' clocks having moved: the drift allowed is worth many repeats.
 */
export const RETRY_MS = 1;
export const LEASE_MS = 60_000;
export const DRIFT_MAX = 0.01;

export function defaultSetup(nodes: number, callers: readonly CallerPlan[], budget: Partial<Budget> = {}): Setup {
  return {
    family: 'majority', nodes, callers, budget: { ...NO_FAULTS, ...budget },
    leaseSteps: 1, freeClocks: false, handshakesApart: false, countsOvertaking: false, slack: CLOCKS, retain: true, keepOrder: false,
  };
}

/** So many exclusive callers and then so many shared ones, one on each node and round again. */
export function callersInTurn(nodes: number, exclusive: number, shared: number): CallerPlan[] {
  return Array.from({ length: exclusive + shared }, (_, index) => ({
    node: index % nodes, mode: index < exclusive ? 'exclusive' : 'shared', steals: false, remote: false,
  }));
}

/** The callers at one node, in the order in which they ask. */
export function callersAt(setup: Setup, place: number): CallerPlan[] {
  return setup.callers.filter((caller) => caller.node === place);
}

export function nodeIds(setup: Setup): NodeId[] {
  return Array.from({ length: setup.nodes }, (_, index) => `n${index + 1}`);
}

/** @throws RangeError when there is no such family over so many nodes */
export function coterieOf(setup: Setup): Coterie {
  const nodes = nodeIds(setup);
  return buildCoterie(nodes, layoutOf(setup.family, nodes));
}

export function settingsOf(setup: Setup, coterie: Coterie, self: NodeId): CoreSettings {
  return {
    self, coterie, leaseMs: LEASE_MS, retryMs: RETRY_MS, driftMax: DRIFT_MAX,
    slack: setup.slack, ceilingBlock: CLOCKS, retain: setup.retain,
  };
}
