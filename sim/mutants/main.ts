/**
 * `npm run sim:mutants`: runs the core with each planted bug until a check notices, and prints which did
 * and at which seed. Ends with 0 when each was caught by a check of its own, 1 when one was not, 2 when
 * the command line is wrong.
 */
import { availableParallelism } from 'node:os';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { endUnlessWritten, print } from '../../src/standard-output';
import { EXIT } from '../main';
import type { Output } from '../main';
import { wholeNumber } from '../options';
import { sweep } from '../sweep';
import { CANARY, CANARY_SEEDS, isAsExpected } from './canary';
import { MUTANTS } from './catalogue';
import { huntAll } from './hunters';
import type { Hunt } from './hunt';
import { misfitOf } from './load';
import { recall, remember } from './memory';
import type { Memory } from './memory';
import type { Mutant } from './mutant';
import { RULES } from './rules';
import { byCheck, huntRow, summary, tableHead } from './table';

/** Every seed below 10,000 is tried. */
const SEED_MAX = 9_999;

interface CommandLine {
  readonly only?: string;
  readonly seeds: number;
  readonly jobs: number;
  readonly afresh?: true;
  readonly remember?: true;
}

function program(output: Output, done: (exitCode: number) => void): Command {
  return new Command('sim:mutants')
    .description('Plants bugs in the core, one at a time, and shows which check of the simulator finds each, and at which seed.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.write(text), writeErr: (text) => output.write(text) })
    .option('--only <text>', 'the mutants whose name contains this')
    .option('--seeds <number>', 'try the seeds from 1 to this one', wholeNumber(1, 1_000_000), SEED_MAX)
    .option('--jobs <number>', 'threads (default: one for each core)', wholeNumber(1, 64), availableParallelism())
    .option('--afresh', 'find the first seed that catches each, and ignore the seeds of the last time')
    .option('--remember', 'write down which seed caught each; the next hunt tries it first')
    .addHelpText('after', `
The hunt first tries the seed that caught a mutant the last time. If that seed no longer catches it, it tries all seeds from 1 on.

Examples:
  npm run sim:mutants
  npm run sim:mutants -- --only token
  npm run sim:mutants -- --afresh --remember
  npm run sim -- --seed 4 --mutant no-floor --trace    replays a row; add the options in its brackets
  npm run sim:clients -- --seed 8 --mutant theft-frees-at-once --trace    so does this, of a row with [sim:clients]

Exit codes: 0 each mutant was caught by a check that stands for what it breaks, 1 one was not, or no longer
fits the core, 2 the command line is wrong.`)
    .action(async (line: CommandLine) => {
      const mutants = MUTANTS.filter(({ name }) => line.only === undefined || name.includes(line.only));
      if (mutants.length === 0) throw new InvalidArgumentError(`no mutant has "${line.only}" in its name`);
      const misfits = mutants.flatMap((mutant) => misfitOf(mutant) ?? []);
      if (misfits.length > 0) {
        output.write(`error: the core was changed where bugs are planted; plant these anew:\n  ${misfits.join('\n  ')}\n`);
        return done(EXIT.violation);
      }
      const isClean = await huntAndTell(mutants, line, output);
      const isHeard = line.only !== undefined || await tellCanary(line, output);
      done(isClean && isHeard ? EXIT.clean : EXIT.violation);
    });
}

/** The rows come in the order of the catalogue, each as soon as those before it are known. */
async function huntAndTell(mutants: readonly Mutant[], line: CommandLine, output: Output): Promise<boolean> {
  const hunts = new Map<Mutant, Hunt>();
  const memory = recall();
  const startedAt = performance.now();
  let told = 0;
  output.write(tableHead(mutants));
  await huntAll(mutants, { seedMax: line.seeds, jobs: line.jobs, remembered: line.afresh === true ? {} : memory }, (found, itsHunt) => {
    hunts.set(found, itsHunt);
    for (let mutant = mutants[told]; mutant !== undefined; mutant = mutants[told]) {
      const hunt = hunts.get(mutant);
      if (hunt === undefined) break;
      if (told === RULES.length && line.only === undefined) output.write('\n');
      output.write(huntRow(mutant, hunt, mutants));
      told++;
    }
  });
  const missed = mutants.filter((mutant) => (hunts.get(mutant)?.caught ?? null) === null);
  const seedsRun = [...hunts.values()].reduce((sum, hunt) => sum + hunt.seedsRun, 0);
  output.write(`\n${summary(mutants.length, missed)}\n`);
  output.write(`  by check: ${byCheck(hunts.values())}\n  ${seedsRun} seeds in ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
  if (line.remember === true) remember(updated(memory, hunts));
  return missed.length === 0;
}

/** In the order of the catalogue; what was not hunted this time stays as it was. */
function updated(memory: Memory, hunts: ReadonlyMap<Mutant, Hunt>): Memory {
  return Object.fromEntries(MUTANTS.flatMap((mutant) => {
    const hunt = hunts.get(mutant);
    const seed = hunt === undefined ? memory[mutant.name] : hunt.caught?.seed;
    return seed === undefined ? [] : [[mutant.name, seed] as const];
  }));
}

/** A bug that shows in about one seed of a hundred: a sweep must report it as often as that. */
async function tellCanary({ jobs }: CommandLine, output: Output): Promise<boolean> {
  const totals = await sweep({
    from: 1, to: CANARY_SEEDS, options: {}, mutant: CANARY, jobs, failuresMax: Infinity, onProgress: () => undefined,
  });
  const isHeard = isAsExpected(totals);
  const verdict = isHeard ? 'as expected' : 'NOT AS EXPECTED: about one in a hundred must fail, by the checks of tokens';
  output.write(`  canary (${CANARY.what}): ${totals.failures.length} of ${totals.seeds} seeds of a sweep failed, ${verdict}\n`);
  return isHeard;
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
  endUnlessWritten();
  const output: Output = { write: print, isTerminal: process.stdout.isTTY };
  void main(process.argv.slice(2), output).then((code) => (process.exitCode = code));
}
