/**
 * What one client can do to a node: whatever it opens, sends or leaves unread, the node's memory stays bounded, the client is
 * told which limit is in the way, and others are served.
 */
import { connect as connectHttp2, constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import { startNode } from '../../src';
import type { ClientLimits, MaekawaNode } from '../../src';
import { NodeConnection } from '../../src/client/node-connection';
import { locksMethods } from '../../src/client-protocol/schema';
import type { AcquireMessage, HoldEvent, HoldRequest, QueryReply, WatchEventMessage } from '../../src/client-protocol/schema';
import { freePorts, until } from '../support/processes';

const { Hold, Query, Status, Watch } = locksMethods();

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function startOne(limits: Partial<ClientLimits> = {}): Promise<MaekawaNode> {
  const [port] = await freePorts(1);
  const config = { nodes: [{ id: 'n1', address: `127.0.0.1:${port}` }], quorums: { family: 'majority' }, leaseMs: 60_000 };
  const node = await startNode({ id: 'n1', config, ephemeral: true, firstStart: true, limits });
  ends.push(() => node.stop());
  return node;
}

/** On a connection of its own. */
function clientOf({ address }: MaekawaNode): grpc.Client {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  ends.push(() => client.close());
  return client;
}

/** A connection whose client reads of each stream what it says, and no more; at first nothing. */
function unreadingSession({ address }: MaekawaNode): ClientHttp2Session {
  const session = connectHttp2(`http://${address}`, { settings: { initialWindowSize: 0 } });
  session.on('error', () => undefined);
  ends.push(() => session.destroy());
  return session;
}

/** One message as gRPC frames it. */
function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function call(session: ClientHttp2Session, path: string, message: Buffer): ClientHttp2Stream {
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
  stream.on('error', () => undefined);
  stream.end(framed(message));
  return stream;
}

function watch(session: ClientHttp2Session, lock: string): ClientHttp2Stream {
  return call(session, Watch.path, Watch.requestSerialize({ lock: Buffer.from(lock) }));
}

/** What its reader reads from now on. */
function changesIn(stream: ClientHttp2Stream): WatchEventMessage[] {
  const changes: WatchEventMessage[] = [];
  let bytes = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (let size: number; bytes.length >= 5 && bytes.length >= (size = 5 + bytes.readUInt32BE(1)); bytes = bytes.subarray(size)) {
      changes.push(Watch.responseDeserialize(bytes.subarray(5, size)));
    }
  });
  return changes;
}

function responseOf(stream: ClientHttp2Stream): Promise<unknown> {
  return new Promise((resolve) => stream.once('response', resolve));
}

function trailersOf(stream: ClientHttp2Stream): Promise<{ code: number; details: string }> {
  return new Promise((resolve) => {
    const read = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined) resolve({ code: Number(headers['grpc-status']), details: decodeURI(String(headers['grpc-message'])) });
    };
    stream.on('response', read).on('trailers', read);
    stream.resume();
  });
}

/** The status of a call that ends at once. */
function statusOf(stream: { once(event: 'status', listener: (status: grpc.StatusObject) => void): unknown }): Promise<grpc.StatusObject> {
  return new Promise((resolve) => stream.once('status', resolve));
}

function watchWith(client: grpc.Client, lock: string): grpc.ClientReadableStream<WatchEventMessage> {
  const stream = client.makeServerStreamRequest(Watch.path, Watch.requestSerialize, Watch.responseDeserialize, { lock: Buffer.from(lock) });
  return stream.on('error', () => undefined).resume();
}

/** It reads from now on, as much as comes. */
function beginReading(session: ClientHttp2Session): void {
  session.settings({ initialWindowSize: 2 ** 20 });
}

