/**
 * The operator of protocol.md section 16.2: asks the old nodes for their clocks, sees them all stopped, and writes the act into the new file.
 * What it writes the core says. Only runs with an act have this.
 */
import { WALL_CLOCK_START_US } from '../plan/layout';
import type { Act } from '../plan/plan';
import { CALL } from './items';
import type { Stage } from './stage';

export class Operator {
  private clocks: readonly number[] = [];

  constructor(private readonly stage: Stage, private readonly plan: Act) {}

  begin(): void {
    const { agenda } = this.stage;
    agenda.push(this.plan.asksAtUs, CALL, 0, 0, () => this.asks());
    agenda.push(this.plan.atUs, CALL, 0, 0, () => this.writes());
  }

  private asks(): void {
    const { places, core } = this.stage;
    this.clocks = places.flatMap(({ node, file }) => (node === null || file !== 'old' ? [] : [core.durableClock(node)]));
  }

  private writes(): void {
    const { stage, plan, clocks } = this;
    const act = stage.core.layoutActOf({
      from: 'old', leaseBeforeMs: stage.plan.leaseMs, leaseMs: plan.leaseMs, slack: Math.max(stage.plan.slack, plan.slack), clocks,
      wallClockUs: WALL_CLOCK_START_US + stage.nowUs,
    });
    stage.act = act;
    stage.witnesses.acted(clocks.length === plan.old.machines.length);
  }
}
