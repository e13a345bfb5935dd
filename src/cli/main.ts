#!/usr/bin/env node
/**
 * The command `maekawa`: finds the subcommand, and turns every error into one clear line and an exit
 * code of its own. Law: a user never sees a stack trace for what is not a bug.
 */
import { constants } from 'node:os';
import { CommanderError } from 'commander';
import { LockError } from '../errors';
import { endUnlessWritten } from '../standard-output';
import { endOptions } from './end-options';
import { ENDING, EXIT, ExitWith, exitCodeOf } from './exit-codes';
import { createProgram } from './program';

/** How long what cannot be called off may keep a process that a signal has ended: a name server that does not answer. */
const LEFT_OVER_MS = 200;

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

/** Not even `process.exit` ends a process that looks up a name. To whoever waits for it the exit code is the same. */
function dieOf(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

if (require.main === module) {
  endUnlessWritten();
  // What is told goes nowhere then; the command and its lock go on.
  process.stderr.on('error', () => undefined);
  main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
    const signal = ENDING.find((each) => code === 128 + constants.signals[each]);
    if (signal !== undefined) setTimeout(() => dieOf(signal), LEFT_OVER_MS).unref();
  }, () => undefined);
}
