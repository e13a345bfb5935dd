/**
 * Many seeds, over several threads. The result does not depend on how many: figures add up, and
 * failures come in the order of their seeds.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RunOptions } from './plan/draw';
import { loadMutant } from './mutants/load';
import type { Mutant } from './mutants/mutant';
import { addReport, addTotals, newTotals } from './outcome/totals';
import type { RunReport } from './outcome/report';
import type { Totals } from './outcome/totals';
import { runSeed } from './run';

/** Seeds that a thread runs before it reports. */
const CHUNK = 100;

export interface SweepOptions {
  readonly from: number;
  readonly to: number;
  readonly options: RunOptions;
  /** A bug to plant in the core first. */
  readonly mutant?: Mutant | undefined;
  readonly jobs: number;
  /** Stop when so many seeds have failed. */
  readonly failuresMax: number;
  readonly onProgress: (totals: Readonly<Totals>) => void;
}

/** Every so many seeds, one is run twice: a difference would make every other result worthless. */
export const TWICE_EVERY = 50;

/** What one thread is asked. */
export interface Chunk {
  readonly from: number;
  readonly to: number;
  readonly options: RunOptions;
  readonly mutant?: Mutant | undefined;
}

export function runChunk({ from, to, options, mutant }: Chunk): Totals {
  const totals = newTotals();
  const tools = mutant === undefined ? {} : { core: loadMutant(mutant) };
  const run = (seed: number): RunReport => runSeed(seed, options, tools);
  for (let seed = from; seed <= to; seed++) addReport(totals, seed % TWICE_EVERY === 0 ? runTwice(seed, run) : run(seed));
  return totals;
}

/** The first report, or that with the violation `deterministic` when a second run differs from it. */
export function runTwice<Report extends Pick<RunReport, 'hash' | 'virtualUs'>>(seed: number, run: (seed: number) => Report): Report {
  const first = run(seed);
  const second = run(seed);
  if (first.hash === second.hash) return first;
  const detail = `seed ${seed} has hash ${first.hash} and, run again, ${second.hash}`;
  return { ...first, violation: { check: 'deterministic', detail, atUs: first.virtualUs } };
}

export async function sweep(options: SweepOptions): Promise<Totals> {
  const totals = newTotals();
  const chunks = chunksOf(options);
  const isDone = (): boolean => totals.failures.length >= options.failuresMax;
  const take = (found: Totals): void => {
    addTotals(totals, found);
    options.onProgress(totals);
  };
  if (options.jobs < 2 || chunks.length < 2) {
    for (const chunk of chunks) {
      if (isDone()) break;
      take(runChunk(chunk));
    }
  } else {
    await Promise.all(Array.from({ length: options.jobs }, () => runThread(chunks, take, isDone)));
  }
  totals.failures.sort((a, b) => a.seed - b.seed);
  return totals;
}

function chunksOf({ from, to, options, mutant }: SweepOptions): Chunk[] {
  const chunks: Chunk[] = [];
  for (let start = from; start <= to; start += CHUNK) chunks.push({ from: start, to: Math.min(to, start + CHUNK - 1), options, mutant });
  return chunks;
}

/** One thread, fed until no chunk is left. */
function runThread(chunks: Chunk[], take: (totals: Totals) => void, isDone: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(__dirname, 'sweep-worker.js'));
    const next = (): void => {
      const chunk = isDone() ? undefined : chunks.shift();
      if (chunk === undefined) void worker.terminate().then(() => resolve());
      else worker.postMessage(chunk);
    };
    worker.on('message', (totals: Totals) => {
      take(totals);
      next();
    });
    worker.on('error', reject);
    next();
  });
}
