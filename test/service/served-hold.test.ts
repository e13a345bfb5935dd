/** Moments of a client's stream that real ones only sometimes meet, one after another. */
import { Duplex } from 'node:stream';
import * as grpc from '@grpc/grpc-js';
import { LockError, connect } from '../../src';
import type { ManagedLock } from '../../src/locks/managed-lock';
import type { NodeLockManager } from '../../src/locks/lock-manager';
import type { ServedNode } from '../../src/service/served-node';
import { ServedHold } from '../../src/service/served-hold';
import type { HoldCall } from '../../src/service/served-hold';
import type { SessionCall } from '../../src/service/session-host';
import { locksMethods } from '../../src/client-protocol/schema';
import type { ClientFrameMessage, HoldEvent } from '../../src/client-protocol/schema';
import { until } from '../support/processes';

/** A stream whose messages leave when the test says so; its status is sent when the last of them has left. */
class SlowCall extends Duplex {
  readonly sent: HoldEvent[] = [];
  readonly errors: Error[] = [];
  isStatusSent = false;
  private leave: (() => void) | undefined;

  constructor() {
    super({ objectMode: true });
    this.on('error', (error) => this.errors.push(error));
  }

  override _read(): void {}

  override _write(event: HoldEvent, _encoding: BufferEncoding, callback: () => void): void {
    this.sent.push(event);
    this.leave = callback;
  }

  override _final(callback: () => void): void {
    this.isStatusSent = true;
    callback();
  }

  /** Of the messages under way the oldest. */
  letOneLeave(): void {
    const { leave } = this;
    this.leave = undefined;
    leave?.();
  }
}

class TestLock {
  readonly name = 'a';
  readonly token = 7;
  isReleased = false;
  lose: (reason: LockError) => void = () => undefined;
  validForMs(): number {
    return 1_000;
  }
  onLost(listener: (reason: LockError) => void): void {
    this.lose = listener;
  }
  onRenewed(): void {}
  release(): void {
    this.isReleased = true;
  }
}

const STOLEN = new LockError('stolen', 'it was stolen');
const LOST = new LockError('lost', 'its lease ended before it could be renewed');

async function held(pings = false): Promise<{ call: SlowCall; lock: TestLock; toldUntilMs: number }> {
  const call = new SlowCall();
  const lock = new TestLock();
  const node = { id: 'n1', configuration: { leaseMs: 1_000, driftMax: 0.001 } } as ServedNode;
  const toldFromMs = performance.now();
  const locks = { begin: () => Promise.resolve(lock as unknown as ManagedLock) } as unknown as NodeLockManager;
  new ServedHold(call as unknown as HoldCall, node, locks, 'n1/1', () => undefined);
  call.push({ acquire: { lock: Buffer.from('a'), mode: 'LOCK_MODE_EXCLUSIVE', pings, sentAtMs: 0, steal: false, label: '', ifAvailable: false } });
  await until(() => call.sent.some((event) => 'held' in event), 'held');
  call.letOneLeave();
  return { call, lock, toldUntilMs: toldFromMs + lock.validForMs() };
}

/** The client closes its side. */
async function closes(call: SlowCall): Promise<void> {
  const ended = new Promise((resolve) => call.once('end', resolve));
  call.push(null);
  await ended;
}

async function untilStatusSent(call: SlowCall): Promise<void> {
  await until(() => {
    call.letOneLeave();
    return call.isStatusSent;
  }, 'the status, without which the client waits for ever', 2_000);
  expect(call.errors).toEqual([]);
}

test('a lock that is lost in the moment in which the client closes: the stream ends once, with a status', async () => {
  const { call, lock } = await held();
  lock.lose(LOST);
  await closes(call);
  await untilStatusSent(call);
  expect(call.sent.slice(1)).toEqual([
    { ended: { reason: 'REASON_LOST', message: LOST.message, definite: LOST.definite } },
    { ended: { reason: 'REASON_RELEASED', message: 'released', definite: true } },
  ]);
  expect(lock.isReleased).toBe(true);
});

test('a lock that is recalled is given back when the client closes its side, not before', async () => {
  const { call, lock } = await held();
  lock.lose(STOLEN);
  await until(() => call.sent.some((event) => 'ended' in event), 'the client to be told');
  expect(lock.isReleased).toBe(false);
  await closes(call);
  await untilStatusSent(call);
  expect(lock.isReleased).toBe(true);
});

test.each(['says nothing', 'goes on with its signs of life', 'breaks off'])('a client that %s keeps a recalled lock for as long as it was told', async (what) => {
  const { call, lock, toldUntilMs } = await held(true);
  lock.lose(STOLEN);
  if (what === 'breaks off') call.emit('cancelled');
  await until(() => {
    if (what === 'goes on with its signs of life') call.push({ ping: { sentAtMs: performance.now() } });
    return lock.isReleased;
  }, 'the lock to be given back', 10_000);
  expect(performance.now()).toBeGreaterThanOrEqual(toldUntilMs);
  if (what !== 'breaks off') await untilStatusSent(call);
});

test('a client that closes in the moment in which its lock is lost: the same', async () => {
  const { call, lock } = await held();
  await closes(call);
  lock.lose(LOST);
  await untilStatusSent(call);
  expect(lock.isReleased).toBe(true);
});

test('a stream that broke and then seems to be closed: the lock is kept for as long as the client was told', async () => {
  const { call, lock } = await held();
  call.emit('cancelled');
  await closes(call);
  expect(lock.isReleased).toBe(false);
});

test('a client does not wait for ever for a node that never says that a lock is free', async () => {
  const server = new grpc.Server();
  const { Session } = locksMethods();
  server.addService({ Session }, {
    Session: (call: SessionCall) => {
      call.once('data', ({ sentAtMs }: ClientFrameMessage) => call.write({
        welcome: { resumed: false, leaseMs: 400 }, sentAtMs, queued: [], held: [{ id: 1, token: 7, validForMs: 400, roomUntil: 0, passTo: [] }], valid: [], wanted: [], ended: [], noQuorum: false,
      }));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  await using client = connect({ addresses: [`127.0.0.1:${port}`] });
  const lock = await client.locks.acquire('a');
  await lock[Symbol.asyncDispose]();
  server.forceShutdown();
});
