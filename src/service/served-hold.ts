/**
 * One stream of one client, and the lock of this node that is held for it.
 * Law: a client's lock is never released while the client may still count on it by its own clock, unless
 * the client itself said that it is done. What a client sends is checked before it is used, and what it
 * does not read is not piled up.
 */
import * as grpc from '@grpc/grpc-js';
import { marginMs } from '../core';
import type { LockName, Mode } from '../core';
import { LockError } from '../errors';
import type { LockErrorCode } from '../errors';
import type { ManagedLock } from '../locks/base';
import type { NodeLockManager } from '../locks/lock-manager';
import { WAIT_MS_MAX } from '../locks/request-arguments';
import type { MaekawaNode } from '../node/start';
import { lockNameBytesMax, readWtf8 } from '../lock-name';
import { wellFormed } from './replies';
import type { AcquireMessage, EndedReason, HoldEvent, HoldRequest, Malformed } from '../client-protocol/schema';

export type HoldCall = grpc.ServerDuplexStream<HoldRequest | Malformed, HoldEvent>;

const LABEL_LENGTH_MAX = 200;

type State =
  | { readonly kind: 'new' }
  | { readonly kind: 'waiting'; readonly giveUp: AbortController }
  | { readonly kind: 'held'; readonly lock: ManagedLock }
  /** The client was told that its lock has ended, and has not given it back yet. */
  | { readonly kind: 'ended'; readonly lock: ManagedLock }
  /** It seems that the client closed its side. */
  | { readonly kind: 'closing'; readonly lock: ManagedLock }
  /** The stream broke, and the client may not know yet: the lock is kept for as long as the client was told. */
  | { readonly kind: 'kept'; readonly lock: ManagedLock }
  | { readonly kind: 'over' };

