/**
 * One node on its own: feed it events, look at its effects. Leases, slack and clocks are so small that
 * every number in a test can be followed by hand. Timers fire exactly on time unless a test says otherwise.
 */
import { InvariantError, createNode, inspectLock, inspectNode, lockNames, marginMs, step } from '../../src/core';
import type {
  Birth, CallerId, Claim, CoreSettings, Effect, EffectKind, Event, Grant, Inquire, LamportTime, LocalInvariant, LockName, LockNode,
  LockView, Message, MessageKind, Mode, NodeId, Release, Request, RequestId, Yield, Token

} from '../../src/core';
import { buildCoterie } from '../../src/quorum';
import type { Coterie } from '../../src/quorum';

export const LEASE_MS = 3000;
export const RETRY_MS = 1000;
export const DRIFT_MAX = 0.01;
/** How long a requester counts a grant, from when it sent the Request. */
export const VALID_FOR_MS = LEASE_MS - marginMs(LEASE_MS, DRIFT_MAX);
export const SLACK = 100;
export const CEILING_BLOCK = 10_000;
/** What the wall clock says at birth, unless a test says otherwise. */
export const WALL_CLOCK_US = 100;
/** The first value of the clock of a node with nothing on disk. */
export const BORN_AT = WALL_CLOCK_US + 1;

/** n1 to n5, any three of them a quorum; n1 asks n1, n2 and n3 first. */
export const FIVE_NODES: Coterie = buildCoterie(['n1', 'n2', 'n3', 'n4', 'n5'], { family: 'majority' });

/** n1 asks n2 and n3 first; any two of n2, n3 and n4 are a quorum. So n1 is a requester and nothing else. */
export const N1_ASKS: Coterie = buildCoterie(['n1', 'n2', 'n3', 'n4'], {
  family: 'explicit',
  sets: { n1: ['n2', 'n3'], n2: ['n2', 'n4'], n3: ['n2', 'n3'], n4: ['n3', 'n4'] },
});

/** A node that is its own only voter: everything happens within one step. */
export const ALONE: Coterie = buildCoterie(['n1'], { family: 'majority' });

type Sent<Kind extends MessageKind> = { readonly to: NodeId } & Extract<Message, { kind: Kind }>;
type EffectOf<Kind extends EffectKind> = Extract<Effect, { kind: Kind }>;
type WithoutTime<E> = E extends Event ? Omit<E, 'nowMs'> : never;

/** What a node did. */
export class Outcome {
  constructor(readonly effects: readonly Effect[]) {}

  /** The messages sent, in order, with whom they were sent to. */
  sent(): (Message & { readonly to: NodeId })[] {
    return this.of('send').map(({ to, message }) => ({ to, ...message }));
  }

  sentOf<Kind extends MessageKind>(kind: Kind): Sent<Kind>[] {
    return this.sent().filter((message): message is Sent<Kind> => message.kind === kind);
  }

  of<Kind extends EffectKind>(kind: Kind): EffectOf<Kind>[] {
    return this.effects.filter((effect): effect is EffectOf<Kind> => effect.kind === kind);
  }

  /** Why messages were dropped. */
  get reasons(): string[] {
    return this.of('ignored').map(({ reason }) => reason);
  }

  get callersIn(): CallerId[] {
    return this.of('entered').map(({ caller }) => caller);
  }

  get callersOut(): CallerId[] {
    return this.of('lost').map(({ caller }) => caller);
  }
}

export interface Options extends Partial<CoreSettings>, Partial<Birth> {
  /** Nothing is ever written to disk, so nothing may be sent. */
  readonly diskIsStuck?: boolean;
  /** No connection works yet. */
  readonly peersAreDown?: boolean;
}

export class TestNode {
  readonly core: LockNode;
  nowMs = 0;
  private readonly settings: CoreSettings;
  private readonly diskIsStuck: boolean;
  private wakeAtMs = Infinity;

  constructor(options: Options = {}) {
    this.settings = {
      self: 'n1', coterie: FIVE_NODES, leaseMs: LEASE_MS, retryMs: RETRY_MS, driftMax: DRIFT_MAX, slack: SLACK,
      ceilingBlock: CEILING_BLOCK, retain: true, ...options,
    };
    this.diskIsStuck = options.diskIsStuck ?? false;
    this.core = createNode(this.settings, { ceilingOnDisk: 0, wallClockUs: WALL_CLOCK_US, firstStart: true, ...options });
    this.event({ kind: 'start' });
    if (options.peersAreDown === true) return;
    for (const peer of this.peers) this.event({ kind: 'peerUp', peer, clock: 0 });
  }

  get peers(): NodeId[] {
    return this.settings.coterie.nodes.filter((node) => node !== this.settings.self);
  }

  get clock(): LamportTime {
    return inspectNode(this.core).clock;
  }

  /** Hand in an event now. A ceiling that is asked for is on disk at once. */
  event(event: WithoutTime<Event>): Outcome {
    const effects = [...step(this.core, { ...event, nowMs: this.nowMs })];
    for (const effect of [...effects]) {
      if (effect.kind === 'wake') this.wakeAtMs = effect.atMs;
      if (effect.kind !== 'reserveCeiling' || this.diskIsStuck) continue;
      effects.push(...this.event({ kind: 'ceilingReserved', ceiling: effect.ceiling }).effects);
    }
    return new Outcome(effects);
  }

