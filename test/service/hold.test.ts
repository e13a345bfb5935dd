/**
 * The client service as any gRPC client sees it, well behaved or not: nothing that a client sends, leaves
 * out, or does not read harms the node, and no lock is given away while a client may still count on it.
 */
import { createServer, connect as connectTcp } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { Writer } from 'protobufjs';
import { connect, startNode } from '../../src';
import type { HeldLock, MaekawaNode } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { locksMethods } from '../../src/client-protocol/schema';
import type { AcquireMessage, HoldEvent, HoldRequest, QueryReply, WatchEventMessage } from '../../src/client-protocol/schema';
import { Script, freePorts, startCluster, until } from '../support/processes';

const LEASE_MS = 1_000;
const { Hold, Query, Watch } = locksMethods();

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ leaseMs: LEASE_MS });
});
afterAll(() => cluster.remove());

const clients: grpc.Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

/** On a connection of its own. */
function clientOf(address: string): grpc.Client {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  clients.push(client);
  return client;
}

const ASK: AcquireMessage = { mode: 'LOCK_MODE_EXCLUSIVE', pings: false, sentAtMs: 0, steal: false, label: '', ifAvailable: false };

/** One stream, and what came of it. */
class Stream {
  readonly events: HoldEvent[] = [];
  readonly call: grpc.ClientDuplexStream<HoldRequest, HoldEvent>;
  readonly status: Promise<grpc.StatusObject>;
  /** When, by `performance.now()`, the lock runs out for whoever counts from when it sent what was answered. */
  toldUntilMs = 0;

  constructor(client: grpc.Client, acquire?: Partial<AcquireMessage>) {
    this.call = client.makeBidiStreamRequest(Hold.path, Hold.requestSerialize, Hold.responseDeserialize);
    this.call.on('error', () => undefined); // told by status
    this.status = new Promise((resolve) => this.call.once('status', resolve));
    this.call.on('data', (event: HoldEvent) => {
      this.events.push(event);
      const valid = 'held' in event ? event.held : 'valid' in event ? event.valid : undefined;
      if (valid !== undefined) this.toldUntilMs = valid.sentAtMs + valid.validForMs;
    });
    if (acquire !== undefined) this.call.write({ acquire: { ...ASK, sentAtMs: performance.now(), ...acquire } });
  }

  has(kind: 'queued' | 'held' | 'valid' | 'ended'): Promise<HoldEvent> {
    return until(() => this.events.find((event) => kind in event), `${kind} among ${JSON.stringify(this.events)}`);
  }
}

/** Until it holds the lock. It shows signs of life, as a client with pings owes also while it waits: it is given up after a lease of silence. */
async function heldWhilePinging(stream: Stream): Promise<HoldEvent> {
  const pinging = setInterval(() => stream.call.write({ ping: { sentAtMs: performance.now() } }), LEASE_MS / 4);
  try {
    return await stream.has('held');
  } finally {
    clearInterval(pinging);
  }
}

/** When another client, of another node, got the lock. */
async function takenAtMs(name: string): Promise<number> {
  const { locks, close } = connect({ addresses: [cluster.addressOf('n2')] });
  try {
    return await locks.request(name, { waitMs: 40_000 }, () => performance.now());
  } finally {
    await close();
  }
}