export class ClientHold {
  private state: State = { kind: 'new' };
  /** `sent_at_ms` of the newest message, and when it was heard. */
  private sentAtMs = 0;
  private heardAtMs = 0;
  /** The client promised to ping, so silence means that it is gone. */
  private pings = false;
  /** Until when, in this node's time, the client may think that it holds the lock. */
  private toldUntilMs = 0;
  /** What the clocks of client and node may drift apart in a lease. */
  private readonly marginMs: number;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly call: HoldCall,
    private readonly node: MaekawaNode,
    private readonly locks: NodeLockManager,
    private readonly clientId: string,
    private readonly onOver: () => void,
  ) {
    this.marginMs = marginMs(node.configuration.leaseMs, node.configuration.driftMax);
    call.on('data', (request: HoldRequest | Malformed) => this.onRequest(request));
    call.on('end', () => this.onDone());
    call.on('cancelled', () => this.onBroken());
    // What ended the stream is told by 'cancelled'; unheard, the error would end the process.
    call.on('error', () => this.onBroken());
  }

  /** The lock that the client may still use; or null. */
  get heldName(): LockName | null {
    switch (this.state.kind) {
      case 'held':
      case 'ended':
      case 'closing':
      case 'kept':
        return this.state.lock.name;
      case 'new':
      case 'waiting':
      case 'over':
        return null;
    }
  }

  /** The node is about to stop. A client that holds gives its lock back by closing its side. */
  stop(): void {
    const reason = new LockError('closed', `node ${this.node.id} is stopping`);
    const { state } = this;
    switch (state.kind) {
      case 'held':
        return this.recall(state.lock, reason);
      case 'new':
      case 'waiting':
        return this.end(reason);
      case 'ended':
      case 'closing':
      case 'kept':
      case 'over':
        return;
    }
  }

  private get leaseMs(): number {
    return this.node.configuration.leaseMs;
  }

  private onRequest(request: HoldRequest | Malformed): void {
    if (!this.isAsking() && !this.isHeld()) return;
    if ('ping' in request) return this.onPing(request.ping.sentAtMs);
    if ('acquire' in request) return this.onAcquire(request.acquire);
    this.refuse('a message must be an acquire or a ping; this one is neither, or cannot be decoded');
  }

  private onAcquire(message: AcquireMessage): void {
    if (this.state.kind !== 'new') return this.refuse('acquire is the first message and comes once; open another stream for another lock');
    const read = readName(message.lock);
    if ('fault' in read) return this.refuse(read.fault);
    const mode = modeOf(message.mode);
    if (mode === null) return this.refuse(`mode ${String(message.mode)} is none that this node knows; it knows exclusive (1) and shared (2)`);
    const fault = optionsFault(message, mode);
    if (fault !== null) return this.refuse(fault);
    const { name } = read;
    const { waitMs, steal, ifAvailable } = message;
    const label = message.label.slice(0, LABEL_LENGTH_MAX);
    this.pings = message.pings;
    this.heardAt(message.sentAtMs);
    const giveUp = new AbortController();
    this.state = { kind: 'waiting', giveUp };
    this.locks
      .begin(name, {
        mode, steal, ifAvailable,
        ...(label === '' ? {} : { label }),
        signal: giveUp.signal,
        ...(waitMs === undefined ? {} : { waitMs }),
      }, this.clientId)
      .then((lock) => this.onHeld(lock), (error: unknown) => this.end(error));
    // Not for a lock that is free: it is held before the event loop turns.
    setImmediate(() => {
      if (this.state.kind === 'waiting') this.call.write({ queued: { leaseMs: this.leaseMs, ahead: this.locks.ahead(name) } });
    });
  }

  private onPing(sentAtMs: number): void {
    if (this.state.kind === 'new') return this.refuse('the first message must be an acquire');
    this.heardAt(sentAtMs);
    if (this.state.kind === 'held') this.tellValid(this.state.lock);
  }

  private onHeld(lock: ManagedLock): void {
    if (this.state.kind !== 'waiting') return lock.release();
    this.state = { kind: 'held', lock };
    lock.onLost((reason) => {
      if (this.isHeld()) this.recall(lock, reason);
    });
    lock.onRenewed(() => this.tellValid(lock));
    if (!this.isHeld()) return; // lost in the same moment
    const validForMs = this.promise(lock);
    if (!this.isHeld()) return;
    this.call.write({ held: { token: lock.token, validForMs, sentAtMs: this.sentAtMs, leaseMs: this.leaseMs } });
  }

  private tellValid(lock: ManagedLock): void {
    if (this.state.kind !== 'held') return;
    if (!this.call.writableNeedDrain) {
      const validForMs = this.promise(lock);
      // It may be found lost by that, and the client has been told.
      if (this.isHeld()) this.call.write({ valid: { validForMs, sentAtMs: this.sentAtMs } });
    } else if (performance.now() > this.toldUntilMs + this.marginMs) {
      this.end(new LockError('lost', 'the client does not read what the node tells it about its lock', { definite: false }));
    }
  }

  /**
   * What the client is told, remembered. One that pings counts from when it sent what was heard last; another
   * from when it hears this, less the time that this took.
   */
  private promise(lock: ManagedLock): number {
    const validForMs = Math.floor(lock.validForMs());
    this.toldUntilMs = Math.max(this.toldUntilMs, (this.pings ? this.heardAtMs : performance.now()) + validForMs);
    return validForMs;
  }

  /** The client is to give its lock back by closing its side. It may not hear of it, or not do it: then it has as long as it was told. */
  private recall(lock: ManagedLock, reason: LockError): void {
    this.state = { kind: 'ended', lock };
    this.tellEnded(reason);
    this.endAfterLease();
  }

  private endAfterLease(): void {
    this.afterLease(() => {
      this.letGo();
      this.call.end();
    });
  }

  /** When the client counts on its lock no more, whatever it knows. */
  private afterLease(callback: () => void): void {
    this.later(callback, this.toldUntilMs - performance.now() + this.marginMs);
  }

  /** In place of what was to be done later until now. Does not keep a process whose node has stopped. */
  private later(callback: () => void, delayMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(callback, delayMs).unref();
  }

  /** The lock was not granted, or nobody is there to use it. */
  private end(error: unknown): void {
    const isAwaited = this.isAsking() || this.isHeld();
    this.letGo();
    if (isAwaited) this.tellEnded(error);
    this.call.end();
  }

  private tellEnded(error: unknown): void {
    const reason = error instanceof LockError ? endedReason(error.code) : 'REASON_UNSPECIFIED';
    const message = wellFormed(error instanceof Error ? error.message : String(error));
    this.call.write({ ended: { reason, message, definite: error instanceof LockError && error.definite } });
  }

  /**
   * The client closed its side: it is done, or waits no longer. But gRPC says the same when the stream
   * breaks, a moment before it says so; a stream on which something can still be written did not break.
   */
  private onDone(): void {
    const { state } = this;
    switch (state.kind) {
      case 'held':
      case 'ended':
        this.state = { kind: 'closing', lock: state.lock };
        // The answer may never leave: a client need not read.
        this.endAfterLease();
        break;
      case 'new':
      case 'waiting':
        this.letGo();
        break;
      case 'kept': // it broke before: the client may not know yet
      case 'closing':
      case 'over': // it was ended from here; what is written after that destroys it, and its status is never sent
        return;
    }
    this.call.write({ ended: { reason: 'REASON_RELEASED', message: 'released', definite: true } }, (error?: Error | null) => {
      if (error instanceof Error) return; // it broke after all
      if (this.state.kind === 'closing') this.letGo();
      this.call.end();
    });
  }

  /** The stream broke. The client goes by its own clock and may not know yet. */
  private onBroken(): void {
    const { state } = this;
    switch (state.kind) {
      case 'held':
      case 'ended':
      case 'closing':
        this.state = { kind: 'kept', lock: state.lock };
        return this.afterLease(() => this.letGo());
      case 'new':
      case 'waiting':
        return this.letGo();
      case 'kept':
      case 'over':
        return;
    }
  }

  private letGo(): void {
    const { state } = this;
    this.state = { kind: 'over' };
    clearTimeout(this.timer);
    this.onOver();
    if (state.kind === 'waiting') state.giveUp.abort(new LockError('aborted', 'the client waits no longer'));
    if ('lock' in state) state.lock.release();
  }

  /** The stream ends with INVALID_ARGUMENT: for what is held, the same as if it broke. */
  private refuse(problem: string): void {
    this.call.emit('error', { code: grpc.status.INVALID_ARGUMENT, details: problem });
  }

  private heardAt(sentAtMs: number): void {
    this.sentAtMs = sentAtMs;
    this.heardAtMs = performance.now();
    if (!this.pings) return;
    // Whatever it was told was counted from what it sent: after a lease of silence all of it has run out.
    this.later(() => {
      this.end(new LockError('lost', `the client was silent for the whole lease of ${this.leaseMs} ms`, { definite: false }));
    }, this.leaseMs + this.marginMs);
  }

  private isAsking(): boolean {
    return this.state.kind === 'new' || this.state.kind === 'waiting';
  }

  private isHeld(): boolean {
    return this.state.kind === 'held';
  }
}

