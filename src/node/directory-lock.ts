/**
 * Keeps a second process off a data directory. Law: an owner that lives is never pushed aside, and one
 * that died (kill -9, power) never has to be cleaned up by hand.
 *
 * The directory holds one file with who owns it. It is made by `link`, which fails if there is one, so
 * of several starters one wins. Whether the owner of a file that is there lives is told by its process
 * id and start time where both can be seen from here. Where they cannot (another container, another
 * machine, no /proc), its heartbeat tells: an owner writes its file anew each second.
 */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, utimesSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockError } from '../errors';

const FILE = 'owner';
const HEARTBEAT_MS = 1_000;
/** How long starters that found the same dead owner take to notice each other. */
const SETTLE_MS = 50;
/** An owner that cannot be seen is dead when its file did not change for so long. */
const DEAD_MS = 5_000;

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Names the boot and the process namespace in which `pid` means something; empty if unknown. */
  readonly place: string;
  /** When the process started, in the kernel's ticks; empty if unknown. */
  readonly startedAt: string;
  readonly nonce: string;
}

/** Returns how to give the directory free. @throws LockError `storage` when another process has it */
export async function lockDirectory(path: string): Promise<() => Promise<void>> {
  const file = join(path, FILE);
  const self = describeSelf();
  const own = join(path, `${FILE}.${self.nonce}`);
  writeOrThrow(own, JSON.stringify(self), path);
  try {
    for (let foundDead = false; ; ) {
      if (tryLink(own, file)) {
        if (!foundDead) break;
        // Another starter may have taken our file for the dead one's, and be about to put it back.
        await sleep(SETTLE_MS);
        if (read(file)?.nonce === self.nonce) break;
        continue;
      }
      const found = read(file);
      if (found === null) continue;
      if (found.nonce === self.nonce) break;
      if (await isAlive(found, file)) throw inUse(path, found);
      foundDead = true;
      takeAside(file, found);
    }
  } finally {
    rmSync(own, { force: true });
  }
  const heartbeat = setInterval(() => touch(file), HEARTBEAT_MS).unref();
  return () => {
    clearInterval(heartbeat);
    if (read(file)?.nonce === self.nonce) rmSync(file, { force: true });
    return Promise.resolve();
  };
}

/**
 * Remove the file of a dead owner. Of several starters that found it, each moves what is there now; one
 * that moved the file of a starter which was faster puts it back.
 */
function takeAside(file: string, dead: Owner): void {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch {
    return; // another starter was faster
  }
  if (read(aside)?.nonce !== dead.nonce) tryLink(aside, file);
  rmSync(aside, { force: true });
}

function describeSelf(): Owner {
  return { pid: process.pid, host: hostname(), place: placeOfPids(), startedAt: startOf(process.pid) ?? '', nonce: randomUUID() };
}

async function isAlive(owner: Owner, file: string): Promise<boolean> {
  if (owner.place !== '' && owner.place === placeOfPids()) return startOf(owner.pid) === owner.startedAt;
  for (const first = changedAt(file), untilMs = performance.now() + DEAD_MS; performance.now() < untilMs; await sleep(HEARTBEAT_MS / 4)) {
    const now = changedAt(file);
    if (now !== first) return now !== null;
  }
  return false;
}

function placeOfPids(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}

/** The start time of a process, or null if there is none with that id. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is a name in parentheses, which may hold anything; the 22nd is the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const state = fields[0];
    return state === 'Z' || state === 'X' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new LockError('storage', `cannot lock the data directory: ${(error as Error).message}`, { cause: error });
  }
}

/** Null when the file is gone. What cannot be read as an owner is one that died while writing: never alive. */
function read(file: string): Owner | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Owner;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    return { pid: 0, host: '', place: placeOfPids(), startedAt: 'unreadable', nonce: '' };
  }
}

function touch(file: string): void {
  try {
    const now = new Date();
    utimesSync(file, now, now);
  } catch {
    // Without a heartbeat the directory may be taken over from where this process cannot be seen.
  }
}

/** Null when the file is gone. */
function changedAt(file: string): number | null {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return null;
  }
}

function writeOrThrow(file: string, text: string, path: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (cause) {
    throw new LockError('storage', `cannot write to the data directory ${path}: ${(cause as Error).message}. Mend its permissions, or choose another with --data-dir`, { cause });
  }
}

function inUse(path: string, owner: Owner): LockError {
  return new LockError(
    'storage',
    `the data directory ${path} is in use by process ${owner.pid} on ${owner.host}. Two nodes on one directory would share one identity: ` +
      'stop the other, or choose another directory with --data-dir',
  );
}
