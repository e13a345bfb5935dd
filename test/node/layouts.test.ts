/** Whole nodes whose configuration changes: the lease, the layout, one after the other and side by side (protocol.md sections 16 and 17). */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { LockError, startNode } from '../../src';
import type { HeldLock, MaekawaNode, StartOptions } from '../../src';
import { quorumsCommand } from '../../src/cli/quorums';
import { parseConfiguration, readConfiguration } from '../../src/config';
import { freePorts, until } from '../support/processes';

const LEASE_MS = 1_000;
/** So long one waits for what must not happen. */
const LONG_MS = 3 * LEASE_MS;

let folder: string;
let ports: readonly number[];
const running = new Map<string, MaekawaNode>();
/** What each node logged, of all its lives. */
const logs = new Map<string, string>();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'maekawa-layouts-'));
  ports = await freePorts(7);
});
afterEach(async () => {
  await Promise.all([...running.keys()].map(stop));
  logs.clear();
  rmSync(folder, { recursive: true });
});

/** A majority of these nodes; n1 to n7 are always at the same addresses. */
function file(ids: readonly string[], more: object = {}): object {
  return {
    cluster: 'test', leaseMs: LEASE_MS, quorums: { family: 'majority' }, ...more,
    nodes: ids.map((id) => ({ id, address: `127.0.0.1:${ports[Number(id.slice(1)) - 1] ?? 0}` })),
  };
}

async function start(id: string, config: object | string, options: Partial<StartOptions> = {}): Promise<MaekawaNode> {
  const log = pino({}, { write: (line: string) => logs.set(id, (logs.get(id) ?? '') + line) });
  const node = await startNode({ id, config, dataDir: join(folder, id), log, ...options });
  running.set(id, node);
  return node;
}

async function startAll(ids: readonly string[], config: object | string, options: Partial<StartOptions> = {}): Promise<MaekawaNode[]> {
  return Promise.all(ids.map((id) => start(id, config, options)));
}

async function stop(id: string): Promise<void> {
  const node = running.get(id);
  running.delete(id);
  await node?.stop();
}

async function stopAll(): Promise<void> {
  await Promise.all([...running.keys()].map(stop));
}

/** The lock of a holder that never gives it back: votes for it stay on loan when its node is gone. */
async function holdFor(node: MaekawaNode): Promise<HeldLock> {
  return node.locks.acquire('stock', { waitMs: 30_000 });
}

async function failure(promise: Promise<unknown>): Promise<LockError> {
  const error: unknown = await promise.then(() => null, (reason: unknown) => reason);
  if (!(error instanceof LockError)) throw new Error(`expected a LockError, not ${String(error)}`);
  return error;
}

function lentUnder(id: string): string[] {
  return readFileSync(join(folder, id, 'ceiling'), 'utf8').split(' ').slice(3, 6);
}

const layoutOf = (config: object): string => parseConfiguration(config, 'test').layout;
const THREE = ['n1', 'n2', 'n3'];

describe('stop all, change the lease, start all', () => {
  test('a shorter lease shortens no promise: every node is silent for the old one, and remembers it until it lends', async () => {
    const [n1] = await startAll(THREE, file(THREE, { leaseMs: 2_500 }), { firstStart: true });
    const held = await holdFor(n1 as MaekawaNode);
    await stopAll();
    const startedAtMs = performance.now();
    const [next] = await startAll(THREE, file(THREE, { leaseMs: 300 }));
    expect(logs.get('n1')).toMatch(/silent for 2500 ms, longer than the lease/);
    for (const id of THREE) expect(lentUnder(id)[0]).toBe('2500');
    const entered = await holdFor(next as MaekawaNode);
    expect(performance.now() - startedAtMs).toBeGreaterThan(2_400);
    expect(entered.token).toBeGreaterThan(held.token);
    await until(() => THREE.some((id) => lentUnder(id)[0] === '300'), 'the new lease to be remembered');
  });

  test('a longer one is remembered before a vote is lent under it', async () => {
    await startAll(THREE, file(THREE, { leaseMs: 300 }), { firstStart: true });
    await stopAll();
    await startAll(THREE, file(THREE, { leaseMs: 5_000 }));
    for (const id of THREE) expect(lentUnder(id)[0]).toBe('5000');
  });

  test('a data directory of the version before: the log says what is not known, and the terms are noted', async () => {
    mkdirSync(join(folder, 'n1'));
    const content = 'maekawa-ceiling-1 4711';
    writeFileSync(join(folder, 'n1', 'ceiling'), `${content} ${createHash('sha256').update(content).digest('hex').slice(0, 16)}\n`);
    const config = file(['n1']);
    const n1 = await start('n1', config);
    expect(logs.get('n1')).toMatch(/did not note the lease and the layout/);
    expect(logs.get('n1')).toMatch(/lends its vote in \d+ ms/);
    (await holdFor(n1)).release();
    expect(lentUnder('n1')).toEqual([String(LEASE_MS), expect.stringMatching(/^\d+$/) as string, layoutOf(config)]);
  });
});