/** The name of the lock that a client means, or why it is none. */
export function readName(lock: Buffer | undefined): { readonly name: LockName } | { readonly fault: string } {
  if (lock === undefined) return { fault: 'lock is missing: name one (the empty name is allowed, but must be set)' };
  if (lock.length > lockNameBytesMax) return { fault: `the lock name is ${lock.length} bytes long; at most ${lockNameBytesMax} are allowed` };
  const name = readWtf8(lock);
  return name === null ? { fault: 'lock is not UTF-8' } : { name };
}

/** Null for a mode that this version does not know. */
function modeOf(mode: AcquireMessage['mode']): Mode | null {
  switch (mode) {
    case 'LOCK_MODE_UNSPECIFIED':
    case 'LOCK_MODE_EXCLUSIVE':
      return 'exclusive';
    case 'LOCK_MODE_SHARED':
      return 'shared';
    default:
      return null; // a number on the wire that has no name
  }
}

/** What is wrong with how a client asks for a lock; or null. */
function optionsFault({ steal, ifAvailable, waitMs }: AcquireMessage, mode: Mode): string | null {
  if (steal && mode === 'shared') return 'only an exclusive lock can be stolen';
  if (steal && ifAvailable) return 'steal and if_available exclude each other';
  if (waitMs !== undefined && waitMs > WAIT_MS_MAX) return `wait_ms is ${waitMs}, and at most ${WAIT_MS_MAX}; leave it out to wait as long as it takes`;
  return null;
}

function endedReason(code: LockErrorCode): EndedReason {
  switch (code) {
    case 'timeout':
      return 'REASON_TIMEOUT';
    case 'no-quorum':
      return 'REASON_NO_QUORUM';
    case 'lost':
      return 'REASON_LOST';
    case 'stolen':
      return 'REASON_STOLEN';
    case 'closed':
      return 'REASON_CLOSED';
    case 'config':
      return 'REASON_CONFIG';
    case 'aborted':
    case 'fenced':
    case 'unreachable':
    case 'protocol':
    case 'storage':
      return 'REASON_UNSPECIFIED';
  }
}
