/** How far the clocks of machines are off, in whole parts per million. */
import { MILLION } from './random';
import type { Random } from './random';

export const DRIFT_MAX_PPM = 10_000;
/** Two clocks this far off in opposite directions differ by just less than the bound. */
const RATE_MAX_PPM = Math.floor((MILLION * DRIFT_MAX_PPM) / (2 * MILLION + DRIFT_MAX_PPM));

/** With clocks beyond the bound, one may go at twice and a half the rate of true time and the other at half. */
const ADRIFT_PPM = { slowest: -500_000, fastest: 1_500_000 } as const;

export function drawRate(random: Random, share: number): number {
  const max = Math.floor(RATE_MAX_PPM * share);
  // The ends of the range are where it hurts.
  return random.pick([-max, max, random.between(-max, max)]);
}

export function drawWildRate(random: Random): number {
  const { slowest, fastest } = ADRIFT_PPM;
  return random.pick([slowest, fastest, random.between(slowest, fastest)]);
}