/** A TCP connection to a node, that can be cut without a word. */
async function startProxy(to: string): Promise<{ address: string; fallSilent(): void; close(): void }> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    const [host, port] = to.split(':') as [string, string];
    const onward = connectTcp(Number(port), host);
    for (const each of [socket, onward]) each.on('error', () => undefined);
    socket.pipe(onward).pipe(socket);
    sockets.push(socket, onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    fallSilent: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('a request that breaks a rule ends with a status that says which, and does no harm', () => {
  /** Sends these bytes as the first message. */
  async function statusOf(bytes: Uint8Array): Promise<grpc.StatusObject> {
    const call = clientOf(cluster.addressOf('n1')).makeBidiStreamRequest<Buffer, HoldEvent>(Hold.path, (each) => each, Hold.responseDeserialize);
    call.on('error', () => undefined);
    call.resume();
    call.write(Buffer.from(bytes));
    return new Promise((resolve) => call.once('status', resolve));
  }
  /** An Acquire, field by field. */
  const acquire = (fill: (writer: Writer) => Writer): Uint8Array => Writer.create().uint32(10).bytes(fill(Writer.create()).finish()).finish();
  const named = (writer: Writer): Writer => writer.uint32(10).bytes(Buffer.from('bad'));

  test.each<[string, Uint8Array, grpc.status, RegExp]>([
    ['no name', acquire((writer) => writer.uint32(16).int32(1)), grpc.status.INVALID_ARGUMENT, /lock is missing: name one/],
    ['a mode that does not exist', acquire((writer) => named(writer).uint32(16).int32(7)), grpc.status.INVALID_ARGUMENT, /mode 7 is none that this node knows; it knows exclusive \(1\) and shared \(2\)/],
    ['a negative wait', acquire((writer) => named(writer).uint32(24).int32(-1)), grpc.status.INVALID_ARGUMENT, /wait_ms is 4294967295, and at most 2147483647; leave it out/],
    ['a name of 100,000 bytes', acquire((writer) => writer.uint32(10).bytes(Buffer.alloc(100_000, 'x'))), grpc.status.INVALID_ARGUMENT, /100000 bytes long; at most 4096/],
    ['a message of a million bytes', acquire((writer) => writer.uint32(10).bytes(Buffer.alloc(1_000_000, 'x'))), grpc.status.RESOURCE_EXHAUSTED, /larger than/],
    ['a name with the type of a number', acquire((writer) => writer.uint32(8).int32(1)), grpc.status.INVALID_ARGUMENT, /lock is missing|cannot be decoded/],
  ])('%s', async (_what, bytes, code, details) => {
    const status = await statusOf(bytes);
    expect(status.code).toBe(code);
    expect(status.details).toMatch(details);
  });

  test.each<[string, Buffer | undefined, RegExp]>([
    ['nothing', undefined, /lock is missing/],
    ['what is not UTF-8', Buffer.from([0xff]), /not UTF-8/],
  ])('watching %s', async (_what, lock, details) => {
    const call = clientOf(cluster.addressOf('n1')).makeServerStreamRequest(Watch.path, Watch.requestSerialize, Watch.responseDeserialize, lock === undefined ? {} : { lock });
    call.on('error', () => undefined).resume();
    const status = await new Promise<grpc.StatusObject>((resolve) => call.once('status', resolve));
    expect(status.code).toBe(grpc.status.INVALID_ARGUMENT);
    expect(status.details).toMatch(details);
  });

  test('the empty name is a name like any other, if it is said; a long label is cut, and whole for strict readers', async () => {
    const client = clientOf(cluster.addressOf('n1'));
    const stream = new Stream(client, { lock: Buffer.alloc(0), label: `${'x'.repeat(199)}😀😀` });
    await stream.has('held');
    const reply = await new Promise<QueryReply>((resolve, reject) => {
      client.makeUnaryRequest(Query.path, Query.requestSerialize, Query.responseDeserialize, {}, (error, value) => (value === undefined ? reject(error as Error) : resolve(value)));
    });
    expect(reply.held).toMatchObject([{ lock: Buffer.alloc(0), label: `${'x'.repeat(199)}\ufffd` }]);
    stream.call.end();
    expect((await stream.status).code).toBe(grpc.status.OK);
  });

  test('a client that closes its side is answered, and the lock is free at once', async () => {
    const stream = new Stream(clientOf(cluster.addressOf('n1')), { lock: Buffer.from('given back'), pings: true });
    await stream.has('held');
    stream.call.end();
    expect(await stream.has('ended')).toMatchObject({ ended: { reason: 'REASON_RELEASED', definite: true } });
    expect((await stream.status).code).toBe(grpc.status.OK);
    expect(await takenAtMs('given back')).toBeLessThan(stream.toldUntilMs);
  });

  test('a stream that is closed before it asked for anything ends with OK', async () => {
    const stream = new Stream(clientOf(cluster.addressOf('n1')));
    stream.call.end();
    expect(await stream.status).toMatchObject({ code: grpc.status.OK });
    expect(stream.events).toMatchObject([{ ended: { reason: 'REASON_RELEASED' } }]);
  });
});

describe('who may still count on a lock keeps it', () => {
  test.each([[true], [false]])('a client whose connection breaks (pings: %s): for as long as it was told', async (pings) => {
    const proxy = await startProxy(cluster.addressOf('n1'));
    const stream = new Stream(clientOf(proxy.address), { lock: Buffer.from('broken'), pings });
    await stream.has('held');
    proxy.close();
    await stream.status;
    expect(await takenAtMs('broken')).toBeGreaterThanOrEqual(stream.toldUntilMs);
  });

  test('a client that cannot be told that its lock was stolen: for as long as it was told; one that can: until it closes', async () => {
    const proxy = await startProxy(cluster.addressOf('n1'));
    const deaf = new Stream(clientOf(proxy.address), { lock: Buffer.from('stolen'), pings: true });
    await deaf.has('held');
    proxy.fallSilent();
    const thief = new Stream(clientOf(cluster.addressOf('n2')), { lock: Buffer.from('stolen'), pings: true, steal: true });
    await heldWhilePinging(thief);
    expect(performance.now()).toBeGreaterThanOrEqual(deaf.toldUntilMs);

    thief.call.write({ ping: { sentAtMs: performance.now() } });
    await thief.has('valid');
    const second = new Stream(clientOf(cluster.addressOf('n1')), { lock: Buffer.from('stolen'), pings: true, steal: true });
    expect(await thief.has('ended')).toMatchObject({ ended: { reason: 'REASON_STOLEN' } });
    expect(second.events.filter((event) => 'held' in event)).toEqual([]);
    thief.call.end();
    await heldWhilePinging(second);
    expect(performance.now()).toBeLessThan(thief.toldUntilMs);
    second.call.end();
    proxy.close();
  });

  test('a client that breaks a rule while it holds', async () => {
    const stream = new Stream(clientOf(cluster.addressOf('n1')), { lock: Buffer.from('ruly'), pings: true });
    await stream.has('held');
    stream.call.write({ acquire: { ...ASK, lock: Buffer.from('another') } });
    expect(await stream.status).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: expect.stringMatching(/comes once/) as string });
    expect(await takenAtMs('ruly')).toBeGreaterThanOrEqual(stream.toldUntilMs);
  });

  test('a client that gives up waiting, in whatever way, is forgotten at once', async () => {
    const holder = new Stream(clientOf(cluster.addressOf('n1')), { lock: Buffer.from('wanted') });
    await holder.has('held');
    const waiting = [0, 1].map(() => new Stream(clientOf(cluster.addressOf('n1')), { lock: Buffer.from('wanted'), pings: true }));
    for (const each of waiting) await each.has('queued');
    const { locks, close } = connect({ addresses: [cluster.addressOf('n1')] });
    expect((await locks.query()).pending.filter(({ name }) => name === 'wanted')).toHaveLength(2);
    waiting[0]?.call.cancel();
    waiting[1]?.call.end();
    await until(async () => (await locks.query()).pending.every(({ name }) => name !== 'wanted'), 'the node to forget them');
    holder.call.end();
    await close();
  });

  const root = join(__dirname, '../..');
  /** Holds a lock and writes until when, by the wall clock, it may count on it. */
  function spawnHolder(address: string, name: string): { holder: Script; toldUntil: () => number } {
    const script = `
      const { connect } = require(${JSON.stringify(join(root, 'dist/src'))});
      connect({ addresses: [process.argv[1]] }).locks.acquire(process.argv[2]).then((lock) => {
        const tell = () => console.log(Date.now() + lock.validForMs());
        tell();
        lock.onRenewed(tell);
      });
    `;
    const holder = new Script(script, address, name);
    return { holder, toldUntil: () => Number(holder.output.trim().split('\n').at(-1)) };
  }

  test.each(['SIGKILL', 'SIGSTOP'] as const)('a client that gets %s: until what it was told has run out, and not much longer', async (signal) => {
    const { holder, toldUntil } = spawnHolder(cluster.addressOf('n1'), signal);
    await until(() => toldUntil() > 0, 'it to hold the lock');
    holder.signal(signal);
    const next = connect({ addresses: [cluster.addressOf('n2')] });
    const takenAt = await next.locks.request(signal, { waitMs: 40_000 }, () => Date.now());
    expect(takenAt).toBeGreaterThanOrEqual(Math.floor(toldUntil()));
    await next.close();
    holder.signal('SIGKILL');
  });

  test('a connection that falls silent: a client with pings is given up after a lease, one without within 15 s, a waiting one too', async () => {
    const proxy = await startProxy(cluster.addressOf('n1'));
    try {
      const client = clientOf(proxy.address);
      const pinging = new Stream(client, { lock: Buffer.from('half-open, pings'), pings: true });
      const plain = new Stream(client, { lock: Buffer.from('half-open') });
      const waiting = new Stream(client, { lock: Buffer.from('half-open') });
      for (const [stream, kind] of [[pinging, 'held'], [plain, 'held'], [waiting, 'queued']] as const) await stream.has(kind);
      proxy.fallSilent();
      expect(await takenAtMs('half-open, pings')).toBeGreaterThanOrEqual(pinging.toldUntilMs);
      // The one that waits enters when the one that holds is given up, if it is not given up before.
      expect(await takenAtMs('half-open')).toBeGreaterThanOrEqual(plain.toldUntilMs);
    } finally {
      proxy.close();
    }
  });
});

