#!/usr/bin/env node
/**
 * The command `maekawa`: finds the subcommand, and turns every error into one clear line and an exit
 * code of its own. Law: a user never sees a stack trace for what is not a bug.
 */
import { CommanderError } from 'commander';
import { LockError } from '../errors';
import { endUnlessWritten } from '../standard-output';
import { endOptions } from './end-options';
import { EXIT, ExitWith, exitCodeOf } from './exit-codes';
import { createProgram } from './program';

export async function main(argv: readonly string[]): Promise<number> {
  try {
    const program = createProgram();
    await program.parseAsync(endOptions(program, argv), { from: 'user' });
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
  endUnlessWritten();
  // What is told goes nowhere then; the command and its lock go on.
  process.stderr.on('error', () => undefined);
  main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  }, () => undefined);
}
