/**
 * What a node must not forget: the ceiling of its Lamport clock, and under which terms it last lent its vote
 * (protocol.md section 3, and protocol.md section 16).
 * Law: the ceiling on disk never falls, and what cannot be trusted is an error, never a silent zero;
 * no two processes use one directory at a time, and no node that of another one.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { LamportTime, LendingTerms, NodeId } from '../core';
import { LockError } from '../errors';
import { lockDirectory } from './directory-lock';
import type { DirectoryLock } from './directory-lock';
import { directoryFault, isOpenToAll, readOwnFile, remedyFor } from './own-files';

export interface DataDirectory {
  /** The ceiling found on disk; 0 when there was none. */
  readonly ceiling: LamportTime;
  /** A ceiling was found: this node ran before. */
  readonly existed: boolean;
  /** What an operator should know of the directory. */
  readonly remarks?: readonly string[];
  /** The terms found on disk; null when there were none, or an earlier version wrote the file. */
  readonly terms: LendingTerms | null;
  /**
   * Aborts, with a LockError `storage`, when another process took the directory, which happens only to one
   * that was frozen where nobody could see it. Left out where it cannot happen.
   */
  readonly taken?: AbortSignal;
  /**
   * Put a ceiling on disk, to survive a crash of the machine. Resolves when it is there; at once for
   * one that does not exceed what is there. Rejects when it cannot be written.
   */
  reserve(ceiling: LamportTime): Promise<void>;
  /** Put the terms on disk in place of the last ones. Resolves when they are there. Rejects when they cannot be written. */
  remember(terms: LendingTerms): Promise<void>;
  /** Let other processes use the directory. Waits for writes under way. Idempotent. */
  close(): Promise<void>;
}

const FILE = 'ceiling';
const TEMPORARY = 'ceiling.new';
const VERSION = 'maekawa-ceiling-4';
/** Each has these words after its name; the node and the terms were unknown to the first, the node to the second, the act to the third. */
const WORDS: ReadonlyMap<string, number> = new Map([[VERSION, 6], ['maekawa-ceiling-3', 5], ['maekawa-ceiling-2', 4], ['maekawa-ceiling-1', 1]]);
/** Those that begin with the node. */
const WITH_NODE: ReadonlySet<string> = new Set([VERSION, 'maekawa-ceiling-3']);
/** Stands for a lease, a layout or an act that is not known, or for none. */
const UNKNOWN = '-';
/**
 * A clock of a cluster that works stays below 2^53 − 2^40 (protocol.md section 3.3), and a ceiling is a little above its clock.
 * With one beyond this the clock would soon run out of safe integers.
 */
const CEILING_MAX = 2 ** 53 - 2 ** 39;
/** More than any file that was ever written. */
const LENGTH_MAX = 4_096;

/**
 * That of this node. @throws LockError `storage` when the directory is in use, not writable, that of another node or another
 * user, or its file is corrupt
 */
export async function openDataDirectory(directory: string, node: NodeId): Promise<DataDirectory> {
  const path = resolve(directory); // the same one even if the process goes elsewhere
  try {
    await makeDirectory(path);
  } catch (cause) {
    throw new LockError('storage', `cannot make the data directory ${path}: ${(cause as Error).message}. ${remedyFor(cause)}, or choose another with --data-dir (startNode: dataDir)`, { cause });
  }
  const fault = directoryFault(path);
  if (fault !== null) throw new LockError('storage', `cannot use the data directory: ${fault}. Run the node as that user, give the directory to this one, or choose another with --data-dir (startNode: dataDir)`);
  const remarks = isOpenToAll(path) ? [`every user of this machine may write to the data directory ${path}, and so make this node forget what it must not; forbid it: chmod o-w ${path}`] : [];
  const lock = await lockDirectory(path);
  try {
    const found = readFile(join(path, FILE));
    if (found?.node !== undefined && found.node !== node) {
      throw new LockError('storage', `the data directory ${path} is that of node ${found.node}, and this is node ${node}. Each node needs one of its own: choose another with --data-dir (startNode: dataDir)`);
    }
    // Left by a crash while it was written: nothing that counts.
    rmSync(join(path, TEMPORARY), { force: true });
    return new Directory(path, node, found, lock, remarks);
  } catch (error) {
    lock.release();
    if (error instanceof LockError) throw error;
    throw new LockError('storage', `cannot use the data directory ${path}: ${(error as Error).message}. ${remedyFor(error)}, or choose another with --data-dir (startNode: dataDir)`, { cause: error });
  }
}

/** Keeps nothing: for tests, and nodes that may be silent for one lease after every start. */
export function ephemeralDirectory(): DataDirectory {
  return { ceiling: 0, existed: false, terms: null, reserve: () => Promise.resolve(), remember: () => Promise.resolve(), close: () => Promise.resolve() };
}

/** What the file says. */
interface Content {
  readonly ceiling: LamportTime;
  readonly terms: LendingTerms | null;
  /** Whose directory it is; unknown when an earlier version wrote the file. */
  readonly node?: NodeId;
}

class Directory implements DataDirectory {
  private readonly taking = new AbortController();
  readonly taken = this.taking.signal;
  readonly ceiling: LamportTime;
  readonly existed: boolean;
  readonly terms: LendingTerms | null;
  private onDisk: Content;
  /** Writes happen one after the other. */
  private writing: Promise<void> = Promise.resolve();
  private closing: Promise<void> | null = null;

  constructor(
    private readonly path: string,
    private readonly node: NodeId,
    found: Content | null,
    private readonly lock: DirectoryLock,
    readonly remarks: readonly string[],
  ) {
    this.onDisk = found ?? { ceiling: 0, terms: null };
    this.existed = found !== null;
    ({ ceiling: this.ceiling, terms: this.terms } = this.onDisk);
    lock.taken.addEventListener('abort', () => this.taking.abort(this.takenError()));
  }

