/** The heap of deadlines against the plainest thing that does the same: a list. */
import fc from 'fast-check';
import { Deadlines } from '../../src/core/deadlines';
import type { HasDeadline } from '../../src/core/deadlines';
import { holds } from '../support/holds';

/** Enough for branches of the heap to differ. */
const ITEMS = 40;
const change = fc.record({ item: fc.nat({ max: ITEMS - 1 }), deadlineMs: fc.option(fc.nat({ max: 999 }), { freq: 2 }) });

test('deadlines: the earliest is known after any sequence of schedules and removals', () => {
  holds(fc.property(fc.array(change, { minLength: 50, maxLength: 200 }), (changes) => {
    const items: HasDeadline[] = Array.from({ length: ITEMS }, () => ({ deadlineMs: Infinity, heapIndex: -1 }));
    const deadlines = new Deadlines();
    const expected = new Map<HasDeadline, number>();
    for (const { item: index, deadlineMs } of changes) {
      const item = items[index];
      if (item === undefined) continue;
      if (deadlineMs === null) {
        deadlines.remove(item);
        expected.delete(item);
      } else {
        deadlines.schedule(item, deadlineMs);
        expected.set(item, deadlineMs);
      }
      const earliestMs = Math.min(Infinity, ...expected.values());
      expect(deadlines.earliestMs).toBe(earliestMs);
      expect(deadlines.due(earliestMs - 1)).toBeUndefined();
    }
    // Taken out one by one they come in order, and nothing is left.
    const drained: number[] = [];
    for (let due = deadlines.due(Infinity); due !== undefined; due = deadlines.due(Infinity)) {
      drained.push(due.deadlineMs);
      deadlines.remove(due);
    }
    expect(drained).toEqual([...expected.values()].sort((a, b) => a - b));
    expect(deadlines.earliestMs).toBe(Infinity);
  }));
});
