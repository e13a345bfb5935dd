/**
 * A connection to one node, for a process that is none: asks for its locks, and what it knows.
 * Law: what a gRPC error means to those who use locks is said here, once.
 */
import * as grpc from '@grpc/grpc-js';
import { healthCheck } from '../client-protocol/discovery';
import { LOCKS_SERVICE, locksMethods } from '../client-protocol/schema';
import type { ObserveEventMessage, QueryReply, StatusReply, WatchEventMessage } from '../client-protocol/schema';
import { CLUSTER_KEY, changeOf, leaderOf, lockBytes, lockInfoOf } from '../client-protocol/wire-words';
import { LockError } from '../errors';
import type { ManagedLock } from '../locks/managed-lock';
import type { NodeId } from '../core';
import type { ClusterSnapshot, Leader, LockChange, LockInfo, LockManagerSnapshot } from '../locks/types';
import { TimeWithSleep } from '../runtime/monotonic-time';
import { channelTo } from '../transport/channel';
import { connectionFault, type ConnectionFault } from '../transport/connection-fault';
import type { TlsMaterial, TlsSource } from '../transport/tls';
import { visible } from '../visible';
import { NodeSession } from './node-session';
import type { RemoteOptions } from './remote-lock';

/** More pages of an answer nobody reads: about 64 MB. */
const PAGES_MAX = 256;

/** Nor does anybody wait for longer than this, however many there are. */
const ALL_PAGES_MS = 10_000;

export interface ConnectionOptions {
  readonly tls?: TlsSource | undefined;
  /** Which node is meant, where the configuration is known: with TLS its certificate must name it. Left out, it must name the host. */
  readonly node?: NodeId | undefined;
  /** A node of a cluster with another name refuses every call. Left out, any node will do. */
  readonly cluster?: string | undefined;
}

/** A node tells at once who leads, or after it has asked the others. If it says nothing for so long, it counts as gone. */
const LEADER_MS = 4_000;

/** After certificates were renewed, the connection with the old ones is closed as soon as this has passed and nothing is open over it. */
const RETIRED_MS = 60_000;

/** How long nodes may take to notice that this process is done. */
const CLOSE_MS = 500;

/** The cause of an error that says that a node gave no answer. */
class NoAnswer extends Error {}

/** Why the node gave no answer, without the rest of the sentence; null when it gave one, a refusal too. */
export function reasonOfSilence(error: unknown): string | null {
  return error instanceof LockError && error.cause instanceof NoAnswer ? error.cause.message : null;
}

/** A connection to one node. */
export class NodeConnection {
  /** With certificates from before. */
  private readonly retired = new Set<grpc.Client>();
  private channel: { readonly client: grpc.Client; readonly tls: TlsMaterial | undefined } | undefined;
  private readonly time = new TimeWithSleep();
  /** With these its stream was opened. */
  private sessionTls: TlsMaterial | undefined;
  private readonly session: NodeSession;
  private closing: Promise<void> | undefined;
  /** Called when the node has said that it knows of the end of a lock, or of a request for one. */
  onHeard: (lock: string) => void = () => undefined;
  /** Called when the node says that it reaches no quorum, while a lock is wanted or held through it. */
  onNoQuorum: () => void = () => undefined;

  /** Goes with each call. */
  private readonly metadata = new grpc.Metadata();

  /** @param address `host:port` of a node. Connects when first used. */
  constructor(
    readonly address: string,
    private readonly options: ConnectionOptions = {},
  ) {
    const { cluster } = options;
    if (cluster !== undefined) this.metadata.set(CLUSTER_KEY, Buffer.from(cluster));
    this.session = new NodeSession({
      address,
      nowMs: () => this.time.nowMs(),
      open: () => {
        const { Session } = locksMethods();
        const { client } = this;
        this.sessionTls = this.channel?.tls;
        return client.makeBidiStreamRequest(Session.path, Session.requestSerialize, Session.responseDeserialize, this.metadata);
      },
      isOutdated: () => this.sessionTls !== options.tls?.material,
      failure: (error) => this.failure(error),
      onHeard: (lock) => this.onHeard(lock),
      onNoQuorum: () => this.onNoQuorum(),
    });
  }

  /** Connects with the certificates of the moment: when they were renewed, what is asked from then on goes over a new connection. */
  private get client(): grpc.Client {
    const tls = this.options.tls?.material;
    if (this.channel !== undefined && this.channel.tls === tls) return this.channel.client;
    if (this.channel !== undefined) this.retire(this.channel.client);
    const client = channelTo(this.address, this.options.node ?? null, tls, {
      // Only the lease says for how long a lock is held, and who waits asks elsewhere sooner. This ends what hangs on a machine that
      // vanished, and must not take a node for one when it, or this process, is busy for a second or two. A node with thousands of
      // clients pays for each ping as for a sign of life, so they are few.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.keepalive_permit_without_calls': 0,
      // A node that was down for long and is back is found within a second.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
    });
    this.channel = { client, tls };
    return client;
  }

