/** What an earlier life and an operator's act mean for the next life (protocol.md sections 16.1 and 16.2). */
import { layoutActOf, mayStartUnder, termsOfLife } from '../../src/core';
import type { ActSettings, LifeSettings } from '../../src/core';

const change = { from: 'old', silentMs: 30_000, clock: 1_000_000 };
const own = { leaseMs: 5_000, slack: 1_000, layout: 'new', existed: true, terms: null };
const under = (layout: string | null, leaseMs = 5_000, slack = 1_000, act: number | null = null): Pick<LifeSettings, 'terms'> => ({ terms: { layout, leaseMs, slack, act } });

describe('a node that remembers another layout', () => {
  test('does not start without the act, nor with that of a third one', () => {
    expect(mayStartUnder({ layout: 'new', ...under('old') })).toBe(false);
    expect(mayStartUnder({ layout: 'new', change, ...under('other') })).toBe(false);
  });

  test('starts with the act, and so does one that remembers nothing, or the new layout', () => {
    for (const before of ['old', 'new', null]) expect(mayStartUnder({ layout: 'new', change, ...under(before) })).toBe(true);
    expect(mayStartUnder({ layout: 'new', change, terms: null })).toBe(true);
  });
});

describe('the act', () => {
  test('makes whoever has not lent its vote under it silent for so long, and begin above its clock', () => {
    expect(termsOfLife({ ...own, change, existed: false })).toMatchObject({ silentMs: 30_000, clockFloor: 1_000_000 });
    expect(termsOfLife({ ...own, change, ...under('old') })).toMatchObject({ silentMs: 30_000, clockFloor: 1_000_000 });
    expect(termsOfLife({ ...own, change, ...under('new', 5_000, 1_000, change.clock) })).toMatchObject({ silentMs: 5_000, clockFloor: 0 });
  });

  test('counts for whoever remembers the new layout from before the one that ran last: from A to B and back to A', () => {
    // It was in no quorum of B, lent its vote under A alone, and heard nothing of B's tokens or of what B lent.
    expect(termsOfLife({ ...own, change, ...under('new') })).toMatchObject({ silentMs: 30_000, clockFloor: 1_000_000 });
    const earlier = change.clock - 1;
    const { whileSilent, whenLending } = termsOfLife({ ...own, change, ...under('new', 5_000, 1_000, earlier) });
    // Until it lends it crashes as one that has not heard of this act.
    expect([whileSilent.act, whenLending.act]).toEqual([earlier, change.clock]);
    expect(termsOfLife({ ...own, change, terms: whileSilent })).toMatchObject({ silentMs: 30_000, clockFloor: 1_000_000 });
    expect(termsOfLife({ ...own, change, terms: whenLending })).toMatchObject({ silentMs: 5_000, clockFloor: 0 });
  });

  const seen: ActSettings = { from: 'old', leaseBeforeMs: 2_000, leaseMs: 1_000, slack: 10, clocks: [500, 700], wallClockUs: 600 };

  test('has the longer of the two leases, and a clock above all that was seen and the wall clock', () => {
    expect(layoutActOf(seen)).toEqual({ from: 'old', silentMs: 2_000, clock: 700 + 10 + 10 + 2_000_000 });
    expect(layoutActOf({ ...seen, leaseMs: 3_000, wallClockUs: 900 })).toEqual({ from: 'old', silentMs: 3_000, clock: 900 + 10 + 3_000_000 });
    expect(layoutActOf({ ...seen, clocks: [] }).clock).toBe(600 + 10 + 2_000_000);
  });
});

test('a life counts the larger SLACK and the longer lease of before, until it lends', () => {
  const { slackBefore, silentMs, whileSilent, whenLending } = termsOfLife({ ...own, ...under('new', 9_000, 4_000) });
  expect({ slackBefore, silentMs, whileSilent, whenLending }).toEqual({
    slackBefore: 4_000, silentMs: 9_000, whileSilent: { leaseMs: 9_000, slack: 4_000, layout: 'new', act: null }, whenLending: { leaseMs: 5_000, slack: 1_000, layout: 'new', act: null },
  });
});
