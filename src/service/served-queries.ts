/**
 * Answers the questions of clients: what is held and what waits, here or in the whole cluster, and what the node knows. Law: an
 * answer is one bounded page, and however many ask, the node asks its peers for few at a time.
 */
import type { LockInfoMessage, QueryReply, StatusReply } from '../client-protocol/schema';
import type { LockName, NodeId } from '../core';
import type { NodeLockManager } from '../locks/lock-manager';
import { LockNames, PAGE_BYTES, clusterToken, queryPage, readClusterToken } from './pages';
import { statusPage } from './replies';
import type { ServedNode } from './served-node';
import { SharedAnswer } from '../locks/shared-answer';

/** About so many bytes are in a page of the whole cluster: a share of each node. */
const CLUSTER_PAGE_BYTES = 2 ** 20;
const SHARE_BYTES_MIN = 2 ** 13;

/** So many further pages of the whole cluster are made at once; who asks for more waits in line. */
const CLUSTER_PAGES_AT_ONCE = 4;

/** The question cannot be answered, for the page token is none that this node gave. */
export const BAD_TOKEN = 'the page token is none that this node gave; begin again without one';

export class ServedQueries {
  private readonly names: LockNames;
  private readonly decided: SharedAnswer<void>;
  private readonly firstOfPeers: SharedAnswer<ReadonlyMap<NodeId, QueryReply | null>>;
  private readonly line: (() => void)[] = [];
  private made = 0;

  constructor(
    private readonly node: ServedNode,
    private readonly locks: NodeLockManager,
  ) {
    this.names = new LockNames(() => node.lockNames());
    this.decided = new SharedAnswer(() => locks.untilAllDecided());
    this.firstOfPeers = new SharedAnswer(() => node.queryPeers(undefined, this.shareBytes));
  }

  /** Null: the token is none that this node gave. */
  status(token: string): StatusReply | null {
    return /^\d{0,9}$/.test(token) ? statusPage(this.node, this.names, Number(token)) : null;
  }

  /** Null: the token is none that this node gave. `bytes` 0: as the node sees fit. */
  async own(token: string, bytes: number): Promise<QueryReply | null> {
    if (token === '') await this.decided.ask();
    return queryPage(this.locks, token, bytes === 0 ? PAGE_BYTES : Math.min(bytes, PAGE_BYTES));
  }

  /** The same of one lock, as it is at this moment. */
  ofLock(name: LockName, token: string): QueryReply | null {
    const { locks } = this;
    return queryPage({ heldAbove: (place) => locks.heldAbove(place, name), pendingAbove: (place) => locks.pendingAbove(place, name) }, token);
  }

  async cluster(token: string): Promise<QueryReply | null> {
    const tokens = token === '' ? undefined : readClusterToken(token);
    if (tokens === null) return null;
    const { id } = this.node;
    const fromPeers = tokens === undefined ? this.firstOfPeers.ask() : this.inLine(() => this.node.queryPeers(tokens, this.shareBytes));
    const ownToken = tokens === undefined ? '' : tokens.get(id);
    const [peers, own] = await Promise.all([fromPeers, ownToken === undefined ? undefined : this.own(ownToken, this.shareBytes)]);
    if (own === null) return null;
    const pages = new Map<NodeId, QueryReply | null>([...(own === undefined ? [] : [[id, own] as const]), ...peers]);
    const answers = [...pages.values()].filter((page) => page !== null);
    return {
      held: answers.flatMap(({ held }) => held),
      pending: answers.flatMap(({ pending }) => pending),
      unanswered: [...pages].flatMap(([node, page]) => (page === null ? [node] : [])),
      nextPageToken: clusterToken([...pages].map(([node, page]) => [node, page?.nextPageToken ?? ''])),
    };
  }

  private get shareBytes(): number {
    return Math.min(PAGE_BYTES, Math.max(SHARE_BYTES_MIN, Math.floor(CLUSTER_PAGE_BYTES / this.node.configuration.nodes.length)));
  }

  private async inLine<Page>(make: () => Promise<Page>): Promise<Page> {
    if (this.made === CLUSTER_PAGES_AT_ONCE) await new Promise<void>((resolve) => this.line.push(resolve));
    else this.made++;
    try {
      return await make();
    } finally {
      const next = this.line.shift();
      if (next === undefined) this.made--;
      else next();
    }
  }
}

/** About how many bytes a page takes. */
export function bytesOfQuery({ held, pending }: QueryReply): number {
  const bytes = (entries: readonly LockInfoMessage[]): number => entries.reduce((sum, { lock, label }) => sum + lock.length + label.length + 60, 100);
  return bytes(held) + bytes(pending);
}

/** About how many bytes it takes. */
export function bytesOfStatus({ locks }: StatusReply): number {
  return locks.reduce((sum, { lock, grants, queue }) => sum + lock.length + 20 * (grants.length + queue.length) + 60, 2_000);
}