describe('who a client is to others', () => {
  test('each connection has an id of its own, which begins with its node’s; the node’s own process has that alone', async () => {
    const config = { nodes: [{ id: 'n1', address: '127.0.0.1:7001' }], quorums: { family: 'majority' } };
    const node = await startNode({ id: 'n1', config, listen: '127.0.0.1:0', ephemeral: true, firstStart: true });
    const [one, other] = [connect({ addresses: [node.address] }), connect({ addresses: [node.address] })];
    const ids = async (): Promise<object> => Object.fromEntries((await one.locks.query()).held.map(({ name, clientId }) => [name, clientId]));
    try {
      await node.locks.acquire('own');
      await one.locks.request('first', () => undefined);
      await other.locks.acquire('second');
      await new Stream(clientOf(node.address), { lock: Buffer.from('plain') }).has('held');
      const robbed = await one.locks.acquire('first'); // as before, though it held nothing meanwhile
      expect(await ids()).toEqual({ own: 'n1', first: 'n1/1', second: 'n1/2', plain: 'n1/3' });

      await expect(other.locks.acquire('first', { waitMs: 1 })).rejects.toMatchObject({ message: expect.stringMatching(/; n1\/1 \(\S+@\S+ pid \d+\) holds it with token \d+$/) as string });
      const notFree = new Stream(clientOf(node.address), { lock: Buffer.from('second'), ifAvailable: true });
      expect(await notFree.has('ended')).toMatchObject({ ended: { message: expect.stringMatching(/is not free: n1\/2 \(\S+@\S+ pid \d+\) holds it/) as string } });
      const waiting = new Stream(clientOf(node.address), { lock: Buffer.from('plain') });
      expect(await waiting.has('queued')).toMatchObject({ queued: { ahead: ['n1/3'] } });

      await other.locks.acquire('first', { steal: true, label: 'repair' });
      await until(() => robbed.signal.aborted, 'the holder to be told');
      expect(robbed.signal.reason).toMatchObject({ code: 'stolen', message: expect.stringContaining('was stolen by n1/2 (repair). Stop') as string });
    } finally {
      await Promise.all([one.close(), other.close(), node.stop()]);
    }
  });
});

