/**
 * A job that one machine does each night. The lock sees to it that no two do it at one time. That the work of a night is done
 * once is for the record to say, which is written under the same lock and shows its token.
 */
import { join } from 'node:path';
import { LockError, fence } from 'maekawa';
import type { LockManager } from 'maekawa';
import { fileStore } from '../fencing/file';

export type Outcome = 'done' | 'done before' | 'somebody else does it';

/**
 * @param day such as `2026-11-30`
 * @param work one step of the job; it stops between two steps when the lock is lost
 * @throws LockError `lost` or `fenced` when the lock was lost: another machine begins again, so a step must stand being done twice
 */
export async function nightly(locks: LockManager, folder: string, day: string, steps: readonly (() => Promise<void>)[]): Promise<Outcome> {
  const record = fence(fileStore(join(folder, 'nightly-done-until.txt')));
  try {
    return await locks.request('nightly', { waitMs: 1_000, label: `the job of ${day}` }, async (lock): Promise<Outcome> => {
      const doneUntil = await record.write(lock, async (file) => String((await file.read()) ?? '').trim());
      if (doneUntil >= day) return 'done before';
      for (const step of steps) {
        lock.signal.throwIfAborted();
        await step();
      }
      await record.write(lock, (file) => file.replace(`${day}\n`));
      return 'done';
    });
  } catch (error) {
    if (error instanceof LockError && error.code === 'timeout') return 'somebody else does it';
    throw error;
  }
}

/** Calls back each day at this hour (UTC), until it is stopped. */
export function everyDayAt(hour: number, callback: (day: string) => void): () => void {
  let timer: NodeJS.Timeout;
  const plan = (): void => {
    const next = new Date();
    next.setUTCHours(hour, 0, 0, 0);
    if (next.getTime() <= Date.now()) next.setUTCDate(next.getUTCDate() + 1);
    timer = setTimeout(() => {
      callback(next.toISOString().slice(0, 10));
      plan();
    }, next.getTime() - Date.now());
  };
  plan();
  return () => clearTimeout(timer);
}
