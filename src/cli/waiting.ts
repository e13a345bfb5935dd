/** What `maekawa lock` tells while it waits: who holds the lock, and why none can be had. Law: tells, and decides nothing. */
import type { RemoteLockManager } from '../client/remote';
import { permitOf } from '../locks/permit';
import { isAbout } from './holders';
import type { Tell } from './lock-report';

/** A request that waits for longer than this is reported. */
const WAITING_TOLD_MS = 200;
/** And one for which no lock can be had anywhere after so long. */
const BLOCKED_TOLD_MS = 1_000;
/** How often a waiting command looks whether somebody else holds the lock now. */
const WAITING_LOOK_MS = 2_000;

/** Says why no lock can be had anywhere, once for each reason, if that takes longer than a moment. */
export class BlockedTeller {
  private readonly begunMs = performance.now();
  private readonly told = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private isOver = false;
  hasSeen = false;

  constructor(private readonly tell: Tell) {}

  saw(why: string): void {
    this.hasSeen = true;
    if (this.isOver || this.told.has(why) || performance.now() - this.begunMs < BLOCKED_TOLD_MS) return;
    this.told.add(why);
    this.tell({ event: 'blocked', text: why });
  }

  watch(whyNone: () => Promise<string | null>): void {
    this.timer = setTimeout(() => {
      void whyNone().then((why) => {
        if (why !== null) this.saw(why);
        if (!this.isOver) this.watch(whyNone);
      });
    }, BLOCKED_TOLD_MS);
  }

  end(): void {
    this.isOver = true;
    clearTimeout(this.timer);
  }
}

/** Says who holds the lock that is waited for, and says it again when that changes. */
export class WaitingTeller {
  private ahead: readonly string[] = [];
  /** A free lock is there in a moment. */
  private timer = setTimeout(() => void this.look(), WAITING_TOLD_MS);
  private isOver = false;
  private told: string | null = null;

  constructor(
    private readonly manager: RemoteLockManager,
    private readonly tell: Tell,
    private lockName: string,
  ) {}

  /** Of several locks this is the one that the others wait for. */
  queued(lockName: string, ahead: readonly string[]): void {
    this.lockName = permitOf(lockName)?.semaphore ?? lockName;
    this.ahead = ahead;
  }

  end(): void {
    this.isOver = true;
    clearTimeout(this.timer);
  }

  private async look(): Promise<void> {
    const { held, pending } = await this.manager.query().catch(() => ({ held: [], pending: [] }));
    if (this.isOver) return;
    const { lockName, ahead } = this;
    const holders = held.filter((each) => isAbout(each.name, lockName));
    const who = JSON.stringify(holders.map((each) => [each.clientId, each.name, each.token]));
    if (who !== this.told) {
      this.told = who;
      const waiting = pending.filter((each) => each.name === lockName).length;
      this.tell({ event: 'waiting', for: lockName, held: holders, others: Math.max(0, waiting - 1), ahead });
    }
    this.timer = setTimeout(() => void this.look(), WAITING_LOOK_MS);
  }
}
