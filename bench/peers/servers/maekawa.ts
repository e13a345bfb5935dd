/** Three nodes of ours, a process each, with a data directory on disk and a majority as the quorum. */
import { join } from 'node:path';
import { freePorts } from '../../../src/cli/demo/cluster';
import { VERSION } from '../../../src/version';
import { Worker } from '../workers';
import { temporaryFolder } from './spawned';
import type { Service } from './service';

const NODES = ['n1', 'n2', 'n3'] as const;
export const CLUSTER = 'bench';

export interface Nodes extends Service {
  readonly addresses: readonly string[];
  /** In the order of the addresses. */
  readonly workers: readonly Worker[];
}

let started = 0;

export async function startNodes(leaseMs: number, retain: boolean): Promise<Nodes> {
  const ports = await freePorts(NODES.length);
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  const config = { cluster: CLUSTER, nodes: NODES.map((id, index) => ({ id, address: addresses[index] ?? '' })), quorums: { family: 'majority' }, leaseMs };
  const folder = join(temporaryFolder(), `nodes-${++started}`);
  const workers = NODES.map(() => new Worker());
  await Promise.all(workers.map((worker, index) => {
    const id = NODES[index] ?? '';
    // All clients are of one address here.
    const limits = { locksPerNode: 1_000_000, watchesPerNode: 100_000 };
    return worker.ask({ kind: 'startNode', options: { id, config, dataDir: join(folder, id), firstStart: true, retain, limits } });
  }));
  await Promise.all(workers.map((worker) => worker.ask({ kind: 'ready' })));
  return {
    version: `maekawa ${VERSION}`,
    ports,
    addresses,
    workers,
    pids: () => workers.map(({ pid }) => pid),
    stop: async () => void (await Promise.all(workers.map((worker) => worker.stop()))),
  };
}
