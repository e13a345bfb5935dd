/** One thread of `npm run sim:mutants`: hunts the mutants that it is sent. */
import { parentPort, workerData } from 'node:worker_threads';
import { hunt } from './hunt';
import type { Seeds } from './hunt';
import type { Mutant } from './mutant';

/** What a thread is asked. */
export interface Quarry {
  readonly mutant: Mutant;
  readonly seeds: Seeds;
}

/** Shared with who watches this thread: the seed that it is at, and how many it has begun. */
const at = new Uint32Array(workerData as SharedArrayBuffer);

parentPort?.on('message', ({ mutant, seeds }: Quarry) => {
  const found = hunt(mutant, seeds, (seed) => {
    Atomics.store(at, 0, seed);
    Atomics.add(at, 1, 1);
  });
  parentPort?.postMessage(found);
});
