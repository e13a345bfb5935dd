/** One thread of `npm run sim:mutants`: hunts the mutants that it is sent. */
import { parentPort } from 'node:worker_threads';
import { MUTANTS } from './catalogue';
import { hunt } from './hunt';

/** What a thread is asked. */
export interface Quarry {
  readonly mutant: string;
  readonly seedMax: number;
}

parentPort?.on('message', ({ mutant, seedMax }: Quarry) => {
  const found = MUTANTS.find((each) => each.name === mutant);
  if (found === undefined) throw new Error(`no mutant ${mutant}`);
  parentPort?.postMessage(hunt(found, seedMax));
});
