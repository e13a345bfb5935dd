/**
 * The same locks from a process that is no node: `connect({ addresses })`. Asks one node at a time and
 * goes on to the next when it does not answer. Law: a lock belongs to the node that granted it; when that
 * node or the way to it is lost, so is the lock, and never quietly taken anew elsewhere.
 */
import { LockError } from '../errors';
import type { LockErrorCode } from '../errors';
import { BaseLockManager, IF_AVAILABLE_MS } from '../locks/base';
import type { ManagedLock } from '../locks/base';
import type { ClusterSnapshot, LockManager, LockManagerSnapshot, QueryOptions } from '../locks/types';
import { loadClientTls } from '../transport/tls';
import type { TlsFiles } from '../transport/tls';
import { LocksClient } from './client';
import type { RemoteOptions } from './client';

/** How long a node may take to answer a question. */
const QUERY_MS = 1_500;
/** When no node answers, all are tried again after so long. */
const RETRY_MS = 250;

/**
 * The node cannot be reached, or stops, or this process slept so long while it waited that the node took it
 * for dead: nothing is held, so another may be asked.
 */
const MAY_ASK_AGAIN: ReadonlySet<LockErrorCode> = new Set(['unreachable', 'closed', 'lost']);

export interface ConnectOptions {
  /** `host:port` of nodes, the preferred one first. */
  readonly addresses: readonly string[];
  /** What the nodes were started with. */
  readonly tls?: TlsFiles;
}

export interface RemoteLocks {
  readonly locks: LockManager;
  /** Gives up what waits and releases what is held. */
  readonly close: () => void;
}

/**
 * Does not wait for a connection: each request finds a node that answers.
 * @throws LockError `config` when no address is given or a TLS file cannot be read
 */
export function connect({ addresses, tls }: ConnectOptions): RemoteLocks {
  if (addresses.length === 0) throw new LockError('config', 'connect needs the address of at least one node, such as 127.0.0.1:7001');
  const material = tls === undefined ? undefined : loadClientTls(tls);
  const manager = new RemoteLockManager(addresses.map((address) => new LocksClient(address, material)));
  return { locks: manager, close: () => manager.close() };
}

/** The locks of a process that is no node. Asks the first client first. */
export class RemoteLockManager extends BaseLockManager {
  /** Which node to ask first: the last that answered. */
  private preferred = 0;
  private readonly closing = new AbortController();

  constructor(private readonly clients: readonly LocksClient[]) {
    super();
  }

  close(): void {
    this.closing.abort(new LockError('closed', 'the connection to the cluster was closed'));
    for (const client of this.clients) client.close();
  }

  /** Asks one node after the other, round and round, until one answers or the time is up. */
  override async begin(name: string, options: RemoteOptions): Promise<ManagedLock> {
    const patienceMs = options.waitMs ?? (options.ifAvailable === true ? IF_AVAILABLE_MS : Infinity);
    const deadlineMs = performance.now() + patienceMs;
    const giveUp = either(this.closing.signal, options.signal);
    try {
      for (let failed = 0; ; ) {
        giveUp.signal.throwIfAborted();
        const leftMs = failed === 0 ? patienceMs : deadlineMs - performance.now();
        try {
          const left = leftMs === Infinity ? {} : { waitMs: Math.max(0, Math.round(leftMs)) };
          return await this.client.acquire(name, { ...options, ...left, signal: giveUp.signal });
        } catch (error) {
          if (!(error instanceof LockError) || !MAY_ASK_AGAIN.has(error.code)) throw error;
          giveUp.signal.throwIfAborted();
          this.preferred = (this.preferred + 1) % this.clients.length;
          failed++;
          if (failed % this.clients.length > 0) continue;
          if (performance.now() + RETRY_MS > deadlineMs) throw this.noNode(name, error);
          await pause(RETRY_MS, giveUp.signal);
        }
      }
    } finally {
      giveUp.forget();
    }
  }

  query(options?: QueryOptions & { readonly scope?: 'node' }): Promise<LockManagerSnapshot>;
  query(options: QueryOptions): Promise<ClusterSnapshot>;
  async query({ scope = 'node' }: QueryOptions = {}): Promise<ClusterSnapshot> {
    if (scope === 'node') return { ...(await this.client.query(QUERY_MS)), unanswered: [] };
    const answers = await Promise.all(this.clients.map((client) => client.query(QUERY_MS).catch(() => null)));
    const snapshots = answers.filter((each) => each !== null);
    return {
      held: snapshots.flatMap((each) => each.held),
      pending: snapshots.flatMap((each) => each.pending),
      unanswered: this.clients.filter((_, index) => answers[index] === null).map((client) => client.address),
    };
  }

  private get client(): LocksClient {
    const client = this.clients[this.preferred];
    if (client === undefined) throw new RangeError('a remote manager has at least one client');
    return client;
  }

  private noNode(name: string, cause: LockError): LockError {
    const addresses = this.clients.map((client) => client.address).join(', ');
    return new LockError('unreachable', `no node answered for the lock ${JSON.stringify(name)}; tried ${addresses}`, { cause });
  }
}

/** Aborts when the first of both does. */
function either(a: AbortSignal, b: AbortSignal | undefined): { readonly signal: AbortSignal; forget(): void } {
  const controller = new AbortController();
  const signals = b === undefined ? [a] : [a, b];
  const onAbort = (event: Event): void => controller.abort((event.target as AbortSignal).reason);
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    signal.addEventListener('abort', onAbort);
  }
  return {
    signal: controller.signal,
    forget: () => {
      for (const signal of signals) signal.removeEventListener('abort', onAbort);
    },
  };
}

function pause(forMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, forMs);
    signal.addEventListener('abort', onAbort);
  });
}
