/**
 * One stream of one client, and the lock of this node that is held for it: carries between gRPC and `ServedLock` of the core,
 * which decides. Law: what a client sends is checked before it is used, and what it does not read is not piled up.
 * Source: protocol.md section 15.
 */
import * as grpc from '@grpc/grpc-js';
import type { AcquireMessage, HoldEvent, HoldRequest, Malformed } from '../client-protocol/schema';
import { ServedLock, assertNever, marginMs } from '../core';
import type { LockName, ServedLockEffect, ServedLockEvent } from '../core';
import { LockError } from '../errors';
import type { NodeLockManager } from '../locks/lock-manager';
import type { ManagedLock } from '../locks/managed-lock';
import { endedMessage, readAcquire } from './acquire';
import type { ServedNode } from './served-node';

export type HoldCall = grpc.ServerDuplexStream<HoldRequest | Malformed, HoldEvent>;

/** A few signs of life within a lease are enough; so many are more than anybody needs, and cost the node its time. */
const MESSAGES_PER_LEASE_MAX = 100;

export class ServedHold {
  private readonly served: ServedLock<unknown>;
  /** Aborted when the client waits no longer. */
  private readonly giveUp = new AbortController();
  /** Once it is granted. */
  private lock: ManagedLock | undefined;
  private atLeastMs = 0;
  private timer: NodeJS.Timeout | undefined;
  /** Messages of the client since then. */
  private messages = 0;
  private countedSinceMs = -Infinity;

  constructor(
    private readonly call: HoldCall,
    private readonly node: ServedNode,
    private readonly locks: NodeLockManager,
    private readonly clientId: string,
    private readonly onOver: () => void,
  ) {
    const { leaseMs, driftMax } = node.configuration;
    this.served = new ServedLock({ leaseMs, marginMs: marginMs(leaseMs, driftMax) });
    call.on('data', (request: HoldRequest | Malformed) => this.onRequest(request));
    call.on('end', () => this.step({ kind: 'closed', nowMs: performance.now() }));
    call.on('cancelled', () => this.onBroken());
    // What ended the stream is told by 'cancelled'; unheard, the error would end the process.
    call.on('error', () => this.onBroken());
  }

  /** The lock that the client may still use; or null. */
  get heldName(): LockName | null {
    return this.served.isInUse ? (this.lock?.name ?? null) : null;
  }

  /** Its client is done or gone, and the lock is held on for nobody. */
  get isKeptOn(): boolean {
    return this.served.kind === 'done';
  }

  /** The node is about to stop. A client that holds gives its lock back by closing its side. */
  stop(): void {
    this.step({ kind: 'stops', nowMs: performance.now(), reason: new LockError('closed', `node ${this.node.id} is stopping`) });
  }

  private onRequest(request: HoldRequest | Malformed): void {
    if (!this.isAsking() && this.served.kind !== 'held') return;
    if (this.hasTooManyMessages()) {
      return this.refuse(`more than ${MESSAGES_PER_LEASE_MAX} messages within one lease; a few pings are enough`, grpc.status.RESOURCE_EXHAUSTED);
    }
    if ('ping' in request) return this.onPing(request.ping.sentAtMs);
    if ('acquire' in request) return this.onAcquire(request.acquire);
    this.refuse('a message must be an acquire or a ping; this one is neither, or cannot be decoded');
  }

  private onAcquire(message: AcquireMessage): void {
    if (this.served.kind !== 'new') return this.refuse('acquire is the first message and comes once; open another stream for another lock');
    const read = readAcquire(message);
    if ('fault' in read) return this.refuse(read.fault);
    const { name, options } = read;
    const { pings, sentAtMs } = message;
    this.atLeastMs = read.atLeastMs;
    this.step({ kind: 'asked', nowMs: performance.now(), sentAtMs, pings });
    this.locks
      .begin(name, { ...options, signal: this.giveUp.signal }, this.clientId)
      .then((lock) => this.onGranted(lock), (reason: unknown) => this.step({ kind: 'refused', reason }));
    // Not for a lock that is free: it is held before the event loop turns.
    setImmediate(() => {
      if (this.served.kind === 'waiting') this.call.write({ queued: { leaseMs: this.node.configuration.leaseMs, ahead: this.locks.ahead(name) } });
    });
  }

