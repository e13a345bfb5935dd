/**
 * One lock of a process that is no node, from asking to release, as its callers have it. What the node says of it comes from the
 * session. Law: the lock is held here only until the time that this process counts by its own clock, from when it *sent* what the
 * node answered (`HeldLock` of the core); no late message, silent node or broken network can stretch that. Source: protocol.md section 15.
 */
import type { EndedMessage } from '../client-protocol/schema';
import { codeOf } from '../client-protocol/wire-words';
import { KeptLock, assertNever, believedUntilMs } from '../core';
import type { AskId, Mode, Token, Validity } from '../core';
import { LockError } from '../errors';
import { onAbort } from '../locks/abort';
import { limitOf, LockInHand } from '../locks/managed-lock';
import type { LockKeeper, ManagedLock } from '../locks/managed-lock';
import type { BeginOptions } from '../locks/base';
import { visible } from '../visible';

/** What is told of a lock near the end of `maxHoldMs` may be so late, and it was that end all the same. */
const EXPIRED_SHARE = 0.1;

export interface RemoteOptions extends BeginOptions {
  /** Called when the lock is not free. `ahead` names the holders and those who stand before in line, as far as the asked node knows: other nodes, and its own clients. */
  readonly onQueued?: (lock: string, ahead: readonly string[]) => void;
  /** What is free and wanted by nobody else is kept here, and entered again without a message. */
  readonly keep?: boolean;
}

/** What ends at a time of its own, or belongs to a semaphore, is given back. */
export function mayBeKept(name: string, { mode, steal, maxHoldMs, atLeastMs }: RemoteOptions): boolean {
  return mode !== 'shared' && steal !== true && maxHoldMs === undefined && atLeastMs === undefined && !name.startsWith('-');
}

/** Others see the label of the first while it is passed on, so one with a label of its own is not. */
export function mayBePassedOn(name: string, options: RemoteOptions): boolean {
  return options.label === undefined && options.ifAvailable !== true && mayBeKept(name, options);
}

/** What a lock needs of the session that it is asked for in. */
export interface LockSession {
  /** `host:port` of the node. */
  readonly address: string;
  /** This process's time in milliseconds; it also counts what the machine slept. */
  nowMs(): number;
  /** As the node told. */
  readonly leaseMs: number;
  /** It is used, or wanted, no longer. */
  giveBack(lock: RemoteLock): void;
  /** It is used no longer, and kept: until `look` finds that it has been idle for too long. */
  idles(lock: RemoteLock): void;
  /** Others want it, and it is in use: it is kept no further. */
  tellInUse(lock: RemoteLock): void;
  /** One that waits. */
  waiting(id: AskId): RemoteLock | undefined;
  /** Until the node knows that it was given back, or nothing is left of what it promised. */
  untilTold(lock: RemoteLock): Promise<void>;
}

type State =
  | { readonly kind: 'waiting' }
  /** While its node `stops` the lock is held on, until it is released or runs out. */
  | { readonly kind: 'granted'; readonly lock: LockInHand; readonly stops: boolean }
  /** Kept, and used by nobody. */
  | { readonly kind: 'idle'; readonly kept: KeptLock }
  | { readonly kind: 'over' };

const WAITING: State = { kind: 'waiting' };
const OVER: State = { kind: 'over' };
const NOTHING = (): void => undefined;

export class RemoteLock implements LockKeeper {
  readonly mode: Mode;
  /** The node keeps a lock that is not given back for so long. It is no longer than that, whatever became of the lock here. */
  promisedUntilMs = -Infinity;
  readonly askedMs: number;
  private state: State = WAITING;
  /** The tokens that it may be entered with again; null: the node gave no room for that. */
  private room: KeptLock | null = null;
  /** Those to whom it is passed on when it is used no longer, in this order; null: it is kept then. */
  private passTo: AskId[] | null = null;
  private stopListening: () => void = NOTHING;

  constructor(
    private readonly session: LockSession,
    readonly id: AskId,
    readonly name: string,
    private readonly options: RemoteOptions,
    private readonly resolve: (lock: ManagedLock) => void,
    private readonly reject: (reason: unknown) => void,
  ) {
    this.mode = options.mode ?? 'exclusive';
    this.askedMs = session.nowMs();
    const { signal } = options;
    if (signal !== undefined) this.stopListening = onAbort(signal, () => this.abandon(signal.reason));
  }

