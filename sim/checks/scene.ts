/**
 * What a witness may look at: the run as it is, with the true time, which no node can see. The world shows itself
 * in these words; a witness changes nothing of it. Hence nothing here says how anything comes about.
 */
import { clockLockOf, isSameRequest } from '../../src/core';
import type { CallerId, Event, LamportTime, LayoutAct, LockName, LockNode, LockView, Mode, NodeId, RequestId, Token } from '../../src/core';
import type { Coterie } from '../../src/quorum/coterie';
import type { Core } from '../core';
import type { FileName, Wish } from '../plan/plan';

export type RunPhase =
  /** Faults happen. */
  | 'faults'
  /** Healed. Callers go on until each has been served once more. */
  | 'load'
  /** Nobody asks any more; who waits is served. */
  | 'drain';

/** A machine's own clock against true time. */
export interface ClockFace {
  /** What it shows at a true time, now or later. */
  localUs(trueUs: number): number;
  /** The first true time at which it shows `localUs` or more; Infinity if never. */
  trueUs(localUs: number): number;
}

/** Someone uses a lock. It counts until released, or until its holder's own clock says that it ran out. */
export interface Hold {
  /** How many there were before it in this run. */
  readonly number: number;
  readonly machine: number;
  /** The life of the node that it belongs to. It outlives that: a client need not die with its node. */
  readonly life: number;
  readonly caller: CallerId;
  readonly mode: Mode;
  readonly token: Token;
  /** When it runs out, by the clock of its machine that also runs while the machine sleeps. */
  readonly endsAtUs: number;
}

/** A machine and its node. */
export interface Place {
  readonly index: number;
  readonly id: NodeId;
  /** Null while it is down. */
  readonly node: LockNode | null;
  /** The node's own time is read from it, `originUs` added. */
  readonly monotonic: ClockFace;
  /** Runs on while the machine sleeps: holds run by this one. */
  readonly alive: ClockFace;
  readonly originUs: number;
  /** Until when it lends nothing, in its own time. */
  readonly silentUntilMs: number;
  readonly ceilingOnDisk: number;
  /** The SLACK under which it last lent its vote, when this life began. */
  readonly slackBefore: number;
  /** How far its wall clock was ahead of true time when its node started. */
  readonly wallAheadUs: number;
  /** When the node wishes to be woken, in its own time. */
  readonly wakeAtMs: number;
  /** It is not among those that are healed. */
  readonly isLostForEver: boolean;
  /** The file that its node runs with; null where all run with one. */
  readonly file: FileName | null;
  /** It is the second process with its id, in a cluster that runs. */
  readonly isNamesake: boolean;
  /** Its node lends its vote under that file. */
  readonly hasBegun: boolean;
  readonly callers: readonly CallerView[];
}

export type CallerState = 'away' | 'thinking' | 'waiting' | 'inside' | 'recalled' | 'lost' | 'done';

/** Someone at a node who wants locks, one after the other. */
export interface CallerView {
  readonly index: number;
  readonly machine: Place;
  readonly wishes: readonly Wish[];
  /** The wish that it is at; counted on beyond the last one, it begins anew. */
  readonly next: number;
  readonly state: CallerState;
  readonly id: CallerId;
  readonly lock: number;
  readonly hold: Hold | null;
  /** The highest token that it takes by itself, of those that it has room for; null: it has none. */
  readonly taken: number | null;
  readonly askedAtUs: number;
  readonly enteredAtUs: number;
  /** Until when it may be inside, in its node's time. */
  readonly validUntilMs: number;
}

/** Nodes and locks are numbers: their places in these lists. */
export interface Scene {
  /** What the operator's command wrote into the new file; null before. */
  readonly act: LayoutAct | null;
  readonly core: Core;
  readonly coterie: Coterie;
  readonly nodeIds: readonly NodeId[];
  readonly locks: readonly LockName[];
  readonly places: readonly Place[];
  readonly callers: readonly CallerView[];
  /** True time. */
  readonly nowUs: number;
  /** How many events nodes have handled, with the one that is being handled. */
  readonly events: number;
  readonly phase: RunPhase;
  lockOf(name: LockName): number;
  /** What a node knows of a lock; null when it is down or knows nothing. */
  inspect(machine: number, lock: number): LockView | null;
  /** A node's own time. */
  nowMs(machine: number): number;
  /** From a node's own time to what its machine's clock that counts sleep shows then. */
  endsAtUs(machine: number, validUntilMs: number): number;
  /** Whether what the node has decided may wait for its disk before it is sent. */
  isHeldBack(machine: number): boolean;
  /** Ask for `looked` at this true time. */
  lookAt(atUs: number): void;
}

