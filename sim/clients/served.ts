/** What a node of the simulation has for one session of a client. */
import { marginMs } from '../../src/core';
import type { Ask, Machines, Reason } from './machines';
import type { Stream } from './network';
import type { Coming } from './process';
import type { Request } from './quorum';

export interface Served extends Coming {
  readonly name: string;
  readonly machine: ReturnType<typeof newMachine>;
  readonly wanted: Map<number, Wanted>;
  /** The streams that it took, newest last. */
  newest: number;
  stream: Stream | null;
}

export function newMachine({ ServedSession }: Machines, leaseMs: number, driftMax: number): InstanceType<typeof ServedSession<Ask, Reason>> {
  return new ServedSession<Ask, Reason>({ leaseMs, marginMs: marginMs(leaseMs, driftMax) });
}

/** What the node asks the quorum for. */
export interface Wanted {
  readonly request: Request;
  readonly id: number;
  state: 'waits' | 'holds' | 'lost';
  validUntilMs: number;
  readonly atLeastMs: number;
  /** When its client was first told that it holds the lock, by the clock that stands still in sleep; null before. */
  toldAtMs: number | null;
  /** Others want it, as far as the node knows. */
  isWanted: boolean;
  /** Its client counts on it no more: it was told of its end, or is done, and the lock is held on for nobody. */
  isOverForClient: boolean;
}
