import { medianOf, spreadOf, unfairnessOf } from '../../bench/peers/statistics';

test('a spread has the median, the least and the largest, whatever the order', () => {
  expect(spreadOf([5, 1, 9])).toEqual({ median: 5, min: 1, max: 9 });
  expect(spreadOf([10, 2])).toEqual({ median: 6, min: 2, max: 10 });
  expect(spreadOf([7])).toEqual({ median: 7, min: 7, max: 7 });
});

test('of no values there is no spread', () => {
  expect(spreadOf([])).toBeNull();
  expect(medianOf([])).toBeNull();
});

test('values are compared as numbers, not as text', () => {
  expect(medianOf([100, 9, 20])).toBe(20);
});

test('unfairness is the most by the least, infinite when somebody got nothing, and nothing when nobody got anything', () => {
  expect(unfairnessOf([10, 20, 40])).toBe(4);
  expect(unfairnessOf([3, 3, 3])).toBe(1);
  expect(unfairnessOf([0, 5])).toBe(Infinity);
  expect(unfairnessOf([0, 0])).toBeNull();
  expect(unfairnessOf([])).toBeNull();
});
