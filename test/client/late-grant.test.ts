/** A grant that arrives when nothing is left of it: nobody has held the lock, so its client asks again. */
import { RemoteLock } from '../../src/client/remote-lock';
import type { LockSession, RemoteOptions } from '../../src/client/remote-lock';
import type { ManagedLock } from '../../src/locks/managed-lock';

const LEASE_MS = 10_000;

/** Asked for at 0. @returns what became of it, and what the session was told */
async function grantedAt(nowMs: number, options: RemoteOptions): Promise<{ readonly outcome: unknown; readonly gaveBack: number }> {
  let timeMs = 0;
  let gaveBack = 0;
  const session: LockSession = {
    address: '127.0.0.1:7001', leaseMs: LEASE_MS,
    nowMs: () => timeMs,
    giveBack: () => void gaveBack++,
    idles: () => undefined, tellInUse: () => undefined, untilTold: () => Promise.resolve(), waiting: () => undefined,
  };
  const outcome = await new Promise<ManagedLock | Error>((resolve) => {
    const lock = new RemoteLock(session, 1, 'a', options, resolve, (reason) => resolve(reason as Error));
    timeMs = nowMs;
    lock.onHeld(5, { sentAtMs: 0, validForMs: LEASE_MS }, undefined, undefined);
  });
  return { outcome, gaveBack };
}

test.each([
  ['the time that was told', LEASE_MS, {}],
  ['the time for which it may be held at most', 2_000, { maxHoldMs: 2_000 }],
])('after %s has run out: it is given back, and may be asked for again', async (_, nowMs, options) => {
  expect(await grantedAt(nowMs, options)).toMatchObject({ outcome: { code: 'lost', definite: true, message: expect.stringContaining('had run out when its grant arrived') as string }, gaveBack: 1 });
  expect(await grantedAt(nowMs - 1, options)).toMatchObject({ outcome: { name: 'a', token: 5 }, gaveBack: 0 });
});
