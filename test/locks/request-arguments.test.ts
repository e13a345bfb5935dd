/** What methods beyond the specification refuse, and ours of its options. What the specification refuses is in `page/`. */
import { connect } from '../../src';
import type { AcquireOptions, ConnectOptions, LockManager, QueryOptions, RemoteLocks } from '../../src';
import { testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';

let cluster: TestCluster;
let locks: LockManager;
/** Of a node that is not there: what is wrong is refused before it is asked. */
let remote: RemoteLocks;

beforeAll(async () => {
  cluster = await testCluster({ nodes: 1 });
  locks = cluster.node('n1').locks;
  remote = connect({ addresses: ['127.0.0.1:9'] });
});
afterAll(async () => {
  await remote.close();
  await cluster.stop();
});

/** By each method that takes a name and options. */
const methods: [string, (name: string, options: AcquireOptions) => Promise<unknown>][] = [
  ['request', (name, options) => locks.request(name, options, () => 'never')],
  ['acquire', (name, options) => locks.acquire(name, options)],
  ['acquireAll', (name, options) => locks.acquireAll([name], options)],
  ['semaphore.acquire', (_name, options) => locks.semaphore('pool', 1).acquire(options)],
  ['semaphore.request', (_name, options) => locks.semaphore('pool', 1).request(options, () => 'never')],
];

describe.each(methods)('%s', (method, call) => {
  test.each([-1, NaN, Infinity, 2 ** 31, '10', null])('waitMs: %p is refused by a rejection that says what is allowed', async (waitMs) => {
    await expect(call('r', { waitMs: waitMs as number })).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('waitMs is a number of milliseconds from 0 to 2147483647, not') as string });
  });

  test('what is no signal is a TypeError', async () => {
    await expect(call('r', { signal: {} as AbortSignal })).rejects.toThrow(TypeError);
  });

  test.each([[new RangeError('enough')], ['a string'], [null], [undefined]])('a signal that is aborted already: its reason, %p', async (reason) => {
    const signal = AbortSignal.abort(reason);
    const seen: unknown = await call('r', { signal }).then(() => 'granted', (error: unknown) => error);
    expect(seen).toBe(signal.reason);
    expect(await locks.query()).toEqual({ held: [], pending: [], unanswered: [] });
  });

  if (!method.startsWith('semaphore')) {
    test('a mode that is none is a TypeError, a reserved name a NotSupportedError, a shared theft too', async () => {
      await expect(call('r', { mode: 'both' as 'shared' })).rejects.toThrow(TypeError);
      await expect(call('-r', {})).rejects.toMatchObject({ name: 'NotSupportedError' });
      await expect(call('r', { mode: 'shared', steal: true })).rejects.toMatchObject({ name: 'NotSupportedError' });
    });

    test('a name beyond 4096 bytes is refused with the length that is allowed', async () => {
      await expect(call('ä'.repeat(2049), {})).rejects.toMatchObject({ code: 'config', message: expect.stringMatching(/4098 bytes.*4096/) as string });
    });
  }
});

test.each(['acquire', 'tryAcquire'] as const)('%s: a name is a string and nothing else', async (method) => {
  await expect(locks[method](undefined as unknown as string)).rejects.toThrow('a lock name is a string, not undefined');
  await expect(locks[method](7 as unknown as string)).rejects.toThrow(TypeError);
});

test('acquireAll: names in an array, and not one string, which would be taken for its letters', async () => {
  await expect(locks.acquireAll('ab')).rejects.toThrow('acquireAll takes the names in an array, such as ["ab"]');
  await expect(locks.acquireAll(['a', 7 as unknown as string])).rejects.toThrow(TypeError);
});

test.each([[undefined, 'undefined'], [null, 'null'], [5, '5'], [{}, 'an object']])('acquireAll: %p is no list of names, and above all no empty one', async (names, shown) => {
  const refused = { name: 'TypeError', message: `acquireAll takes the names in an array, such as ['from', 'to'], not ${shown}` };
  await expect(locks.acquireAll(names as string[])).rejects.toMatchObject(refused);
  await expect(remote.locks.acquireAll(names as string[])).rejects.toMatchObject(refused);
});

describe.each<[string, () => LockManager]>([['a node', () => locks], ['connect', () => remote.locks]])('through %s', (_way, manager) => {
  const calls: [string, (options: AcquireOptions) => Promise<unknown>][] = [
    ['acquire', (options) => manager().acquire('l', options)],
    ['tryAcquire', (options) => manager().tryAcquire('l', options)],
    ['acquireAll', (options) => manager().acquireAll(['l'], options)],
    ['semaphore.acquire', (options) => manager().semaphore('pool', 1).acquire(options)],
    ['semaphore.tryAcquire', (options) => manager().semaphore('pool', 1).tryAcquire(options)],
    ['semaphore.request', (options) => manager().semaphore('pool', 1).request(options, () => 'never')],
  ];
  test.each(calls)('%s: options that are no object', async (_method, call) => {
    for (const [options, shown] of [[null, 'null'], ['shared', '"shared"'], [5, '5']]) {
      await expect(call(options as AcquireOptions)).rejects.toMatchObject({ name: 'TypeError', message: `the options of a request are an object, such as { waitMs: 10_000 }, not ${String(shown)}` });
    }
  });

  test('query: options that are no object, and a scope that is none', async () => {
    await expect(manager().query(null as unknown as QueryOptions)).rejects.toMatchObject({ name: 'TypeError', message: "the options of query are an object, such as { scope: 'node' }, not null" });
    await expect(manager().query({ scope: 'foo' as 'cluster' })).rejects.toMatchObject({ name: 'TypeError', message: "scope is 'cluster' or 'node', not \"foo\"" });
  });
});

test('connect: an object, with the addresses in an array, and not one string, which would be taken for its characters', () => {
  expect(() => connect(undefined as unknown as ConnectOptions)).toThrow(new TypeError("connect takes an object, such as { addresses: ['127.0.0.1:7001'] }, not undefined"));
  expect(() => connect({ addresses: 'host:1' as unknown as string[] })).toThrow(new TypeError("connect takes the addresses in an array, such as ['127.0.0.1:7001'], not \"host:1\""));
  expect(() => connect({})).toThrow(/^connect needs the address of at least one node, such as 127\.0\.0\.1:7001, or a configuration$/);
});

test('a semaphore: a name, and from 1 to 64 permits', () => {
  for (const permits of [0, 65, 1.5, NaN, '2' as unknown as number]) expect(() => locks.semaphore('pool', permits)).toThrow(/from 1 to 64 permits, not/);
  expect(() => locks.semaphore(undefined as unknown as string, 1)).toThrow(TypeError);
  // The names of its permits are longer than its own.
  expect(() => locks.semaphore('x'.repeat(4090), 1)).toThrow(/name of the semaphore is too long/);
  expect(locks.semaphore('x'.repeat(4000), 64).permits).toBe(64);
});
