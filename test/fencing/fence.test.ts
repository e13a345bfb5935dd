import fc from 'fast-check';
import { admit, fence } from '../../src';
import type { FencedBy, FenceStore, FencingToken } from '../../src';
import { memoryFenceStore } from '../../src/testing';
import { holdsAsync } from '../support/holds';
import { attempts, judge, writeLate } from './judge';
import type { Attempt } from './judge';

test('the late write of a holder that was cut off is refused; the error says who was here', async () => {
  const store = memoryFenceStore('');
  const late = writeLate(store, (resource, text) => (resource.value = text));
  await expect(late).rejects.toMatchObject({
    code: 'fenced', definite: true,
    message: expect.stringMatching(/under the lock "invoices" with token \d+: a later holder with token \d+ was here/) as string,
  });
  expect(store.value).toBe('by the next holder');
});

describe('the rule', () => {
  const seen = { exclusive: 5, any: 8 };

  test.each([
    ['an exclusive holder older than any other is stale', { token: 7 }, null],
    ['an exclusive holder may write again', { token: 8 }, { exclusive: 8, any: 8 }],
    ['a newer exclusive holder is remembered', { token: 9 }, { exclusive: 9, any: 9 }],
    ['a shared holder older than an exclusive one is stale', { token: 4, mode: 'shared' }, null],
    ['a shared holder may be older than another shared one, and takes nothing back', { token: 6, mode: 'shared' }, { exclusive: 5, any: 8 }],
    ['a newer shared holder is remembered apart', { token: 9, mode: 'shared' }, { exclusive: 5, any: 9 }],
  ] as const)('%s', (_rule, token, expected) => {
    expect(admit({ name: 'a', ...token }, seen)).toEqual(expected);
  });

  test('any token will do for a lock that was never seen', () => {
    expect(admit({ name: 'a', token: 1 })).toEqual({ exclusive: 1, any: 1 });
    expect(admit({ name: 'a', token: 1, mode: 'shared' })).toEqual({ exclusive: 0, any: 1 });
  });
});

test.each<[string, unknown, RegExp]>([
  ['no token at all', [], /at least one lock/],
  ['no locks held', { locks: [] }, /at least one lock/],
  ['the token 0', { name: 'a', token: 0 }, /token of the lock "a" is a whole number from 1 to 2\^53 - 1, not 0/],
  ['a token as text', { name: 'a', token: '7' }, /not 7/],
  ['a token that is no integer', { name: 'a', token: 1.5 }, /not 1\.5/],
  ['a token too large to be one', { name: 'a', token: 2 ** 53 }, /not 9007199254740992/],
  ['no token in the second of two', [{ name: 'a', token: 1 }, { name: 'b' }], /lock "b" .*not undefined/],
  ['no name', { name: undefined, token: 1 }, /name of its lock/],
  ['no such mode', { name: 'a', token: 1, mode: 'both' }, /'exclusive' or 'shared', not "both"/],
  ['two tokens of one lock', [{ name: 'a', token: 1 }, { name: 'a', token: 2 }], /two tokens of the lock "a"/],
])('%s: config, and the store is not asked', async (_what, locks, message) => {
  const fenced = fence({ transact: () => { throw new Error('it was asked'); } });
  await expect(fenced.write(locks as FencedBy, () => undefined)).rejects.toMatchObject({ code: 'config', message: expect.stringMatching(message) as string });
});

test('locks held together guard together: one stale token is enough', async () => {
  const store = memoryFenceStore<string[]>([]);
  const fenced = fence(store);
  const add = (text: string) => (resource: { value: string[] }): unknown => resource.value.push(text);
  await fenced.write({ locks: [{ name: 'a', token: 5 }, { name: 'b', token: 5 }] }, add('both'));
  await expect(fenced.write([{ name: 'b', token: 4 }, { name: 'a', token: 6 }], add('stale'))).rejects.toMatchObject({ code: 'fenced' });
  // The token 6 of the write that was refused counts for nothing.
  await fenced.write({ name: 'a', token: 5 }, add('a alone'));
  expect(store.value).toEqual(['both', 'a alone']);
});

test('every store is given the tokens in one order, so that writers cannot wait for each other', async () => {
  const given: string[][] = [];
  const store: FenceStore<null> = {
    transact: async (tokens, write) => {
      given.push(tokens.map(({ name }) => name));
      return { kind: 'written', value: await write(null) };
    },
  };
  const fenced = fence(store);
  const [a, b, c] = ['a', 'b', 'c'].map((name): FencingToken => ({ name, token: 1 })) as [FencingToken, FencingToken, FencingToken];
  await fenced.write([b, c, a], () => undefined);
  await fenced.write([c, a, b], () => undefined);
  expect(given).toEqual([['a', 'b', 'c'], ['a', 'b', 'c']]);
});

describe('the store in memory', () => {
  test('whatever is written in whatever order, no older holder comes after a newer one, and none is refused without a reason', async () => {
    const writes = fc.record({ all: attempts(12), failing: fc.uniqueArray(fc.nat(11)), turns: fc.array(fc.nat(3), { minLength: 12, maxLength: 12 }) });
    await holdsAsync(fc.asyncProperty(writes, async ({ all, failing, turns }) => {
      const store = memoryFenceStore<number[]>([]);
      const fenced = fence(store);
      const refused: Attempt[] = [];
      await Promise.all(all.map(async (attempt) => {
        for (let turn = 0; turn < (turns[attempt.id] ?? 0); turn++) await Promise.resolve();
        const write = async (resource: { value: number[] }): Promise<void> => {
          resource.value.push(attempt.id);
          await Promise.resolve();
          if (failing.includes(attempt.id)) throw new Error('failed');
        };
        try {
          await fenced.write(attempt.tokens, write);
        } catch (error) {
          if ((error as { code?: string }).code === 'fenced') refused.push(attempt);
          else expect((error as Error).message).toBe('failed');
        }
      }));
      judge(store.value.map((id) => all[id] as Attempt), refused);
      // Each was refused, failed, or was written once.
      const missing = all.filter((each) => !refused.includes(each) && !store.value.includes(each.id)).map(({ id }) => id);
      expect(failing).toEqual(expect.arrayContaining(missing));
      expect(new Set(store.value).size).toBe(store.value.length);
    }));
  });

  test('a write that fails changes nothing, and its token is not remembered', async () => {
    const store = memoryFenceStore({ total: 1 });
    const fenced = fence(store);
    const failing = fenced.write({ name: 'a', token: 9 }, (resource) => {
      resource.value.total = 2;
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await expect(fenced.write({ name: 'a', token: 8 }, (resource) => resource.value.total)).resolves.toBe(1);
  });
});
