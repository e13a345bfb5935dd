/**
 * The node's own time, the only clock that the runtime reads. Monotonic; the wall clock is read for
 * one purpose: monotonic clocks stand still while a machine sleeps, and a requester must not believe
 * in leases that ended meanwhile (protocol.md section 4).
 */

import { setTimeout as sleep } from 'node:timers/promises';

/** How much sleep may go unnoticed. Slow corrections of the wall clock add up to this and are then counted as sleep. */
const SLEEP_NOTICED_MS = 10;

export interface NodeTime {
  /** Whole milliseconds since some origin. Never goes back. */
  nowMs(): number;
  /** How long the machine slept since the last call, as far as that can be told; 0 as a rule. */
  takeSleptMs(): number;
  /** Wall clock in microseconds, for the first clock of a node's life. */
  wallClockUs(): number;
  /** Call back once, after so many milliseconds or a little later. Returns how to forget it. */
  schedule(callback: () => void, delayMs: number): () => void;
  /** Wait so long to see what happens. Where time stands still: for what happens without it. Keeps no process alive. */
  pause(forMs: number): Promise<void>;
}

export class MonotonicTime implements NodeTime {
  private wallAheadMs = Date.now() - performance.now();

  nowMs(): number {
    return Math.floor(performance.now());
  }

  takeSleptMs(): number {
    const wallAheadMs = Date.now() - performance.now();
    const sleptMs = wallAheadMs - this.wallAheadMs;
    // A wall clock set back tells nothing of sleep; one set forward looks like it, which is safe.
    if (sleptMs < 0) this.wallAheadMs = wallAheadMs;
    if (sleptMs < SLEEP_NOTICED_MS) return 0;
    this.wallAheadMs = wallAheadMs;
    return Math.ceil(sleptMs);
  }

  wallClockUs(): number {
    return Date.now() * 1000;
  }

  schedule(callback: () => void, delayMs: number): () => void {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  }

  pause(forMs: number): Promise<void> {
    return sleep(forMs, undefined, { ref: false });
  }
}

/** Time that counts what the machine slept, too: for those who go by a lease and have no core to tell of it. */
export class TimeWithSleep {
  private readonly time = new MonotonicTime();
  private sleptMs = 0;

  nowMs(): number {
    this.sleptMs += this.time.takeSleptMs();
    return this.time.nowMs() + this.sleptMs;
  }
}
