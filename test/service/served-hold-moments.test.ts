/**
 * Whatever happens on a client's stream, in whatever order: its lock is not given back while the client may count on it
 * by its own clock, unless the client closed its side; and it is always given back in the end.
 */
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { LockError } from '../../src';
import type { ManagedLock } from '../../src/locks/managed-lock';
import type { NodeLockManager } from '../../src/locks/lock-manager';
import type { ServedNode } from '../../src/service/served-node';
import { ServedHold } from '../../src/service/served-hold';
import type { HoldCall } from '../../src/service/served-hold';
import type { HoldEvent } from '../../src/client-protocol/schema';
import { holdsAsync } from '../support/holds';

const LEASE_MS = 1_000;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
});
afterEach(() => jest.useRealTimers());

/** A stream and the client at its other end. */
class Connection extends Duplex {
  /** Until when the client counts on the lock: from when it sent what was answered. */
  clientUntilMs = 0;
  hasClosed = false;
  isBroken = false;
  private leave: ((error?: Error) => void) | undefined;
  private leaving: HoldEvent | undefined;

  constructor() {
    super({ objectMode: true, autoDestroy: false });
    this.on('error', () => undefined);
  }

  override _read(): void {}

  override _write(event: HoldEvent, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.isBroken) return callback(new Error('the stream is broken'));
    this.leaving = event;
    this.leave = callback;
  }

  /** The oldest message under way arrives. */
  arrive(): void {
    const { leave, leaving } = this;
    this.leave = undefined;
    const valid = leaving === undefined ? undefined : 'held' in leaving ? leaving.held : 'valid' in leaving ? leaving.valid : undefined;
    if (valid !== undefined && leave !== undefined) this.clientUntilMs = Math.max(this.clientUntilMs, valid.sentAtMs + valid.validForMs);
    leave?.();
  }

  /** The client does not know. At times the end of the stream is told first, as if the client had closed it. */
  breakOff(looksClosed: boolean): void {
    this.isBroken = true;
    this.leave?.(new Error('the stream is broken'));
    this.leave = undefined;
    if (looksClosed && !this.hasClosed) this.push(null);
  }
}

class TestLock {
  readonly name = 'a';
  readonly token = 7;
  releasedAtMs: number | null = null;
  private validUntilMs = performance.now() + LEASE_MS;
  private isLost = false;
  private lostListener: (reason: LockError) => void = () => undefined;
  private renewedListener: () => void = () => undefined;

  validForMs(): number {
    return this.isLost ? 0 : Math.max(0, this.validUntilMs - performance.now());
  }
  onLost(listener: (reason: LockError) => void): void {
    this.lostListener = listener;
  }
  onRenewed(listener: () => void): void {
    this.renewedListener = listener;
  }
  renew(): void {
    if (this.isLost) return;
    this.validUntilMs = performance.now() + LEASE_MS;
    this.renewedListener();
  }
  lose(code: 'lost' | 'stolen'): void {
    if (this.isLost || this.releasedAtMs !== null) return;
    this.isLost = true;
    this.lostListener(new LockError(code, code));
  }
  release(): void {
    this.releasedAtMs ??= performance.now();
  }
}

const moment = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 400 }) }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'arrive' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'ping' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'renew' as const }) },
  fc.record({ kind: fc.constant('lose' as const), code: fc.constantFrom('lost' as const, 'stolen' as const) }),
  fc.constant({ kind: 'stop' as const }),
  fc.constant({ kind: 'close' as const }),
  fc.record({ kind: fc.constant('break' as const), looksClosed: fc.boolean(), toldLater: fc.boolean() }),
);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function start(pings: boolean): Promise<{ call: Connection; lock: TestLock; hold: ServedHold }> {
  const call = new Connection();
  const lock = new TestLock();
  const node = { id: 'n1', configuration: { leaseMs: LEASE_MS, driftMax: 0.001 } } as ServedNode;
  const locks = { begin: () => Promise.resolve(lock as unknown as ManagedLock), ahead: () => [] } as unknown as NodeLockManager;
  const hold = new ServedHold(call as unknown as HoldCall, node, locks, 'n1/1', () => undefined);
  call.push({ acquire: { lock: Buffer.from('a'), mode: 'LOCK_MODE_EXCLUSIVE', pings, sentAtMs: performance.now(), steal: false, label: '', ifAvailable: false } });
  await turn();
  call.arrive();
  return { call, lock, hold };
}

