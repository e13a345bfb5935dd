/** A node out of its parts: the core, what drives it, and the locks that people use. Nothing is started yet. */
import type { Logger } from 'pino';
import type { Configuration } from '../config';
import { DEFAULT_CEILING_BLOCK, DEFAULT_SLACK, createNode } from '../core';
import type { NodeId } from '../core';
import { NodeLockManager } from '../locks/lock-manager';
import type { ManagerParts } from '../locks/lock-manager';
import type { Transport } from '../transport/transport';
import type { DataDirectory } from './data-directory';
import type { NodeTime } from './monotonic-time';
import { Runtime } from './runtime';

export interface NodeParts {
  readonly id: NodeId;
  readonly configuration: Configuration;
  readonly transport: Transport;
  readonly dataDirectory: DataDirectory;
  readonly time: NodeTime;
  readonly log: Logger;
  readonly retain: boolean;
  /** It never ran before: no vote of it can be on loan. */
  readonly firstStart: boolean;
  readonly queryPeers: ManagerParts['queryPeers'];
}

export function assembleNode(parts: NodeParts): { readonly runtime: Runtime; readonly manager: NodeLockManager } {
  const { id, configuration, transport, dataDirectory, time, log, retain, queryPeers } = parts;
  const { coterie, leaseMs, retryMs, driftMax } = configuration;
  const core = createNode(
    { self: id, coterie, leaseMs, retryMs, driftMax, slack: DEFAULT_SLACK, ceilingBlock: DEFAULT_CEILING_BLOCK, retain },
    {
      ceilingOnDisk: dataDirectory.ceiling,
      wallClockUs: time.wallClockUs(),
      firstStart: parts.firstStart && !dataDirectory.existed,
    },
  );
  const runtime = new Runtime({ id, core, transport, dataDirectory, time, log });
  for (const node of coterie.nodes) if (node !== id) runtime.down.set(node, 'not connected yet');
  const hasQuorum = (): boolean => coterie.containsQuorum(new Set(coterie.nodes.filter((node) => !runtime.down.has(node))));
  return { runtime, manager: new NodeLockManager({ id, runtime, hasQuorum, queryPeers }) };
}
