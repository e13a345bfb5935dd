/**
 * prompt: a lock that is free and wanted is given at once, but for what the last fault may cost. In `spaced` runs faults come one
 * at a time, so at each entry it is known what can have held it up: somebody had the lock until then, one that went before gave up,
 * or a fault that is not over and done with. What is more is late.
 * Law: a cost is what the rules of protocol.md make a waiter wait and no more; each has its reason beside it.
 * Must never look into the core: it sees holds and who asks.
 */
import { assertNever } from '../../src/core';
import type { CallerId, Event, Mode } from '../../src/core';
import { delayUsMax } from '../plan/delays';
import { endUsOf } from '../plan/outages';
import type { Fault, Plan } from '../plan/plan';
import { violated } from './check';
import { ofLock, wishOf } from './scene';
import type { CallerView, Hold, Place, Scene } from './scene';
import type { Role, Struck } from './struck';
import type { Entry, Witness } from './witness';

/** Since when a lock could have been given to whoever waits. */
interface Free {
  /** To readers: no writer has had it since. */
  fromWritersUs: number;
  fromAllUs: number;
  readonly inside: Map<number, Hold>;
  /** When a writer waited last. Readers may have to wait behind it, though other readers are inside. */
  writerWaitedUs: number;
  /** By machine: when readers of it left that had to let none join them, for their request had heard of a writer. */
  readonly closedUntilUs: number[];
}

/** A wait that ends now. */
interface Wait {
  readonly machine: number;
  readonly lock: number;
  readonly mode: Mode;
  readonly askedAtUs: number;
  /** Since when nobody was in the way. */
  readonly sinceUs: number;
}

/** The longest chain of messages that a free lock waits for: asked, inquired, given up, lent, clocks brought together. */
const HANDOVER_DELAYS = 30;

/** With a smaller block of clock values, messages wait for the disk again and again. */
const SMALL_BLOCK = 1_000;

/** So many further quorums may be asked until one is heard: those who wait for a node that answers nothing hold each other up. */
const FURTHER_QUORUMS = 3;

export class Prompt implements Witness {
  private readonly free: readonly Free[];
  /** By machine: its callers that are not let in yet. */
  private readonly waiting: readonly Set<CallerId>[];
  /** When anybody asked for the first time. */
  private firstAskedAtUs = Infinity;
  private readonly handoverUs: number;
  private readonly noticeUs: number;
  private readonly leaseUs: number;
  private readonly retryUs: number;

  constructor(private readonly scene: Scene, private readonly plan: Plan, private readonly struck: Struck) {
    this.free = scene.locks.map(() => ({ fromWritersUs: 0, fromAllUs: 0, inside: new Map<number, Hold>(), writerWaitedUs: 0, closedUntilUs: scene.places.map(() => 0) }));
    this.waiting = scene.places.map(() => new Set<CallerId>());
    const writes = plan.ceilingBlock < SMALL_BLOCK ? 8 : 2;
    this.handoverUs = HANDOVER_DELAYS * delayUsMax(plan.network) + writes * plan.diskUs + 2 * plan.timerLagUs;
    this.noticeUs = 2 * plan.network.detectionUs;
    // By a clock that is slow, and by timers that are late.
    const longer = 1 + (2 * plan.driftMaxPpm) / 1_000_000;
    this.leaseUs = plan.leaseMs * 1000 * longer;
    this.retryUs = plan.retryMs * 1000 * longer;
  }

  stepping(machine: number, event: Event): void {
    // Whoever came after one that gives up could not enter before. One that was inside is no such: its hold was counted.
    if (event.kind === 'release' && this.waiting[machine]?.delete(event.caller) === true) this.givenUp(this.scene.lockOf(event.lock));
  }

  asked({ machine, id, askedAtUs }: CallerView): void {
    this.firstAskedAtUs = Math.min(this.firstAskedAtUs, askedAtUs);
    this.waiting[machine.index]?.add(id);
  }