describe('one that watches and does not read', () => {
  test('is told, when it reads, that it missed changes, and who holds the lock then', async () => {
    const node = await startOne();
    const session = unreadingSession(node);
    const first = await node.locks.acquire('busy');
    const stream = watch(session, 'busy');
    await responseOf(stream); // who holds it is on its way, and cannot leave
    first.release();
    for (let changes = 0; changes < 2_000; changes++) await node.locks.request('busy', () => undefined);
    const { token } = await node.locks.acquire('busy');
    beginReading(session);
    const changes = changesIn(stream);
    await until(() => changes.find(({ lock }) => lock?.token === token), 'the present holder');
    expect(changes.length).toBeLessThan(300);
    expect(changes.at(-1)).toMatchObject({ change: 'CHANGE_HELD', lock: { token } });
    expect(changes.at(-2)).toMatchObject({ change: 'CHANGE_MISSED' });
  });

  test('is ended when it reads nothing for long', async () => {
    const node = await startOne({ unreadMs: 1 });
    const session = unreadingSession(node);
    await node.locks.acquire('busy');
    const stream = watch(session, 'busy');
    await responseOf(stream);
    await new Promise((resolve) => setTimeout(resolve, 2)); // the node's timer is older, and runs out first
    const ended = trailersOf(stream);
    beginReading(session);
    expect(await ended).toEqual({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'the client has read nothing for 1 ms; watch again to begin with the present holders' });
  });

  test('opens no more than the node allows over a connection, from an address, and to all; what it ends is free again', async () => {
    const node = await startOne({ watchesPerConnection: 3, watchesPerNode: 8 });
    const [one, other, third] = [clientOf(node), clientOf(node), clientOf(node)];
    const watches = [1, 2, 3].map(() => watchWith(one, 'a'));
    expect(await statusOf(watchWith(one, 'a'))).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'this connection has 3 watches already, which is the most; end some' });
    const last = watchWith(other, 'a');
    await node.locks.acquire('a');
    await new Promise((resolve) => last.once('data', resolve));
    expect(await statusOf(watchWith(third, 'a'))).toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED, details: 'the clients at 127.0.0.1 have 4 watches already, half of what the node allows to all; end some',
    });
    watches[0]?.cancel();
    await until(async () => {
      const again = watchWith(one, 'a');
      return Promise.race([statusOf(again).then(() => false), new Promise<boolean>((resolve) => again.once('data', () => resolve(true)))]);
    }, 'a watch in the place of the one that was ended');
  });
});

/** Every page of an answer, and the largest of them in bytes. */
async function pagesOf(client: grpc.Client, cluster = false): Promise<{ pages: QueryReply[]; largest: number }> {
  const pages: QueryReply[] = [];
  let largest = 0;
  for (let pageToken = ''; pages.length === 0 || pageToken !== ''; ) {
    const page = await ask(client, Query, { cluster, pageToken, pageBytes: 0 });
    pages.push(page);
    largest = Math.max(largest, Query.responseSerialize(page).length);
    ({ nextPageToken: pageToken } = page);
  }
  return { pages, largest };
}

function ask<Question, Reply>(client: grpc.Client, { path, requestSerialize, responseDeserialize }: grpc.MethodDefinition<Question, Reply>, question: Question): Promise<Reply> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, question, (error, reply) => (reply === undefined ? reject(error as Error) : resolve(reply)));
  });
}