  acquire(caller: CallerId, mode: Mode = 'exclusive', lock: LockName = 'a'): Outcome {
    return this.event({ kind: 'acquire', lock, mode, caller });
  }

  /** On behalf of another process. */
  acquireRemotely(caller: CallerId, mode: Mode = 'exclusive'): Outcome {
    return this.event({ kind: 'acquire', lock: 'a', mode, caller, remote: true });
  }

  /** The same, of one that keeps the lock when it is done with it. */
  acquireToKeep(caller: CallerId): Outcome {
    return this.event({ kind: 'acquire', lock: 'a', mode: 'exclusive', caller, remote: true, keeps: true });
  }

  steal(caller: CallerId): Outcome {
    return this.event({ kind: 'acquire', lock: 'a', mode: 'exclusive', caller, steals: true });
  }

  release(caller: CallerId, lock: LockName = 'a', used?: Token): Outcome {
    return this.event({ kind: 'release', lock, caller, ...(used === undefined ? {} : { used }) });
  }

  receives(from: NodeId, message: Message): Outcome {
    return this.event({ kind: 'message', from, message });
  }

  /** Time passes; whenever the node wished to be woken, it is. */
  advance(ms: number): Outcome {
    const untilMs = this.nowMs + ms;
    const effects: Effect[] = [];
    while (this.wakeAtMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.wakeAtMs);
      this.wakeAtMs = Infinity;
      effects.push(...this.event({ kind: 'wake' }).effects);
    }
    this.nowMs = untilMs;
    return new Outcome(effects);
  }

  /** Time passes and no timer fires: the machine is busy. */
  pass(ms: number): void {
    this.nowMs += ms;
  }

  /** What the node knows of lock `a`. */
  view(lock: LockName = 'a'): LockView | null {
    return inspectLock(this.core, lock);
  }

  get lockNames(): LockName[] {
    return lockNames(this.core);
  }
}

// --- messages: for lock `a`, with a clock as low as can be unless a test says otherwise ------------

export function request(timestamp: LamportTime, more: Partial<Request> = {}): Request {
  return { kind: 'request', lock: 'a', clock: timestamp, timestamp, mode: 'exclusive', claim: 'waits', keep: false, sentAtMs: 0, heldGrant: null, ...more };
}

export function grant(timestamp: LamportTime, number: LamportTime, more: Partial<Grant> = {}): Grant {
  return { kind: 'grant', lock: 'a', clock: number, timestamp, grant: number, sentAtMs: 0, contended: false, ...more };
}

export function release(timestamp: LamportTime, more: Partial<Release> = {}): Release {
  return { kind: 'release', lock: 'a', clock: timestamp, timestamp, ...more };
}

type ContenderIn = RequestId & { readonly claim?: Claim };

/** Its contender waits unless a test says otherwise. */
export function inquire(timestamp: LamportTime, number: LamportTime, { claim = 'waits', ...request }: ContenderIn, more: Partial<Inquire> = {}): Inquire {
  return { kind: 'inquire', lock: 'a', clock: number, timestamp, grant: number, contender: { request, claim }, sentAtMs: 0, ...more };
}

export function yieldOf(timestamp: LamportTime, number: LamportTime, more: Partial<Yield> = {}): Yield {
  return { kind: 'yield', lock: 'a', clock: number, timestamp, grant: number, ...more };
}

// --- the very items a test goes on with ---------------------------------------------------------------

/** The only item; fails when there are none or several. */
export function only<Item>(items: readonly Item[]): Item {
  const [item] = items;
  if (item === undefined || items.length !== 1) throw new Error(`${items.length} items where one was expected`);
  return item;
}

/** Assert that something is a bug, named after the invariant that it breaks. */
export function expectBroken(invariant: LocalInvariant, misuse: () => unknown): void {
  let thrown: unknown;
  try {
    misuse();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(InvariantError);
  expect(thrown).toMatchObject({ invariant, message: expect.stringContaining(`invariant ${invariant} is broken`) as string });
}

/** Whoever waits at n1 gets a Grant in this outcome: its number. */
export function grantNumber(outcome: Outcome): LamportTime {
  return only(outcome.sentOf('grant')).grant;
}

// --- n1 as a requester of lock `a` (coterie N1_ASKS) ---------------------------------------------------

interface Asking extends Options {
  readonly mode?: Mode;
  readonly remote?: true;
}

/** n1 has asked n2 and n3, at time 0, for its caller 1. */
export function asking(options: Asking = {}): { readonly n1: TestNode; readonly timestamp: LamportTime } {
  const n1 = new TestNode({ coterie: N1_ASKS, ...options });
  const [first] = (options.remote === true ? n1.acquireRemotely(1, options.mode) : n1.acquire(1, options.mode)).sentOf('request');
  if (first === undefined) throw new Error('n1 asked nobody');
  return { n1, timestamp: first.timestamp };
}

/** n1 has the Grants #500 of n2 and #510 of n3, so its caller 1 is inside with token 511. */
export function holding(options: Asking = {}): { readonly n1: TestNode; readonly timestamp: LamportTime } {
  const { n1, timestamp } = asking(options);
  n1.receives('n2', grant(timestamp, 500));
  n1.receives('n3', grant(timestamp, 510));
  return { n1, timestamp };
}

/** n1 held the lock and keeps the grants: nobody else wanted it. */
export function retaining(options: Asking = {}): { readonly n1: TestNode; readonly timestamp: LamportTime } {
  const { n1, timestamp } = holding(options);
  n1.release(1);
  return { n1, timestamp };
}
