/**
 * Fencing in PostgreSQL: the tokens live in a table beside the data that they guard, and are checked and
 * remembered in the transaction that writes.
 *
 *     const fenced = fence(postgresStore(pool)); // `pool` of the package pg; make the table FENCES first
 *     await locks.request('invoices', (lock) =>
 *       fenced.write(lock, (sql) => sql.query('update invoices set total = $1', [total])));
 *
 * Why this is safe when many write at once. `insert … on conflict do update` locks the row of the lock's
 * name until the transaction ends, even when its `where` is false. A second writer waits there, and then
 * its `where` is judged against what the first one committed, not against what was there when it began.
 * (Selecting the token first and comparing it in the program would not do: two writers can read the same
 * old token, and the one with the smaller token commit last.) At stricter levels than READ COMMITTED the
 * second writer fails with 40001 instead, and may try again.
 */
import type { ClientBase, Pool } from 'pg';
import type { FenceOutcome, FencingToken, FenceStore } from 'maekawa';

/** A lock's name is kept as JSON: any string is a name, and not every string is a text to PostgreSQL. */
export const FENCES = `
  create table if not exists fences (
    lock text primary key,
    exclusive bigint not null, -- the highest token of an exclusive holder; 0 when there was none
    any_mode bigint not null   -- the highest token of any holder
  )`;

/**
 * Only when the token is not stale. An exclusive holder ($3 = $2) must be as new as any, a shared one
 * ($3 = 0) as new as every exclusive one.
 */
const REMEMBER = `
  insert into fences as seen (lock, exclusive, any_mode) values ($1, $3, $2)
  on conflict (lock) do update
    set exclusive = greatest(seen.exclusive, excluded.exclusive), any_mode = greatest(seen.any_mode, excluded.any_mode)
    where case when $3 = 0 then seen.exclusive else seen.any_mode end <= $2`;

export interface PostgresOptions {
  /**
   * A holder that is paused in the middle of its write keeps all others waiting for the row of the lock's
   * name. PostgreSQL rolls its transaction back after so many milliseconds without a statement. Default 10000.
   */
  readonly pauseMsMax?: number;
}

/** The write gets the connection, inside the transaction; it must not begin, commit or roll back. */
export function postgresStore(pool: Pool, { pauseMsMax = 10_000 }: PostgresOptions = {}): FenceStore<ClientBase> {
  return {
    transact: async <T>(tokens: readonly FencingToken[], write: (sql: ClientBase) => Promise<T>): Promise<FenceOutcome<T>> => {
      const client = await pool.connect();
      let broken: Error | undefined;
      const onError = (error: Error): void => void (broken = error);
      client.on('error', onError); // a connection that breaks between two statements; unheard, it ends the process
      try {
        await client.query(`begin; set local idle_in_transaction_session_timeout = ${Math.ceil(pauseMsMax)}`);
        for (const { name, token, mode } of tokens) {
          const lock = JSON.stringify(name);
          const { rowCount } = await client.query(REMEMBER, [lock, token, mode === 'shared' ? 0 : token]);
          if (rowCount === 1) continue;
          const { rows } = await client.query<{ any_mode: string }>('select any_mode from fences where lock = $1', [lock]);
          await client.query('rollback');
          return { kind: 'stale', name, seen: Number(rows[0]?.any_mode) };
        }
        const value = await write(client);
        const { command } = await client.query('commit');
        // So PostgreSQL ends a transaction in which a statement failed, and reports no error.
        if (command !== 'COMMIT') throw new Error('nothing was written: a statement failed and the write went on; let it throw');
        return { kind: 'written', value };
      } catch (error) {
        await client.query('rollback').catch((cause: Error) => void (broken ??= cause));
        throw error;
      } finally {
        client.off('error', onError);
        client.release(broken); // a broken connection is closed and not used again
      }
    },
  };
}
