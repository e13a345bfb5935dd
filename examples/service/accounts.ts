/** What the service is about: accounts in files. Two machines must not change one account at a time. */
import { join } from 'node:path';
import { fence } from 'maekawa';
import type { LockManager } from 'maekawa';
import { fileStore } from '../fencing/file';

export class Accounts {
  constructor(
    private readonly locks: LockManager,
    /** Shared by all machines. A database in place of it is better: see ../fencing. */
    private readonly folder: string,
  ) {}

  /**
   * Returns the new balance.
   * @throws LockError `timeout` when others are busy with the account for 2 s, `no-quorum` when too few nodes are in reach,
   * `closed` when this process is stopping, `fenced` when the lock was lost before the write: nothing was written then.
   * After `lost` it may have been.
   */
  async add(account: string, amount: number): Promise<number> {
    const store = fence(fileStore(join(this.folder, `${account}.json`)));
    return this.locks.request(`account/${account}`, { waitMs: 2_000, label: 'add' }, (lock) =>
      store.write(lock, async (file) => {
        const balance = Number((await file.read()) ?? 0) + amount;
        file.replace(`${balance}\n`);
        return balance;
      }));
  }
}
