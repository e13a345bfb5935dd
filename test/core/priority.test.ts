/** The total order of requests (protocol.md section 2). */
import fc from 'fast-check';
import { hasPriority, isCompatible, isSameRequest } from '../../src/core';
import { holds } from '../support/holds';

const request = fc.record({ timestamp: fc.integer({ min: 0, max: 3 }), node: fc.constantFrom('n1', 'n10', 'n2', 'ä') });

test('priority: the smaller timestamp is older, of equal ones the smaller node id (protocol.md section 2)', () => {
  expect(hasPriority({ timestamp: 1, node: 'n9' }, { timestamp: 2, node: 'n1' })).toBe(true);
  expect(hasPriority({ timestamp: 2, node: 'n1' }, { timestamp: 1, node: 'n9' })).toBe(false);
  expect(hasPriority({ timestamp: 1, node: 'n1' }, { timestamp: 1, node: 'n2' })).toBe(true);
  // By code unit, the same on every machine, whatever its language.
  expect(hasPriority({ timestamp: 1, node: 'n10' }, { timestamp: 1, node: 'n2' })).toBe(true);
});

test('priority: of two different requests exactly one is older (protocol.md section 2)', () => {
  holds(fc.property(request, request, (a, b) => {
    expect(hasPriority(a, b)).toBe(!isSameRequest(a, b) && !hasPriority(b, a));
  }));
});

test('priority: older than older is older (protocol.md section 2)', () => {
  holds(fc.property(request, request, request, (a, b, c) => {
    if (hasPriority(a, b) && hasPriority(b, c)) expect(hasPriority(a, c)).toBe(true);
  }));
});

test('modes: only readers are compatible (protocol.md section 5)', () => {
  expect(isCompatible('shared', 'shared')).toBe(true);
  expect(isCompatible('shared', 'exclusive')).toBe(false);
  expect(isCompatible('exclusive', 'shared')).toBe(false);
  expect(isCompatible('exclusive', 'exclusive')).toBe(false);
});
