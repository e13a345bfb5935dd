/** Whole nodes in one process, over real gRPC streams on loopback. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { LockError, startNode } from '../../src';
import type { Lock, MaekawaNode, StartOptions } from '../../src';
import { Started, freePorts, until } from '../support/processes';

const IDS = ['n1', 'n2', 'n3'];
const NOWHERE = '127.0.0.1:1';

let path: string;
let nodes: MaekawaNode[] = [];

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'maekawa-start-'));
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  nodes = [];
  rmSync(path, { recursive: true });
});

function configuration(leaseMs = 5_000): object {
  // Nobody listens there: each node takes a free port, and those that start later dial those that run.
  return { cluster: 'test', nodes: IDS.map((id, index) => ({ id, address: `127.0.0.1:${index + 1}` })), quorums: { family: 'majority' }, leaseMs };
}

async function start(id: string, options: Partial<StartOptions> = {}): Promise<MaekawaNode> {
  const running = Object.fromEntries(nodes.map((node) => [node.id, node.address]));
  const node = await startNode({ id, config: configuration(), listen: '127.0.0.1:0', peers: running, ephemeral: true, firstStart: true, ...options });
  nodes.push(node);
  return node;
}

async function untilConnected(): Promise<void> {
  await until(
    () => nodes.every((node) => node.status().peers.filter(({ up }) => up).length === nodes.length - 1),
    () => `all to be connected; ${JSON.stringify(nodes.map((node) => node.status().peers))}`,
  );
}

async function startThree(options?: Partial<StartOptions>): Promise<[MaekawaNode, MaekawaNode, MaekawaNode]> {
  const three: [MaekawaNode, MaekawaNode, MaekawaNode] = [await start('n1', options), await start('n2', options), await start('n3', options)];
  await untilConnected();
  return three;
}

async function failure(promise: Promise<unknown>): Promise<LockError> {
  const error: unknown = await promise.then(() => null, (reason: unknown) => reason);
  if (!(error instanceof LockError)) throw new Error(`expected a LockError, not ${String(error)}`);
  return error;
}

describe('three nodes over gRPC', () => {
  test('never two inside one lock, and every token exceeds the one before', async () => {
    const three = await startThree();
    let inside = 0;
    const tokens: number[] = [];
    const enter = async ({ token }: Lock): Promise<void> => {
      expect(++inside).toBe(1);
      tokens.push(token);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    };
    await Promise.all(three.flatMap((node) => Array.from({ length: 30 }, () => node.locks.request('stock', enter))));
    expect(tokens).toHaveLength(90);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
  });

  test('different locks do not wait for each other', async () => {
    const [n1, n2, n3] = await startThree();
    const held = await n1.locks.acquire('a');
    await expect(Promise.all([n2.locks.request('b', () => 'b'), n3.locks.request('c', () => 'c')])).resolves.toEqual(['b', 'c']);
    held.release();
  });

  test('names may be any string', async () => {
    const [n1, n2] = await startThree();
    for (const name of ['', '語', 'a lone \ud800', 'x'.repeat(4096)]) {
      const held = await n1.locks.acquire(name);
      expect(await n2.locks.tryAcquire(name)).toBeNull();
      held.release();
      await n2.locks.request(name, () => undefined);
    }
  });

  test('status shows the peers, the locks and the messages', async () => {
    const [n1, n2] = await startThree();
    await n1.locks.acquire('stock');
    const status = n1.status();
    expect(status).toMatchObject({ id: 'n1', cluster: 'test', entries: 1, messages: { sent: { request: 1 }, received: { grant: 1 } } });
    expect(status.peers.map(({ id, up }) => [id, up])).toEqual([['n2', true], ['n3', true]]);
    expect(status.locks).toMatchObject([{ name: 'stock', callers: { state: 'held', mode: 'exclusive', inside: 1, waiting: 0 } }]);
    expect(status.digest).toBe(n2.status().digest);
  });

  test('status is a snapshot: what happens later does not change it', async () => {
    const [n1] = await startThree();
    const status = n1.status();
    const before = JSON.stringify(status);
    await n1.locks.acquire('stock');
    expect(JSON.stringify(status)).toBe(before);
    expect(n1.status().messages.sent.request).toBe(1);
  });

  test('a node that stops gives its lock to the next at once, long before the lease ends', async () => {
    const [n1, n2] = await startThree({ config: configuration(600_000) });
    const held = await n1.locks.acquire('stock');
    held.signal.addEventListener('abort', () => void held.release());
    const next = n2.locks.acquire('stock');
    await n1.stop();
    expect((await next).token).toBeGreaterThan(held.token);
    expect(held.signal.reason).toMatchObject({ code: 'closed', definite: true });
    expect(n1.signal.aborted).toBe(true);
    expect(await failure(n1.locks.acquire('another'))).toMatchObject({ code: 'closed' });
  });

  test('a node that stops keeps a lock until the callback under it has cleaned up, and lets nobody else in meanwhile', async () => {
    const [n1, n2] = await startThree();
    const log: string[] = [];
    let entered = (): void => undefined;
    const isInside = new Promise<void>((resolve) => (entered = resolve));
    const first = n1.locks.request('a', async (lock) => {
      entered();
      await new Promise<void>((resolve) => lock.signal.addEventListener('abort', () => resolve()));
      log.push('told');
      // Turns of the event loop in which messages come and go.
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      log.push('left');
    });
    await isInside;
    const next = n2.locks.request('a', () => log.push('next'));
    const waits = failure(n1.locks.request('a', () => log.push('never')));
    await until(() => n1.status().messages.received.request + n1.status().messages.received.inquire > 0, 'n1 to hear of n2');
    await n1.stop();
    await Promise.all([first, next]);
    expect(log).toEqual(['told', 'left', 'next']);
    expect((await waits).code).toBe('closed');
    expect((await failure(n1.locks.request('a', () => undefined))).code).toBe('closed');
  });

  test('a node that stops does not wait for a callback that never ends: its lock goes on when the lease ends', async () => {
    const [n1, n2] = await startThree({ config: configuration(1_000) });
    let entered = (): void => undefined;
    const isInside = new Promise<void>((resolve) => (entered = resolve));
    const first = failure(n1.locks.request('a', () => {
      entered();
      return new Promise<never>(() => undefined);
    }));
    await isInside;
    await n1.stop();
    expect((await first).code).toBe('closed');
    expect(await n2.locks.request('a', () => 'next')).toBe('next');
  });

  test('a node that stops leaves no connection behind that would keep its process, not even one that carries nothing', async () => {
    const node = await start('n1');
    const idle = connect(`http://${node.address}`);
    await new Promise((resolve) => idle.once('remoteSettings', resolve));
    idle.unref();
    await node.stop();
    await until(() => idle.destroyed, 'the connection to end');
  });

  test('two of three are enough, and the third may come later', async () => {
    const n1 = await start('n1');
    const alone = await failure(n1.locks.acquire('stock', { waitMs: 100 }));
    expect(alone.code).toBe('no-quorum');
    expect(alone.message).toMatch(/n2 \(.+\), n3 \(.+\)/);
    // Nobody listens there: who was never up is named with the reason, too.
    await until(() => /Missing: n2 \(.+\), n3 \(.+\)$/.test(n1.status().state.text) && !n1.status().state.text.includes('not connected yet'), () => n1.status().state.text);
    const waiting = n1.locks.acquire('stock');
    await start('n2');
    (await waiting).release();
    await start('n3');
    await untilConnected();
    await nodes[1]?.stop();
    await n1.locks.request('another', () => undefined);
  });

  test('a node of a new cluster that restarts contradicts nobody, for it was met before', async () => {
    const disk = (id: string): Partial<StartOptions> => ({ ephemeral: false, dataDir: join(path, id) });
    const n1 = await start('n1', disk('n1'));
    const n2 = await start('n2', disk('n2'));
    await untilConnected();
    await n2.stop();
    nodes.pop();
    await start('n2', { ...disk('n2'), firstStart: false });
    await untilConnected();
    expect(n1.status().notices).toEqual([]);
    // Who was never met, and remembers, may be of an earlier cluster.
    const elsewhere = await startNode({ id: 'n3', config: configuration(), listen: '127.0.0.1:0', ...disk('n3'), firstStart: true });
    await elsewhere.stop();
    await start('n3', { ...disk('n3'), firstStart: false });
    await until(() => n1.status().notices.some((notice) => notice.startsWith('--first-start is not true: n3 knows of an earlier life')), () => n1.status().notices.join());
  });

  test('status tells that --first-start was ignored, and that tokens rest on wall clocks', async () => {
    const config = { cluster: 'test', nodes: [{ id: 'n1', address: '127.0.0.1:1' }], quorums: { family: 'majority' }, leaseMs: 100 };
    const first = await start('n1', { config, ephemeral: false, dataDir: path });
    expect(first.status()).toMatchObject({ notices: [], restsOnWallClocks: false });
    await first.stop();
    const second = await start('n1', { config, ephemeral: false, dataDir: path });
    expect(second.status().notices).toEqual([expect.stringMatching(/^ignored --first-start .*Start it without --first-start$/) as string]);
    await second.stop();
    const third = await start('n1', { config, firstStart: false });
    await until(() => third.status().restsOnWallClocks, 'it to take part, though nobody could tell it anything');
    expect(third.status().notices).toEqual([expect.stringMatching(/^tokens exceed earlier ones only if the machines' wall clocks agree/) as string]);
  });

  test('a node with another configuration is refused, and both sides say why', async () => {
    const n1 = await start('n1');
    const n2 = await start('n2', { config: configuration(7_000) });
    const reason = (node: MaekawaNode, peer: string): string => node.status().peers.find(({ id }) => id === peer)?.reason ?? '';
    await until(() => reason(n2, 'n1').includes('configuration differs'), 'the refusal');
    expect(reason(n2, 'n1')).toContain(n1.configuration.digest);
    expect(reason(n2, 'n1')).toContain(n2.configuration.digest);
  });
});

describe('two processes with one id', () => {
  test('one that joins nodes which know the other lends and asks nothing and says why; the other one goes on; it serves a lease after that one is gone', async () => {
    const config = configuration(1_500);
    const [n1, n2] = [await start('n1', { config }), await start('n2', { config })];
    await untilConnected();
    const other = await start('n2', { ephemeral: false, dataDir: path, config, peers: { n1: n1.address } });
    await until(() => other.status().notices.length > 0, 'it to notice');
    expect(other.status().notices).toEqual([expect.stringMatching(/^this node lends and asks nothing: another process is connected to n1 as n2\. Stop one of the two/)]);
    const entered = jest.fn();
    const request = other.locks.request('stock', entered);
    await n2.locks.request('stock', () => undefined);
    expect([n1.signal.aborted, other.signal.aborted]).toEqual([false, false]);
    expect(entered).not.toHaveBeenCalled();
    await n2.stop();
    await request;
    expect(entered).toHaveBeenCalledTimes(1);
    expect(other.status().notices.filter((notice) => notice.includes('asks nothing'))).toEqual([]);
  });
});

describe('a node that cannot start says why, and leaves nothing behind', () => {
  test.each<[string, Partial<StartOptions>, string, RegExp]>([
    ['an id that the configuration lacks', { id: 'n9' }, 'config', /no node "n9".*n1, n2, n3/],
    ['an address for a node that it lacks', { peers: { n9: NOWHERE } }, 'config', /"n9"/],
    ['a file that is not there', { config: '/nowhere/quorums.json' }, 'config', /nowhere/],
    ['a bad configuration', { config: { nodes: [] } }, 'config', /nodes/],
    ['an address that is none', { listen: 'here' }, 'config', /host:port/],
    ['the world, without TLS', { listen: '0.0.0.0:0' }, 'config', /--insecure/],
    ['TLS files that are not there', { tls: { certFile: '/nowhere/c', keyFile: '/nowhere/k', caFile: '/nowhere/a' } }, 'config', /nowhere/],
  ])('%s', async (_what, options, code, message) => {
    const error = await failure(start('n1', { ephemeral: false, dataDir: path, ...options }));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    await start('n1', { ephemeral: false, dataDir: path }); // the data directory is free
  });

  test('an option that is none: it names those that there are', async () => {
    expect(await failure(start('n1', { dataDri: path } as Partial<StartOptions>))).toMatchObject({
      code: 'config', message: expect.stringMatching(/^startNode has no option "dataDri"; it has id, config, listen, .*dataDir.* traceFile$/) as string,
    });
  });

  test('no options at all', async () => {
    await expect(startNode(undefined as unknown as StartOptions)).rejects.toMatchObject({
      name: 'TypeError', message: "startNode takes an object, such as { id: 'n1', config: 'quorums.json' }, not undefined",
    });
  });

  test('a wall clock far in the future: it would raise the clocks of all others, for good', async () => {
    for (const date of ['2113-01-01', '2262-04-12', '+275760-09-12']) {
      const wrong = jest.spyOn(Date, 'now').mockReturnValue(Date.parse(date));
      const error = await failure(start('n1', { ephemeral: false, dataDir: path }));
      wrong.mockRestore();
      expect(error).toMatchObject({ code: 'config' });
      expect(error.message).toContain(`wall clock says ${date}`);
    }
    await start('n1', { ephemeral: false, dataDir: path });
  });

  test('a wall clock that was never set is no harm', async () => {
    const wrong = jest.spyOn(Date, 'now').mockReturnValue(0);
    const n1 = await start('n1');
    wrong.mockRestore();
    await start('n2');
    await untilConnected();
    await n1.locks.request('stock', () => undefined);
  });

  test('a port in use', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const listen = `127.0.0.1:${(holder.address() as AddressInfo).port}`;
    expect(await failure(start('n1', { listen, ephemeral: false, dataDir: path }))).toMatchObject({ code: 'unreachable', message: expect.stringContaining('--listen (startNode: listen)') as string });
    await new Promise((resolve) => holder.close(resolve));
    await start('n1', { listen, ephemeral: false, dataDir: path });
  });

  test('a port that another worker of node:cluster listens on: two of one id would both vote', async () => {
    const [port = 0] = await freePorts(1);
    const script = join(path, 'workers.js');
    writeFileSync(script, `
      const cluster = require('node:cluster');
      const { startNode } = require(${JSON.stringify(join(__dirname, '../../dist/src'))});
      const told = [];
      if (cluster.isPrimary) {
        for (let i = 0; i < 4; i++) cluster.fork();
        cluster.on('message', (worker, outcome) => {
          if (told.push(outcome) < 4) return;
          console.log('outcomes: ' + told.sort().join(' '));
          for (const each of Object.values(cluster.workers)) each.kill('SIGKILL');
        });
      } else {
        const config = { nodes: [{ id: 'n1', address: '127.0.0.1:${port}' }], quorums: { family: 'majority' } };
        startNode({ id: 'n1', config, ephemeral: true }).then(() => 'listens', ({ code }) => code).then((outcome) => process.send(outcome));
      }
    `);
    const [, outcomes] = await new Started([process.execPath, script]).prints(/outcomes: (.*)/);
    expect(outcomes).toBe('listens unreachable unreachable unreachable');
  });

  test('a data directory in use', async () => {
    await start('n1', { ephemeral: false, dataDir: path });
    expect(await failure(start('n2', { ephemeral: false, dataDir: path }))).toMatchObject({ code: 'storage', message: expect.stringContaining('--data-dir (startNode: dataDir)') as string });
  });

  test('a data directory that is corrupt', async () => {
    writeFileSync(join(path, 'ceiling'), 'hello');
    expect(await failure(start('n1', { ephemeral: false, dataDir: path }))).toMatchObject({ code: 'storage' });
  });
});

describe('a node with a data directory', () => {
  /** For how long its log says that it lends no vote. */
  async function silenceOf(options: Partial<StartOptions>): Promise<number> {
    let text = '';
    const log = pino({}, { write: (line: string) => (text += line) });
    const node = await start('n1', { ephemeral: false, dataDir: path, log, ...options });
    await node.stop();
    return Number(/lends its vote in (\d+) ms/.exec(text)?.[1] ?? 0);
  }

  test('lends at once when it is told that it never ran before, and after one lease when it is not', async () => {
    expect(await silenceOf({ firstStart: true })).toBe(0);
    rmSync(path, { recursive: true });
    expect(await silenceOf({ firstStart: false })).toBeGreaterThan(4_000);
  });

  test('knows better when it ran before', async () => {
    expect(await silenceOf({ firstStart: true })).toBe(0);
    expect(await silenceOf({ firstStart: true })).toBeGreaterThan(4_000);
  });

  test('begins above every clock value of its earlier life, whatever the wall clock says', async () => {
    const before = await start('n1', { ephemeral: false, dataDir: path });
    const clock = before.status().clock;
    await before.stop();
    jest.spyOn(Date, 'now').mockReturnValue(0);
    const after = await start('n1', { ephemeral: false, dataDir: path });
    jest.restoreAllMocks();
    expect(after.status().clock).toBeGreaterThan(clock);
  });
});