  entered({ machine, lock, caller, hold }: Entry): void {
    const { nowUs, phase } = this.scene;
    const free = ofLock(this.free, lock);
    this.waiting[machine]?.delete(caller.id);
    if (hold.mode === 'exclusive') free.writerWaitedUs = nowUs;
    const freeUs = hold.mode === 'exclusive' ? free.fromAllUs : this.freeForReadersUs(free, lock, caller);
    free.inside.set(hold.number, hold);
    if (phase === 'faults') this.judge({ machine, lock, mode: hold.mode, askedAtUs: caller.askedAtUs, sinceUs: Math.max(caller.askedAtUs, freeUs) });
  }

  left(lock: number, hold: Hold): void {
    const free = ofLock(this.free, lock);
    const caller = this.scene.places[hold.machine]?.callers.find(({ id }) => id === hold.caller);
    free.inside.delete(hold.number);
    // While a lock is recalled from readers, further ones of their node wait too (protocol.md section 13).
    this.had(lock, caller?.state === 'recalled' ? 'exclusive' : hold.mode, this.scene.nowUs);
    // A request that has once heard of a writer lets no reader join to its end, even if that writer is gone (protocol.md section 6.2).
    if (this.hasWriterWaited(free, lock, this.heardSinceUs(hold.machine, lock))) free.closedUntilUs[hold.machine] = this.scene.nowUs;
  }

  /** Those inside may be in other processes: they go on until their time is over. */
  dying(machine: number): void {
    this.waiting[machine]?.clear();
    const place = this.scene.places[machine];
    this.free.forEach((free, lock) => {
      const { inside } = free;
      // Its Request stays in the queues of others for a while.
      if (this.doesWriterWait(lock, place)) free.writerWaitedUs = this.scene.nowUs;
      for (const hold of inside.values()) {
        if (hold.machine !== machine) continue;
        inside.delete(hold.number);
        this.had(lock, hold.mode, place?.alive.trueUs(hold.endsAtUs) ?? 0);
      }
    });
  }

  // --- what a fault may cost ---------------------------------------------------------------------

  private judge(wait: Wait): void {
    const { nowUs, nodeIds, locks } = this.scene;
    const { machine, lock, askedAtUs, sinceUs } = wait;
    if (nowUs <= sinceUs + this.handoverUs) return;
    const backUs = this.struck.quorumIsBackUs(sinceUs);
    let allowedUs = backUs > sinceUs ? backUs + this.retryUs + this.noticeUs : sinceUs;
    // Of a request from before all have met, clocks may be too far apart again after they were brought together once (protocol.md section 7).
    if (askedAtUs <= this.firstAskedAtUs + this.noticeUs) allowedUs = Math.max(allowedUs, sinceUs + this.retryUs);
    for (const fault of this.plan.faults) if (fault.atUs <= nowUs) allowedUs = Math.max(allowedUs, this.costsUntilUs(fault, wait));
    if (nowUs <= allowedUs + this.handoverUs) return;
    violated('prompt', `${nodeIds[machine]} enters lock ${locks[lock]} ${nowUs - sinceUs} us after it was free and wanted; `
      + (allowedUs > sinceUs ? `a fault accounts for ${allowedUs - sinceUs} us of it, ` : 'no fault accounts for it, ') + `messages for ${this.handoverUs} us`);
  }

