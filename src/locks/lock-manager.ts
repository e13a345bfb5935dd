/**
 * The locks of a node in this process. Law: a callback or a holder is told at once when its lock is
 * lost; nothing here decides whether it is.
 */
import { isCompatible } from '../core';
import type { CallerId, ClientNumber, Mode, NodeId, Token } from '../core';
import { LockError } from '../errors';
import { nextTurn } from '../runtime/turns';
import type { Lending } from '../runtime/lending';
import type { Caller, Runtime } from '../runtime/runtime';
import { onAbort } from './abort';
import { BaseLockManager } from './base';
import { ByName } from './by-name';
import { boundLabel, holderTitle } from './holder-title';
import { HolderLooks } from './holder-looks';
import type { Keeper } from './keeper';
import type { Tell } from './latest';
import { LeaderWatches } from './leader-watch';
import { IF_AVAILABLE_MS, limitOf, LockInHand } from './managed-lock';
import type { LockKeeper, ManagedLock, ManagerTime } from './managed-lock';
import { readScope } from './request-arguments';
import { missingVotes } from './status';
import type { ClusterSnapshot, Leader, LockChange, LockInfo, LockManagerSnapshot, LockOptions, QueryOptions } from './types';
import { Watchers } from './watchers';
import type { Followed, Holder, HolderChange } from './watchers';

/**
 * How long a question or a theft waits for requests made before it: within this time one for a free lock is
 * granted and one for a lock that is held is known to wait, unless the network is slow or the holder silent.
 */
const DECISION_MS = 250;

/** For so long before it gives up, a request looks who holds its lock. */
const HOLDER_LOOK_MS = 500;

/** So many of those ahead are named. */
const AHEAD_MAX = 100;

/** How long holders may take to give their locks back when the node stops; those of slower ones end with their leases. */
export const CALLERS_DRAIN_MS = 400;

const NOT_WAITING = (): void => undefined;

/** One request of a caller. Of both callbacks one is called, once. */
interface Asked {
  readonly name: string;
  readonly options: LockOptions;
  /** On whose behalf, where that is another process. */
  readonly client: string | undefined;
  /** Who keeps the lock when it is used no longer, or passes it on. */
  readonly keeper?: Keeper | undefined;
  readonly granted: (lock: ManagedLock) => void;
  readonly refused: (reason: unknown) => void;
}

/** What the manager asks of the node that it belongs to. */
export interface ManagerParts {
  readonly id: NodeId;
  readonly runtime: Runtime;
  /** Of callers in this process that give none. Left out, they have none. */
  readonly label?: string;
  /** Whether the nodes in reach that lend their votes contain a quorum, as far as this one knows. */
  readonly hasQuorum: (lending: Lending) => boolean;
  /** The snapshots of the other nodes; null for one that did not answer. */
  readonly queryPeers: () => Promise<ReadonlyMap<NodeId, LockManagerSnapshot | null>>;
  /**
   * Be told of each change of who holds the lock through another node, beginning with those who hold it
   * now. Of nodes that do not answer nothing is heard. Returns how to stop it.
   */
  readonly watchPeers: (name: string, listener: (change: LockChange) => void) => () => void;
  /** Who holds the lock through each other node; null for one that did not answer. Never rejects. */
  readonly holdersAtPeers: (name: string) => Promise<ReadonlyMap<NodeId, readonly LockInfo[] | null>>;
  /** For so long a node that does not answer may hold what it held. */
  readonly leaseMs: number;
  /** Wait so long to see what happens. Where time stands still: for what happens without it. */
  readonly pause: (forMs: number) => Promise<void>;
}

export class NodeLockManager extends BaseLockManager {
  /** In the order in which they asked, and in which they were granted. */
  private readonly pending = new Set<Acquisition>();
  private readonly held = new Set<Acquisition>();
  /** Both of these. */
  private readonly byName = new ByName<Acquisition>();
  /** Those that are held for a keeper, of which nobody knows whether they are in use. */
  private readonly keeping = new Set<Acquisition>();
  private readonly watchers = new Watchers(() => [...this.held].filter((each) => !this.keeping.has(each)));
  /** When a lock was last given up while others waited, for any lock: these may be about to get theirs. */
  private handedOnMs = -Infinity;
  /** How many of those held are held on for nobody. */
  private kept = 0;
  /** How many requests were made, and how many granted. */
  private made = 0;
  private grants = 0;
  /** Called when the last lock that was in use is in use no more. */
  private onReleased: () => void = () => undefined;
  private readonly line: Line;
  private readonly looks: HolderLooks;
  private readonly leaders: LeaderWatches;

