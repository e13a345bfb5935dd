/**
 * When one end of a session says what it has to say. What comes up first in a turn of the event loop leaves in that very turn, once all that
 * is ready has run: whoever does one thing after the other waits for no turn more. Whatever comes up later in the turn leaves as one
 * in the next, however many frames were heard meanwhile.
 * Law: two frames in a turn at most. Not for nodes among themselves: under contention they say more at once when they wait for the next turn.
 */
import * as timers from 'node:timers';

/** As they were when this module was loaded: with those of a test that fakes them nothing would be said. */
const { setImmediate } = timers;
const nextTick = process.nextTick.bind(process);

export class Flusher {
  private isSet = false;
  private hasFlushed = false;

  constructor(private readonly flush: () => void) {}

  /** Calls back soon, once for however many calls. */
  set(): void {
    if (this.isSet) return;
    this.isSet = true;
    if (this.hasFlushed) setImmediate(this.run);
    // After the promises that are settled, and those that they settle: their callers may have something to say as well.
    else void Promise.resolve().then(() => nextTick(this.run));
  }

  private readonly run = (): void => {
    this.isSet = false;
    if (!this.hasFlushed) {
      this.hasFlushed = true;
      setImmediate(() => (this.hasFlushed = false));
    }
    this.flush();
  };
}