  /** Until when, in true time, this fault may have held up this wait. */
  private costsUntilUs(fault: Fault, wait: Wait): number {
    const { atUs } = fault;
    const { sinceUs } = wait;
    const { leaseUs, retryUs, noticeUs } = this;
    const endUs = endUsOf(fault);
    const role = this.struck.roleOf(fault, wait.machine, wait.lock, atUs - this.handoverUs);
    const startedUs = Math.max(atUs, sinceUs);
    const endedUs = Math.max(endUs, sinceUs);
    switch (fault.kind) {
      case 'rate':
      case 'wake':
      case 'jump':
        return 0;
      case 'suspect':
        return startedUs <= endUs ? startedUs + noticeUs : 0;
      case 'slow':
        return endUs + fault.perEventUs;
      case 'echo': // A late Request may wait in a queue until nobody has repeated it for a lease, and then have the vote for a lease.
        return atUs + 2 * leaseUs;
      case 'pause':
      case 'sleep':
        if (role === 'own') return endUs;
        // Votes lent to it are not answered for; others are asked in its place when it is found to be down.
        return Math.min(endUs, startedUs + (role === 'involved' ? leaseUs : noticeUs));
      case 'full': // It falls mute when it has had something to say for a retry interval; its peers look each half of one.
        if (role === 'own') return endUs + noticeUs;
        return Math.min(endUs, startedUs + (role === 'involved' ? leaseUs : 1.5 * retryUs)) + noticeUs;
      case 'cut':
      case 'clog': {
        // Until a repeat makes the arbiter inquire, a vote may be lent to one that is gone. To an arbiter that missed the first Request, the first repeat is none.
        const repeatedUs = sinceUs <= endUs + leaseUs ? endedUs + 2 * retryUs + noticeUs : 0;
        // A writer that gave up may be left in a queue, where nobody inquires for it, until it was not repeated for a lease. Readers wait behind it.
        if (wait.mode === 'shared') return Math.max(repeatedUs, endUs + leaseUs + noticeUs);
        if (fault.kind === 'cut' && fault.as === 'unseen' && role !== 'own') {
          return Math.min(repeatedUs, this.muteCostsUntilUs(fault, role, wait) + noticeUs);
        }
        if (role === 'own' || fault.kind === 'clog' || fault.as === 'oneway') return repeatedUs;
        return Math.min(repeatedUs, startedUs + (role === 'involved' ? leaseUs : retryUs) + noticeUs);
      }
      case 'crash':
        return Math.max(this.deathCostsUntilUs(fault, role, sinceUs), this.silenceCostsUntilUs(endUs, sinceUs));
      default:
        return assertNever(fault);
    }
  }

  /**
   * Who needs the vote of a node that answers nothing, or one that was lent to it, asks a further quorum with the first repeat after a lease, and
   * again a lease later where one of these was lent to somebody who waits in the same way.
   */
  private muteCostsUntilUs(fault: Fault, role: Role, { machine, lock, sinceUs }: Wait): number {
    const { atUs } = fault;
    const { leaseUs, retryUs, struck } = this;
    const startedUs = Math.max(atUs, sinceUs);
    const quorums = struck.isAlone(machine, lock, atUs - leaseUs) ? 1 : FURTHER_QUORUMS;
    const untilUs = startedUs + quorums * (leaseUs + retryUs);
    if (role !== 'aside' || !struck.isAlone(machine, lock, sinceUs + 1)) return untilUs;
    // Behind a hold it waited no less: when that was over, it had asked a further quorum already, or asks it with the next repeat, where the hold
    // had left none.
    const openedUs = struck.openedUs(machine, lock);
    const askedUs = Math.max(atUs, openedUs) + leaseUs + retryUs;
    return Math.min(untilUs, this.hasSpareQuorum(machine) && !struck.isAnyAwayBut(fault, openedUs) ? askedUs : Math.max(askedUs, startedUs + retryUs));
  }

  /** Even if nobody of its voting set but itself can lend a vote. */
  private hasSpareQuorum(machine: number): boolean {
    const { coterie, nodeIds } = this.scene;
    const self = nodeIds[machine] ?? '';
    return coterie.quorumAvoiding(self, new Set(coterie.votingSet(self).filter((node) => node !== self))) !== null;
  }

