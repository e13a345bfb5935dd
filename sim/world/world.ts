/**
 * One run: machines, network and callers on a virtual clock, with the production core in each machine.
 * First phase: faults, with safety checked at every event. Then everything is healed: each caller must
 * get its lock once more within a bound, and when all are done nothing may be left behind.
 * Law: everything that happens follows from the plan; the core is driven through `step` alone.
 */
import { claimOf, doesHold, doesSteal, reentryLeftMs } from '../../src/core';
import type { CallerId, Effect, Event, Grant, LamportTime, LockName, LockNode, LockView, Message, Mode, NodeId, Request, RequestId, Token } from '../../src/core';
import type { Coterie } from '../../src/quorum/coterie';
import { Agenda } from './agenda';
import { Backing } from '../checks/backing';
import { CheckError, Checks, violated } from '../checks/checks';
import type { Hold } from '../checks/checks';
import { isInvariantError } from '../core';
import type { Core } from '../core';
import { Echoes } from './echoes';
import { Fates } from '../plan/fates';
import { FencedResource } from '../checks/fenced-resource';
import type { Write } from '../checks/fenced-resource';
import { coterieOf, lockNamesOf, nodeIdsOf } from '../plan/layout';
import { MachineClock, STOPPED_PPM } from './machine-clock';
import { Network } from './network';
import { Overtaking } from '../checks/overtaking';
import type { Death, Fault, LostMachine, Plan, Wish } from '../plan/plan';
import { Random } from '../plan/random';
import { lastAwayUs, relentlessBoundUs } from '../checks/relentless';
import type { Counts, RunReport, Violation } from '../outcome/report';
import { newCounts } from '../outcome/report';
import { Steadfast } from '../checks/steadfast';
import { TokenCover } from '../checks/token-cover';
import { TraceHash } from '../outcome/trace-hash';
import { WaitGraph } from '../checks/wait-graph';

/** Sees everything, changes nothing. Effects are the core's own array: copy what is to be kept. */
export interface Observer {
  stepped(atUs: number, node: NodeId, event: Event, effects: readonly Effect[]): void;
  /** A message was sent, and when its copies are to arrive. */
  sent?(atUs: number, from: NodeId, to: NodeId, message: Message, arrivesAtUs: readonly number[]): void;
  /** A message, or a copy of it, did not arrive. */
  dropped?(atUs: number, from: NodeId, to: NodeId, message: Message, reason: DropReason): void;
  /** What no node was told. */
  noted?(atUs: number, note: Note): void;
}

export type Note =
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'starts'; readonly node: NodeId; readonly life: number; readonly ceilingOnDisk: number }
  | { readonly kind: 'dies'; readonly node: NodeId; readonly how: Death }
  /** It does not start: its ceiling file is corrupt. */
  | { readonly kind: 'refuses'; readonly node: NodeId }
  /** A write to the resource that a lock protects arrives. */
  | { readonly kind: 'write'; readonly node: NodeId; readonly caller: CallerId; readonly lock: LockName; readonly token: Token; readonly isAccepted: boolean }
  /** All faults end, but for what has become of these nodes. */
  | { readonly kind: 'healed'; readonly lostForEver: readonly LostMachine[] }
  /** Nobody asks any more. */
  | { readonly kind: 'drained' };

export type DropReason = 'lost' | 'link is cut' | 'node is down';

/** The wall clock at the start of a run: the numbers are as large as they are in life. */
export const WALL_CLOCK_START_US = 1_700_000_000_000_000;

/** So many events for each caller without anyone let in are a storm of messages. */
const EVENTS_PER_CALLER_MAX = 3000;

// What an item of the agenda is. The first five are for a node: they wait while it is frozen or slow.
const DELIVER = 0;
const WAKE = 1;
const CALLER = 2;
const CEILING = 3;
const DETECT = 4;
const START = 5;
const FAULT = 6;
const FAULT_ENDS = 7;
const HEAL = 8;
const WATCH = 9;
const RESIDUE = 10;
const WRITE = 11;

type RunPhase =
  /** Faults happen. */
  | 'faults'
  /** Healed. Callers go on until each has been served once more. */
  | 'load'
  /** Nobody asks any more; who waits is served. */
  | 'drain';

interface Deferred {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly payload: unknown;
}

interface Machine {
  readonly index: number;
  readonly id: NodeId;
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
  ceilingOnDisk: number;
  ceilingUnderWay: number;
  /** The Lamport clock when the disk was wiped; null but for the time until the next start. */
  wipedAtClock: number | null;
  /** It was wiped, or an older file put back, and no ceiling has been written since. */
  isDiskBlank: boolean;
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
  lastClockSent: number;
  nextCallerId: number;
  readonly callers: Caller[];
  readonly callersById: Map<CallerId, Caller>;
}

/** The request that a node sent last for one lock. */
interface Opened {
  timestamp: LamportTime;
  mode: Mode;
  steals: boolean;
  /** The number of the event at which it was first sent. */
  event: number;
}

interface Caller {
  readonly index: number;
  readonly machine: Machine;
  readonly wishes: readonly Wish[];
  next: number;
  /** `recalled`: inside, and about to hear that it is not any more. `lost`: inside no more, and yet to say so. */
  state: 'away' | 'thinking' | 'waiting' | 'inside' | 'recalled' | 'lost' | 'done';
  generation: number;
  id: CallerId;
  lock: number;
  hold: Hold | null;
  askedAtUs: number;
  askedAtMs: number;
  validUntilMs: number;
  enteredAtUs: number;
  /** The arbiters whose votes it began with. */
  enteredWith: readonly NodeId[];
  /** When it has had the lock for as long as it wanted. */
  leavesAtUs: number;
  /** Has not been let in since the heal. */
  isOwed: boolean;
  /** Whether it steals the lock, and others did so while it waited. */
  theft: 'none' | 'alone' | 'among others';
}

/** For tests of the checks themselves. */
export interface CheckSettings {
  /** Leave out the check that most often fails before `exclusion` can, to see what a bug leads to. */
  readonly skipsLeaseInside?: boolean;
  /** Whether the resource that the locks protect refuses late writes. */
  readonly looksAtTokens?: boolean;
}

export class World {
  private readonly agenda = new Agenda();
  private readonly hash = new TraceHash();
  private readonly counts: Counts = newCounts();
  private readonly ignored = new Map<string, number>();
  private readonly coterie: Coterie;
  private readonly nodeIds: readonly NodeId[];
  private readonly nodeIndex: ReadonlyMap<NodeId, number>;
  private readonly locks: readonly LockName[];
  private readonly lockIndex: ReadonlyMap<LockName, number>;
  private readonly machines: Machine[];
  private readonly callers: Caller[];
  private readonly network: Network;
  private readonly fates: Fates | null;
  private readonly echoes: Echoes | null;
  /** Of the message that is being sent: how many arrive, and for the observer, when. */
  private copies = 0;
  private arrivesAtUs: number[] = [];
  private readonly checks: Checks;
  private readonly backing: Backing | null;
  private readonly tokenCover: TokenCover;
  private readonly steadfast: Steadfast | null;
  private readonly resource: FencedResource;
  private readonly writing: Random;
  /** In `calm` runs. */
  private readonly overtaking: Overtaking | null;
  /** Per node and lock. */
  private readonly opened: Opened[];
  /** Per link and lock: the timestamp of the request last sent. */
  private readonly lastAsked: LamportTime[];
  private readonly waits: WaitGraph;
  private readonly detection: Random;
  /** Per link, what its near end takes the far end for: the life it saw, or 0 for down. */
  private readonly seenLife: number[];
  private readonly suspectedUntilUs: number[];
  private readonly isVotingSetMember: boolean[];
  /** Per lock, in `frugal` runs: when its last caller left, in its node's time. */
  private readonly lastLeftMs: number[];

  private readonly longestHoldUs: number;
  private readonly latestHearingUs: number;

  private nowUs = 0;
  private events = 0;
  private phase: RunPhase = 'faults';
  private isFinished = false;
  /** Pushed up by each entry. */
  private eventsMax = 0;
  private owed = 0;
  private drainSinceUs = 0;
  private lastActivityUs = 0;
  private isLocalEvent = false;
  /** A node learns that a peer is up. */
  private isHandshake = false;
  /** The caller whose release is being handled, or 0. */
  private leaving: CallerId = 0;
  private heldGrantShown: number | null = null;

