import pino from 'pino';
import { Candidacy, ceilingBlockOf, createNode, slackOf } from '../../src/core';
import type { LendingTerms, Message, NodeId } from '../../src/core';
import { LockError } from '../../src/errors';
import { NodeLockManager } from '../../src/locks/lock-manager';
import type { DataDirectory } from '../../src/runtime/data-directory';
import { Runtime } from '../../src/runtime/runtime';
import type { Caller } from '../../src/runtime/runtime';
import { Majority } from '../../src/quorum/majority';
import { VirtualTime, settle } from '../../src/testing/virtual-time';
import type { Transport, TransportHandlers } from '../../src/transport/transport';

const LEASE_MS = 3_000;

/** A wire that ends in the test. */
class TestTransport implements Transport {
  handlers: TransportHandlers | null = null;
  readonly sent: { readonly to: NodeId; readonly message: Message }[] = [];
  isStopped = false;

  start(handlers: TransportHandlers): void {
    this.handlers = handlers;
  }

  send(to: NodeId, message: Message): void {
    this.sent.push({ to, message });
  }

  stop(): Promise<void> {
    this.isStopped = true;
    return Promise.resolve();
  }

  /** The kinds of what was sent since the last call. */
  kinds(): string[] {
    return this.sent.splice(0).map(({ message }) => message.kind);
  }

  receive(from: NodeId, message: Message): void {
    this.handlers?.message(from, message);
  }
}

class TestDirectory implements DataDirectory {
  readonly ceiling = 0;
  readonly existed = false;
  readonly terms = null;
  readonly remembered: LendingTerms[] = [];
  readonly written: number[] = [];
  private readonly taking = new AbortController();
  readonly taken = this.taking.signal;
  /** Why it cannot be written at present. */
  fault: string | null = null;
  isClosed = false;

  reserve(ceiling: number): Promise<void> {
    if (this.fault !== null) return Promise.reject(new LockError('storage', this.fault));
    this.written.push(ceiling);
    return Promise.resolve();
  }

  remember(terms: LendingTerms): Promise<void> {
    if (this.fault !== null) return Promise.reject(new LockError('storage', this.fault));
    this.remembered.push(terms);
    return Promise.resolve();
  }

  takenBy(reason: string): void {
    this.taking.abort(new LockError('storage', reason));
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** Time of the test; sleep, and a busy event loop, when it says so. */
class TestTime extends VirtualTime {
  sleptMs = 0;
  /** So long the event loop was busy: time passed and no timer could fire. */
  busyMs = 0;
  isReversed = false;

  override nowMs(): number {
    return this.isReversed ? -1 : super.nowMs() + this.busyMs;
  }

  override takeSleptMs(): number {
    const { sleptMs } = this;
    this.sleptMs = 0;
    return sleptMs;
  }
}

class TestCaller implements Caller {
  readonly title = 'the test';
  readonly told: string[] = [];
  lostReason: LockError | null = null;
  onEntered: () => void = () => undefined;

  constructor(readonly isRemote = false) {}

  entered(): void {
    this.told.push('entered');
    this.onEntered();
  }

  readonly keeps = false;
  readonly client = null;

  wanted(): void {
    this.told.push('wanted');
  }

  renewed(validUntilMs: number): void {
    this.told.push(`renewed until ${validUntilMs}`);
  }

  lost(reason: LockError): void {
    this.told.push(`lost: ${reason.code}`);
    this.lostReason = reason;
  }

  recalled(reason: LockError): void {
    this.told.push(`recalled: ${reason.code}`);
  }
}

/** Node n1 of three, driven by hand; n2 answers when the test says so. */
function makeNode({ level = 'silent', retain = false, firstStart = true } = {}) {
  const transport = new TestTransport();
  const dataDirectory = new TestDirectory();
  const time = new TestTime();
  const lines: { level: number; msg: string; [field: string]: unknown }[] = [];
  const log = pino({ level, base: null }, { write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]) });
  const core = createNode(
    {
      self: 'n1', coterie: new Majority(['n1', 'n2', 'n3']), leaseMs: LEASE_MS, retryMs: 1_000, driftMax: 0.01,
      slack: slackOf(LEASE_MS), ceilingBlock: ceilingBlockOf(LEASE_MS), retain,
    },
    { ceilingOnDisk: firstStart ? 0 : 1_000, wallClockUs: time.wallClockUs(), firstStart },
  );
  const runtime = new Runtime({ id: 'n1', core, transport, dataDirectory, time, log });
  const peerUp = (peer: NodeId, clock = runtime.clock()): void => transport.handlers?.peerUp(peer, { clock, silentForMs: 0, knowsClock: true });
  /** The peer lends its vote to every Request that it was sent. */
  const grant = (): void => {
    for (const { to, message } of transport.sent.splice(0)) {
      if (message.kind !== 'request') continue;
      const { lock, timestamp, sentAtMs } = message;
      transport.receive(to, { kind: 'grant', lock, clock: message.clock + 1, timestamp, grant: message.clock + 1, sentAtMs, contended: false });
    }
  };
  return { runtime, transport, dataDirectory, time, lines, peerUp, grant };
}

