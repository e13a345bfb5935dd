/** The command: reads what is asked for, searches, tells how far it is and what it found. */
import { writeFileSync } from 'node:fs';
import { print } from '../../src/standard-output';
import { PRODUCTION_CORE } from '../core';
import type { Core } from '../core';
import { loadMutant } from '../mutants/load';
import { USAGE, UsageError, parseOptions } from './options';
import type { Options } from './options';
import { asConversation, stepsTo } from './path';
import { describeProgress, describeReach, describeSetup } from './report';
import { Search } from './search';
import type { Progress, Verdict } from './search';
import { System } from './system';

/** How it ended, as an exit code. */
export const EXIT = { clean: 0, violation: 1, usage: 2, limit: 3 } as const;

export interface Terminal {
  /** What was found. */
  readonly tell: (text: string) => void;
  /** How far it is, and what was wrong with the command. */
  readonly note: (text: string) => void;
}

const CONSOLE: Terminal = { tell: (text) => print(`${text}\n`), note: (text) => console.error(text) };
const PROGRESS_EVERY_MS = 2000;

/** @returns the exit code, one of `EXIT` */
export function run(args: readonly string[], core: Core = PRODUCTION_CORE, terminal: Terminal = CONSOLE): number {
  let options: Options;
  try {
    options = parseOptions(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    terminal.note(`${error.message}\n\n${USAGE}`);
    return EXIT.usage;
  }
  if (options.help) {
    terminal.tell(USAGE);
    return EXIT.clean;
  }
  return explore(options, options.mutant === null ? core : loadMutant(options.mutant), terminal);
}

function explore({ setup, limits, save }: Options, core: Core, { tell, note }: Terminal): number {
  tell(describeSetup(setup));
  const system = new System(setup, core);
  const search = new Search(system);
  const startedMs = performance.now();
  const seconds = (): number => (performance.now() - startedMs) / 1000;
  let nextNoteMs = startedMs + PROGRESS_EVERY_MS;
  const watch = (progress: Progress): void => {
    if (performance.now() < nextNoteMs) return;
    nextNoteMs += PROGRESS_EVERY_MS;
    note(`${describeProgress(progress, seconds())}, ${progress.ahead.toLocaleString('en')} ahead, ${Math.round(search.bytes / 2 ** 20)} MiB`);
  };
  const verdict = search.run(limits, watch);
  tell(`${describeProgress(search.progress, seconds())}\n${describeReach(system)}`);
  switch (verdict.kind) {
    case 'clean':
      tell('Clean: every reachable state keeps the rules, and from every quiet one all that wait are served.');
      return EXIT.clean;
    case 'limit':
      tell(`Stopped at the limit of ${verdict.what}. Nothing is wrong on any path of ${search.progress.depth} steps.`);
      return EXIT.limit;
    case 'violation': {
      const text = conversationOf(system, search, verdict, core);
      tell(text);
      if (save !== null) writeFileSync(save, text);
      return EXIT.violation;
    }
  }
}

function conversationOf(system: System, search: Search, verdict: Extract<Verdict, { kind: 'violation' }>, core: Core): string {
  const { failure } = verdict;
  const steps = stepsTo(system, search, verdict);
  const { text, showsIt } = asConversation(system.setup, core, steps, failure);
  const proof = showsIt ? '' : '\n# The scenario leads up to it, and does not show it by itself.';
  return `# VIOLATION ${failure.check}, ${steps.length} steps from the beginning.${proof}\n${text}`;
}
