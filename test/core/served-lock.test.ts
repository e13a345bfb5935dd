/**
 * The client's law (protocol.md section 15): a client never believes longer than its node keeps. A client and its node, each
 * with a clock of its own, and a stream between them that is late, breaks, and looks closed when it broke.
 */
import fc from 'fast-check';
import { HeldLock, ServedLock, believedUntilMs, marginMs } from '../../src/core';
import type { ServedLockEffect, ServedLockEvent, Validity } from '../../src/core';
import { holds } from '../support/holds';

const LEASE_MS = 1_000;
const DRIFT_MAX = 0.01;

type ToClient = { readonly kind: 'held' | 'valid'; readonly validity: Validity } | { readonly kind: 'ended' } | { readonly kind: 'released' };
type ToNode = { readonly kind: 'ping'; readonly sentAtMs: number };

const moment = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 400 }) }) },
  { weight: 5, arbitrary: fc.constantFrom({ kind: 'client hears' as const }, { kind: 'node hears' as const }) },
  { weight: 3, arbitrary: fc.constantFrom({ kind: 'ping' as const }, { kind: 'renew' as const }) },
  fc.constantFrom(
    { kind: 'take' as const }, { kind: 'stop' as const }, { kind: 'close' as const }, { kind: 'break' as const },
    { kind: 'looks closed, then breaks' as const }, { kind: 'unread' as const }, { kind: 'freeze' as const }, { kind: 'thaw' as const },
  ),
);
type Moment = typeof moment extends fc.Arbitrary<infer M> ? M : never;

interface Rates {
  readonly client: number;
  readonly node: number;
}

/** Plays it, and returns when (in true time) the lock was given back and until when the client believed. */
class Play {
  nowMs = 0;
  private readonly served: ServedLock<string>;
  private belief: HeldLock | null = null;
  private readonly toClient: ToClient[] = [];
  private readonly toNode: ToNode[] = [];
  private wakeAtMs = Infinity; // by the node's clock
  private nodeValidUntilMs: number;
  private isBroken = false;
  private hasClosed = false;
  private isFrozen = false; // the client hears and sends nothing, and its clock runs on
  /** In true time; null while it is kept. */
  givenBackAtMs: number | null = null;
  /** By the node's clock: when the client was told of the lock. */
  private toldAtMs: number | null = null;
  private wasTaken = false;

  constructor(
    private readonly rates: Rates,
    settings = { leaseMs: LEASE_MS, marginMs: marginMs(LEASE_MS, DRIFT_MAX) },
    private readonly atLeastMs = 0,
  ) {
    this.served = new ServedLock(settings);
    this.nodeValidUntilMs = this.nodeMs() + LEASE_MS;
    this.step({ kind: 'asked', nowMs: this.nodeMs(), sentAtMs: this.clientMs(), pings: true });
    this.step({ kind: 'granted', nowMs: this.nodeMs(), atLeastMs });
    this.tellValid();
  }

  clientMs(): number {
    return 5_000_000 + this.nowMs * this.rates.client;
  }

  nodeMs(): number {
    return 100_000 + this.nowMs * this.rates.node;
  }

  /** Whether the client, by its own clock, still counts on the lock. */
  get believes(): boolean {
    return !this.hasClosed && this.belief !== null && this.belief.validForMs(this.clientMs()) > 0;
  }

  play(each: Moment): void {
    switch (each.kind) {
      case 'pass':
        return this.pass(each.ms);
      case 'client hears':
        return this.clientHears();
      case 'node hears': {
        const ping = this.toNode.shift();
        if (ping === undefined || this.isBroken) return;
        this.step({ kind: 'heard', nowMs: this.nodeMs(), sentAtMs: ping.sentAtMs });
        return this.tellValid();
      }
      case 'ping':
        if (!this.isFrozen && !this.hasClosed) this.toNode.push({ kind: 'ping', sentAtMs: this.clientMs() });
        return;
      case 'renew':
        this.nodeValidUntilMs = this.nodeMs() + LEASE_MS;
        return this.tellValid();
      case 'take':
        return this.step({ kind: 'taken', nowMs: this.nodeMs(), reason: 'taken' });
      case 'stop':
        return this.step({ kind: 'stops', nowMs: this.nodeMs(), reason: 'stops' });
      case 'close':
        if (this.isBroken || this.isFrozen || this.hasClosed) return;
        this.hasClosed = true;
        return this.step({ kind: 'closed', nowMs: this.nodeMs() });
      case 'break':
        this.isBroken = true;
        return this.step({ kind: 'broke', nowMs: this.nodeMs() });
      case 'looks closed, then breaks':
        if (this.isBroken || this.hasClosed) return;
        this.isBroken = true;
        this.step({ kind: 'closed', nowMs: this.nodeMs() });
        return this.step({ kind: 'broke', nowMs: this.nodeMs() });
      case 'unread':
        return this.step({ kind: 'unread', nowMs: this.nodeMs() });
      case 'freeze':
        this.isFrozen = true;
        return;
      case 'thaw':
        this.isFrozen = false;
        return;
    }
  }