describe('other members', () => {
  const NEW = ['n4', 'n5', 'n6'];
  const SEVEN = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7'];

  test('without the act a node that ran refuses to start, and names both layouts; its directory is free again', async () => {
    await startAll(THREE, file(THREE), { firstStart: true });
    await until(() => lentUnder('n1')[2] !== '-', 'n1 to lend its vote');
    await stopAll();
    const error = await failure(start('n1', file(SEVEN)));
    expect(error.code).toBe('config');
    expect(error.message).toContain(layoutOf(file(THREE)));
    expect(error.message).toContain(layoutOf(file(SEVEN)));
    expect(error.message).toMatch(/maekawa quorums change/);
    await start('n1', file(THREE));
  });

  /** What the command has said so far. */
  let said = '';
  async function change(...args: string[]): Promise<string> {
    said = '';
    const command = quorumsCommand({ write: (text) => (said += text) });
    await command.parseAsync(['change', ...args], { from: 'user' });
    return said;
  }

  function onDisk(name: string, config: object): string {
    writeFileSync(join(folder, name), JSON.stringify(config));
    return join(folder, name);
  }

  test('with the act: it waits until the old nodes are stopped; the new ones are silent for the longer lease, and tokens rise', async () => {
    const [oldFile, newFile] = [onDisk('old.json', file(THREE, { leaseMs: 2_000 })), onDisk('new.json', file(NEW))];
    const [n1] = await startAll(THREE, oldFile, { firstStart: true });
    const held = await holdFor(n1 as MaekawaNode);
    expect(await failure(change(oldFile, newFile, '--timeout', '1ms'))).toMatchObject({
      code: 'timeout', message: expect.stringMatching(/^n1 \(.*\), n2 \(.*\), n3 \(.*\) still answer; nothing was written/) as string,
    });
    expect(readConfiguration(newFile).change).toBeUndefined();
    const changing = change(oldFile, newFile);
    await until(() => /^stop n1 \(.*\), n2 \(.*\), n3 \(.*\): waiting until none answers$/m.test(said), 'it to ask for the nodes to be stopped');
    await stopAll();
    await changing;
    expect(said).toMatch(/by this you state that no node of .*old\.json runs/);
    const act = readConfiguration(newFile).change;
    expect(act).toEqual({ from: layoutOf(file(THREE)), silentMs: 2_000, clock: expect.any(Number) as number });
    expect(act?.clock).toBeGreaterThan(held.token);

    expect(await failure(start('n4', newFile, { firstStart: true }))).toMatchObject({ code: 'config', message: expect.stringMatching(/--first-start says/) as string });
    const startedAtMs = performance.now();
    const [n4] = await startAll(NEW, newFile);
    const entered = await holdFor(n4 as MaekawaNode);
    expect(performance.now() - startedAtMs).toBeGreaterThan(1_900);
    expect(entered.token).toBeGreaterThan(Number(act?.clock));
    // One that was given the new file before the act was written into it does not serve with them.
    await stop('n5');
    const n5 = await start('n5', file(NEW));
    await until(() => n5.status().peers.some(({ reason = '' }) => reason.includes('(nodes and quorums are)')), 'it to be refused');
  });

  test('--stopped states it without asking; nodes that were in both remember the old layout, and are let in by it', async () => {
    const [oldFile, newFile] = [onDisk('old.json', file(THREE)), onDisk('new.json', file(['n2', 'n3', 'n4', 'n5', 'n6']))];
    await startAll(THREE, oldFile, { firstStart: true });
    await until(() => lentUnder('n2')[2] !== '-' && lentUnder('n3')[2] !== '-', 'them to lend their votes');
    await stopAll();
    expect(await change('--stopped', oldFile, newFile)).toMatch(/you state that n1, n2, n3 are stopped/);
    const [n2] = await startAll(['n2', 'n3', 'n4', 'n5', 'n6'], newFile);
    (await holdFor(n2 as MaekawaNode)).release();
    await until(() => lentUnder('n2')[2] === layoutOf(file(['n2', 'n3', 'n4', 'n5', 'n6'])), 'n2 to note the new layout');
    await stop('n2');
    expect(await failure(start('n2', oldFile))).toMatchObject({ code: 'config' });
    await start('n2', newFile);
  });

  test.each<[string, object, object, RegExp]>([
    ['nothing changes', { leaseMs: 1_000 }, { leaseMs: 9_000 }, /have the same nodes and quorums.*needs no such act/],
    ['another cluster', {}, { cluster: 'other' }, /is of cluster "test".*of "other"/],
  ])('the act is refused where %s', async (_what, old, next, message) => {
    const error = await failure(change('--stopped', onDisk('old.json', file(THREE, old)), onDisk('new.json', file(THREE, next))));
    expect(error).toMatchObject({ code: 'config', message: expect.stringMatching(message) as string });
  });

  test('the act is refused where the nodes run with another file than the old one', async () => {
    await startAll(THREE, file(THREE, { leaseMs: 2_000 }), { firstStart: true });
    const error = await failure(change(onDisk('old.json', file(THREE)), onDisk('new.json', file(NEW))));
    expect(error).toMatchObject({ code: 'config', message: expect.stringMatching(/node n\d runs with another configuration than .*old\.json/) as string });
  });
});

