/** Which node a command talks to: the one named, or the first of the configuration that answers, this machine's first. */
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { Option } from 'commander';
import { readConfiguration } from '../config';
import type { Configuration } from '../config';
import type { NodeId } from '../core';
import { LockError } from '../errors';
import { NodeConnection, reasonOfSilence } from '../client/node-connection';
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
 * @throws LockError `unreachable` when none does, `protocol` when there is no talking to any that was tried, `config` for a wrong configuration or node id; the signal's reason
 */
export async function findNode(options: FindNodeOptions, signal: AbortSignal): Promise<RemoteLockManager> {
  const tls = clientTlsOf(options);
  signal.throwIfAborted();
  const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  aborted.catch(() => undefined);
  // A name server that does not answer takes longer than anybody wants to wait for the end.
  const { nodes, cluster } = await Promise.race([candidates(options), aborted]);
  const clients = nodes.map(({ id, address }) => new NodeConnection(address, { tls, cluster, node: id }));
  try {
    const silences: LockError[] = [];
    for (const [index, client] of clients.entries()) {
      const silence = await Promise.race([silenceOf(client), aborted]);
      if (silence !== null) {
        silences.push(silence);
        continue;
      }
      // Should it stop while a lock is waited for, the others are asked.
      return new RemoteLockManager([...clients.slice(index), ...clients.slice(0, index)]);
    }
    const [only] = silences;
    if (only !== undefined && silences.length === 1) throw only;
    const tried = clients.map(({ address }, index) => `${address} (${reasonOfSilence(silences[index]) ?? 'no answer'})`).join(', ');
    const code = silences.every((each) => each.code === 'protocol') ? 'protocol' : 'unreachable';
    throw new LockError(code, `no node answers at ${tried}. Start one with \`maekawa node --id …\`, or name another with --address`);
  } catch (error) {
    await Promise.all(clients.map((client) => client.close()));
    throw error;
  }
}

/** Why it does not answer; null when it does. @throws LockError when it refuses: it is a node of another cluster */
async function silenceOf(client: NodeConnection): Promise<LockError | null> {
  try {
    await client.status(ANSWER_MS);
    return null;
  } catch (error) {
    if (!(error instanceof LockError) || reasonOfSilence(error) === null) throw error;
    return error;
  }
}

interface Candidates {
  readonly nodes: readonly { readonly address: string; readonly id?: NodeId }[];
  /** Of the configuration; an address that is given by hand is any cluster's. */
  readonly cluster?: string;
}

async function candidates({ config, address, node: id }: FindNodeOptions): Promise<Candidates> {
  if (address !== undefined) return { nodes: [nodeAt(address, config)] };
  const { nodes, cluster } = readConfiguration(config);
  if (id !== undefined) {
    const node = nodes.find((each) => each.id === id);
    if (node === undefined) {
      throw new LockError('config', `${config} has no node ${JSON.stringify(id)}; give one of ${nodes.map((each) => each.id).join(', ')}`);
    }
    return { nodes: [node], cluster };
  }
  const local = await Promise.all(nodes.map((each) => isLocal(each.address)));
  return { nodes: [...nodes.filter((_, i) => local[i]), ...nodes.filter((_, i) => !local[i])], cluster };
}

/** With TLS the certificate there must name the node, if the address is in a configuration that can be read, else the host. */
function nodeAt(address: string, config: string): { readonly address: string; readonly id?: NodeId } {
  let configuration: Configuration;
  try {
    configuration = readConfiguration(config);
  } catch {
    return { address }; // An address needs no configuration.
  }
  return configuration.nodes.find((each) => each.address === address) ?? { address };
}

async function isLocal(address: string): Promise<boolean> {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  const own = new Set(Object.values(networkInterfaces()).flatMap((list) => list ?? []).map((each) => each.address));
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.some((each) => own.has(each.address) || each.address.startsWith('127.') || each.address === '::1');
}
