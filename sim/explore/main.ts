/** `npm run sim:explore`: searches, reports, and says with its exit code how it ended. */
import { writeFileSync } from 'node:fs';
import { PRODUCTION_CORE } from '../core';
import { USAGE, UsageError, parseOptions } from './options';
import type { Options } from './options';
import { asConversation, stepsTo } from './path';
import { describeProgress, describeReach, describeSetup } from './report';
import { Search } from './search';
import type { Progress, Verdict } from './search';
import { System } from './system';

const EXIT = { clean: 0, violation: 1, usage: 2, limit: 3 } as const;
const PROGRESS_EVERY_MS = 2000;

function main(): number {
  let options: Options;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    return EXIT.usage;
  }
  if (options.help) {
    console.log(USAGE);
    return EXIT.clean;
  }
  return explore(options);
}

function explore({ setup, limits, save }: Options): number {
  console.log(describeSetup(setup));
  const system = new System(setup, PRODUCTION_CORE);
  const search = new Search(system);
  const startedMs = performance.now();
  const secondsSoFar = (): number => (performance.now() - startedMs) / 1000;
  let nextLineMs = startedMs + PROGRESS_EVERY_MS;
  const watch = (progress: Progress): void => {
    if (performance.now() < nextLineMs) return;
    nextLineMs += PROGRESS_EVERY_MS;
    console.error(`${describeProgress(progress, secondsSoFar())}, ${progress.ahead.toLocaleString('en')} ahead, ${Math.round(search.bytes / 2 ** 20)} MiB`);
  };
  const verdict = search.run(limits, watch);
  console.log(`${describeProgress(search.progress, secondsSoFar())}\n${describeReach(system)}`);
  return conclude(verdict, () => {
    if (verdict.kind !== 'violation') return '';
    const steps = stepsTo(system, search, verdict);
    const { text } = asConversation(setup, PRODUCTION_CORE, steps, verdict.failure);
    if (save !== null) writeFileSync(save, text);
    return `${steps.length} steps:\n\n${text}`;
  });
}

function conclude(verdict: Verdict, tell: () => string): number {
  switch (verdict.kind) {
    case 'clean':
      console.log('Clean: every reachable state keeps the rules, and from every quiet one all that wait are served.');
      return EXIT.clean;
    case 'limit':
      console.log(`Stopped at the limit of ${verdict.what}. Nothing wrong so far.`);
      return EXIT.limit;
    case 'violation':
      console.log(`VIOLATION ${verdict.failure.check}: ${verdict.failure.detail}\n${tell()}`);
      return EXIT.violation;
  }
}

process.exitCode = main();
