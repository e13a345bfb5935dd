/** Locks that a process which is no node keeps when it is done with them: `connect({ keep: true })`. Real processes, real time. */
import { connect } from '../../src';
import type { RemoteLocks } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { startCluster } from '../support/processes';
import { Proxy } from '../support/proxy';

/** What only the end of a lease would free is not free within any of these tests. */
const LEASE_MS = 60_000;
const WITHIN = { waitMs: 20_000 };

let cluster: Cluster;
let keeper: RemoteLocks;
let same: RemoteLocks;
let other: RemoteLocks;

beforeAll(async () => {
  cluster = await startCluster({ leaseMs: LEASE_MS });
  keeper = connect({ addresses: [cluster.addressOf('n1')], keep: true });
  same = connect({ addresses: [cluster.addressOf('n1')] });
  other = connect({ addresses: [cluster.addressOf('n2')], keep: true });
});
afterAll(async () => {
  await Promise.all([keeper, same, other].map(({ close }) => close()));
  await cluster.remove();
});

/** Takes and releases it, so that it is kept. */
async function keep(name: string): Promise<number> {
  const lock = await keeper.locks.acquire(name, WITHIN);
  await lock.release();
  return lock.token;
}

test('what is free is entered again without a message, with a larger token each time', async () => {
  const entries = async (): Promise<number | undefined> => (await cluster.status('n1'))?.entries;
  let last = await keep('r');
  const before = await entries();
  for (let time = 0; time < 1_000; time++) {
    const token = await keeper.locks.request('r', WITHIN, (lock) => lock.token);
    expect(token).toBeGreaterThan(last);
    last = token;
  }
  // The node heard of no entry.
  expect(await entries()).toBe(before);
  const next = await other.locks.acquire('r', WITHIN);
  expect(next.token).toBeGreaterThan(last);
  await next.release();
});

test.each([
  ['a client of the same node', () => same],
  ['a client of another node', () => other],
])('%s has it at once, with a larger token, and so does one that asks for what is available', async (who, locks) => {
  const token = await keep(`s ${who}`);
  const next = await locks().locks.acquire(`s ${who}`, WITHIN);
  expect(next.token).toBeGreaterThan(token);
  await next.release();
  await keep(`t ${who}`);
  const available = await locks().locks.tryAcquire(`t ${who}`);
  expect(available).not.toBeNull();
  await available?.release();
});

test('one that is in use is not available, is kept no further, and goes to who waits when it is released', async () => {
  await keep('u');
  const lock = await keeper.locks.acquire('u');
  expect(await same.locks.tryAcquire('u')).toBeNull();
  expect(await other.locks.tryAcquire('u')).toBeNull();
  expect(lock.validForMs()).toBeGreaterThan(0);
  const waiting = other.locks.acquire('u', WITHIN);
  await lock.release();
  const next = await waiting;
  expect(next.token).toBeGreaterThan(lock.token);
  await next.release();
});

test('query shows what is in use, and not what is kept for nobody', async () => {
  await keep('v');
  const lock = await keeper.locks.acquire('w');
  const { held } = await other.locks.query();
  expect(held.map(({ name }) => name)).toContain('w');
  expect(held.map(({ name }) => name)).not.toContain('v');
  await lock.release();
});

test('a second caller of the same process waits its turn, and the order is kept', async () => {
  await keep('x');
  const first = await keeper.locks.acquire('x');
  const tokens: number[] = [first.token];
  const others = Array.from({ length: 3 }, () => keeper.locks.request('x', WITHIN, ({ token }) => void tokens.push(token)));
  await first.release();
  await Promise.all(others);
  expect([...tokens].sort((one, another) => one - another)).toEqual(tokens);
});

test('stolen from who keeps it and from who uses it', async () => {
  await keep('y');
  const first = await other.locks.acquire('y', { steal: true });
  await first.release();
  const used = await keeper.locks.acquire('y', WITHIN);
  expect(used.token).toBeGreaterThan(first.token);
  used.signal.addEventListener('abort', () => void used.release());
  const second = await other.locks.acquire('y', { steal: true });
  expect(used.signal.reason).toMatchObject({ code: 'stolen' });
  expect(second.token).toBeGreaterThan(used.token);
  await second.release();
});

test('a thousand are kept, those that were used last', async () => {
  const crowd = connect({ addresses: [cluster.addressOf('n3')], keep: true });
  const names = Array.from({ length: 1_002 }, (_, index) => `crowd ${index}`);
  for (const name of names) await crowd.locks.request(name, WITHIN, () => undefined);
  const { entries } = (await cluster.status('n3')) ?? {};
  for (const name of names.slice(2)) await crowd.locks.request(name, WITHIN, () => undefined);
  expect((await cluster.status('n3'))?.entries).toBe(entries);
  await crowd.locks.request('crowd 0', WITHIN, () => undefined);
  expect((await cluster.status('n3'))?.entries).toBe((entries ?? NaN) + 1);
  await crowd.close();
});

test('close gives back what is kept', async () => {
  const closing = connect({ addresses: [cluster.addressOf('n1')], keep: true });
  const lock = await closing.locks.acquire('z', WITHIN);
  await lock.release();
  await closing.close();
  const next = await other.locks.acquire('z', WITHIN);
  expect(next.token).toBeGreaterThan(lock.token);
  await next.release();
});

test('with its stream broken nobody enters a lock that was kept; the node hears that it was given back when the client returns', async () => {
  const proxy = await Proxy.to(cluster.addressOf('n1'));
  const cut = connect({ addresses: [proxy.address], keep: true });
  const kept = await cut.locks.acquire('cut', WITHIN);
  await kept.release();
  const used = await cut.locks.acquire('used', WITHIN);
  proxy.reset();
  const next = await other.locks.acquire('cut', WITHIN);
  expect(next.token).toBeGreaterThan(kept.token);
  expect(await other.locks.tryAcquire('used')).toBeNull();
  await used.release();
  const after = await other.locks.acquire('used', WITHIN);
  expect(after.token).toBeGreaterThan(used.token);
  await Promise.all([next.release(), after.release()]);
  await cut.close();
  proxy.close();
});

test('what ends at a time of its own is not kept', async () => {
  for (const options of [{ mode: 'shared' }, { maxHoldMs: 60_000 }] as const) {
    const lock = await keeper.locks.acquire('limited', { ...WITHIN, ...options });
    await lock.release();
    const { held } = await same.locks.query({ scope: 'node' });
    expect(held.filter(({ name }) => name === 'limited')).toEqual([]);
  }
});

test('keep is true or false', () => {
  expect(() => connect({ addresses: ['127.0.0.1:1'], keep: 'yes' as unknown as boolean })).toThrow(/keep is true or false, not "yes"/);
});