  reserve(ceiling: LamportTime): Promise<void> {
    return this.change(({ terms, ...now }) => (ceiling <= now.ceiling ? null : { ceiling, terms }));
  }

  remember(terms: LendingTerms): Promise<void> {
    return this.change(({ ceiling, terms: now }) => (isDeepStrictEqual(terms, now) ? null : { ceiling, terms }));
  }

  /** Changes happen one after the other; each begins with what the last one left. */
  private change(next: (now: Content) => Content | null): Promise<void> {
    if (this.closing !== null) return Promise.reject(new LockError('closed', `the data directory ${this.path} is closed`));
    const written = this.writing.then(async () => {
      const content = next(this.onDisk);
      if (content === null) return;
      await this.write(content);
      this.onDisk = content;
    });
    this.writing = written.catch(() => undefined);
    return written;
  }

  close(): Promise<void> {
    this.closing ??= this.writing.then(() => this.lock.release());
    return this.closing;
  }

  private takenError(): LockError {
    return new LockError('storage', `another process took the data directory ${this.path} while this one was frozen. Stop one of the two`);
  }

  /** The file is either the old one or the new one, whatever happens meanwhile; and the new one once this resolves. */
  private async write(content: Content): Promise<void> {
    const temporary = join(this.path, TEMPORARY);
    try {
      if (!this.lock.isHeld()) throw this.takenError();
      // A new one: what lies there could be a link to another file.
      await rm(temporary, { force: true });
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(format({ ...content, node: this.node }));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, join(this.path, FILE));
      await syncDirectory(this.path);
    } catch (cause) {
      if (cause instanceof LockError) throw cause;
      throw new LockError('storage', `cannot write to the data directory ${this.path}: ${(cause as Error).message}. ${remedyFor(cause)}`, { cause });
    }
  }
}

/** The directory, and those above it where they are missing, to survive a crash of the machine. */
async function makeDirectory(path: string): Promise<void> {
  const firstMade = makeWithParents(path);
  if (firstMade === undefined) return;
  for (let made = path; made.length >= firstMade.length; made = dirname(made)) await syncDirectory(dirname(made));
}

/**
 * Returns the topmost directory that was made. By hand, for mkdir of Node.js 20 with `recursive` takes ENOENT for a missing
 * parent and tries for ever where a file system refuses in this way to make anything, as /proc does.
 */
function makeWithParents(path: string): string | undefined {
  if (isDirectory(path)) return undefined;
  const parent = dirname(path);
  const firstMade = parent === path ? undefined : makeWithParents(parent);
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    // Another process may have been faster.
    if (!isDirectory(path)) throw error;
  }
  return firstMade ?? path;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** A rename is safe only when the directory is on disk too. Windows can neither do that nor needs it. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function format({ ceiling, terms, node }: Content & { readonly node: NodeId }): string {
  return signed([VERSION, node, ceiling, terms?.leaseMs ?? UNKNOWN, terms?.slack ?? UNKNOWN, terms?.layout ?? UNKNOWN, terms?.act ?? UNKNOWN]);
}

function signed(words: readonly (string | number)[]): string {
  const content = words.join(' ');
  return `${content} ${checksum(content)}\n`;
}

/** Null when there is no file. */
function readFile(path: string): Content | null {
  const text = readOwnFile(path, LENGTH_MAX);
  if (text === null) return null;
  const words = text.trimEnd().split(' ').slice(0, -1);
  const version = text.split(' ', 1)[0] ?? '';
  if (version.startsWith('maekawa-ceiling-') && !WORDS.has(version)) {
    throw new LockError('storage', `${path} was written by another version (${version}, this one knows ${VERSION}). Start the version that wrote it`);
  }
  const content = text === signed(words) ? contentOf(words) : null;
  if (content !== null) return content;
  throw new LockError(
    'storage',
    `${path} is corrupt, so this node does not know which clock values it has used, nor under which lease and quorums it lent its vote. ` +
      "Check the disk and this machine's wall clock. If you then delete the file, the node has no memory: it is silent for one lease as configured and learns from its peers " +
      'which tokens may be in use. Where too few of them remember, tokens may fall, and a resource that checks them may refuse the next holders; and if it ran under a ' +
      'longer lease or other quorums, two may hold one lock',
  );
}

/** Null for words that nobody writes. */
function contentOf([version = '', ...words]: readonly string[]): Content | null {
  if (words.length !== WORDS.get(version)) return null;
  const node = WITH_NODE.has(version) ? { node: words.shift() ?? '' } : {};
  const [ceilingText = '', leaseText = UNKNOWN, slackText = UNKNOWN, layoutText = UNKNOWN, actText = UNKNOWN] = words;
  const ceiling = numberOf(ceilingText);
  if (ceiling === null || ceiling > CEILING_MAX) return null;
  if (leaseText === UNKNOWN && slackText === UNKNOWN && layoutText === UNKNOWN && actText === UNKNOWN) return { ...node, ceiling, terms: null };
  const [leaseMs, slack, act] = [numberOf(leaseText), numberOf(slackText), numberOf(actText)];
  if (leaseMs === null || slack === null || !/^(-|[0-9a-f]{16})$/.test(layoutText) || (act === null && actText !== UNKNOWN)) return null;
  return { ...node, ceiling, terms: { leaseMs, slack, layout: layoutText === UNKNOWN ? null : layoutText, act } };
}

function numberOf(digits: string): number | null {
  const value = Number(digits);
  return String(value) === digits && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function checksum(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}