  constructor(private readonly parts: ManagerParts) {
    super();
    this.looks = new HolderLooks(parts.watchPeers);
    const { runtime, leaseMs, holdersAtPeers } = parts;
    this.leaders = new LeaderWatches({
      time: runtime,
      leaseMs,
      holdersAtPeers,
      holders: (name) => this.holdersOf(name),
      watch: (name, listener) => this.watchAll(name, listener),
    });
    this.line = {
      runtime,
      ownLabel: parts.label ?? '',
      pending: this.pending,
      held: this.held,
      byName: this.byName,
      keeping: this.keeping,
      watchers: this.watchers,
      nextGrantNumber: () => ++this.grants,
      handedOn: () => {
        if (this.pending.size > 0) this.handedOnMs = runtime.nowMs();
        if (this.isNothingInUse) this.onReleased();
      },
      keptOn: (change) => {
        this.kept += change;
        if (this.isNothingInUse) this.onReleased();
      },
      timeoutError: (name, waitedMs) => this.timeoutError(name, waitedMs),
      lookForHolder: (name) => this.looks.begin(name),
      untilHeldByOther: (acquisition, tell) => this.untilHeldByOther(acquisition, tell),
    };
  }

  protected override get time(): ManagerTime {
    return this.parts.runtime;
  }

  /** For names that were checked, our own included. `client`: on whose behalf, where that is another process. */
  override begin(name: string, options: LockOptions, client?: string): Promise<ManagedLock> {
    return new Promise((resolve, reject) => {
      options.signal?.throwIfAborted();
      this.ask({ name, options, client, granted: resolve, refused: reject });
    });
  }

  /**
   * As `begin`, and calls one of both back, within this where the answer is known at once. Returns how to wait no longer, which
   * is over for one that is granted.
   */
  ask(asked: Asked): (reason: LockError) => void {
    const { name, options, refused } = asked;
    const closed = this.closedFor(name);
    if (closed !== null) {
      refused(closed);
      return NOT_WAITING;
    }
    if (options.ifAvailable !== true || !this.isKept(name)) return this.askNow(asked);
    // Its keeper may be done with it, and one that does not answer uses it.
    let giveUp = (reason: LockError): void => {
      giveUp = NOT_WAITING;
      refused(reason);
    };
    const waits = giveUp;
    void this.untilDecided((each) => each.name === name).then(() => {
      if (giveUp === waits) giveUp = this.askNow(asked);
    });
    return (reason) => giveUp(reason);
  }

  private askNow(asked: Asked): (reason: LockError) => void {
    const { name, options, refused } = asked;
    const inTheWay = options.ifAvailable === true ? this.firstInTheWay(name, options.mode) : undefined;
    if (inTheWay !== undefined) {
      // The callbacks of those that asked before run before this one's.
      void this.untilDecided((each) => each.name === name).then(() => refused(notFreeError(inTheWay.info())));
      return NOT_WAITING;
    }
    const acquisition = new Acquisition(this.line, ++this.made, this.parts.id, asked);
    this.pending.add(acquisition);
    this.byName.add(acquisition);
    if (options.steal === true) void this.askInTurn(acquisition);
    else acquisition.ask();
    return (reason) => acquisition.refuse(reason);
  }

  /** The runtime would say the same, but not to a question that needs no vote. */
  private closedFor(name: string): LockError | null {
    const { signal } = this.parts.runtime.stops;
    if (!signal.aborted) return null;
    const reason = signal.reason as LockError;
    return new LockError('closed', `${reason.message}: it takes no request for the lock ${JSON.stringify(name)}`, { definite: reason.definite, cause: reason });
  }

  protected override isTakenHere(name: string): boolean {
    return this.firstInTheWay(name) !== undefined;
  }