describe('no client keeps the node from its work', () => {
  test('one that asks for thousands of locks gets a thousand, and is told so of the others; then as many again', async () => {
    const other = connect({ addresses: [cluster.addressOf('n1')] });
    const holder = await other.locks.acquire('popular');
    const greedy = clientOf(cluster.addressOf('n1'));
    for (const round of [1, 2]) {
      const streams = Array.from({ length: 1_500 }, () => new Stream(greedy, { lock: Buffer.from('popular') }));
      const refused: grpc.StatusObject[] = [];
      for (const stream of streams) void stream.status.then((status) => status.code !== grpc.status.OK && refused.push(status));
      const waiting = (): Stream[] => streams.filter(({ events }) => events.length > 0);
      await until(() => waiting().length + refused.length === 1_500, () => `answers in round ${round}: ${waiting().length}, ${refused.length}`, 40_000);
      // On a machine that is busy for a lease, who holds the lock may lose it: that makes room for one more.
      const lost = waiting().filter(({ events }) => events.some((event) => 'ended' in event)).length;
      expect(waiting().length).toBeGreaterThanOrEqual(1_000);
      expect(waiting().length).toBeLessThanOrEqual(1_000 + lost);
      expect(refused[0]).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED, details: expect.stringMatching(/has 1000 locks wanted or held already, which is the most; release some/) as string });
      await expect(other.locks.request('modest', { waitMs: 20_000 }, () => 'served')).resolves.toBe('served');
      for (const stream of streams) stream.call.end();
      await Promise.all(streams.map((stream) => stream.status));
    }
    holder.release();
    await other.close();
  });

  test('one that watches and does not read is told so, and who holds the lock then', async () => {
    const script = `
      const grpc = require('@grpc/grpc-js');
      const { Watch } = require(${JSON.stringify(join(root(), 'dist/src/client-protocol/schema'))}).locksMethods();
      const client = new grpc.Client(process.argv[1], grpc.credentials.createInsecure());
      const call = client.makeServerStreamRequest(Watch.path, Watch.requestSerialize, Watch.responseDeserialize, { lock: Buffer.from('busy') });
      call.on('data', ({ change, lock }) => console.log(change, lock?.token)).on('error', () => undefined);
      call.once('metadata', () => console.log('watching'));
    `;
    const watching = new Script(script, cluster.addressOf('n1'));
    const holder = clientOf(cluster.addressOf('n1'));
    const change = async (): Promise<void> => {
      const stream = new Stream(holder, { lock: Buffer.from('busy'), label: 'x'.repeat(200) });
      await new Promise<void>((resolve) => stream.call.on('data', (event: HoldEvent) => 'held' in event && resolve()));
      stream.call.end();
    };
    await change();
    await until(async () => {
      await change();
      return watching.output.includes('watching');
    }, 'the first change to be told');
    watching.signal('SIGSTOP');
    for (let changes = 0; changes < 400; changes++) await change(); // two events each, more than a stream takes unread
    const last = new Stream(holder, { lock: Buffer.from('busy') });
    const { held } = (await last.has('held')) as { held: { token: number } };
    watching.signal('SIGCONT');
    await watching.prints(new RegExp(`CHANGE_MISSED undefined\\n(?:.*\\n)*CHANGE_HELD ${held.token}\\n`));
    watching.signal('SIGKILL');
    last.call.end();
  });

  function root(): string {
    return join(__dirname, '../..');
  }
});

