/**
 * Standard output of a program whose reader may go away, such as head(1).
 * Law: that is no fault of the program, so it ends without a word, with the exit code of one that SIGPIPE ended;
 * no other exit code would be true of what was not told.
 */

/** 128 + SIGPIPE: what a shell says of a program that wrote to a pipe that nobody reads. Node.js ignores the signal itself. */
export const PIPE_CLOSED = 141;
/** EX_IOERR of sysexits.h: what was to be told is not where it belongs, such as on a disk that is full. */
export const CANNOT_WRITE = 74;

/** End this program when what it prints cannot be written. */
export function endUnlessWritten(): void {
  process.stdout.on('error', end);
}

/** Do this instead, with the exit code to end with. The last one asked for counts. */
export function onUnwritten(instead: (exitCode: number) => void): void {
  process.stdout.removeAllListeners('error').on('error', (error: NodeJS.ErrnoException) => instead(exitCodeOf(error)));
}

/** Write to standard output amid work that never gets to the event loop, which alone would tell that nobody reads. */
export function print(text: string): void {
  process.stdout.write(text);
  if (process.stdout.errored !== null) end(process.stdout.errored);
}

function end(error: NodeJS.ErrnoException): never {
  const exitCode = exitCodeOf(error);
  if (exitCode === CANNOT_WRITE) process.stderr.write(`cannot write to standard output: ${error.message}\n`);
  process.exit(exitCode);
}

function exitCodeOf(error: NodeJS.ErrnoException): number {
  return error.code === 'EPIPE' ? PIPE_CLOSED : CANNOT_WRITE;
}
