/**
 * Turns of the event loop that no test can stop. Whoever fakes all timers, as `jest.useFakeTimers()` does, fakes
 * `queueMicrotask` and `setImmediate` too, and sinon and node:test do so within `node:timers` as well: with theirs, locks
 * would wait for ever. Law: time does not pass here.
 */
import * as timers from 'node:timers';

/** As it was when this module was loaded. */
const { setImmediate } = timers;

/** Calls back in a turn of its own, before anything else happens. What it throws nobody catches, and is no failure of who asked. */
export function microtask(callback: () => void): void {
  void Promise.resolve().then(callback).catch((error: unknown) => setImmediate(() => {
    throw error;
  }));
}

/** When everything has happened that waits for nothing else. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
