/**
 * One lock of a process that is no node, from asking to release: one stream to the node that holds it.
 * Law: the lock is held here only until the time that this process counts by its own clock, from when it *sent* what the node
 * answered (`HeldLock` of the core); no late message, silent node or broken network can stretch that. Source: protocol.md section 15.
 */
import * as grpc from '@grpc/grpc-js';
import type { EndedMessage, HeldMessage, HoldEvent, HoldRequest, Malformed, QueuedMessage } from '../client-protocol/schema';
import { codeOf, lockBytes, wireMode } from '../client-protocol/wire-words';
import { assertNever, believedUntilMs } from '../core';
import type { Mode, Validity } from '../core';
import { LockError } from '../errors';
import { onAbort } from '../locks/abort';
import { processLabel } from '../locks/holder-title';
import { LockInHand, expiredError } from '../locks/managed-lock';
import type { HoldLimit, LockKeeper, ManagedLock } from '../locks/managed-lock';
import type { BeginOptions } from '../locks/base';
import { visible } from '../visible';

/** How many signs of life go out in each lease: by so much of it this process counts more cautiously than the node. */
const PINGS_PER_LEASE = 5;
/** A node takes twice as many. */
const PINGS_PER_LEASE_MAX = 50;
/** How often this process looks whether the lock has run out: while the machine sleeps, timers stand still and leases do not. */
const LOOK_MS = 200;
/** A node says at once whether a request is held or queued. If it says nothing for so long, it counts as gone. */
const ANSWER_MS = 3_000;
/** A node that never answers counts as gone this long after `waitMs`. */
const ANSWER_LATE_MS = 1_500;
/** What is told of a lock near the end of `maxHoldMs` may be so late, and it was that end all the same. */
const EXPIRED_SHARE = 0.1;
/** How long nodes may take to notice that this process is done. */
export const CLOSE_MS = 500;

export interface RemoteOptions extends BeginOptions {
  /** Called when the lock is not free. `ahead` names the holders and those who stand before in line, as far as the asked node knows: other nodes, and its own clients. */
  readonly onQueued?: (lock: string, ahead: readonly string[]) => void;
}

/** What a request needs of the connection that it is made over. */
export interface RequestParts {
  /** `host:port` of the node. */
  readonly address: string;
  /** This process's time in milliseconds; it also counts what the machine slept. */
  nowMs(): number;
  /** What a gRPC error means to those who use locks. */
  failure(error: Partial<grpc.ServiceError>): LockError;
}

export interface RequestOutcome {
  readonly resolve: (lock: ManagedLock) => void;
  readonly reject: (reason: unknown) => void;
  /** This side of the stream may end. */
  readonly onOver: () => void;
  /** `isHeard`: the node itself ended the stream. */
  readonly onClosed: (isHeard: boolean) => void;
}

type State =
  | { readonly kind: 'waiting' }
  /** While its node `stops` the lock is held on, until it is released or runs out. The stream stays open until then, also of one that is lost. */
  | { readonly kind: 'granted'; readonly lock: LockInHand; readonly stops: boolean }
  | { readonly kind: 'over' };

export class RemoteRequest implements LockKeeper {
  readonly mode: Mode;
  /** The stream is over. */
  readonly closed: Promise<void>;
  private state: State = { kind: 'waiting' };
  /** The node keeps a lock that is not given back for so long. It is no longer than that, whatever became of the lock here. */
  private promisedUntilMs = -Infinity;
  private readonly askedMs: number;
  private pings: NodeJS.Timeout | undefined;
  private deadline: NodeJS.Timeout | undefined;
  private readonly stopListening: () => void;
  /** The node has said what became of the request. */
  private readonly answered: Promise<void>;
  private onAnswered: () => void = () => undefined;