  /** Streams that are open go on when it is closed; what is not on its way yet would fail, and gets time to be. */
  private retire(client: grpc.Client): void {
    this.retired.add(client);
    setTimeout(() => {
      this.retired.delete(client);
      client.close();
    }, RETIRED_MS).unref();
  }

  /**
   * Resolves when the lock is held. Rejects with LockError `timeout`, `no-quorum`, `closed`,
   * `unreachable` (no node answers), or with the signal's reason.
   */
  acquire(name: string, options: RemoteOptions = {}): Promise<ManagedLock> {
    return this.closing === undefined ? this.session.acquire(name, options) : Promise.reject(this.closedError());
  }

  /** Those who wait here are to ask elsewhere, for this reason. */
  leave(reason: LockError): void {
    this.session.leave(reason);
  }

  /** What the node says of itself, every page of it. @throws LockError `unreachable` when it does not answer in time, each page anew, or has not told all in ten seconds. */
  async status(withinMs: number): Promise<StatusReply> {
    const pages = await this.pages((pageToken, leftMs) => this.ask(locksMethods().Status, { pageToken }, Math.min(withinMs, leftMs)));
    return { ...(pages.at(-1) as StatusReply /* there is one at least */), locks: pages.flatMap(({ locks }) => locks) };
  }

  /** What is held and asked for through the node. @throws LockError `unreachable` when it does not answer in time, each page anew, or has not told all in ten seconds. */
  query(withinMs: number): Promise<LockManagerSnapshot> {
    return this.queryAll(false, withinMs);
  }

  /** The same of all nodes that this one reaches. @throws LockError `unreachable` when it does not answer in time, each page anew, or has not told all in ten seconds. */
  queryCluster(withinMs: number): Promise<ClusterSnapshot> {
    return this.queryAll(true, withinMs);
  }

  /** Who holds this lock through the node; of very many the first page. @throws LockError `unreachable` when it does not answer in time */
  async holdersOf(name: string, withinMs: number): Promise<readonly LockInfo[]> {
    const { held } = await this.ask(locksMethods().Query, { cluster: false, pageToken: '', pageBytes: 0, lock: lockBytes(name) }, withinMs);
    return held.map(lockInfoOf);
  }

  /** One page, of about so many bytes. @throws LockError `unreachable` when the node does not answer in time. */
  queryPage(withinMs: number, pageToken: string, pageBytes: number): Promise<QueryReply> {
    return this.ask(locksMethods().Query, { cluster: false, pageToken, pageBytes }, withinMs);
  }

  private async queryAll(cluster: boolean, withinMs: number): Promise<ClusterSnapshot> {
    const pages = await this.pages((pageToken, leftMs) => this.ask(locksMethods().Query, { cluster, pageToken, pageBytes: 0 }, Math.min(withinMs, leftMs)));
    return {
      held: pages.flatMap(({ held }) => held.map(lockInfoOf)),
      pending: pages.flatMap(({ pending }) => pending.map(lockInfoOf)),
      unanswered: [...new Set(pages.flatMap(({ unanswered }) => unanswered))],
    };
  }

  private async pages<Page extends { readonly nextPageToken: string }>(ask: (pageToken: string, leftMs: number) => Promise<Page>): Promise<Page[]> {
    const pages: Page[] = [];
    const deadlineMs = performance.now() + ALL_PAGES_MS;
    for (let token = ''; pages.length === 0 || token !== ''; ) {
      if (pages.length === PAGES_MAX) throw new LockError('protocol', `the node at ${this.address} has more to tell than ${PAGES_MAX} pages`);
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw this.unanswered({ code: 'unreachable', reason: `it had not told all within ${ALL_PAGES_MS} ms` }, undefined);
      const page = await ask(token, leftMs);
      pages.push(page);
      token = page.nextPageToken;
    }
    return pages;
  }

  /** Until the node knows of every request that was made and of every lock that was released, or `withinMs` have passed. */
  untilTold(withinMs: number): Promise<void> {
    return within(withinMs, this.session.untilHeard());
  }

  /** Whether the node may not know yet that this lock was released here, or no longer waited for. */
  isReleasing(name: string): boolean {
    return this.session.isReleasing(name);
  }

  /** Whether a lock can be had through the node: it answers, and reaches a quorum. */
  async isServing(withinMs: number): Promise<boolean> {
    try {
      return (await this.ask(healthCheck(), { service: LOCKS_SERVICE }, withinMs)).status === 'SERVING';
    } catch {
      return false;
    }
  }

