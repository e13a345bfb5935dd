/**
 * The core as the simulator sees it. Handed in, so that a changed one can be run without touching the
 * production code.
 */
import { createNode, durableClock, inspectLock, lockNames, step } from '../src/core';
import type { Birth, CoreSettings, Effect, Event, LamportTime, LockName, LockNode, LockView } from '../src/core';

export interface Core {
  createNode(settings: CoreSettings, birth: Birth): LockNode;
  step(node: LockNode, event: Event): readonly Effect[];
  durableClock(node: LockNode): LamportTime;
  lockNames(node: LockNode): LockName[];
  inspectLock(node: LockNode, lock: LockName): LockView | null;
}

export const PRODUCTION_CORE: Core = { createNode, step, durableClock, lockNames, inspectLock };