describe('a node that stops', () => {
  let nodes: MaekawaNode[];
  beforeEach(async () => {
    const ports = await freePorts(3);
    const config = {
      nodes: ['n1', 'n2', 'n3'].map((id, index) => ({ id, address: `127.0.0.1:${ports[index] ?? 0}` })),
      quorums: { family: 'majority' },
      leaseMs: 2_000,
    };
    nodes = await Promise.all(['n1', 'n2', 'n3'].map((id) => startNode({ id, config, ephemeral: true, firstStart: true })));
  });
  afterEach(() => Promise.all(nodes.map((node) => node.stop())));
  const node = (index: number): MaekawaNode => nodes[index] as MaekawaNode; // three were started

  test('tells its clients; what they give back is free at once, what they do not when it has run out', async () => {
    const client = clientOf(node(0).address);
    const polite = new Stream(client, { lock: Buffer.from('polite'), pings: true });
    const stubborn = new Stream(client, { lock: Buffer.from('stubborn') });
    for (const stream of [polite, stubborn]) await stream.has('held');
    const waiting = new Stream(client, { lock: Buffer.from('polite') });
    await waiting.has('queued');
    const watching = client.makeServerStreamRequest(Watch.path, Watch.requestSerialize, Watch.responseDeserialize, { lock: Buffer.from('polite') });
    const changes: WatchEventMessage[] = [];
    watching.on('data', (event: WatchEventMessage) => changes.push(event)).on('error', () => undefined);
    const watchEnded = new Promise<grpc.StatusObject>((resolve) => watching.once('status', resolve));
    await until(() => changes.length > 0, 'the watch to begin');

    void polite.has('ended').then(() => polite.call.end());
    const stopped = node(0).stop();
    expect(await waiting.has('ended')).toMatchObject({ ended: { reason: 'REASON_CLOSED', definite: true, message: 'node n1 is stopping' } });
    expect(await waiting.status).toMatchObject({ code: grpc.status.OK });
    expect(await polite.has('ended')).toMatchObject({ ended: { reason: 'REASON_CLOSED' } });
    expect(await polite.status).toMatchObject({ code: grpc.status.OK });
    expect(await stubborn.has('ended')).toMatchObject({ ended: { reason: 'REASON_CLOSED' } });
    expect(await watchEnded).toMatchObject({ code: grpc.status.UNAVAILABLE, details: 'node n1 is stopping' });
    await stopped;
    await node(1).locks.request('polite', { waitMs: 20_000 }, () => undefined);
    const takenAt = await node(1).locks.request('stubborn', { waitMs: 20_000 }, () => performance.now());
    expect(takenAt).toBeGreaterThanOrEqual(stubborn.toldUntilMs);
  });

  test('tells also one that has not read all it watches, though locks are given back meanwhile', async () => {
    const { locks } = node(0);
    const name = 'busy'.repeat(1_000);
    const acquire = (): Promise<HeldLock> => locks.acquire(name);
    let held = await acquire();
    const watching = clientOf(node(0).address).makeServerStreamRequest(Watch.path, Watch.requestSerialize, Watch.responseDeserialize, { lock: Buffer.from(name) });
    watching.on('error', () => undefined); // told by status
    const ended = new Promise<grpc.StatusObject>((resolve) => watching.once('status', resolve));
    await new Promise((resolve) => watching.once('metadata', resolve));
    // More than the connection takes, and less than a watch may leave unread.
    for (let changes = 0; changes < 80; changes += 2) {
      held.release();
      held = await acquire();
    }
    held.signal.addEventListener('abort', () => void held.release());
    const stopped = node(0).stop();
    await new Promise(setImmediate); // by then it is given back
    const changes: string[] = [];
    watching.on('data', ({ change }: WatchEventMessage) => changes.push(change));
    expect(await ended).toMatchObject({ code: grpc.status.UNAVAILABLE, details: 'node n1 is stopping' });
    expect(changes[0]).toBe('CHANGE_HELD');
    await stopped;
  });

  test('a client that asks a node while it stops is told so', async () => {
    const client = clientOf(node(0).address);
    const stubborn = new Stream(client, { lock: Buffer.from('stubborn') });
    await stubborn.has('held');
    const stopped = node(0).stop();
    const late = new Stream(client, { lock: Buffer.from('late') });
    expect(await late.has('ended')).toMatchObject({ ended: { reason: 'REASON_CLOSED' } });
    await stopped;
  });
});
