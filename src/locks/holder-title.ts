/** How messages and people call whoever holds a lock or waits for it. */
import type { LockInfo } from './types';

/** `n1/3 (deploy 7)`: the client, and its label if it gave one. */
export function holderTitle({ clientId, label }: Pick<LockInfo, 'clientId' | 'label'>): string {
  return label === undefined ? clientId : `${clientId} (${label})`;
}
