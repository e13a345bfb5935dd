/** What is measured inside one process: callers that take a lock and give it back, again and again. */
import type { LockClient, Release } from './clients/lock-client';

export interface Loop {
  readonly callers: number;
  /** All want one name, or each one of its own. */
  readonly sameName: boolean;
  /** Whether a caller goes on only when its release has been answered. */
  readonly awaitsRelease: boolean;
  readonly forMs: number;
}

export interface Looped {
  /** How often each caller was inside within the time. */
  readonly entries: readonly number[];
  /** All entries, with those of callers that still waited when the time was over: what the processor time is divided by. */
  readonly cycles: number;
}

export async function loop(client: LockClient, { callers, sameName, awaitsRelease, forMs }: Loop): Promise<Looped> {
  const endsAtMs = performance.now() + forMs;
  const entries = Array.from({ length: callers }, () => 0);
  let cycles = 0;
  const unawaited = new Set<Promise<void>>();
  const giveBack = (release: Release): void => {
    const released = release().finally(() => unawaited.delete(released));
    released.catch(() => undefined);
    unawaited.add(released);
  };
  await Promise.all(entries.map(async (_, caller) => {
    const name = sameName ? 'shared' : `own-${process.pid}-${caller}`;
    while (performance.now() < endsAtMs) {
      const release = await client.acquire(name, caller);
      cycles++;
      if (performance.now() < endsAtMs) entries[caller] = (entries[caller] ?? 0) + 1;
      if (awaitsRelease) await release();
      else giveBack(release);
    }
  }));
  await Promise.all(unawaited);
  return { entries, cycles };
}
