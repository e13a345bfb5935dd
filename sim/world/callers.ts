/** The callers: they ask for locks, wait or give up, hold them, are told that they lost them, and leave. */
import { reentryLeftMs } from '../../src/core';
import type { Event, LockName } from '../../src/core';
import { clientOf, doesKeep, isDeaf, wishOf } from '../checks/scene';
import { termsAt } from '../plan/plan';
import type { EffectOf, EventOf } from '../checks/witness';
import { CALLER } from './items';
import type { Caller, Machine } from './machine';
import type { Resource } from './resource';
import type { Rest } from './rest';
import type { Stage, Step } from './stage';

/** Of the room that they have, callers take nothing, all of it, or the parts between. */
const ROOM_PARTS = 4;

/** Of those in another process that had room, one of so many vanishes: nobody says which tokens it took. */
const VANISHES = 3;

export class Callers {
  /** So many have not been let in since the heal. */
  private owed = 0;
  private holds = 0;

  constructor(
    private readonly stage: Stage,
    private readonly step: Step,
    private readonly resource: Resource,
    private readonly rest: Rest,
  ) {}

  // --- what they do -----------------------------------------------------------------------------

  /** On to the next wish, if there is one. */
  think(caller: Caller): void {
    const { phase, isHealed, plan } = this.stage;
    const { wishes } = caller;
    const wish = wishes[caller.next % wishes.length];
    if (wish === undefined || this.asksNoMore() || (phase === 'faults' && caller.next >= wishes.length)) {
      caller.state = 'done';
      return;
    }
    caller.state = 'thinking';
    if (wish.atUs !== undefined && !isHealed) return this.thinkUntil(caller, wish.atUs);
    // Healed, everyone is eager, but leaves the clocks time to come together (SLACK may be small).
    const leaseUs = plan.leaseMs * 1000;
    this.callerIn(caller, isHealed ? leaseUs / 40 + Math.min(wish.thinkUs, leaseUs / 20) : wish.thinkUs);
  }

  advance(caller: Caller, generation: number): void {
    const { machine } = caller;
    if (caller.generation !== generation || machine.node === null) return;
    const nowMs = this.stage.nowMsAt(machine);
    switch (caller.state) {
      case 'thinking':
        return this.ask(caller, nowMs);
      case 'waiting':
        if (this.stage.isHealed) return; // From now on everyone waits to the end.
        this.stage.witnesses.happened('cancels');
        return this.leave(caller, nowMs);
      case 'inside':
        if (this.passOn(caller, nowMs)) return;
        this.endHold(caller, true);
        return this.leave(caller, nowMs);
      case 'recalled':
        this.endHold(caller, false);
        return this.leave(caller, nowMs);
      case 'lost':
        return this.leave(caller, nowMs);
      case 'away':
      case 'done':
        return;
    }
  }

  private ask(caller: Caller, nowMs: number): void {
    const { witnesses, isHealed, nowUs } = this.stage;
    const { machine, wishes } = caller;
    const wish = wishes[caller.next % wishes.length];
    if (wish === undefined || this.asksNoMore()) {
      caller.state = 'done';
      return;
    }
    caller.state = 'waiting';
    caller.id = ++machine.nextCallerId;
    caller.lock = wish.lock;
    caller.askedAtUs = nowUs;
    machine.callersById.set(caller.id, caller);
    if (wish.patienceUs !== null && !isHealed) this.callerIn(caller, wish.patienceUs);
    const steals = wish.steals && !isHealed;
    if (steals) witnesses.happened('steals');
    const acquire = { kind: 'acquire', nowMs, lock: this.stage.lockName(wish.lock), mode: wish.mode, caller: caller.id } as const;
    const client = clientOf(caller);
    const event: EventOf<'acquire'> = {
      ...acquire, ...(steals ? { steals } : {}), ...(isDeaf(caller) ? { remote: true } : {}), ...(doesKeep(caller) ? { keeps: true } : {}), ...(client === null ? {} : { client }),
    };
    witnesses.asked(caller, event);
    this.step(machine, event);
  }

  /** Tell the node, whether the caller was inside, lost the lock or gave up; then on to the next wish. */
  private leave(caller: Caller, nowMs: number): void {
    const { machine, id, lock } = caller;
    machine.callersById.delete(id);
    const releasesTwice = wishOf(caller).releasesTwice === true && !this.stage.isHealed;
    const isRemote = isDeaf(caller);
    caller.next++;
    this.think(caller);
    const { taken } = caller;
    caller.taken = null;
    caller.passTo = [];
    const isSaid = taken !== null && !(isRemote && id % VANISHES === 0);
    const release: Event = { kind: 'release', nowMs, lock: this.stage.lockName(lock), caller: id, ...(isSaid ? { used: taken } : {}) };
    this.step(machine, release);
    if (releasesTwice) {
      this.stage.witnesses.happened('releasedTwice');
      this.step(machine, release);
    }
  }

