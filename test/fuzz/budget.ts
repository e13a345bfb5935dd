/** How much a fuzzer does: so many cases in CI, so many seconds by hand (`npm run fuzz -- --seconds 300 --seed 7`). */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export const seed = Number(process.env.FUZZ_SEED ?? 1);

const seconds = Number(process.env.FUZZ_SECONDS ?? 0);

/** By hand a fuzzer takes its seconds, and then some to look at what is left. */
export const timeoutMs = Math.max(120_000, 2_000 * seconds + 60_000);

/** Calls until the budget is used up; each number makes one case. Says how many there were. */
export async function eachCase(count: number, run: (number: number) => Promise<void> | void): Promise<number> {
  const endMs = performance.now() + seconds * 1000;
  let number = 0;
  while (seconds > 0 ? performance.now() < endMs : number < count) await run(number++);
  return number;
}

/** What the heap holds when all that is garbage is gone. */
export async function heapBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  return process.memoryUsage().heapUsed;
}
