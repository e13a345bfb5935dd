/**
 * Pins down what a plan leaves to chance or to the course of events: when each wish was asked, when nodes
 * looked at their peers, what became of each message. Pinned, a plan can lose a part without a reshuffle of all that follows.
 */
import type { CallerId, Effect, Event, Message, NodeId } from '../../src/core';
import { MessageCounter } from '../plan/fates';
import type { Fate } from '../plan/fates';
import { lockNamesOf, nodeNamesOf } from '../plan/layout';
import type { CallerPlan, Look, Plan, Wish } from '../plan/plan';
import type { Core } from '../core';
import { runPlan } from '../run';
import type { DropReason, Observer } from '../world/observer';

/** What of a run to write into its plan. */
export type Pinned = 'wishes' | 'looks' | 'fates';

/**
 * The plan with these things as they were in its run: one caller for each wish that was asked, at its own true
 * time; every look at a peer that told a node something new; the fate of every message that was not the default
 * one. Up to `untilUs`: where faults have ended before that, they end only then, and nobody asks for more.
 */
export function pin(plan: Plan, core: Core, what: readonly Pinned[], untilUs = plan.durationUs): Plan {
  const wishes = new WishRecorder(plan, untilUs);
  const looks = new LookRecorder(plan, untilUs);
  const fates = new FateRecorder(plan, untilUs);
  const { virtualUs } = runPlan(plan, { core, observer: all([wishes, looks, fates]) });
  return {
    ...(untilUs > plan.durationUs ? prolonged(plan, untilUs) : plan),
    ...(what.includes('wishes') ? { callers: wishes.callers(virtualUs) } : {}),
    ...(what.includes('looks') ? { looks: looks.looks } : {}),
    ...(what.includes('fates') ? { fates: fates.fates } : {}),
  };
}

export function isPinned(plan: Plan, what: Pinned): boolean {
  return what === 'wishes' ? plan.callers.every(({ wishes }) => wishes.every(({ atUs }) => atUs !== undefined)) : plan[what] !== undefined;
}

/** What ended when all faults did ends by itself now. */
function prolonged(plan: Plan, untilUs: number): Plan {
  const { durationUs } = plan;
  const faults = plan.faults
    .filter(({ atUs }) => atUs < durationUs)
    .map((fault) => ('forUs' in fault ? { ...fault, forUs: Math.min(fault.forUs, durationUs - fault.atUs) } : fault));
  return { ...plan, durationUs: untilUs, faults, asksNoMore: true };
}

function all(observers: readonly Observer[]): Observer {
  return {
    stepped: (...args) => observers.forEach((observer) => observer.stepped(...args)),
    sent: (...args) => observers.forEach((observer) => observer.sent?.(...args)),
    dropped: (...args) => observers.forEach((observer) => observer.dropped?.(...args)),
  };
}

interface AskedWish {
  readonly machine: number;
  readonly atUs: number;
  wish: Wish;
  enteredAtUs: number | null;
  leftAtUs: number | null;
  /** When the lock was taken from it before it left. */
  lostAtUs: number | null;
}

class WishRecorder implements Observer {
  private readonly asked: AskedWish[] = [];
  /** By machine and caller: its wish. */
  private readonly open = new Map<string, AskedWish>();
  private readonly machines: ReadonlyMap<NodeId, number>;
  private readonly locks: ReadonlyMap<string, number>;
  /** For one from which the lock was never taken. The bound for those that steal may not grow by it. */
  private readonly latestHearingUs: number;

  constructor(private readonly plan: Plan, private readonly untilUs: number) {
    this.latestHearingUs = Math.max(0, ...plan.callers.flatMap(({ wishes }) => wishes.map(({ hearsAfterUs = 0 }) => hearsAfterUs)));
    this.machines = new Map(nodeNamesOf(plan).map((id, index) => [id, index]));
    this.locks = new Map(lockNamesOf(plan.locks).map((name, index) => [name, index]));
  }

  stepped(atUs: number, node: NodeId, event: Event, effects: readonly Effect[]): void {
    if (event.kind === 'acquire' && atUs < this.untilUs) this.ask(atUs, node, event);
    if (event.kind === 'release') this.leave(atUs, node, event.caller);
    for (const effect of effects) {
      if (effect.kind !== 'entered' && effect.kind !== 'lost' && effect.kind !== 'recalled') continue;
      const asked = this.open.get(keyOf(node, effect.caller));
      if (asked === undefined) continue;
      if (effect.kind === 'entered') asked.enteredAtUs = atUs;
      else asked.lostAtUs = atUs;
    }
  }

