import { Flusher } from '../../src/client-protocol/flusher';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A flusher that notes how often it flushed when each of these things came up. */
function noted(): { readonly flusher: Flusher; readonly flushes: () => number } {
  let count = 0;
  return { flusher: new Flusher(() => count++), flushes: () => count };
}

test('what comes up first in a turn leaves as one, in that turn, after the promises that are settled and all that they settle', async () => {
  await turn();
  const { flusher, flushes } = noted();
  const seen: number[] = [];
  const chain = async (): Promise<void> => {
    for (let link = 0; link < 10; link++) {
      await Promise.resolve();
      flusher.set();
      seen.push(flushes());
    }
  };
  await new Promise<void>((resolve) => {
    // A turn of its own: no promise of the test goes on in it.
    setTimeout(() => {
      flusher.set();
      void Promise.all([chain(), chain()]);
      setImmediate(() => {
        seen.push(flushes());
        resolve();
      });
    });
  });
  expect(seen).toEqual([...Array<number>(20).fill(0), 1]);
});

test('what comes up later in the turn leaves as one in the next, and after that all is as at first', async () => {
  const { flusher, flushes } = noted();
  await turn();
  flusher.set();
  await new Promise((resolve) => process.nextTick(resolve));
  await new Promise((resolve) => process.nextTick(resolve));
  expect(flushes()).toBe(1);
  for (let i = 0; i < 5; i++) {
    flusher.set();
    await new Promise((resolve) => process.nextTick(resolve));
    expect(flushes()).toBe(1);
  }
  await turn();
  await turn();
  expect(flushes()).toBe(2);
  flusher.set();
  await new Promise((resolve) => process.nextTick(resolve));
  await new Promise((resolve) => process.nextTick(resolve));
  expect(flushes()).toBe(3);
});

test('it flushes for a test that fakes all timers', async () => {
  const { flusher, flushes } = noted();
  const realTurn = setImmediate;
  jest.useFakeTimers();
  try {
    flusher.set();
    await new Promise((resolve) => realTurn(resolve));
    expect(flushes()).toBe(1);
  } finally {
    jest.useRealTimers();
  }
});