function locksOf(runtime: Runtime): NodeLockManager {
  return new NodeLockManager({
    id: 'n1', runtime, hasQuorum: () => true, queryPeers: () => Promise.resolve(new Map()), watchPeers: () => () => undefined,
    holdersAtPeers: () => Promise.resolve(new Map()), leaseMs: LEASE_MS,
    pause: () => Promise.resolve(),
  });
}

async function startedNode(level = 'silent', retain = false) {
  const node = makeNode({ level, retain });
  await node.runtime.start();
  node.peerUp('n2');
  node.peerUp('n3');
  return node;
}

/** A node that holds the lock `stock` for the caller. */
async function holdingNode({ retain = false } = {}) {
  const node = await startedNode('silent', retain);
  const caller = new TestCaller();
  const id = node.runtime.acquire('stock', 'exclusive', caller);
  node.grant();
  expect(caller.told).toEqual(['entered']);
  return { ...node, caller, id };
}

describe('runtime: performs what the core says', () => {
  test('reserves a ceiling before it connects to anybody', async () => {
    const { runtime, transport, dataDirectory } = makeNode();
    const starting = runtime.start();
    expect(transport.handlers).toBeNull();
    await starting;
    expect(dataDirectory.written).toHaveLength(1);
    expect(transport.handlers).not.toBeNull();
    expect(runtime.clock()).toBeLessThanOrEqual(dataDirectory.written[0] ?? 0);
  });

  test('a caller that asks while the first ceiling is being written is served, and its repeats come in time', async () => {
    const { runtime, transport, dataDirectory, time, peerUp, grant } = makeNode({ firstStart: false });
    let written = (): void => undefined;
    dataDirectory.reserve = () => new Promise((resolve) => (written = resolve));
    const starting = runtime.start();
    const caller = new TestCaller();
    runtime.acquire('stock', 'exclusive', caller);
    expect(transport.sent).toEqual([]);
    written();
    await starting;
    peerUp('n2');
    peerUp('n3');
    transport.sent.splice(0); // All of it is lost.
    await time.advance(1_000);
    grant();
    expect(caller.told).toEqual(['entered']);
  });

  test('one that is stopped while the first ceiling is being written does not connect', async () => {
    const { runtime, transport, dataDirectory } = makeNode();
    let written = (): void => undefined;
    dataDirectory.reserve = () => new Promise((resolve) => (written = resolve));
    const starting = runtime.start();
    await runtime.stop(new LockError('closed', 'the test stops it'));
    written();
    await expect(starting).rejects.toThrow('the test stops it');
    expect(transport.handlers).toBeNull();
  });

  test('does not start when the ceiling cannot be written', async () => {
    const { runtime, transport, dataDirectory } = makeNode();
    dataDirectory.fault = 'disk full';
    await expect(runtime.start()).rejects.toMatchObject({ code: 'storage' });
    expect(transport.handlers).toBeNull();
  });

  test('refuses a lock name that no message can carry, and goes on', async () => {
    const { runtime, transport } = await startedNode();
    expect(() => runtime.acquire('x'.repeat(4097), 'exclusive', new TestCaller())).toThrow(/4097 bytes/);
    runtime.acquire('x'.repeat(4096), 'exclusive', new TestCaller());
    expect(transport.kinds()).toEqual(['request']);
  });

  test('asks for the vote of a peer, enters, renews, releases', async () => {
    const { runtime, transport, time, grant, caller, id } = await holdingNode();
    await time.advance(1_000);
    // It asked without `keep`, so nobody would tell it of others: it asks the third node too (rule holder-spreads).
    expect(transport.sent.map(({ to, message }) => `${message.kind} to ${to}`).sort()).toEqual(['request to n2', 'request to n3']);
    grant();
    expect(caller.told).toEqual(['entered', expect.stringMatching(/^renewed until 39\d\d$/) as string]);
    runtime.release(id);
    expect(transport.kinds()).toEqual(['release', 'release']);
    expect(runtime.locks()).toEqual([]);
    expect(runtime.entries).toBe(1);
  });

  test('what a caller does when it is told comes after what is going on, not in the middle of it', async () => {
    const { runtime, grant, transport } = await startedNode();
    const first = new TestCaller();
    const second = new TestCaller();
    const id = runtime.acquire('stock', 'exclusive', first);
    let sentMeanwhile = -1;
    first.onEntered = () => {
      runtime.release(id);
      runtime.acquire('stock', 'exclusive', second);
      sentMeanwhile = transport.sent.length;
    };
    grant();
    expect(sentMeanwhile).toBe(0);
    expect(transport.kinds()).toEqual(['release', 'request']);
  });

  test('nothing more is heard of a caller that released', async () => {
    const { runtime, transport, time, caller, id } = await holdingNode();
    runtime.release(id);
    runtime.release(id);
    await time.advance(2 * LEASE_MS);
    await runtime.stop(new LockError('closed', 'stopping'));
    expect(caller.told).toEqual(['entered']);
    expect(transport.kinds()).toEqual(['release']);
  });

  test('counts messages by kind, and those dropped by their reason', async () => {
    const { runtime, transport, caller } = await holdingNode();
    transport.receive('n3', { kind: 'yield', lock: 'other', clock: runtime.clock() + 1, timestamp: 1, grant: 1 });
    expect(runtime.counts).toMatchObject({
      sent: { request: 1, release: 0 },
      received: { grant: 1, yield: 1 },
      ignored: { 'no such grant': 1 },
    });
    expect(caller.told).toEqual(['entered']);
  });

  test('at log level debug every message is shown, with its Lamport time', async () => {
    const { runtime, grant, lines, transport } = await startedNode('debug');
    runtime.acquire('stock', 'exclusive', new TestCaller());
    const request = transport.sent[0]?.message;
    grant();
    const shown = lines.filter((line) => 'lamport' in line);
    expect(shown.map(({ msg }) => msg)).toEqual(['Request → n2', 'Grant ← n2']);
    expect(shown[0]).toMatchObject({ lock: 'stock', lamport: request?.clock });
  });
});

