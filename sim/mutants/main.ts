/**
 * `npm run sim:mutants`: runs the core with each planted bug until a check notices, and prints which did
 * and at which seed. Ends with 0 when each was caught by a check of its own, 1 when one was not, 2 when
 * the command line is wrong.
 */
import { availableParallelism } from 'node:os';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { EXIT } from '../main';
import type { Output } from '../main';
import { wholeNumber } from '../options';
import { CANARY, sweepCanary } from './canary';
import { MUTANTS } from './catalogue';
import { huntAll } from './hunters';
import type { Hunt } from './hunt';
import type { Mutant } from './mutant';
import { RULES } from './rules';
import { huntRow, summary, tableHead } from './table';

/** Every seed below 10,000 is tried. */
const SEED_MAX = 9_999;

interface CommandLine {
  readonly only?: string;
  readonly seeds: number;
  readonly jobs: number;
}

function program(output: Output, done: (exitCode: number) => void): Command {
  return new Command('sim:mutants')
    .description('Plants bugs in the core, one at a time, and shows which check of the simulator finds each, and at which seed.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.write(text), writeErr: (text) => output.write(text) })
    .option('--only <text>', 'the mutants whose name contains this')
    .option('--seeds <number>', 'try so many seeds', wholeNumber(1, 1_000_000), SEED_MAX)
    .option('--jobs <number>', 'threads (default: one for each core)', wholeNumber(1, 64), availableParallelism())
    .addHelpText('after', `
Examples:
  npm run sim:mutants
  npm run sim:mutants -- --only token

Ends with 0 when each mutant was caught by a check that stands for what it breaks, 1 when one was not,
2 when the command line is wrong.`)
    .action(async ({ only, seeds, jobs }: CommandLine) => {
      const mutants = MUTANTS.filter(({ name }) => only === undefined || name.includes(only));
      if (mutants.length === 0) throw new InvalidArgumentError(`no mutant has a name with "${only}" in it`);
      const isClean = await huntAndTell(mutants, seeds, jobs, output);
      done(isClean && (only !== undefined || tellCanary(output)) ? EXIT.clean : EXIT.violation);
    });
}

/** The rows come in the order of the catalogue, each as soon as those before it are known. */
async function huntAndTell(mutants: readonly Mutant[], seedMax: number, jobs: number, output: Output): Promise<boolean> {
  const hunts = new Map<string, Hunt>();
  let told = 0;
  output.write(tableHead(mutants));
  await huntAll(mutants, seedMax, jobs, (found) => {
    hunts.set(found.mutant, found);
    for (let mutant = mutants[told]; mutant !== undefined; mutant = mutants[told]) {
      const hunt = hunts.get(mutant.name);
      if (hunt === undefined) break;
      if (told === RULES.length && mutants.length > told) output.write('\n');
      output.write(huntRow(mutant, hunt, mutants));
      told++;
    }
  });
  const missed = mutants.filter(({ name }) => (hunts.get(name)?.caught ?? null) === null);
  output.write(summary(mutants.length, missed));
  return missed.length === 0;
}

/** A bug that shows in about one seed of a hundred: the sweep must report it as often as that. */
function tellCanary(output: Output): boolean {
  const { seeds, failures, isAsExpected } = sweepCanary();
  const verdict = isAsExpected ? '' : '; the sweep does not report what fails';
  output.write(`canary (${CANARY.what}): ${failures} of ${seeds} seeds failed${verdict}\n`);
  return isAsExpected;
}

export async function main(argv: readonly string[], output: Output): Promise<number> {
  let exitCode: number = EXIT.usage;
  try {
    await program(output, (code) => (exitCode = code)).parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error instanceof InvalidArgumentError) output.write(`error: ${error.message}\n`);
    return error.exitCode === 0 ? EXIT.clean : EXIT.usage;
  }
}

if (require.main === module) {
  const output: Output = { write: (text) => process.stdout.write(text), isTerminal: process.stdout.isTTY };
  void main(process.argv.slice(2), output).then((code) => (process.exitCode = code));
}
