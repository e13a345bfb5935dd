/**
 * What a node asks of the others through their service for clients: what they hold. It is for people and
 * for `ifAvailable`; no vote depends on it. Connections are made when they are first needed.
 */
import type { QueryReply } from '../client-protocol/schema';
import type { NodeId } from '../core';
import type { LockChange, LockInfo, LockManagerSnapshot } from '../locks/types';
import { NodeConnection } from './node-connection';
import type { ConnectionOptions } from './node-connection';

/** How long another node may take to say what it holds. */
const QUERY_MS = 1_500;

/** A node that could not be watched is watched anew after so long. */
const WATCH_AGAIN_MS = 1_000;

/** A lock that is free is granted within this, as a rule, and then nobody needs to be asked. */
const HEAD_START_MS = 5;

export class PeerClients {
  private readonly clients = new Map<NodeId, NodeConnection>();
  private isClosed = false;

  constructor(
    private readonly addresses: ReadonlyMap<NodeId, string>,
    private readonly options: Pick<ConnectionOptions, 'tls' | 'cluster'>,
  ) {}

  /** Null for a node that does not answer in time; once closed, for all. */
  query(): Promise<ReadonlyMap<NodeId, LockManagerSnapshot | null>> {
    if (this.isClosed) return Promise.resolve(new Map([...this.addresses.keys()].map((id) => [id, null])));
    return askEach(this.connected(), (client) => client.query(QUERY_MS));
  }

  /** One page of each, of about so many bytes: the first, or of those that are named the one that this token stands for. Null for a node that does not answer in time. */
  queryPage(tokens: ReadonlyMap<NodeId, string> | undefined, pageBytes: number): Promise<ReadonlyMap<NodeId, QueryReply | null>> {
    const asked = this.connected().filter(([id]) => tokens === undefined || tokens.has(id));
    return askEach(asked, (client, id) => client.queryPage(QUERY_MS, tokens?.get(id) ?? '', pageBytes));
  }

  /** Who holds this lock through each of them. Null for a node that does not answer in time. */
  holdersOf(name: string): Promise<ReadonlyMap<NodeId, readonly LockInfo[] | null>> {
    return askEach(this.connected(), (client) => client.holdersOf(name, QUERY_MS));
  }

  /**
   * Each change of who holds the lock through another node, beginning with those who hold it now, again when a node is watched
   * anew. Of a node that does not answer nothing is heard. Returns how to stop it.
   */
  watch(name: string, listener: (change: LockChange) => void): () => void {
    const stops = new Map<NodeId, () => void>();
    let timers: NodeJS.Timeout[] = [];
    const after = (ms: number, what: () => void): void => {
      const timer = setTimeout(() => {
        timers = timers.filter((each) => each !== timer);
        what();
      }, ms);
      timers.push(timer);
    };
    const follow = (id: NodeId, client: NodeConnection): void => {
      if (this.isClosed) return;
      const stop = client.watch(name, (change) => {
        if (change.change !== 'missed') listener(change);
      }, () => {
        if (stops.get(id) === stop) after(WATCH_AGAIN_MS, () => follow(id, client));
      });
      stops.set(id, stop);
    };
    after(HEAD_START_MS, () => {
      for (const [id, client] of this.connected()) follow(id, client);
    });
    return () => {
      const all = [...stops.values()];
      stops.clear();
      for (const timer of timers) clearTimeout(timer);
      for (const stop of all) stop();
    };
  }

  close(): void {
    this.isClosed = true;
    for (const client of this.clients.values()) void client.close();
    this.clients.clear();
  }

  private connected(): [NodeId, NodeConnection][] {
    if (this.isClosed) return [];
    for (const [id, address] of this.addresses) {
      if (!this.clients.has(id)) this.clients.set(id, new NodeConnection(address, { ...this.options, node: id }));
    }
    return [...this.clients];
  }
}

/** Null for one that does not answer in time. */
async function askEach<Answer>(
  clients: readonly (readonly [NodeId, NodeConnection])[], ask: (client: NodeConnection, id: NodeId) => Promise<Answer>,
): Promise<ReadonlyMap<NodeId, Answer | null>> {
  return new Map(await Promise.all(clients.map(async ([id, client]) => [id, await ask(client, id).catch(() => null)] as const)));
}
