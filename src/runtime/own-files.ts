/**
 * Opens the files of a node where somebody else may have put something in their place. Law: no link is followed and nothing but
 * a regular file is opened, so the node neither writes to a file that is not its own nor waits for a pipe that nobody reads.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';

/** Windows has none of the last two. Without O_NONBLOCK to open a pipe waits for its other end. */
const { O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/** For reading. Null when there is no such file. Whoever opens it closes it. @throws Error when it is a link, or no regular file */
export function openOwnFile(path: string): number | null {
  try {
    return open(path, O_RDONLY, 0, (status) => status.isFile());
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** For appending and reading; made if it is not there, for this user alone. A device will do. @throws Error as `openOwnFile` */
export function openOwnLog(path: string): number {
  return open(path, O_RDWR | O_APPEND | O_CREAT, 0o600, (status) => status.isFile() || status.isCharacterDevice());
}

/** The first `lengthMax` bytes of a file. Null when there is no such file. @throws Error as `openOwnFile` */
export function readOwnFile(path: string, lengthMax: number): string | null {
  const file = openOwnFile(path);
  if (file === null) return null;
  try {
    return readStart(file, lengthMax);
  } finally {
    closeSync(file);
  }
}

/** The same of one that is open. */
export function readStart(file: number, lengthMax: number): string {
  const bytes = Buffer.alloc(lengthMax);
  return bytes.toString('utf8', 0, readSync(file, bytes, 0, lengthMax, 0));
}

function open(path: string, flags: number, mode: number, isExpected: (status: Stats) => boolean): number {
  let file: number;
  try {
    file = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, mode);
  } catch (error) {
    if (codeOf(error) === 'ELOOP') throw new Error(`${path} is a symbolic link, and a node follows none`, { cause: error });
    // A pipe that nobody reads, a socket.
    if (codeOf(error) === 'ENXIO') throw new Error(`${path} is no regular file`, { cause: error });
    throw error;
  }
  if (isExpected(fstatSync(file))) return file;
  closeSync(file);
  throw new Error(`${path} is no regular file`);
}

/** What is wrong with a folder that must be one, and the node's own or root's; null if nothing is. */
export function folderFault(path: string): string | null {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return null;
  if (status.isSymbolicLink()) return `${path} is a symbolic link, and a node follows none`;
  if (!status.isDirectory()) return `${path} is no directory`;
  return ownerFault(path, status);
}

/** What others may do to a data directory. A link to it is followed, if its owner may be trusted. */
export function directoryFault(path: string): string | null {
  return ownerFault(path, lstatSync(path)) ?? ownerFault(path, statSync(path));
}

/** Whoever owns a file may put another in its place at any time; root may anyway. */
function ownerFault(path: string, { uid }: Stats): string | null {
  const self = process.geteuid?.();
  if (self === undefined || uid === self || uid === 0) return null;
  return `${path} belongs to user ${uid}, and this process is user ${self}: its owner could change what the node must not forget`;
}

/** Whether every user of the machine may write there. */
export function isOpenToAll(path: string): boolean {
  return process.geteuid !== undefined && (statSync(path).mode & 0o002) !== 0;
}

/** What to do about an error of the file system, as the beginning of a sentence. */
export function remedyFor(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'Free space on its disk';
    case 'EACCES':
    case 'EPERM':
      return 'Mend its permissions';
    case 'ENOENT':
      return 'Make the folder that it is in';
    case 'EROFS':
      return 'Its disk can only be read: mount it for writing';
    case 'EIO':
      return 'Check its disk';
    case 'EMFILE':
    case 'ENFILE':
      return 'Allow more open files (ulimit -n)';
    default:
      return 'Mend it';
  }
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