  pass(ms: number): void {
    for (let i = 0; i < ms; i++) {
      this.nowMs++;
      if (this.nodeMs() >= this.wakeAtMs) {
        this.wakeAtMs = Infinity;
        this.step({ kind: 'wake', nowMs: this.nodeMs() });
      }
      if (this.nodeMs() >= this.nodeValidUntilMs) this.step({ kind: 'taken', nowMs: this.nodeMs(), reason: 'lost' });
      this.check();
    }
  }

  /** The law. */
  private check(): void {
    if (this.givenBackAtMs !== null && this.believes) {
      throw new Error(`given back at ${this.givenBackAtMs}, and at ${this.nowMs} the client still counts on it`);
    }
  }

  private clientHears(): void {
    if (this.isFrozen) return;
    const message = this.toClient.shift();
    if (message === undefined || message.kind === 'released') return;
    if (message.kind === 'ended') {
      this.belief?.lose();
      return;
    }
    const untilMs = believedUntilMs(message.validity);
    if (message.kind === 'valid') this.belief?.told(message.validity);
    else if (untilMs > this.clientMs()) this.belief = new HeldLock(untilMs);
    this.check();
  }

  private tellValid(): void {
    const validForMs = Math.floor(this.nodeValidUntilMs - this.nodeMs());
    if (validForMs > 0) this.step({ kind: 'valid', nowMs: this.nodeMs(), validForMs });
  }

  private step(event: ServedLockEvent<string>): void {
    if (event.kind === 'taken') this.wasTaken = true;
    for (const effect of this.served.step(event)) this.perform(effect);
    this.check();
  }

  private perform(effect: ServedLockEffect<string>): void {
    switch (effect.kind) {
      case 'tellHeld':
      case 'tellValid':
        if (effect.kind === 'tellHeld') this.toldAtMs = this.nodeMs();
        this.toClient.push({ kind: effect.kind === 'tellHeld' ? 'held' : 'valid', validity: effect });
        return;
      case 'tellEnded':
        this.toClient.push({ kind: 'ended' });
        return;
      case 'tellReleased':
        // A stream that broke takes nothing more.
        if (!this.isBroken) this.step({ kind: 'releaseTold' });
        return;
      case 'giveBack':
        this.givenBackAtMs ??= this.nowMs;
        if (!this.wasTaken && this.toldAtMs !== null && this.nodeMs() < this.toldAtMs + this.atLeastMs) throw new Error(`given back at ${this.nowMs}, sooner than ${this.atLeastMs} ms after it was told`);
        return;
      case 'wake':
        this.wakeAtMs = effect.atMs;
        return;
      case 'keepOn':
      case 'giveUp':
      case 'endStream':
      case 'over':
        return;
    }
  }
}

const rate = fc.double({ min: 1 - DRIFT_MAX / 2.01, max: 1 + DRIFT_MAX / 2.01, noNaN: true });
const play = fc.record({
  rates: fc.record({ client: rate, node: rate }),
  moments: fc.array(moment, { maxLength: 40 }),
});

test('a client never believes longer than its node keeps, whatever happens between them', () => {
  holds(fc.property(play, ({ rates, moments }) => {
    const run = new Play(rates);
    for (const each of moments) run.play(each);
    run.pass(3 * LEASE_MS);
    // And nobody keeps it for ever: the client is silent by now.
    expect(run.givenBackAtMs).not.toBeNull();
  }), 400);
});

test('and one that is to be held on for some time at least is, whatever happens between them, unless it is taken', () => {
  holds(fc.property(play, fc.integer({ min: 1, max: 4 * LEASE_MS }), ({ rates, moments }, atLeastMs) => {
    const run = new Play(rates, undefined, atLeastMs);
    for (const each of moments) run.play(each);
    run.pass(3 * LEASE_MS + 2 * atLeastMs);
    expect(run.givenBackAtMs).not.toBeNull();
  }), 200);
});