  constructor(
    private readonly connection: RequestParts,
    private readonly call: grpc.ClientDuplexStream<HoldRequest | Malformed, HoldEvent>,
    readonly name: string,
    private readonly options: RemoteOptions,
    private readonly outcome: RequestOutcome,
  ) {
    this.mode = options.mode ?? 'exclusive';
    this.askedMs = connection.nowMs();
    this.answered = new Promise((done) => (this.onAnswered = done));
    call.on('data', (event: HoldEvent) => this.onEvent(event));
    call.on('error', (error) => this.onBroken(connection.failure(error)));
    this.closed = new Promise((done) => {
      call.once('status', ({ code }: grpc.StatusObject) => {
        this.onAnswered();
        outcome.onClosed(code === grpc.status.OK);
        done();
      });
    });
    call.on('end', () => this.onBroken(connection.failure({ details: 'it ended the stream' })));
    const { signal } = options;
    this.stopListening = signal === undefined ? () => undefined : onAbort(signal, () => this.abandon(signal.reason));
    this.deadline = setTimeout(() => this.onSilent(), Math.min(ANSWER_MS, (options.waitMs ?? Infinity) + ANSWER_LATE_MS));
    call.write({
      acquire: {
        lock: lockBytes(name),
        mode: wireMode(this.mode),
        steal: options.steal === true,
        label: options.label ?? processLabel(),
        pings: true,
        sentAtMs: connection.nowMs(),
        ifAvailable: options.ifAvailable === true,
        ...(options.atLeastMs === undefined ? {} : { atLeastMs: Math.ceil(options.atLeastMs) }),
        ...(options.waitMs === undefined ? {} : { waitMs: options.waitMs }),
        ...(options.maxHoldMs === undefined ? {} : { maxHoldMs: Math.floor(options.maxHoldMs) }),
      },
    });
  }

  /** Released, lost for good or given up; the node may not know yet. */
  get isOver(): boolean {
    return this.state.kind === 'over';
  }

  /** The node knows of it: of the request, or of its end. */
  get told(): Promise<void> {
    return this.isOver ? this.closed : this.answered;
  }

  nowMs(): number {
    return this.connection.nowMs();
  }

  givenBack(): void {
    this.finish();
  }

  /** Its node holds it on: it was told so when the lock was asked for. */
  keptOn(): void {
    this.finish();
  }

  ranOut(): LockError {
    return this.lostError(`the node at ${this.connection.address} did not renew it in time`);
  }

  /** Nothing here counts on it any more, so its node need not keep it. */
  expired(): void {
    if (this.state.kind !== 'granted') return;
    this.state.lock.end();
    this.finish();
  }

  untilTold(): Promise<void> {
    return within(this.promisedUntilMs - this.nowMs(), this.closed);
  }