  /** The caller of this node that holds the lock or asked for it before, so that it is not free for another. */
  private firstInTheWay(name: string, mode: Mode = 'exclusive'): Acquisition | undefined {
    const inTheWay = this.byName.of(name).filter((each) => !isCompatible(mode, each.mode));
    return inTheWay.find(({ isGranted }) => isGranted) ?? inTheWay[0];
  }

  /**
   * The votes of a lock that is held say nothing: an arbiter cannot tell a lock in use from one that was
   * released and whose votes are kept (protocol.md section 9), and a holder does not answer an Inquire. So
   * the holders themselves are asked, and the first to hold it while we wait is the answer. Whoever only
   * waits is no proof: it may be younger than we are.
   */
  private untilHeldByOther(acquisition: Acquisition, tell: (error: LockError) => void): () => void {
    const listener = ({ change, lock }: LockChange): void => {
      // A semaphore of the same name is another matter.
      if (lock.name !== acquisition.name) return;
      if (change === 'held' && !isCompatible(acquisition.mode, lock.mode)) tell(notFreeError(lock));
    };
    return this.watchAll(acquisition.name, listener);
  }

  /** Here, and through the nodes that answer. */
  private watchAll(name: string, listener: (change: LockChange) => void): () => void {
    const stops = [this.watch(name, listener), this.parts.watchPeers(name, listener)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /**
   * A theft goes before all who wait, but not before those who would have the lock by now were there no
   * network: they get it, and are robbed.
   */
  private async askInTurn(thief: Acquisition): Promise<void> {
    const earlier = (each: Acquisition): boolean => each.name === thief.name && each !== thief;
    if (this.byName.of(thief.name).some(earlier)) {
      // A callback whose lock was granted in this very turn begins before its lock is stolen.
      await nextTurn();
      await this.untilDecided((each) => earlier(each) && each.number < thief.number);
    }
    thief.ask();
  }

  /**
   * Until no request made so far waits for the network alone: each is granted, or known to wait behind another.
   * Not for long: of a holder that does not answer nothing is known.
   */
  private async untilDecided(isConcerned: (acquisition: Acquisition) => boolean): Promise<void> {
    const { made } = this;
    for (const each of this.keeping) if (isConcerned(each)) each.callIn();
    const undecided = (): Acquisition[] =>
      [...this.keeping, ...this.firstInLine()].filter((each) => each.number <= made && isConcerned(each) && this.decidedAtMs(each) > this.parts.runtime.nowMs());
    let isOver = false;
    let over: Promise<void> | undefined;
    const looking = new Map<Acquisition, () => void>();
    for (let waiting = undecided(); !isOver; waiting = undecided()) {
      const first = waiting.filter((each) => !looking.has(each));
      if (first.length === 0) break;
      const decided = first.map((each) => new Promise<void>((resolve) => looking.set(each, each.onDecided(resolve))));
      over ??= this.parts.pause(DECISION_MS).then(() => void (isOver = true));
      await Promise.race([over, Promise.all(decided)]);
    }
    for (const stop of looking.values()) stop();
  }

  private decidedAtMs({ askedMs, calledInMs }: Acquisition): number {
    return (calledInMs ?? Math.max(askedMs, this.handedOnMs)) + DECISION_MS;
  }

  /** Whether a keeper has the lock, which may be done with it. */
  private isKept(name: string): boolean {
    return this.keeping.size > 0 && this.byName.of(name).some((each) => this.keeping.has(each));
  }

  private callIn(name: string): void {
    if (this.keeping.size === 0) return;
    for (const each of this.keeping) if (each.name === name) each.callIn();
  }

  /** Those that wait for no other caller of this node. */
  private firstInLine(): Acquisition[] {
    const taken = new Map<string, Mode>();
    for (const { name, mode } of this.held) taken.set(name, mode);
    return [...this.pending].filter(({ name, mode, steals }) => {
      const before = taken.get(name);
      taken.set(name, before === 'exclusive' ? before : mode);
      return steals || before === undefined || (before === 'shared' && mode === 'shared');
    });
  }

  /** The node takes no requests any more: who waits is told so. */
  refuseWaiting(reason: LockError): void {
    this.refuseSeekers(reason);
    this.leaders.end(reason);
    // What nobody uses is not waited for.
    for (const each of this.keeping) each.callIn();
    // The last first: a place in the line that becomes free lets nobody in.
    for (const acquisition of [...this.pending].reverse()) acquisition.refuse(acquisition.closedError(reason));
  }

  private get isNothingInUse(): boolean {
    return this.held.size === this.kept;
  }

  /**
   * Resolves as soon as nothing is in use through this node, neither here nor by a client. What is held on for nobody is not waited
   * for. Takes the place of an earlier wait.
   */
  untilNothingIsHeld(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isNothingInUse) resolve();
      else this.onReleased = resolve;
    });
  }

  /**
   * The node is about to stop: refuse those that wait, abort the signals of the locks that are held, and wait until
   * these have been given back. A lock must not go to another node while somebody here still cleans up. Returns
   * the names of those that are still held after `withinMs`: nobody knows whether they are in use; and of those that are held on
   * for nobody, which end with their leases.
   */
  async drain(reason: LockError, withinMs: number): Promise<ReadonlySet<string>> {
    this.refuseWaiting(reason);
    const released = this.untilNothingIsHeld();
    for (const acquisition of [...this.held]) if (!acquisition.isKeptOn) acquisition.interrupt(acquisition.closedError(reason));
    if (!this.isNothingInUse) await Promise.race([released, this.parts.pause(withinMs)]);
    // What is held for others, their streams tell.
    return new Set([...this.held].filter(({ isRemote }) => !isRemote).map(({ name }) => name));
  }

  query(options?: QueryOptions & { readonly scope?: 'cluster' }): Promise<ClusterSnapshot>;
  query(options: QueryOptions): Promise<LockManagerSnapshot>;
  async query(options: QueryOptions = {}): Promise<LockManagerSnapshot | ClusterSnapshot> {
    const scope = readScope(options);
    const asked = scope === 'cluster' ? this.parts.queryPeers() : null;
    // The specification answers after the requests made before were looked at: one for a free lock holds it by then.
    await this.untilAllDecided();
    const own = this.snapshot();
    if (asked === null) return own;
    const answers = await asked;
    const snapshots = [own, ...[...answers.values()].filter((each) => each !== null)];
    return {
      held: snapshots.flatMap((each) => each.held),
      pending: snapshots.flatMap((each) => each.pending),
      unanswered: [...answers].filter(([, snapshot]) => snapshot === null).map(([node]) => node),
    };
  }

  /** Until the requests made so far were looked at: those for a free lock hold it by then. */
  untilAllDecided(): Promise<void> {
    return this.untilDecided(() => true);
  }

  /** What is held, with the number of its grant, above this one; of all locks, or of one. */
  *heldAbove(grantNumber: number, name?: string): IterableIterator<[place: number, info: LockInfo]> {
    for (const each of name === undefined ? this.held : this.grantedOf(name)) if (each.grantNumber > grantNumber) yield [each.grantNumber, each.info()];
  }

  /** What waits, with the number of its request, above this one; for all locks, or for one. */
  *pendingAbove(number: number, name?: string): IterableIterator<[place: number, info: LockInfo]> {
    const pending = name === undefined ? this.pending : this.byName.of(name).filter(({ isGranted }) => !isGranted);
    for (const each of pending) if (each.number > number) yield [each.number, each.info()];
  }

  /** Who holds this lock through this node. */
  holdersOf(name: string): LockInfo[] {
    return this.grantedOf(name).map((holder) => holder.info());
  }

  /** First granted first. */
  private grantedOf(name: string): Acquisition[] {
    return this.byName.of(name).filter(({ isGranted }) => isGranted).sort((one, other) => one.grantNumber - other.grantNumber);
  }

  override followLeader(name: string, tell: Tell<Leader | null>): () => void {
    const closed = this.closedFor(name);
    if (closed !== null) {
      tell.end(closed);
      return NOT_WAITING;
    }
    return this.leaders.follow(name, tell);
  }

  /** What is held and what waits at this moment. */
  snapshot(): LockManagerSnapshot {
    const info = (acquisition: Acquisition): LockInfo => acquisition.info();
    return { held: [...this.held].map(info), pending: [...this.pending].map(info) };
  }

  /**
   * Call back for each change of who holds the lock (or a permit of the semaphore) through this node,
   * beginning with those who hold it now. Returns how to stop it.
   */
  watch(name: string, listener: (change: LockChange) => void): () => void {
    this.callIn(name);
    return this.watchers.watch(name, listener);
  }

  /** The same for who reads at its own pace. */
  follow(name: string, listener: (change: HolderChange) => void): Followed {
    this.callIn(name);
    return this.watchers.follow(name, listener);
  }

  /**
   * Who holds the lock or stands in line for it, as far as this node's own arbiter and callers show: other nodes, for
   * votes are lent to nodes, and clients of this one that hold it.
   */
  ahead(name: string): string[] {
    const { id, runtime } = this.parts;
    const view = runtime.inspect(name);
    const nodes = [...(view?.grants ?? []), ...(view?.queue ?? [])].map(({ request }) => request.node);
    const ownHolders = this.grantedOf(name).map(({ clientId }) => clientId);
    return [...new Set(nodes.flatMap((node) => (node === id ? ownHolders : [node])))].slice(0, AHEAD_MAX);
  }

  private timeoutError(name: string, waitedMs: number): LockError {
    const { id, runtime, hasQuorum } = this.parts;
    const lock = JSON.stringify(name);
    const lending = runtime.lending();
    const { why } = lending;
    const own = why.get(id);
    if (own?.kind === 'cannot write') {
      // Peers that hear nothing of it count as down here: no reasons of theirs.
      return new LockError('no-quorum', `node ${id} waited ${Math.round(waitedMs)} ms for the lock ${lock}, but it can say nothing to other nodes: ${own.reason}`);
    }
    if (hasQuorum(lending)) {
      return new LockError('timeout', `node ${id} did not get the lock ${lock} within ${Math.round(waitedMs)} ms${this.knownOfHolder(name)}`);
    }
    const advice = [...why.values()].some(({ kind }) => kind === 'down') ? 'Start those that are down, or check the network' : 'Wait until they lend their votes again';
    return new LockError(
      'no-quorum',
      `node ${id} waited ${Math.round(waitedMs)} ms for the lock ${lock}, but the nodes that it reaches and that lend their votes contain no quorum. ` +
        `Missing: ${missingVotes(why)}. ${advice}`,
    );
  }

  /** Who holds the lock or asked first, as far as this node's callers and its own arbiter know. */
  private knownOfHolder(name: string): string {
    const { id, runtime } = this.parts;
    const holder = this.grantedOf(name)[0]?.info() ?? this.looks.holderOf(name);
    if (holder !== undefined) return `; ${describeHolder(holder)}`;
    const view = runtime.inspect(name);
    const others = (view?.grants ?? []).map((grant) => grant.request.node).filter((node) => node !== id);
    return others.length === 0 ? '' : `; last known to be held or asked for first by ${others.join(', ')}`;
  }
}

