/**
 * progress: every waiting caller of a live node is let in within a bound. Once all faults have ended, without excuses;
 * in `relentless` runs all the time, for callers whose own node is well; in `calm` runs at each entry.
 */
import { lastAwayUs } from '../plan/outages';
import type { Plan } from '../plan/plan';
import { calmBoundUs, progressBoundUs, relentlessBoundUs } from './bounds';
import { violated } from './check';
import type { CallerView, Scene } from './scene';
import type { Entry, EventOf, Witness } from './witness';

/** So many events for each caller without anyone let in are a storm of messages. */
const EVENTS_PER_CALLER_MAX = 3000;

/** No storm of messages. */
export class NoStorm implements Witness {
  /** Pushed up by each entry. */
  private eventsMax: number;
  private readonly eventsMore: number;

  constructor(private readonly scene: Scene) {
    this.eventsMore = EVENTS_PER_CALLER_MAX * (1 + scene.callers.length);
    this.eventsMax = this.eventsMore;
  }

  stepping(): void {
    if (this.scene.events > this.eventsMax) violated('progress', 'a storm of messages, and nobody is let in');
  }

  entered(): void {
    this.eventsMax = this.scene.events + this.eventsMore;
  }
}

/** Nobody waits for ever. */
export class Progress implements Witness {
  constructor(private readonly scene: Scene, private readonly plan: Plan) {}

  began(): void {
    if (this.plan.profile === 'relentless') this.scene.lookAt(this.waitMaxUs());
  }

  healed(): void {
    this.scene.lookAt(this.scene.nowUs + this.waitMaxUs());
  }

  looked(): void {
    if (this.scene.phase === 'faults') this.lookAtRelentless();
    else this.lookAtHealed();
  }

  private lookAtHealed(): void {
    const { callers, nowUs } = this.scene;
    const boundUs = this.waitMaxUs();
    for (const caller of callers) {
      if (caller.machine.isLostForEver) continue;
      if (caller.state === 'waiting' && Math.max(caller.askedAtUs, this.plan.durationUs) + boundUs <= nowUs) {
        this.waitsTooLong(caller, caller.askedAtUs, progressBoundUs(this.plan));
      }
    }
    this.scene.lookAt(nowUs + Math.ceil(boundUs / 4));
  }

  /** Faults never stop, and still nobody may wait for long whose own node is well. */
  private lookAtRelentless(): void {
    const { callers, nowUs } = this.scene;
    const boundUs = this.waitMaxUs();
    for (const caller of callers) {
      if (caller.state !== 'waiting') continue;
      const sinceUs = Math.max(caller.askedAtUs, lastAwayUs(this.plan, caller.machine.index, nowUs));
      if (sinceUs + boundUs > nowUs) continue;
      this.waitsTooLong(caller, sinceUs, relentlessBoundUs(this.plan), ', although there was a quorum all the time');
    }
    this.scene.lookAt(nowUs + Math.ceil(boundUs / 8));
  }

  /** How long anybody may wait before it is a violation. */
  private waitMaxUs(): number {
    return this.plan.progressBoundUs ?? (this.scene.phase === 'faults' ? relentlessBoundUs(this.plan) : progressBoundUs(this.plan));
  }

  private waitsTooLong({ machine, id, lock }: CallerView, sinceUs: number, boundUs: number, although = ''): never {
    const { nowUs, locks } = this.scene;
    const isCutShort = this.plan.progressBoundUs !== undefined;
    const until = isCutShort ? `and so it goes on until the bound of ${boundUs} us is over` : `the bound is ${boundUs} us`;
    violated('progress', `${machine.id} caller ${id} waits for lock ${locks[lock]} since ${nowUs - sinceUs} us${although}; ${until}`);
  }
}

/** Whether a caller steals the lock, and others did so while it waited. */
type Theft = 'none' | 'alone' | 'among others';

/** Nobody waits for long where there are no faults. */
export class CalmProgress implements Witness {
  /** By caller. */
  private readonly thefts: Theft[];
  private readonly boundUs: number;
  /** For those that steal from all others. */
  private readonly stealingBoundUs: number;

  constructor(private readonly scene: Scene, plan: Plan) {
    this.thefts = plan.callers.map(() => 'none');
    this.boundUs = calmBoundUs(plan, false);
    this.stealingBoundUs = calmBoundUs(plan, true);
  }

  /** Of two that steal on one node the later one goes first, and the other waits until it is done. */
  asked(caller: CallerView, { steals }: EventOf<'acquire'>): void {
    this.thefts[caller.index] = steals === true ? 'alone' : 'none';
    if (steals !== true) return;
    for (const other of this.scene.callers) {
      if (other === caller || other.machine !== caller.machine || other.lock !== caller.lock) continue;
      if (this.thefts[other.index] === 'none' || other.state !== 'waiting') continue;
      this.thefts[other.index] = 'among others';
      this.thefts[caller.index] = 'among others';
    }
  }

  entered({ caller }: Entry): void {
    const isStealing = this.thefts[caller.index] === 'alone';
    const waitedUs = this.scene.nowUs - caller.askedAtUs;
    const boundUs = isStealing ? this.stealingBoundUs : this.boundUs;
    if (waitedUs <= boundUs) return;
    const which = isStealing ? 'which steals, ' : '';
    violated('progress', `${caller.machine.id} caller ${caller.id}, ${which}waited ${waitedUs} us without any fault; the bound is ${boundUs} us`);
  }
}