test('without the margin for drift it would', () => {
  const slowClient = { client: 1 - DRIFT_MAX / 2.01, node: 1 + DRIFT_MAX / 2.01 };
  const lifeOf = (margin: number): void => {
    const run = new Play(slowClient, { leaseMs: LEASE_MS, marginMs: margin });
    run.play({ kind: 'client hears' });
    run.play({ kind: 'break' });
    run.pass(2 * LEASE_MS);
  };
  expect(() => lifeOf(0)).toThrow(/still counts on it/);
  expect(() => lifeOf(marginMs(LEASE_MS, DRIFT_MAX))).not.toThrow();
});

describe('one event after another', () => {
  const settings = { leaseMs: LEASE_MS, marginMs: 12 };
  const held = (pings = true): ServedLock<string> => {
    const lock = new ServedLock<string>(settings);
    lock.step({ kind: 'asked', nowMs: 0, sentAtMs: 70, pings });
    lock.step({ kind: 'granted', nowMs: 0 });
    return lock;
  };

  test('the first word about a lock is Held, later ones are Valid, and each echoes what was heard last', () => {
    const lock = held();
    expect(lock.step({ kind: 'valid', nowMs: 5, validForMs: 900 })).toEqual([{ kind: 'tellHeld', validForMs: 900, sentAtMs: 70 }]);
    lock.step({ kind: 'heard', nowMs: 100, sentAtMs: 170 });
    expect(lock.step({ kind: 'valid', nowMs: 100, validForMs: 950 })).toEqual([{ kind: 'tellValid', validForMs: 950, sentAtMs: 170 }]);
  });

  test('granted to one that waits no longer: it is given back', () => {
    const lock = new ServedLock<string>(settings);
    lock.step({ kind: 'asked', nowMs: 0, sentAtMs: 0, pings: true });
    expect(lock.step({ kind: 'closed', nowMs: 10 })).toEqual([{ kind: 'over' }, { kind: 'giveUp' }, { kind: 'tellReleased' }]);
    expect(lock.step({ kind: 'granted', nowMs: 0 })).toEqual([{ kind: 'giveBack' }]);
  });

  test('taken: the client has as long as it was told to give it back', () => {
    const lock = held();
    lock.step({ kind: 'valid', nowMs: 5, validForMs: 900 });
    expect(lock.step({ kind: 'taken', nowMs: 300, reason: 'stolen' })).toEqual([
      { kind: 'tellEnded', cause: { kind: 'reason', reason: 'stolen' } }, { kind: 'wake', atMs: 912 },
    ]);
    expect(lock.isInUse).toBe(true);
    expect(lock.step({ kind: 'wake', nowMs: 911 })).toEqual([{ kind: 'wake', atMs: 912 }]);
    expect(lock.step({ kind: 'wake', nowMs: 912 })).toEqual([{ kind: 'over' }, { kind: 'giveBack' }, { kind: 'endStream' }]);
    expect(lock.isInUse).toBe(false);
  });

  test('one that does not ping counts from when it heard, so it is kept from then on', () => {
    const lock = held(false);
    lock.step({ kind: 'valid', nowMs: 500, validForMs: 900 });
    expect(lock.step({ kind: 'broke', nowMs: 600 })).toEqual([{ kind: 'wake', atMs: 1_412 }]);
  });

  test('silent for a lease: gone, and told so should it still listen', () => {
    const lock = held();
    lock.step({ kind: 'valid', nowMs: 5, validForMs: 900 });
    expect(lock.step({ kind: 'wake', nowMs: 1_012 })).toEqual([
      { kind: 'over' }, { kind: 'giveBack' }, { kind: 'tellEnded', cause: { kind: 'silent' } }, { kind: 'endStream' },
    ]);
  });

  test('reads nothing: ended when what it was told has run out, not before', () => {
    const lock = held();
    lock.step({ kind: 'valid', nowMs: 5, validForMs: 900 });
    expect(lock.step({ kind: 'unread', nowMs: 912 })).toEqual([]);
    expect(lock.step({ kind: 'unread', nowMs: 913 }).map(({ kind }) => kind)).toEqual(['over', 'giveBack', 'tellEnded', 'endStream']);
  });

  test('over, nothing is told or given back again', () => {
    const lock = held();
    lock.step({ kind: 'closed', nowMs: 5 });
    expect(lock.step({ kind: 'releaseTold' })).toEqual([{ kind: 'over' }, { kind: 'giveBack' }]);
    for (const event of [
      { kind: 'closed', nowMs: 6 }, { kind: 'broke', nowMs: 6 }, { kind: 'refused', reason: 'x' }, { kind: 'stops', nowMs: 6, reason: 'x' },
      { kind: 'taken', nowMs: 6, reason: 'x' }, { kind: 'valid', nowMs: 6, validForMs: 5 }, { kind: 'wake', nowMs: 9_999 }, { kind: 'releaseTold' },
    ] as const) expect(lock.step(event)).toEqual([]);
  });

  describe('held on for some time at least', () => {
    const heldOn = (): ServedLock<string> => {
      const lock = new ServedLock<string>(settings);
      lock.step({ kind: 'asked', nowMs: 0, sentAtMs: 70, pings: true });
      lock.step({ kind: 'granted', nowMs: 0, atLeastMs: 5_000 });
      lock.step({ kind: 'valid', nowMs: 0, validForMs: 900 });
      return lock;
    };
    const keptOn = [{ kind: 'keepOn', untilMs: 5_000 }, { kind: 'wake', atMs: 5_000 }];

    test('given back before, it is kept for nobody until then', () => {
      const lock = heldOn();
      lock.step({ kind: 'closed', nowMs: 10 });
      expect(lock.step({ kind: 'releaseTold' })).toEqual(keptOn);
      expect([lock.kind, lock.isInUse]).toEqual(['done', true]);
      for (const event of [
        { kind: 'closed', nowMs: 20 }, { kind: 'broke', nowMs: 20 }, { kind: 'released' }, { kind: 'silent' }, { kind: 'returned' }, { kind: 'unread', nowMs: 20 },
        { kind: 'stops', nowMs: 20, reason: 'stops' }, { kind: 'valid', nowMs: 20, validForMs: 900 }, { kind: 'heard', nowMs: 20, sentAtMs: 90 },
      ] as const) expect(lock.step(event)).toEqual([]);
      expect(lock.step({ kind: 'wake', nowMs: 4_999 })).toEqual([{ kind: 'wake', atMs: 5_000 }]);
      expect(lock.step({ kind: 'wake', nowMs: 5_000 })).toEqual([{ kind: 'over' }, { kind: 'giveBack' }]);
    });

    test('so it is when its stream broke, its client is silent, or says so in a session', () => {
      const broken = heldOn();
      broken.step({ kind: 'broke', nowMs: 10 });
      expect(broken.step({ kind: 'wake', nowMs: 912 })).toEqual(keptOn);
      const silent = heldOn();
      expect(silent.step({ kind: 'wake', nowMs: 1_012 })).toEqual([...keptOn, { kind: 'tellEnded', cause: { kind: 'silent' } }, { kind: 'endStream' }]);
      expect(heldOn().step({ kind: 'released' })).toEqual(keptOn);
    });

    test('so it is when the node stops: then it ends with its lease', () => {
      const lock = heldOn();
      lock.step({ kind: 'stops', nowMs: 10, reason: 'stops' });
      lock.step({ kind: 'closed', nowMs: 20 });
      expect(lock.step({ kind: 'releaseTold' })).toEqual(keptOn);
    });

    test('one that is used for longer, or taken, or of which its client never heard, is given back as any other', () => {
      const long = heldOn();
      long.step({ kind: 'heard', nowMs: 5_900, sentAtMs: 6_000 });
      long.step({ kind: 'closed', nowMs: 6_000 });
      long.step({ kind: 'releaseTold' });
      expect(long.step({ kind: 'wake', nowMs: 6_000 })).toEqual([{ kind: 'over' }, { kind: 'giveBack' }]);
      const taken = heldOn();
      taken.step({ kind: 'taken', nowMs: 10, reason: 'stolen' });
      taken.step({ kind: 'closed', nowMs: 20 });
      expect(taken.step({ kind: 'releaseTold' })).toEqual([{ kind: 'over' }, { kind: 'giveBack' }]);
      const done = heldOn();
      done.step({ kind: 'released' });
      expect(done.step({ kind: 'taken', nowMs: 10, reason: 'stolen' })).toEqual([{ kind: 'over' }, { kind: 'giveBack' }]);
      const unheard = new ServedLock<string>(settings);
      unheard.step({ kind: 'asked', nowMs: 0, sentAtMs: 70, pings: true });
      unheard.step({ kind: 'granted', nowMs: 0, atLeastMs: 5_000 });
      expect(unheard.step({ kind: 'released' })).toEqual([{ kind: 'over' }, { kind: 'giveBack' }]);
    });
  });
});
