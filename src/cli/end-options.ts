/**
 * In `maekawa lock NAME make -n`, `-n` is make's: what follows the command's first word belongs to the
 * command, as with env(1), nice(1) and timeout(1), whether or not `--` stands before it.
 */
import type { Command } from 'commander';
import { LockError } from '../errors';

/**
 * The arguments, with `--` put before the command that is to be run where there is one.
 * @throws LockError `config` when `--` stands where the lock's name belongs, and nothing says that the next word is that name
 */
export function endOptions(program: Command, argv: readonly string[]): string[] {
  const command = program.commands.find((each) => each.name() === argv[0]);
  const before = command?.registeredArguments.findIndex((argument) => argument.variadic) ?? -1;
  if (command === undefined || before < 0) return [...argv];
  const place = placeOfCommand(command, argv, before);
  if (argv[place] === '--') return withNameAfter(argv, place);
  return place < 0 ? [...argv] : [...argv.slice(0, place), '--', ...argv.slice(place)];
}

/**
 * Of `lock "$NAME" -- CMD` only `lock -v -- CMD` may be left, and the lock would be called CMD. So a name after `--` is followed by
 * another one; that one is taken away. A name that is refused anyway is left to whoever says why.
 */
function withNameAfter(argv: readonly string[], place: number): string[] {
  const [name = '', next] = argv.slice(place + 1);
  if (next === '--') return [...argv.slice(0, place + 2), ...argv.slice(place + 3)];
  if (name.startsWith('-')) return [...argv];
  throw new LockError('config', `the name of the lock is missing before --. To write a name after it, end it with another one: maekawa ${argv[0]} -- NAME -- COMMAND`);
}

/** Where the first of a variadic last argument stands, or the `--` in whose place an operand before it belongs; -1 if there is none. */
function placeOfCommand(command: Command, argv: readonly string[], before: number): number {
  let operands = 0;
  for (let i = 1; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (word === '--') return operands < before ? i : -1;
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
