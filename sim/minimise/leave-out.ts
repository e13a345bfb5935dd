/**
 * Delta debugging: finds a small part of a list that still fails, leaving out large pieces first.
 * Source: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002; their ddmin,
 * with complements only, for a failure seldom hides in one piece alone.
 */

/**
 * Leave out as much as can be. `fails` is asked of each shorter list and must be true of the whole one.
 * Of what is returned, no single item can be left out, unless `isOver` said to stop.
 */
export function leaveOut<Item>(
  items: readonly Item[], fails: (kept: readonly Item[]) => boolean, isOver: () => boolean = () => false,
): readonly Item[] {
  let kept = items;
  let size = kept.length;
  while (size >= 1) {
    const before = kept.length;
    // From the end: what comes late is more likely to be of no consequence.
    for (let end = kept.length; end > 0; end -= size) {
      if (isOver()) return kept;
      const without = [...kept.slice(0, Math.max(0, end - size)), ...kept.slice(end)];
      if (fails(without)) kept = without;
    }
    const isShorter = kept.length < before;
    if (size > 1) size = Math.min(Math.ceil(size / 2), Math.max(1, kept.length));
    else if (!isShorter) break;
  }
  return kept;
}
