/**
 * Loads the bundle of the command with the code that V8 made of it at an earlier start, so that V8 need not make it again. Node.js
 * has such a cache itself since 22.1 (`module.enableCompileCache`). Older ones do not, and it keeps what the first start happened to need,
 * so that `maekawa lock` would gain little after a `maekawa --help`; here each subcommand has a file of its own. Law: V8 believes
 * whatever is in such a file, so none is used that another user may have written, nor one that is damaged; without a cache all
 * works as well, and starts later.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';

/** In bytes, before the code in a file: a SHA-1 of what the bundle says of itself and of the code. */
const DIGEST_BYTES = 20;

/** The group, or everybody. */
const OTHERS_WRITE = 0o022;

type Bundle = (exports: object, require: NodeJS.Require, module: { exports: object }) => void;

/**
 * What the bundle exports.
 * @param file its first line is a comment that differs for each bundle (`scripts/bundle.mjs`), the rest a function of `exports`,
 * `require` and `module`. It is ASCII
 */
export function loadCached(file: string, require: NodeJS.Require): object {
  const source = readFileSync(file, 'latin1');
  const stamp = source.slice(0, source.indexOf('\n'));
  const cache = cacheFile(process.env, process.argv[2]);
  const cachedData = cache === null ? undefined : readCode(cache, stamp);
  const script = new Script(source, { filename: file, ...(cachedData === undefined ? {} : { cachedData }) });
  // When the command is over, V8 has made code of all that it needed. One that failed early needed little.
  if (cache !== null && (cachedData === undefined || script.cachedDataRejected === true)) {
    process.once('exit', (exitCode) => {
      if (exitCode === 0) writeCode(cache, stamp, script.createCachedData());
    });
  }
  const module = { exports: {} };
  (script.runInThisContext() as Bundle)(module.exports, require, module);
  return module.exports;
}

/**
 * The file for a subcommand of this version of Node.js; null where there is to be none.
 * @param environment `XDG_CACHE_HOME` or else `HOME` says where; `NODE_DISABLE_COMPILE_CACHE` says that there is none, as to Node.js itself
 */
export function cacheFile({ XDG_CACHE_HOME: caches, HOME: home, NODE_DISABLE_COMPILE_CACHE: disabled }: NodeJS.ProcessEnv, subcommand = ''): string | null {
  // Elsewhere nobody could tell whose file it is.
  if (disabled !== undefined || process.geteuid === undefined) return null;
  const isAbsolute = (path: string | undefined): path is string => path?.startsWith('/') === true;
  const directory = isAbsolute(caches) ? caches : isAbsolute(home) ? join(home, '.cache') : null;
  const name = SUBCOMMANDS.includes(subcommand) ? subcommand : 'maekawa';
  return directory === null ? null : join(directory, 'maekawa', `${name}-${process.version}-${process.arch}`);
}

/** Those that are run again and again, or that somebody waits for; all others share a file. */
const SUBCOMMANDS: readonly string[] = ['lock', 'steal', 'who', 'watch', 'status', 'node', 'quorums', 'complete'];

function readCode(file: string, stamp: string): Buffer | undefined {
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile() || !isOurs(stats)) return undefined;
      const bytes = readFileSync(fd);
      const code = bytes.subarray(DIGEST_BYTES);
      return digestOf(stamp, code).equals(bytes.subarray(0, DIGEST_BYTES)) ? code : undefined;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined; // There is none, most of all.
  }
}

function writeCode(file: string, stamp: string, code: Buffer): void {
  const directory = join(file, '..');
  const fresh = `${file}.${process.pid}`;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const stats = lstatSync(directory);
    if (!stats.isDirectory() || !isOurs(stats)) return;
    writeFileSync(fresh, Buffer.concat([digestOf(stamp, code), code]), { flag: 'wx', mode: 0o600 });
    try {
      renameSync(fresh, file);
    } catch {
      unlinkSync(fresh);
    }
  } catch {
    // No home, a full disk, a directory that may only be read: the next start takes as long as this one.
  }
}

function digestOf(stamp: string, code: Buffer): Buffer {
  return createHash('sha1').update(stamp).update(code).digest();
}

/** Nobody else could have written there. */
function isOurs({ uid, mode }: Stats): boolean {
  return uid === process.geteuid?.() && (mode & OTHERS_WRITE) === 0;
}