  private ask(atUs: number, node: NodeId, event: Extract<Event, { kind: 'acquire' }>): void {
    const { lock, mode, caller } = event;
    const wish: Wish = {
      lock: this.locks.get(lock) ?? 0, mode, steals: event.steals === true, thinkUs: 0, atUs, holdUs: 0, patienceUs: null,
      ...(event.remote === true ? { hearsAfterUs: this.latestHearingUs } : {}),
      ...(event.keeps === true ? { keeps: true } : {}),
      ...(event.client === undefined ? {} : { passes: true }),
    };
    const asked: AskedWish = {
      machine: this.machines.get(node) ?? 0, atUs, wish, enteredAtUs: null, leftAtUs: null, lostAtUs: null,
    };
    this.asked.push(asked);
    this.open.set(keyOf(node, caller), asked);
  }

  private leave(atUs: number, node: NodeId, caller: CallerId): void {
    const asked = this.open.get(keyOf(node, caller));
    if (asked === undefined) return;
    if (asked.leftAtUs === null) asked.leftAtUs = atUs;
    else asked.wish = { ...asked.wish, releasesTwice: true };
  }

  callers(endUs: number): CallerPlan[] {
    const leaseUs = this.plan.leaseMs * 1000;
    return this.asked.map(({ machine, atUs, wish, enteredAtUs, leftAtUs, lostAtUs }) => {
      if (enteredAtUs === null) return { machine, wishes: [{ ...wish, patienceUs: leftAtUs === null ? null : leftAtUs - atUs }] };
      // Who lost the lock, or held it to the end, would have held it for longer.
      const holdUs = leftAtUs === null ? endUs - enteredAtUs + leaseUs : leftAtUs - enteredAtUs + (lostAtUs === null ? 0 : leaseUs);
      const heard = wish.hearsAfterUs === undefined || lostAtUs === null || leftAtUs === null ? {} : { hearsAfterUs: leftAtUs - lostAtUs };
      return { machine, wishes: [{ ...wish, holdUs, ...heard }] };
    });
  }
}

function keyOf(node: NodeId, caller: CallerId): string {
  return `${node} ${caller}`;
}

class FateRecorder implements Observer {
  readonly fates: Fate[] = [];
  private lastSent: Message | null = null;
  private readonly counter = new MessageCounter();
  private readonly machines: ReadonlyMap<NodeId, number>;

  constructor(private readonly plan: Plan, private readonly untilUs: number) {
    this.machines = new Map(nodeNamesOf(plan).map((id, index) => [id, index]));
  }

  sent(atUs: number, from: NodeId, to: NodeId, message: Message, arrivesAtUs: readonly number[]): void {
    const link = { from: this.machines.get(from) ?? 0, to: this.machines.get(to) ?? 0 };
    const number = this.counter.count(link.from, link.to, message);
    const arrivesAfterUs = arrivesAtUs.map((each) => each - atUs);
    const isDefault = arrivesAfterUs.length === 1 && arrivesAfterUs[0] === this.plan.network.delayUs;
    if (isDefault || atUs >= this.untilUs) return;
    this.fates.push({ ...link, message: message.kind, lock: message.lock, number, arrivesAfterUs });
    this.lastSent = message;
  }

  dropped(_atUs: number, _from: NodeId, _to: NodeId, message: Message, reason: DropReason): void {
    // What a fault of the plan swallows need not be said twice.
    if (reason !== 'lost' && this.lastSent === message && this.fates.at(-1)?.arrivesAfterUs.length === 0) this.fates.pop();
  }

  stepped(): void {
    // What happens to messages is told by `sent`.
  }
}

class LookRecorder implements Observer {
  readonly looks: Look[] = [];
  private readonly machines: ReadonlyMap<NodeId, number>;

  constructor(plan: Plan, private readonly untilUs: number) {
    this.machines = new Map(nodeNamesOf(plan).map((id, index) => [id, index]));
  }

  stepped(atUs: number, node: NodeId, event: Event): void {
    if ((event.kind !== 'peerUp' && event.kind !== 'peerDown') || atUs >= this.untilUs) return;
    const look: Look = { atUs, machine: this.machines.get(node) ?? 0, peer: this.machines.get(event.peer) ?? 0 };
    const last = this.looks.at(-1);
    // A peer that restarted goes down and up at one look.
    if (last?.atUs !== atUs || last.machine !== look.machine || last.peer !== look.peer) this.looks.push(look);
  }
}
