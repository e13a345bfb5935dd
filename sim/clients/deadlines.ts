/** What a client of the simulation must see in time: an answer to what it asks for, and that the quorum lends no longer what it gave back. */
import { violated } from './check';
import { answeredWithinUs, givenBackWithinUs } from './link';
import type { Caller, Link } from './link';
import type { ClientsPlan } from './plan';
import type { Stage } from './stage';

/** What they need of the client. */
interface DeadlineParts {
  /** As messages name it. */
  readonly who: string;
  /** How many callers it has. */
  readonly callers: number;
  readonly isDead: () => boolean;
  readonly frozeSince: (trueUs: number) => boolean;
  readonly link: (node: number) => Link;
  /** Whether the node was frozen at some time since then. */
  readonly hasFrozen: (node: number, sinceUs: number) => boolean;
  /** Whether the quorum still lends to this request. */
  readonly isLent: (attempt: number, lock: number) => boolean;
}

export class Deadlines {
  /** Requests of which the node has told anything. */
  readonly told = new Set<number>();

  constructor(
    private readonly stage: Stage,
    private readonly plan: ClientsPlan,
    private readonly parts: DeadlineParts,
  ) {}

  /** While it waits it is told so, or asks elsewhere. */
  answer(caller: Caller, attempt: number, sinceUs: number): void {
    const { who, callers, link, hasFrozen } = this.parts;
    const isTold = (): boolean => caller.attempt !== attempt || caller.state !== 'asks' || this.told.has(attempt);
    const byUs = answeredWithinUs(this.plan, callers);
    this.stage.at(sinceUs + byUs, () => {
      if (isTold() || this.parts.isDead() || this.parts.frozeSince(sinceUs)) return;
      const { node, openedAtUs, heardAtUs } = link(caller.node);
      const aliveAtUs = hasFrozen(node, heardAtUs) ? Math.max(openedAtUs, heardAtUs) : openedAtUs;
      if (aliveAtUs > sinceUs) return this.answer(caller, attempt, aliveAtUs);
      violated('answered', `${who} was told nothing of request ${attempt} to n${caller.node} for ${byUs / 1_000} ms`);
    });
  }

  /** But where anything may fail. */
  free(attempt: number, lock: number, wasTold: boolean): void {
    if (this.plan.profile === 'swarm') return;
    const byUs = givenBackWithinUs(this.plan, wasTold);
    this.stage.after(byUs, () => {
      if (this.parts.isLent(attempt, lock)) violated('given-back-is-free', `${this.parts.who} gave lock ${lock} back ${byUs / 1_000} ms ago, and the quorum still lends it to request ${attempt}`);
    });
  }
}