  constructor(
    private readonly plan: Plan,
    private readonly core: Core,
    private readonly observer: Observer | null,
    { skipsLeaseInside = false, looksAtTokens = true }: CheckSettings = {},
  ) {
    this.coterie = coterieOf(plan.family, plan.machines.length);
    this.nodeIds = nodeIdsOf(plan.machines.length);
    this.locks = lockNamesOf(plan.locks);
    this.nodeIndex = new Map(this.nodeIds.map((id, index) => [id, index]));
    this.lockIndex = new Map(this.locks.map((lock, index) => [lock, index]));
    this.machines = plan.machines.map((_, index) => newMachine(plan, index, this.nodeIds[index] ?? ''));
    this.callers = plan.callers.map((caller, index) => this.newCaller(index, caller.machine, caller.wishes));
    this.network = new Network(plan.seed, this.machines.length, plan.network, (atUs, link, payload) => {
      this.agenda.push(atUs, DELIVER, link, 0, payload);
      this.copies++;
      if (this.observer !== null) this.arrivesAtUs.push(atUs);
    });
    this.fates = plan.fates === undefined ? null : new Fates(plan.fates);
    this.echoes = plan.faults.some((fault) => fault.kind === 'echo') ? new Echoes() : null;
    const votingSets = this.nodeIds.map((id) => this.coterie.votingSet(id));
    this.isVotingSetMember = votingSets.flatMap((set) => this.nodeIds.map((id) => set.includes(id)));
    this.checks = new Checks(
      this.nodeIds, this.locks, this.machines.map((machine) => machine.alive),
      plan.profile === 'frugal' ? votingSets.map((set) => set.length) : null,
      plan.profile !== 'adrift',
    );
    this.tokenCover = new TokenCover(this.coterie, this.nodeIds, this.locks, plan.slack);
    this.steadfast = plan.profile === 'steadfast' ? new Steadfast(plan, core, this.coterie, this.locks, this.machines) : null;
    this.resource = new FencedResource(this.locks, looksAtTokens);
    this.writing = new Random(plan.seed, 'writes');
    this.overtaking = plan.profile === 'calm' ? new Overtaking(this.locks, this.machines.length) : null;
    this.opened = this.machines.flatMap(() => this.locks.map(() => ({ timestamp: 0, mode: 'exclusive', steals: false, event: 0 })));
    this.lastAsked = new Array<LamportTime>(this.machines.length ** 2 * this.locks.length).fill(0);
    this.waits = new WaitGraph(
      this.locks, this.nodeIds, (node, lock) => this.viewOf(this.machine(node), lock), (node) => this.nowMs(this.machine(node)),
    );
    this.backing = skipsLeaseInside || plan.profile === 'adrift' ? null : new Backing(core, this.coterie, this.locks, this.machines);
    this.detection = new Random(plan.seed, 'detection');
    this.seenLife = new Array<number>(this.machines.length ** 2).fill(0);
    this.suspectedUntilUs = new Array<number>(this.machines.length ** 2).fill(0);
    this.lastLeftMs = this.locks.map(() => 0);
    const wishes = plan.callers.flatMap((caller) => caller.wishes);
    this.longestHoldUs = Math.max(...wishes.map(({ holdUs }) => holdUs));
    this.latestHearingUs = Math.max(...wishes.map(({ hearsAfterUs = 0 }) => hearsAfterUs));
  }

  run(): RunReport {
    let violation: Violation | null = null;
    try {
      this.begin();
      while (!this.isFinished && this.agenda.next()) {
        this.nowUs = this.agenda.atUs;
        const { kind, a, b, payload } = this.agenda;
        if (kind <= DETECT) this.handOver(kind, a, b, payload);
        else this.handle(kind, a, payload);
      }
    } catch (error) {
      violation = { ...violationOf(error), atUs: this.nowUs };
    }
    const { counts } = this;
    const { lost, duplicated, overtaken, cut, overflowed } = this.network.counts;
    counts.messagesLost += lost;
    counts.messagesDuplicated += duplicated;
    counts.messagesOvertaken += overtaken;
    counts.messagesCut += cut;
    counts.messagesOverflowed += overflowed;
    counts.writes += this.resource.accepted;
    counts.lateWrites += this.resource.refused;
    counts.overlaps += this.checks.overlaps;
    return {
      plan: this.plan,
      hash: this.hash.digest(),
      events: this.events,
      virtualUs: this.nowUs,
      counts,
      ignored: Object.fromEntries([...this.ignored].sort(([a], [b]) => (a < b ? -1 : 1))),
      violation,
    };
  }

  // --- the agenda -------------------------------------------------------------------------------

  private begin(): void {
    const { plan, agenda } = this;
    this.allowEvents();
    plan.machines.forEach((machine, index) => agenda.push(machine.startUs, START, index, 0));
    plan.faults.forEach((fault, index) => agenda.push(fault.atUs, FAULT, index, 0));
    plan.looks?.forEach(({ atUs, machine, peer }) => agenda.push(atUs, DETECT, this.network.link(machine, peer), 0));
    agenda.push(plan.durationUs, HEAL, 0, 0);
    if (plan.profile === 'relentless') agenda.push(this.waitMaxUs(), WATCH, 0, 0);
  }

  /** An item for a node waits while the node is frozen or busy. */
  private handOver(kind: number, a: number, b: number, payload: unknown): void {
    const machine = this.receiverOf(kind, a);
    if (kind === CEILING && machine.diskFullUntilUs > this.nowUs) return this.waitForRoom(machine, b, payload as number);
    if (machine.frozenUntilUs > this.nowUs || machine.isAsleep) {
      // The disk does not wait for the process.
      if (kind === CEILING) this.writeCeiling(machine, b, payload as number);
      machine.inbox.push({ kind, a, b, payload });
    } else if (machine.busyUntilUs > this.nowUs) {
      this.agenda.push(machine.busyUntilUs, kind, a, b, payload);
    } else {
      if (machine.slowUntilUs > this.nowUs) machine.busyUntilUs = this.nowUs + machine.perEventUs;
      this.handleAt(machine, kind, a, b, payload);
    }
  }

  private receiverOf(kind: number, a: number): Machine {
    switch (kind) {
      case DELIVER:
        return this.machine(a % this.machines.length);
      case DETECT:
        return this.machine(Math.floor(a / this.machines.length));
      case CALLER:
        return this.caller(a).machine;
      default:
        return this.machine(a);
    }
  }

  private handleAt(machine: Machine, kind: number, a: number, b: number, payload: unknown): void {
    switch (kind) {
      case DELIVER:
        return this.deliver(machine, a, payload as Message);
      case WAKE:
        return this.wake(machine, b);
      case CALLER:
        return this.advance(this.caller(a), b);
      case CEILING:
        return this.ceilingReserved(machine, b, payload as number);
      case DETECT:
        return this.detect(machine, a);
    }
  }

  private handle(kind: number, a: number, payload: unknown): void {
    switch (kind) {
      case START:
        return this.start(this.machine(a), (payload as number | null) ?? 0);
      case FAULT:
        return this.phase === 'faults' ? this.strike(this.fault(a), a) : undefined;
      case FAULT_ENDS:
        return this.phase === 'faults' ? this.relent(this.fault(a)) : undefined;
      case HEAL:
        return this.heal();
      case WATCH:
        return this.watchProgress();
      case RESIDUE:
        return this.lookForResidue();
      case WRITE:
        return this.writeArrives(payload as Write);
    }
  }

  // --- nodes ------------------------------------------------------------------------------------

  private nowMs(machine: Machine): number {
    return Math.floor((machine.monotonic.localUs(this.nowUs) + machine.originUs) / 1000);
  }

