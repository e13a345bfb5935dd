/** The total order of requests (protocol.md section 2). */
import fc from 'fast-check';
import { claimOf, doesHold, doesSteal, hasPriority, isCompatible, isSameRequest } from '../../src/core';
import type { Claim, Contender } from '../../src/core';
import { holds } from '../support/holds';

const NODES = ['n1', 'n10', 'n2', 'ä'];
const CLAIMS: readonly Claim[] = ['waits', 'holds', 'steals', 'stole'];

const contender: fc.Arbitrary<Contender> = fc
  .record({ timestamp: fc.integer({ min: 0, max: 3 }), node: fc.constantFrom(...NODES), claim: fc.constantFrom(...CLAIMS) })
  .map(({ timestamp, node, claim }) => ({ request: { timestamp, node }, claim }));

function contends(timestamp: number, node: string, claim: Claim = 'waits'): Contender {
  return { request: { timestamp, node }, claim };
}

test('priority: the smaller timestamp is older, of equal ones the smaller node id (protocol.md section 2)', () => {
  expect(hasPriority(contends(1, 'n9'), contends(2, 'n1'))).toBe(true);
  expect(hasPriority(contends(2, 'n1'), contends(1, 'n9'))).toBe(false);
  expect(hasPriority(contends(1, 'n1'), contends(1, 'n2'))).toBe(true);
  // By code unit, the same on every machine, whatever its language.
  expect(hasPriority(contends(1, 'n10'), contends(1, 'n2'))).toBe(true);
});

test('priority: those that steal go before those that do not, and then those that hold before those that wait (steal, holder-first)', () => {
  const inLine = [contends(4, 'n4', 'stole'), contends(3, 'n3', 'steals'), contends(2, 'n2', 'holds'), contends(1, 'n1', 'waits')];
  for (const [place, one] of inLine.entries()) {
    expect(inLine.map((other) => hasPriority(one, other))).toEqual(inLine.map((_, otherPlace) => place < otherPlace));
  }
});

test('priority: of two different requests exactly one goes first (protocol.md section 2)', () => {
  holds(fc.property(contender, contender, (a, b) => {
    expect(hasPriority(a, b)).toBe(!(isSameRequest(a.request, b.request) && a.claim === b.claim) && !hasPriority(b, a));
  }));
});

test('priority: before what goes before is before (protocol.md section 2)', () => {
  holds(fc.property(contender, contender, contender, (a, b, c) => {
    if (hasPriority(a, b) && hasPriority(b, c)) expect(hasPriority(a, c)).toBe(true);
  }));
});

test('claims: two words say it, whether it steals and whether its caller is inside', () => {
  for (const claim of CLAIMS) expect(claimOf(doesSteal(claim), doesHold(claim))).toBe(claim);
  expect(CLAIMS.map(doesSteal)).toEqual([false, false, true, true]);
  expect(CLAIMS.map(doesHold)).toEqual([false, true, false, true]);
});

test('modes: only readers are compatible (protocol.md section 5)', () => {
  expect(isCompatible('shared', 'shared')).toBe(true);
  expect(isCompatible('shared', 'exclusive')).toBe(false);
  expect(isCompatible('exclusive', 'shared')).toBe(false);
  expect(isCompatible('exclusive', 'exclusive')).toBe(false);
});
