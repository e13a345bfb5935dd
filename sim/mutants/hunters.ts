/** Hunts many mutants in several threads. A mutant may loop for ever: its thread is then ended. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Hunt } from './hunt';
import type { Quarry } from './hunt-worker';
import type { Mutant } from './mutant';

/** A hunt of a few thousand seeds takes some seconds. */
const HUNT_MS_MAX = 120_000;

/** `onHunt` is called as each hunt ends, in whatever order. */
export async function huntAll(mutants: readonly Mutant[], seedMax: number, jobs: number, onHunt: (hunt: Hunt) => void): Promise<void> {
  const left = [...mutants];
  const work = async (): Promise<void> => {
    let worker = newWorker();
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const found = await huntIn(worker, { mutant: mutant.name, seedMax });
      if (found === null) {
        await worker.terminate();
        worker = newWorker();
      }
      onHunt(found ?? { mutant: mutant.name, caught: null, others: [], hung: true });
    }
    await worker.terminate();
  };
  await Promise.all(Array.from({ length: Math.min(jobs, mutants.length) }, work));
}

function newWorker(): Worker {
  return new Worker(join(__dirname, 'hunt-worker.js'));
}

/** Null when it took too long. */
function huntIn(worker: Worker, quarry: Quarry): Promise<Hunt | null> {
  return new Promise((resolve, reject) => {
    const onMessage = (found: Hunt): void => settle(() => resolve(found));
    const onError = (error: unknown): void => settle(() => reject(error instanceof Error ? error : new Error(String(error))));
    const timer = setTimeout(() => settle(() => resolve(null)), HUNT_MS_MAX);
    const settle = (done: () => void): void => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('error', onError);
      done();
    };
    worker.on('message', onMessage).on('error', onError);
    worker.postMessage(quarry);
  });
}
