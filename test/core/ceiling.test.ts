import { createNode, reentryLeftMs, step } from '../../src/core';
import type { Effect, LockNode } from '../../src/core';
import { buildCoterie } from '../../src/quorum';

const LEASE_MS = 3_000;

function aloneAt(ceilingOnDisk: number, wallClockUs: number): LockNode {
  const coterie = buildCoterie(['n1'], { family: 'majority' });
  return createNode(
    { self: 'n1', coterie, leaseMs: LEASE_MS, retryMs: 1_000, driftMax: 0.01, slack: 100, ceilingBlock: 1_000, retain: true },
    { ceilingOnDisk, wallClockUs, firstStart: true },
  );
}

function kinds(effects: readonly Effect[]): string[] {
  return effects.map((effect) => effect.kind);
}

function ceilingIn(effects: readonly Effect[]): number {
  const found = effects.find((effect) => effect.kind === 'reserveCeiling');
  if (found?.kind !== 'reserveCeiling') throw new Error('no ceiling was asked for');
  return found.ceiling;
}

test('clock: nobody enters by a vote of its own above the ceiling on disk, which a crash would forget (protocol §3)', () => {
  const node = aloneAt(0, 1_000_000);
  const ceiling = ceilingIn(step(node, { kind: 'start', nowMs: 0 }));
  expect(kinds(step(node, { kind: 'acquire', nowMs: 1, lock: 'a', mode: 'exclusive', caller: 1 }))).not.toContain('entered');
  const effects = step(node, { kind: 'ceilingReserved', nowMs: 2, ceiling });
  const entered = effects.find((effect) => effect.kind === 'entered');
  expect(entered).toMatchObject({ caller: 1 });
  // A crash now, with the wall clock set back: the next life's tokens are larger all the same.
  const nextLife = aloneAt(ceiling, 5);
  step(nextLife, { kind: 'ceilingReserved', nowMs: 0, ceiling: ceilingIn(step(nextLife, { kind: 'start', nowMs: 0 })) });
  const next = step(nextLife, { kind: 'acquire', nowMs: 1, lock: 'a', mode: 'exclusive', caller: 1 }).find((effect) => effect.kind === 'entered');
  const tokens = [entered, next].map((effect) => (effect?.kind === 'entered' ? effect.token : NaN));
  expect(tokens[1]).toBeGreaterThan(tokens[0] ?? NaN);
});

test('requester: enters again under retained grants only while enough of the lease is left to renew it (protocol §9)', () => {
  const node = aloneAt(0, 1_000_000);
  const ceiling = ceilingIn(step(node, { kind: 'start', nowMs: 0 }));
  step(node, { kind: 'ceilingReserved', nowMs: 0, ceiling });
  const first = step(node, { kind: 'acquire', nowMs: 0, lock: 'a', mode: 'exclusive', caller: 1 }).find((effect) => effect.kind === 'entered');
  const validUntilMs = first?.kind === 'entered' ? first.validUntilMs : NaN;
  step(node, { kind: 'release', nowMs: 1, lock: 'a', caller: 1 });
  const nowMs = validUntilMs - reentryLeftMs(LEASE_MS) + 1;
  const again = step(node, { kind: 'acquire', nowMs, lock: 'a', mode: 'exclusive', caller: 2 }).find((effect) => effect.kind === 'entered');
  // A new request with a whole lease, not the rest of the old one.
  expect(again).toMatchObject({ caller: 2, validUntilMs: nowMs + validUntilMs });
});
