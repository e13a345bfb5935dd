/** How far the clocks of machines are off, in whole parts per million. */
import { MILLION } from './random';
import type { Random } from './random';

export const DEFAULT_DRIFT_MAX_PPM = 10_000;

/** The bounds that nodes are told, most often that of the default. */
export const DRIFT_MAX_PPM: readonly number[] = [10_000, 10_000, 10_000, 1_000, 50_000];

/** With clocks beyond the bound, one may go at twice and a half the rate of true time and the other at half. */
const ADRIFT_PPM = { slowest: -500_000, fastest: 1_500_000 } as const;

/** Two clocks this far off in opposite directions differ by just less than the bound. */
function rateMaxPpm(driftMaxPpm: number): number {
  return Math.floor((MILLION * driftMaxPpm) / (2 * MILLION + driftMaxPpm));
}

export function drawRate(random: Random, share: number, driftMaxPpm: number): number {
  const max = Math.floor(rateMaxPpm(driftMaxPpm) * share);
  // The ends of the range are where it hurts.
  return random.pick([-max, max, random.between(-max, max)]);
}

export function drawWildRate(random: Random): number {
  const { slowest, fastest } = ADRIFT_PPM;
  return random.pick([slowest, fastest, random.between(slowest, fastest)]);
}