describe('runtime: a lock that is lost', () => {
  test('its caller is told when the lease ends without a renewal, by this node’s own clock', async () => {
    const { time, caller } = await holdingNode();
    await time.advance(LEASE_MS - 40);
    expect(caller.told).toEqual(['entered']);
    await time.advance(40);
    expect(caller.told).toEqual(['entered', 'lost: lost']);
    expect(caller.lostReason).toMatchObject({ definite: false, message: expect.stringContaining('"stock"') as string });
  });

  test('the message names the peers that are down', async () => {
    const { transport, time, caller } = await holdingNode();
    transport.handlers?.peerDown('n2', 'silent for 1.75 s');
    transport.handlers?.peerDown('n3', 'silent for 1.75 s');
    await time.advance(LEASE_MS);
    expect(caller.lostReason?.message).toMatch(/unreachable: n2, n3/);
  });

  test('a machine that slept past the lease tells its caller before anything else', async () => {
    const { runtime, time, caller } = await holdingNode();
    time.sleptMs = LEASE_MS;
    runtime.acquire('another', 'exclusive', new TestCaller());
    expect(caller.told).toEqual(['entered', 'lost: lost']);
  });

  test('a machine that slept past the lease tells its caller soon, even if nothing else happens', async () => {
    const { time, caller } = await holdingNode();
    time.sleptMs = LEASE_MS;
    await time.advance(250);
    expect(caller.told).toEqual(['entered', 'lost: lost']);
  });

  test('whoever asks for how long a lock is valid is told the truth, though no timer could fire', async () => {
    for (const pass of [(time: TestTime) => (time.busyMs = LEASE_MS), (time: TestTime) => (time.sleptMs = LEASE_MS)]) {
      const { runtime, time, caller } = await holdingNode();
      runtime.catchUp();
      expect(caller.told).toEqual(['entered']);
      pass(time);
      runtime.catchUp();
      expect(caller.told).toEqual(['entered', 'lost: lost']);
    }
  });

  test('nothing starts under a lock that ran out between its grant and its callback', async () => {
    const { runtime, time, grant } = await startedNode();
    const locks = locksOf(runtime);
    const callback = jest.fn();
    const asked = locks.request('stock', callback);
    grant();
    time.busyMs = LEASE_MS; // a callback of another lock computes, or the process is frozen
    await expect(asked).rejects.toMatchObject({ code: 'lost' });
    expect(callback).not.toHaveBeenCalled();
  });

  test('a callback that kept the process busy, or asleep, past the lease: its request rejects, though no timer could fire', async () => {
    for (const pass of [(time: TestTime) => (time.busyMs = LEASE_MS), (time: TestTime) => (time.sleptMs = LEASE_MS)]) {
      for (const result of ['done', Promise.resolve('done')]) {
        const { runtime, time, grant } = await startedNode();
        const asked = locksOf(runtime).request('stock', () => {
          pass(time);
          return result;
        });
        grant();
        await expect(asked).rejects.toMatchObject({ code: 'lost', definite: false });
      }
    }
  });

  test('what a holder asks of its lock is true, though no timer could fire', async () => {
    const { runtime, time, grant } = await startedNode();
    const locks = locksOf(runtime);
    const acquired = [locks.acquire('stock'), locks.acquire('tools')];
    grant();
    const [stock, tools] = await Promise.all(acquired);
    expect([stock?.validForMs(), tools?.signal.aborted]).toEqual([expect.any(Number), false]);
    time.sleptMs = LEASE_MS;
    expect(stock?.validForMs()).toBe(0);
    expect(tools?.signal.reason).toMatchObject({ code: 'lost' });
  });

  test('what had to wait its turn comes with the time of its turn', async () => {
    const { runtime, time, transport, id } = await holdingNode({ retain: true });
    runtime.release(id);
    const busy = new TestCaller();
    const late = new TestCaller();
    busy.onEntered = () => {
      runtime.acquire('stock', 'exclusive', late);
      time.busyMs += LEASE_MS; // as a listener that computes for too long
    };
    transport.kinds();
    runtime.acquire('another', 'exclusive', busy);
    const [request] = transport.sent.splice(0);
    if (request?.message.kind !== 'request') throw new Error('nobody was asked');
    const { lock, timestamp, sentAtMs, clock } = request.message;
    transport.receive(request.to, { kind: 'grant', lock, clock: clock + 1, timestamp, grant: clock + 1, sentAtMs, contended: false });
    // The retained grants of `stock` ran out while `busy` was told.
    expect([busy.told, late.told]).toEqual([['entered'], []]);
    expect(transport.sent.filter(({ message }) => message.kind === 'request').map(({ message }) => message.lock)).toEqual(['stock']);
  });

  test('a timer that fires early is set again', async () => {
    const { time, caller } = await holdingNode();
    const schedule = time.schedule.bind(time);
    jest.spyOn(time, 'schedule').mockImplementation((callback, delayMs) => schedule(callback, delayMs * 0.9));
    await time.advance(LEASE_MS);
    expect(caller.told).toEqual(['entered', 'lost: lost']);
  });
});

