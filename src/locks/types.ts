// For users whose settings do not name it: `await using`.
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The API that people call: the LockManager of the W3C Web Locks specification (w3.org/TR/web-locks),
 * over many machines, and what machines need beyond it: tokens, lost locks, time-outs.
 */
import type { Mode, NodeId, Token } from '../core';

/**
 * The platform's `AbortSignal`. Where TypeScript knows none (`types: []` without the DOM library), the part of it that locks
 * use.
 */
export type PlatformAbortSignal = typeof globalThis extends { readonly AbortSignal: { readonly prototype: infer Known } } ? Known : BareAbortSignal;

/** What every `AbortSignal` has. */
export interface BareAbortSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  /** Throws the reason if it has aborted. */
  throwIfAborted(): void;
  /** Calls `listener` when it aborts. */
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once?: boolean }): void;
  /** Calls that `listener` no more. */
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** How to ask for a lock that the caller releases. */
export interface AcquireOptions {
  /** `exclusive` (default): alone. `shared`: together with other shared holders. */
  readonly mode?: Mode;
  /** Gives up waiting when aborted: the promise rejects with the signal's reason. No effect once the lock is held. */
  readonly signal?: PlatformAbortSignal;
  /**
   * Gives up waiting after so many milliseconds, with a LockError `timeout` or `no-quorum`. Default: never. With 0 no
   * message has time to come back, so the request gets even a free lock only if this node still keeps its votes. To
   * take a lock only if it is free, use `tryAcquire` or `ifAvailable` (as `maekawa lock --wait 0s` does).
   */
  readonly waitMs?: number;
  /**
   * For how many milliseconds the lock may be held, at least 1, counted from its grant. Default: as long as its lease is renewed.
   * It is for a holder that lives but hangs. `validForMs()` never goes beyond. Then the lock ends as one that is lost does, with
   * the code `expired`: its signal aborts, `request` rejects, and others can have the lock even if the callback still runs.
   * A resource that checks the token refuses what it writes late. A client counts from the last sign of life that its node had
   * heard before the grant. So its hold may end sooner by a fifth of `maxHoldMs`, or by a fiftieth of the lease if that is more.
   */
  readonly maxHoldMs?: number;
  /**
   * What to do when the chain of async calls that makes the request holds this very lock, through the same `LockManager`. Such a request
   * waits for ever if the chain awaits it. `warn` (default): when it has waited for a second and the chain still holds the lock, a process
   * warning (`MAEKAWA_NESTED_LOCK`) says where it was made and by which callers, once for each place; so does the message of a `timeout`.
   * Where the lock was taken is noted from then on, and told the next time. `reject`: rejects at once
   * with a LockError `nested`; of a reader within a reader, which waits only behind a writer, when it has waited for a second. One
   * with `ifAvailable` or `steal` does not wait for itself. Permits of a semaphore and terms of an election are not looked at.
   */
  readonly nested?: 'warn' | 'reject';
  /**
   * Take the lock from its holder, on any node, before all who wait. The holder hears of it by its `signal`. A holder
   * in the process of a node has lost the lock at that moment. A client gives it back when its `request` rejects, which
   * is at once, or by `release` after `acquire`. If it does not, or cannot be reached, the lock ends with its lease.
   * Default false.
   */
  readonly steal?: boolean;
  /**
   * Who asks and what for. `query`, `maekawa who` and messages show it to others; 200 characters of it are kept. Default: user,
   * host and number of this process, as in `deploy@web-1 pid 4711`. The empty text shows nothing.
   */
  readonly label?: string;
}

/** As in the Web Locks specification, and `waitMs`. */
export interface LockOptions extends AcquireOptions {
  /**
   * Run the callback with `null` unless the lock is free. The answer takes about one round trip, or half a second when
   * the holder does not answer. Default false.
   */
  readonly ifAvailable?: boolean;
}

/** A lock that is held. */
export interface Lock {
  readonly name: string;
  readonly mode: Mode;
  /**
   * The fencing token, a safe integer. Hand it to the resource that the lock protects, and let the resource
   * refuse a smaller token than it has seen. Then a holder that was paused past its lease cannot overwrite a later one.
   */
  readonly token: Token;
  /**
   * Aborts as soon as this process knows that the lock is lost, with a LockError (`lost`, `expired`, `stolen` or `closed`) as its reason.
   * Reading `aborted`, `reason` or `throwIfAborted()` looks at the clock: after a long computation it says in the same turn
   * that the lock has run out. A signal derived from it, as by `AbortSignal.any`, says so when the event loop turns.
   */
  readonly signal: PlatformAbortSignal;
  /** For how many more milliseconds the lock is held if no renewal succeeds; 0 once it is lost or released. */
  validForMs(): number;
}