async function play(pings: boolean, reads: boolean, moments: readonly (typeof moment extends fc.Arbitrary<infer M> ? M : never)[]): Promise<void> {
  const { call, lock, hold } = await start(pings);
  let mustEnd = pings;
  let hasClosed = false; // in good order, before anything broke
  const look = (): void => {
    if (lock.releasedAtMs === null || hasClosed) return;
    expect(lock.releasedAtMs).toBeGreaterThanOrEqual(call.clientUntilMs);
  };
  for (const each of moments) {
    switch (each.kind) {
      case 'pass':
        jest.advanceTimersByTime(each.ms);
        break;
      case 'arrive':
        call.arrive();
        break;
      case 'ping':
        if (!hasClosed && !call.isBroken) call.push({ ping: { sentAtMs: performance.now() } });
        break;
      case 'renew':
        lock.renew();
        break;
      case 'lose':
        lock.lose(each.code);
        mustEnd = true;
        break;
      case 'stop':
        hold.stop();
        mustEnd = true;
        break;
      case 'close':
        if (hasClosed || call.isBroken) break;
        hasClosed = mustEnd = true;
        call.push(null);
        break;
      case 'break':
        if (hasClosed || call.isBroken) break;
        mustEnd = true;
        call.breakOff(each.looksClosed);
        if (each.toldLater) await turn();
        call.emit('cancelled');
        break;
    }
    await turn();
    look();
  }
  for (let ms = 0; ms < 3 * LEASE_MS; ms += 50) {
    if (reads) call.arrive();
    jest.advanceTimersByTime(50);
    await turn();
    look();
  }
  if (mustEnd) expect(lock.releasedAtMs).not.toBeNull();
}

test('no lock is given back too early, and each is in the end, whatever happens on the stream', async () => {
  await holdsAsync(fc.asyncProperty(fc.boolean(), fc.boolean(), fc.array(moment, { maxLength: 25 }), play), 300);
});

test('a client that closes and never reads the answer: the lock is given back when what it was told has run out, recalled or not', async () => {
  for (const isRecalled of [false, true]) {
    const { call, lock } = await start(false);
    call.push(null);
    await turn();
    if (isRecalled) lock.lose('stolen');
    jest.advanceTimersByTime(1.1 * LEASE_MS);
    expect(lock.releasedAtMs).not.toBeNull();
  }
});

test('a client that pings and falls silent: stolen, the lock is kept no longer than a lease after it was heard', async () => {
  const { call, lock } = await start(true);
  const heardAtMs = performance.now();
  for (const afterMs of [300, 300, 250]) {
    jest.advanceTimersByTime(afterMs);
    lock.renew();
    call.arrive();
    await turn();
  }
  lock.lose('stolen');
  jest.advanceTimersByTime(LEASE_MS);
  expect(lock.releasedAtMs).toBeLessThan(heardAtMs + 1.05 * LEASE_MS);
});

test('lost while it is asked how long it is valid: nothing of that is told after Ended', async () => {
  const { call, lock } = await start(true);
  const told: string[] = [];
  jest.spyOn(call, 'write').mockImplementation((event: HoldEvent) => {
    told.push(...Object.keys(event));
    return true;
  });
  jest.spyOn(lock, 'validForMs').mockImplementation(() => {
    lock.lose('lost');
    return 0;
  });
  call.push({ ping: { sentAtMs: performance.now() } });
  await turn();
  expect(told).toEqual(['ended']);
});
