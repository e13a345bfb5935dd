/**
 * The core as the simulator sees it. Handed in, so that a changed one can be run without touching the
 * production code.
 */
import { apartForMs, Candidacy, createNode, durableClock, inspectLock, inspectNode, isMute, layoutActOf, lockNames, mayStartUnder, remembers, silentForMs, step, termsOfLife } from '../src/core';
import type { ActSettings, Birth, CandidacySettings, CoreSettings, Effect, Event, LamportTime, LayoutAct, LifeSettings, LifeTerms, LockName, LockNode, LockView, NodeView } from '../src/core';

export interface Core {
  createNode(settings: CoreSettings, birth: Birth): LockNode;
  step(node: LockNode, event: Event): readonly Effect[];
  durableClock(node: LockNode): LamportTime;
  /** What a node tells in a handshake: for how much longer it lends nothing. */
  silentForMs(node: LockNode, nowMs: number): number;
  /** For how much longer it neither lends nor asks because of another process of its id; Infinity while a peer has that one. */
  apartForMs(node: LockNode, nowMs: number): number;
  /** And whether it knows which clock values it has used. */
  remembers(node: LockNode): boolean;
  /** Whether it is up and can say nothing. */
  isMute(node: LockNode, nowMs: number): boolean;
  inspectNode(node: LockNode): NodeView;
  lockNames(node: LockNode): LockName[];
  inspectLock(node: LockNode, lock: LockName): LockView | null;
  /** What an earlier life means for the next one, and what the operator's act says to it. */
  mayStartUnder(settings: Pick<LifeSettings, 'layout' | 'change' | 'terms'>): boolean;
  termsOfLife(settings: LifeSettings): LifeTerms;
  layoutActOf(settings: ActSettings): LayoutAct;
  /** Decides when a node may begin to lend, where another layout may be about. */
  readonly Candidacy: new (settings: CandidacySettings) => Candidacy;
}

/** Not by its class: a changed core has one of its own, and under a test runner even an `Error` of its own. */
export function isInvariantError(error: unknown): error is { readonly invariant: string; readonly message: string } {
  return typeof error === 'object' && error !== null && 'invariant' in error && 'message' in error;
}

export const PRODUCTION_CORE: Core = {
  createNode, step, durableClock, silentForMs, apartForMs, remembers, isMute, inspectNode, lockNames, inspectLock, mayStartUnder, termsOfLife, layoutActOf, Candidacy,
};
