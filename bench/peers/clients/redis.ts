/** Locks in Redis: one Redis with the command and script of its own manual, and Redlock over several. */
import { randomUUID } from 'node:crypto';
import { packageOf } from './package-of';
import { pause, POLL_MS } from './lock-client';
import type { ClientSpec, LockClient, Release } from './lock-client';

interface Redis {
  set(key: string, value: string, px: 'PX', ms: number, nx: 'NX'): Promise<'OK' | null>;
  /** Defined below by `defineCommand`. */
  unlock(key: string, value: string): Promise<number>;
  defineCommand(name: 'unlock', definition: { numberOfKeys: number; lua: string }): void;
  ping(): Promise<string>;
  on(event: 'error', listener: (error: Error) => void): void;
  disconnect(): void;
}

interface IoRedis {
  readonly Redis: new (options: { host: string; port: number; enableAutoPipelining: boolean }) => Redis;
}

interface Redlock {
  readonly default: new (clients: Redis[], settings: { retryCount: number }) => {
    acquire(resources: string[], ms: number): Promise<{ release(): Promise<unknown> }>;
    on(event: 'error', listener: (error: Error) => void): void;
  };
}

/** As https://redis.io/docs/latest/commands/set/ has it. */
const UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

async function connectTo(ports: readonly number[], enableAutoPipelining: boolean): Promise<Redis[]> {
  const { Redis } = packageOf('ioredis') as IoRedis;
  const clients = ports.map((port) => new Redis({ host: '127.0.0.1', port, enableAutoPipelining }));
  for (const client of clients) {
    client.on('error', () => undefined); // What fails for it is rejected too.
    client.defineCommand('unlock', { numberOfKeys: 1, lua: UNLOCK });
  }
  await Promise.all(clients.map((client) => client.ping()));
  return clients;
}

/** One Redis: who finds the lock taken asks again. */
export async function openRedis({ ports, leaseMs }: Extract<ClientSpec, { kind: 'redis' }>): Promise<LockClient> {
  const clients = await connectTo(ports.slice(0, 1), false);
  const [redis] = clients;
  if (redis === undefined) throw new Error('no port of a Redis was given');
  return {
    acquire: async (name): Promise<Release> => {
      const value = randomUUID();
      while ((await redis.set(name, value, 'PX', leaseMs, 'NX')) !== 'OK') await pause(POLL_MS);
      return async () => void (await redis.unlock(name, value));
    },
    close: () => disconnect(clients),
  };
}

export async function openRedlock({ ports, leaseMs }: Extract<ClientSpec, { kind: 'redlock' }>): Promise<LockClient> {
  const clients = await connectTo(ports, false);
  const { default: Redlock } = packageOf('redlock') as Redlock;
  const redlock = new Redlock(clients, { retryCount: -1 });
  redlock.on('error', () => undefined); // It tells here of every attempt that found the lock taken.
  return {
    acquire: async (name): Promise<Release> => {
      const lock = await redlock.acquire([name], leaseMs);
      return async () => void (await lock.release());
    },
    close: () => disconnect(clients),
  };
}

/** Redlock as its specification says: ask all, a majority grants; who gets less gives back what it got and tries again. */
export async function openRedlockPipelined({ ports, leaseMs }: Extract<ClientSpec, { kind: 'redlock-pipelined' }>): Promise<LockClient> {
  const clients = await connectTo(ports, true);
  const majority = Math.floor(clients.length / 2) + 1;
  const unlockAll = async (name: string, value: string): Promise<void> => void (await Promise.allSettled(clients.map((client) => client.unlock(name, value))));
  return {
    acquire: async (name): Promise<Release> => {
      for (;;) {
        const value = randomUUID();
        const askedAtMs = performance.now();
        const answers = await Promise.allSettled(clients.map((client) => client.set(name, value, 'PX', leaseMs, 'NX')));
        const granted = answers.filter((answer) => answer.status === 'fulfilled' && answer.value === 'OK').length;
        const isValid = performance.now() - askedAtMs < leaseMs * 0.99 - 2;
        if (granted >= majority && isValid) return () => unlockAll(name, value);
        await unlockAll(name, value);
        await pause(POLL_MS + Math.random() * POLL_MS * 2);
      }
    },
    close: () => disconnect(clients),
  };
}

function disconnect(clients: readonly Redis[]): Promise<void> {
  for (const client of clients) client.disconnect();
  return Promise.resolve();
}
