/** What holds the votes of a request: it does what a `Map` does, whatever is asked of it. */
import fc from 'fast-check';
import { FewEntries, withLast } from '../../src/core/few';
import { holds } from '../support/holds';

const key = fc.constantFrom('a', 'b', 'c', 'd');

test('a few entries are a Map in the order of its keys', () => {
  const steps = fc.array(fc.oneof(fc.record({ set: key, to: fc.nat(9) }), fc.record({ delete: key })));
  holds(fc.property(steps, (played) => {
    const few = new FewEntries<string, number>();
    const map = new Map<string, number>();
    for (const step of played) {
      for (const each of [few, map]) {
        if ('set' in step) each.set(step.set, step.to);
        else each.delete(step.delete);
      }
      const sorted = [...map].sort(([one], [other]) => (one < other ? -1 : 1));
      expect([few.size, [...few], [...few.keys()], [...few.values()]]).toEqual([map.size, sorted, sorted.map(([each]) => each), sorted.map(([, value]) => value)]);
      for (const each of ['a', 'b', 'c', 'd']) expect([few.has(each), few.get(each)]).toEqual([map.has(each), map.get(each)]);
    }
  }));
});

test('two that are empty share nothing', () => {
  const [one, other] = [new FewEntries<string, number>(), new FewEntries<string, number>()];
  one.set('a', 1);
  expect([one.size, other.size]).toEqual([1, 0]);
  expect([withLast([], 1), withLast([1], 2)]).toEqual([[1], [1, 2]]);
});
