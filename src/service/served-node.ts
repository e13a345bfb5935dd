/** What the client service needs of the node that it serves for, so that it never imports one. */
import type { NodeId } from '../core';
import type { NodeStatus } from '../locks/status';

export interface ServedNode {
  readonly id: NodeId;
  readonly configuration: { readonly cluster: string; readonly leaseMs: number; readonly driftMax: number };
  status(): NodeStatus;
}