  /** One event into the core, its effects out. */
  private step(machine: Machine, event: Event): void {
    const { node } = machine;
    if (node === null) throw new Error(`${machine.id} is not running`);
    if (++this.events > this.eventsMax) violated('progress', 'a storm of messages, and nobody is let in');
    if (!machine.isLostForEver) this.lastActivityUs = this.nowUs;
    this.hashEvent(machine, event);
    const effects = this.core.step(node, event);
    this.observer?.stepped(this.nowUs, machine.id, event, effects);
    for (const effect of effects) this.perform(machine, effect);
    this.steadfast?.acted(this.nowUs, machine.index);
    this.checkWillWake(machine);
    if (event.kind === 'message') this.backing?.arbiterActed(this.nowUs, this.lockOf(event.message.lock), machine.index, machine);
  }

  /** Whoever is inside can be told in time only by a node that is awake then. */
  private checkWillWake(machine: Machine): void {
    for (const caller of machine.callers) {
      if (caller.state === 'inside' && caller.validUntilMs < machine.wakeAtMs) {
        violated('lost-at-once', `${machine.id} caller ${caller.id} holds until ${caller.validUntilMs}, and its node sleeps until ${machine.wakeAtMs}`);
      }
    }
  }

  private note(note: Note): void {
    this.observer?.noted?.(this.nowUs, note);
  }

  private allowEvents(): void {
    this.eventsMax = this.events + EVENTS_PER_CALLER_MAX * (1 + this.callers.length);
  }

