/** PostgreSQL's advisory locks. A connection is the holder, and one that waits can do nothing else: each caller has one. */
import { Client } from 'pg';
import type { ClientSpec, LockClient, Release } from './lock-client';

const LOCK = { name: 'lock', text: 'select pg_advisory_lock(hashtextextended($1, 0))' };
const UNLOCK = { name: 'unlock', text: 'select pg_advisory_unlock(hashtextextended($1, 0))' };

export function openPostgres({ ports: [port = 0] }: Extract<ClientSpec, { kind: 'postgres' }>): LockClient {
  const connections = new Map<number, Promise<Client>>();
  const connectionOf = (caller: number): Promise<Client> => {
    const known = connections.get(caller) ?? connectTo(port);
    connections.set(caller, known);
    return known;
  };
  return {
    acquire: async (name, caller): Promise<Release> => {
      const connection = await connectionOf(caller);
      await connection.query({ ...LOCK, values: [name] });
      return async () => void (await connection.query({ ...UNLOCK, values: [name] }));
    },
    close: async () => void (await Promise.allSettled([...connections.values()].map(async (each) => (await each).end()))),
  };
}

async function connectTo(port: number): Promise<Client> {
  const client = new Client({ host: '127.0.0.1', port, user: 'bench', database: 'postgres' });
  client.on('error', () => undefined); // What fails for it is rejected too.
  await client.connect();
  return client;
}