  /**
   * The first of those behind it that still wait is let in, if there is one and enough is left of the lease (protocol.md section 15.5). Its own
   * request is over by that, as for one that gives up. To the node and to all who watch it is the first of them that holds the lock on.
   */
  private passOn(caller: Caller, nowMs: number): boolean {
    const { stage } = this;
    const { machine, hold, lock } = caller;
    if (hold === null || caller.taken === null) return false;
    for (let id = caller.passTo.shift(); id !== undefined; id = caller.passTo.shift()) {
      const next = machine.callersById.get(id);
      if (next?.state !== 'waiting' || next.lock !== lock) continue;
      if (caller.validUntilMs - nowMs < reentryLeftMs(termsAt(stage.plan, stage.nowUs).leaseMs)) return false;
      stage.witnesses.happened('passed');
      caller.taken++;
      hold.token = caller.taken;
      stage.witnesses.passed({ machine: machine.index, lock, hold, requester: stage.inspect(machine.index, lock)?.requester });
      const { holdUs: wanted } = wishOf(next);
      const holdUs = stage.isHealed ? Math.min(wanted, stage.plan.leaseMs * 250) : wanted;
      this.serve(next);
      this.leave(next, nowMs);
      caller.leavesAtUs = stage.nowUs + holdUs;
      this.callerIn(caller, holdUs);
      this.resource.write({ lock, token: hold.token, node: machine.id, caller: id, hold }, holdUs);
      return true;
    }
    return false;
  }

  private serve(caller: Caller): void {
    if (!caller.isOwed) return;
    caller.isOwed = false;
    this.owed--;
    this.drainIfServed();
  }

  // --- what becomes of them ---------------------------------------------------------------------

  /** All faults have ended: whoever waits or still wants something is to be served. */
  heal(): void {
    for (const caller of this.stage.callers) {
      if (caller.machine.isLostForEver) continue;
      if (this.stage.plan.asksNoMore !== true || caller.state === 'waiting') {
        caller.isOwed = true;
        this.owed++;
      }
      if (caller.state === 'done' || caller.state === 'thinking') this.think(caller);
    }
  }

  /** All have been served: on to the end. */
  drainIfServed(): void {
    if (this.owed === 0) this.rest.drain();
  }

  /** `cause`: the event by which the node lets it in. */
  entered(machine: Machine, effect: EffectOf<'entered'>, cause: Event): void {
    const { stage } = this;
    const { witnesses, nowUs } = stage;
    const { validUntilMs, roomUntil = null, passTo = [] } = effect;
    const caller = machine.callersById.get(effect.caller);
    const lock = stage.lockOf(effect.lock);
    if (caller === undefined || caller.state !== 'waiting' || caller.lock !== lock) {
      return witnesses.strayed(machine.index, { kind: 'entered', caller: effect.caller, lock: effect.lock });
    }
    const { id } = caller;
    const wish = wishOf(caller);
    // Who has room enters again and again by itself: what counts is the highest token, and that it is told in the end.
    const token = roomUntil === null || passTo.length > 0 ? effect.token : effect.token + Math.floor(((roomUntil - effect.token) * (id % ROOM_PARTS)) / (ROOM_PARTS - 1));
    caller.taken = roomUntil === null ? null : token;
    caller.passTo = [...passTo];
    if (passTo.length > 0) witnesses.happened('mayPass');
    else if (roomUntil !== null) witnesses.happened('kept');
    const endsAtUs = stage.endsAtUs(machine.index, validUntilMs);
    const hold = { number: this.holds++, machine: machine.index, life: machine.life, caller: id, mode: wish.mode, token, endsAtUs };
    caller.state = 'inside';
    caller.validUntilMs = validUntilMs;
    caller.hold = hold;
    caller.enteredAtUs = nowUs;
    const requester = stage.inspect(machine.index, lock)?.requester;
    witnesses.entered({ machine: machine.index, lock, caller, hold, validUntilMs, roomUntil, passTo, requester, cause });
    this.serve(caller);
    const holdUs = stage.isHealed ? Math.min(wish.holdUs, stage.plan.leaseMs * 250) : wish.holdUs;
    caller.leavesAtUs = nowUs + holdUs;
    this.callerIn(caller, holdUs);
    if (wish.mode === 'exclusive') this.resource.write({ lock, token, node: machine.id, caller: id, hold }, holdUs);
  }