function notFreeError(holder: LockInfo): LockError {
  return new LockError('timeout', `the lock ${JSON.stringify(holder.name)} is not free: ${describeHolder(holder)}`);
}

/** `n1/3 (deploy 7) holds it with token 1795627189372224`, or that it waits for it. */
function describeHolder(holder: LockInfo): string {
  const { token, keptForMs } = holder;
  if (keptForMs !== undefined) return `${holderTitle(holder)} is done with it, and it is kept for ${keptForMs} ms more`;
  return `${holderTitle(holder)} ${token === undefined ? 'waits for it' : `holds it with token ${token}`}`;
}

/** What the callers of one node have in common. */
interface Line {
  readonly runtime: Runtime;
  /** Of callers in this process that give none. */
  readonly ownLabel: string;
  readonly pending: Set<Acquisition>;
  readonly held: Set<Acquisition>;
  readonly byName: ByName<Acquisition>;
  readonly keeping: Set<Acquisition>;
  readonly watchers: Watchers;
  /** Counts the grants of this node. */
  readonly nextGrantNumber: () => number;
  /** One is out of the way of the others. */
  readonly handedOn: () => void;
  /** One more is held on for nobody, or one less. */
  readonly keptOn: (change: 1 | -1) => void;
  readonly timeoutError: (name: string, waitedMs: number) => LockError;
  /** Find out who holds the lock elsewhere, for the message of a time-out. Returns how to stop looking. */
  readonly lookForHolder: (name: string) => () => void;
  /** Call back when another is found to hold the lock. Returns how to stop looking. */
  readonly untilHeldByOther: (acquisition: Acquisition, tell: (error: LockError) => void) => () => void;
}