describe('runtime: a ceiling that cannot be written silences the node (protocol.md section 3)', () => {
  /** A node whose clock was carried near its ceiling by a peer, with a disk that is full. */
  async function atTheCeiling() {
    const node = await startedNode('error');
    node.dataDirectory.fault = 'ENOSPC: no space left on device';
    node.peerUp('n3', (node.dataDirectory.written.at(-1) ?? 0) + 5);
    node.transport.kinds();
    return node;
  }

  test('nothing is sent above it, and the log says why', async () => {
    const { runtime, transport, lines } = await atTheCeiling();
    runtime.acquire('stock', 'exclusive', new TestCaller());
    await settle();
    expect(transport.kinds()).toEqual([]);
    expect(lines.map(({ msg }) => msg)).toEqual([expect.stringMatching(/lends no votes until it can write again\. Mend the disk, or stop the node: ENOSPC/) as string]);
  });

  test('who asks what it can do is told, while clock values are left and after that', async () => {
    const node = await startedNode();
    expect(node.runtime.lending()).toEqual({ why: new Map(), mayAsk: true });
    node.dataDirectory.fault = 'ENOSPC: no space left on device';
    node.peerUp('n3', (node.dataDirectory.written.at(-1) ?? 0) - 5);
    await settle();
    expect(node.runtime.storageFault).toMatch(/ENOSPC/);
    expect(node.runtime.lending()).toEqual({ why: new Map(), mayAsk: true });
    node.peerUp('n3', (node.dataDirectory.written.at(-1) ?? 0) + 5);
    expect(node.runtime.lending()).toEqual({ why: new Map([['n1', { kind: 'cannot write', reason: node.runtime.storageFault }]]), mayAsk: false });
    node.dataDirectory.fault = null;
    await node.time.advance(1_000);
    expect(node.runtime.storageFault).toBeNull();
    expect(node.runtime.lending()).toEqual({ why: new Map(), mayAsk: true });
  });

  test('it is written again each second; then what was held back is sent', async () => {
    const { runtime, transport, dataDirectory, time, grant } = await atTheCeiling();
    const caller = new TestCaller();
    runtime.acquire('stock', 'exclusive', caller);
    await time.advance(5_500);
    expect(transport.kinds()).toEqual([]);
    dataDirectory.fault = null;
    await time.advance(500);
    expect(dataDirectory.written).toHaveLength(2);
    expect(transport.sent.length).toBeGreaterThan(0);
    grant();
    await time.advance(1_000);
    grant();
    expect(caller.told[0]).toBe('entered');
  });

  test('a handshake tells no clock above it', async () => {
    const { runtime, dataDirectory } = await atTheCeiling();
    expect(runtime.clock()).toBe(dataDirectory.written.at(-1));
  });

  test('a stopped node does not go on trying', async () => {
    const { runtime, dataDirectory, time } = await atTheCeiling();
    await settle();
    await runtime.stop(new LockError('closed', 'stopping'));
    dataDirectory.fault = null;
    await time.advance(10_000);
    expect(dataDirectory.written).toHaveLength(1);
  });
});

