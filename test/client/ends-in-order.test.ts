import { setImmediate as nextTurn } from 'node:timers/promises';
import { EndsInOrder } from '../../src/client/ends-in-order';

function recorded(): { readonly ended: number[]; readonly end: (number: number) => void } {
  const ends = new EndsInOrder();
  const ended: number[] = [];
  return { ended, end: (number) => ends.end({ number, end: () => ended.push(number) }) };
}

test('each stream younger than the one before: all end at once', () => {
  const { ended, end } = recorded();
  for (const number of [1, 2, 5]) end(number);
  expect(ended).toEqual([1, 2, 5]);
});

test('a stream older than one that ended in this turn ends in the next one, and so do those after it', async () => {
  const { ended, end } = recorded();
  for (const number of [2, 3, 1, 4]) end(number);
  expect(ended).toEqual([2, 3]);
  await nextTurn();
  expect(ended).toEqual([2, 3, 1, 4]);
});

test('each of several ages falls into a turn of its own', async () => {
  const { ended, end } = recorded();
  for (const number of [3, 2, 1]) end(number);
  const turns = [[...ended]];
  while (ended.length < 3) {
    await nextTurn();
    turns.push([...ended]);
  }
  expect(turns).toEqual([[3], [3, 2], [3, 2, 1]]);
});

test('what ended in an earlier turn holds nobody up', async () => {
  const { ended, end } = recorded();
  end(2);
  await nextTurn();
  end(1);
  expect(ended).toEqual([2, 1]);
});
