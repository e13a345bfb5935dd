/** Which node a command talks to: the one named, or the first of the configuration that answers, this machine's first. */
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { Option } from 'commander';
import { readConfiguration } from '../config';
import { LockError } from '../errors';
import { NodeConnection } from '../client/node-connection';
import { RemoteLockManager } from '../client/remote';
import { NODE_OPTIONS, clientTlsOf, parseAddress } from './options';
import type { TlsOptions } from './options';

/** How long a node that listens may take to answer. */
const ANSWER_MS = 1_000;

export interface FindNodeOptions extends TlsOptions {
  readonly config: string;
  readonly address?: string;
  readonly node?: string;
}

export function findNodeOptions(): Option[] {
  return [
    new Option('--address <host:port>', 'ask the node at this address').argParser(parseAddress).env('MAEKAWA_ADDRESS'),
    new Option('--node <id>', 'ask this node of the configuration (default: the first node that answers; nodes on this machine are asked first)'),
  ].map((option) => option.helpGroup(NODE_OPTIONS));
}

/**
 * The locks of a node that answers. The caller closes them.
 * @throws LockError `unreachable` when none does, `config` for a wrong configuration or node id; the signal's reason
 */
export async function findNode(options: FindNodeOptions, signal: AbortSignal): Promise<RemoteLockManager> {
  const tls = clientTlsOf(options);
  signal.throwIfAborted();
  const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  aborted.catch(() => undefined);
  // A name server that does not answer takes longer than anybody wants to wait for the end.
  const { addresses, cluster } = await Promise.race([candidates(options), aborted]);
  const clients = addresses.map((address) => new NodeConnection(address, { tls, cluster }));
  try {
    for (const [index, client] of clients.entries()) {
      if (!(await Promise.race([answers(client), aborted]))) continue;
      // Should it stop while a lock is waited for, the others are asked.
      return new RemoteLockManager([...clients.slice(index), ...clients.slice(0, index)]);
    }
    const tried = clients.map((client) => client.address).join(', ');
    throw new LockError('unreachable', `no node answers at ${tried}. Start one with \`maekawa node --id …\`, or name another with --address`);
  } catch (error) {
    await Promise.all(clients.map((client) => client.close()));
    throw error;
  }
}

/** @throws LockError when what answers is no node */
async function answers(client: NodeConnection): Promise<boolean> {
  try {
    await client.status(ANSWER_MS);
    return true;
  } catch (error) {
    if (!(error instanceof LockError) || error.code !== 'unreachable') throw error;
    return false;
  }
}

interface Candidates {
  readonly addresses: readonly string[];
  /** Of the configuration; an address that is given by hand is any cluster's. */
  readonly cluster?: string;
}

async function candidates({ config, address, node: id }: FindNodeOptions): Promise<Candidates> {
  if (address !== undefined) return { addresses: [address] };
  const { nodes, cluster } = readConfiguration(config);
  if (id !== undefined) {
    const node = nodes.find((each) => each.id === id);
    if (node === undefined) {
      throw new LockError('config', `${config} has no node ${JSON.stringify(id)}; give one of ${nodes.map((each) => each.id).join(', ')}`);
    }
    return { addresses: [node.address], cluster };
  }
  const local = await Promise.all(nodes.map((each) => isLocal(each.address)));
  const addresses = [...nodes.filter((_, i) => local[i]), ...nodes.filter((_, i) => !local[i])].map((each) => each.address);
  return { addresses, cluster };
}

async function isLocal(address: string): Promise<boolean> {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  const own = new Set(Object.values(networkInterfaces()).flatMap((list) => list ?? []).map((each) => each.address));
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.some((each) => own.has(each.address) || each.address.startsWith('127.') || each.address === '::1');
}