describe('runtime: a disk that cannot be written', () => {
  test('is told once, and when it can be written again', async () => {
    const { runtime, dataDirectory, time, lines, peerUp } = await startedNode('info');
    dataDirectory.fault = 'ENOSPC: no space left on device';
    lines.length = 0;
    for (let raise = 1; raise <= 3; raise++) {
      peerUp('n2', runtime.clock() + raise * ceilingBlockOf(LEASE_MS));
      await time.advance(2_000);
    }
    expect(lines.map(({ msg }) => msg)).toEqual([expect.stringMatching(/ENOSPC/)]);
    dataDirectory.fault = null;
    await time.advance(1_000);
    expect(lines.map(({ msg }) => msg).slice(1)).toEqual(['the data directory can be written again']);
    // The highest that was asked for, and once.
    expect(dataDirectory.written).toHaveLength(2);
    expect(dataDirectory.written[1]).toBeGreaterThan(runtime.clock());
  });
});

describe('runtime: a broken invariant stops the node, for no lock is better than a wrong one', () => {
  test('callers are told at once, and it is not known what became of their locks', async () => {
    const { runtime, transport, dataDirectory, caller } = await holdingNode();
    const waiting = new TestCaller();
    runtime.acquire('another', 'exclusive', waiting);
    transport.receive('mallory', { kind: 'release', lock: 'x', clock: 1, timestamp: 1 });
    await settle();
    for (const each of [caller, waiting]) {
      expect(each.lostReason).toMatchObject({ code: 'closed', definite: false, message: expect.stringContaining('self-delivery') as string });
    }
    expect(runtime.ended.signal.reason).toBe(caller.lostReason);
    expect([transport.isStopped, dataDirectory.isClosed]).toEqual([true, true]);
  });

  test('it says nothing more to anybody, and takes no more callers', async () => {
    const { runtime, transport, time } = await holdingNode();
    time.isReversed = true;
    runtime.acquire('another', 'exclusive', new TestCaller());
    time.isReversed = false;
    expect(transport.kinds()).toEqual([]);
    expect(() => runtime.acquire('x', 'exclusive', new TestCaller())).toThrow(/stopped because of a bug.*time-forward/);
    transport.receive('n2', { kind: 'request', lock: 'x', clock: 2, timestamp: 1, mode: 'exclusive', claim: 'waits', keep: false, sentAtMs: 0, heldGrant: null });
    transport.handlers?.peerDown('n2', 'gone');
    transport.handlers?.peerUp('n2', { clock: 5, silentForMs: 0, knowsClock: true });
    await time.advance(2 * LEASE_MS);
    expect(transport.kinds()).toEqual([]);
  });

  test('a stop afterwards does nothing', async () => {
    const { runtime, transport } = await holdingNode();
    transport.receive('mallory', { kind: 'release', lock: 'x', clock: 1, timestamp: 1 });
    await runtime.stop(new LockError('closed', 'stopping'));
    expect(transport.kinds()).toEqual([]);
    expect(runtime.ended.signal.reason).toMatchObject({ definite: false });
  });
});

