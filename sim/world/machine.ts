/** A machine with its clocks, its disk and its node, and a caller at it: plain data, which the parts of the world change. */
import type { CallerId, LendingTerms, LockNode, Token } from '../../src/core';
import type { CallerState, CallerView, Hold, Place } from '../checks/scene';
import { WALL_CLOCK_START_US } from '../plan/layout';
import type { FileName, Plan, Rolling, Wish } from '../plan/plan';
import { Random } from '../plan/random';
import { CEILING } from './items';
import { MachineClock } from './machine-clock';

const DAY_US = 86_400_000_000;

/** An item of the agenda for a node that does not run just now. */
export interface Deferred {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly payload: unknown;
}

export interface Machine extends Place {
  /** What people call it: its id, unless another machine's node has that too. */
  readonly name: string;
  /** Stands still while the machine sleeps; the node's own time is read from it. */
  readonly monotonic: MachineClock;
  /** Runs on while the machine sleeps: what the node would have if it had not slept. */
  readonly alive: MachineClock;
  readonly random: Random;
  /** What to add to the monotonic clock for this life's `nowMs`. */
  originUs: number;
  node: LockNode | null;
  life: number;
  silentUntilMs: number;
  /** When this life began, in true time. */
  startedUs: number;
  slackBefore: number;
  /** Under which terms it last lent its vote, as its data directory remembers: when it last started. */
  remembers: LendingTerms | null;
  /** And what it remembers once it has lent under those of this life. */
  lendsUnder: LendingTerms | null;
  ceilingOnDisk: number;
  wallAheadUs: number;
  ceilingUnderWay: number;
  /** The highest Lamport clock that nodes of it can have told in all lives that are over. */
  toldClock: number;
  /** Its file is not what it was; set but for the time until the next start. */
  isFileLost: boolean;
  /** An older file was put back, and no ceiling has been written since. */
  isFileOld: boolean;
  /** What the last ceiling on disk replaced. */
  ceilingBefore: number;
  /** What is on disk after the loss of the last file: an older one, or none. */
  ceilingLeft: number;
  /** A start is refused. */
  isFileCorrupt: boolean;
  diskFullUntilUs: number;
  /** A ceiling that waits for room on a full disk; 0 for none. */
  ceilingUnwritten: number;
  /** Stays failed when the others are healed. */
  isLostForEver: boolean;
  file: FileName | null;
  /** The file that it finds when it starts again. */
  nextFile: FileName | null;
  hasBegun: boolean;
  frozenUntilUs: number;
  asleepUntilUs: number;
  isAsleep: boolean;
  fellAsleepUs: number;
  sleptUs: number;
  slowUntilUs: number;
  perEventUs: number;
  busyUntilUs: number;
  inbox: Deferred[];
  /** The node's wish, in its `nowMs`. */
  wakeAtMs: number;
  /** When the next item for it comes up, in true time. */
  wakeItemUs: number;
  wakeGeneration: number;
  nextCallerId: number;
  readonly callers: Caller[];
  readonly callersById: Map<CallerId, Caller>;
}

/** The same hold as the witnesses see it; here it can be prolonged. */
export type OpenHold = { -readonly [Key in keyof Hold]: Hold[Key] };

/** `recalled`: inside, and about to hear that it is not any more. `lost`: inside no more, and yet to say so. */
export interface Caller extends CallerView {
  readonly machine: Machine;
  readonly wishes: readonly Wish[];
  next: number;
  state: CallerState;
  generation: number;
  id: CallerId;
  lock: number;
  hold: OpenHold | null;
  /** The highest token that it took by itself, of those that it had room for; null: it had none. */
  taken: Token | null;
  /** Those to whom it may pass the lock on. */
  passTo: CallerId[];
  askedAtUs: number;
  validUntilMs: number;
  enteredAtUs: number;
  /** When it has had the lock for as long as it wanted. */
  leavesAtUs: number;
  /** Has not been let in since the heal. */
  isOwed: boolean;
}

export function newMachine({ seed, machines, rolling, act, namesake }: Plan, index: number, id: string, name: string): Machine {
  const ratePpm = machines[index]?.ratePpm ?? 0;
  const isBack = act?.back?.includes(index) === true;
  return {
    index,
    id,
    name,
    isNamesake: namesake !== undefined && index === machines.length - 1,
    monotonic: new MachineClock(ratePpm),
    alive: new MachineClock(ratePpm),
    random: new Random(seed, 'machine', index),
    originUs: 0,
    node: null,
    life: 0,
    silentUntilMs: 0,
    startedUs: 0,
    slackBefore: 0,
    remembers: act !== undefined && isBack ? { leaseMs: act.leaseMs, slack: act.slack, layout: 'new', act: null } : null,
    lendsUnder: null,
    // Its wall clock is ahead of what it wrote long ago.
    ceilingOnDisk: isBack ? WALL_CLOCK_START_US - DAY_US : 0, wallAheadUs: 0,
    ceilingUnderWay: 0,
    toldClock: 0,
    isFileLost: false,
    isFileOld: false,
    ceilingBefore: 0,
    ceilingLeft: 0,
    isFileCorrupt: false,
    diskFullUntilUs: 0,
    ceilingUnwritten: 0,
    isLostForEver: false,
    file: null,
    nextFile: firstFileOf(rolling ?? act, act?.bare ?? [], index),
    hasBegun: false,
    frozenUntilUs: 0,
    asleepUntilUs: 0,
    isAsleep: false,
    fellAsleepUs: 0,
    sleptUs: 0,
    slowUntilUs: 0,
    perEventUs: 0,
    busyUntilUs: 0,
    inbox: [],
    wakeAtMs: Infinity,
    wakeItemUs: Infinity,
    wakeGeneration: 0,
    nextCallerId: 0,
    callers: [],
    callersById: new Map(),
  };
}

function firstFileOf(layouts: Rolling | undefined, bare: readonly number[], index: number): FileName | null {
  if (layouts === undefined) return null;
  return layouts.old.machines.includes(index) ? 'old' : bare.includes(index) ? 'bare' : 'new';
}

export function newCaller(machine: Machine, index: number, wishes: readonly Wish[]): Caller {
  return {
    index, machine, wishes, next: 0, state: 'away', generation: 0, id: 0, lock: 0, hold: null, taken: null, passTo: [],
    askedAtUs: 0, validUntilMs: 0, enteredAtUs: 0, leavesAtUs: 0, isOwed: false,
  };
}

/** Whether it may wait for its disk before it sends what it has to say. */
export function isHeldBack({ node, ceilingUnderWay, ceilingOnDisk, inbox }: Machine): boolean {
  // One that is frozen does not know yet what its disk has done.
  return node !== null && (ceilingUnderWay > ceilingOnDisk || inbox.some(({ kind }) => kind === CEILING));
}
