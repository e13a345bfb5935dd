/**
 * Keeps a second process off a data directory. Law: an owner that lives is never pushed aside, and one
 * that died (kill -9, power) never has to be cleaned up by hand.
 *
 * The folder `in-use-by` holds exactly one file, always, and the name of this file says who owns the
 * directory: `nobody`, or one process. To take the directory is to rename the file. Of several processes
 * that rename a file from the same name the kernel lets one succeed, and the name of an owner never comes
 * back, so nobody can push aside another one than the dead owner that he looked at. The folder appears
 * with the file in it, by one rename as well, and is never removed.
 *
 * Node offers no lock that the kernel frees, on any system, so whether an owner lives must be found out.
 * Linux tells exactly: by boot, process namespace, process id and start time. Elsewhere a process id that
 * is gone tells. Where neither does (another container, another machine, an id in use again), a heartbeat
 * does: an owner touches its file each second. An owner in this very process, in another worker thread or in this one,
 * lives as long as the process has its file open: Node closes what a thread has opened when the thread ends.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync, fstatSync, lstatSync, lutimes, mkdirSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync, writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockError } from '../errors';
import { codeOf, folderFault, openOwnFile, remedyFor } from './own-files';

const FOLDER = 'in-use-by';
const NOBODY = 'nobody';
const HEARTBEAT_MS = 1_000;
/** An owner of whom nothing else can be seen is dead when its heart did not beat for so long. */
const DEAD_MS = 5_000;
/** More than any number of processes that start at once. */
const ATTEMPTS_MAX = 1_000;

/** A directory that is ours. */
export interface DirectoryLock {
  /** Aborts when it is noticed that `isHeld` is false, a second after this process could run again at the latest. */
  readonly taken: AbortSignal;
  /** False when another process took the directory, which happens only to one that was frozen where nobody could see it. */
  isHeld(): boolean;
  release(): void;
}

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Names where `pid` means something: the boot and the process namespace, or the machine. */
  readonly place: string;
  /** When the process started, in the kernel's ticks; empty if unknown. */
  readonly startedAt: string;
}

/** @throws LockError `storage` when another process has the directory, or it is not writable */
export async function lockDirectory(path: string): Promise<DirectoryLock> {
  const folder = join(path, FOLDER);
  const own = nameOf({ pid: process.pid, host: hostName(), place: placeOfPids(), startedAt: startOf(process.pid) ?? '' });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const fault = folderFault(folder);
      if (fault !== null) throw new LockError('storage', `cannot use the data directory ${path}: ${fault}. Look who put it there, and delete it`);
      const names = filesIn(folder);
      const current = names.find((name) => name === NOBODY || ownerOf(name) !== null);
      if (current === undefined) {
        if (names.length > 0) throw new LockError('storage', `cannot use the data directory ${path}: ${folder} holds ${JSON.stringify(names[0])}, which no node has put there. Look whether it is needed, and delete it`);
        makeFolder(folder);
        continue;
      }
      const owner = ownerOf(current);
      if (owner !== null && (await isAlive(owner, join(folder, current)))) throw inUse(path, owner);
      // Open before the name is ours: no thread of this process can then find it without an owner that lives.
      const file = openOwnFile(join(folder, current));
      if (file === null) continue;
      if (!tryRename(join(folder, current), join(folder, own))) {
        closeSync(file);
        continue;
      }
      removeLeftovers(path);
      return hold(file, join(folder, own), join(folder, NOBODY));
    }
  } catch (cause) {
    if (cause instanceof LockError) throw cause;
    throw new LockError('storage', `cannot write to the data directory ${path}: ${(cause as Error).message}. ${remedyFor(cause)}, or choose another with --data-dir (startNode: dataDir)`, { cause });
  }
  throw new LockError('storage', `cannot lock the data directory ${path}. If you are sure that no other process uses it, delete ${folder}`);
}