describe('long answers', () => {
  const names = Array.from({ length: 1_200 }, (_, index) => String(index).padStart(1_000, 'n'));

  test('come in pages, each of which any client takes, and the client of the library reads all', async () => {
    const node = await startOne();
    await Promise.all(names.map((name) => node.locks.acquire(name)));
    void node.locks.request('n'.repeat(1_000) + 'waits', () => undefined);
    const client = clientOf(node);
    for (const cluster of [false, true]) {
      const { pages, largest } = await pagesOf(client, cluster);
      expect(pages.length).toBeGreaterThan(3);
      expect(largest).toBeLessThan(2 ** 19);
      const listed = pages.flatMap(({ held }) => held.map(({ lock }) => lock.toString()));
      expect(names.filter((name, index) => listed[index] !== name)).toHaveLength(0);
    }
    const connection = new NodeConnection(node.address);
    ends.push(() => connection.close());
    const { held } = await connection.query(20_000);
    expect(names.filter((name, index) => held[index]?.name !== name)).toHaveLength(0);
    expect((await connection.status(20_000)).locks.length).toBeGreaterThanOrEqual(names.length);
    expect((await ask(client, Status, { pageToken: '' })).locks.length).toBeLessThan(names.length);
  });

  test('what is granted while the pages are read is listed at the end; what stays is in one of them', async () => {
    const node = await startOne();
    const blocked = await node.locks.acquire('blocked');
    const waits = node.locks.acquire('blocked');
    await Promise.all(names.slice(0, 400).map((name) => node.locks.acquire(name)));
    const client = clientOf(node);
    const first = await ask(client, Query, { cluster: false, pageToken: '', pageBytes: 0 });
    blocked.release();
    await waits;
    const rest: QueryReply[] = [];
    for (let { nextPageToken: pageToken } = first; pageToken !== ''; ) {
      rest.push(await ask(client, Query, { cluster: false, pageToken, pageBytes: 0 }));
      pageToken = rest.at(-1)?.nextPageToken ?? '';
    }
    expect(rest.flatMap(({ held }) => held).map(({ lock }) => lock.toString())).toContain('blocked');
  });

  test('a token that the node never gave is refused', async () => {
    const client = clientOf(await startOne());
    for (const [cluster, pageToken] of [[false, 'x'], [false, 'held 1'], [true, 'n1'], [true, 'n1=;']] as const) {
      await expect(ask(client, Query, { cluster, pageToken, pageBytes: 0 })).rejects.toMatchObject({ code: grpc.status.INVALID_ARGUMENT });
    }
    await expect(ask(client, Status, { pageToken: '-1' })).rejects.toMatchObject({ code: grpc.status.INVALID_ARGUMENT });
  });

  test('one that reads no answers is told so, and its next calls are refused until it reads; others are answered', async () => {
    const node = await startOne({ unreadBytesPerConnection: 2 ** 19 });
    await Promise.all(names.slice(0, 400).map((name) => node.locks.acquire(name)));
    const session = unreadingSession(node);
    const query = (): ClientHttp2Stream => call(session, Query.path, Query.requestSerialize({ cluster: false, pageToken: '', pageBytes: 0 }));
    const unread = query();
    await responseOf(unread);
    const refused = { code: grpc.status.RESOURCE_EXHAUSTED, details: 'this connection has 524288 bytes of answers that were not read already, which is the most; read them first' };
    expect(await trailersOf(query())).toEqual(refused);
    const other = clientOf(node);
    expect((await ask(other, Query, { cluster: false, pageToken: '', pageBytes: 0 })).held.length).toBeGreaterThan(100);
    const read = trailersOf(unread);
    beginReading(session);
    expect(await read).toMatchObject({ code: grpc.status.OK });
    expect(await trailersOf(query())).toMatchObject({ code: grpc.status.OK });
  });
});

test('calls that are taken back at once leave nothing behind', async () => {
  const node = await startOne({ callsPerConnection: 2, callsPerNode: 4, watchesPerConnection: 2, watchesPerNode: 4, locksPerNode: 4 });
  const session = connectHttp2(`http://${node.address}`);
  ends.push(() => session.destroy());
  for (let round = 0; round < 20; round++) {
    for (const path of [Query.path, Watch.path, Hold.path, Query.path, Watch.path, Hold.path]) {
      const stream = call(session, path, Buffer.alloc(0));
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise((resolve) => session.ping(resolve));
  }
  const client = clientOf(node);
  await until(() => ask(client, Query, { cluster: false, pageToken: '', pageBytes: 0 }).catch(() => null), 'an answer');
  await node.locks.acquire('a');
  await until(() => new Promise<boolean>((resolve) => {
    const watching = watchWith(client, 'a');
    watching.once('data', () => resolve(true));
    watching.once('status', () => resolve(false));
  }), 'a watch');
});

describe('one that holds', () => {
  test('wants and holds no more locks than the node allows; those of a connection that broke count while they are kept', async () => {
    const node = await startOne({ locksPerConnection: 2, locksPerNode: 3 });
    const hold = (client: grpc.Client, lock: string): grpc.ClientDuplexStream<HoldRequest, HoldEvent> => {
      const stream = client.makeBidiStreamRequest(Hold.path, Hold.requestSerialize, Hold.responseDeserialize);
      stream.on('error', () => undefined).resume();
      stream.write({ acquire: { lock: Buffer.from(lock), mode: 'LOCK_MODE_EXCLUSIVE', pings: true, sentAtMs: 0, steal: false, label: '', ifAvailable: false } });
      return stream;
    };
    const held = async (stream: grpc.ClientDuplexStream<HoldRequest, HoldEvent>): Promise<void> => void (await new Promise((resolve) => stream.once('data', resolve)));
    const one = clientOf(node);
    await Promise.all([held(hold(one, 'a')), held(hold(one, 'b'))]);
    expect(await statusOf(hold(one, 'c'))).toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED, details: 'this connection has 2 locks wanted or held already, which is the most; release some, or open another connection',
    });
    one.close();
    const other = clientOf(node);
    const third = hold(other, 'c');
    await held(third);
    expect(await statusOf(hold(other, 'd'))).toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED, details: 'the clients at 127.0.0.1 have 3 locks wanted or held already, nine tenths of what the node allows to all; release some, or open another connection',
    });
    third.end();
    await statusOf(third);
    await held(hold(other, 'd'));
  });
});