  private deathCostsUntilUs(fault: Extract<Fault, { kind: 'crash' }>, role: Role, sinceUs: number): number {
    const { atUs, forUs, how } = fault;
    const { leaseUs, noticeUs } = this;
    const startedUs = Math.max(atUs, sinceUs);
    // One that stops in good order gives everything back, but for what is in use in another process.
    if (role === 'aside' || (role === 'involved' && how === 'stop' && this.plan.intensities.deaf === 0)) return startedUs + noticeUs;
    // A vote is lent to a request of the dead for a lease; to one that waited in a queue, for a lease after the one in which nobody repeated it.
    const lentForUs = this.hasRelapse(fault) ? 2 * leaseUs : leaseUs;
    const lentUs = sinceUs <= atUs + 2 * leaseUs ? Math.min(startedUs + lentForUs, atUs + 2 * leaseUs) + noticeUs : 0;
    if (role !== 'own') return lentUs;
    // Whoever starts finds its peers first. They tell one without memory what it needs to know, after a silent lease.
    return Math.max(lentUs, atUs + forUs + (how === 'wipe' ? leaseUs : 0) + noticeUs);
  }

  /** Whoever asks a node at the end of its silence may take that to be over, by a faster clock. */
  private silenceCostsUntilUs(bornUs: number, sinceUs: number): number {
    const untilUs = bornUs + this.leaseUs;
    const driftUs = this.leaseUs * 4 * (this.plan.driftMaxPpm / 1_000_000);
    return sinceUs <= untilUs && sinceUs + driftUs + this.noticeUs >= untilUs ? untilUs + this.noticeUs : 0;
  }

  /** A node dies again soon, or another one does. */
  private hasRelapse({ atUs }: Extract<Fault, { kind: 'crash' }>): boolean {
    return this.plan.faults.some((other) => other.kind === 'crash' && other.atUs !== atUs && Math.abs(other.atUs - atUs) < 2 * this.leaseUs);
  }

  // --- who has, and who wants --------------------------------------------------------------------

  private freeForReadersUs(free: Free, lock: number, { machine, askedAtUs }: CallerView): number {
    // Readers of its own node that are inside, and have heard of a writer, let it join no more (protocol.md section 6.2).
    const isJoining = machine.callers.some((other) => other.state === 'inside' && other.lock === lock);
    const sinceUs = isJoining ? Math.min(askedAtUs, this.heardSinceUs(machine.index, lock)) : askedAtUs;
    const closedUntilUs = free.closedUntilUs[machine.index] ?? 0;
    if (!this.hasWriterWaited(free, lock, sinceUs)) return Math.max(free.fromWritersUs, closedUntilUs);
    return free.inside.size > 0 ? this.scene.nowUs : free.fromAllUs;
  }

  /** A writer that waited after that may have been heard of by the node's request, for it may have been left in a queue. */
  private heardSinceUs(machine: number, lock: number): number {
    return this.struck.openedUs(machine, lock) - 2 * this.leaseUs;
  }

  private hasWriterWaited({ writerWaitedUs }: Free, lock: number, sinceUs: number): boolean {
    return writerWaitedUs >= sinceUs || this.doesWriterWait(lock);
  }

  /** At that place, or at any. */
  private doesWriterWait(lock: number, place?: Place): boolean {
    const { callers } = place ?? this.scene;
    return callers.some((caller) => caller.state === 'waiting' && caller.lock === lock && wishOf(caller).mode === 'exclusive');
  }

  private givenUp(lock: number): void {
    const free = ofLock(this.free, lock);
    free.writerWaitedUs = this.scene.nowUs;
    this.had(lock, 'exclusive', this.scene.nowUs);
  }

  private had(lock: number, mode: Mode, untilUs: number): void {
    const free = ofLock(this.free, lock);
    free.fromAllUs = Math.max(free.fromAllUs, untilUs);
    if (mode === 'exclusive') free.fromWritersUs = Math.max(free.fromWritersUs, untilUs);
  }
}
