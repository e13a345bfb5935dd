/** How much of a node its clients may use: each limit with its default. docs/limits.md has the table. */
import { isObject, shown } from '../arguments';
import { LockError } from '../errors';

/**
 * Of `locksPerNode` and `sessionsPerNode` the clients at one IP address may use nine tenths, of each other `…PerNode` half, over
 * however many connections, so that others are always served. Who asks for more is refused with the reason.
 */
export interface ClientLimits {
  /** Sessions that are open to all clients; `connect` has one at each node that it uses. Default 10 000. */
  readonly sessionsPerNode: number;
  /** Locks wanted and held in one session. At most 10 000. Default 10 000. */
  readonly locksPerSession: number;
  /** Locks wanted and held over one connection by a stream for each (`Hold`). At most 1000. Default 1000. */
  readonly locksPerConnection: number;
  /** Locks wanted and held by all clients. Default 150 000. */
  readonly locksPerNode: number;
  /** Watches, of locks and of health, over one connection. At most 1000. Default 1000. */
  readonly watchesPerConnection: number;
  /** Watches by all clients. Default 10 000. */
  readonly watchesPerNode: number;
  /** Other calls that are not answered and read yet, over one connection. At most 1000. Default 1000. */
  readonly callsPerConnection: number;
  /** Other calls of all clients. Default 10 000. */
  readonly callsPerNode: number;
  /** Bytes of answers to `Query` and `Status` that were not read yet, over one connection. Default 4 MiB. */
  readonly unreadBytesPerConnection: number;
  /** Bytes of such answers to all clients. Default 64 MiB. */
  readonly unreadBytesPerNode: number;
  /** The watch of a client that reads nothing for so many milliseconds is ended. Default 60 000. */
  readonly unreadMs: number;
}

export const DEFAULT_LIMITS: ClientLimits = {
  sessionsPerNode: 10_000,
  locksPerSession: 10_000,
  locksPerConnection: 1_000,
  locksPerNode: 150_000,
  watchesPerConnection: 1_000,
  watchesPerNode: 10_000,
  callsPerConnection: 1_000,
  callsPerNode: 10_000,
  unreadBytesPerConnection: 2 ** 22,
  unreadBytesPerNode: 2 ** 26,
  unreadMs: 60_000,
};

/** What a connection can carry at all, with room for the answer to those who ask for more. */
const PER_CONNECTION_MAX = 1_000;

/** Beyond its default each limit has no end but that of numbers, except these. The first word of a stream names all locks of a session. */
const MOST: Partial<Record<keyof ClientLimits, number>> = {
  locksPerSession: 10_000, locksPerConnection: PER_CONNECTION_MAX, watchesPerConnection: PER_CONNECTION_MAX, callsPerConnection: PER_CONNECTION_MAX,
};

/** @throws LockError `config` */
export function readLimits(limits: unknown): ClientLimits {
  if (!isObject(limits)) throw new LockError('config', `limits is an object, such as { locksPerNode: 20_000 }, not ${shown(limits)}`);
  for (const [name, value] of Object.entries(limits as Record<string, unknown>)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) {
      throw new LockError('config', `there is no limit ${JSON.stringify(name)}; there are ${Object.keys(DEFAULT_LIMITS).join(', ')}`);
    }
    const most = MOST[name as keyof ClientLimits] ?? 0x7fff_ffff;
    if (!(typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most)) {
      throw new LockError('config', `the limit ${name} is a whole number from 1 to ${most}, not ${shown(value)}`);
    }
  }
  return { ...DEFAULT_LIMITS, ...(limits as Partial<ClientLimits>) };
}
