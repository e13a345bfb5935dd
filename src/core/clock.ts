/**
 * The node's one Lamport clock and its ceiling (protocol.md section 3). Timestamps, grant numbers and
 * tokens are all values of it. Law: it never runs backwards, not even across a restart, because
 * nothing above the ceiling that is on disk is ever sent.
 */
import { broken } from './invariants';
import type { LamportTime } from './messages';

export class LamportClock {
  /** The first value of this life: requests and grants below it belong to an earlier one. */
  readonly bornAt: LamportTime;
  private value: LamportTime;
  private ceilingOnDisk: LamportTime;
  private ceilingAskedFor: LamportTime;

  constructor(
    birth: { readonly ceilingOnDisk: LamportTime; readonly wallClockUs: number },
    slack: number,
    private readonly ceilingBlock: number,
  ) {
    // The wall clock covers a wiped disk; the file covers a wall clock that was set back.
    this.bornAt = Math.max(birth.ceilingOnDisk, birth.wallClockUs) + slack + 1;
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

  /** The ceiling to put on disk next, or null while more than half a block is left. */
  ceilingToReserve(): LamportTime | null {
    if (this.value + this.ceilingBlock / 2 <= this.ceilingAskedFor) return null;
    this.ceilingAskedFor = this.value + this.ceilingBlock;
    return this.ceilingAskedFor;
  }

  private set(value: LamportTime): void {
    if (!Number.isSafeInteger(value)) broken('clock-rises', `${value} is not a safe integer`);
    this.value = value;
  }
}
