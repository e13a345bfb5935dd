/**
 * The command `maekawa`: finds the subcommand, and turns every error into one clear line and an exit
 * code of its own. Law: a user never sees a stack trace for what is not a bug.
 */
import { CommanderError } from 'commander';
import { LockError } from '../errors';
import { endUnlessWritten } from '../standard-output';
import { endOptions } from './end-options';
import { DieOf, EXIT, ExitWith, dieOf, exitCodeOf } from './exit-codes';
import { noteDescriptors } from './launch';
import { complain } from './print';
import { createProgram } from './program';

async function run(argv: readonly string[]): Promise<ExitWith> {
  try {
    const program = createProgram();
    await program.parseAsync(endOptions(program, argv), { from: 'user' });
    return new ExitWith(EXIT.ok);
  } catch (error) {
    if (error instanceof ExitWith) return error;
    // Commander has printed what it has to say.
    if (error instanceof CommanderError) return new ExitWith(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
    if (error instanceof LockError) complain(error.message);
    else complain(`this is a bug: ${error instanceof Error ? error.stack : String(error)}`);
    return new ExitWith(exitCodeOf(error));
  }
}

/** As the program that this process is. */
export function start(): void {
  noteDescriptors();
  endUnlessWritten();
  // What is told goes nowhere then; the command and its lock go on.
  process.stderr.on('error', () => undefined);
  run(process.argv.slice(2)).then((end) => {
    process.exitCode = end.exitCode;
    // At once: not even `process.exit` ends a process that looks up a name.
    if (end instanceof DieOf) dieOf(end.signal);
  }, () => undefined);
}
