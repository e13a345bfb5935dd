/** The PostgreSQL adapter against a real server; left out where there is none. */
import fc from 'fast-check';
import { Pool } from 'pg';
import { FENCES, postgresStore } from '../../examples/fencing/postgres';
import { fence } from '../../src';
import { holdsAsync } from '../support/holds';
import { PostgresServer, findPostgres } from '../support/postgres';
import { attempts, judge, writeLate } from './judge';
import type { Attempt } from './judge';

const programs = findPostgres();
const withPostgres = programs === null ? describe.skip : describe;

withPostgres('with a real PostgreSQL (needs the package postgresql)', () => {
  let server: PostgresServer;
  let pool: Pool;

  beforeAll(async () => {
    server = await PostgresServer.start(programs ?? '');
    pool = new Pool({ ...server.connection, max: 20 });
    pool.on('error', () => undefined); // connections that the server ends
    await pool.query(FENCES);
    await pool.query('create table invoices (id int primary key, text text not null)');
    await pool.query('create sequence positions');
    await pool.query('create table journal (position bigint primary key, attempt int not null)');
  });
  beforeEach(async () => {
    await pool.query("truncate fences, invoices, journal; insert into invoices values (1, '')");
  });
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });

  async function text(): Promise<string | undefined> {
    return (await pool.query<{ text: string }>('select text from invoices')).rows[0]?.text;
  }

  test('the late write of a holder that was cut off is refused, and what the next one wrote stays', async () => {
    const late = writeLate(postgresStore(pool), (sql, value) => sql.query('update invoices set text = $1', [value]));
    await expect(late).rejects.toMatchObject({ code: 'fenced', message: expect.stringMatching(/"invoices" with token \d+: a later holder with token \d+ was here/) as string });
    expect(await text()).toBe('by the next holder');
  });

  test.each(['read committed', 'serializable'])('many write at once (%s): no older holder comes after a newer one, and none is refused without a reason', async (isolation) => {
    const strict = new Pool({ ...server.connection, max: 20, options: `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}` });
    const fenced = fence(postgresStore(strict));
    try {
      await holdsAsync(fc.asyncProperty(fc.noShrink(attempts(30)), async (all) => {
        await pool.query('truncate fences, journal');
        const refused: Attempt[] = [];
        const write = async (attempt: Attempt): Promise<void> => {
          try {
            // Whoever shares a lock with this one waits for its row until this commits, so positions tell the order.
            await fenced.write(attempt.tokens, (sql) => sql.query("insert into journal values (nextval('positions'), $1)", [attempt.id]));
          } catch (error) {
            const { code } = error as { code?: string };
            if (code === '40001') return write(attempt); // could not serialize
            if (code !== 'fenced') throw error;
            refused.push(attempt);
          }
        };
        await Promise.all(all.map(write));
        const { rows } = await pool.query<{ attempt: number }>('select attempt from journal order by position');
        judge(rows.map(({ attempt }) => all[attempt] as Attempt), refused);
        expect(rows.length + refused.length).toBe(all.length);
      }), 25);
    } finally {
      await strict.end();
    }
  });

  test('of many that write at once the one with the highest token has the last word', async () => {
    const fenced = fence(postgresStore(pool));
    const tokens = Array.from({ length: 100 }, (_, index) => index + 1).sort(() => Math.random() - 0.5);
    const outcomes = await Promise.allSettled(tokens.map((token) =>
      fenced.write({ name: 'invoices', token }, (sql) => sql.query('update invoices set text = $1', [`token ${token}`]))));
    expect(await text()).toBe('token 100');
    expect(outcomes[tokens.indexOf(100)]).toMatchObject({ status: 'fulfilled' });
  });

  test('a write that throws is rolled back, and its token with it', async () => {
    const fenced = fence(postgresStore(pool));
    const failing = fenced.write({ name: 'invoices', token: 9 }, async (sql) => {
      await sql.query("update invoices set text = 'half'");
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await fenced.write({ name: 'invoices', token: 8 }, (sql) => sql.query("update invoices set text = text || 'whole'"));
    expect(await text()).toBe('whole');
  });

  test('a write that goes on after a failed statement is told that nothing was written', async () => {
    const fenced = fence(postgresStore(pool));
    const careless = fenced.write({ name: 'invoices', token: 1 }, async (sql) => {
      await sql.query("update invoices set text = 'lost'");
      await sql.query('no sql').catch(() => undefined);
    });
    await expect(careless).rejects.toThrow(/nothing was written: a statement failed/);
    expect(await text()).toBe('');
  });

  test('a holder that is paused in the middle of its write does not keep the others waiting for ever', async () => {
    const fenced = fence(postgresStore(pool, { pauseMsMax: 100 }));
    let goOn: () => void = () => undefined;
    const pause = new Promise<void>((resolve) => (goOn = resolve));
    let began: () => void = () => undefined;
    const beginning = new Promise<void>((resolve) => (began = resolve));
    const paused = fenced.write({ name: 'invoices', token: 1 }, async (sql) => {
      await sql.query("update invoices set text = 'paused'");
      began();
      await pause;
    });
    paused.catch(() => undefined); // looked at below
    await beginning;
    await fenced.write({ name: 'invoices', token: 2 }, (sql) => sql.query("update invoices set text = 'in time'"));
    goOn();
    await expect(paused).rejects.toThrow();
    expect(await text()).toBe('in time');
    await expect(fenced.write({ name: 'invoices', token: 1 }, () => undefined)).rejects.toMatchObject({ code: 'fenced' });
  });

  test('any string names a lock, and each is another one', async () => {
    const fenced = fence(postgresStore(pool));
    for (const name of ['', '\0', '\ud800', '\ufffd', "'; drop table fences", '"', '\\u0000']) {
      await fenced.write({ name, token: 2 }, () => undefined);
      await expect(fenced.write({ name, token: 1 }, () => undefined)).rejects.toMatchObject({ code: 'fenced' });
    }
  });

  test('the largest token there can be', async () => {
    const fenced = fence(postgresStore(pool));
    await fenced.write({ name: 'a', token: Number.MAX_SAFE_INTEGER }, () => undefined);
    await expect(fenced.write({ name: 'a', token: Number.MAX_SAFE_INTEGER - 1 }, () => undefined)).rejects.toThrow(/9007199254740991 was here/);
  });
});
