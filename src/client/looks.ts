/**
 * A look, five times a second, at everything in this process that may run out unseen: while the machine sleeps, timers stand still and
 * leases do not. Law: one timer for all sessions, however many; none while nobody has anything to look at.
 */

/** How soon after the machine woke a lock that ran out meanwhile is found. */
const LOOK_MS = 200;

/** Returns whether to look again. */
export type Look = () => boolean;

const looks = new Set<Look>();
let timer: NodeJS.Timeout | undefined;

/** Look again and again, until the look says that there is nothing more to see. */
export function lookOn(look: Look): void {
  looks.add(look);
  timer ??= setTimeout(lookAll, LOOK_MS);
}

export function lookNoMore(look: Look): void {
  looks.delete(look);
  if (looks.size > 0) return;
  clearTimeout(timer);
  timer = undefined;
}

function lookAll(): void {
  // Set before anybody looks: what a look throws ends no other's.
  timer = setTimeout(lookAll, LOOK_MS);
  for (const look of [...looks]) if (!look()) lookNoMore(look);
}
