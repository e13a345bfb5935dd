/**
 * The locks that a client keeps at one node and that none of its callers uses, as the library handles them: entered again without a
 * message, given back when others want them, when their stream breaks, or when they were idle for too long.
 */
import type { KeptLock, Validity } from '../../src/core';
import { violated } from './check';
import type { Machines } from './machines';
import type { Stage } from './stage';
import type { Truth } from './truth';

/** Of the lease, for whoever enters. */
const USABLE_SHARE = 0.1;

/** A lock that is held, and kept when it is used no longer. */
export interface Kept {
  readonly attempt: number;
  readonly id: number;
  readonly lock: number;
  readonly machine: KeptLock;
  /** By id, those to whom it is passed on, and it is not kept then; null: it is. On the wire an empty list says null. */
  readonly passTo: number[] | null;
  promisedUntilMs: number;
}

/** What it needs of its client. */
interface KeepingParts {
  readonly who: string;
  readonly nowMs: () => number;
  /** Calls back at this time of the client's clock. */
  readonly at: (localMs: number, run: () => void) => void;
  readonly giveBack: (kept: Kept) => void;
  readonly believedUntilMs: Machines['believedUntilMs'];
  readonly leaseMs: number;
}

export class Keeping {
  /** By id. */
  private readonly idle = new Map<number, Kept>();

  constructor(
    private readonly stage: Stage,
    private readonly truth: Truth,
    private readonly parts: KeepingParts,
  ) {}

  get size(): number {
    return this.idle.size;
  }

  /** How much is left, by the client's clock, of the one that ends first. */
  get leastMs(): number {
    return Math.min(...[...this.idle.values()].map(({ promisedUntilMs }) => promisedUntilMs)) - this.parts.nowMs();
  }

  of(id: number): Kept | undefined {
    return this.idle.get(id);
  }

  /** Nobody uses it any more. */
  idles(kept: Kept): void {
    const { attempt, id, lock, machine } = kept;
    this.stage.tell('keeps', lock, attempt, () => `${this.parts.who}: lock ${lock}, request ${attempt}`);
    this.stage.count('locks kept by clients');
    this.idle.set(id, kept);
    this.truth.isIdle(attempt, lock);
    this.parts.at(machine.endsAtMs, () => {
      if (this.idle.get(id) === kept && machine.endsAtMs <= this.parts.nowMs()) this.giveBack(kept);
    });
  }

  giveBack(kept: Kept): void {
    const { attempt, id, lock } = kept;
    if (!this.idle.delete(id)) return;
    this.truth.isIdleNoMore(attempt);
    this.stage.tell('gives back', lock, attempt, () => `${this.parts.who}: lock ${lock}, request ${attempt}, which it kept`);
    this.parts.giveBack(kept);
  }

  giveBackAll(): void {
    for (const kept of [...this.idle.values()]) this.giveBack(kept);
  }

  /** The process is gone. */
  vanish(): void {
    for (const { attempt } of this.idle.values()) this.truth.isIdleNoMore(attempt);
    this.idle.clear();
  }

  /** Somebody enters a lock that is kept, without a message; null: it is asked for. */
  enterAgain(wanted: number): { readonly kept: Kept; readonly token: number } | null {
    const kept = [...this.idle.values()].find(({ lock }) => lock === wanted);
    if (kept === undefined) return null;
    const token = kept.machine.enter(this.parts.nowMs(), kept.promisedUntilMs);
    if (token === null) {
      this.giveBack(kept);
      return null;
    }
    judgeUsable(kept, this.parts.nowMs(), this.parts.leaseMs);
    this.idle.delete(kept.id);
    this.truth.isIdleNoMore(kept.attempt);
    this.stage.count('locks entered again by clients');
    return { kept, token };
  }

  /** The node says that it is valid for so long; or (null) that it ended. */
  onWord(kept: Kept, validity: Validity | null): void {
    if (validity === null) this.giveBack(kept);
    else kept.promisedUntilMs = Math.max(kept.promisedUntilMs, this.parts.believedUntilMs(validity));
  }
}

/** Somebody enters by the word of its client alone. */
export function judgeUsable({ lock, attempt, promisedUntilMs }: Kept, nowMs: number, leaseMs: number): void {
  const leftMs = promisedUntilMs - nowMs;
  if (leftMs < USABLE_SHARE * leaseMs) violated('usable', `lock ${lock}, which its client had by request ${attempt}, is entered again with ${leftMs.toFixed(3)} ms left of a lease of ${leaseMs}`);
}

/** What the node is told of the tokens that were taken. */
export function usedOf(kept: Kept | null): { readonly used?: number } {
  return kept === null ? {} : { used: kept.machine.token };
}
