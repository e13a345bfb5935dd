/**
 * The same locks from a process that is no node: `connect({ addresses })`. Asks one node at a time and
 * goes on to the next when it does not answer. Law: a lock belongs to the node that granted it; when that
 * node or the way to it is lost, so is the lock, and never quietly taken anew elsewhere.
 */
import { LockError } from '../errors';
import type { LockErrorCode } from '../errors';
import { either, onAbort } from '../locks/abort';
import { BaseLockManager } from '../locks/base';
import type { Tell } from '../locks/latest';
import { IF_AVAILABLE_MS } from '../locks/managed-lock';
import type { ManagedLock, ManagerTime } from '../locks/managed-lock';
import { readScope } from '../locks/request-arguments';
import { SharedAnswer } from '../locks/shared-answer';
import type { ClusterSnapshot, Leader, LockManagerSnapshot, QueryOptions } from '../locks/types';
import { reasonOfSilence } from './node-connection';
import type { NodeConnection } from './node-connection';
import { mayBeKept } from './remote-lock';
import type { RemoteOptions } from './remote-lock';

/** How long a node may take to answer a question. One that asks all others gives each as long, twice where it begins anew for those that came meanwhile. */
const QUERY_MS = 1_500;
const QUERY_CLUSTER_MS = 4_000;
/** When no node answers, all are tried again after so long; sooner towards the end of the patience, until so little is left. */
const RETRY_MS = 250;
const LAST_RETRY_MS = 10;
/** A node says itself that it reaches no quorum; the others are asked so often at most whether they do. */
const HEALTH_MS = 1_000;

/** Why a request leaves its node for one that has a quorum; only the manager sees this. */
const LEFT = new LockError('unreachable', 'another node reaches a quorum');

/**
 * The node cannot be reached, or stops; or its grant came too late, for this process slept: nothing is held, so
 * another may be asked.
 */
const MAY_ASK_AGAIN: ReadonlySet<LockErrorCode> = new Set(['unreachable', 'closed', 'lost']);

/** Another node may answer, or this one later. */
function mayAskAgain(error: LockError): boolean {
  return MAY_ASK_AGAIN.has(error.code) || reasonOfSilence(error) !== null;
}

/** The locks of a process that is no node. Asks the first client first. */
export class RemoteLockManager extends BaseLockManager {
  protected override readonly time: ManagerTime = {
    nowMs: () => performance.now(),
    schedule: (callback, delayMs) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  };
  protected override readonly saysQueued = true;
  /** Which node to ask first: the last that answered. */
  private preferred = 0;
  private readonly closing = new AbortController();
  /** Nodes without a quorum, of which the others have just been asked. */
  private readonly lookedRound = new Set<NodeConnection>();
  /** However many callers of this process ask. */
  private readonly told = {
    cluster: new SharedAnswer(() => this.queryOnce('cluster')),
    node: new SharedAnswer(() => this.queryOnce('node')),
  };

  /** @param keeps what is free and wanted by nobody else is kept here */
  constructor(
    private readonly clients: readonly NodeConnection[],
    private readonly keeps = false,
  ) {
    super();
    for (const client of clients) client.onNoQuorum = () => void this.lookRound(client);
  }

  /** Call back for each lock, or request for one, of whose end its node has said that it knows. Takes the place of an earlier listener. */
  onHeard(listener: (lock: string) => void): void {
    for (const client of this.clients) client.onHeard = listener;
  }

  async close(): Promise<void> {
    const reason = new LockError('closed', 'the connection to the cluster was closed');
    this.closing.abort(reason);
    this.refuseSeekers(reason);
    await Promise.all(this.clients.map((client) => client.close()));
  }

