/** How messages and people call whoever holds a lock or waits for it. Law: nothing that somebody else chose reaches a terminal as it is. */
import { hostname, userInfo } from 'node:os';
import { visible } from '../visible';
import type { LockInfo } from './types';

/** Each answer about who holds what carries the labels. */
const LABEL_LENGTH_MAX = 200;

/** What is kept of a label. */
export function boundLabel(label: string): string {
  if (label.length <= LABEL_LENGTH_MAX) return label;
  // A copy: a slice would keep all of a long one in memory.
  return Buffer.from(label.slice(0, LABEL_LENGTH_MAX), 'utf16le').toString('utf16le');
}

let ownLabel: string | undefined;

/** What callers of this process are called unless they give a label: `deploy@web-1 pid 4711`. The system is asked once. */
export function processLabel(): string {
  return (ownLabel ??= boundLabel(`${userName()}@${hostname()} pid ${process.pid}`));
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a user of whom no file tells the name.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** `n1/3 (deploy@web-1 pid 4711)`: the client, and its label if it has one. */
export function holderTitle({ clientId, label }: Pick<LockInfo, 'clientId' | 'label'>): string {
  return visible(label === undefined ? clientId : `${clientId} (${label})`);
}