  /** Whatever its state: it is over, and the node is told. */
  abandon(reason: unknown): void {
    const { state } = this;
    switch (state.kind) {
      case 'waiting':
        return this.refuse(reason);
      case 'granted':
        state.lock.lose(new LockError('closed', `${messageOf(reason)}: stop using what the lock ${JSON.stringify(this.name)} protects`, { cause: reason }));
        state.lock.end();
        return this.finish();
      case 'over':
        return;
      default:
        return assertNever(state);
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
    if ('valid' in event) return this.onValid(event.valid);
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
    const limit = limitOf(this.options, held);
    if (limit !== undefined && limit.endsAtMs <= this.nowMs()) return this.refuse(expiredError(this.name, limit.maxHoldMs));
    if (believedUntilMs(held) <= this.nowMs()) {
      return this.refuse(new LockError('lost', `the lock ${JSON.stringify(this.name)} had run out when its grant arrived from ${this.connection.address}; take it again`));
    }
    this.promisedUntilMs = believedUntilMs(held);
    const lock = new LockInHand(this, this.name, this.mode, held.token, this.promisedUntilMs, limit);
    this.state = { kind: 'granted', lock, stops: false };
    this.watchDeadline(lock);
    this.outcome.resolve(lock);
  }

  private onValid(validity: Validity): void {
    if (this.state.kind !== 'granted') return;
    this.promisedUntilMs = Math.max(this.promisedUntilMs, believedUntilMs(validity));
    this.state.lock.told(validity);
  }

  private onEnded(ended: EndedMessage): void {
    const error = new LockError(codeOf(ended.reason), visible(ended.message), { definite: ended.definite });
    if (this.state.kind !== 'granted') return this.refuse(error);
    const { lock } = this.state;
    if (error.code === 'closed') return this.interrupt(lock, error);
    if (error.code === 'expired' && lock.isHeld) return lock.expire(error);
    this.lose(lock, error);
  }

  /** The node stops: it takes the lock back when it is released, and otherwise leaves it to run out. */
  private interrupt(lock: LockInHand, reason: LockError): void {
    if (!lock.isHeld) return;
    this.state = { kind: 'granted', lock, stops: true };
    clearInterval(this.pings);
    lock.interrupt(reason);
  }

  /** The stream broke or the node ended it. Nothing renews the lock any more, and it may be free already. */
  private onBroken(error: LockError): void {
    if (this.state.kind !== 'granted') return this.refuse(error);
    if (this.state.stops) return;
    // What to do about a node that does not answer is no help to who holds a lock.
    const reason = error.cause instanceof Error ? error.cause.message : error.message;
    this.lose(this.state.lock, this.lostError(`the connection to the node at ${this.connection.address} broke (${reason})`, error));
  }

  /** Something listens there and says nothing: a node that is stopped, or no node. */
  private onSilent(): void {
    const waitedMs = Math.round(this.nowMs() - this.askedMs);
    this.onBroken(this.connection.failure({ details: `no answer for ${waitedMs} ms` }));
    this.cancel();
  }

  private watchDeadline(lock: LockInHand): void {
    clearTimeout(this.deadline);
    const leftMs = lock.validForMs();
    if (leftMs > 0) this.deadline = setTimeout(() => this.watchDeadline(lock), Math.min(leftMs, LOOK_MS));
    else clearInterval(this.pings);
  }

  /** The stream stays open until `release`: then the node knows that nobody uses the lock any more. */
  private lose(lock: LockInHand, reason: LockError): void {
    clearTimeout(this.deadline);
    clearInterval(this.pings);
    lock.lose(reason);
  }

  private lostError(why: string, cause?: LockError): LockError {
    const advice = 'Stop using what it protects. A resource that checks the fencing token refuses your writes once a later holder was there';
    return new LockError('lost', `lost the lock ${JSON.stringify(this.name)}: ${why}. ${advice}`, { definite: false, ...(cause === undefined ? {} : { cause }) });
  }

  private beginPings(leaseMs: number): void {
    // A grant counts from the last of them: none may be old beside the time for which the lock may be held.
    const shortMs = Math.min(leaseMs, this.options.maxHoldMs ?? Infinity) / PINGS_PER_LEASE;
    this.pings ??= setInterval(
      () => this.call.write({ ping: { sentAtMs: this.nowMs() } }),
      Math.ceil(Math.max(shortMs, leaseMs / PINGS_PER_LEASE_MAX)),
    );
  }

  /** It waited, and does so no more. */
  private refuse(reason: unknown): void {
    if (this.state.kind !== 'waiting') return;
    this.finish();
    this.outcome.reject(reason);
  }

  private finish(): void {
    this.state = { kind: 'over' };
    this.stopListening();
    clearTimeout(this.deadline);
    clearInterval(this.pings);
    this.outcome.onOver();
  }
}

/** The grant came after the node had heard what it echoes, so this ends no later than the node's own limit. */
function limitOf({ maxHoldMs }: RemoteOptions, { sentAtMs, leaseMs }: HeldMessage): HoldLimit | undefined {
  return maxHoldMs === undefined ? undefined : { maxHoldMs, endsAtMs: sentAtMs + maxHoldMs, slackMs: leaseMs * EXPIRED_SHARE };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Until `what` has happened, or the time is up. */
export async function within(forMs: number, what: Promise<unknown>): Promise<void> {
  if (forMs <= 0) return;
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([what, new Promise<void>((resolve) => (timer = setTimeout(resolve, forMs)))]);
  clearTimeout(timer);
}
