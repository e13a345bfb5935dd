/**
 * The locks of a node in this process. Law: a callback or a holder is told at once when its lock is
 * lost; nothing here decides whether it is.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { CallerId, Mode, NodeId, Token } from '../core';
import { LockError } from '../errors';
import type { Caller, Runtime } from '../node/runtime';
import { BaseLockManager } from './base';
import type { ManagedLock } from './base';
import type { AcquireOptions, ClusterSnapshot, HeldLock, LockChange, LockInfo, LockManagerSnapshot, QueryOptions } from './types';

/** What the manager asks of the node that it belongs to. */
export interface ManagerParts {
  readonly id: NodeId;
  readonly runtime: Runtime;
  /** Whether the nodes in reach contain a quorum. */
  readonly hasQuorum: () => boolean;
  /** The snapshots of the other nodes; null for one that did not answer. */
  readonly queryPeers: () => Promise<ReadonlyMap<NodeId, LockManagerSnapshot | null>>;
}

export class NodeLockManager extends BaseLockManager {
  /** In the order in which they asked, and in which they were granted. */
  private readonly pending = new Set<Acquisition>();
  private readonly held = new Set<Acquisition>();
  private readonly watchers = new Map<string, Set<(change: LockChange) => void>>();

  constructor(private readonly parts: ManagerParts) {
    super();
  }

  /** For names that were checked, our own included. */
  override begin(name: string, options: AcquireOptions): Promise<ManagedLock> {
    return new Promise((resolve, reject) => {
      new Acquisition(this.parts.runtime, name, options, {
        pending: this.pending,
        held: this.held,
        changed: (acquisition, change) => this.tellWatchers(acquisition, change),
        resolve,
        reject,
        timeoutError: (waitedMs) => this.timeoutError(name, waitedMs),
      });
    });
  }

  /**
   * The node is about to stop: refuse those that wait, abort the signals of the locks that callbacks run
   * under, and wait until these have ended and thereby given their locks back. A lock must not go to another
   * node while a callback still cleans up. Returns the names of those that still run after `withinMs`.
   */
  async drain(reason: LockError, withinMs: number): Promise<ReadonlySet<string>> {
    for (const acquisition of [...this.pending]) acquisition.refuse(reason);
    const inUse = [...this.held].filter((acquisition) => acquisition.work !== undefined);
    for (const acquisition of inUse) acquisition.interrupt(reason);
    const ended = Promise.allSettled(inUse.map(async (acquisition) => acquisition.work));
    await Promise.race([ended, sleep(withinMs, undefined, { ref: false })]);
    // A callback that has settled gives its lock back in the microtasks that follow.
    await nextTurn();
    return new Set(inUse.filter((acquisition) => this.held.has(acquisition)).map(({ name }) => name));
  }

  protected override isTaken(name: string, { mode = 'exclusive' }: AcquireOptions): boolean {
    const conflicts = (each: Acquisition): boolean => each.name === name && (mode === 'exclusive' || each.mode === 'exclusive');
    return [...this.held].some(conflicts) || [...this.pending].some(conflicts);
  }

  query(options?: QueryOptions & { readonly scope?: 'node' }): Promise<LockManagerSnapshot>;
  query(options: QueryOptions): Promise<ClusterSnapshot>;
  async query({ scope = 'node' }: QueryOptions = {}): Promise<ClusterSnapshot> {
    const info = (acquisition: Acquisition): LockInfo => acquisition.info(this.parts.id);
    const own: LockManagerSnapshot = { held: [...this.held].map(info), pending: [...this.pending].map(info) };
    if (scope === 'node') return own as ClusterSnapshot;
    const answers = await this.parts.queryPeers();
    const snapshots = [own, ...[...answers.values()].filter((each) => each !== null)];
    return {
      held: snapshots.flatMap((each) => each.held),
      pending: snapshots.flatMap((each) => each.pending),
      unanswered: [...answers].filter(([, snapshot]) => snapshot === null).map(([node]) => node),
    };
  }

  /** Call back for each change of who holds the lock through this node. Returns how to stop it. */
  watch(name: string, listener: (change: LockChange) => void): () => void {
    const watchers = this.watchers.get(name) ?? new Set();
    this.watchers.set(name, watchers.add(listener));
    return () => {
      watchers.delete(listener);
      if (watchers.size === 0) this.watchers.delete(name);
    };
  }

  private tellWatchers(acquisition: Acquisition, change: LockChange['change']): void {
    if (this.watchers.size === 0) return;
    const watchers = this.watchers.get(acquisition.name);
    if (watchers === undefined) return;
    const lock = acquisition.info(this.parts.id);
    // In its own turn: what a listener throws is not the node's failure.
    for (const watcher of watchers) queueMicrotask(() => watcher({ change, lock }));
  }

  private timeoutError(name: string, waitedMs: number): LockError {
    const { id, runtime, hasQuorum } = this.parts;
    const lock = JSON.stringify(name);
    if (hasQuorum()) {
      return new LockError('timeout', `node ${id} did not get the lock ${lock} within ${Math.round(waitedMs)} ms${this.holderKnown(name)}`);
    }
    const down = [...runtime.down].sort(([a], [b]) => (a < b ? -1 : 1)).map(([peer, reason]) => `${peer} (${reason})`).join(', ');
    return new LockError(
      'no-quorum',
      `node ${id} waited ${Math.round(waitedMs)} ms for the lock ${lock}, but the nodes it can reach contain no quorum. ` +
        `Down: ${down}. Start them, or check the network`,
    );
  }