  private onPing(sentAtMs: number): void {
    if (this.served.kind === 'new') return this.refuse('the first message must be an acquire');
    this.step({ kind: 'heard', nowMs: performance.now(), sentAtMs });
    if (this.lock !== undefined) this.tellValid(this.lock);
  }

  private onGranted(lock: ManagedLock): void {
    this.lock = lock;
    this.step({ kind: 'granted', nowMs: performance.now(), atLeastMs: this.atLeastMs });
    if (this.served.kind !== 'held') return;
    lock.onLost((reason) => this.step({ kind: 'taken', nowMs: performance.now(), reason }));
    lock.onRenewed(() => this.tellValid(lock));
    this.tellValidFor(lock);
  }

  private tellValid(lock: ManagedLock): void {
    if (this.call.writableNeedDrain) this.step({ kind: 'unread', nowMs: performance.now() });
    else this.tellValidFor(lock);
  }

  private tellValidFor(lock: ManagedLock): void {
    if (this.served.kind !== 'held') return;
    // It may be found lost by that, and the client has been told.
    const validForMs = Math.floor(lock.validForMs());
    this.step({ kind: 'valid', nowMs: performance.now(), validForMs });
  }

  /** The stream broke. */
  private onBroken(): void {
    this.step({ kind: 'broke', nowMs: performance.now() });
  }

  private step(event: ServedLockEvent<unknown>): void {
    for (const effect of this.served.step(event)) this.perform(effect);
  }

  private perform(effect: ServedLockEffect<unknown>): void {
    switch (effect.kind) {
      case 'tellHeld': {
        const { validForMs, sentAtMs } = effect;
        return void this.call.write({ held: { token: this.lock?.token ?? 0 /* told of a lock that was granted */, validForMs, sentAtMs, leaseMs: this.node.configuration.leaseMs } });
      }
      case 'tellValid':
        return void this.call.write({ valid: { validForMs: effect.validForMs, sentAtMs: effect.sentAtMs } });
      case 'tellEnded':
        return void this.call.write({ ended: endedMessage(effect.cause, this.node.configuration.leaseMs) });
      case 'tellReleased':
        this.call.write({ ended: { reason: 'REASON_RELEASED', message: 'released', definite: true } }, (error?: Error | null) => {
          if (error instanceof Error) return; // It broke after all.
          this.step({ kind: 'releaseTold' });
          this.call.end();
        });
        return;
      case 'giveUp':
        return this.giveUp.abort(new LockError('aborted', 'the client waits no longer'));
      case 'giveBack':
        return void this.lock?.release();
      case 'keepOn':
        return this.lock?.showKeptOn(effect.untilMs - performance.now());
      case 'endStream':
        return void this.call.end();
      case 'over':
        clearTimeout(this.timer);
        return this.onOver();
      case 'wake':
        // Does not keep a process whose node has stopped.
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.step({ kind: 'wake', nowMs: performance.now() }), effect.atMs - performance.now()).unref();
        return;
      default:
        return assertNever(effect);
    }
  }

  /** The stream ends with this status: for what is held, the same as if it broke. */
  private refuse(problem: string, code = grpc.status.INVALID_ARGUMENT): void {
    this.call.emit('error', { code, details: problem });
  }

  private hasTooManyMessages(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.countedSinceMs >= this.node.configuration.leaseMs) {
      this.countedSinceMs = nowMs;
      this.messages = 0;
    }
    return ++this.messages > MESSAGES_PER_LEASE_MAX;
  }

  private isAsking(): boolean {
    return this.served.kind === 'new' || this.served.kind === 'waiting';
  }
}
