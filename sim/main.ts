/**
 * `npm run sim`: runs seeds of the simulator and says what happened. Ends with 0 when all checks held,
 * 1 when one failed, 2 when the command line is wrong.
 */
import { availableParallelism } from 'node:os';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { endUnlessWritten, print } from '../src/standard-output';
import { PRODUCTION_CORE } from './core';
import type { Core } from './core';
import { drawPlan } from './plan/draw';
import type { RunOptions } from './plan/draw';
import { explain, replayFiles } from './explain';
import { planted as plantedByName } from './mutants/catalogue';
import { loadMutant } from './mutants/load';
import type { Mutant } from './mutants/mutant';
import { addRunOptions, faultHelp, profileHelp, runOptionsOf, wholeNumber } from './options';
import type { CommandLine, SeedRange } from './options';
import { addReport, newTotals } from './outcome/totals';
import { commandFor, describeFigures, describePlan } from './outcome/words';
import type { Violation } from './outcome/report';
import type { Totals } from './outcome/totals';
import { runPlan } from './run';
import { describeSightings, uncovered } from './outcome/sometimes';
import { sweep } from './sweep';
import { traceTo } from './outcome/trace';

export const EXIT = { clean: 0, violation: 1, usage: 2 } as const;

/** Failing seeds that are reported before a sweep stops. */
const FAILURES_MAX = 10;

export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
}