describe('two configurations side by side (one-configuration)', () => {
  const FIVE = ['n1', 'n2', 'n3', 'n4', 'n5'];
  const SEVEN = [...FIVE, 'n6', 'n7'];

  test('rolling from five nodes to seven, without any memory: the old ones go on, and the new ones say why they wait', async () => {
    await startAll(FIVE, file(FIVE), { ephemeral: true, firstStart: true });
    const n1 = running.get('n1') as MaekawaNode;
    await n1.locks.request('stock', () => undefined);
    for (const id of ['n6', 'n7', 'n5', 'n4']) {
      await stop(id);
      await start(id, file(SEVEN), { ephemeral: true });
    }
    const n6 = running.get('n6') as MaekawaNode;
    await until(() => n6.status().peers.filter(({ up }) => up).length === 3, 'the new ones to be connected');
    const held = await holdFor(n1);
    const waits = failure(n6.locks.acquire('stock', { waitMs: LONG_MS }));
    await until(() => n6.status().notices.length > 0, 'n6 to say why');
    expect(n6.status().notices).toEqual([expect.stringMatching(/^this node lends no vote while another configuration is served: by n1, n2, n3 under layout /)]);
    expect(logs.get('n6')).toMatch(/"level":50.*another configuration is served/);
    expect(['timeout', 'no-quorum']).toContain((await waits).code);
    expect(held.signal.aborted).toBe(false);
    // The old ones are stopped: a lease later the new ones serve.
    held.release();
    const next = n6.locks.acquire('stock', { waitMs: 30_000 });
    for (const id of THREE) await stop(id);
    expect((await next).token).toBeGreaterThan(held.token);
    // It has no memory; what it says of that may stay.
    expect(n6.status().notices).not.toContainEqual(expect.stringMatching(/another configuration/));
  });

  const BOTH = ['n1', 'n2'];

  test.each([['n1', 'n2'], ['n2', 'n1']] as const)('both start at once, %s first, each with a quorum: neither serves until one is stopped', async (first, second) => {
    await start(first, oneOf(first), { ephemeral: true });
    await start(second, oneOf(second), { ephemeral: true });
    const [a, b] = BOTH.map((id) => running.get(id) as MaekawaNode);
    const waits = [a, b].map((node) => failure((node as MaekawaNode).locks.acquire('stock', { waitMs: LONG_MS })));
    expect((await Promise.all(waits)).map(({ code }) => code)).toEqual(['no-quorum', 'no-quorum']);
    for (const node of [a, b]) expect(node?.status().notices).toContainEqual(expect.stringMatching(/^two configurations wait for each other, and nobody lends a vote: by n\d under layout/));
    await stop(first);
    await running.get(second)?.locks.request('stock', () => undefined);
  });

  /** A file under which this node alone is a quorum, though it names both. Each node is in some set. */
  function oneOf(id: string): object {
    const other = id === 'n1' ? 'n2' : 'n1';
    return file(BOTH, { quorums: { family: 'explicit', sets: { [id]: [id], [other]: [id, other] } } });
  }

  test('a node that serves goes on whatever it hears, and says so in log and status', async () => {
    await startAll(['n2', 'n3'], file(THREE), { ephemeral: true, firstStart: true });
    const n2 = running.get('n2') as MaekawaNode;
    await n2.locks.request('stock', () => undefined);
    // Its own file names nobody else, so it dials nobody who could tell it: what is left of the danger.
    await start('n1', file(['n1']), { ephemeral: true, firstStart: true });
    await until(() => n2.status().notices.length > 0, 'n2 to notice');
    expect(n2.status().notices).toEqual([expect.stringMatching(/^two configurations are served at once: by n1 under layout .*Two callers may hold one lock: stop the nodes of one of the two$/)]);
    expect(logs.get('n2')).toMatch(/"level":50.*two configurations are served at once/);
    await n2.locks.request('stock', () => undefined);
  });
});

