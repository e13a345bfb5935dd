/** Rule clock-credible (protocol.md section 3.3). */
import fc from 'fast-check';
import { CredibleClock } from '../../src/core';
import { buildCoterie } from '../../src/quorum';
import { FIVE_NODES, LEASE_MS } from './harness';

const DAY_MS = 86_400_000;
const AHEAD_US = (DAY_MS + 32 * LEASE_MS) * 1000;
/** Such as it is in 2026. */
const WALL_US = 1_800_000_000_000_000;
const STARTED_MS = 5_000;
const YEAR_US = 365 * DAY_MS * 1000;

function made(coterie = FIVE_NODES, bornAt = WALL_US): CredibleClock {
  return new CredibleClock({ self: 'n1', coterie, leaseMs: LEASE_MS, bornAt, bornAtMs: STARTED_MS });
}

describe('clock-credible: a node believes', () => {
  test('a clock that is ahead of its first one by the time since then, a day and 32 leases', () => {
    expect(made().maxAt(STARTED_MS, 0)).toBe(WALL_US + AHEAD_US);
    expect(made().maxAt(STARTED_MS + 60_000, 0)).toBe(WALL_US + 60_000_000 + AHEAD_US);
  });

  test('one that is as far ahead of its wall clock, as soon as that was set right', () => {
    const booted1970 = made(FIVE_NODES, 1);
    expect(booted1970.maxAt(STARTED_MS, 60_000_000)).toBe(60_000_000 + AHEAD_US);
    expect(booted1970.maxAt(STARTED_MS, WALL_US)).toBe(WALL_US + AHEAD_US);
  });

  test('no more because of what it believed before: nobody gets further by small steps', () => {
    const node = made();
    const before = node.maxAt(STARTED_MS, WALL_US);
    node.believes('n2');
    expect(node.maxAt(STARTED_MS, WALL_US)).toBe(before);
  });

  test('what peers tell that meet every quorum, up to the lowest of them: two of five do not, three do', () => {
    const node = made();
    expect(node.refuses('n2', WALL_US + 3 * YEAR_US, STARTED_MS)).toBe(false);
    expect(node.refuses('n2', WALL_US + 3 * YEAR_US, STARTED_MS)).toBe(false);
    expect(node.refuses('n3', WALL_US + 2 * YEAR_US, STARTED_MS)).toBe(false);
    expect(node.maxAt(STARTED_MS, WALL_US)).toBe(WALL_US + AHEAD_US);
    expect(node.refuses('n4', WALL_US + 4 * YEAR_US, STARTED_MS + 1_000)).toBe(true);
    expect(node.maxAt(STARTED_MS, WALL_US)).toBe(WALL_US + 2 * YEAR_US + AHEAD_US);
  });

  test('a machine that boots in 1970 joins a majority of three by the word of both others', () => {
    const node = made(buildCoterie(['n1', 'n2', 'n3'], { family: 'majority' }), 1);
    expect(node.refuses('n2', WALL_US, STARTED_MS)).toBe(false);
    expect(node.refuses('n3', WALL_US + 7, STARTED_MS)).toBe(true);
    expect(node.maxAt(STARTED_MS, 0)).toBeGreaterThan(WALL_US + 7);
  });

  test('nobody who tells another clock now', () => {
    const node = made();
    node.refuses('n2', WALL_US + YEAR_US, STARTED_MS);
    node.refuses('n3', WALL_US + YEAR_US, STARTED_MS);
    node.believes('n2');
    expect(node.refuses('n4', WALL_US + YEAR_US, STARTED_MS)).toBe(false);
  });

  test('whatever fewer peers tell than meet every quorum, and however often, it believes nothing more', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('n2', 'n3'), fc.integer({ min: WALL_US, max: Number.MAX_SAFE_INTEGER }), fc.nat(100_000))), (told) => {
        const node = made();
        for (const [peer, clock, laterMs] of told) expect(node.refuses(peer, clock, STARTED_MS + laterMs)).toBe(false);
        expect(node.maxAt(STARTED_MS, WALL_US)).toBe(WALL_US + AHEAD_US);
      }),
    );
  });
});
