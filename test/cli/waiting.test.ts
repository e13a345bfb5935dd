/** What `maekawa lock` does while there is nothing to wait for yet, and when what it waits for can never come. */
import type { Cluster } from '../../src/cli/demo/cluster';
import { heldAround, refuseNested } from '../../src/cli/held-locks';
import type { HeldAround, Wish } from '../../src/cli/held-locks';
import { PROGRAM, Program, prepareCluster, until } from '../support/processes';

describe('nodes that come up later', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await prepareCluster({ leaseMs: 1_500 });
  });
  afterAll(() => cluster.remove());

  function lock(...args: string[]): Program {
    return new Program(['lock', '--config', cluster.configFile, ...args]);
  }

  test('--wait waits for them, and says once what it waits for', async () => {
    const early = lock('early', '--wait', '100s', '--', 'echo', 'ran');
    await early.complains(/^maekawa: waiting: no node answers at 127\.0\.0\.1:\d+ \(.+\), 127\.0\.0\.1:\d+ \(.+\), 127\.0\.0\.1:\d+ \(.+\)\n/);
    const late = lock('early', '--wait', '1ms', '--', 'true');
    expect(await late.ended).toBe(69);
    const never = lock('early', '--', 'true');
    expect(await never.ended).toBe(69);
    // One node is no quorum.
    cluster.start('n1', '--first-start');
    await early.complains(/waiting: node n1: .*quorum/);
    for (const id of ['n2', 'n3']) cluster.start(id, '--first-start');
    expect(await early.ended).toBe(0);
    expect(early.output).toBe('ran\n');
    // Once for each reason.
    const told = early.errors.trim().split('\n');
    expect(told).toEqual([...new Set(told)]);
  });

  test('a lock within itself is refused at once; another one, a shared one and --try are not', async () => {
    await until(async () => (await cluster.status('n1'))?.peers.every((peer) => peer.up), 'the nodes to meet');
    const nested = (outer: string[], ...inner: string[]): Program => lock(...outer, '--', process.execPath, PROGRAM, 'lock', '--config', cluster.configFile, ...inner, '--', 'echo', 'inner');
    const itself = nested(['nightly'], 'nightly');
    expect(await itself.ended).toBe(64);
    expect(itself.errors).toBe('maekawa: the lock nightly is held by the maekawa lock that runs this command, so it would wait for itself; use the lock that you have, or take another one\n');
    expect(await nested(['nightly'], 'nightly', '--try').ended).toBe(124);
    expect(await nested(['nightly'], 'nightly', '--try', '-E', '7').ended).toBe(7);
    const readers = nested(['nightly', '--shared'], 'nightly', '--shared');
    expect(await readers.ended).toBe(0);
    expect(readers.output).toBe('inner\n');
    const permits = nested(['pool', '--semaphore', '2'], 'pool', '--semaphore', '2');
    expect(await permits.ended).toBe(0);
    const last = nested(['pool', '--semaphore', '1'], 'pool', '--semaphore', '1');
    expect(await last.ended).toBe(64);
    expect(last.errors).toContain('all 1 permits of pool are held');
  });
});

describe('which nested locks are refused', () => {
  const around: HeldAround = { cluster: 'c 1', lock: 'a', mode: 'exclusive', token: 5 };
  const wish: Wish = { cluster: 'c 1', names: ['b', 'a'], mode: 'exclusive' };
  const held = [{ name: 'a', clientId: 'n1/1', mode: 'exclusive', token: 5, forMs: 1 }] as const;

  test.each<[string, Wish, HeldAround, boolean]>([
    ['the same lock', wish, around, true],
    ['read by a writer', { ...wish, mode: 'shared' }, around, true],
    ['written by a reader', wish, { ...around, mode: 'shared' }, true],
    ['readers', { ...wish, mode: 'shared' }, { ...around, mode: 'shared' }, false],
    ['of another cluster', { ...wish, cluster: 'd 1' }, around, false],
    ['one that is not held any more', wish, { ...around, token: 4 }, false],
    ['another lock', { ...wish, names: ['b'] }, around, false],
  ])('%s', (_what, asked, holds, isRefused) => {
    const act = (): void => refuseNested(asked, [holds], held);
    if (isRefused) expect(act).toThrow(/would wait for itself/);
    else expect(act).not.toThrow();
  });

  test('a variable that is not ours says nothing', () => {
    for (const text of ['', 'x', '{}', '[1, null, {"lock": 1}]']) expect(heldAround({ MAEKAWA_HELD: text })).toEqual([]);
    expect(heldAround({})).toEqual([]);
    expect(heldAround({ MAEKAWA_HELD: JSON.stringify([around]) })).toEqual([around]);
  });
});

test.each(['::1:7302', ':7302', '[::1:7302', 'host', '1.2.3.4:'])('--address %s is refused', async (address) => {
  const program = new Program(['lock', 'x', '--address', address, '--', 'true']);
  expect(await program.ended).toBe(64);
  expect(program.errors).toContain('Write host:port, such as 127.0.0.1:7001 or [::1]:7001.');
});