describe('--first-start is a statement about the cluster', () => {
  test('a peer that remembers contradicts it: the node is silent as any other, and says so', async () => {
    await startAll(THREE, file(THREE), { firstStart: true });
    const held = await holdFor(running.get('n1') as MaekawaNode);
    await stopAll();
    for (const id of ['n2', 'n3']) rmSync(join(folder, id), { recursive: true });
    await start('n1', file(THREE));
    const startedAtMs = performance.now();
    const [n2] = await startAll(['n2', 'n3'], file(THREE), { firstStart: true });
    const entered = await holdFor(n2 as MaekawaNode);
    expect(performance.now() - startedAtMs).toBeGreaterThan(LEASE_MS - 100);
    expect(entered.token).toBeGreaterThan(held.token);
    expect(n2?.status().notices).toEqual([expect.stringMatching(/^--first-start is not true: n1 knows of an earlier life.*It is silent for one lease as any other/)]);
    expect(logs.get('n2')).toMatch(/--first-start is not true/);
  });

  test('so does one that met an earlier life of the node', async () => {
    await startAll(THREE, file(THREE), { ephemeral: true, firstStart: true });
    await until(() => [...running.values()].every((node) => node.status().peers.every(({ up }) => up)), 'them to be connected');
    await stop('n2');
    const n2 = await start('n2', file(THREE), { ephemeral: true, firstStart: true });
    await until(() => n2.status().notices.length > 0, 'n2 to be told');
    expect(n2.status().notices[0]).toMatch(/^--first-start is not true: n\d knows of an earlier life/);
  });

  test('one that heard it too late says what that may mean', async () => {
    await startAll(THREE, file(THREE), { firstStart: true });
    await until(() => lentUnder('n1')[2] !== '-', 'n1 to lend its vote');
    await stopAll();
    for (const id of ['n2', 'n3']) rmSync(join(folder, id), { recursive: true });
    const [n2] = await startAll(['n2', 'n3'], file(THREE), { firstStart: true });
    await n2?.locks.request('stock', () => undefined); // n1, which knows better, is not there
    await start('n1', file(THREE));
    await until(() => n2?.status().notices[0], 'n2 to be told');
    expect(n2?.status().notices[0]).toMatch(/n1 knows of an earlier life.*may have lent its vote before it heard that/);
    expect(logs.get('n2')).toMatch(/"level":50.*--first-start is not true/);
  });

  test('a directory that remembers knows better: the log says that the statement was ignored', async () => {
    await start('n1', file(['n1']), { firstStart: true });
    await stop('n1');
    await start('n1', file(['n1']), { firstStart: true });
    expect(logs.get('n1')).toMatch(/"level":40.*ignored --first-start \(startNode: firstStart\): this data directory says that the node ran before/);
  });
});
