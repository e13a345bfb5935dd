/**
 * stands-apart: while a peer that refused this process, because of another one of its id, has not accepted it since, and for a lease after
 * that, it lends nothing and renews nothing, asks nothing and keeps no grants, lets nobody in and has nobody inside, and answers for no request that it did not
 * make (protocol.md section 17.2). What it had decided before, and waited for its ceiling, may still go out. When it takes part again it lends
 * only above the tokens that the other process may have allowed: SLACK above what its peers told when they accepted it.
 * It sees messages, entries and callers, and what a node says that it keeps.
 */
import { clockLockOf } from '../../src/core';
import type { Event, LamportTime, Message } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import type { Scene } from './scene';
import type { Entry, Witness } from './witness';

/** One life of a process. */
interface Life {
  /** Peers that refused it, and have not accepted it since. */
  readonly refusers: Set<number>;
  /** Until when it stands apart, in its own time; 0 when it does not. */
  untilMs: number;
  /** What its peers have told since it stood apart; 0 when it never did. */
  told: LamportTime;
  /** The requests that it made. */
  readonly own: Set<LamportTime>;
}

export class StandsApart implements Witness {
  private readonly lives: Life[];
  private readonly clockLock: string;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.lives = scene.places.map(newLife);
    this.clockLock = clockLockOf(scene.nodeIds.at(-1) ?? '');
  }

  started(machine: number): void {
    this.lives[machine] = newLife();
  }

  refused(machine: number, by: number): void {
    const life = this.of(machine);
    life.refusers.add(by);
    life.untilMs = Infinity;
    for (const { id, state } of this.scene.places[machine]?.callers ?? []) {
      if (state === 'inside') this.fails(machine, `has caller ${id} inside`);
    }
    this.scene.locks.forEach((name, lock) => {
      if (this.scene.inspect(machine, lock)?.requester?.state === 'retained') this.fails(machine, `keeps its grants of lock ${name}`);
    });
  }

  accepted(machine: number, by: number): void {
    const life = this.of(machine);
    const { core, places } = this.scene;
    const node = places[by]?.node ?? null;
    if (this.isApart(machine) && node !== null) life.told = Math.max(life.told, core.durableClock(node));
    if (!life.refusers.delete(by) || life.refusers.size > 0) return;
    life.untilMs = this.scene.nowMs(machine) + termsAt(this.plan, this.scene.nowUs).leaseMs;
  }

  entered({ machine, caller }: Entry): void {
    if (this.isApart(machine)) this.fails(machine, `lets caller ${caller.id} in`);
  }

  sent(from: number, to: number, _lock: number, message: Message, cause: Event): void {
    const { own, told } = this.of(from);
    if (message.kind === 'request') own.add(message.timestamp);
    if (message.kind === 'grant' && told > 0 && !this.isApart(from) && message.clock <= told + this.plan.slack) {
      this.fails(from, `lends with clock ${message.clock}, and a peer told ${told} when it accepted it: a token may be ${this.plan.slack} above that`);
    }
    if (!this.isApart(from) || message.lock === this.clockLock || cause.kind === 'ceilingReserved') return;
    switch (message.kind) {
      case 'grant':
      case 'request':
      case 'yield':
        return this.fails(from, `sends a ${message.kind} for request ${message.timestamp} to ${this.scene.nodeIds[to]}`);
      case 'release':
        return own.has(message.timestamp) ? undefined : this.fails(from, `answers for request ${message.timestamp}, which it did not make`);
      case 'inquire':
        return;
    }
  }

  private isApart(machine: number): boolean {
    const { untilMs } = this.of(machine);
    return untilMs === Infinity || this.scene.nowMs(machine) < untilMs;
  }

  private fails(machine: number, detail: string): never {
    const { refusers, untilMs } = this.of(machine);
    const peers = [...refusers].map((peer) => this.scene.nodeIds[peer]);
    const why = untilMs === 0 ? 'another process had its id' : untilMs === Infinity ? `${peers.join(', ')} refused it because of another process of its id` : 'no lease has passed since it was accepted again';
    return violated('stands-apart', `${this.scene.nodeIds[machine]} (machine ${machine + 1}) ${detail}, although ${why}`);
  }

  private of(machine: number): Life {
    const life = this.lives[machine];
    if (life === undefined) throw new RangeError(`no machine ${machine}`);
    return life;
  }
}

function newLife(): Life {
  return { refusers: new Set(), untilMs: 0, told: 0, own: new Set() };
}