/** A lock to be released by its holder. `await using` releases it at the end of the block. */
export interface HeldLock extends Lock {
  /**
   * Gives the lock back. Resolves when the node knows, so that the next one need not wait for the lease to end; or when the
   * node cannot be told any more, or all that it promised has run out. Never rejects, and need not be awaited unless the
   * process exits next. Idempotent. A node in this process knows at once; `stop()` it before the process exits.
   */
  release(): Promise<void>;
  /** Calls `listener` after each renewal with the new `validForMs()`. A later listener takes the place of an earlier one. */
  onRenewed(listener: (validForMs: number) => void): void;
  /** As `release`; for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Several locks, held and released together. */
export interface HeldLocks {
  /** In the order of their names; each name once. */
  readonly locks: readonly HeldLock[];
  /** Aborts when the first of them is lost. Is read by the clock, as that of one lock. */
  readonly signal: PlatformAbortSignal;
  /** The least of their `validForMs()`. */
  validForMs(): number;
  /** Releases all of them, and resolves as the `release` of one. Idempotent. */
  release(): Promise<void>;
  /** As `release`; for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** One line of a snapshot. */
export interface LockInfo {
  readonly name: string;
  readonly mode: Mode;
  /**
   * Who holds the lock or asks for it. A caller in the process of a node has the id of that node. A client has the id
   * of the node that it asked and a number for its connection, as in `n1/3`. A client that wants and holds nothing for
   * 10 s may get another number.
   */
  readonly clientId: string;
  /** The `label` of the request, or what it is by default. */
  readonly label?: string;
  /** The fencing token; absent while the request waits. */
  readonly token?: Token;
  /** For how many milliseconds it has been held, or has waited. */
  readonly forMs: number;
  /** The work under it is done, and it is kept for so many milliseconds more (`once`). Absent while it is in use, or waits. */
  readonly keptForMs?: number;
}

/** What happened to one lock on one node. */
export interface LockChange {
  readonly change: 'held' | 'released' | 'lost';
  readonly lock: LockInfo;
}

/** Who holds locks and who waits for one, at one moment. */
export interface LockManagerSnapshot {
  /** In the order in which they were granted. */
  held: LockInfo[];
  /** In the order in which they were asked for. */
  pending: LockInfo[];
}

/** The same, of all nodes that answered. What one node told is in order; that of different nodes is in none. */
export interface ClusterSnapshot extends LockManagerSnapshot {
  /** Nodes that did not answer in time. The lists do not contain what is held through them. */
  readonly unanswered: readonly NodeId[];
}

/** Which nodes `LockManager.query` asks. */
export interface QueryOptions {
  /** `cluster` (default): lists what is held and asked for through any node. `node`: through this manager's node. */
  readonly scope?: 'cluster' | 'node';
}

/** At most `permits` holders at a time, in the whole cluster. */
export interface Semaphore {
  readonly name: string;
  readonly permits: number;
  /** Resolves when one of the permits is held. Rejects as `LockManager.acquire` does. */
  acquire(options?: SemaphoreOptions): Promise<HeldPermit>;
  /** Resolves to a permit if one is free, else to null. */
  tryAcquire(options?: Pick<SemaphoreOptions, 'maxHoldMs' | 'label'>): Promise<HeldPermit | null>;
  /** Run `callback` while holding a permit; resolves or rejects as `LockManager.request` does. */
  request<T>(callback: (permit: Permit) => T): Promise<Awaited<T>>;
  /** The same with options. */
  request<T>(options: SemaphoreRequestOptions & { readonly ifAvailable?: false }, callback: (permit: Permit) => T): Promise<Awaited<T>>;
  /** With `ifAvailable` the callback gets `null` when no permit is free. */
  request<T>(options: SemaphoreRequestOptions, callback: (permit: Permit | null) => T): Promise<Awaited<T>>;
}

/** The options of a lock that a permit has too. A permit is neither shared nor stolen. */
export type SemaphoreOptions = Pick<AcquireOptions, 'signal' | 'waitMs' | 'maxHoldMs' | 'label'>;

/** The options of `Semaphore.request`. */
export type SemaphoreRequestOptions = SemaphoreOptions & Pick<LockOptions, 'ifAvailable'>;

/**
 * A permit of a semaphore that is held: a lock with a `name` of its own, such as `-permit 0 of crawlers`. `name` and `token` are
 * the pair to show to a resource: the token is larger than that of every earlier holder of *this* permit. The tokens of different
 * permits do not compare, so a resource remembers the largest token of each `name`, as `fence` does. Under the name of the
 * semaphore it would refuse valid holders.
 */
export interface Permit extends Lock {
  /** The semaphore's name. */
  readonly semaphore: string;
  /** Which of the permits it is, from 0. */
  readonly permit: number;
}

/** A permit to be released by its holder. */
export interface HeldPermit extends HeldLock {
  /** As in `Permit`. */
  readonly semaphore: string;
  /** As in `Permit`. */
  readonly permit: number;
}

/** How to run a job on one node only. */
export interface OnceOptions {
  /**
   * For how many milliseconds from its start the lock is kept, though the job was quicker or failed: longer than the clocks
   * and the schedulers of the machines are apart. From 0 to a day (86 400 000).
   */
  readonly atLeastMs: number;
  /** Gives up asking when aborted: the promise rejects with the signal's reason. No effect once the job runs. */
  readonly signal?: PlatformAbortSignal;
  /** As in `AcquireOptions`. */
  readonly label?: string;
}

/** Whether the job ran here, and what it gave. */
export type OnceOutcome<T> = { readonly ran: true; readonly value: T } | { readonly ran: false };

/** How an election is called by those who stand in it. */
export interface ElectionOptions {
  /**
   * What others see of this candidate, also those who observe: such as the address at which it serves. 200 characters of it are
   * kept. Default: user, host and number of this process.
   */
  readonly label?: string;
}

/** How to campaign, and how to observe. */
export interface CampaignOptions {
  /** Ends it when aborted. */
  readonly signal?: PlatformAbortSignal;
}

/** A time as leader: from the grant of the election's lock to its end. */
export interface Term extends Lock {
  /**
   * Aborts when the term ends, whatever ended it, and before a successor may enter: by the clock of this process, and while its event
   * loop runs. The reason is a LockError: `lost`, `stolen` or `closed` as that of a lock, or `aborted` when the term ended in
   * good order. With `Election.run` it is the reason of the signal of `run`, if that ended the term.
   */
  readonly signal: PlatformAbortSignal;
}

/** A term that its leader ends. `await using` ends it at the end of the block. */
export interface HeldTerm extends Term {
  /** Ends the term: its signal aborts, then the lock is given back. Resolves as `HeldLock.release` does. Idempotent. */
  resign(): Promise<void>;
  /** As `resign`; for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Who leads. */
export interface Leader {
  /** As in `LockInfo`: the id of its node, or for a client such as `n1/3`. */
  readonly clientId: string;
  /** The `label` that it gave to the election. */
  readonly label?: string;
  /** Of its term: larger than that of every earlier leader. */
  readonly token: Token;
}

/**
 * At most one leader at a time, in the whole cluster. The election *is* the exclusive lock of its name: its holder leads,
 * whether it came by `election`, by `request` or by `maekawa lock`; `steal` deposes a leader; the tokens are those of the lock.
 */
export interface Election {
  readonly name: string;
  /** Waits in line until it leads. Rejects as `LockManager.acquire` does; the signal has no effect on a term. */
  campaign(options?: CampaignOptions): Promise<HeldTerm>;
  /**
   * Campaigns, and runs `work` as leader. Settles as `work` does, when the term that it ran in was held to its end. The lock
   * is given back when `work` has settled.
   *
   * When the term is cut short (lost with its lease, stolen, or its node stops), its signal aborts: `work` must end by itself. A lock
   * that is lost waits for nobody, so another may lead while `work` cleans up. As soon as `work` has settled, whatever it returns or
   * throws then, this campaigns again; never two of its `work` run at once.
   *
   * When `options.signal` aborts, so does that of the term, and when `work` has settled `run` rejects with the reason; or with
   * what `work` threw, unless that is an `AbortError`.
   */
  run<T>(work: (term: Term) => T, options?: CampaignOptions): Promise<Awaited<T>>;
  /**
   * Who leads, through whichever node of the cluster: first the present leader, then each change; `null` when nobody is known to.
   * Only the newest is kept: a consumer that is slow misses those between. Begins when it is first read, and ends when the loop over it
   * does. Rejects with the signal's reason when that aborts, and with a LockError when it cannot go on (`closed`, `config`, `protocol`).
   *
   * It tells news and promises nothing: as a rule it is as late as a message between two nodes, after a broken connection
   * about a second. A leader whose node does not answer is reported for a lease and a second or two more at most. Show a resource the token.
   */
  observe(options?: CampaignOptions): AsyncIterableIterator<Leader | null>;
}

/** The locks of a node or of a connection to nodes: the `LockManager` of the Web Locks API, across machines, and more. */
export interface LockManager {
  /**
   * Run `callback` while holding the lock; resolves or rejects as it does, after the lock was released. That of a client
   * then waits until its node knows (`HeldLock.release`): a process may exit, and the next one need not wait for the lease.
   * Rejects with a DOMException as the specification says (`NotSupportedError` for options that exclude
   * each other and names that start with `-`, `AbortError` when the lock is stolen), with the signal's
   * reason when aborted before the grant, and with a LockError `timeout`, `no-quorum` or `closed` when
   * the lock is not granted. When the lock is lost while the callback runs, `request` rejects at once with a
   * LockError `lost` (or `expired`, by `maxHoldMs`), and `lock.signal` aborts: the callback must stop by itself. When this process was busy or frozen
   * until the lock had run out, `request` rejects with `lost` too, and never starts the callback.
   */
  request<T>(name: string, callback: (lock: Lock) => T): Promise<Awaited<T>>;
  /** The same with options. */
  request<T>(name: string, options: LockOptions & { readonly ifAvailable?: false }, callback: (lock: Lock) => T): Promise<Awaited<T>>;
  /** With `ifAvailable` the callback gets `null` when the lock is not free. */
  request<T>(name: string, options: LockOptions, callback: (lock: Lock | null) => T): Promise<Awaited<T>>;
  /**
   * Lists what is held and what waits in the whole cluster, and names the nodes that did not answer: each has 1.5 s, or 10 s where
   * its list is long. A client gives the node that it asks 4 s, goes on to its next node then, and rejects with a LockError
   * `unreachable` when none answers. A request made through this manager shows up as soon as it is made. The nodes answer one by
   * one, so a lock that goes from one to another meanwhile may be listed twice or not at all.
   */
  query(options?: QueryOptions & { readonly scope?: 'cluster' }): Promise<ClusterSnapshot>;
  /** With `{ scope: 'node' }` asks no other node. */
  query(options: QueryOptions): Promise<LockManagerSnapshot>;
  /** Resolves when the lock is held; the caller releases it. Rejects as `request` does. */
  acquire(name: string, options?: AcquireOptions): Promise<HeldLock>;
  /** Resolves to the lock if it is free, else to null. */
  tryAcquire(name: string, options?: Pick<AcquireOptions, 'mode' | 'maxHoldMs' | 'label'>): Promise<HeldLock | null>;
  /**
   * Takes all of these locks, or none. It takes them in the order of their names, so that callers cannot block each
   * other for ever. `waitMs` counts for all of them together, `maxHoldMs` for each from its own grant. Rejects as `acquire` does, and when one of them is lost
   * while it waits for the others.
   */
  acquireAll(names: Iterable<string>, options?: AcquireOptions): Promise<HeldLocks>;
  /**
   * A counting semaphore. All who use one name must give the same number of permits, from 1 to 64. While permits are free, a
   * caller costs one request. While none is, it stands in line for four of them at most.
   */
  semaphore(name: string, permits: number): Semaphore;
  /**
   * Runs a job of every node's schedule on one of them: where the exclusive lock of this name is free, it runs `callback` while it
   * holds the lock, and resolves to its value; elsewhere it resolves to `{ ran: false }`, after about a round trip, or half a second
   * when the holder does not answer. The lock is kept until `atLeastMs` after the job began, for those whose clock is behind. If the node
   * that keeps it dies or stops, the lock ends with its lease. A call after the end of the lock runs the job again.
   *
   * A client's node keeps the lock for it, so its process may exit. Meanwhile `query` lists it with `keptForMs`. `steal` takes it.
   * Rejects as `request` does, and as `callback` does; also with `no-quorum`, when nobody could have run it.
   */
  once<T>(name: string, options: OnceOptions, callback: (lock: Lock) => T): Promise<OnceOutcome<Awaited<T>>>;
  /**
   * Leadership under a name: the exclusive lock of that name, campaigned for and observed. Asks for nothing by itself.
   * @throws TypeError, DOMException or LockError `config` for a name or label that cannot be
   */
  election(name: string, options?: ElectionOptions): Election;
}
