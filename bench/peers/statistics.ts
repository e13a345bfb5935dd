/** Medians with their spread: what the benchmark says of figures that were measured several times. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Null for no values. Of an even number of values the median is the mean of the two in the middle. */
export function spreadOf(values: readonly number[]): Spread | null {
  const sorted = [...values].sort((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (min === undefined || max === undefined || upper === undefined || lower === undefined) return null;
  return { median: (lower + upper) / 2, min, max };
}

export function medianOf(values: readonly number[]): number | null {
  return spreadOf(values)?.median ?? null;
}

/**
 * How unlike the waiters were served: the most that one of them got by the least. 1 is even; Infinity means that somebody got
 * nothing. Null where nobody got anything.
 */
export function unfairnessOf(entries: readonly number[]): number | null {
  const spread = spreadOf(entries);
  return spread === null || spread.max === 0 ? null : spread.max / spread.min;
}
