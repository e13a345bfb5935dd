/**
 * `npm run sim:clients`: runs seeds of clients and their nodes (sim/clients) and says what happened. Ends with 0 when all checks
 * held, 1 when one failed, 2 when the command line is wrong.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { endUnlessWritten, print } from '../src/standard-output';
import { CLIENT_CHECKS } from './clients/check';
import type { ClientsOptions } from './clients/draw';
import { CLIENT_PROFILES } from './clients/plan';
import type { ClientProfile } from './clients/plan';
import { newClientsTotals, SITUATIONS } from './clients/sweep';
import { runClientsSeed } from './clients/run';
import type { ClientsReport } from './clients/run';
import { EXIT, describeFailure } from './main';
import type { Output } from './main';
import { planted } from './mutants/catalogue';
import { loadMutant } from './mutants/load';
import { parseSeeds, table, wholeNumber } from './options';
import type { SeedRange } from './options';
import { TWICE_EVERY, runTwice } from './sweep';

const FAILURES_MAX = 10;

interface CommandLine {
  readonly seed?: number;
  readonly seeds?: SeedRange;
  readonly profile?: ClientProfile;
  readonly trace?: true;
  readonly mutant?: string;
}

function program(output: Output, done: (exitCode: number) => void): Command {
  return new Command('sim:clients')
    .description('Runs the machines of the client service, of clients and of their nodes, on a virtual clock, with streams that break at every step.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.write(text), writeErr: (text) => output.write(text) })
    .option('--seed <number>', 'run this seed and report what happened', wholeNumber(0, 2 ** 32 - 1))
    .option('--seeds <from..to>', 'run all these seeds', parseSeeds)
    .addOption(new Option('--profile <name>', 'how hard it is').choices(Object.keys(CLIENT_PROFILES)))
    .option('--trace', 'print everything that happens (one seed)')
    .option('--mutant <name>', 'plant this bug first; the table of npm run sim:mutants has their names')
    .addHelpText('after', `
What is not fixed, the seed draws. Two runs of one seed give the same hash, on any machine.

Profiles for --profile:
${table(CLIENT_PROFILES)}

Checks:
${table(CLIENT_CHECKS)}

Examples:
  npm run sim:clients -- --seed 42 --trace | less
  npm run sim:clients -- --seeds 1..10000

Ends with 0 when all checks held, 1 when one failed, 2 when the command line is wrong.`)
    .action((line: CommandLine) => {
      if (line.seed !== undefined && line.seeds !== undefined) throw new InvalidArgumentError('--seed and --seeds exclude each other');
      done(line.seeds === undefined ? runOne(line, output) : runMany(line.seeds, line, output));
    });
}

function optionsOf({ profile }: CommandLine): ClientsOptions {
  return profile === undefined ? {} : { profile };
}

function toolsOf({ mutant }: CommandLine): { machines?: ReturnType<typeof loadMutant> } {
  return mutant === undefined ? {} : { machines: loadMutant(planted(mutant)) };
}

function runOne(line: CommandLine, output: Output): number {
  const { seed = 1, trace } = line;
  const report = runClientsSeed(seed, optionsOf(line), { ...toolsOf(line), ...(trace === true ? { trace: (text: string) => output.write(`${text}\n`) } : {}) });
  const { plan, events, virtualUs, hash, violation } = report;
  output.write(`seed ${seed}  ${plan.profile}: ${plan.clientRatesPpm.length} clients, ${plan.nodeRatesPpm.length} nodes, ${plan.wishes.length} wishes, ${plan.faults.length} faults, lease ${plan.leaseMs} ms\n`);
  output.write(`  ${events} events in ${(virtualUs / 1e6).toFixed(1)} s of virtual time; hash ${hash}\n`);
  output.write(`  ${[...report.counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([situation, count]) => `${situation} ${count}`).join(', ')}\n`);
  output.write(violation === null ? 'all checks held\n' : describeFailure(violation, commandFor(seed, line)));
  return violation === null ? EXIT.clean : EXIT.violation;
}

function runMany({ from, to }: SeedRange, line: CommandLine, output: Output): number {
  const totals = newClientsTotals();
  const tools = toolsOf(line);
  const run = (seed: number): ClientsReport => runClientsSeed(seed, optionsOf(line), tools);
  for (let seed = from; seed <= to && totals.failures.length < FAILURES_MAX; seed++) totals.add(seed % TWICE_EVERY === 0 ? runTwice(seed, run) : run(seed));
  output.write(`seeds ${from}..${to}: ${totals.seeds} run, ${totals.failures.length} failed; ${totals.events} events\n`);
  output.write(`  in so many seeds: ${totals.situations().map(([situation, count]) => `${situation} ${count}`).join(', ')}\n`);
  for (const { plan, violation } of totals.failures) if (violation !== null) output.write(describeFailure(violation, commandFor(plan.seed, line)));
  if (totals.failures.length > 0) return EXIT.violation;
  output.write('all checks held\n');
  const unseen = totals.uncovered(line.profile === undefined);
  if (unseen.length === 0) return EXIT.clean;
  output.write(`NOT COVERED: of ${SITUATIONS.length} situations these never came up in ${totals.seeds} seeds, so the checks say nothing about them. Run more seeds, or mend the draw:\n  ${unseen.join('\n  ')}\n`);
  return EXIT.violation;
}

function commandFor(seed: number, { profile, mutant }: CommandLine): string {
  return `npm run sim:clients -- --seed ${seed}${profile === undefined ? '' : ` --profile ${profile}`}${mutant === undefined ? '' : ` --mutant ${mutant}`}`;
}

export function main(argv: readonly string[], output: Output): number {
  let exitCode: number = EXIT.usage;
  try {
    program(output, (code) => (exitCode = code)).parse(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof RangeError || error instanceof InvalidArgumentError) {
      output.write(`error: ${error.message}\n`);
      return EXIT.usage;
    }
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.clean : EXIT.usage;
  }
}

if (require.main === module) {
  endUnlessWritten();
  process.exitCode = main(process.argv.slice(2), { write: print, isTerminal: process.stdout.isTTY });
}