type State =
  /** One of both is called, and kept no longer: there are as many as locks. */
  | { readonly kind: 'waiting'; readonly granted: (lock: ManagedLock) => void; readonly refused: (reason: unknown) => void }
  | { readonly kind: 'granted'; readonly lock: LockInHand; readonly sinceMs: number }
  | { readonly kind: 'refused' };

const REFUSED: State = { kind: 'refused' };

/** One caller's way from asking to release. */
class Acquisition implements Caller, Holder, LockKeeper {
  readonly name: string;
  readonly clientId: string;
  readonly isRemote: boolean;
  readonly mode: Mode;
  readonly askedMs: number;
  /** 0 before it is granted. */
  grantNumber = 0;
  private readonly options: LockOptions;
  private readonly keeper: Keeper | undefined;
  private readonly runtime: Runtime;
  private state: State;
  /** Once it has asked. */
  private caller: CallerId | undefined;
  private stopWaiting: (() => void) | undefined;
  private forgetEnd: (() => void) | undefined;
  private decidedListeners: Set<() => void> | undefined;
  /** When its keeper was asked whether it uses the lock; null: it was not. */
  calledInMs: number | null = null;
  /** Its keeper was told that it may take tokens by itself. */
  private hasRoom = false;
  /** While it is held on for nobody. */
  private kept: { readonly untilMs: number; readonly forget: () => void } | null = null;