  /** Asks one node after the other, round and round, until one answers or the time is up. */
  override begin(name: string, asked: RemoteOptions): Promise<ManagedLock> {
    const { client } = this;
    const options = this.keeps && mayBeKept(name, asked) ? { ...asked, keep: true } : asked;
    const askedMs = performance.now();
    const releasing = options.ifAvailable === true ? this.clients.filter((each) => each.isReleasing(name)) : [];
    if (releasing.length > 0) return this.seek(name, options, askedMs, null, releasing);
    // As a rule the first answers, and this is all.
    return client.acquire(name, options).catch((error: unknown) => this.seek(name, options, askedMs, { client, error }));
  }

  /** @param first what the first that was asked said; null: none was */
  private async seek(
    name: string, options: RemoteOptions, askedMs: number,
    first: { readonly client: NodeConnection; readonly error: unknown } | null, releasing: readonly NodeConnection[] = [],
  ): Promise<ManagedLock> {
    const patienceMs = options.waitMs ?? (options.ifAvailable === true ? IF_AVAILABLE_MS : Infinity);
    const deadlineMs = askedMs + patienceMs;
    const giveUp = either(this.closing.signal, options.signal);
    try {
      // What this process has just released is free, and the node must know so before it says no. Otherwise it is asked at
      // once: requests are made in the order of the calls.
      if (releasing.length > 0) await Promise.all(releasing.map((each) => each.untilTold(IF_AVAILABLE_MS)));
      let client = first?.client ?? this.client;
      let answer: Outcome | null = first === null ? null : { error: first.error };
      const failures = new Map<NodeConnection, LockError>();
      for (let failed = 0; ; ) {
        giveUp.signal.throwIfAborted();
        answer ??= await outcome(client.acquire(name, { ...options, ...patienceLeft(patienceMs, deadlineMs), signal: giveUp.signal }));
        if ('lock' in answer) return answer.lock;
        const { error } = answer;
        answer = null;
        giveUp.signal.throwIfAborted();
        if (error === LEFT) {
          ({ client } = this);
          failed = 0;
          continue;
        }
        if (!(error instanceof LockError) || !mayAskAgain(error)) throw error;
        failures.set(client, error);
        client = this.passOver(client);
        failed++;
        if (failed % this.clients.length > 0) continue;
        // What must be mended does not pass by waiting.
        const isInVain = [...failures.values()].every((each) => each.code === 'protocol');
        const nowMs = performance.now();
        if (isInVain || deadlineMs - nowMs < LAST_RETRY_MS) throw this.noNode(name, nowMs - askedMs, failures);
        await pause(Math.min(RETRY_MS, (deadlineMs - nowMs) / 2), giveUp.signal);
        ({ client } = this);
      }
    } finally {
      giveUp.forget();
    }
  }

  /** Those who wait at a node without a quorum go to one that has one, if there is any. */
  private async lookRound(client: NodeConnection): Promise<void> {
    if (this.clients.length === 1 || this.lookedRound.has(client)) return;
    this.lookedRound.add(client);
    setTimeout(() => this.lookedRound.delete(client), HEALTH_MS).unref();
    const others = this.clients.filter((each) => each !== client);
    const serve = await Promise.all(others.map((other) => other.isServing(QUERY_MS)));
    const better = others.find((_, index) => serve[index]);
    if (better === undefined || this.closing.signal.aborted) return;
    this.preferred = this.clients.indexOf(better);
    client.leave(LEFT);
  }

  /** Only the nodes know. */
  protected override isTakenHere(): boolean {
    return false;
  }

  query(options?: QueryOptions & { readonly scope?: 'cluster' }): Promise<ClusterSnapshot>;
  query(options: QueryOptions): Promise<LockManagerSnapshot>;
  async query(options: QueryOptions = {}): Promise<LockManagerSnapshot | ClusterSnapshot> {
    const scope = readScope(options);
    const told = await this.told[scope].ask();
    // A list of its own for each: callers may change it.
    return { ...told, held: [...told.held], pending: [...told.pending] };
  }