export function program(output: Output, done: (exitCode: number) => void): Command {
  const command = new Command('sim')
    .description('Runs the production core on a virtual clock and a seeded network, with every check on.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.write(text), writeErr: (text) => output.write(text) });
  return addRunOptions(command)
    .option('--trace', 'print every event and effect (one seed)')
    .option('--minimise [file]', 'cut a failing seed down to the events that it needs, and save it (default: minimal-SEED.json)')
    .option('--html <file>', 'write the run as a page')
    .option('--shiviz <file>', 'write the run as a log for ShiViz')
    .option('--mutant <name>', 'plant this bug in the core first; the table of npm run sim:mutants has their names')
    .option('--replay <files...>', 'run saved plans again, or feed traces of real nodes through the core')
    .option('--jobs <number>', 'threads (default: one for each core)', wholeNumber(1, 64))
    .option('--keep-going', `do not stop a sweep after ${FAILURES_MAX} failing seeds`)
    .addHelpText('after', `
What is not fixed, the seed draws. Two runs of one seed give the same hash, on any machine.

Profiles for --profile:
${profileHelp()}

Faults for --faults:
${faultHelp()}

Examples:
  npm run sim -- --seed 42
  npm run sim -- --seed 42 --trace | less
  npm run sim -- --seed 42 --minimise --html run.html
  npm run sim -- --replay n1.trace n2.trace n3.trace --html trace.html
  npm run sim -- --seeds 1..10000
  npm run sim -- --seeds 1..1000 --nodes 7 --family plane --faults loss=0.1,crash=2

Ends with 0 when all checks held, 1 when one failed, 2 when the command line is wrong.`)
    .action(async (line: CommandLine) => {
      if (line.seed !== undefined && line.seeds !== undefined) throw new InvalidArgumentError('--seed and --seeds exclude each other');
      const options = runOptionsOf(line);
      const planted = plantedBy(line);
      const core = planted === undefined ? PRODUCTION_CORE : loadMutant(planted);
      if (line.replay !== undefined) return done(replayFiles(line.replay, line, { core, write: linesTo(output) }) ? EXIT.clean : EXIT.violation);
      done(line.seeds === undefined ? runOne(line, options, core, output) : await runMany(line.seeds, line, options, planted, output));
    });
}

/** @throws InvalidArgumentError when there is no such mutant */
function plantedBy({ mutant }: CommandLine): Mutant | undefined {
  try {
    return mutant === undefined ? undefined : plantedByName(mutant);
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

function commandOf(seed: number, options: RunOptions, { mutant }: CommandLine): string {
  return `${commandFor(seed, options)}${mutant === undefined ? '' : ` --mutant ${mutant}`}`;
}

function linesTo(output: Output): (line: string) => void {
  return (line) => output.write(`${line}\n`);
}

function runOne(line: CommandLine, options: RunOptions, core: Core, output: Output): number {
  const { seed = 1, trace } = line;
  const plan = drawPlan(seed, options);
  const startedAt = performance.now();
  const report = runPlan(plan, { core, ...(trace === true ? { observer: traceTo(plan, linesTo(output)) } : {}) });
  const tookMs = performance.now() - startedAt;
  const totals = newTotals();
  addReport(totals, report);
  output.write(`seed ${seed}  ${describePlan(plan)}\n${describeFigures(totals)}\n  hash ${report.hash}; ${rate(totals, tookMs)}\n`);
  const { violation } = report;
  const command = commandOf(seed, options, line);
  output.write(violation === null ? 'all checks held\n' : describeFailure(violation, command));
  explain(report, line, { core, write: linesTo(output), command });
  return violation === null ? EXIT.clean : EXIT.violation;
}

async function runMany({ from, to }: SeedRange, line: CommandLine, options: RunOptions, mutant: Mutant | undefined, output: Output): Promise<number> {
  const { jobs, keepGoing } = line;
  const startedAt = performance.now();
  const seeds = to - from + 1;
  const totals = await sweep({
    from, to, options, mutant,
    jobs: jobs ?? availableParallelism(),
    failuresMax: keepGoing === true ? Infinity : FAILURES_MAX,
    onProgress: (sofar) => {
      if (output.isTerminal) output.write(`\r\x1b[K${progress(sofar, seeds, performance.now() - startedAt)}`);
    },
  });
  if (output.isTerminal) output.write('\r\x1b[K');
  const tookMs = performance.now() - startedAt;
  output.write(`seeds ${from}..${to}: ${totals.seeds} run, ${totals.failures.length} failed; ${rate(totals, tookMs)}\n${describeFigures(totals)}\n${describeSightings(totals.sometimes)}\n`);
  for (const failure of totals.failures) output.write(describeFailure(failure.violation, commandOf(failure.seed, options, line)));
  if (totals.failures.length > 0) return EXIT.violation;
  output.write('all checks held\n');
  const unseen = uncovered(totals.seeds, Object.keys(options).length === 0, totals.sometimes);
  if (unseen.length === 0) return EXIT.clean;
  output.write(`NOT COVERED: these situations never came up in ${totals.seeds} seeds, so the checks say nothing about them. Run more seeds, or mend the draw:\n  ${unseen.join('\n  ')}\n`);
  return EXIT.violation;
}

/** @param command which replays it */
export function describeFailure({ check, atUs, detail }: Pick<Violation, 'atUs' | 'detail'> & { readonly check: string }, command: string): string {
  return `\nVIOLATION of ${check} at ${(atUs / 1000).toFixed(3)} ms: ${detail}\n  replay: ${command} --trace\n`;
}

function progress(totals: Readonly<Totals>, seeds: number, tookMs: number): string {
  const share = totals.seeds / seeds;
  const bar = '█'.repeat(Math.round(share * 30)).padEnd(30, '·');
  const failed = totals.failures.length === 0 ? '' : `, ${totals.failures.length} failed`;
  return `${bar} ${totals.seeds} of ${seeds}${failed}; ${rate(totals, tookMs)}`;
}

function rate(totals: Readonly<Totals>, tookMs: number): string {
  const seconds = Math.max(tookMs, 1) / 1000;
  const perSecond = (count: number): string => Math.round(count / seconds).toLocaleString('en-US');
  return `${perSecond(totals.events)} events/s, ${perSecond(totals.seeds * 60)} seeds/min`;
}

export async function main(argv: readonly string[], output: Output): Promise<number> {
  let exitCode: number = EXIT.usage;
  try {
    await program(output, (code) => (exitCode = code)).parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof RangeError || isSystemError(error)) {
      output.write(`error: ${error.message}\n`);
      return EXIT.usage;
    }
    if (!(error instanceof CommanderError)) throw error;
    if (error instanceof InvalidArgumentError) output.write(`error: ${error.message}\n`);
    return error.exitCode === 0 ? EXIT.clean : EXIT.usage;
  }
}

/** Such as a file that is not there. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return typeof error === 'object' && error !== null && 'syscall' in error;
}

if (require.main === module) {
  endUnlessWritten();
  const output: Output = { write: print, isTerminal: process.stdout.isTTY };
  void main(process.argv.slice(2), output).then((code) => (process.exitCode = code));
}