  /** @param number in the order in which requests are made */
  constructor(
    private readonly line: Line,
    readonly number: number,
    ownId: NodeId,
    { name, options, client, keeper, granted, refused }: Asked,
  ) {
    this.name = name;
    this.options = options;
    this.keeper = keeper;
    this.clientId = client ?? ownId;
    this.isRemote = client !== undefined;
    this.state = { kind: 'waiting', granted, refused };
    this.runtime = line.runtime;
    this.mode = options.mode ?? 'exclusive';
    this.askedMs = this.runtime.nowMs();
    if (this.steals) this.stopWaiting = this.waitAtMost();
  }

  get title(): string {
    return holderTitle(this.who());
  }

  get keeps(): boolean {
    return this.keeper?.keeps === true;
  }

  get client(): ClientNumber | null {
    return this.keeper?.client ?? null;
  }

  get isKeptOn(): boolean {
    return this.kept !== null;
  }

  get isGranted(): boolean {
    return this.state.kind === 'granted';
  }

  get steals(): boolean {
    return this.options.steal === true;
  }

  /** The lock is wanted from now on. */
  ask(): void {
    if (!this.isWaiting()) return;
    const { signal, waitMs, ifAvailable } = this.options;
    try {
      this.caller = this.runtime.acquire(this.name, this.mode, this, this.steals);
    } catch (error) {
      return this.refuse(error instanceof LockError && error.code === 'closed' ? this.closedError(error) : error);
    }
    // A free lock whose grants were retained is entered at once.
    if (this.isWaiting() && this.stopWaiting === undefined && (signal !== undefined || waitMs !== undefined || ifAvailable === true)) {
      this.stopWaiting = this.waitAtMost();
    }
  }

