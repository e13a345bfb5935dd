/** Time that stands still until it is told to go on. One for all nodes of a test cluster. */
import type { NodeTime } from '../runtime/monotonic-time';
import { nextTurn } from '../runtime/turns';

interface Alarm {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Where the wall clock of a test cluster starts: 2026-01-01. Always the same, so that a test is. */
const WALL_CLOCK_START_MS = 1_767_225_600_000;

export class VirtualTime implements NodeTime {
  private elapsedMs = 0;
  /** In the order in which they are due, and those due at one time in the order in which they were set. */
  private alarms: Alarm[] = [];

  nowMs(): number {
    return this.elapsedMs;
  }

  takeSleptMs(): number {
    return 0;
  }

  wallClockUs(): number {
    return (WALL_CLOCK_START_MS + this.elapsedMs) * 1000;
  }

  schedule(callback: () => void, delayMs: number): () => void {
    const alarm: Alarm = { atMs: this.elapsedMs + Math.max(0, Math.ceil(delayMs)), callback };
    const place = this.alarms.findIndex((other) => other.atMs > alarm.atMs);
    this.alarms.splice(place < 0 ? this.alarms.length : place, 0, alarm);
    return () => {
      this.alarms = this.alarms.filter((other) => other !== alarm);
    };
  }

  /** Whoever only wants to see what happens does not wait for time to pass. */
  pause(): Promise<void> {
    return settle();
  }

  /**
   * Let time pass, until it is enough. Whatever is due meanwhile happens in its order, and promises settle in between.
   */
  async advance(byMs: number, isEnough: () => boolean = () => false): Promise<void> {
    const endMs = this.elapsedMs + byMs;
    await settle();
    for (let next = this.alarms[0]; next !== undefined && next.atMs <= endMs; next = this.alarms[0]) {
      if (isEnough()) return;
      this.alarms.shift();
      this.elapsedMs = next.atMs;
      next.callback();
      await settle();
    }
    if (!isEnough()) this.elapsedMs = endMs;
  }
}

/** Until all promises that can settle without time passing have done so. */
export function settle(): Promise<void> {
  return nextTurn().then(nextTurn);
}