  private perform(machine: Machine, effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        return this.send(machine, effect.to, effect.message);
      case 'ignored': {
        const count = this.ignored.get(effect.reason);
        this.ignored.set(effect.reason, count === undefined ? 1 : count + 1);
        return this.hash.add(1);
      }
      case 'wake':
        machine.wakeAtMs = effect.atMs;
        this.hash.addWide(effect.atMs);
        return this.scheduleWake(machine);
      case 'entered':
        return this.entered(machine, effect.lock, effect.caller, effect.token, effect.validUntilMs);
      case 'renewed': {
        for (const id of effect.callers) this.renewed(machine, id, effect.validUntilMs);
        return this.hash.addWide(effect.validUntilMs);
      }
      case 'lost':
      case 'recalled':
        if (effect.thief !== undefined) this.counts.stolen++;
        else this.checkKept(machine, effect.lock, effect.caller);
        return this.lost(machine, effect.caller, effect.kind);
      case 'reserveCeiling': {
        machine.ceilingUnderWay = effect.ceiling;
        this.hash.addWide(effect.ceiling);
        const atUs = this.nowUs + 1 + machine.random.below(this.isHealed() ? 1000 : this.plan.diskUs);
        return this.agenda.push(atUs, CEILING, machine.index, machine.life, effect.ceiling);
      }
    }
  }

  private start(machine: Machine, wallBackUs: number): void {
    if (machine.node !== null || machine.isLostForEver) return;
    if (machine.isFileCorrupt && !this.isHealed()) return this.refuseStart(machine);
    // It would write a ceiling before anything else.
    if (machine.diskFullUntilUs > this.nowUs) return this.agenda.push(machine.diskFullUntilUs, START, machine.index, 0, wallBackUs);
    machine.isFileCorrupt = false;
    const { plan } = this;
    const isFirst = machine.life === 0;
    const { wallSkewUs } = present(plan.machines[machine.index], 'machine', machine.index);
    // Each of file and wall clock makes up for the other; nothing does for both.
    const backUs = isFirst ? plan.uptimeUs : machine.isDiskBlank ? 0 : wallBackUs;
    const wallClockUs = WALL_CLOCK_START_US + this.nowUs + wallSkewUs - backUs;
    if (machine.wipedAtClock !== null) {
      // The wall clock stands in for a wiped disk, provided that it has overtaken the Lamport clock.
      if (wallClockUs >= machine.wipedAtClock) {
        machine.ceilingOnDisk = machine.ceilingLeft;
        machine.isDiskBlank = true;
      } else {
        this.counts.wipesNotCovered++;
      }
      machine.wipedAtClock = null;
    }
    machine.life++;
    machine.originUs = machine.random.below(2 ** 31);
    machine.wakeAtMs = Infinity;
    machine.wakeItemUs = Infinity;
    machine.lastClockSent = 0;
    machine.ceilingUnderWay = 0;
    machine.node = this.core.createNode(
      {
        self: machine.id,
        coterie: this.coterie,
        leaseMs: plan.leaseMs,
        retryMs: plan.retryMs,
        driftMax: plan.driftMaxPpm / 1_000_000,
        slack: plan.slack,
        ceilingBlock: plan.ceilingBlock,
        retain: true,
      },
      { ceilingOnDisk: machine.ceilingOnDisk, wallClockUs, firstStart: isFirst },
    );
    this.steadfast?.started(machine.index, machine.ceilingOnDisk);
    if (!isFirst) this.counts.restarts++;
    this.note({ kind: 'starts', node: machine.id, life: machine.life, ceilingOnDisk: machine.ceilingOnDisk });
    const nowMs = this.nowMs(machine);
    machine.silentUntilMs = isFirst ? nowMs : nowMs + plan.leaseMs;
    this.step(machine, { kind: 'start', nowMs });
    for (let peer = 0; peer < this.machines.length; peer++) {
      if (peer === machine.index) continue;
      this.seenLife[this.network.link(machine.index, peer)] = 0;
    }
    this.lookFromAll(machine.index);
    for (const caller of machine.callers) this.think(caller);
  }

  /** Until somebody deletes the file. */
  private refuseStart(machine: Machine): void {
    machine.isFileCorrupt = false;
    this.note({ kind: 'refuses', node: machine.id });
    this.counts.corruptFiles++;
    this.agenda.push(this.nowUs + 1 + machine.random.below(this.plan.leaseMs * 1000), START, machine.index, 0, 0);
  }

  private waitForRoom(machine: Machine, life: number, ceiling: number): void {
    if (machine.life !== life || machine.node === null) return;
    this.counts.ceilingsDelayed++;
    machine.ceilingUnwritten = Math.max(machine.ceilingUnwritten, ceiling);
  }

  private diskHasRoom(machine: Machine): void {
    machine.diskFullUntilUs = 0;
    if (machine.ceilingUnwritten > 0) this.agenda.push(this.nowUs + 1, CEILING, machine.index, machine.life, machine.ceilingUnwritten);
    machine.ceilingUnwritten = 0;
  }

  /** `how`: a `stop` tells the peers first. Clients of the dead node go on until their leases end. */
  private crash(machine: Machine, fault: Extract<Fault, { kind: 'crash' }>): void {
    if (machine.node === null) return;
    const isFrozen = machine.frozenUntilUs > this.nowUs || machine.isAsleep;
    this.note({ kind: 'dies', node: machine.id, how: fault.how });
    if (fault.how === 'stop' && !isFrozen) {
      // Those in other processes may not hear of it; what they hold runs out.
      const inUse: LockName[] = [];
      for (const caller of machine.callers) {
        if (caller.hold === null) continue;
        if (this.isDeaf(caller)) inUse.push(this.locks[caller.lock] ?? '');
        else this.endHold(caller);
      }
      this.step(machine, { kind: 'stop', nowMs: this.nowMs(machine), inUse });
      this.counts.stops++;
    } else {
      this.counts.crashes++;
    }
    if (fault.how === 'wipe' || fault.how === 'stale' || fault.how === 'corrupt') {
      machine.wipedAtClock = this.core.durableClock(machine.node);
      machine.ceilingLeft = fault.how === 'stale' ? machine.ceilingBefore : 0;
      machine.isFileCorrupt = fault.how === 'corrupt';
      if (fault.how === 'wipe') this.counts.wipes++;
      if (fault.how === 'stale') this.counts.staleFiles++;
    }
    if (machine.ceilingUnderWay > machine.ceilingOnDisk) this.counts.ceilingsCutShort++;
    if (fault.writeLands && machine.diskFullUntilUs <= this.nowUs) this.writeCeiling(machine, machine.life, machine.ceilingUnderWay);
    if (machine.isAsleep) this.awake(machine);
    machine.sleptUs = 0;
    this.backing?.died(this.nowUs, machine.index);
    machine.node = null;
    machine.frozenUntilUs = 0;
    machine.busyUntilUs = 0;
    machine.slowUntilUs = 0;
    for (const { kind, payload } of machine.inbox) if (kind === DELIVER) this.waits.arrived(this.lockOf((payload as Message).lock));
    machine.inbox = [];
    this.waits.memoryLost();
    machine.ceilingUnwritten = 0;
    machine.wakeGeneration++;
    machine.callersById.clear();
    for (const caller of machine.callers) {
      caller.state = 'away';
      caller.generation++;
      caller.hold = null;
    }
    this.agenda.push(this.nowUs + fault.forUs, START, machine.index, 0, fault.wallBackUs);
    this.lookFromAll(machine.index);
  }

  private scheduleWake(machine: Machine): void {
    const dueUs = Math.max(this.nowUs, machine.monotonic.trueUs(machine.wakeAtMs * 1000 - machine.originUs));
    const atUs = dueUs + machine.random.below(this.isHealed() ? 1000 : this.plan.timerLagUs);
    // An earlier item comes first and looks again.
    if (machine.wakeItemUs <= atUs) return;
    machine.wakeItemUs = atUs;
    this.agenda.push(atUs, WAKE, machine.index, ++machine.wakeGeneration);
  }

  private wake(machine: Machine, generation: number): void {
    if (machine.wakeGeneration !== generation || machine.node === null) return;
    machine.wakeItemUs = Infinity;
    if (machine.wakeAtMs === Infinity) return;
    if (this.nowMs(machine) < machine.wakeAtMs) this.scheduleWake(machine);
    else this.stepWake(machine);
  }

  private stepWake(machine: Machine): void {
    const nowMs = this.nowMs(machine);
    if (nowMs >= machine.wakeAtMs) machine.wakeAtMs = Infinity;
    this.step(machine, { kind: 'wake', nowMs });
    for (const caller of machine.callers) {
      if (caller.state === 'inside' && caller.validUntilMs <= nowMs) {
        violated('lost-at-once', `${machine.id} caller ${caller.id} holds until ${caller.validUntilMs}, and was not told at ${nowMs}`);
      }
    }
  }

  private writeCeiling(machine: Machine, life: number, ceiling: number): void {
    if (machine.life !== life || machine.node === null || ceiling <= machine.ceilingOnDisk) return;
    machine.ceilingBefore = machine.ceilingOnDisk;
    machine.ceilingOnDisk = ceiling;
    machine.isDiskBlank = false;
  }

  private ceilingReserved(machine: Machine, life: number, ceiling: number): void {
    if (machine.life !== life || machine.node === null) return;
    this.writeCeiling(machine, life, ceiling);
    this.step(machine, { kind: 'ceilingReserved', nowMs: this.nowMs(machine), ceiling });
  }

  // --- messages ---------------------------------------------------------------------------------

  private send(machine: Machine, to: NodeId, message: Message): void {
    const { counts } = this;
    const toIndex = this.nodeIndex.get(to);
    if (toIndex === undefined || toIndex === machine.index) violated('callers-known', `${machine.id} sends to ${to}`);
    this.hashMessage(toIndex, message);
    const lock = this.lockOf(message.lock);
    this.checks.sent(machine.index, lock, message, machine.ceilingOnDisk);
    const link = this.network.link(machine.index, toIndex);
    if (this.plan.profile === 'frugal') this.checks.countSent(machine.index, lock, message);
    switch (message.kind) {
      case 'request':
        this.countRequest(machine, link, lock, to, message);
        if (this.isVotingSetMember[link] === false) counts.widened++;
        break;
      case 'grant':
        counts.grants++;
        if (message.grant === this.heldGrantShown) counts.adopted++;
        if (message.contended) counts.contended++;
        this.tokenCover.lent(machine.index, toIndex, lock, message, () => this.modeLent(machine, to, message));
        this.overtaking?.lent(lock, machine.id, to, message.timestamp, message.grant);
        break;
      case 'release':
        counts.releases++;
        this.overtaking?.over(lock, machine.id, message.timestamp);
        break;
      case 'inquire':
        counts.inquires++;
        break;
      case 'yield':
        counts.yields++;
        break;
    }
    if (machine.lastClockSent > 0 && message.clock > machine.lastClockSent + this.plan.slack) counts.clockJumps++;
    machine.lastClockSent = message.clock;
    this.echoes?.remember(link, message);
    this.transmit(machine.index, toIndex, lock, message);
  }

  private countRequest(machine: Machine, link: number, lock: number, to: NodeId, { timestamp, mode, claim }: Request): void {
    const { counts } = this;
    const opened = this.openedBy(machine, lock);
    if (opened.timestamp !== timestamp) {
      opened.timestamp = timestamp;
      opened.mode = mode;
      opened.steals = doesSteal(claim);
      opened.event = this.events;
    }
    counts.requests++;
    // A peer that is back is asked alone; the node's own arbiter, which may have to inquire too, hears of it at the next repeat.
    if (!this.isHandshake) this.waits.requested(lock, link, timestamp);
    const place = link * this.locks.length + lock;
    if (this.lastAsked[place] !== timestamp) {
      if (doesHold(claim)) counts.widenedInside++;
      else this.overtaking?.asked(lock, to, { request: { timestamp, node: machine.id }, claim }, mode);
    } else if (doesHold(claim)) counts.renewalRequests++;
    else counts.repeats++;
    this.lastAsked[place] = timestamp;
  }

  private openedBy(machine: Machine, lock: number): Opened {
    return present(this.opened[machine.index * this.locks.length + lock], 'lock', lock);
  }

  private transmit(from: number, to: number, lock: number, message: Message): void {
    const link = this.network.link(from, to);
    this.copies = 0;
    if (this.fates === null) this.network.send(this.nowUs, link, message);
    else this.network.sendTo(this.nowUs, link, message, this.fates.next(from, to, message));
    if (this.copies === 0) this.waits.lost(lock);
    for (let copy = this.copies; copy > 0; copy--) this.waits.departed(lock);
    if (this.observer !== null) {
      this.observer.sent?.(this.nowUs, this.machine(from).id, this.machine(to).id, message, this.arrivesAtUs);
      if (this.arrivesAtUs.length === 0) this.noteDropped(link, message, this.network.isCut(link) ? 'link is cut' : 'lost');
      this.arrivesAtUs = [];
    }
  }

  private deliver(machine: Machine, link: number, message: Message): void {
    const lock = this.lockOf(message.lock);
    this.waits.arrived(lock);
    if (machine.node === null || this.network.isCut(link)) {
      this.counts.messagesCut++;
      this.waits.lost(lock);
      return this.noteDropped(link, message, machine.node === null ? 'node is down' : 'link is cut');
    }
    const nowMs = this.nowMs(machine);
    const isShown = message.kind === 'request' && message.heldGrant !== null && nowMs < machine.silentUntilMs;
    if (isShown) this.heldGrantShown = message.heldGrant;
    const from = this.nodeIds[Math.floor(link / this.machines.length)] ?? '';
    if (message.kind === 'request') this.overtaking?.reached(lock, from, machine.id, message.timestamp, isHeldBack(machine));
    this.step(machine, { kind: 'message', nowMs, from, message });
    this.heldGrantShown = null;
    if (!this.waits.isUnderWay(lock) && this.isWantedByMany(lock) && !this.machines.some(isHeldBack)) this.waits.demandNoCircle(lock);
  }

  /** Callers of several nodes wait for it: only then may they wait for each other. */
  private isWantedByMany(lock: number): boolean {
    let one: Machine | null = null;
    for (const caller of this.callers) {
      if (caller.state !== 'waiting' || caller.lock !== lock) continue;
      if (one !== null && one !== caller.machine) return true;
      one = caller.machine;
    }
    return false;
  }

  private viewOf(machine: Machine, lock: number): LockView | null {
    return machine.node === null ? null : this.core.inspectLock(machine.node, this.locks[lock] ?? '');
  }

  private noteDropped(link: number, message: Message, reason: DropReason): void {
    const from = this.machine(Math.floor(link / this.machines.length));
    const to = this.machine(link % this.machines.length);
    this.observer?.dropped?.(this.nowUs, from.id, to.id, message, reason);
  }

  /** Some time from now, `observer` finds out how things are with `peer`. */
  private lookAt(observer: number, peer: number): void {
    if (this.plan.looks !== undefined && !this.isHealed()) return;
    const delayUs = 1 + this.detection.below(this.plan.network.detectionUs);
    this.agenda.push(this.nowUs + delayUs, DETECT, this.network.link(observer, peer), 0);
  }

  private lookFromAll(peer: number): void {
    for (let other = 0; other < this.machines.length; other++) {
      if (other === peer) continue;
      this.lookAt(other, peer);
      this.lookAt(peer, other);
    }
  }

  private detect(machine: Machine, link: number): void {
    if (machine.node === null) return;
    const peer = this.machine(link % this.machines.length);
    const back = this.network.link(peer.index, machine.index);
    const isReached = peer.node !== null && peer.frozenUntilUs <= this.nowUs && !peer.isAsleep
      && !this.network.isCut(link) && !this.network.isCut(back) && (this.suspectedUntilUs[link] ?? 0) <= this.nowUs;
    const seenLife = this.seenLife[link] ?? 0;
    const nowMs = this.nowMs(machine);
    // A peer that restarted in between broke the connection.
    if (seenLife !== 0 && (!isReached || seenLife !== peer.life)) {
      this.seenLife[link] = 0;
      this.counts.peerDowns++;
      this.step(machine, { kind: 'peerDown', nowMs, peer: peer.id });
    }
    if (isReached && seenLife !== peer.life && peer.node !== null) {
      this.seenLife[link] = peer.life;
      const clock = this.core.durableClock(peer.node);
      if (clock > peer.ceilingOnDisk) violated('ceiling-holds', `${peer.id} shakes hands with clock ${clock}, ceiling ${peer.ceilingOnDisk}`);
      const silentForMs = this.core.silentForMs(peer.node, this.nowMs(peer));
      this.isHandshake = true;
      this.step(machine, { kind: 'peerUp', nowMs, peer: peer.id, clock, silentForMs });
      this.isHandshake = false;
    }
  }

  // --- callers ----------------------------------------------------------------------------------

  private newCaller(index: number, machineIndex: number, wishes: readonly Wish[]): Caller {
    const machine = this.machine(machineIndex);
    const caller: Caller = {
      index, machine, wishes, next: 0, state: 'away', generation: 0, id: 0, lock: 0, hold: null,
      askedAtUs: 0, askedAtMs: 0, validUntilMs: 0, enteredAtUs: 0, enteredWith: [], leavesAtUs: 0, isOwed: false, theft: 'none',
    };
    machine.callers.push(caller);
    return caller;
  }

  private callerIn(caller: Caller, afterUs: number): void {
    this.agenda.push(this.nowUs + afterUs, CALLER, caller.index, ++caller.generation);
  }

  /** On to the next wish, if there is one. */
  private think(caller: Caller): void {
    const { wishes } = caller;
    const wish = wishes[caller.next % wishes.length];
    if (wish === undefined || this.asksNoMore() || (this.phase === 'faults' && caller.next >= wishes.length)) {
      caller.state = 'done';
      return;
    }
    caller.state = 'thinking';
    if (wish.atUs !== undefined && !this.isHealed()) return this.thinkUntil(caller, wish.atUs);
    // Healed, everyone is eager, but leaves the clocks time to come together (SLACK may be small).
    const leaseUs = this.plan.leaseMs * 1000;
    this.callerIn(caller, this.isHealed() ? leaseUs / 40 + Math.min(wish.thinkUs, leaseUs / 20) : wish.thinkUs);
  }

  private asksNoMore(): boolean {
    return this.phase === 'drain' || (this.isHealed() && this.plan.asksNoMore === true);
  }

  private thinkUntil(caller: Caller, atUs: number): void {
    if (atUs < this.nowUs) caller.state = 'done';
    else this.callerIn(caller, atUs - this.nowUs);
  }

  private advance(caller: Caller, generation: number): void {
    const { machine } = caller;
    if (caller.generation !== generation || machine.node === null) return;
    const nowMs = this.nowMs(machine);
    switch (caller.state) {
      case 'thinking':
        return this.ask(caller, nowMs);
      case 'waiting':
        if (this.phase !== 'faults') return; // From now on everyone waits to the end.
        this.counts.cancels++;
        return this.leave(caller, nowMs);
      case 'inside':
        this.noteOutlived(caller);
        this.endHold(caller);
        return this.leave(caller, nowMs);
      case 'recalled':
        this.endHold(caller);
        return this.leave(caller, nowMs);
      case 'lost':
        return this.leave(caller, nowMs);
      case 'away':
      case 'done':
        return;
    }
  }

  private ask(caller: Caller, nowMs: number): void {
    const { machine, wishes } = caller;
    const wish = wishes[caller.next % wishes.length];
    if (wish === undefined || this.asksNoMore()) {
      caller.state = 'done';
      return;
    }
    caller.state = 'waiting';
    caller.id = ++machine.nextCallerId;
    caller.lock = wish.lock;
    caller.askedAtUs = this.nowUs;
    caller.askedAtMs = nowMs;
    machine.callersById.set(caller.id, caller);
    if (wish.patienceUs !== null && this.phase === 'faults') this.callerIn(caller, wish.patienceUs);
    this.isLocalEvent = true;
    const steals = wish.steals && this.phase === 'faults';
    if (steals) this.counts.steals++;
    caller.theft = steals ? 'alone' : 'none';
    if (steals) this.noteOtherThieves(caller);
    const acquire = { kind: 'acquire', nowMs, lock: this.locks[wish.lock] ?? '', mode: wish.mode, caller: caller.id } as const;
    this.step(machine, { ...acquire, ...(steals ? { steals } : {}), ...(this.isDeaf(caller) ? { remote: true } : {}) });
    this.isLocalEvent = false;
  }

  private wishOf({ wishes, next }: Caller): Wish {
    const wish = wishes[next % wishes.length];
    if (wish === undefined) throw new RangeError('a caller without wishes');
    return wish;
  }

  /** It hears late of what happens at its node. */
  private isDeaf(caller: Caller): boolean {
    return this.wishOf(caller).hearsAfterUs !== undefined;
  }

  /** Of two that steal on one node the later one goes first, and the other waits until it is done. */
  private noteOtherThieves(caller: Caller): void {
    for (const other of this.callers) {
      if (other === caller || other.machine !== caller.machine || other.lock !== caller.lock || other.theft === 'none' || other.state !== 'waiting') continue;
      other.theft = 'among others';
      caller.theft = 'among others';
    }
  }

  /** Tell the node, whether the caller was inside, lost the lock or gave up; then on to the next wish. */
  private leave(caller: Caller, nowMs: number): void {
    const { machine, id, lock } = caller;
    machine.callersById.delete(id);
    const releasesTwice = this.wishOf(caller).releasesTwice === true && !this.isHealed();
    caller.next++;
    this.think(caller);
    this.lastLeftMs[lock] = nowMs;
    this.isLocalEvent = true;
    this.leaving = id;
    const release: Event = { kind: 'release', nowMs, lock: this.locks[lock] ?? '', caller: id };
    this.step(machine, release);
    if (releasesTwice) {
      this.counts.releasedTwice++;
      this.step(machine, release);
    }
    this.leaving = 0;
    this.isLocalEvent = false;
  }

  /** It is about to give back what it held all the time, although an arbiter that it began with was away for so long that its vote ran out. */
  private noteOutlived({ enteredAtUs, enteredWith }: Caller): void {
    if (this.steadfast === null) return;
    if (this.steadfast.longestOutageUs(this.nowUs, enteredAtUs, enteredWith) >= this.plan.leaseMs * 1000) this.counts.outlived++;
  }

  /** A lock that is held is kept: without faults always, and in `steadfast` runs while a quorum lives. */
  private checkKept(machine: Machine, lockName: LockName, id: CallerId): void {
    const { plan, steadfast } = this;
    if (plan.profile === 'calm' || plan.profile === 'frugal') violated('keeps', `${machine.id} caller ${id} loses its lock without any fault`);
    if (steadfast === null) return;
    const lock = this.lockOf(lockName);
    const { timestamp, mode, steals } = this.openedBy(machine, lock);
    const request: RequestId = { timestamp, node: machine.id };
    const enteredAtUs = machine.callersById.get(id)?.enteredAtUs ?? 0;
    if (steadfast.isOwed(this.nowUs, lock, machine.index, { request, claim: claimOf(steals, true), mode, enteredAtUs })) {
      violated('keeps', `${machine.id} caller ${id} loses lock ${lockName}, although there was a quorum all the time`);
    }
    this.counts.notOwed++;
  }

  private endHold(caller: Caller): void {
    if (caller.hold !== null) {
      this.checks.left(caller.lock, caller.hold);
      this.backing?.ended(caller.lock, caller.hold);
    }
    caller.hold = null;
  }

  private entered(machine: Machine, lockName: LockName, id: CallerId, token: Token, validUntilMs: number): void {
    const { counts } = this;
    const caller = machine.callersById.get(id);
    const lock = this.lockOf(lockName);
    if (caller === undefined || caller.state !== 'waiting' || caller.lock !== lock) {
      violated('callers-known', `${machine.id} lets in caller ${id} of lock ${lockName}, which does not wait`);
    }
    const wish = this.wishOf(caller);
    this.hash.add(machine.index);
    this.hash.addWide(token);
    this.hash.addWide(validUntilMs);
    counts.entries++;
    this.allowEvents();
    if (wish.mode === 'shared') {
      counts.sharedEntries++;
      if (this.checks.isSharedWithAnotherNode(lock, machine.index, this.nowUs)) counts.readersTogether++;
    }
    if (this.isLocalEvent && (this.checks.votingSetSize(machine.index) > 1)) counts.reentries++;
    caller.state = 'inside';
    caller.validUntilMs = validUntilMs;
    const endsAtUs = this.endsAtUs(machine, validUntilMs);
    caller.hold = { machine: machine.index, life: machine.life, caller: id, mode: wish.mode, token, endsAtUs };
    const opened = this.openedBy(machine, lock);
    const request = this.viewOf(machine, lock)?.requester;
    caller.enteredAtUs = this.nowUs;
    caller.enteredWith = request?.state === 'held' ? request.granted : [];
    // A request that was never sent has no arbiter but its own node.
    const openedAt = request?.state === 'held' && request.request.timestamp === opened.timestamp ? opened.event : this.events;
    // With clocks beyond the bound a token need only exceed those of holders that could have been known.
    this.checks.entered(this.nowUs, lock, caller.hold, this.events, this.plan.profile === 'adrift' ? openedAt - 1 : this.events);
    if (request?.state === 'held') this.overtaking?.entered(lock, { request: request.request, claim: claimOf(request.steals, false) }, wish.mode);
    this.checkBacking(machine, lock, caller.hold, request);
    if (this.plan.profile === 'frugal') {
      const couldEnterAtMs = Math.max(caller.askedAtMs, this.lastLeftMs[lock] ?? 0);
      this.checks.countEntry(machine.index, lock, couldEnterAtMs + reentryLeftMs(this.plan.leaseMs), validUntilMs);
    }
    this.noteWait(caller);
    const holdUs = this.isHealed() ? Math.min(wish.holdUs, this.plan.leaseMs * 250) : wish.holdUs;
    caller.leavesAtUs = this.nowUs + holdUs;
    this.callerIn(caller, holdUs);
    if (wish.mode === 'exclusive') this.write({ lock, token, node: machine.id, caller: id, enteredAt: this.events, openedAt }, holdUs);
  }

  /** While the lock is held, as far as its holder can tell; one in four arrives much later. */
  private write(write: Write, holdUs: number): void {
    const { writing } = this;
    const lateUs = writing.chance(250_000) ? writing.below(2 * this.plan.leaseMs * 1000) : 0;
    this.agenda.push(this.nowUs + writing.below(holdUs + 1) + lateUs, WRITE, 0, 0, write);
  }

  private writeArrives(write: Write): void {
    if (this.observer !== null) {
      this.note({ kind: 'write', node: write.node, caller: write.caller, lock: this.locks[write.lock] ?? '', token: write.token, isAccepted: this.resource.accepts(write) });
    }
    this.resource.arrives(write);
  }

  private renewed(machine: Machine, id: CallerId, validUntilMs: number): void {
    const caller = machine.callersById.get(id);
    if (caller === undefined || caller.hold === null) {
      violated('callers-known', `${machine.id} renews caller ${id}, which is not inside`);
    }
    this.counts.renewals++;
    caller.validUntilMs = validUntilMs;
    const endsAtUs = this.endsAtUs(machine, validUntilMs);
    // That it is for less than it was told, after sleep, one in another process may not hear.
    if (endsAtUs >= caller.hold.endsAtUs || !this.isDeaf(caller)) this.checks.renewed(this.nowUs, caller.lock, caller.hold, endsAtUs);
    this.checkBacking(machine, caller.lock, caller.hold, this.viewOf(machine, caller.lock)?.requester);
    if (this.plan.profile === 'frugal') this.checks.countRenewal(caller.lock, validUntilMs);
  }

  private checkBacking(machine: Machine, lock: number, hold: Hold, requester: LockView['requester'] | undefined): void {
    if (this.backing === null) return;
    // A caller may have been let in and lose the lock again within one step.
    if (requester?.state !== 'held') return;
    const { request: { timestamp }, granted } = requester;
    const backers = this.backing.extended(this.nowUs, lock, hold, machine, timestamp, granted);
    this.tokenCover.held(lock, hold, timestamp, backers);
  }

  private modeLent(arbiter: Machine, to: NodeId, { lock, timestamp, grant: number }: Grant): Mode | null {
    const grants = arbiter.node === null ? undefined : this.core.inspectLock(arbiter.node, lock)?.grants;
    return grants?.find(({ request, grant }) => grant === number && request.node === to && request.timestamp === timestamp)?.mode ?? null;
  }

  private lost(machine: Machine, id: CallerId, kind: 'lost' | 'recalled'): void {
    this.counts.lost++;
    if (kind === 'recalled') this.counts.recalled++;
    this.hash.add(id);
    if (id === this.leaving) return; // It came too late with its release.
    const caller = machine.callersById.get(id);
    if (caller === undefined || caller.state !== 'inside') {
      violated('callers-known', `caller ${id} of ${machine.id} loses a lock that it does not hold`);
    }
    const { hearsAfterUs } = this.wishOf(caller);
    if ((hearsAfterUs !== undefined) !== (kind === 'recalled')) violated('callers-known', `caller ${id} of ${machine.id} is told of its loss in the wrong way`);
    caller.state = kind;
    if (hearsAfterUs !== undefined && caller.hold !== null) {
      const untilUs = Math.min(this.nowUs + hearsAfterUs, caller.leavesAtUs, machine.alive.trueUs(caller.hold.endsAtUs));
      return this.callerIn(caller, Math.max(0, untilUs - this.nowUs));
    }
    this.endHold(caller);
    // It finds out a little later, and then releases what it has lost.
    this.callerIn(caller, machine.random.below(2000));
  }

  /** From a node's `nowMs` to what its machine's clock shows, sleep counted. */
  private endsAtUs(machine: Machine, validUntilMs: number): number {
    const leftUs = validUntilMs * 1000 - machine.originUs - machine.monotonic.localUs(this.nowUs);
    return machine.alive.localUs(this.nowUs) + leftUs;
  }

  // --- faults -----------------------------------------------------------------------------------

  private strike(fault: Fault, index: number): void {
    const { network, agenda } = this;
    this.note({ kind: 'fault', fault });
    if ('forUs' in fault && fault.kind !== 'crash') agenda.push(this.nowUs + fault.forUs, FAULT_ENDS, index, 0);
    switch (fault.kind) {
      case 'cut':
        this.counts.partitions++;
        for (const from of fault.from) for (const to of fault.to) network.cut(network.link(from, to));
        return this.lookAcross(fault);
      case 'clog':
        return network.clog(network.link(fault.from, fault.to), this.nowUs + fault.forUs, fault.room);
      case 'suspect': {
        if (fault.machine === fault.peer) return;
        const link = network.link(fault.machine, fault.peer);
        this.suspectedUntilUs[link] = this.nowUs + fault.forUs;
        return agenda.push(this.nowUs, DETECT, link, 0);
      }
      case 'crash':
        return this.crash(this.machine(fault.machine), fault);
      case 'pause': {
        const machine = this.machine(fault.machine);
        machine.frozenUntilUs = Math.max(machine.frozenUntilUs, this.nowUs + fault.forUs);
        this.counts.pauses++;
        return this.lookFromAll(machine.index);
      }
      case 'sleep':
        return this.fallAsleep(this.machine(fault.machine), fault.forUs);
      case 'full': {
        const machine = this.machine(fault.machine);
        machine.diskFullUntilUs = Math.max(machine.diskFullUntilUs, this.nowUs + fault.forUs);
        return;
      }
      case 'slow': {
        const machine = this.machine(fault.machine);
        machine.slowUntilUs = this.nowUs + fault.forUs;
        machine.perEventUs = fault.perEventUs;
        return;
      }
      case 'rate': {
        const machine = this.machine(fault.machine);
        return machine.isAsleep ? undefined : this.setRate(machine, fault.ratePpm);
      }
      case 'wake': {
        const machine = this.machine(fault.machine);
        if (machine.node !== null && machine.frozenUntilUs <= this.nowUs && !machine.isAsleep) this.stepWake(machine);
        return;
      }
      case 'jump': {
        const machine = this.machine(fault.machine);
        if (machine.node === null) return;
        this.counts.jumps++;
        machine.sleptUs += fault.byUs;
        // One that does not run finds out when it does.
        return machine.frozenUntilUs > this.nowUs || machine.isAsleep ? undefined : this.tellOfSleep(machine);
      }
      case 'echo': {
        const messages = this.echoes?.recall(network.link(fault.from, fault.to), fault.message, fault.back, fault.count) ?? [];
        this.counts.messagesEchoed += messages.length;
        for (const message of messages) this.transmit(fault.from, fault.to, this.lockOf(message.lock), message);
        return;
      }
    }
  }

  private setRate(machine: Machine, ratePpm: number): void {
    if (!machine.isAsleep) machine.monotonic.setRate(this.nowUs, ratePpm);
    machine.alive.setRate(this.nowUs, ratePpm);
    if (machine.wakeAtMs !== Infinity && machine.node !== null) this.scheduleWake(machine);
  }

  private relent(fault: Fault): void {
    const { network } = this;
    switch (fault.kind) {
      case 'cut':
        for (const from of fault.from) for (const to of fault.to) network.mend(network.link(from, to));
        return this.lookAcross(fault);
      case 'suspect':
        return fault.machine === fault.peer ? undefined : this.lookAt(fault.machine, fault.peer);
      case 'pause':
        return this.thaw(this.machine(fault.machine));
      case 'sleep': {
        const machine = this.machine(fault.machine);
        if (machine.asleepUntilUs > this.nowUs || !machine.isAsleep) return;
        this.awake(machine);
        return this.thaw(machine);
      }
      case 'full': {
        const machine = this.machine(fault.machine);
        return machine.diskFullUntilUs > this.nowUs ? undefined : this.diskHasRoom(machine);
      }
      case 'clog':
      case 'crash':
      case 'slow':
      case 'rate':
      case 'wake':
      case 'jump':
      case 'echo':
        return;
    }
  }

  private lookAcross(fault: Extract<Fault, { kind: 'cut' }>): void {
    for (const from of fault.from) {
      for (const to of fault.to) {
        this.lookAt(from, to);
        this.lookAt(to, from);
      }
    }
  }

  private fallAsleep(machine: Machine, forUs: number): void {
    if (machine.node === null) return;
    machine.asleepUntilUs = Math.max(machine.asleepUntilUs, this.nowUs + forUs);
    if (machine.isAsleep) return;
    this.counts.sleeps++;
    machine.isAsleep = true;
    machine.fellAsleepUs = machine.alive.localUs(this.nowUs);
    machine.monotonic.setRate(this.nowUs, STOPPED_PPM);
    this.lookFromAll(machine.index);
  }

  private awake(machine: Machine): void {
    machine.isAsleep = false;
    machine.asleepUntilUs = 0;
    machine.monotonic.setRate(this.nowUs, machine.alive.ratePpm);
    machine.sleptUs += machine.alive.localUs(this.nowUs) - machine.fellAsleepUs;
    if (machine.wakeAtMs !== Infinity && machine.node !== null) this.scheduleWake(machine);
  }

  /** The node runs again: first it learns how long it slept, then it handles all that came meanwhile. */
  private thaw(machine: Machine): void {
    if (machine.frozenUntilUs > this.nowUs || machine.isAsleep || machine.node === null) return;
    if (machine.sleptUs > 0) this.tellOfSleep(machine);
    const { inbox } = machine;
    machine.inbox = [];
    for (const { kind, a, b, payload } of inbox) this.handleAt(machine, kind, a, b, payload);
    this.lookFromAll(machine.index);
  }

  private tellOfSleep(machine: Machine): void {
    const byMs = Math.ceil(machine.sleptUs / 1000);
    machine.sleptUs = 0;
    this.step(machine, { kind: 'slept', nowMs: this.nowMs(machine), byMs });
    this.checkToldOfSleep(machine);
  }

  /** Sleep shortens what is left of a lease by the node's time. Those inside must have heard so. */
  private checkToldOfSleep(machine: Machine): void {
    for (const caller of machine.callers) {
      const { hold, id, validUntilMs } = caller;
      if (caller.state === 'inside' && hold !== null && !this.isDeaf(caller) && this.endsAtUs(machine, validUntilMs) > hold.endsAtUs) {
        violated('lost-at-once', `${machine.id} caller ${id} was not told that sleep took some of its lease`);
      }
    }
  }

  // --- healed -----------------------------------------------------------------------------------

  private isHealed(): boolean {
    return this.phase !== 'faults';
  }

  private heal(): void {
    const { lostForEver = [] } = this.plan;
    this.phase = 'load';
    this.note({ kind: 'healed', lostForEver });
    this.network.heal();
    this.suspectedUntilUs.fill(0);
    for (const lost of lostForEver) this.loseForEver(lost);
    for (const machine of this.machines) {
      if (machine.isLostForEver) continue;
      if (this.plan.profile === 'adrift') this.setRate(machine, 0);
      machine.slowUntilUs = 0;
      machine.frozenUntilUs = 0;
      this.diskHasRoom(machine);
      if (machine.isAsleep) this.awake(machine);
      if (machine.node === null) this.start(machine, 0);
      else this.thaw(machine);
      this.lookFromAll(machine.index);
    }
    for (const caller of this.callers) {
      if (caller.machine.isLostForEver) continue;
      if (this.plan.asksNoMore !== true || caller.state === 'waiting') {
        caller.isOwed = true;
        this.owed++;
      }
      if (caller.state === 'done' || caller.state === 'thinking') this.think(caller);
    }
    this.agenda.push(this.nowUs + this.waitMaxUs(), WATCH, 0, 0);
    if (this.owed === 0) this.drain();
  }

  /** The others go on without it. */
  private loseForEver({ machine: index, how }: LostMachine): void {
    const machine = this.machine(index);
    this.counts.lostForEver++;
    switch (how) {
      case 'dead':
        this.crash(machine, { kind: 'crash', atUs: this.nowUs, forUs: 0, machine: index, how: 'crash', wallBackUs: 0, writeLands: false });
        break;
      case 'frozen':
        machine.frozenUntilUs = Infinity;
        break;
      case 'cut':
        for (let other = 0; other < this.machines.length; other++) {
          this.network.cut(this.network.link(index, other));
          this.network.cut(this.network.link(other, index));
        }
    }
    machine.isLostForEver = true;
    this.lookFromAll(index);
  }

  /**
   * How long a caller may wait once all faults have ended: a silent lease of those that restarted, a
   * lease for grants of the dead, and then each of the others first, twice at the worst, with one
   * repeat to heal what was lost and one to bring clocks together.
   */
  private progressBoundUs(): number {
    const { leaseMs, retryMs, network } = this.plan;
    const turnUs = leaseMs * 250 + 2 * retryMs * 1000 + 12 * this.network.delayUsMax + 2000;
    return 3 * leaseMs * 1000 + 2 * network.detectionUs + this.callers.length * 2 * turnUs;
  }

  /**
   * Without faults there is nothing to wait for but the others' holds and some message delays. Those that steal wait
   * only until those who hold have heard of it.
   */
  private calmBoundUs({ theft }: Caller): number {
    const holdUs = theft === 'alone' ? this.latestHearingUs : this.longestHoldUs;
    return 2 * this.callers.length * (holdUs + 12 * this.network.delayUsMax);
  }

  private noteWait(caller: Caller): void {
    if (caller.isOwed) {
      caller.isOwed = false;
      this.owed--;
      if (this.owed === 0) this.drain();
    }
    if (this.plan.profile !== 'calm') return;
    const waitedUs = this.nowUs - caller.askedAtUs;
    const boundUs = this.calmBoundUs(caller);
    if (waitedUs > boundUs) {
      const which = caller.theft === 'alone' ? 'which steals, ' : '';
      violated('progress', `${caller.machine.id} caller ${caller.id}, ${which}waited ${waitedUs} us without any fault; the bound is ${boundUs} us`);
    }
  }

  private watchProgress(): void {
    if (this.phase === 'faults') return this.watchRelentless();
    const boundUs = this.waitMaxUs();
    for (const caller of this.callers) {
      if (caller.machine.isLostForEver) continue;
      if (caller.state === 'waiting' && Math.max(caller.askedAtUs, this.plan.durationUs) + boundUs <= this.nowUs) {
        this.waitsTooLong(caller, caller.askedAtUs, this.progressBoundUs());
      }
    }
    this.agenda.push(this.nowUs + Math.ceil(boundUs / 4), WATCH, 0, 0);
  }

  /** Faults never stop, and still nobody may wait for long whose own node is well. */
  private watchRelentless(): void {
    const boundUs = this.waitMaxUs();
    for (const caller of this.callers) {
      if (caller.state !== 'waiting') continue;
      const sinceUs = Math.max(caller.askedAtUs, lastAwayUs(this.plan, caller.machine.index, this.nowUs));
      if (sinceUs + boundUs > this.nowUs) continue;
      this.waitsTooLong(caller, sinceUs, relentlessBoundUs(this.plan), ', although there was a quorum all the time');
    }
    this.agenda.push(this.nowUs + Math.ceil(boundUs / 8), WATCH, 0, 0);
  }

  /** How long anybody may wait before it is a violation. */
  private waitMaxUs(): number {
    return this.plan.progressBoundUs ?? (this.phase === 'faults' ? relentlessBoundUs(this.plan) : this.progressBoundUs());
  }

  private waitsTooLong({ machine, id, lock }: Caller, sinceUs: number, boundUs: number, although = ''): never {
    const isCutShort = this.plan.progressBoundUs !== undefined;
    const until = isCutShort ? `and so it goes on until the bound of ${boundUs} us is over` : `the bound is ${boundUs} us`;
    violated('progress', `${machine.id} caller ${id} waits for lock ${this.locks[lock]} since ${this.nowUs - sinceUs} us${although}; ${until}`);
  }

  private drain(): void {
    this.phase = 'drain';
    this.drainSinceUs = this.nowUs;
    this.note({ kind: 'drained' });
    this.agenda.push(this.nowUs + this.plan.leaseMs * 1000, RESIDUE, 0, 0);
  }

  /** One lease after the last event of all, every node must have forgotten every lock. */
  private lookForResidue(): void {
    const leaseUs = this.plan.leaseMs * 1000;
    const isBusy = this.callers.some((caller) => caller.state !== 'done' && !caller.machine.isLostForEver);
    // What a lease is by the slowest clock, and how late a timer is.
    const quietSinceUs = this.nowUs - leaseUs - Math.ceil(leaseUs / 50) - 4000;
    if (isBusy || this.lastActivityUs > quietSinceUs) {
      const restMaxUs = this.plan.progressBoundUs ?? this.progressBoundUs() + 10 * leaseUs;
      if (!isBusy && this.drainSinceUs + restMaxUs < this.nowUs) {
        violated('no-residue', 'nobody wants a lock, and still it does not come to rest');
      }
      this.agenda.push(this.nowUs + Math.ceil(leaseUs / 4), RESIDUE, 0, 0);
      return;
    }
    for (const machine of this.machines) {
      if (machine.node === null || machine.isLostForEver) continue;
      for (const lock of this.core.lockNames(machine.node)) {
        violated('no-residue', `${machine.id} keeps ${JSON.stringify(this.core.inspectLock(machine.node, lock))}`);
      }
    }
    this.checks.closeBills();
    this.isFinished = true;
  }

  // --- hashing and looking up -------------------------------------------------------------------

  private hashEvent(machine: Machine, event: Event): void {
    const { hash } = this;
    hash.addWide(this.nowUs);
    hash.add(machine.index);
    hash.add(event.kind.charCodeAt(0) + 256 * event.kind.length);
    if (event.kind === 'message') hash.addWide(event.message.clock);
    else if (event.kind === 'acquire' || event.kind === 'release') hash.add(event.caller);
  }

  /** A message is hashed when it is sent; all its numbers are Lamport times but two. */
  private hashMessage(to: number, message: Message): void {
    const { hash } = this;
    hash.add(to + 256 * message.kind.charCodeAt(2) + 65536 * message.lock.charCodeAt(0));
    hash.addWide(message.clock);
    hash.addWide(message.timestamp);
    switch (message.kind) {
      case 'request':
        hash.addWide(message.sentAtMs);
        hash.addWide(message.heldGrant ?? 0);
        return hash.add((message.mode === 'shared' ? 2 : 0) + (message.keep ? 1 : 0));
      case 'grant':
        hash.addWide(message.grant);
        hash.addWide(message.sentAtMs);
        return hash.add(message.contended ? 1 : 0);
      case 'inquire':
        hash.addWide(message.contender.request.timestamp);
        return hash.addWide(message.grant);
      case 'yield':
        return hash.addWide(message.grant);
      case 'release':
        return;
    }
  }

  private machine(index: number): Machine {
    return present(this.machines[index], 'machine', index);
  }

  private caller(index: number): Caller {
    return present(this.callers[index], 'caller', index);
  }

  private fault(index: number): Fault {
    return present(this.plan.faults[index], 'fault', index);
  }

  private lockOf(name: LockName): number {
    return present(this.lockIndex.get(name), 'lock', name);
  }
}

