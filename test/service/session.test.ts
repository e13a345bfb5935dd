/**
 * Sessions as any gRPC client sees them, well behaved or not: nobody goes on with what is not its own, a frame that breaks a rule
 * does no harm, and a client that asks for too much or reads nothing is slowed and refused while others go on.
 */
import { randomBytes } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import { connect, startNode } from '../../src';
import type { MaekawaNode } from '../../src';
import { locksMethods } from '../../src/client-protocol/schema';
import type { AcquireMessage, ClientFrameMessage, HelloMessage, NodeFrameMessage } from '../../src/client-protocol/schema';
import type { ClientLimits } from '../../src/service/limits';
import { until } from '../support/processes';

const LEASE_MS = 2_000;
const { Session } = locksMethods();

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function startOne(limits: Partial<ClientLimits> = {}): Promise<MaekawaNode> {
  const config = { nodes: [{ id: 'n1', address: '127.0.0.1:7001' }], quorums: { family: 'majority' }, leaseMs: LEASE_MS };
  const node = await startNode({ id: 'n1', config, listen: '127.0.0.1:0', ephemeral: true, firstStart: true, limits });
  ends.push(() => node.stop());
  return node;
}

function clientOf(node: MaekawaNode): grpc.Client {
  const client = new grpc.Client(node.address, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  ends.push(() => client.close());
  return client;
}

function helloOf(hello: Partial<HelloMessage> = {}): HelloMessage {
  return { session: randomBytes(16), secret: randomBytes(16), stream: 1, keep: [], ...hello };
}

function ask(id: number, lock: string, acquire: Partial<AcquireMessage> = {}): { readonly id: number; readonly acquire: AcquireMessage } {
  return { id, acquire: { lock: Buffer.from(lock), mode: 'LOCK_MODE_EXCLUSIVE', pings: false, sentAtMs: 0, steal: false, label: '', ifAvailable: false, ...acquire } };
}

/** One stream, and what came of it. */
class Stream {
  readonly frames: NodeFrameMessage[] = [];
  readonly call: grpc.ClientDuplexStream<ClientFrameMessage, NodeFrameMessage>;
  readonly status: Promise<grpc.StatusObject>;

  constructor(client: grpc.Client, hello: HelloMessage | null, frame: Partial<ClientFrameMessage> = {}) {
    this.call = client.makeBidiStreamRequest(Session.path, Session.requestSerialize, Session.responseDeserialize);
    this.call.on('error', () => undefined);
    this.status = new Promise((resolve) => this.call.once('status', resolve));
    this.call.on('data', (each: NodeFrameMessage) => this.frames.push(each));
    this.say({ hello, ...frame });
  }

  say(frame: Partial<ClientFrameMessage>): number {
    const sentAtMs = performance.now();
    this.call.write({ hello: null, sentAtMs, releases: [], spent: [], inUse: [], acquires: [], ...frame });
    return sentAtMs;
  }

  held(id: number): Promise<{ readonly token: number }> {
    return until(() => this.frames.flatMap(({ held }) => held).find((each) => each.id === id), `${id} to be held, among ${JSON.stringify(this.frames)}`);
  }

  ended(id: number): Promise<{ readonly reason: string; readonly message: string }> {
    return until(() => this.frames.flatMap(({ ended }) => ended).find((each) => each.id === id)?.ended, `the end of ${id}, among ${JSON.stringify(this.frames)}`);
  }

  async echoOf(sentAtMs: number): Promise<void> {
    await until(() => (this.frames.at(-1)?.sentAtMs ?? 0) >= sentAtMs, 'the echo');
  }
}

describe('whoever comes back over another stream', () => {
  test('goes on with what it names; what it does not name is free', async () => {
    const node = await startOne();
    const hello = helloOf();
    const first = new Stream(clientOf(node), hello, { acquires: [ask(1, 'a'), ask(2, 'b'), ask(3, 'a')] });
    const { token } = await first.held(1);
    await first.held(2);
    first.call.cancel();
    const second = new Stream(clientOf(node), { ...hello, stream: 2, keep: [1, 3, 99] });
    expect((await second.held(1)).token).toBe(token);
    expect(second.frames[0]?.welcome).toEqual({ resumed: true, leaseMs: LEASE_MS });
    expect((await node.locks.acquire('b')).token).toBeGreaterThan(0);
    second.say({ releases: [1] });
    expect((await second.held(3)).token).toBeGreaterThan(token);
    // Its id never came, so nothing is said of it.
    expect(second.frames.flatMap(({ ended }) => ended)).toEqual([]);
  });

  test('takes the place of a stream that still seems to be there', async () => {
    const node = await startOne();
    const hello = helloOf();
    const first = new Stream(clientOf(node), hello, { acquires: [ask(1, 'a')] });
    await first.held(1);
    const second = new Stream(clientOf(node), { ...hello, stream: 2, keep: [1] });
    await second.held(1);
    expect(await first.status).toMatchObject({ code: grpc.status.ABORTED });
    const late = new Stream(clientOf(node), { ...hello, stream: 1, keep: [] });
    expect(await late.status).toMatchObject({ code: grpc.status.ABORTED });
    await second.echoOf(second.say({}));
    expect((await node.locks.query()).held).toMatchObject([{ name: 'a' }]);
  });

  test('must show the secret', async () => {
    const node = await startOne();
    const hello = helloOf();
    const first = new Stream(clientOf(node), hello, { acquires: [ask(1, 'a')] });
    await first.held(1);
    for (const secret of [randomBytes(16), Buffer.concat([hello.secret, Buffer.alloc(1)])]) {
      const thief = new Stream(clientOf(node), { ...hello, secret, stream: 2, keep: [] });
      expect(await thief.status).toMatchObject({ code: grpc.status.PERMISSION_DENIED });
    }
    await first.echoOf(first.say({}));
    expect((await node.locks.query()).held).toMatchObject([{ name: 'a' }]);
  });

  test('is told when the node knows nothing of it', async () => {
    const stream = new Stream(clientOf(await startOne()), helloOf({ stream: 7, keep: [1, 2] }));
    await until(() => stream.frames.length > 0, 'a frame');
    expect(stream.frames[0]?.welcome).toEqual({ resumed: false, leaseMs: LEASE_MS });
  });

  test('after it was silent for a lease, it has lost everything', async () => {
    const node = await startOne();
    const hello = helloOf();
    const silent = new Stream(clientOf(node), hello, { acquires: [ask(1, 'a')] });
    await silent.held(1);
    await node.locks.acquire('a');
    expect(await silent.status).toMatchObject({ code: grpc.status.UNAVAILABLE });
    const again = new Stream(clientOf(node), { ...hello, stream: 2, keep: [1] });
    await until(() => again.frames.length > 0, 'a frame');
    expect(again.frames[0]?.welcome).toEqual({ resumed: false, leaseMs: LEASE_MS });
  });
});

describe('a frame that breaks a rule ends its stream with the reason', () => {
  test.each<[string, HelloMessage | null, Partial<ClientFrameMessage>, RegExp]>([
    ['no hello', null, {}, /first frame of a stream says hello/],
    ['a short secret', helloOf({ secret: Buffer.alloc(8) }), {}, /the secret has 8 bytes/],
    ['no name', helloOf({ session: Buffer.alloc(0) }), {}, /the name of the session has 0 bytes/],
    ['no stream', helloOf({ stream: 0 }), {}, /number of the stream is 0/],
    ['ids that fall', helloOf(), { acquires: [ask(2, 'a'), ask(1, 'b')] }, /the id 1 follows 2/],
    ['an id of 0', helloOf(), { acquires: [ask(0, 'a')] }, /the id 0 follows 0/],
    ['a time that is none', helloOf(), { sentAtMs: NaN }, /sent_at_ms is NaN/],
    ['too much to keep', helloOf({ keep: Array.from({ length: 20_001 }, (_, index) => index + 1) }), {}, /hello names 20001 requests/],
    ['too much asked for', helloOf(), { acquires: Array.from({ length: 2_049 }, (_, index) => ask(index + 1, 'a')) }, /the frame asks for 2049 locks/],
  ])('%s', async (_what, hello, frame, details) => {
    const stream = new Stream(clientOf(await startOne()), hello, frame);
    expect(await stream.status).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: expect.stringMatching(details) as string });
  });

  test('and what was held over it is kept for as long as its client was told', async () => {
    const node = await startOne();
    const stream = new Stream(clientOf(node), helloOf(), { acquires: [ask(1, 'a')] });
    await stream.held(1);
    stream.say({ hello: helloOf() });
    expect(await stream.status).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: expect.stringMatching(/hello is said once/) as string });
    expect((await node.locks.query()).held).toMatchObject([{ name: 'a' }]);
    expect((await node.locks.acquire('a')).token).toBeGreaterThan(0);
  });
});

