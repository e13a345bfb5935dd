/** Our own locks, in the shape of the others: those of a node in this process, and those of a client. */
import { connect } from '../../../src';
import type { LockManager } from '../../../src';
import type { ClientSpec, LockClient, Release } from './lock-client';

export function overLocks(locks: LockManager, close: () => Promise<void>): LockClient {
  return {
    acquire: async (name): Promise<Release> => {
      const lock = await locks.acquire(name);
      return () => lock.release();
    },
    close,
  };
}

export function openConnect({ addresses, cluster, keep }: Extract<ClientSpec, { kind: 'connect' }>): LockClient {
  const { locks, close } = connect({ addresses, cluster, keep });
  return overLocks(locks, close);
}