function hold(open: number, file: string, freeFile: string): DirectoryLock {
  const taken = new AbortController();
  const touch = (): void => lutimes(file, new Date(), new Date(), (error) => {
    if (error !== null && isGone(error) && !isReleased) taken.abort();
  });
  let isReleased = false;
  touch();
  const heartbeat = setInterval(touch, HEARTBEAT_MS).unref();
  return {
    taken: taken.signal,
    isHeld: () => changedAt(file) !== null,
    release: () => {
      if (isReleased) return;
      isReleased = true;
      clearInterval(heartbeat);
      try {
        tryRename(file, freeFile);
      } catch {
        // It is as if this process had died: the next one finds that out.
      }
      closeSync(open);
    },
  };
}

/** The folder with the one file in it, at once; nothing happens if it is there already and not empty. */
function makeFolder(folder: string): void {
  const prepared = `${folder}.${randomUUID()}`;
  try {
    mkdirSync(prepared, 0o700);
    writeFileSync(join(prepared, NOBODY), 'The name of this file says which process uses the data directory.\n', { mode: 0o600 });
    renameSync(prepared, folder);
  } catch (error) {
    rmSync(prepared, { recursive: true, force: true });
    // Another process was faster, and may have cleaned up after us too.
    if (filesIn(folder).length === 0 && !isGone(error)) throw error;
  }
}

/** What a crash in `makeFolder` left. */
function removeLeftovers(path: string): void {
  for (const name of readdirSync(path)) {
    if (name.startsWith(`${FOLDER}.`)) rmSync(join(path, name), { recursive: true, force: true });
  }
}

function nameOf({ pid, host, place, startedAt }: Owner): string {
  return [`process-${pid}`, host, place, startedAt, randomUUID()].join('+');
}

/** Null for nobody, and for a name that no process gave. */
function ownerOf(name: string): Owner | null {
  const [process = '', host, place, startedAt] = name.split('+');
  const pid = Number(/^process-(\d+)$/.exec(process)?.[1]);
  return pid > 0 && host !== undefined && place !== undefined && startedAt !== undefined ? { pid, host, place, startedAt } : null;
}

async function isAlive(owner: Owner, file: string): Promise<boolean> {
  if (owner.place === placeOfPids()) {
    const startedAt = startOf(owner.pid);
    const isSame = startedAt === (owner.startedAt || null);
    if (owner.pid === process.pid && isSame) {
      const isOpen = isOpenHere(file);
      if (isOpen !== null) return isOpen;
    } else if (startedAt !== null) return isSame;
    if (!isProcess(owner.pid)) return false;
  }
  const first = changedAt(file);
  for (const untilMs = performance.now() + DEAD_MS; performance.now() < untilMs; await sleep(HEARTBEAT_MS / 4)) {
    const now = changedAt(file);
    if (now !== first) return now !== null;
  }
  return false;
}

/** Whether this process has the file open, in whatever thread; null where that is not to be seen. */
function isOpenHere(file: string): boolean | null {
  let descriptors: string[];
  let wanted: { readonly dev: bigint; readonly ino: bigint };
  try {
    descriptors = readdirSync('/dev/fd');
    wanted = lstatSync(file, { bigint: true });
  } catch {
    return null;
  }
  return descriptors.some((descriptor) => {
    try {
      const { dev, ino } = fstatSync(Number(descriptor), { bigint: true });
      return dev === wanted.dev && ino === wanted.ino;
    } catch {
      return false; // closed meanwhile
    }
  });
}

function placeOfPids(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}-${readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')}`;
  } catch {
    return `${process.platform}-${hostName()}`;
  }
}

/** When a process started, '' if it is dead but its parent has not noticed; null if none is to be seen. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is a name in parentheses, which may hold anything; the 22nd is the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const state = fields[0];
    return state === 'Z' || state === 'X' ? '' : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/** Fit for a file name. */
function hostName(): string {
  return hostname().replace(/[^\w.-]/g, '-').slice(0, 64);
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Whether it was there to be renamed. */
function tryRename(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** Null when the file is gone. */
function changedAt(file: string): number | null {
  try {
    return lstatSync(file).mtimeMs;
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

function inUse(path: string, owner: Owner): LockError {
  return new LockError(
    'storage',
    `the data directory ${path} is in use by process ${owner.pid} on ${owner.host}. Two nodes on one directory would share one identity: ` +
      'stop the other, or choose another directory with --data-dir (startNode: dataDir)',
  );
}
