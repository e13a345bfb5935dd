/**
 * The locks of a node in this process. Law: a callback or a holder is told at once when its lock is
 * lost; nothing here decides whether it is.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { isCompatible } from '../core';
import type { CallerId, Mode, NodeId, Token } from '../core';
import { LockError } from '../errors';
import type { Caller, Runtime } from '../node/runtime';
import { BaseLockManager, IF_AVAILABLE_MS } from './base';
import type { ManagedLock } from './base';
import type { ClusterSnapshot, HeldLock, LockChange, LockInfo, LockManagerSnapshot, LockOptions, QueryOptions } from './types';

/** What the manager asks of the node that it belongs to. */
export interface ManagerParts {
  readonly id: NodeId;
  readonly runtime: Runtime;
  /** Whether the nodes in reach contain a quorum. */
  readonly hasQuorum: () => boolean;
  /** The snapshots of the other nodes; null for one that did not answer. */
  readonly queryPeers: () => Promise<ReadonlyMap<NodeId, LockManagerSnapshot | null>>;
  /**
   * Be told of each change of who holds the lock through another node, beginning with those who hold it
   * now. Of nodes that do not answer nothing is heard. Returns how to stop it.
   */
  readonly watchPeers: (name: string, listener: (change: LockChange) => void) => () => void;
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
  override begin(name: string, options: LockOptions): Promise<ManagedLock> {
    const inTheWay = options.ifAvailable === true ? this.firstInTheWay(name, options.mode) : undefined;
    if (inTheWay !== undefined) return Promise.reject(notFreeError(inTheWay.info(this.parts.id)));
    return new Promise((resolve, reject) => {
      new Acquisition(this.parts.runtime, name, options, {
        pending: this.pending,
        held: this.held,
        changed: (acquisition, change) => this.tellWatchers(acquisition, change),
        resolve,
        reject,
        timeoutError: (waitedMs) => this.timeoutError(name, waitedMs),
        untilHeldByOther: (acquisition, tell) => this.untilHeldByOther(acquisition, tell),
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

  /** The caller of this node that holds the lock or asked for it before, so that it is not free for another. */
  private firstInTheWay(name: string, mode: Mode = 'exclusive'): Acquisition | undefined {
    const isInTheWay = (each: Acquisition): boolean => each.name === name && !isCompatible(mode, each.mode);
    return [...this.held].find(isInTheWay) ?? [...this.pending].find(isInTheWay);
  }

  /**
   * The votes of a lock that is held say nothing: an arbiter cannot tell a lock in use from one that was
   * released and whose votes are kept (protocol section 9), and a holder does not answer an Inquire. So
   * the holders themselves are asked, and the first to hold it while we wait is the answer. Whoever only
   * waits is no proof: it may be younger than we are.
   */
  private untilHeldByOther(acquisition: Acquisition, tell: (error: LockError) => void): () => void {
    const listener = ({ change, lock }: LockChange): void => {
      if (change === 'held' && !isCompatible(acquisition.mode, lock.mode)) tell(notFreeError(lock));
    };
    const stops = [this.watch(acquisition.name, listener), this.parts.watchPeers(acquisition.name, listener)];
    return () => {
      for (const stop of stops) stop();
    };
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

  /**
   * Call back for each change of who holds the lock through this node, beginning with those who hold it
   * now. Returns how to stop it.
   */
  watch(name: string, listener: (change: LockChange) => void): () => void {
    const watchers = this.watchers.get(name) ?? new Set();
    this.watchers.set(name, watchers.add(listener));
    for (const acquisition of this.held) {
      if (acquisition.name !== name) continue;
      const lock = acquisition.info(this.parts.id);
      queueMicrotask(() => listener({ change: 'held', lock }));
    }
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
      return new LockError('timeout', `node ${id} did not get the lock ${lock} within ${Math.round(waitedMs)} ms${this.knownOfHolder(name)}`);
    }
    const down = [...runtime.down].sort(([a], [b]) => (a < b ? -1 : 1)).map(([peer, reason]) => `${peer} (${reason})`).join(', ');
    return new LockError(
      'no-quorum',
      `node ${id} waited ${Math.round(waitedMs)} ms for the lock ${lock}, but the nodes it can reach contain no quorum. ` +
        `Down: ${down}. Start them, or check the network`,
    );
  }

  /** Who holds the lock or asked first, as far as this node's callers and its own arbiter know. */
  private knownOfHolder(name: string): string {
    const { id, runtime } = this.parts;
    const own = [...this.held].find((each) => each.name === name);
    if (own !== undefined) return `; ${describeHolder(own.info(id))}`;
    const view = runtime.inspect(name);
    const others = (view?.grants ?? []).map((grant) => grant.request.node).filter((node) => node !== id);
    return others.length === 0 ? '' : `; last known to be held or asked for first by ${others.join(', ')}`;
  }
}

function notFreeError(holder: LockInfo): LockError {
  return new LockError('timeout', `the lock ${JSON.stringify(holder.name)} is not free: ${describeHolder(holder)}`);
}

/** `n1 (deploy 7) holds it with token 1795627189372224`, or that it waits for it. */
function describeHolder({ clientId, label, token }: LockInfo): string {
  return `${clientId}${label === undefined ? '' : ` (${label})`} ${token === undefined ? 'waits for it' : `holds it with token ${token}`}`;
}

interface AcquisitionParts {
  readonly pending: Set<Acquisition>;
  readonly held: Set<Acquisition>;
  readonly changed: (acquisition: Acquisition, change: LockChange['change']) => void;
  readonly resolve: (lock: ManagedLock) => void;
  readonly reject: (reason: unknown) => void;
  readonly timeoutError: (waitedMs: number) => LockError;
  /** Call back when another is found to hold the lock. Returns how to stop looking. */
  readonly untilHeldByOther: (acquisition: Acquisition, tell: (error: LockError) => void) => () => void;
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
    options: LockOptions,
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
    const { signal, waitMs, ifAvailable } = options;
    if (this.isWaiting() && (signal !== undefined || waitMs !== undefined || ifAvailable === true)) {
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
    this.runtime.catchUp();
    this.abortController ??= new AbortController();
    if (this.lostReason !== undefined) this.abortController.abort(this.lostReason);
    return this.abortController.signal;
  }

  inUseUntil(work: PromiseLike<unknown>): void {
    this.work = work;
  }

  /** It waited, and does so no more. */
  refuse(reason: unknown): void {
    if (!this.isWaiting()) return;
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
    this.runtime.catchUp();
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

  private waitAtMost({ signal, waitMs: patienceMs, ifAvailable }: LockOptions): () => void {
    const waitMs = ifAvailable === true ? Math.min(patienceMs ?? Infinity, IF_AVAILABLE_MS) : patienceMs;
    const onAbort = (): void => this.refuse(signal?.reason);
    const forget = waitMs === undefined ? undefined : this.runtime.schedule(() => this.refuse(this.parts.timeoutError(waitMs)), waitMs);
    const stopLooking = ifAvailable === true ? this.parts.untilHeldByOther(this, (error) => this.refuse(error)) : undefined;
    const stop = (): void => {
      forget?.();
      stopLooking?.();
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort);
    return stop;
  }
}
