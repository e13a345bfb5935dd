/**
 * Locks for a process that is no node: asks a running node through the client service.
 * Law: a lock is held here only until the time that this process counts by its own clock, from when it
 * *sent* what the node answered; no late message, silent node or broken network can stretch that.
 */
import * as grpc from '@grpc/grpc-js';
import type { Mode, Token } from '../core';
import { LockError } from '../errors';
import type { LockErrorCode } from '../errors';
import { onAbort } from '../locks/abort';
import type { ManagedLock } from '../locks/base';
import type { ClusterSnapshot, LockChange, LockInfo, LockManagerSnapshot, LockOptions } from '../locks/types';
import { TimeWithSleep } from '../runtime/monotonic-time';
import { readWtf8 } from '../lock-name';
import type { TlsMaterial } from '../transport/tls';
import { LOCKS_SERVICE, healthCheck } from '../client-protocol/discovery';
import { EndsInOrder } from './ends-in-order';
import { locksMethods } from '../client-protocol/schema';
import type { EndedMessage, EndedReason, HeldMessage, HoldEvent, HoldRequest, LockInfoMessage, Malformed, QueuedMessage, StatusReply, WatchEventMessage } from '../client-protocol/schema';
import { lockBytes, wireMode } from '../service/replies';

const CHANGES = { CHANGE_UNSPECIFIED: 'held', CHANGE_HELD: 'held', CHANGE_RELEASED: 'released', CHANGE_LOST: 'lost' } as const;

/** How many signs of life go out in each lease: by so much of it this process counts more cautiously than the node. */
const PINGS_PER_LEASE = 5;
/** How often this process looks whether the lock has run out: while the machine sleeps, timers stand still and leases do not. */
const LOOK_MS = 200;
/** A node says at once whether a request is held or queued. If it says nothing for so long, it counts as gone. */
const ANSWER_MS = 3_000;
/** A node that never answers counts as gone this long after `waitMs`. */
const ANSWER_LATE_MS = 1_500;
/** How long nodes may take to notice that this process is done. */
const CLOSE_MS = 500;

export interface RemoteOptions extends LockOptions {
  /** Called when the lock is not free. `ahead` names the holders and those who stand before in line, as far as the asked node knows: other nodes, and its own clients. */
  readonly onQueued?: (lock: string, ahead: readonly string[]) => void;
}

/** A connection to one node. */
export class LocksClient {
  private readonly client: grpc.Client;
  private readonly time = new TimeWithSleep();
  private readonly holds = new Set<RemoteHold>();
  /** How many streams of locks there were. */
  private begun = 0;
  private readonly ends = new EndsInOrder();
  private closing: Promise<void> | undefined;
  /** Called when the node has said that it knows of the end of a lock, or of a request for one. */
  onHeard: (lock: string) => void = () => undefined;

  /** @param address `host:port` of a node. Connects when first used. */
  constructor(
    readonly address: string,
    tls?: TlsMaterial,
  ) {
    const credentials = tls === undefined
      ? grpc.credentials.createInsecure()
      : grpc.credentials.createSsl(tls.ca, tls.key, tls.cert);
    this.client = new grpc.Client(address, credentials, {
      // Two clients in one process are two: each is known by its connection, and may want as many locks as it allows.
      'grpc.use_local_subchannel_pool': 1,
      // Only the lease says for how long a lock is held. This finds out about a dead node, and must not take this
      // process for one when it is busy for a second or two.
      'grpc.keepalive_time_ms': 2_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.keepalive_permit_without_calls': 0,
      'grpc.enable_retries': 0,
      // A node that was down for long and is back is found within a second.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
    });
  }

  /** This process's time in milliseconds; it also counts what the machine slept. */
  nowMs(): number {
    return this.time.nowMs();
  }

  /**
   * Resolves when the lock is held. Rejects with LockError `timeout`, `no-quorum`, `closed`,
   * `unreachable` (no node answers), or with the signal's reason.
   */
  acquire(name: string, options: RemoteOptions = {}): Promise<ManagedLock> {
    return new Promise((resolve, reject) => {
      options.signal?.throwIfAborted();
      if (this.closing !== undefined) throw this.closedError();
      const { Hold } = locksMethods();
      const call = this.client.makeBidiStreamRequest(Hold.path, Hold.requestSerialize, Hold.responseDeserialize);
      const number = this.begun++;
      const hold: RemoteHold = new RemoteHold(this, call, name, options, {
        resolve,
        reject,
        onOver: () => this.ends.end({ number, end: () => call.end() }),
        onClosed: (isHeard) => {
          this.holds.delete(hold);
          if (isHeard) this.onHeard(name);
        },
      });
      this.holds.add(hold);
    });
  }

