/** How long messages take when no fault has a hand in it. */
import type { NetworkPlan } from './plan';

/** A heavy tail doubles the delay again and again, but no more often than this. */
export const DOUBLINGS_MAX = 6;

/** The longest that a message takes then. */
export function delayUsMax({ delayUs, delayShape }: NetworkPlan): number {
  return delayShape === 'constant' ? delayUs : delayShape === 'uniform' ? 2 * delayUs : delayUs * 2 ** DOUBLINGS_MAX;
}
