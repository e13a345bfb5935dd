/**
 * What a node asks of the others through their service for clients: what they hold. It is for people and
 * for `ifAvailable`; no vote depends on it. Connections are made when they are first needed.
 */
import type { QueryReply } from '../client-protocol/schema';
import type { NodeId } from '../core';
import type { LockChange, LockManagerSnapshot } from '../locks/types';
import { NodeConnection } from './node-connection';
import type { ConnectionOptions } from './node-connection';

/** How long another node may take to say what it holds. */
const QUERY_MS = 1_500;

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
  async query(): Promise<ReadonlyMap<NodeId, LockManagerSnapshot | null>> {
    if (this.isClosed) return new Map([...this.addresses.keys()].map((id) => [id, null]));
    const answers = this.connected().map(async ([id, client]) => [id, await client.query(QUERY_MS).catch(() => null)] as const);
    return new Map(await Promise.all(answers));
  }

  /** One page of each, of about so many bytes: the first, or of those that are named the one that this token stands for. Null for a node that does not answer in time. */
  async queryPage(tokens: ReadonlyMap<NodeId, string> | undefined, pageBytes: number): Promise<ReadonlyMap<NodeId, QueryReply | null>> {
    const asked = this.connected().filter(([id]) => tokens === undefined || tokens.has(id));
    const answers = asked.map(async ([id, client]) => [id, await client.queryPage(QUERY_MS, tokens?.get(id) ?? '', pageBytes).catch(() => null)] as const);
    return new Map(await Promise.all(answers));
  }

  /** Each change of who holds the lock through another node, beginning with those who hold it now. Returns how to stop it. */
  watch(name: string, listener: (change: LockChange) => void): () => void {
    let stops: (() => void)[] = [];
    const headStart = setTimeout(() => {
      stops = this.connected().map(([, client]) => client.watch(name, (change) => {
        if (change.change !== 'missed') listener(change);
      }, () => undefined));
    }, HEAD_START_MS);
    return () => {
      clearTimeout(headStart);
      for (const stop of stops) stop();
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
