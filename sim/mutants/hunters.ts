/**
 * Hunts many mutants in several threads. A mutant may never come back from an event, or fill the memory: its
 * thread is then ended. No request is granted any more, so that counts as caught by `progress`.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Catch, Hunt } from './hunt';
import type { Quarry } from './hunt-worker';
import { isItsOwn } from './mutant';
import type { Mutant } from './mutant';

export interface HuntSettings {
  /** Seeds from 1 to this one are tried. */
  readonly seedMax: number;
  readonly jobs: number;
  /** By the name of a mutant: the seed that caught it the last time. */
  readonly remembered: Readonly<Record<string, number>>;
  /** A seed that takes longer never ends. As a rule it takes a hundredth of a second. */
  readonly seedMsMax?: number;
}

const SEED_MS_MAX = 10_000;
const MEMORY_MB_MAX = 1_000;

/** A mutant that hangs at so many seeds is let go. */
const HANGS_MAX = 3;

/** `onHunt` is called as each hunt ends, in whatever order. */
export async function huntAll(mutants: readonly Mutant[], settings: HuntSettings, onHunt: (mutant: Mutant, hunt: Hunt) => void): Promise<void> {
  const left = [...mutants];
  const work = async (): Promise<void> => {
    const hunter = new Hunter(settings);
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) onHunt(mutant, await hunter.hunt(mutant));
    await hunter.stop();
  };
  await Promise.all(Array.from({ length: Math.min(settings.jobs, mutants.length) }, work));
}

/** One thread, replaced when it hangs. */
class Hunter {
  private thread: Worker | null = null;
  /** The seed that the thread is at, and how many it has begun. */
  private readonly at = new Uint32Array(new SharedArrayBuffer(8));

  constructor(private readonly settings: HuntSettings) {}

  async hunt(mutant: Mutant): Promise<Hunt> {
    const { seedMax, remembered } = this.settings;
    const others: Catch[] = [];
    let seedsRun = 0;
    let quarry: Quarry = { mutant, seeds: { remembered: remembered[mutant.name], from: 1, to: seedMax } };
    for (let hangs = 1; ; hangs++) {
      const before = this.at[1] ?? 0;
      const found = await this.ask(quarry);
      seedsRun += (this.at[1] ?? 0) - before;
      if (found !== null) return { caught: found.caught, others: [...others, ...found.others], seedsRun };
      await this.stop();
      const hung: Catch = { check: 'progress', seed: this.at[0] ?? 0, events: 0, isHung: true };
      if (isItsOwn(mutant, hung.check)) return { caught: hung, others, seedsRun };
      if (others.length === 0) others.push(hung);
      if (hangs === HANGS_MAX) return { caught: null, others, seedsRun };
      const wasRemembered = quarry.seeds.remembered === hung.seed;
      quarry = { mutant, seeds: { from: wasRemembered ? 1 : hung.seed + 1, to: seedMax } };
    }
  }

  async stop(): Promise<void> {
    await this.thread?.terminate();
    this.thread = null;
  }

  /** Null when it hangs. */
  private ask(quarry: Quarry): Promise<Hunt | null> {
    const thread = this.thread ??= new Worker(join(__dirname, 'hunt-worker.js'), {
      workerData: this.at.buffer,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB_MAX },
    });
    return new Promise((resolve, reject) => {
      const before = this.at[1];
      let begun = before;
      const watch = setInterval(() => {
        // It may take long until the thread has loaded what it needs.
        if (begun !== before && this.at[1] === begun) settle(() => resolve(null));
        begun = this.at[1];
      }, this.settings.seedMsMax ?? SEED_MS_MAX);
      const onMessage = (found: Hunt): void => settle(() => resolve(found));
      const onError = (error: NodeJS.ErrnoException): void => settle(() => (error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? resolve(null) : reject(error)));
      const settle = (done: () => void): void => {
        clearInterval(watch);
        thread.off('message', onMessage).off('error', onError);
        done();
      };
      thread.on('message', onMessage).on('error', onError);
      thread.postMessage(quarry);
    });
  }
}
