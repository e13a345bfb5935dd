/**
 * fairness: how many younger requests enter before an older one that has reached every arbiter of its voting
 * set. Those whose Grants were under way already may: requests are served in the order of their Lamport time
 * but for what was decided before the older one arrived. Without faults that is a small number.
 * Must never look into the core: it sees requests on the wire and who enters.
 */
import { hasPriority, isCompatible } from '../src/core';
import type { LamportTime, LockName, Mode, NodeId, RequestId } from '../src/core';
import { violated } from './checks';

/** A request on its way to be granted. */
interface Waiting {
  readonly id: RequestId;
  readonly mode: Mode;
  /** Arbiters that it has not reached yet. */
  readonly awaiting: Set<NodeId>;
  /** The younger requests that entered meanwhile. */
  readonly overtakenBy: Set<string>;
}

export class Overtaking {
  /** By lock and node. */
  private readonly waiting: Map<NodeId, Waiting>[];
  most = 0;

  constructor(
    private readonly lockNames: readonly LockName[],
    private readonly nodeCount: number,
  ) {
    this.waiting = lockNames.map(() => new Map<NodeId, Waiting>());
  }

  asked(lock: number, node: NodeId, arbiter: NodeId, timestamp: LamportTime, mode: Mode): void {
    const waiting = this.waitingFor(lock);
    let request = waiting.get(node);
    if (request?.id.timestamp !== timestamp) {
      request = { id: { timestamp, node }, mode, awaiting: new Set(), overtakenBy: new Set() };
      waiting.set(node, request);
    }
    request.awaiting.add(arbiter);
  }

  reached(lock: number, node: NodeId, arbiter: NodeId, timestamp: LamportTime): void {
    const request = this.waitingFor(lock).get(node);
    if (request?.id.timestamp === timestamp) request.awaiting.delete(arbiter);
  }

  /** Entered or given up. */
  over(lock: number, node: NodeId, timestamp: LamportTime): void {
    const waiting = this.waitingFor(lock);
    if (waiting.get(node)?.id.timestamp === timestamp) waiting.delete(node);
  }

  entered(lock: number, id: RequestId, mode: Mode): void {
    this.over(lock, id.node, id.timestamp);
    for (const older of this.waitingFor(lock).values()) {
      if (older.awaiting.size > 0 || isCompatible(older.mode, mode) || !hasPriority(older.id, id)) continue;
      older.overtakenBy.add(`${id.node}'s request ${id.timestamp}`);
      this.most = Math.max(this.most, older.overtakenBy.size);
      if (older.overtakenBy.size <= overtakingMax(this.nodeCount)) continue;
      violated('fairness', `lock ${this.lockNames[lock]}: request ${older.id.timestamp} of ${older.id.node}, which all its arbiters know, `
        + `was overtaken by ${[...older.overtakenBy].join(', ')}`);
    }
  }

  private waitingFor(lock: number): Map<NodeId, Waiting> {
    const waiting = this.waiting[lock];
    if (waiting === undefined) throw new RangeError(`no lock ${lock}`);
    return waiting;
  }
}

/** So many younger requests may enter before one that has reached its whole voting set. */
export function overtakingMax(nodeCount: number): number {
  return nodeCount - 1;
}