  entered(token: Token, validUntilMs: number, roomUntil?: Token, passTo?: readonly CallerId[]): void {
    const { state } = this;
    if (state.kind !== 'waiting') return; // Whoever was refused was released, and enters no more.
    this.stopWaiting?.();
    const sinceMs = this.runtime.nowMs();
    // Counts from the entry, however long it was waited for.
    const limit = limitOf(this.options.maxHoldMs, sinceMs, 0);
    const lock = new LockInHand(this, this.name, this.mode, token, validUntilMs, limit);
    this.state = { kind: 'granted', lock, sinceMs };
    if (limit !== undefined) this.watchEnd(lock, limit.endsAtMs);
    this.grantNumber = this.line.nextGrantNumber();
    this.line.pending.delete(this);
    this.line.held.add(this);
    // Whoever watches a lock hears of each that holds it.
    const { keeper } = this;
    if (roomUntil !== undefined && keeper !== undefined && !this.line.watchers.isWatched(this.name)) {
      if (passTo === undefined) this.offer(keeper, roomUntil);
      else this.offerToPass(keeper, roomUntil, passTo);
    }
    if (!this.line.keeping.has(this)) this.line.watchers.granted(this);
    state.granted(lock);
    this.tellDecided();
  }

  private offer(keeper: Keeper, roomUntil: Token): void {
    this.hasRoom = true;
    this.line.keeping.add(this);
    keeper.mayTake(roomUntil, () => {
      if (!this.line.keeping.delete(this)) return;
      this.line.watchers.granted(this);
      this.tellDecided();
    });
  }

  /** To all others it is this one that holds the lock until the last of them is done. */
  private offerToPass(keeper: Keeper, roomUntil: Token, passTo: readonly CallerId[]): void {
    this.hasRoom = true;
    const acquisitions = this.line.byName.of(this.name);
    keeper.mayPass(roomUntil, passTo.flatMap((id) => acquisitions.find(({ caller }) => caller === id)?.keeper ?? []));
  }

  wanted(): void {
    this.callIn();
  }

  /** Its keeper is asked whether it uses the lock, and gives it back if not. */
  callIn(): void {
    if (this.calledInMs !== null || !this.line.keeping.has(this)) return;
    this.calledInMs = this.runtime.nowMs();
    this.keeper?.wanted();
  }

  renewed(validUntilMs: number): void {
    if (this.state.kind === 'granted') this.state.lock.renewed(validUntilMs);
  }

  lost(reason: LockError): void {
    const own = reason.code === 'closed' ? this.closedError(reason) : reason;
    if (this.state.kind !== 'granted') return this.refuse(own);
    const { lock } = this.state;
    this.leave('lost');
    lock.lose(own);
    lock.end();
  }

  /** Others see it held until it is given back. */
  recalled(reason: LockError): void {
    if (this.state.kind === 'granted') this.state.lock.lose(reason);
  }

  /** It waited, and does so no more. */
  refuse(reason: unknown): void {
    const { state } = this;
    if (state.kind !== 'waiting') return;
    this.stopWaiting?.();
    this.state = REFUSED;
    this.leave(null);
    if (this.caller !== undefined) this.runtime.release(this.caller);
    state.refused(reason);
  }

  interrupt(reason: LockError): void {
    if (this.state.kind === 'granted') this.state.lock.interrupt(reason);
  }

  /** The node stops: what that means for this lock. */
  closedError(reason: LockError): LockError {
    const lock = JSON.stringify(this.name);
    const meaning = this.isWaiting()
      ? `it no longer waits for the lock ${lock}, after ${Math.round(this.runtime.nowMs() - this.askedMs)} ms`
      : `stop using what the lock ${lock} protects`;
    return new LockError('closed', `${reason.message}: ${meaning}`, { definite: reason.definite, cause: reason });
  }

  /** Call back when it is granted, given up, or known to wait for a holder on another node. Returns how to stop looking. */
  onDecided(listener: () => void): () => void {
    (this.decidedListeners ??= new Set()).add(listener);
    // A theft waits for no holder, and whoever keeps a lock is asked itself.
    const stopLooking = this.steals || this.isGranted ? undefined : this.line.untilHeldByOther(this, listener);
    return () => {
      this.decidedListeners?.delete(listener);
      stopLooking?.();
    };
  }

  /** The core notices within this what time it is, and tells what was lost meanwhile. */
  nowMs(): number {
    this.runtime.catchUp();
    return this.runtime.nowMs();
  }

  givenBack(wasHeld: boolean): void {
    this.leave(wasHeld ? 'released' : 'lost');
    if (this.caller !== undefined) this.runtime.release(this.caller, this.used());
  }

  private used(): Token | undefined {
    if (this.hasRoom) return this.keeper?.taken;
    return this.state.kind === 'granted' ? this.state.lock.token : undefined;
  }

