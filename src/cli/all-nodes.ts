/** Every node of the configuration, for the commands that ask all of them. */
import { readConfiguration } from '../config';
import type { Configuration } from '../config';
import type { NodeId } from '../core';
import { LockError } from '../errors';
import type { LockInfo } from '../locks/types';
import { NodeConnection } from '../client/node-connection';
import type { TlsMaterial } from '../transport/tls';
import { clientTlsOf } from './options';
import type { TlsOptions } from './options';

export interface AllNodesOptions extends TlsOptions {
  readonly config: string;
}

export interface NodeClient {
  readonly id: NodeId;
  readonly client: NodeConnection;
}

/** What all nodes that answer hold and wait for. */
export interface Inventory {
  readonly held: readonly LockInfo[];
  /** Those that have waited longest come first. */
  readonly pending: readonly LockInfo[];
  readonly unanswered: readonly NodeId[];
}

/** The caller closes the clients. @throws LockError `config` */
export function clientsOf(options: AllNodesOptions): NodeClient[] {
  const tls = clientTlsOf(options);
  return clientsFor(readConfiguration(options.config), tls);
}

export function clientsFor({ nodes, cluster }: Configuration, tls: TlsMaterial | undefined): NodeClient[] {
  return nodes.map(({ id, address }) => ({ id, client: new NodeConnection(address, { tls, cluster }) }));
}

export async function closeAll(nodes: readonly NodeClient[]): Promise<void> {
  await Promise.all(nodes.map(({ client }) => client.close()));
}

/** @throws LockError `protocol` when what answers is no node of this cluster */
export async function inventoryOf(nodes: readonly NodeClient[], answerMs: number): Promise<Inventory> {
  const answers = await Promise.all(nodes.map(async ({ id, client }) => ({ id, snapshot: await client.query(answerMs).catch(nullIfUnreachable) })));
  return {
    held: answers.flatMap(({ snapshot }) => snapshot?.held ?? []),
    pending: answers.flatMap(({ snapshot }) => snapshot?.pending ?? []).sort((a, b) => b.forMs - a.forMs),
    unanswered: answers.filter(({ snapshot }) => snapshot === null).map(({ id }) => id),
  };
}

function nullIfUnreachable(error: unknown): null {
  if (error instanceof LockError && error.code === 'unreachable') return null;
  throw error;
}
