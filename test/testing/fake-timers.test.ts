/** The cluster for tests under faked timers, however much of time is faked. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { testCluster } from '../../src/testing';

afterEach(() => {
  jest.useRealTimers();
});

const ALL = ['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate', 'clearImmediate', 'setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] as const;

async function use(): Promise<void> {
  const cluster = await testCluster({ nodes: 3, leaseMs: 5_000, latencyMs: 5 });
  const lock = await cluster.advanceUntil(cluster.node('n1').locks.acquire('a'));
  lock.onRenewed((validForMs) => expect(validForMs).toBeGreaterThan(0));
  expect(await cluster.advanceUntil(cluster.node('n2').locks.tryAcquire('a'))).toBeNull();
  expect((await cluster.node('n2').locks.query()).held).toHaveLength(1);
  const stolen = new Promise((resolve) => lock.signal.addEventListener('abort', resolve));
  await cluster.advanceUntil(cluster.node('n3').locks.request('a', { steal: true }, () => undefined));
  await stolen;
  void lock.release();
  const other = await cluster.advanceUntil(cluster.node('n1').locks.acquire('b'));
  cluster.isolate('n1');
  await cluster.advance(5_000);
  expect(other.signal.aborted).toBe(true);
  await cluster.stop();
}

test('all of it is faked', async () => {
  jest.useFakeTimers();
  await use();
});

test.each(ALL)('all but %s is faked', async (keep) => {
  jest.useFakeTimers({ doNotFake: [keep] });
  await use();
});

test('the timers of Node.js itself are faked, as by sinon and node:test', () => {
  const script = `
const { testCluster } = require('./dist/src/testing');
const fake = () => undefined;
for (const of of [globalThis, require('node:timers')]) for (const name of ['setImmediate', 'setTimeout', 'setInterval']) of[name] = fake;
for (const name of ['setImmediate', 'setTimeout']) require('node:timers/promises')[name] = () => new Promise(fake);
testCluster().then(async (cluster) => {
  const lock = await cluster.node('n1').locks.acquire('a');
  await cluster.node('n2').locks.request('a', { steal: true }, () => undefined);
  console.log(lock.signal.aborted);
  await cluster.stop();
});`;
  expect(execFileSync(process.execPath, ['-e', script], { cwd: join(__dirname, '../..'), encoding: 'utf8', timeout: 30_000 })).toBe('true\n');
});

describe('advanceUntil', () => {
  test('gives what the promise gives, as soon as it does', async () => {
    const cluster = await testCluster({ leaseMs: 1_000 });
    const lock = await cluster.node('n1').locks.acquire('a');
    await expect(cluster.advanceUntil(cluster.node('n2').locks.acquire('a', { waitMs: 300 }))).rejects.toMatchObject({ code: 'timeout' });
    expect(cluster.now()).toBe(300);
    expect(await cluster.advanceUntil(Promise.resolve(7))).toBe(7);
    expect(cluster.now()).toBe(300);
    await lock.release();
    await cluster.stop();
  });

  test('says so when it has not settled in time', async () => {
    const cluster = await testCluster({ leaseMs: 1_000 });
    const never = new Promise(() => undefined);
    await expect(cluster.advanceUntil(never, 250)).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('has not settled within 250 ms') as string });
    expect(cluster.now()).toBe(250);
    await expect(cluster.advanceUntil(never)).rejects.toThrow(/within 100000 ms/);
    await expect(cluster.advanceUntil(never, NaN)).rejects.toMatchObject({ code: 'config' });
    await cluster.stop();
  });
});
