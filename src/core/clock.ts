/**
 * The node's one Lamport clock and its ceiling (protocol.md section 3). Timestamps, grant numbers and
 * tokens are all values of it. Laws: it never runs backwards, not even across a restart, because
 * nothing above the ceiling that is on disk is ever sent; and it gains less than real time does (clock-bounded), for a node
 * that lost its memory has but the wall clock to go by.
 */
import { broken } from './invariants';
import type { LamportTime } from './messages';

/**
 * SLACK: how far the clocks of a quorum may be apart, a quarter of the lease in microseconds. The clock jumps by so much when
 * a lease ends unreleased, at most once in a lease, and when the silence after a restart ends, which takes a lease.
 */
export function slackOf(leaseMs: number): number {
  return Math.max(1, Math.floor((leaseMs * 1000) / 4));
}

/**
 * How many clock values one write of the ceiling reserves at most: half a lease in microseconds. Twice SLACK, so that a jump
 * waits for no write; and with SLACK less than the lease that a restart takes.
 */
export function ceilingBlockOf(leaseMs: number): number {
  return 2 * slackOf(leaseMs);
}

/** SLACK before it was bound to the lease. What was written then does not say so. */
export const FORMER_SLACK = 2 ** 24;

/** The first block of a life is so much smaller, and each further one twice as large: a node that crashes again and again gains little. */
const FIRST_BLOCK_SHARE = 64;

/** So many values a millisecond may be used without a message to anybody: fewer than there are microseconds in it. */
const TICKS_PER_MS = 900;

/** And so many at once, for whoever did not use them. */
const TICKS_SAVED_MS = 1_000;

export class LamportClock {
  /** The first value of this life: requests and grants below it belong to an earlier one. */
  bornAt: LamportTime;
  private value: LamportTime;
  private ceilingOnDisk: LamportTime;
  private ceilingAskedFor: LamportTime;

  /** What was reserved last; 0 before the first time. */
  private block = 0;
  /** Up to when, in milliseconds, values were used as if each took its share of one. */
  private usedUntilMs = -Infinity;
  /** The highest value that others may use without asking. */
  private lentUntil: LamportTime = 0;

  constructor(
    birth: { readonly ceilingOnDisk: LamportTime; readonly wallClockUs: number },
    private readonly ceilingBlock: number,
  ) {
    // The file covers a wall clock that was set back; the wall clock covers a lost file, as far as it can.
    this.bornAt = Math.max(birth.ceilingOnDisk, birth.wallClockUs) + 1;
    this.value = this.bornAt;
    this.ceilingOnDisk = birth.ceilingOnDisk;
    this.ceilingAskedFor = birth.ceilingOnDisk;
  }

  get now(): LamportTime {
    return this.value;
  }

  get ceiling(): LamportTime {
    return this.ceilingOnDisk;
  }

  tick(): LamportTime {
    this.set(this.value + 1);
    return this.value;
  }

  /** The rule of receipt: `clock = max(clock, received) + 1`. */
  witness(received: LamportTime): void {
    this.set((received > this.value ? received : this.value) + 1);
  }

  /** Go to `least` unless the clock is there already. */
  reach(least: LamportTime): void {
    if (least > this.value) this.set(least);
  }

  reserved(ceiling: LamportTime): void {
    if (ceiling > this.ceilingOnDisk) this.ceilingOnDisk = ceiling;
  }

  /** Everything so far belongs to an earlier life. */
  beginAgain(): void {
    this.bornAt = this.value;
  }

  /**
   * Whether one more value may be used at `nowMs` for nothing but an entry without a message: of these there may be a million
   * a second, and the clock would outrun real time (clock-bounded).
   */
  mayTickFreely(nowMs: number): boolean {
    return this.mayUse(1, nowMs);
  }

  /**
   * The same for all values up to this one, which somebody else may use without asking. Several may use the same ones, each for a
   * lock of its own: the clock gains by the highest alone.
   */
  mayLend(until: LamportTime, nowMs: number): boolean {
    const values = until - Math.max(this.value, this.lentUntil);
    if (values <= 0) return true;
    if (!this.mayUse(values, nowMs)) return false;
    this.lentUntil = until;
    return true;
  }

  private mayUse(values: number, nowMs: number): boolean {
    if (this.usedUntilMs > nowMs) return false;
    this.usedUntilMs = Math.max(this.usedUntilMs, nowMs - TICKS_SAVED_MS) + values / TICKS_PER_MS;
    return true;
  }

  /** The ceiling to put on disk next, or null while more than half a block is left. */
  ceilingToReserve(): LamportTime | null {
    if (this.value + this.block / 2 <= this.ceilingAskedFor) return null;
    this.block = Math.min(this.ceilingBlock, Math.max(2 * this.block, Math.ceil(this.ceilingBlock / FIRST_BLOCK_SHARE)));
    this.ceilingAskedFor = this.value + this.block;
    return this.ceilingAskedFor;
  }

  private set(value: LamportTime): void {
    if (!Number.isSafeInteger(value)) broken('clock-rises', `${value} is not a safe integer`);
    this.value = value;
  }
}
