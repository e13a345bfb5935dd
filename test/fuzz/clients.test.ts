/**
 * What a client may send over raw gRPC: odd requests, mutated and random bytes, in any order, read or not. The node lives and keeps its
 * locks and its memory, and a stream of bytes that are no requests ends.
 */
import * as grpc from '@grpc/grpc-js';
import { locksMethods } from '../../src/client-protocol/schema';
import type { ClientFrameMessage, HoldRequest } from '../../src/client-protocol/schema';
import { until } from '../support/processes';
import { eachCase, heapBytes, seed, timeoutMs } from './budget';
import { Honest } from './honest';
import { Random } from './random';

const { Hold, Session, Query, Watch, Status } = locksMethods();
const asItIs = (bytes: Buffer): Buffer => bytes;

function anyName(random: Random): Buffer {
  return random.pick([
    Buffer.from(random.pick(['a', 'b', 'c', '-v', '--', '-clock of n1', '-permit 1 of a', '-permit 1 of 1 of a', 'Ünïcode', '\u202e\x1b[2J\n'])),
    Buffer.alloc(0),
    random.bytes(random.below(20)),
    Buffer.alloc(random.pick([4_096, 4_097, 20_000]), 'x'),
  ]);
}

function anyHoldRequest(random: Random): Buffer {
  const sentAtMs = random.pick([0, 1, -1, NaN, Infinity, -Infinity, 2 ** 60, 1e308, random.next()]);
  if (random.oneIn(4)) return Hold.requestSerialize({ ping: { sentAtMs } });
  const request: HoldRequest = {
    acquire: {
      ...(random.oneIn(8) ? {} : { lock: anyName(random) }),
      // What a later version may mean by other numbers.
      mode: random.pick(['LOCK_MODE_UNSPECIFIED', 'LOCK_MODE_EXCLUSIVE', 'LOCK_MODE_SHARED', 7 as never]),
      ...(random.oneIn(2) ? {} : { waitMs: random.pick([0, 1, 50, 2 ** 31, 2 ** 32 - 1]) }),
      pings: random.oneIn(2), sentAtMs, steal: random.oneIn(3), label: random.oneIn(2) ? '' : random.bytes(random.below(600)).toString('latin1'),
      ifAvailable: random.oneIn(4),
      keep: random.oneIn(4),
    },
  };
  return Hold.requestSerialize(request);
}

function anyFrame(random: Random, isFirst: boolean): Buffer {
  const id = (): number => random.pick([0, 1, 2, 3, random.below(30), 2 ** 53, 2 ** 60]);
  const ids = (): number[] => Array.from({ length: random.pick([0, 0, 1, 3, 300]) }, id);
  const { acquire } = Hold.requestDeserialize(anyHoldRequest(random)) as { acquire?: never };
  const frame: ClientFrameMessage = {
    hello: random.oneIn(20) === isFirst ? null : {
      session: random.pick([Buffer.alloc(16, random.below(3)), random.bytes(random.below(40))]),
      secret: random.oneIn(8) ? random.bytes(random.below(40)) : Buffer.alloc(16),
      stream: random.pick([0, 1, 2, 3, random.below(1_000), 2 ** 60]), keep: ids(),
    },
    sentAtMs: random.pick([0, 1, -1, NaN, Infinity, 1e308, random.next()]),
    releases: ids(),
    spent: ids().map((each) => ({ id: each, token: id() })),
    inUse: ids(),
    acquires: random.oneIn(3) ? [] : Array.from({ length: 1 + random.below(40) }, (_, index) => ({ id: random.oneIn(40) ? id() : index + 1 + random.below(3), acquire: acquire ?? null })),
  };
  return Session.requestSerialize(frame);
}

/** What a client sends over one stream, piece by piece. */
function anyRequest(random: Random, valid: () => Buffer): Buffer {
  switch (random.below(6)) {
    case 0:
      return random.bytes(random.below(80));
    case 1:
      return random.mutated(valid());
    default:
      return valid();
  }
}