/** A node's Lamport clock; 0 while it is down. */
export function clockOf({ core, places }: Pick<Scene, 'core' | 'places'>, machine: number): LamportTime {
  const node = places[machine]?.node ?? null;
  return node === null ? 0 : core.inspectNode(node).clock;
}

/** By such a lock a node without memory hears clocks: it has no requester, and an arbiter grants it even while it is silent, for it protects nothing. */
export function isClockLock(lock: LockName): boolean {
  return lock.startsWith(clockLockOf(''));
}

/** Whether the message is of this request. */
export function isOf({ from, message: { timestamp } }: Extract<Event, { kind: 'message' }>, request: RequestId): boolean {
  return isSameRequest(request, { node: from, timestamp });
}

/** Names a request, of any node. */
export function keyOf({ node, timestamp }: RequestId): string {
  return `${node}'s request ${timestamp}`;
}

/** Others of its node are inside the lock that it wants, or has: it joins them, or has. */
export function joinsOthers(caller: CallerView): boolean {
  return caller.machine.callers.some((other) => other !== caller && other.lock === caller.lock && other.state === 'inside');
}

export function wishOf({ wishes, next }: Pick<CallerView, 'wishes' | 'next'>): Wish {
  const wish = wishes[next % wishes.length];
  if (wish === undefined) throw new RangeError('a caller without wishes');
  return wish;
}

/** It is in another process, and hears late of what happens at its node. */
export function isDeaf(caller: Pick<CallerView, 'wishes' | 'next'>): boolean {
  return wishOf(caller).hearsAfterUs !== undefined;
}

/** And it means to enter again by itself. */
export function doesKeep(caller: Pick<CallerView, 'wishes' | 'next'>): boolean {
  const { keeps, mode, steals } = wishOf(caller);
  return keeps === true && mode === 'exclusive' && !steals;
}

/** Of every four callers of a node that pass locks on, the last one is of another process than the others. */
const CLIENTS = 4;

/** The process of its node's clients that it is in, if that passes locks on among its callers; or null. */
export function clientOf(caller: Pick<CallerView, 'index' | 'wishes' | 'next'>): number | null {
  const { passes, mode, steals } = wishOf(caller);
  return passes === true && mode === 'exclusive' && !steals ? Number(caller.index % CLIENTS === CLIENTS - 1) : null;
}

export function describeHold({ nodeIds, locks }: Scene, lock: number, { machine, caller, mode, token }: Hold): string {
  return `${nodeIds[machine]} caller ${caller} (lock ${locks[lock]}, ${mode}, token ${token})`;
}

/** What a witness keeps of each node and lock. */
export class OfNodesAndLocks<Value> {
  private readonly values: readonly Value[];

  constructor(private readonly scene: Pick<Scene, 'nodeIds' | 'locks'>, make: () => Value) {
    this.values = scene.nodeIds.flatMap(() => scene.locks.map(make));
  }

  of(machine: number, lock: number): Value {
    const value = this.values[machine * this.scene.locks.length + lock];
    if (value === undefined) throw new RangeError(`no lock ${lock} at machine ${machine}`);
    return value;
  }

  /** Of one node, each lock's. */
  ofNode(machine: number): readonly Value[] {
    const { length } = this.scene.locks;
    return this.values.slice(machine * length, (machine + 1) * length);
  }
}

/** What a list that has one item for each lock says of this one. */
export function ofLock<Value>(byLock: readonly Value[], lock: number): Value {
  const value = byLock[lock];
  if (value === undefined) throw new RangeError(`no lock ${lock}`);
  return value;
}