  private async queryOnce(scope: 'cluster' | 'node'): Promise<LockManagerSnapshot | ClusterSnapshot> {
    await Promise.all(this.clients.map((client) => client.untilTold(QUERY_MS)));
    let { client } = this;
    for (let failed = 0; ; ) {
      this.closing.signal.throwIfAborted();
      try {
        return await (scope === 'node' ? client.query(QUERY_MS) : client.queryCluster(QUERY_CLUSTER_MS));
      } catch (error) {
        this.closing.signal.throwIfAborted();
        if (!(error instanceof LockError) || !mayAskAgain(error) || ++failed === this.clients.length) throw error;
        client = this.passOver(client);
      }
    }
  }

  /** Through one node, and through the next when that does not answer. */
  protected override followLeader(name: string, tell: Tell<Leader | null>): () => void {
    const stops: (() => void)[] = [];
    const stop = (): void => stops.splice(0).forEach((each) => each());
    const end = (reason: unknown): void => {
      stop();
      tell.end(reason);
    };
    if (this.closing.signal.aborted) {
      end(this.closing.signal.reason);
      return stop;
    }
    let failed = 0;
    const through = (client: NodeConnection): void => {
      let isOver = false;
      const cancel = client.observe(name, (leader) => {
        failed = 0;
        if (!isOver) tell.value(leader);
      }, (error) => {
        if (isOver) return;
        stop();
        if (!mayAskAgain(error) || error.code === 'protocol') return end(error);
        const next = this.passOver(client);
        const isRound = ++failed % this.clients.length === 0;
        if (isRound) tell.value(null);
        // Not all that lost their node at one time come to the next at one time.
        const timer = setTimeout(() => through(next), (isRound ? RETRY_MS : 0) + Math.random() * RETRY_MS);
        listen(() => clearTimeout(timer));
      });
      listen(() => {
        isOver = true;
        cancel();
      });
    };
    const listen = (stopThis: () => void): void => {
      stops.push(onAbort(this.closing.signal, () => end(this.closing.signal.reason)), stopThis);
    };
    through(this.client);
    return stop;
  }

  private get client(): NodeConnection {
    const client = this.clients[this.preferred];
    if (client === undefined) throw new RangeError('a remote manager has at least one client');
    return client;
  }

  /**
   * The one to ask after this one, which did not answer. Each request goes its own way round, so that it asks all: of
   * several that fail at one node together only the first says which is preferred from now on.
   */
  private passOver(silent: NodeConnection): NodeConnection {
    const index = this.clients.indexOf(silent);
    const next = (index + 1) % this.clients.length;
    if (this.preferred === index) this.preferred = next;
    return this.clients[next] ?? silent;
  }

  /** @param failures why each of the nodes was passed over */
  private noNode(name: string, waitedMs: number, failures: ReadonlyMap<NodeConnection, LockError>): LockError {
    const told = [...failures].map(([{ address }, error]) => `${address} (${reasonOfSilence(error) ?? error.message})`).join(', ');
    const causes = [...failures.values()];
    return new LockError(
      causes.every(({ code }) => code === 'protocol') ? 'protocol' : 'unreachable',
      `no node answered for the lock ${JSON.stringify(name)} within ${Math.round(waitedMs)} ms; tried ${told}. Start a node there with \`maekawa node\`, or name others`,
      { cause: causes.at(-1) },
    );
  }
}

type Outcome = { readonly lock: ManagedLock } | { readonly error: unknown };

async function outcome(lock: Promise<ManagedLock>): Promise<Outcome> {
  try {
    return { lock: await lock };
  } catch (error) {
    return { error };
  }
}

function patienceLeft(patienceMs: number, deadlineMs: number): { readonly waitMs?: number } {
  return patienceMs === Infinity ? {} : { waitMs: Math.max(0, Math.round(deadlineMs - performance.now())) };
}

function pause(forMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stopListening();
      resolve();
    }, forMs);
    const stopListening = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}
