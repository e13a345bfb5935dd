/**
 * A node that starts before the name server knows its own name, as in a pod or at boot, waits for that: it is not the node that
 * would have to be mended. Law: says at once what it waits for.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log';
import { hostOf } from '../transport/channel';

const AGAIN_MS = 1_000;
/** How many looks pass before the log says it again. */
const LOOKS_PER_LINE = 60;

/** @param isOver whether to give up; then the name may be unknown still */
export async function untilNameKnown(address: string, log: Pick<Logger, 'warn' | 'info'>, isOver: () => boolean, find: (host: string) => Promise<unknown> = lookup, againMs = AGAIN_MS): Promise<void> {
  const host = hostOf(address);
  if (host === '' || isIP(host) !== 0) return;
  for (let looks = 0; !isOver(); looks++) {
    try {
      await find(host);
      if (looks > 0) log.info(`this machine knows the name ${host} now`);
      return;
    } catch (error) {
      if (looks % LOOKS_PER_LINE === 0) {
        log.warn({ error }, `cannot listen on ${address} yet: this machine does not know the name ${host}. The node starts when it does; check the name, or give an address with --listen`);
      }
      await sleep(againMs);
    }
  }
}