  /** @throws LockError `unreachable` when the node does not answer in time. */
  status(withinMs: number): Promise<StatusReply> {
    return this.ask(locksMethods().Status, {}, withinMs);
  }

  /** What is held and asked for through the node. @throws LockError `unreachable` when it does not answer in time. */
  async query(withinMs: number): Promise<LockManagerSnapshot> {
    const { held, pending } = await this.ask(locksMethods().Query, { cluster: false }, withinMs);
    return { held: held.map(lockInfo), pending: pending.map(lockInfo) };
  }

  /** The same of all nodes that this one reaches. @throws LockError `unreachable` when it does not answer in time. */
  async queryCluster(withinMs: number): Promise<ClusterSnapshot> {
    const { held, pending, unanswered } = await this.ask(locksMethods().Query, { cluster: true }, withinMs);
    return { held: held.map(lockInfo), pending: pending.map(lockInfo), unanswered };
  }

  /** Until the node knows of every request that was made and of every lock that was released, or `withinMs` have passed. */
  async untilTold(withinMs: number): Promise<void> {
    await within(withinMs, Promise.all([...this.holds].map((hold) => hold.told)));
  }

  /** Whether the node may not know yet that this lock was released here, or no longer waited for. */
  isReleasing(name: string): boolean {
    return [...this.holds].some((hold) => hold.name === name && hold.isOver);
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
   * now. `onEnd` is called once: with `unreachable` when the node does not answer or stops, with `config` when its changes
   * were not read in time. Returns how to stop it.
   */
  watch(name: string, onChange: (change: LockChange) => void, onEnd: (error: LockError) => void): () => void {
    const { Watch } = locksMethods();
    const call = this.client.makeServerStreamRequest(Watch.path, Watch.requestSerialize, Watch.responseDeserialize, { lock: lockBytes(name) });
    call.on('data', (event: WatchEventMessage) => {
      onChange({ change: CHANGES[event.change], lock: lockInfo(event.lock) });
    });
    call.on('error', () => undefined); // told by 'status'
    call.once('status', (status: grpc.StatusObject) => onEnd(this.failure(status)));
    return () => call.cancel();
  }

  private ask<Question, Reply>(method: grpc.MethodDefinition<Question, Reply>, question: Question, withinMs: number): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.closing !== undefined) throw this.closedError();
      this.client.makeUnaryRequest(
        method.path, method.requestSerialize, method.responseDeserialize, question, { deadline: Date.now() + withinMs },
        (error, reply) => {
          if (error !== null) reject(this.failure(error));
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
    const holds = [...this.holds];
    for (const hold of holds) hold.abandon(this.closedError());
    await within(CLOSE_MS, Promise.all(holds.map((hold) => hold.closed)));
    for (const hold of holds) hold.cancel();
    this.client.close();
  }

  private closedError(): LockError {
    return new LockError('closed', `the connection to the node at ${this.address} was closed`);
  }

  /** What a gRPC error means to those who use locks. */
  failure(error: Partial<grpc.ServiceError>): LockError {
    const detail = error.details ?? error.message ?? 'the stream ended';
    switch (error.code) {
      case grpc.status.INVALID_ARGUMENT:
      case grpc.status.RESOURCE_EXHAUSTED:
        return new LockError('config', `the node at ${this.address} refuses the request: ${detail}`, { cause: error });
      case grpc.status.UNIMPLEMENTED:
        return new LockError('protocol', `the program that listens at ${this.address} is no node of maekawa, or runs another version. Check the address`, { cause: error });
      default:
        return new LockError(
          'unreachable',
          `no node answers at ${this.address} (${detail}). Start one with \`maekawa node\`, or name another`,
          { cause: error },
        );
    }
  }
}

type State =
  | { readonly kind: 'waiting' }
  /** While its node `stops` it is held on, until it is released or runs out. */
  | { readonly kind: 'held'; readonly stops: boolean }
  | { readonly kind: 'lost' }
  | { readonly kind: 'over' };

/** One lock of this process, from asking to release. */
class RemoteHold implements ManagedLock {
  readonly mode: Mode;
  /** Stays when the lock is lost: a resource that is shown it says whether a later holder was there. */
  token: Token = 0;
  lostReason: LockError | undefined;
  /** The stream is over. */
  readonly closed: Promise<void>;
  private state: State = { kind: 'waiting' };
  private validUntilMs = 0;
  private readonly abort = new AbortController();
  private readonly askedMs: number;
  private pings: NodeJS.Timeout | undefined;
  private deadline: NodeJS.Timeout | undefined;
  private lostListener: ((reason: LockError) => void) | undefined;
  private renewedListener: ((validForMs: number) => void) | undefined;
  private readonly stopListening: () => void;
  /** The node has said what became of the request. */
  private readonly answered: Promise<void>;
  private onAnswered: () => void = () => undefined;

