/**
 * Where everything that a command prints leaves it. Law: no other file of the command line writes to standard output or standard
 * error, so that no text of somebody else steers a terminal.
 */
import { visibleJson, visibleLines } from '../visible';

/** To standard output, with a line end. */
export function printText(text: string, onWritten?: (error?: Error | null) => void): void {
  process.stdout.write(`${visibleLines(text)}\n`, onWritten);
}

/** To standard output, as one line of JSON. */
export function printJson(value: unknown): void {
  process.stdout.write(`${visibleJson(value)}\n`);
}

/** To standard error, with the name of the program before it. */
export function complain(text: string): void {
  process.stderr.write(`maekawa: ${visibleLines(text)}\n`);
}

/** To standard error, beside what goes to standard output. */
export function note(text: string): void {
  process.stderr.write(`${visibleLines(text)}\n`);
}

/** To standard error, as one line of JSON. */
export function complainJson(value: unknown): void {
  process.stderr.write(`${visibleJson(value)}\n`);
}

/** What steers the terminal on purpose: codes of our own, around text that is `visible`. */
export function draw(codesAndText: string): void {
  process.stdout.write(codesAndText);
}
