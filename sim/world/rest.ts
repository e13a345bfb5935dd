/** The end of a run: nobody asks any more, all comes to rest, and a lease later it is over. */
import { longestTerms } from '../plan/plan';
import { REST } from './items';
import type { Stage } from './stage';

export class Rest {
  isOver = false;
  /** When a node of the core had something to do for the last time. */
  lastActivityUs = 0;
  private sinceUs = 0;

  constructor(private readonly stage: Stage) {}

  drain(): void {
    const { stage } = this;
    stage.phase = 'drain';
    this.sinceUs = stage.nowUs;
    stage.note({ kind: 'drained' });
    stage.agenda.push(stage.nowUs + longestTerms(stage.plan).leaseMs * 1000, REST, 0, 0);
  }

  /** One lease after the last event of all, it is over. */
  look(): void {
    const { callers, nowUs, plan, witnesses, agenda } = this.stage;
    const leaseUs = longestTerms(plan).leaseMs * 1000;
    const isBusy = callers.some((caller) => caller.state !== 'done' && !caller.machine.isLostForEver);
    // What a lease is by the slowest clock, and how late a timer is.
    const quietSinceUs = nowUs - leaseUs - Math.ceil(leaseUs / 50) - 4000;
    if (isBusy || this.lastActivityUs > quietSinceUs) {
      if (!isBusy) witnesses.unsettled(this.sinceUs);
      agenda.push(nowUs + Math.ceil(leaseUs / 4), REST, 0, 0);
      return;
    }
    witnesses.settled();
    this.isOver = true;
  }
}
