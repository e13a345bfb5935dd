/**
 * What this process was given and Node.js hides from it: bytes of arguments and variables that are no UTF-8, open
 * descriptors beyond standard error, and the limit of open files from before Node.js raised it. A command must get all of
 * it as if it had been started without us. Only /proc of Linux tells. Law: reads, and changes nothing.
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { LockError } from '../errors';
import { openFilesLimit } from '../transport/descriptors';
import { readProc } from './proc';

/** Text, or the bytes of what is no UTF-8. */
export type Word = string | Buffer;

/**
 * The same arguments, with the bytes of those that are no UTF-8.
 * @param argv the last arguments of this process
 * @throws LockError `config` where the bytes are lost
 */
export function rawWords(argv: readonly string[]): Word[] {
  if (!argv.some(mayBeMangled)) return [...argv];
  const words = splitAtZeros(readProc('self', 'cmdline')).slice(-argv.length);
  if (words.length === 0) {
    const which = argv.find(mayBeMangled);
    throw new LockError('config', `the argument ${JSON.stringify(which)} holds bytes that are no UTF-8, and only on Linux can a program on Node.js see them; write it in UTF-8`);
  }
  // A program that parses by `createProgram` itself gives it what it likes.
  const isOurs = words.length === argv.length && words.every((word, i) => word.toString() === argv[i]);
  return isOurs ? words.map(wordOf) : [...argv];
}

/**
 * Names and options are text: two names that differ in such bytes alone would be one lock.
 * @param kept how many of the last arguments are the command's
 * @throws LockError `config`
 */
export function refuseBytes(argv: readonly string[], kept: number): void {
  const bad = rawWords(argv).slice(0, argv.length - kept).find((word) => Buffer.isBuffer(word));
  if (bad !== undefined) throw new LockError('config', `the argument ${JSON.stringify(textOf(bad))} holds bytes that are no UTF-8; only a command and its arguments may`);
}

/** Variables with bytes that are no UTF-8, as `NAME=value`, by the name that `process.env` has for them. */
export function rawVariables(environment: NodeJS.ProcessEnv): Map<string, Buffer> {
  const variables = new Map<string, Buffer>();
  if (!Object.entries(environment).some(([name, value]) => mayBeMangled(name + (value ?? '')))) return variables;
  for (const entry of splitAtZeros(readProc('self', 'environ'))) {
    const text = entry.toString();
    const name = text.slice(0, text.indexOf('=', 1));
    if (Buffer.isBuffer(wordOf(entry)) && environment[name] === text.slice(name.length + 1)) variables.set(name, entry);
  }
  return variables;
}

/** For people. */
export function textOf(word: Word): string {
  return word.toString();
}

/** Node.js reads a byte that is no UTF-8 as this sign. */
function mayBeMangled(text: string): boolean {
  return text.includes('\ufffd');
}

function wordOf(bytes: Buffer): Word {
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? text : bytes;
}

function splitAtZeros(bytes: Buffer): Buffer[] {
  const words: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    words.push(bytes.subarray(at, end < 0 ? bytes.length : end));
    at = end < 0 ? bytes.length : end + 1;
  }
  return words;
}

interface Descriptor {
  readonly fd: number;
  /** Such as `pipe:[4711]` or `/dev/null`. */
  readonly target: string;
  readonly closesOnExec: boolean;
  readonly blocks: boolean;
}

const CLOSES_ON_EXEC = 0o2000000;
const NON_BLOCKING = 0o4000;

/** A process that opens and closes all the time is read so often at most. */
const READS_MAX = 5;

/**
 * Descriptors from 3 up that this process was started with and that a child would not get, because Node.js marks them as
 * closed on exec. Call it before anything else opens one. Node.js opens its own at the lowest free numbers, an epoll first,
 * and they have no sign of their own; what could be either is told by number and kind.
 */
export function inheritedDescriptors(): number[] {
  const all = settledDescriptors().filter(({ fd, closesOnExec }) => fd > 2 && closesOnExec);
  const firstOfNode = all.find(({ target }) => target === 'anon_inode:[eventpoll]')?.fd ?? Infinity;
  const bothEnds = (descriptor: Descriptor): Descriptor[] => all.filter(({ target }) => target.startsWith('pipe:') && target === descriptor.target);
  // Beside pairs that do not block, libuv has one that does: the lock of its signal handler, opened right after the epoll.
  const lock = all.find((each) => each.fd > firstOfNode && bothEnds(each).length === 2 && bothEnds(each).every(({ blocks }) => blocks))?.target;
  const isOfNode = (each: Descriptor): boolean =>
    each.fd >= firstOfNode &&
    (/^anon_inode:\[(eventpoll|eventfd|io_uring)\]$/.test(each.target) ||
      each.target === '/dev/null' ||
      each.target === lock ||
      (bothEnds(each).length === 2 && bothEnds(each).every(({ blocks }) => !blocks)));
  return all.filter((each) => !isOfNode(each)).map(({ fd }) => fd);
}

/** Read until they are the same twice: of a pair that a thread of Node.js opens just now one end alone may be seen, which looks like one inherited. */
function settledDescriptors(): Descriptor[] {
  let last = openDescriptors();
  for (let time = 0; time < READS_MAX; time++) {
    const before = last;
    last = openDescriptors();
    if (isDeepStrictEqual(before, last)) break;
  }
  return last;
}

function openDescriptors(): Descriptor[] {
  const found: Descriptor[] = [];
  for (const name of directory('/proc/self/fd')) {
    try {
      const flags = parseInt(/^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'latin1'))?.[1] ?? '', 8);
      found.push({
        fd: Number(name),
        target: readlinkSync(`/proc/self/fd/${name}`),
        closesOnExec: (flags & CLOSES_ON_EXEC) !== 0,
        blocks: (flags & NON_BLOCKING) === 0,
      });
    } catch {
      // The one by which the directory was read.
    }
  }
  return found.sort((a, b) => a.fd - b.fd);
}

/**
 * How many files the command may open, if Node.js raised that for itself: as many as our parent may. Null if nothing is to be
 * restored, or it is not known.
 */
export function openFilesBefore(parent = process.ppid): number | null {
  const own = openFilesLimit('self');
  const its = openFilesLimit(parent);
  // With another hard limit somebody set both of them between our parent and us.
  if (own === null || its === null || own.hard === null || its.hard !== own.hard) return null;
  return its.soft < own.soft ? its.soft : null;
}

function directory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