  /** Who holds the lock or asked first, as far as this node's callers and its own arbiter know. */
  private holderKnown(name: string): string {
    const { id, runtime } = this.parts;
    const view = runtime.inspect(name);
    if (view?.requester?.state === 'held') return `; another caller of ${id} holds it`;
    const others = (view?.grants ?? []).map((grant) => grant.request.node).filter((node) => node !== id);
    return others.length === 0 ? '' : `; last known to be held or asked for first by ${others.join(', ')}`;
  }
}

interface AcquisitionParts {
  readonly pending: Set<Acquisition>;
  readonly held: Set<Acquisition>;
  readonly changed: (acquisition: Acquisition, change: LockChange['change']) => void;
  readonly resolve: (lock: ManagedLock) => void;
  readonly reject: (reason: unknown) => void;
  readonly timeoutError: (waitedMs: number) => LockError;
}

/** One caller's way from asking to release. */
class Acquisition implements Caller, HeldLock {
  readonly mode: Mode;
  token: Token = 0;
  private validUntilMs = 0;
  private state: 'waiting' | 'held' | 'over' = 'waiting';
  private readonly caller: CallerId;
  private readonly label: string | undefined;
  /** When it asked, or was granted. */
  private sinceMs: number;
  private readonly stopWaiting: (() => void) | undefined;
  private lostReason: LockError | undefined;
  /** What runs under the lock, if it is known. */
  work: PromiseLike<unknown> | undefined;
  private lostListener: ((reason: LockError) => void) | undefined;
  private renewedListener: ((validForMs: number) => void) | undefined;
  /** Made when it is first asked for: most callers never do. */
  private abortController: AbortController | undefined;

  constructor(
    private readonly runtime: Runtime,
    readonly name: string,
    options: AcquireOptions,
    private readonly parts: AcquisitionParts,
  ) {
    this.mode = options.mode ?? 'exclusive';
    this.label = options.label;
    this.sinceMs = runtime.nowMs();
    parts.pending.add(this);
    try {
      this.caller = runtime.acquire(name, this.mode, this, options.steal);
    } catch (error) {
      parts.pending.delete(this);
      throw error;
    }
    // A free lock whose grants were retained is entered at once.
    if (this.isWaiting() && (options.signal !== undefined || options.waitMs !== undefined)) {
      this.stopWaiting = this.waitAtMost(options);
    }
  }

  entered(token: Token, validUntilMs: number): void {
    this.stopWaiting?.();
    this.state = 'held';
    this.token = token;
    this.validUntilMs = validUntilMs;
    this.parts.pending.delete(this);
    this.parts.held.add(this);
    this.sinceMs = this.runtime.nowMs();
    this.parts.changed(this, 'held');
    this.parts.resolve(this);
  }

  renewed(validUntilMs: number): void {
    this.validUntilMs = validUntilMs;
    const listener = this.renewedListener;
    // In its own turn: what a listener throws is not the node's failure.
    if (listener !== undefined) queueMicrotask(() => listener(this.validForMs()));
  }

  lost(reason: LockError): void {
    this.stopWaiting?.();
    const wasWaiting = this.isWaiting();
    this.end();
    if (wasWaiting) return this.parts.reject(reason);
    this.parts.changed(this, 'lost');
    this.lostReason = reason;
    this.lostListener?.(reason);
    // Listeners of a signal run at once, within this; what they throw is reported by themselves.
    this.abortController?.abort(reason);
  }

  get signal(): AbortSignal {
    this.abortController ??= new AbortController();
    if (this.lostReason !== undefined) this.abortController.abort(this.lostReason);
    return this.abortController.signal;
  }

  inUseUntil(work: PromiseLike<unknown>): void {
    this.work = work;
  }

  /** It waited, and does so no more. */
  refuse(reason: unknown): void {
    this.stopWaiting?.();
    this.end();
    this.runtime.release(this.caller);
    this.parts.reject(reason);
  }

  /** The signal aborts, and the lock is still held until the work under it ends. */
  interrupt(reason: LockError): void {
    this.abortController ??= new AbortController();
    this.abortController.abort(reason);
  }

  validForMs(): number {
    return this.state === 'held' ? Math.max(0, this.validUntilMs - this.runtime.nowMs()) : 0;
  }

  onRenewed(listener: (validForMs: number) => void): void {
    this.renewedListener = listener;
  }

  onLost(listener: (reason: LockError) => void): void {
    if (this.lostReason !== undefined) listener(this.lostReason);
    else this.lostListener = listener;
  }

  release(): void {
    if (this.state !== 'held') return;
    this.end();
    this.parts.changed(this, 'released');
    this.runtime.release(this.caller);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.release();
    return Promise.resolve();
  }

  info(clientId: NodeId): LockInfo {
    const { name, mode, label, token } = this;
    return {
      name, mode, clientId,
      ...(label === undefined ? {} : { label }),
      ...(token === 0 ? {} : { token }),
      forMs: this.runtime.nowMs() - this.sinceMs,
    };
  }

  private end(): void {
    this.state = 'over';
    this.parts.pending.delete(this);
    this.parts.held.delete(this);
  }

  private isWaiting(): boolean {
    return this.state === 'waiting';
  }

  private waitAtMost({ signal, waitMs }: AcquireOptions): () => void {
    const onAbort = (): void => this.refuse(signal?.reason);
    const forget = waitMs === undefined ? undefined : this.runtime.schedule(() => this.refuse(this.parts.timeoutError(waitMs)), waitMs);
    const stop = (): void => {
      forget?.();
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort);
    return stop;
  }
}
