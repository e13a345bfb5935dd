/** How messages and people call whoever holds a lock or waits for it. */
import { visible } from '../visible';
import type { LockInfo } from './types';

/** `n1/3 (deploy 7)`: the client, and its label if it gave one. */
export function holderTitle({ clientId, label }: Pick<LockInfo, 'clientId' | 'label'>): string {
  return visible(label === undefined ? clientId : `${clientId} (${label})`);
}
