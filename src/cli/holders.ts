/** How people read a lock and who has it: a semaphore by its own name and not by the locks behind its permits. */
import { holderTitle } from '../locks/holder-title';
import type { LockInfo } from '../locks/types';
import { permitOf } from '../locks/permit';
import { visibleJson } from '../visible';
import { formatDuration } from './table';

/** The name on one line; odd characters are escaped. */
export function printable(name: string): string {
  return /^[\x21-\x7e]+$/.test(name) && !name.startsWith('"') ? name : visibleJson(name);
}

/** `invoices`, or `crawlers (permit 2)`. Permits are counted from 1. */
export function lockTitle(lockName: string): string {
  const permit = permitOf(lockName);
  return permit === null ? printable(lockName) : `${printable(permit.semaphore)} (permit ${permit.permit + 1})`;
}

/** Whether a lock is the one named, or a permit of the semaphore named. */
export function isAbout(lockName: string, name: string): boolean {
  return lockName === name || permitOf(lockName)?.semaphore === name;
}

/** `held by n1/3 (deploy 7) for 12 s; 2 others wait`; empty when nothing is known. */
export function describeUse(held: readonly LockInfo[], othersWaiting: number): string {
  const since = ({ forMs, keptForMs }: LockInfo): string => (keptForMs === undefined ? `for ${formatDuration(forMs)}` : `(done, kept for ${formatDuration(keptForMs)} more)`);
  const holders = held.map((lock) => `${holderTitle(lock)} ${since(lock)}`).join(', ');
  const waiting = othersWaiting === 0 ? '' : othersWaiting === 1 ? '1 other waits' : `${othersWaiting} others wait`;
  return [...(holders === '' ? [] : [`held by ${holders}`]), ...(waiting === '' ? [] : [waiting])].join('; ');
}
