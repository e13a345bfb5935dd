/** Every node of the configuration, for the commands that ask all of them. */
import { readConfiguration } from '../config';
import type { Configuration } from '../config';
import type { NodeId } from '../core';
import { LockError } from '../errors';
import type { LockInfo } from '../locks/types';
import { NodeConnection, reasonOfSilence } from '../client/node-connection';
import type { TlsSource } from '../transport/tls';
import { clientTlsOf } from './options';
import type { TlsOptions } from './options';

export interface AllNodesOptions extends TlsOptions {
  readonly config: string;
}

export interface NodeClient {
  readonly id: NodeId;
  readonly client: NodeConnection;
}

/** A node that gave no answer, and why. */
export interface Unanswered {
  readonly id: NodeId;
  readonly reason: string;
  /** What it cannot be talked to for will not pass by itself. */
  readonly isLasting: boolean;
}

/** What all nodes that answer hold and wait for. */
export interface Inventory {
  readonly held: readonly LockInfo[];
  /** Those that have waited longest come first. */
  readonly pending: readonly LockInfo[];
  readonly unanswered: readonly Unanswered[];
}

/** The caller closes the clients. @throws LockError `config` */
export function clientsOf(options: AllNodesOptions): NodeClient[] {
  const tls = clientTlsOf(options);
  return clientsFor(readConfiguration(options.config), tls);
}

export function clientsFor({ nodes, cluster }: Configuration, tls: TlsSource | undefined): NodeClient[] {
  return nodes.map(({ id, address }) => ({ id, client: new NodeConnection(address, { tls, cluster, node: id }) }));
}

export async function closeAll(nodes: readonly NodeClient[]): Promise<void> {
  await Promise.all(nodes.map(({ client }) => client.close()));
}

/** @throws LockError `protocol` when what answers is no node of this cluster */
export async function inventoryOf(nodes: readonly NodeClient[], answerMs: number): Promise<Inventory> {
  const answers = await Promise.all(nodes.map(({ client }) => client.query(answerMs).catch(silence)));
  const snapshots = answers.flatMap((answer) => ('held' in answer ? [answer] : []));
  return {
    held: snapshots.flatMap(({ held }) => held),
    pending: snapshots.flatMap(({ pending }) => pending).sort((a, b) => b.forMs - a.forMs),
    unanswered: nodes.flatMap(({ id }, index) => {
      const answer = answers[index];
      return answer === undefined || 'held' in answer ? [] : [{ id, ...answer }];
    }),
  };
}

/** @throws LockError `unreachable`, or `protocol` when there is no talking to any of them before somebody mends something */
export function refuseIfNoneAnswers(nodes: readonly NodeClient[], unanswered: readonly Unanswered[]): void {
  if (unanswered.length < nodes.length) return;
  const told = nodes.map(({ id, client }, index) => `${id} at ${client.address} (${unanswered[index]?.reason ?? ''})`).join(', ');
  const code = unanswered.every(({ isLasting }) => isLasting) ? 'protocol' : 'unreachable';
  throw new LockError(code, `no node answers: ${told}. Start one, or name another configuration with --config`);
}

function silence(error: unknown): Omit<Unanswered, 'id'> {
  const reason = reasonOfSilence(error);
  if (!(error instanceof LockError) || reason === null) throw error;
  return { reason, isLasting: error.code === 'protocol' };
}
