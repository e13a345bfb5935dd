/** Which node a command talks to: the one named, or the first of the configuration that answers, this machine's first. */
import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Option } from 'commander';
import { readConfiguration } from '../config';
import type { Configuration } from '../config';
import type { NodeId } from '../core';
import { LockError } from '../errors';
import type { StatusReply } from '../client-protocol/schema';
import { NodeConnection, reasonOfSilence } from '../client/node-connection';
import { RemoteLockManager } from '../client/remote';
import { hostOf } from '../transport/channel';
import { NODE_OPTIONS, clientTlsOf, parseAddress, unknownNode } from './options';
import type { TlsOptions } from './options';

/** How long a node that listens may take to answer. */
const ANSWER_MS = 1_000;
/** When none answers, all are asked again after so long. */
const AGAIN_MS = 250;

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

export interface FoundNode {
  readonly manager: RemoteLockManager;
  /** Which cluster the node belongs to, and how its quorums are made. */
  readonly cluster: string;
  /** Why no lock can be had through any of the nodes now; null if one can be. */
  readonly whyNone: () => Promise<string | null>;
}

export interface Patience {
  /** How long a node may take to come up. */
  readonly waitMs: number;
  /** Called when none answers, and looked for again. */
  readonly onNone: (why: string) => void;
}

/**
 * The locks of a node that answers. The caller closes them.
 * @throws LockError `unreachable` when none does, `protocol` when there is no talking to any that was tried, `config` for a wrong configuration or node id; the signal's reason
 */
export async function findNode(options: FindNodeOptions, { waitMs, onNone }: Patience, signal: AbortSignal): Promise<FoundNode> {
  const deadlineMs = performance.now() + waitMs;
  answerSooner();
  const tls = clientTlsOf(options);
  signal.throwIfAborted();
  const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  aborted.catch(() => undefined);
  // A name server that does not answer takes longer than anybody wants to wait for the end.
  const { nodes, cluster } = await Promise.race([candidates(options), aborted]);
  const clients = nodes.map(({ id, address }) => new NodeConnection(address, { tls, cluster, node: id }));
  try {
    for (;;) {
      const silences: LockError[] = [];
      for (const [index, client] of clients.entries()) {
        const answer = await Promise.race([statusOf(client), aborted]);
        if (answer instanceof LockError) {
          silences.push(answer);
          continue;
        }
        // Should it stop while a lock is waited for, the others are asked.
        const manager = new RemoteLockManager([...clients.slice(index), ...clients.slice(0, index)]);
        return { manager, cluster: `${answer.cluster} ${answer.layout}`, whyNone: () => whyNone(clients) };
      }
      const [only] = silences;
      const why = noneOf(clients, silences);
      // Waiting does not teach anybody another protocol.
      const code = silences.every((each) => each.code === 'protocol') ? 'protocol' : 'unreachable';
      if (code === 'protocol' || performance.now() + AGAIN_MS > deadlineMs) {
        if (only !== undefined && silences.length === 1) throw only;
        throw new LockError(code, `${why}. Start one with \`maekawa node --id …\`, or name another with --address`);
      }
      onNone(why);
      await Promise.race([sleep(AGAIN_MS), aborted]);
    }
  } catch (error) {
    await Promise.all(clients.map((client) => client.close()));
    throw error;
  }
}

/** gRPC asks this of each address. Node.js 20 makes a large automaton to answer, and what has no colon needs none. */
function answerSooner(): void {
  const { isIPv6 } = net;
  net.isIPv6 = (text) => text.includes(':') && isIPv6(text);
}

function noneOf(clients: readonly NodeConnection[], silences: readonly LockError[]): string {
  return `no node answers at ${clients.map(({ address }, index) => `${address} (${reasonOfSilence(silences[index]) ?? 'no answer'})`).join(', ')}`;
}

async function whyNone(clients: readonly NodeConnection[]): Promise<string | null> {
  const all = await Promise.all(clients.map((client) => statusOf(client).catch((error: unknown) => error)));
  const silences = all.filter((each) => each instanceof LockError);
  const answers = all.filter((each): each is StatusReply => !(each instanceof Error));
  const [first] = answers;
  if (first === undefined) return noneOf(clients, silences);
  // A node of a version that does not tell is taken for one that serves.
  return answers.some(({ state }) => state?.servesLocks ?? true) ? null : `node ${first.node}: ${first.state?.text ?? ''}`;
}

/** Its status, or why it does not answer. @throws LockError when it refuses: it is a node of another cluster */
async function statusOf(client: NodeConnection): Promise<StatusReply | LockError> {
  try {
    return await client.status(ANSWER_MS);
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
    if (node === undefined) throw unknownNode(config, id, nodes);
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
  const own = new Set(Object.values(networkInterfaces()).flatMap((list) => list ?? []).map((each) => each.address));
  const found = await lookup(hostOf(address), { all: true }).catch(() => []);
  return found.some((each) => own.has(each.address) || each.address.startsWith('127.') || each.address === '::1');
}