/** Whether it may wait for its disk before it sends what it has to say. */
function isHeldBack({ node, ceilingUnderWay, ceilingOnDisk, inbox }: Machine): boolean {
  // One that is frozen does not know yet what its disk has done.
  return node !== null && (ceilingUnderWay > ceilingOnDisk || inbox.some(({ kind }) => kind === CEILING));
}

function present<Item>(item: Item | undefined, what: string, which: number | string): Item {
  if (item === undefined) throw new RangeError(`no ${what} ${which}`);
  return item;
}

function newMachine(plan: Plan, index: number, id: NodeId): Machine {
  const { ratePpm } = present(plan.machines[index], 'machine', index);
  return {
    index,
    id,
    monotonic: new MachineClock(ratePpm),
    alive: new MachineClock(ratePpm),
    random: new Random(plan.seed, 'machine', index),
    originUs: 0,
    node: null,
    life: 0,
    silentUntilMs: 0,
    ceilingOnDisk: 0,
    ceilingUnderWay: 0,
    wipedAtClock: null,
    isDiskBlank: false,
    ceilingBefore: 0,
    ceilingLeft: 0,
    isFileCorrupt: false,
    diskFullUntilUs: 0,
    ceilingUnwritten: 0,
    isLostForEver: false,
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
    lastClockSent: 0,
    nextCallerId: 0,
    callers: [],
    callersById: new Map(),
  };
}

function violationOf(error: unknown): { check: string; detail: string } {
  if (error instanceof CheckError) return { check: error.check, detail: error.message };
  if (isInvariantError(error)) return { check: error.invariant, detail: error.message };
  if (error instanceof Error) return { check: 'exception', detail: error.stack ?? error.message };
  return { check: 'exception', detail: String(error) };
}
