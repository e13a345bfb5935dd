/** A process with a clock of its own. What comes while it is frozen waits, and is handled when it runs again: timers first, or streams. */
import { MachineClock } from '../world/machine-clock';
import type { Stage } from './stage';

/** What is to come of one of its machines. */
export interface Coming {
  isFlushDue: boolean;
  /** Infinity: nothing wakes it. */
  wakeAtUs: number;
}

export class Process {
  /** Counts sleep. */
  readonly clock: MachineClock;
  isDead = false;
  private frozenUntilUs = 0;
  private waiting: { readonly isTimer: boolean; readonly run: () => void }[] = [];

  constructor(
    protected readonly stage: Stage,
    ratePpm: number,
    private readonly startMs: number,
  ) {
    this.clock = new MachineClock(ratePpm);
  }

  get nowMs(): number {
    return this.startMs + this.clock.localUs(this.stage.nowUs) / 1_000;
  }

  /** Whether it was frozen at some time since then. */
  frozeSince(trueUs: number): boolean {
    return this.frozenUntilUs > trueUs;
  }

  get isFrozen(): boolean {
    return this.frozenUntilUs > this.stage.nowUs;
  }

  /** When its clock shows this, in true time. */
  trueUs(localMs: number): number {
    return this.clock.trueUs(Math.ceil((localMs - this.startMs) * 1_000));
  }

  freeze(forUs: number): void {
    const untilUs = this.stage.nowUs + forUs;
    if (untilUs <= this.frozenUntilUs) return;
    this.frozenUntilUs = untilUs;
    this.stage.at(untilUs, () => this.thaw());
  }

  /** Now, or as soon as it runs again. */
  protected handle(isTimer: boolean, run: () => void): void {
    if (this.isDead) return;
    if (this.isFrozen) this.waiting.push({ isTimer, run });
    else run();
  }

  /** In a turn of its event loop, once for all that the machine has to say by then. */
  protected speakSoon(coming: Coming, turnMaxUs: number, speak: () => void): void {
    if (coming.isFlushDue) return;
    coming.isFlushDue = true;
    this.stage.after(this.stage.random.below(turnMaxUs), () => this.handle(true, () => {
      coming.isFlushDue = false;
      speak();
    }));
  }

  /** At this true time, or sooner if that was wished before. */
  protected wakeInTime(coming: Coming, atUs: number, wake: () => void): void {
    const { nowUs } = this.stage;
    if (atUs === Infinity || (coming.wakeAtUs <= atUs && coming.wakeAtUs > nowUs)) return;
    coming.wakeAtUs = Math.max(nowUs + 1_000, atUs);
    this.stage.at(coming.wakeAtUs, () => this.handle(true, () => {
      coming.wakeAtUs = Infinity;
      wake();
    }));
  }

  private thaw(): void {
    if (this.isFrozen) return;
    const { waiting } = this;
    this.waiting = [];
    const isTimersFirst = this.stage.random.chance(500_000);
    for (const { isTimer, run } of waiting) if (isTimer === isTimersFirst) this.handle(isTimer, run);
    for (const { isTimer, run } of waiting) if (isTimer !== isTimersFirst) this.handle(isTimer, run);
  }
}