  keptOn(forMs: number, givesBack: 'keeper' | 'caller'): void {
    if (this.state.kind !== 'granted' || this.kept !== null) return;
    const forget = givesBack === 'caller' ? (): void => undefined : this.runtime.schedule(() => this.givenBack(true), forMs);
    this.kept = { untilMs: this.runtime.nowMs() + forMs, forget };
    this.line.keptOn(1);
  }

  ranOut(): LockError {
    return this.runtime.lostError(this.name);
  }

  /** One that is held for a client stays with it until it counts on it no more, as one that is recalled does. */
  expired(): void {
    if (this.isRemote || this.state.kind !== 'granted') return;
    this.state.lock.end();
    this.givenBack(false);
  }

  /** What the other nodes must hear has been handed to the transport. */
  untilTold(): null {
    return null;
  }

  info(): LockInfo {
    const { name, mode, state } = this;
    return {
      name, mode, ...this.who(),
      ...(state.kind === 'granted' ? { token: state.lock.token } : {}),
      forMs: this.runtime.nowMs() - (state.kind === 'granted' ? state.sinceMs : this.askedMs),
      ...(this.kept === null ? {} : { keptForMs: Math.max(1, Math.ceil(this.kept.untilMs - this.runtime.nowMs())) }),
    };
  }

  private who(): Pick<LockInfo, 'clientId' | 'label'> {
    const { clientId, isRemote, options } = this;
    const label = options.label ?? (isRemote ? '' : this.line.ownLabel);
    return { clientId, ...(label === '' ? {} : { label: boundLabel(label) }) };
  }

  /** A timer may be a little early, and comes late while the event loop is busy: then the next look at the lock finds it. */
  private watchEnd(lock: LockInHand, endsAtMs: number): void {
    this.forgetEnd = this.runtime.schedule(() => {
      if (lock.look() < endsAtMs && lock.isHeld) this.watchEnd(lock, endsAtMs);
    }, endsAtMs - this.runtime.nowMs());
  }

  /** @param how it ended for those who watch; null: it was never had */
  private leave(how: 'released' | 'lost' | null): void {
    this.forgetEnd?.();
    this.line.pending.delete(this);
    this.line.byName.delete(this);
    this.line.held.delete(this);
    // Only what is held is kept.
    if (this.kept !== null) {
      this.kept.forget();
      this.kept = null;
      this.line.keptOn(-1);
    }
    // Of one whose keeper never said that it uses it nobody has heard.
    const wasKeeping = this.line.keeping.delete(this);
    this.line.handedOn();
    this.tellDecided();
    if (how !== null && !wasKeeping) this.line.watchers.ended(this, how);
  }

  private tellDecided(): void {
    const listeners = this.decidedListeners;
    this.decidedListeners = undefined;
    listeners?.forEach((listener) => listener());
  }

  private isWaiting(): boolean {
    return this.state.kind === 'waiting';
  }

  /** Most requests are granted long before they would give up. */
  private lookBefore(waitMs: number | undefined): (() => void) | undefined {
    if (waitMs === undefined) return undefined;
    let stop: (() => void) | undefined;
    const forget = this.runtime.schedule(() => (stop = this.line.lookForHolder(this.name)), Math.max(waitMs / 2, waitMs - HOLDER_LOOK_MS));
    return () => {
      forget();
      stop?.();
    };
  }

  private waitAtMost(): () => void {
    const { signal, waitMs: patienceMs, ifAvailable } = this.options;
    const waitMs = ifAvailable === true ? Math.min(patienceMs ?? Infinity, IF_AVAILABLE_MS) : patienceMs;
    const stopListening = signal === undefined ? undefined : onAbort(signal, () => this.refuse(signal.reason));
    const forget = waitMs === undefined ? undefined : this.runtime.schedule(() => this.refuse(this.line.timeoutError(this.name, waitMs)), waitMs);
    const stopLooking = ifAvailable === true ? this.line.untilHeldByOther(this, (error) => this.refuse(error)) : this.lookBefore(waitMs);
    return () => {
      forget?.();
      stopLooking?.();
      stopListening?.();
    };
  }
}
