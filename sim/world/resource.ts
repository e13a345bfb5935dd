/**
 * What the locks protect: each exclusive holder writes to a resource, now and then so late that it was followed long
 * ago. The resource accepts a write only with a token at least as large as any that it has seen.
 */
import type { Token } from '../../src/core';
import type { Write } from '../checks/witness';
import { Random } from '../plan/random';
import { WRITE } from './items';
import type { Stage } from './stage';

export class Resource {
  /** Per lock. */
  private readonly highest: Token[];
  private readonly random: Random;

  constructor(
    private readonly stage: Stage,
    /** A resource that does not look at tokens shows what they are good for. */
    private readonly looksAtTokens: boolean,
  ) {
    this.highest = stage.locks.map(() => 0);
    this.random = new Random(stage.plan.seed, 'writes');
  }

  /** While the lock is held, as far as its holder can tell; one in four arrives much later. */
  write(write: Write, holdUs: number): void {
    const { random, stage } = this;
    const lateUs = random.chance(250_000) ? random.below(2 * stage.plan.leaseMs * 1000) : 0;
    stage.agenda.push(stage.nowUs + random.below(holdUs + 1) + lateUs, WRITE, 0, 0, write);
  }

  arrives(write: Write): void {
    const { stage } = this;
    const { lock, token, node, caller } = write;
    const isAccepted = !this.looksAtTokens || token >= (this.highest[lock] ?? 0);
    if (isAccepted) this.highest[lock] = token;
    stage.note({ kind: 'write', node, caller, lock: stage.lockName(lock), token, isAccepted });
    stage.witnesses.wrote(write, isAccepted);
  }
}
