/** What the client service needs of the node that it serves for, so that it never imports one. */
import type { LamportTime, LockView, NodeId } from '../core';

/** What is told to whoever asks for the status. */
export interface ServedStatus {
  readonly id: NodeId;
  readonly cluster: string;
  readonly digest: string;
  readonly layout: string;
  readonly notices: readonly string[];
  readonly uptimeMs: number;
  /** The node's own monotonic time, in which `locks` speak. */
  readonly nowMs: number;
  readonly clock: LamportTime;
  readonly peers: readonly { readonly id: NodeId; readonly address: string; readonly up: boolean; readonly reason?: string }[];
  readonly locks: readonly LockView[];
  readonly messages: {
    readonly sent: Readonly<Record<string, number>>;
    readonly received: Readonly<Record<string, number>>;
    readonly ignored: Readonly<Record<string, number>>;
  };
  readonly entries: number;
}

export interface ServedNode {
  readonly id: NodeId;
  readonly configuration: { readonly cluster: string; readonly leaseMs: number; readonly driftMax: number };
  status(): ServedStatus;
}
