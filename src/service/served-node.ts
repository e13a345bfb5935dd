/** What the client service needs of the node that it serves for, so that it never imports one. */
import type { QueryReply } from '../client-protocol/schema';
import type { LockName, NodeId } from '../core';
import type { NodeStatus } from '../locks/status';

export interface ServedNode {
  readonly id: NodeId;
  readonly configuration: { readonly cluster: string; readonly leaseMs: number; readonly driftMax: number; readonly nodes: readonly unknown[] };
  /** Of all locks that it knows of, or of these. */
  status(names?: readonly LockName[]): NodeStatus;
  /** The locks that it knows of. */
  lockNames(): readonly LockName[];
  /**
   * One page of each other node, of about so many bytes: the first, or of those that are named the one that this token stands
   * for. Null for a node that does not answer.
   */
  queryPeers(tokens: ReadonlyMap<NodeId, string> | undefined, pageBytes: number): Promise<ReadonlyMap<NodeId, QueryReply | null>>;
}