test('whatever a client sends, its node goes on, others keep their locks, and bytes that are no request end their stream', async () => {
  const honest = await Honest.start();
  const { address } = honest.n1;
  const random = new Random(seed);
  const connect = (): grpc.Client => new grpc.Client(address, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  let client = connect();
  const open: { cancel(): void }[] = [];
  const metadata = (): grpc.Metadata => {
    const result = new grpc.Metadata();
    if (random.oneIn(10)) result.set('maekawa-cluster-bin', random.bytes(random.below(40)));
    return result;
  };
  const hold = async (): Promise<void> => {
    const call = client.makeBidiStreamRequest(Hold.path, asItIs, asItIs, metadata());
    let isOver = false;
    call.on('error', () => undefined);
    call.on('status', () => (isOver = true));
    if (random.oneIn(3)) call.pause();
    else call.resume();
    let isMalformed = false;
    for (let count = random.below(5); count > 0 && !isMalformed; count--) {
      const bytes = anyRequest(random, () => anyHoldRequest(random));
      const decoded = Hold.requestDeserialize(bytes);
      isMalformed = !('acquire' in decoded) && !('ping' in decoded);
      call.write(bytes);
      if (random.oneIn(2)) await new Promise((resolve) => setImmediate(resolve));
    }
    if (isMalformed) {
      call.resume();
      // It closes its side, too: a lock that was had before ends when the client counts on it no more.
      call.end();
      await until(() => isOver, 'the end of a stream of what is no request');
    } else if (random.oneIn(2)) {
      call.end();
    } else {
      open.push(call);
    }
  };
  const session = async (): Promise<void> => {
    const call = client.makeBidiStreamRequest(Session.path, asItIs, asItIs, metadata());
    call.on('error', () => undefined);
    if (random.oneIn(3)) call.pause();
    else call.resume();
    for (let count = random.below(6), isFirst = true; count > 0; count--, isFirst = false) {
      call.write(anyRequest(random, () => anyFrame(random, isFirst)));
      if (random.oneIn(2)) await new Promise((resolve) => setImmediate(resolve));
    }
    if (random.oneIn(2)) call.end();
    else open.push(call);
  };
  const once = (): void => {
    const { path } = random.pick([Query, Status]);
    const pageToken = random.pick(['', 'held 1 2', 'n1=held 1 2;n2=pending 0 0', random.bytes(random.below(20)).toString('latin1')]);
    const bytes = random.oneIn(2) ? Query.requestSerialize({ cluster: random.oneIn(2), pageToken, pageBytes: random.below(2 ** 20) }) : random.bytes(random.below(30));
    const call = client.makeUnaryRequest(path, asItIs, asItIs, bytes, metadata(), () => undefined);
    if (random.oneIn(4)) call.cancel();
  };
  const watch = (): void => {
    const bytes = anyRequest(random, () => Watch.requestSerialize({ lock: anyName(random) }));
    const call = client.makeServerStreamRequest(Watch.path, asItIs, asItIs, bytes, metadata());
    call.on('error', () => undefined);
    if (random.oneIn(2)) call.resume();
    open.push(call);
  };
  const before = await heapBytes();
  const count = await eachCase(400, async (number) => {
    await Promise.resolve(random.pick([hold, hold, session, session, once, watch])());
    while (open.length > 30) open.splice(random.below(open.length), 1)[0]?.cancel();
    if (number % 100 !== 99) return;
    await honest.check();
    client.close();
    for (const call of open.splice(0)) call.cancel();
    client = connect();
  });
  expect(count).toBeGreaterThan(0);
  for (const call of open.splice(0)) call.cancel();
  client.close();
  await honest.check();
  expect((await heapBytes()) - before).toBeLessThan(64 * 2 ** 20);
  await honest.stop();
}, timeoutMs);
