/**
 * A machine's own clock against true time: both whole microseconds, the rate off by so many parts per
 * million, integers alone. It never goes back. Rates may change; a stopped clock has the rate -1000000.
 */
import type { ClockFace } from '../checks/scene';
import { MILLION } from '../plan/random';

export const STOPPED_PPM = -MILLION;

export class MachineClock implements ClockFace {
  private sinceUs = 0;
  private localSinceUs = 0;
  private ppm: number;

  constructor(ratePpm: number) {
    this.ppm = ratePpm;
  }

  get ratePpm(): number {
    return this.ppm;
  }

  /** What the clock shows at a true time, which must not lie before the last change of its rate. */
  localUs(trueUs: number): number {
    const elapsedUs = trueUs - this.sinceUs;
    return this.localSinceUs + elapsedUs + Math.floor((elapsedUs * this.ppm) / MILLION);
  }

  /** The first true time at which the clock shows `localUs` or more, at the present rate; Infinity if never. */
  trueUs(localUs: number): number {
    const elapsedUs = localUs - this.localSinceUs;
    if (elapsedUs <= 0) return this.sinceUs;
    if (this.ppm === STOPPED_PPM) return Infinity;
    let trueUs = this.sinceUs + Math.floor((elapsedUs * MILLION) / (MILLION + this.ppm));
    // The quotient is rounded: go back to be early for sure, then forward to the first that fits.
    trueUs = Math.max(this.sinceUs, trueUs - 2);
    while (this.localUs(trueUs) < localUs) trueUs++;
    return trueUs;
  }

  setRate(trueUs: number, ratePpm: number): void {
    this.localSinceUs = this.localUs(trueUs);
    this.sinceUs = trueUs;
    this.ppm = ratePpm;
  }
}