  renewed(machine: Machine, { callers, validUntilMs }: EffectOf<'renewed'>): void {
    const { stage } = this;
    for (const id of callers) {
      const caller = machine.callersById.get(id);
      if (caller === undefined || caller.hold === null) {
        stage.witnesses.strayed(machine.index, { kind: 'renewed', caller: id });
        continue;
      }
      const { lock, hold } = caller;
      caller.validUntilMs = validUntilMs;
      const endsAtUs = stage.endsAtUs(machine.index, validUntilMs);
      // That it is for less than it was told, after sleep, one in another process may not hear.
      const isHeard = endsAtUs >= hold.endsAtUs || !isDeaf(caller);
      const endedAtUs = isHeard ? hold.endsAtUs : null;
      if (isHeard) hold.endsAtUs = endsAtUs;
      const requester = stage.inspect(machine.index, lock)?.requester;
      stage.witnesses.renewed({ machine: machine.index, lock, hold, validUntilMs, endedAtUs, requester });
    }
  }

  /** Whoever keeps a lock gives it back as soon as it hears that somebody else wants it. */
  wanted(machine: Machine, { caller: id, lock }: EffectOf<'wanted'>): void {
    const { witnesses, nowUs } = this.stage;
    const caller = machine.callersById.get(id);
    if (caller === undefined || caller.taken === null || caller.state !== 'inside') return witnesses.strayed(machine.index, { kind: 'entered', caller: id, lock });
    witnesses.happened('calledIn');
    this.callerIn(caller, Math.min(Math.max(0, caller.leavesAtUs - nowUs), wishOf(caller).hearsAfterUs ?? 0));
  }

  /** `cause`: the event by which the node takes the lock from it. */
  lost(machine: Machine, effect: EffectOf<'lost' | 'recalled'>, cause: Event): void {
    const { witnesses, nowUs } = this.stage;
    const { kind, caller: id } = effect;
    const caller = machine.callersById.get(id);
    witnesses.lost(machine.index, effect, caller);
    if (cause.kind === 'release' && cause.caller === id) return; // It came too late with its release.
    if (caller === undefined || caller.state !== 'inside') return witnesses.strayed(machine.index, { kind: 'lost', caller: id });
    const { hearsAfterUs } = wishOf(caller);
    if ((hearsAfterUs !== undefined) !== (kind === 'recalled')) return witnesses.strayed(machine.index, { kind: 'told in the wrong way', caller: id });
    caller.state = kind;
    if (hearsAfterUs !== undefined && caller.hold !== null) {
      const untilUs = Math.min(nowUs + hearsAfterUs, caller.leavesAtUs, machine.alive.trueUs(caller.hold.endsAtUs));
      return this.callerIn(caller, Math.max(0, untilUs - nowUs));
    }
    this.endHold(caller, false);
    // It finds out a little later, and then releases what it has lost.
    this.callerIn(caller, machine.random.below(2000));
  }

  /** Their node stops in good order. Returns the locks still in use: those in other processes may not hear of it, and hold on. */
  stop({ callers }: Machine): LockName[] {
    const inUse: LockName[] = [];
    for (const caller of callers) {
      if (caller.hold === null) continue;
      if (isDeaf(caller)) inUse.push(this.stage.lockName(caller.lock));
      else this.endHold(caller, false);
    }
    return inUse;
  }

  /** Their node is dead. What they hold they hold until it runs out. */
  orphan({ callers, callersById }: Machine): void {
    callersById.clear();
    for (const caller of callers) {
      caller.state = 'away';
      caller.generation++;
      caller.hold = null;
      caller.taken = null;
    }
  }

  // ----------------------------------------------------------------------------------------------

  private endHold(caller: Caller, isDone: boolean): void {
    if (caller.hold !== null) this.stage.witnesses.left(caller.lock, caller.hold, isDone);
    caller.hold = null;
  }

  private asksNoMore(): boolean {
    const { phase, isHealed, plan } = this.stage;
    return phase === 'drain' || (isHealed && plan.asksNoMore === true);
  }

  private thinkUntil(caller: Caller, atUs: number): void {
    if (atUs < this.stage.nowUs) caller.state = 'done';
    else this.callerIn(caller, atUs - this.stage.nowUs);
  }

  private callerIn(caller: Caller, afterUs: number): void {
    this.stage.agenda.push(this.stage.nowUs + afterUs, CALLER, caller.index, ++caller.generation);
  }
}
