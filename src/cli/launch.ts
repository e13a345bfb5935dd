/**
 * Starts a command in a process group of its own, so that it finds what it would find without us: the bytes of its arguments
 * and variables, open descriptors, the limit of open files. Law: the process that `spawn` returns becomes the command itself.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { MARK_VARIABLE } from './descendants';
import { inheritedDescriptors, openFilesBefore, rawVariables } from './inherited';
import type { Word } from './inherited';

/** Those of this process; read once, for later it has others. */
let descriptors: readonly number[] | undefined;

/** Call it first of all. */
export function noteDescriptors(): void {
  descriptors ??= inheritedDescriptors();
}

/**
 * Node.js hands on text alone. So a shell makes the bytes, and becomes env(1), which becomes the command: a shell would
 * drop variables whose names it does not like. Each word is `=text` or `%` and text with octal escapes, so that nothing
 * else need be quoted.
 */
const SCRIPT = `
[ -z "$1" ] || ulimit -S -n "$1"
shift
place=0 words=
for word; do
  place=$((place + 1))
  case $word in
    =*) words="$words \\"\\\${$place#=}\\"" ;;
    *)
      bytes=$(printf '%b.' "\${word#?}") # the dot keeps line ends
      eval "word$place=\\\${bytes%.}"
      words="$words \\"\\$word$place\\"" ;;
  esac
done
eval "exec $words"
`;

export function launch(command: readonly [Word, ...Word[]], env: NodeJS.ProcessEnv): ChildProcess {
  const [file, ...args] = command;
  const odd = rawVariables(env);
  const openFiles = openFilesBefore();
  const options = { stdio: stdio(), detached: true } as const;
  const [text, ...texts] = command.filter((word) => typeof word === 'string');
  if (text !== undefined && texts.length === args.length && odd.size === 0 && openFiles === null) return spawn(text, texts, { ...options, env });
  refuse(file, env['PATH']);
  const variables = Object.entries(env).flatMap(([name, value]) => (value === undefined || odd.has(name) ? [] : [`${name}=${value}`]));
  // env(1) takes a word with = for a variable.
  const before = file.includes('=') ? ['nice', '-n', '0', '--'] : [];
  const words = ['env', '-i', ...variables, ...odd.values(), ...before, file, ...args].map(escaped);
  return spawn('/bin/sh', ['-c', SCRIPT, 'maekawa-launch', openFiles === null ? '' : String(openFiles), ...words], {
    ...options,
    env: { PATH: process.env['PATH'], [MARK_VARIABLE]: env[MARK_VARIABLE] },
  });
}

function escaped(word: Word): string {
  if (typeof word === 'string') return `=${word}`;
  const signs = [...word].map((byte) => (byte === 0x5c || byte >= 0x80 ? `\\0${byte.toString(8).padStart(3, '0')}` : String.fromCharCode(byte)));
  return `%${signs.join('')}`;
}

/** Descriptors keep their numbers; what lies between is not open. */
function stdio(): ('inherit' | 'ignore' | number)[] {
  const all: ('inherit' | 'ignore' | number)[] = ['inherit', 'inherit', 'inherit'];
  for (const fd of descriptors ?? []) {
    while (all.length < fd) all.push('ignore');
    all.push(fd);
  }
  return all;
}

/** Before a shell says it in its own words. @throws as `spawn` does for a file that is missing or cannot be executed */
function refuse(file: Word, path = '/usr/bin:/bin'): void {
  const bytes = Buffer.from(file);
  const places = bytes.includes('/') ? [bytes] : path.split(':').map((each) => Buffer.concat([Buffer.from(`${each === '' ? '.' : each}/`), bytes]));
  let code = 'ENOENT';
  for (const place of places) {
    try {
      if (!statSync(place).isFile()) throw Object.assign(new Error(), { code: 'EACCES' });
      accessSync(place, constants.X_OK);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') code = 'EACCES';
    }
  }
  throw Object.assign(new Error(`spawn ${file.toString()} ${code}`), { code });
}