describe('runtime: two processes must not be one node', () => {
  test('it stops at once, says nothing more and tells its callers why: another process took the data directory', async () => {
    const node = await holdingNode();
    const { runtime, transport, dataDirectory, caller, time } = node;
    dataDirectory.takenBy('another process took it');
    await settle();
    expect(caller.lostReason).toMatchObject({ code: 'closed', definite: false, cause: { code: 'storage' } });
    expect(runtime.ended.signal.reason).toBe(caller.lostReason);
    expect([transport.isStopped, dataDirectory.isClosed]).toEqual([true, true]);
    await time.advance(2 * LEASE_MS);
    expect(transport.kinds()).toEqual([]);
    expect(() => runtime.acquire('x', 'exclusive', new TestCaller())).toThrow(/node n1 stopped: /);
  });

  test('one whose id a peer knows as another process tells its callers that they lost, and lets them in a lease after that peer accepted it', async () => {
    const { runtime, transport, caller, time } = await holdingNode();
    transport.handlers?.peerDown('n2', 'refused');
    transport.kinds();
    transport.handlers?.namesake('n2');
    transport.handlers?.namesake('n2');
    await settle();
    expect(caller.lostReason).toMatchObject({ code: 'lost', message: expect.stringMatching(/another process runs under its id/) as string });
    expect([[...runtime.namesakeAt], runtime.standsApart, transport.handlers?.silentForMs()]).toEqual([['n2'], true, 86_400_000]);
    const waiting = new TestCaller();
    runtime.acquire('y', 'exclusive', waiting);
    await time.advance(3 * LEASE_MS);
    expect(transport.kinds().filter((kind) => kind !== 'release')).toEqual([]);
    transport.handlers?.peerUp('n2', { clock: 5, silentForMs: 0, knowsClock: true });
    await time.advance(LEASE_MS - 1);
    expect(transport.kinds()).toEqual([]);
    expect(runtime.standsApart).toBe(true);
    await time.advance(1);
    expect(transport.kinds()).toContain('request');
    expect(runtime.standsApart).toBe(false);
  });

  test('and its peers hear then that it lends again, also when the timer fires early', async () => {
    const { transport, time } = await holdingNode();
    const greetAgain = jest.fn();
    Object.assign(transport, { greetAgain });
    transport.handlers?.namesake('n2');
    await settle();
    expect(greetAgain).toHaveBeenCalledTimes(1);
    const schedule = time.schedule.bind(time);
    jest.spyOn(time, 'schedule').mockImplementation((callback, delayMs) => schedule(callback, delayMs > 1 ? delayMs - 1 : delayMs));
    transport.handlers?.peerUp('n2', { clock: 5, silentForMs: 0, knowsClock: true });
    await time.advance(LEASE_MS);
    await settle();
    expect(greetAgain).toHaveBeenCalledTimes(2);
  });
});

