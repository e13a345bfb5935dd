/**
 * Whether tokens are still promised to rise (protocol.md section 18.1). Where too few nodes remember what tokens were in use, one
 * without memory takes part as far as its wall clock goes. If that is behind a token that was taken, nothing is promised from
 * then on. Must never be void while enough nodes remember.
 */
import type { Effect, Token } from '../../src/core';
import { WALL_CLOCK_START_US } from '../plan/layout';
import type { Scene } from './scene';
import type { Entry, Witness } from './witness';

export class TokenPromise implements Witness {
  isVoid = false;
  private highest: Token = 0;

  constructor(private readonly scene: Scene) {}

  entered({ hold }: Entry): void {
    this.highest = Math.max(this.highest, hold.token);
  }

  joined(machine: number, by: Extract<Effect, { kind: 'joined' }>['by']): void {
    // Not by the node's own clock: it is to look at this one.
    const wallClockUs = WALL_CLOCK_START_US + this.scene.nowUs + (this.scene.places[machine]?.wallAheadUs ?? 0);
    if (by === 'wall clock' && wallClockUs <= this.highest) this.isVoid = true;
  }
}