describe('one lock that is refused leaves the others of its session alone', () => {
  test('for what is asked, and for the limits of a session and of the node', async () => {
    const node = await startOne({ locksPerSession: 3, locksPerNode: 3 });
    const stream = new Stream(clientOf(node), helloOf(), { acquires: [ask(1, 'a'), ask(2, '-x'), ask(3, 'b', { mode: 9 as never }), ask(4, 'c'), ask(5, 'd'), ask(6, 'e')] });
    await stream.held(1);
    await stream.held(4);
    await stream.held(5);
    expect(await stream.ended(2)).toMatchObject({ reason: 'REASON_CONFIG', message: expect.stringMatching(/reserved/) as string });
    expect(await stream.ended(3)).toMatchObject({ reason: 'REASON_CONFIG', message: expect.stringMatching(/mode 9/) as string });
    expect(await stream.ended(6)).toMatchObject({ reason: 'REASON_CONFIG', message: expect.stringMatching(/3 locks wanted or held already/) as string });
    await stream.echoOf(stream.say({ releases: [1] }));
    stream.say({ acquires: [ask(7, 'e')] });
    await stream.held(7);
  });
});

test('a client that asks and reads nothing is slowed, and ended after a lease; another is served meanwhile', async () => {
  const node = await startOne();
  const deaf = new Stream(clientOf(node), helloOf());
  await until(() => deaf.frames.length > 0, 'a frame');
  deaf.call.pause();
  let id = 0;
  let isOver = false;
  void deaf.status.then(() => (isOver = true));
  const other = connect({ addresses: [node.address] });
  ends.push(() => other.close());
  // Each is answered with a reason of hundreds of bytes.
  const more = (): void => {
    if (!deaf.call.writableNeedDrain) deaf.say({ acquires: Array.from({ length: 64 }, () => ask(++id, `-${'x'.repeat(100)}`)) });
  };
  let served = 0;
  let slowedAtMs = Infinity;
  await until(async () => {
    for (let frames = 0; frames < 16; frames++) more();
    await other.locks.request('a', () => served++);
    if (deaf.call.writableNeedDrain) slowedAtMs = Math.min(slowedAtMs, performance.now());
    // gRPC tells of the end when what came before was read.
    if (performance.now() > slowedAtMs + 2 * LEASE_MS) deaf.call.resume();
    return isOver;
  }, 'the end of the stream', 60_000);
  expect(await deaf.status).toMatchObject({ code: grpc.status.UNAVAILABLE, details: 'the client was silent, or read nothing, for a lease' });
  expect(slowedAtMs).toBeLessThan(Infinity);
  expect(served).toBeGreaterThan(0);
});
