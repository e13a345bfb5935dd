/**
 * In `maekawa lock NAME make -n`, `-n` is make's: what follows the command's first word belongs to the
 * command, as with env(1), nice(1) and timeout(1), whether or not `--` stands before it.
 */
import type { Command } from 'commander';

/** The arguments, with `--` put before the command that is to be run where there is one. */
export function endOptions(program: Command, argv: readonly string[]): string[] {
  const command = program.commands.find((each) => each.name() === argv[0]);
  const place = command === undefined ? -1 : placeOfCommand(command, argv);
  return place < 0 ? [...argv] : [...argv.slice(0, place), '--', ...argv.slice(place)];
}

/** Where the first of a variadic last argument stands; -1 if there is none, or `--` comes before it. */
function placeOfCommand(command: Command, argv: readonly string[]): number {
  const before = command.registeredArguments.findIndex((argument) => argument.variadic);
  if (before < 0) return -1;
  let operands = 0;
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (word === '--') return -1;
    if (!word.startsWith('-') || word === '-') {
      if (operands === before) return i;
      operands++;
    } else if (takesNextWord(command, word)) {
      i++;
    }
  }
  return -1;
}

function takesNextWord(command: Command, word: string): boolean {
  const takesValue = (flag: string): boolean => command.options.some(({ short, long, required }) => required && (short === flag || long === flag));
  if (word.startsWith('--')) return takesValue(word);
  // Of letters in one word the first that takes a value takes the rest of it, if there is one.
  const letters = [...word.slice(1)];
  const first = letters.findIndex((letter) => takesValue(`-${letter}`));
  return first >= 0 && first === letters.length - 1;
}
