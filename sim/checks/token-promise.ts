/**
 * Whether tokens are still promised to rise (protocol.md section 18.1). Where too few nodes remember what tokens were in use, one
 * without memory takes part as far as its wall clock goes. If that is behind a token that was taken, nothing is promised from
 * then on. So it is after an act of the operator (16.2) whose clock is not above a token of a node that it had not seen. Must never be void while enough nodes remember.
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

  acted(isComplete: boolean): void {
    if (!isComplete && (this.scene.act?.clock ?? 0) <= this.highest) this.isVoid = true;
    // What was taken before, the act is to cover.
    this.highest = 0;
  }

  joined(machine: number, by: Extract<Effect, { kind: 'joined' }>['by']): void {
    // Not by the node's own clock: it is to look at this one.
    const { places, nowUs, act } = this.scene;
    const place = places[machine];
    const floor = place?.file === 'new' ? act?.clock ?? 0 : 0;
    const wallClockUs = Math.max(WALL_CLOCK_START_US + nowUs + (place?.wallAheadUs ?? 0), floor);
    if (place?.file !== 'bare' && by === 'wall clock' && wallClockUs <= this.highest) this.isVoid = true;
  }
}