  /**
   * Call back for each change of who holds the lock through this node, beginning with those who hold it
   * now. `missed`: changes were not read in time; the present holders follow. `onEnd` is called once: with `unreachable`
   * when the node does not answer or stops, with `config` when it refuses. Returns how to stop it.
   */
  watch(name: string, onChange: (change: LockChange | { readonly change: 'missed' }) => void, onEnd: (error: LockError) => void): () => void {
    const { Watch } = locksMethods();
    const call = this.client.makeServerStreamRequest(Watch.path, Watch.requestSerialize, Watch.responseDeserialize, { lock: lockBytes(name) }, this.metadata);
    call.on('data', (event: WatchEventMessage) => {
      const change = changeOf(event.change);
      if (change === 'missed') onChange({ change });
      else if (change !== null && event.lock) onChange({ change, lock: lockInfoOf(event.lock) });
    });
    call.on('error', () => undefined); // told by 'status'
    call.once('status', (status: grpc.StatusObject) => onEnd(this.failure(status)));
    return () => call.cancel();
  }

  /**
   * Call back with who holds the lock alone, through whichever node: now, and whenever that changes. `onEnd` is called once, as that of
   * `watch`. Returns how to stop it.
   */
  observe(name: string, onLeader: (leader: Leader | null) => void, onEnd: (error: LockError) => void): () => void {
    const { Observe } = locksMethods();
    const call = this.client.makeServerStreamRequest(Observe.path, Observe.requestSerialize, Observe.responseDeserialize, { lock: lockBytes(name) }, this.metadata);
    const silent = setTimeout(() => call.cancel(), LEADER_MS);
    call.on('data', ({ leader }: ObserveEventMessage) => {
      clearTimeout(silent);
      onLeader(leader ? leaderOf(leader) : null);
    });
    call.on('error', () => undefined); // told by 'status'
    call.once('status', (status: grpc.StatusObject) => {
      clearTimeout(silent);
      onEnd(this.failure(status));
    });
    return () => call.cancel();
  }

  private ask<Question, Reply>(method: grpc.MethodDefinition<Question, Reply>, question: Question, withinMs: number): Promise<Reply> {
    const askedMs = performance.now();
    return new Promise((resolve, reject) => {
      if (this.closing !== undefined) throw this.closedError();
      this.client.makeUnaryRequest(
        method.path, method.requestSerialize, method.responseDeserialize, question, this.metadata, { deadline: Date.now() + withinMs },
        (error, reply) => {
          if (error !== null) reject(this.failureAfter(performance.now() - askedMs, withinMs, error));
          else if (reply === undefined) reject(new LockError('protocol', `the node at ${this.address} sent an empty answer; it may run another version`));
          else resolve(reply);
        },
      );
    });
  }

  /**
   * Gives up every request that waits and releases every lock that is held. Resolves when the node knows, or after
   * half a second. Then nothing keeps the process alive. Idempotent.
   */
  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  private async end(): Promise<void> {
    await within(CLOSE_MS, this.session.close(this.closedError()));
    this.session.cut();
    this.channel?.client.close();
    for (const client of this.retired) client.close();
  }

  private closedError(): LockError {
    return new LockError('closed', `the connection to the node at ${this.address} was closed`);
  }

  /** What a gRPC error means to those who use locks. */
  failure(error: Partial<grpc.ServiceError>): LockError {
    const told = error.details ?? error.message ?? 'the stream ended';
    const detail = visible(told);
    switch (error.code) {
      case grpc.status.INVALID_ARGUMENT:
      case grpc.status.RESOURCE_EXHAUSTED:
        return new LockError('config', `the node at ${this.address} refuses the request: ${detail}`, { cause: error });
      case grpc.status.FAILED_PRECONDITION:
        return new LockError('protocol', `the node at ${this.address} refuses: ${detail}. Check the address, or which configuration is given`, { cause: error });
      default:
        return this.unanswered(connectionFault({ code: error.code, details: told }), error);
    }
  }

  /** A deadline that is seen long after it came says nothing of the node. */
  private failureAfter(tookMs: number, withinMs: number, error: grpc.ServiceError): LockError {
    if (error.code !== grpc.status.DEADLINE_EXCEEDED || tookMs < 2 * withinMs) return this.failure(error);
    return this.unanswered({ code: 'unreachable', reason: `this process was too busy to hear an answer: it looked after ${Math.round(tookMs)} ms, not ${withinMs}` }, error);
  }

  private unanswered({ code, reason }: ConnectionFault, cause: unknown): LockError {
    const told = code === 'unreachable'
      ? `no node answers at ${this.address} (${reason}). Start one with \`maekawa node\`, or name another`
      : `there is no talking to the node at ${this.address}: ${reason}`;
    return new LockError(code, told, { cause: new NoAnswer(reason, { cause }) });
  }
}

/** Until `what` has happened, or the time is up. */
async function within(forMs: number, what: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([what, new Promise<void>((resolve) => (timer = setTimeout(resolve, forMs)))]);
  clearTimeout(timer);
}
