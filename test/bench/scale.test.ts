import { measureScale } from '../../bench/scale/measure';
import { sizesUpTo } from '../../bench/scale/sizes';
import { ASK_ALL } from '../../bench/results/scale-page';

test.each([['majority', 3], ['plane', 7], ['grid', 9], ['grid', 5]] as const)('an entry alone costs 3(K - 1) messages: %s of %d', (family, nodes) => {
  const { alone, quorum } = measureScale(family, nodes);
  expect(alone).toBeCloseTo(3 * (quorum - 1), 6);
});

test('whoever asks at the same time as others pays for the votes that come back', () => {
  const { atOnce, atOnceInquires, quorum } = measureScale('grid', 16);
  expect(atOnceInquires).toBeGreaterThan(0);
  expect(atOnce).toBeGreaterThan(3 * (quorum - 1));
  expect(atOnce).toBeLessThanOrEqual(3 * (quorum - 1) + 3 * atOnceInquires);
});

test('a hand-over takes one delay where the quorums are pairs, and two in a square grid, where arbiters are others', () => {
  expect(measureScale('majority', 3).handOverDelays).toBeCloseTo(1, 6);
  expect(measureScale('grid', 9).handOverDelays).toBeCloseTo(2, 6);
});

test('the same figures come out each time', () => {
  expect(measureScale('majority', 5)).toEqual(measureScale('majority', 5));
});

test('sizes go up to the one that is asked for, planes where there are any', () => {
  expect(sizesUpTo(13).filter(({ family }) => family === 'plane').map(({ nodes }) => nodes)).toEqual([3, 7, 13]);
  expect(Math.max(...sizesUpTo(1_000).map(({ nodes }) => nodes))).toBe(1_000);
});

test('those that ask everybody', () => {
  expect(Object.values(ASK_ALL).map((messages) => messages(4))).toEqual([9, 6]);
});
