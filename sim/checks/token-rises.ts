/**
 * token-rises: for each lock, the token of an entry exceeds those of all earlier entries that it must not overlap.
 * Must never look into the core: it sees the tokens that callers are given.
 */
import type { Mode, Token } from '../../src/core';
import { violated } from './check';
import type { Openings } from './openings';
import { describeHold, ofLock } from './scene';
import type { Hold, Scene } from './scene';
import type { TokenPromise } from './token-promise';
import type { Entry, Passing, Witness } from './witness';

export class TokenRises implements Witness {
  private readonly highest: HighestTokens[];

  constructor(
    private readonly scene: Scene,
    private readonly promise: TokenPromise,
    /** With clocks beyond the drift bound a token need only exceed those of holders that could have been known. */
    private readonly openings: Openings | null,
  ) {
    this.highest = scene.locks.map(() => new HighestTokens());
  }

  entered(entry: Entry): void {
    const { lock, hold } = entry;
    const { events } = this.scene;
    const highest = ofLock(this.highest, lock);
    const floor = highest.before(this.openings === null ? events : this.openings.eventOf(entry) - 1, hold.mode);
    if (hold.token <= floor && !this.promise.isVoid) violated('token-rises', `${describeHold(this.scene, lock, hold)} entered after token ${floor}`);
    highest.add(events, hold);
  }

  passed({ lock, hold }: Passing): void {
    const { events } = this.scene;
    const highest = ofLock(this.highest, lock);
    const floor = highest.before(events, hold.mode);
    // With clocks beyond the drift bound another one may have entered meanwhile.
    if (this.openings === null && hold.token <= floor && !this.promise.isVoid) violated('token-rises', `${describeHold(this.scene, lock, hold)} let another in after token ${floor}`);
    highest.add(events, hold);
  }
}

/** The highest tokens of one lock so far, and as they were at any earlier event. */
class HighestTokens {
  /** One for each event at which they rose. */
  private readonly events: number[] = [];
  private readonly exclusive: Token[] = [];
  private readonly any: Token[] = [];

  /** What a token of this mode must exceed: readers may have tokens in any order among themselves. */
  before(event: number, mode: Mode): Token {
    let place = this.events.length - 1;
    while (place >= 0 && (this.events[place] ?? 0) > event) place--;
    return (mode === 'exclusive' ? this.any : this.exclusive)[place] ?? 0;
  }

  add(event: number, { mode, token }: Hold): void {
    this.events.push(event);
    this.any.push(Math.max(token, this.any.at(-1) ?? 0));
    this.exclusive.push(mode === 'exclusive' ? Math.max(token, this.exclusive.at(-1) ?? 0) : this.exclusive.at(-1) ?? 0);
  }
}