describe('what a client sends', () => {
  /** The status of a call with this one request. */
  const statusFor = (client: grpc.Client, acquire: Partial<AcquireMessage>, metadata = new grpc.Metadata()): Promise<grpc.StatusObject> => {
    const stream = client.makeBidiStreamRequest(Hold.path, Hold.requestSerialize, Hold.responseDeserialize, metadata);
    stream.on('error', () => undefined).resume();
    stream.write({ acquire: { mode: 'LOCK_MODE_EXCLUSIVE', pings: true, sentAtMs: 0, steal: false, label: '', ifAvailable: false, ...acquire } });
    stream.on('data', () => stream.end());
    return statusOf(stream);
  };

  test('a name that the library reserves is refused for all but its permits', async () => {
    const client = clientOf(await startOne());
    const code = async (lock: string): Promise<grpc.status> => (await statusFor(client, { lock: Buffer.from(lock) })).code;
    for (const name of ['-', '-x', '-permit', '-permit 64 of a', '-permit 01 of a', '-permit -1 of a', '-permit 1 of']) {
      expect([name, await code(name)]).toEqual([name, grpc.status.INVALID_ARGUMENT]);
    }
    for (const name of ['', 'x', ' -x', '-permit 0 of a', '-permit 63 of ', '-permit 5 of -permit 5 of a']) {
      expect([name, await code(name)]).toEqual([name, grpc.status.OK]);
    }
    expect(await statusOf(watchWith(client, '-x'))).toMatchObject({
      code: grpc.status.INVALID_ARGUMENT, details: 'the lock name "-x" starts with "-", which is reserved; a permit of a semaphore is named "-permit N of NAME"',
    });
  });

  test('more pings than anybody needs end the stream', async () => {
    const client = clientOf(await startOne());
    const stream = client.makeBidiStreamRequest(Hold.path, Hold.requestSerialize, Hold.responseDeserialize);
    stream.on('error', () => undefined).resume();
    stream.write({ acquire: { lock: Buffer.from('a'), mode: 'LOCK_MODE_EXCLUSIVE', pings: true, sentAtMs: 0, steal: false, label: '', ifAvailable: false } });
    for (let pings = 0; pings < 1_000; pings++) stream.write({ ping: { sentAtMs: 0 } });
    expect(await statusOf(stream)).toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED, details: 'more than 100 messages within one lease; a few pings are enough' });
  });

  test('metadata that nobody needs is not kept', async () => {
    const metadata = new grpc.Metadata();
    metadata.set('x', 'y'.repeat(10_000));
    expect(await statusFor(clientOf(await startOne()), { lock: Buffer.from('a') }, metadata)).toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED, details: 'the metadata of the call has more than 8192 bytes',
    });
  });
});

test('a limit that is none is refused with what there is', async () => {
  await expect(startOne({ locksPerNod: 1 } as Partial<ClientLimits>)).rejects.toMatchObject({ code: 'config', message: expect.stringContaining('there is no limit "locksPerNod"; there are sessionsPerNode') as string });
  await expect(startOne({ locksPerNode: 0 })).rejects.toMatchObject({ code: 'config', message: 'the limit locksPerNode is a whole number from 1 to 2147483647, not 0' });
  await expect(startOne({ callsPerConnection: 2_000 })).rejects.toMatchObject({ code: 'config', message: 'the limit callsPerConnection is a whole number from 1 to 1000, not 2000' });
});