describe('runtime: a stop', () => {
  const stopping = new LockError('closed', 'node n1 is stopping');

  test('gives back what is held and takes back what is asked for, then closes', async () => {
    const { runtime, transport, dataDirectory, caller } = await holdingNode();
    const waiting = new TestCaller();
    runtime.acquire('another', 'exclusive', waiting);
    transport.kinds();
    await runtime.stop(stopping);
    expect(transport.sent.map(({ message }) => [message.kind, message.lock]).sort()).toEqual([['release', 'another'], ['release', 'stock']]);
    expect([caller.told.at(-1), waiting.told.at(-1)]).toEqual(['lost: closed', 'lost: closed']);
    expect([transport.isStopped, dataDirectory.isClosed]).toEqual([true, true]);
    expect(runtime.ended.signal.reason).toBe(stopping);
  });

  test('says nothing of locks that somebody outside this process may still use', async () => {
    const { runtime, transport } = await holdingNode();
    await runtime.stop(stopping, ['stock']);
    expect(transport.kinds()).toEqual([]);
  });

  test('before it started: closes, and there is nothing to give back', async () => {
    const { runtime, transport, dataDirectory, lines } = makeNode({ level: 'info' });
    await runtime.stop(stopping);
    expect(lines).toEqual([]);
    expect([transport.isStopped, dataDirectory.isClosed]).toEqual([true, true]);
  });

  test('leaves no timer, and the second one does nothing', async () => {
    const { runtime, transport, time } = await holdingNode();
    await runtime.stop(stopping);
    transport.kinds();
    await runtime.stop(new LockError('closed', 'again'));
    await time.advance(10 * LEASE_MS);
    expect(transport.kinds()).toEqual([]);
    expect(runtime.ended.signal.reason).toBe(stopping);
  });
});

describe('runtime: begins to lend its vote when the candidacy says so', () => {
  const terms = { whileSilent: { leaseMs: 9_000, slack: 2, layout: 'old', act: null }, whenLending: { leaseMs: LEASE_MS, slack: 1, layout: 'new', act: 7 } };

  /** Node n1, which needs n2 or n3. */
  async function candidate() {
    const { transport, dataDirectory, time, lines } = makeNode();
    const coterie = new Majority(['n1', 'n2', 'n3']);
    const core = createNode(
      { self: 'n1', coterie, leaseMs: LEASE_MS, retryMs: 1_000, driftMax: 0.01, slack: slackOf(LEASE_MS), ceilingBlock: ceilingBlockOf(LEASE_MS), retain: false },
      { ceilingOnDisk: 0, wallClockUs: time.wallClockUs(), firstStart: true },
    );
    const candidacy = new Candidacy({ self: 'n1', coterie, leaseMs: LEASE_MS, startedAtMs: time.nowMs(), silentMs: LEASE_MS, firstStart: true });
    const log = pino({ level: 'info', base: null }, { write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]) });
    const runtime = new Runtime({ id: 'n1', core, transport, dataDirectory, time, log, candidacy, terms });
    await runtime.start();
    return { runtime, transport, dataDirectory, time, lines, candidacy };
  }

  function ask(transport: TestTransport): void {
    transport.receive('n2', { kind: 'request', lock: 'stock', clock: 7, timestamp: 7, mode: 'exclusive', claim: 'waits', keep: false, sentAtMs: 0, heldGrant: null });
  }

  test('what earlier lives lent under stays on disk until then, and no vote is lent before the new terms are there', async () => {
    const { transport, dataDirectory, candidacy } = await candidate();
    expect(dataDirectory.remembered).toEqual([terms.whileSilent]);
    transport.handlers?.peerUp('n2', { clock: 1, silentForMs: 0, knowsClock: true });
    ask(transport);
    expect(transport.handlers?.rivals?.standing()).toBe('wishes');
    expect(transport.sent).toEqual([]);
    transport.handlers?.rivals?.dialFailed('n3');
    await settle();
    expect(dataDirectory.remembered).toEqual([terms.whileSilent, terms.whenLending]);
    expect(candidacy.standing).toBe('serves');
    expect(transport.sent).toMatchObject([{ to: 'n2', message: { kind: 'grant' } }]);
  });

  test('a disk that cannot be written keeps it silent, which the log says, until it can', async () => {
    const { transport, dataDirectory, time, lines, candidacy } = await candidate();
    dataDirectory.fault = 'the disk is full';
    transport.handlers?.peerUp('n2', { clock: 1, silentForMs: 0, knowsClock: true });
    transport.handlers?.rivals?.dialFailed('n3');
    await settle();
    expect(candidacy.standing).toBe('wishes');
    expect(lines.map(({ msg }) => msg).join()).toMatch(/cannot write the data directory; this node lends no vote until it can: the disk is full/);
    dataDirectory.fault = null;
    await time.advance(1_000);
    expect(candidacy.standing).toBe('serves');
  });
});