  get isWaiting(): boolean {
    return this.state.kind === 'waiting';
  }

  get isGranted(): boolean {
    return this.state.kind === 'granted' || this.state.kind === 'idle';
  }

  /** It may run out. */
  get isHeld(): boolean {
    return this.state.kind === 'idle' || (this.state.kind === 'granted' && this.state.lock.isHeld);
  }

  /** The highest token that was taken, of one for which there was room. */
  get used(): Token | undefined {
    return this.room?.token;
  }

  nowMs(): number {
    return this.session.nowMs();
  }

  givenBack(wasHeld: boolean): void {
    const { room, passTo } = this;
    if (wasHeld && room !== null) {
      if (passTo !== null) {
        if (this.passOn(room, passTo)) return;
      } else if (room.leave(this.nowMs(), this.promisedUntilMs)) {
        this.state = { kind: 'idle', kept: room };
        return this.session.idles(this);
      }
    }
    this.finish();
    this.session.giveBack(this);
  }

  /**
   * Lets in the first of those that still wait, and returns whether there was one. Its own request is over by that: to the node it is
   * this one that holds the lock until the last of them is done.
   */
  private passOn(room: KeptLock, passTo: AskId[]): boolean {
    for (let id = passTo.shift(); id !== undefined; id = passTo.shift()) {
      const next = this.session.waiting(id);
      if (next === undefined) continue;
      const token = room.enter(this.nowMs(), this.promisedUntilMs);
      if (token === null) return false;
      const lock = new LockInHand(this, this.name, this.mode, token, this.promisedUntilMs);
      this.state = { kind: 'granted', lock, stops: false };
      next.passed(lock);
      return true;
    }
    return false;
  }

  /** It waited, and has the lock of another now. */
  private passed(lock: ManagedLock): void {
    this.finish();
    this.session.giveBack(this);
    this.resolve(lock);
  }

  /** It is entered again, if it is kept and idle; null: it cannot be, and is asked for anew. */
  enterAgain(): ManagedLock | null {
    const { state } = this;
    if (state.kind !== 'idle') return null;
    const token = state.kept.enter(this.nowMs(), this.promisedUntilMs);
    if (token === null) {
      this.giveUpKept();
      return null;
    }
    const lock = new LockInHand(this, this.name, this.mode, token, this.promisedUntilMs);
    this.state = { kind: 'granted', lock, stops: false };
    return lock;
  }

  /** Others want it. */
  onWanted(): void {
    this.keepNoLonger();
    if (this.state.kind === 'granted') this.session.tellInUse(this);
  }

  /** It is entered no further time. */
  keepNoLonger(): void {
    this.room?.keepNoLonger();
    this.giveUpKept();
  }

  /** Nobody uses it. */
  private giveUpKept(): void {
    if (this.state.kind !== 'idle') return;
    this.finish();
    this.session.giveBack(this);
  }

  /** Its node holds it on: it was told so when the lock was asked for. */
  keptOn(): void {
    this.givenBack(false);
  }

  /** Nothing here counts on it any more, so its node need not keep it. */
  expired(): void {
    if (this.state.kind !== 'granted') return;
    this.state.lock.end();
    this.givenBack(false);
  }

  ranOut(): LockError {
    return this.lostError(`the node at ${this.session.address} did not renew it in time`);
  }

  /** A lock that is kept stays where it was. */
  untilTold(): Promise<void> | null {
    return this.state.kind === 'idle' ? null : this.session.untilTold(this);
  }

  /** Whatever its state: it is over, and the node is told. */
  abandon(reason: unknown): void {
    const { state } = this;
    switch (state.kind) {
      case 'waiting':
        this.session.giveBack(this);
        return this.refuse(reason);
      case 'granted':
        state.lock.lose(new LockError('closed', `${messageOf(reason)}: stop using what the lock ${JSON.stringify(this.name)} protects`, { cause: reason }));
        state.lock.end();
        this.finish();
        return this.session.giveBack(this);
      case 'idle':
        return this.giveUpKept();
      case 'over':
        return;
      default:
        return assertNever(state);
    }
  }

