#!/usr/bin/env node
/**
 * The command `maekawa`: finds the subcommand, and turns every error into one clear line and an exit
 * code of its own. Law: a user never sees a stack trace for what is not a bug.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { LockError } from '../errors';
import { demoCommand } from './demo';
import { EXIT, EXIT_CODE_HELP, ExitWith, exitCodeOf } from './exit-codes';
import { lockCommand, stealCommand } from './lock';
import { nodeCommand } from './node';
import { quorumsCommand } from './quorums';
import { statusCommand } from './status';
import { watchCommand, whoCommand } from './who';

function program(): Command {
  const maekawa = new Command('maekawa')
    .description('A lock that a fleet of machines shares without any server.')
    .version(packageVersion())
    .showHelpAfterError('(add --help for how to use it)')
    .addHelpText('after', `
Start with:
  maekawa demo                             see four nodes share a lock and lose one of them
  maekawa quorums init --nodes 3           write a configuration
  maekawa node --id n1                     start a node
  maekawa lock invoices -- ./job.sh        run a command while holding a lock

${EXIT_CODE_HELP}`);
  for (const command of [
    nodeCommand(), lockCommand(), statusCommand(), whoCommand(), watchCommand(), stealCommand(), quorumsCommand(), demoCommand(),
  ]) {
    maekawa.addCommand(command);
  }
  return exitInsteadOfEnding(maekawa);
}

/** Commander ends the process by itself unless every command is told not to. */
function exitInsteadOfEnding(command: Command): Command {
  command.exitOverride();
  for (const each of command.commands) exitInsteadOfEnding(each);
  return command;
}

function packageVersion(): string {
  // Two folders up from src/cli when run from source, three when built.
  const path = ['../../package.json', '../../../package.json'].map((each) => join(__dirname, each)).find(existsSync);
  return path === undefined ? 'unknown' : (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

export async function main(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(argv, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // Commander has printed what it has to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof LockError) process.stderr.write(`maekawa: ${error.message}\n`);
    else if (!(error instanceof ExitWith)) process.stderr.write(`maekawa: this is a bug: ${error instanceof Error ? error.stack : String(error)}\n`);
    return exitCodeOf(error);
  }
}

if (require.main === module) {
  // A reader that went away, such as head(1), ends the program quietly.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
  });
  main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  }, () => undefined);
}
