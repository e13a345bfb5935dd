import { SharedAnswer } from '../../src/locks/shared-answer';

test('however many ask, one answer is under way and one to come, and none is older than its question', async () => {
  const finish: ((answer: number) => void)[] = [];
  const shared = new SharedAnswer(() => new Promise<number>((resolve) => finish.push(resolve)));
  const first = shared.ask();
  const later = Array.from({ length: 100 }, () => shared.ask());
  expect(finish).toHaveLength(1);
  finish[0]?.(1);
  expect(await first).toBe(1);
  await new Promise(setImmediate);
  expect(finish).toHaveLength(2);
  finish[1]?.(2);
  expect(new Set(await Promise.all(later))).toEqual(new Set([2]));
  void shared.ask();
  expect(finish).toHaveLength(3);
});

test('one that fails fails for those who asked before it began, and for no others', async () => {
  let made = 0;
  const shared = new SharedAnswer(async () => {
    if (++made === 1) throw new Error('unlucky');
    return Promise.resolve(made);
  });
  const first = shared.ask();
  const second = shared.ask();
  await expect(first).rejects.toThrow('unlucky');
  expect(await second).toBe(2);
});