  onQueued(ahead: readonly string[]): void {
    if (this.state.kind === 'waiting') this.options.onQueued?.(this.name, ahead);
  }

  /**
   * @param roomUntil the highest token that may be taken without asking; undefined: none may
   * @param passTo by whom; undefined: by whoever wants it here while it is kept
   */
  onHeld(token: Token, validity: Validity, roomUntil: Token | undefined, passTo: readonly AskId[] | undefined): void {
    if (this.state.kind !== 'waiting') return;
    this.stopListening();
    this.promisedUntilMs = believedUntilMs(validity);
    // The grant came after the node had heard what it echoes, so this ends no later than the node's own limit.
    const limit = limitOf(this.options.maxHoldMs, validity.sentAtMs, this.session.leaseMs * EXPIRED_SHARE);
    if (Math.min(this.promisedUntilMs, limit?.endsAtMs ?? Infinity) <= this.nowMs()) {
      this.session.giveBack(this);
      // Nobody has used it, so it is asked for again where the patience allows it (`RemoteLockManager`).
      return this.refuse(new LockError('lost', `the lock ${JSON.stringify(this.name)} had run out when its grant arrived from ${this.session.address}; take it again`));
    }
    if (roomUntil !== undefined) this.room = new KeptLock(token, roomUntil, this.session.leaseMs);
    if (passTo !== undefined) this.passTo = [...passTo];
    const lock = new LockInHand(this, this.name, this.mode, token, this.promisedUntilMs, limit);
    this.state = { kind: 'granted', lock, stops: false };
    this.resolve(lock);
  }

  onValid(validity: Validity): void {
    const { state } = this;
    if (state.kind !== 'granted' && state.kind !== 'idle') return;
    this.promisedUntilMs = Math.max(this.promisedUntilMs, believedUntilMs(validity));
    if (state.kind === 'granted') state.lock.told(validity);
  }

  /** The node says that it ended, or was never had. */
  onEnded(ended: EndedMessage): void {
    this.keepNoLonger();
    const error = new LockError(codeOf(ended.reason), visible(ended.message), { definite: ended.definite });
    if (this.state.kind !== 'granted') return this.refuse(error);
    const { lock } = this.state;
    if (error.code === 'closed') return this.interrupt(lock, error);
    if (error.code === 'expired' && lock.isHeld) return lock.expire(error);
    lock.lose(error);
  }

  /** The node cannot be reached, or knows it no longer. */
  onFailed(error: LockError): void {
    this.keepNoLonger();
    if (this.state.kind !== 'granted') return this.refuse(error);
    if (this.state.stops) return;
    // What to do about a node that does not answer is no help to who holds a lock.
    const reason = error.cause instanceof Error ? error.cause.message : error.message;
    this.state.lock.lose(this.lostError(`the node at ${this.session.address} knows it no more (${reason})`, error));
  }

  /** Looks whether it has run out. While the machine sleeps, timers stand still and leases do not. */
  look(): void {
    if (this.state.kind === 'granted') this.state.lock.look();
    else if (this.state.kind === 'idle' && this.state.kept.endsAtMs <= this.nowMs()) this.giveUpKept();
  }

  /** The node stops: it takes the lock back when it is released, and otherwise leaves it to run out. */
  private interrupt(lock: LockInHand, reason: LockError): void {
    if (!lock.isHeld) return;
    this.state = { kind: 'granted', lock, stops: true };
    lock.interrupt(reason);
  }

  private lostError(why: string, cause?: LockError): LockError {
    const advice = 'Stop using what it protects. A resource that checks the fencing token refuses your writes once a later holder was there';
    return new LockError('lost', `lost the lock ${JSON.stringify(this.name)}: ${why}. ${advice}`, { definite: false, ...(cause === undefined ? {} : { cause }) });
  }

  /** It waited, and does so no more. */
  private refuse(reason: unknown): void {
    if (this.state.kind !== 'waiting') return;
    this.finish();
    this.reject(reason);
  }

  private finish(): void {
    this.state = OVER;
    this.stopListening();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