  constructor(
    private readonly client: LocksClient,
    private readonly call: grpc.ClientDuplexStream<HoldRequest | Malformed, HoldEvent>,
    readonly name: string,
    private readonly options: RemoteOptions,
    private readonly outcome: {
      readonly resolve: (lock: ManagedLock) => void;
      readonly reject: (reason: unknown) => void;
      /** This side of the stream may end. */
      readonly onOver: () => void;
      /** `isHeard`: the node itself ended the stream. */
      readonly onClosed: (isHeard: boolean) => void;
    },
  ) {
    this.mode = options.mode ?? 'exclusive';
    this.askedMs = client.nowMs();
    this.answered = new Promise((done) => (this.onAnswered = done));
    call.on('data', (event: HoldEvent) => this.onEvent(event));
    call.on('error', (error) => this.onBroken(client.failure(error)));
    this.closed = new Promise((done) => {
      call.once('status', ({ code }: grpc.StatusObject) => {
        this.onAnswered();
        outcome.onClosed(code === grpc.status.OK);
        done();
      });
    });
    call.on('end', () => this.onBroken(client.failure({ details: 'it ended the stream' })));
    const { signal } = options;
    this.stopListening = signal === undefined ? () => undefined : onAbort(signal, () => this.abandon(signal.reason));
    this.deadline = setTimeout(() => this.onSilent(), Math.min(ANSWER_MS, (options.waitMs ?? Infinity) + ANSWER_LATE_MS));
    call.write({
      acquire: {
        lock: lockBytes(name),
        mode: wireMode(this.mode),
        steal: options.steal === true,
        label: options.label ?? '',
        pings: true,
        sentAtMs: client.nowMs(),
        ifAvailable: options.ifAvailable === true,
        ...(options.waitMs === undefined ? {} : { waitMs: options.waitMs }),
      },
    });
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** Released, lost for good or given up; the node may not know yet. */
  get isOver(): boolean {
    return this.state.kind === 'over';
  }

  /** The node knows of it: of the request, or of its end. */
  get told(): Promise<void> {
    return this.state.kind === 'over' ? this.closed : this.answered;
  }

  validForMs(): number {
    return this.state.kind === 'held' ? Math.max(0, this.validUntilMs - this.client.nowMs()) : 0;
  }

  onRenewed(listener: (validForMs: number) => void): void {
    this.renewedListener = listener;
  }

  onLost(listener: (reason: LockError) => void): void {
    if (this.lostReason !== undefined) listener(this.lostReason);
    else this.lostListener = listener;
  }

  release(): void {
    // It ran out before this process got to its timers: it is lost, and not released.
    if (this.state.kind === 'held' && this.validForMs() <= 0) this.watchDeadline();
    if (this.state.kind === 'held' || this.state.kind === 'lost') this.finish();
  }

  /** Resolves when the node knows of the release, or when the lock has run out and the node need not know. */
  async [Symbol.asyncDispose](): Promise<void> {
    const leftMs = this.validForMs();
    this.release();
    await within(Math.max(CLOSE_MS, leftMs), this.closed);
  }

  /** Ends it in every state, and tells the node. */
  abandon(reason: unknown): void {
    switch (this.state.kind) {
      case 'waiting':
        this.finish();
        return this.outcome.reject(reason);
      case 'held':
        this.lose(new LockError('closed', `${messageOf(reason)}: stop using what the lock ${JSON.stringify(this.name)} protects`, { cause: reason }));
        return this.finish();
      case 'lost':
        return this.finish();
      case 'over':
        return;
    }
  }

  /** For a node that does not end the stream. */
  cancel(): void {
    this.call.cancel();
  }

  private onEvent(event: HoldEvent): void {
    this.onAnswered();
    if ('queued' in event) return this.onQueued(event.queued);
    if ('held' in event) return this.onHeld(event.held);
    if ('valid' in event) return this.onValid(event.valid.sentAtMs + event.valid.validForMs);
    if ('ended' in event) return this.onEnded(event.ended);
    // A kind of event that this version does not know: it says nothing about validity.
  }

  private onQueued({ leaseMs, ahead }: QueuedMessage): void {
    if (this.state.kind !== 'waiting') return;
    clearTimeout(this.deadline);
    this.beginPings(leaseMs);
    this.options.onQueued?.(this.name, ahead);
  }

  private onHeld(held: HeldMessage): void {
    if (this.state.kind !== 'waiting') return;
    this.beginPings(held.leaseMs);
    this.stopListening();
    this.state = { kind: 'held', stops: false };
    this.token = held.token;
    this.validUntilMs = held.sentAtMs + held.validForMs;
    this.watchDeadline();
    if (this.isHeld()) return this.outcome.resolve(this);
    this.finish();
    this.outcome.reject(new LockError('lost', `the lock ${JSON.stringify(this.name)} had run out when its grant arrived from ${this.client.address}; take it again`));
  }

  private onValid(validUntilMs: number): void {
    if (this.state.kind !== 'held' || validUntilMs <= this.validUntilMs) return;
    this.validUntilMs = validUntilMs;
    this.watchDeadline();
    this.renewedListener?.(this.validForMs());
  }

  private onEnded(ended: EndedMessage): void {
    const error = new LockError(codeOf(ended.reason), ended.message, { definite: ended.definite });
    if (this.state.kind === 'held') return error.code === 'closed' ? this.interrupt(error) : this.lose(error);
    if (this.state.kind !== 'waiting') return;
    this.finish();
    this.outcome.reject(error);
  }

  /** The node stops: it takes the lock back when it is released, and otherwise leaves it to run out. */
  private interrupt(reason: LockError): void {
    this.state = { kind: 'held', stops: true };
    clearInterval(this.pings);
    this.abort.abort(reason);
  }

  /** The stream broke or the node ended it. Nothing renews the lock any more, and it may be free already. */
  private onBroken(error: LockError): void {
    if (this.state.kind === 'held') {
      if (this.state.stops) return;
      return this.lose(new LockError('lost', `lost the lock ${JSON.stringify(this.name)}: ${error.message}`, { definite: false, cause: error }));
    }
    if (this.state.kind !== 'waiting') return;
    this.finish();
    this.outcome.reject(error);
  }

  /** Something listens there and says nothing: a node that is stopped, or no node. */
  private onSilent(): void {
    const waitedMs = Math.round(this.client.nowMs() - this.askedMs);
    this.onBroken(this.client.failure({ details: `no answer for ${waitedMs} ms` }));
    this.cancel();
  }

  private watchDeadline(): void {
    clearTimeout(this.deadline);
    const leftMs = this.validForMs();
    if (leftMs > 0) {
      this.deadline = setTimeout(() => this.watchDeadline(), Math.min(leftMs, LOOK_MS));
      return;
    }
    this.lose(new LockError('lost', `lost the lock ${JSON.stringify(this.name)}: the node at ${this.client.address} did not renew it in time. Stop using what it protects. A resource that checks the fencing token refuses your writes once a later holder was there`, { definite: false }));
  }

  /** The stream stays open until `release`: then the node knows that nobody uses the lock any more. */
  private lose(reason: LockError): void {
    this.state = { kind: 'lost' };
    this.lostReason = reason;
    clearTimeout(this.deadline);
    clearInterval(this.pings);
    this.lostListener?.(reason);
    this.abort.abort(reason);
  }

  private beginPings(leaseMs: number): void {
    this.pings ??= setInterval(
      () => this.call.write({ ping: { sentAtMs: this.client.nowMs() } }),
      Math.ceil(leaseMs / PINGS_PER_LEASE),
    );
  }

  private finish(): void {
    this.state = { kind: 'over' };
    this.stopListening();
    clearTimeout(this.deadline);
    clearInterval(this.pings);
    this.outcome.onOver();
  }

  private isHeld(): boolean {
    return this.state.kind === 'held';
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Until `what` has happened, or the time is up. */
async function within(forMs: number, what: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([what, new Promise<void>((resolve) => (timer = setTimeout(resolve, forMs)))]);
  clearTimeout(timer);
}

function codeOf(reason: EndedReason): LockErrorCode {
  switch (reason) {
    case 'REASON_TIMEOUT':
      return 'timeout';
    case 'REASON_NO_QUORUM':
      return 'no-quorum';
    case 'REASON_LOST':
      return 'lost';
    case 'REASON_STOLEN':
      return 'stolen';
    case 'REASON_CLOSED':
      return 'closed';
    case 'REASON_CONFIG':
      return 'config';
    case 'REASON_RELEASED': // we listen no longer when we have released
    case 'REASON_UNSPECIFIED':
      return 'protocol';
  }
}

function lockInfo({ lock, mode, clientId, label, token, forMs }: LockInfoMessage): LockInfo {
  return {
    name: readWtf8(lock) ?? lock.toString('latin1'),
    mode: mode === 'LOCK_MODE_SHARED' ? 'shared' : 'exclusive',
    clientId,
    ...(label === '' ? {} : { label }),
    ...(token === 0 ? {} : { token }),
    forMs,
  };
}
