/** How messages and people call whoever holds a lock or waits for it. */
import type { LockInfo } from './types';

/** What steers a terminal instead of being shown: control characters, line ends, and signs that turn the direction of text. */
const STEERING = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** Text that somebody else chose, for a terminal: on one line, and what would steer the terminal as an escape. */
export function visible(text: string): string {
  return text.replace(STEERING, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `n1/3 (deploy 7)`: the client, and its label if it gave one. */
export function holderTitle({ clientId, label }: Pick<LockInfo, 'clientId' | 'label'>): string {
  return label === undefined ? clientId : `${clientId} (${visible(label)})`;
}
