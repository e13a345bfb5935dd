/**
 * All locks of a process at one node, over one stream: carries between gRPC and `ClientSession` of the core, which decides.
 * Law: two frames at most in a turn of the event loop, however many locks are asked for; a stream that breaks is no end of a lock.
 * Source: protocol.md section 15.
 */
import { randomBytes } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import { Flusher } from '../client-protocol/flusher';
import type { AcquireMessage, ClientFrameMessage, EndedMessage, Malformed, NodeFrameMessage } from '../client-protocol/schema';
import { WakeTimer } from '../client-protocol/wake-timer';
import { lockBytes, wireMode } from '../client-protocol/wire-words';
import { ClientSession, assertNever } from '../core';
import type { AskId, ClientFrame, ClientSessionEffect, ClientSessionEvent, NodeFrame } from '../core';
import type { LockError } from '../errors';
import { boundLabel, processLabel } from '../locks/holder-title';
import type { ManagedLock } from '../locks/managed-lock';
import { lookNoMore, lookOn } from './looks';
import { RemoteLock, mayBePassedOn } from './remote-lock';
import type { LockSession, RemoteOptions } from './remote-lock';

/** A node says at once that it has heard. If it says nothing for so long, it counts as gone. */
const ANSWER_MS = 3_000;
/** A node that never answers counts as gone this long after `waitMs`. */
const ANSWER_LATE_MS = 1_500;
/** A session in which nothing is wanted or held is ended after so long: a process that is done ends. */
const IDLE_MS = 100;
/** So many locks are kept at most, those that were used last. The others are given back: a node has room for so many of one client. */
const KEPT_MAX = 1_000;
/** Half of what a node takes in one message. */
const FRAME_BYTES_MAX = 2 ** 16;
/** What an Acquire takes beside its texts. */
const ACQUIRE_BYTES = 32;

type Call = grpc.ClientDuplexStream<ClientFrameMessage | Malformed, NodeFrameMessage>;
type Event = ClientSessionEvent<AcquireMessage, EndedMessage, LockError>;
type Effect = ClientSessionEffect<AcquireMessage, EndedMessage, LockError>;

interface SessionParts {
  /** `host:port` of the node. */
  readonly address: string;
  readonly nowMs: () => number;
  /** Opens a stream with the certificates of the moment. */
  readonly open: () => Call;
  /** Whether those with which the last stream was opened have been renewed. */
  readonly isOutdated: () => boolean;
  /** What a gRPC error means to those who use locks. */
  readonly failure: (error: Partial<grpc.ServiceError>) => LockError;
  /** The node knows of the end of a lock, or of a request for one. */
  readonly onHeard: (lock: string) => void;
  /** The node says that it reaches no quorum. */
  readonly onNoQuorum: () => void;
}

/** To come back with the same frame is in vain. A node that has no room (RESOURCE_EXHAUSTED) may have some before what it told has run out. */
const FINAL: ReadonlySet<grpc.status> = new Set([
  grpc.status.INVALID_ARGUMENT, grpc.status.FAILED_PRECONDITION, grpc.status.PERMISSION_DENIED, grpc.status.UNIMPLEMENTED,
]);

const NEVER_LATE = Promise.resolve();

export class NodeSession implements LockSession {
  private readonly machine = new ClientSession<AcquireMessage, EndedMessage, LockError>({
    answerMs: ANSWER_MS, idleMs: IDLE_MS, frameBytesMax: FRAME_BYTES_MAX,
    bytesOf: ({ lock, label }) => (lock?.length ?? 0) + 3 * label.length + ACQUIRE_BYTES,
  });
  /** Those that wait or are held. */
  private readonly locks = new Map<AskId, RemoteLock>();
  /** Those that were given back, and of which the node may not know that yet. */
  private readonly releasing = new Map<AskId, RemoteLock>();
  /** Those that are kept here when they are used no longer, by name. */
  private readonly kept = new Map<string, RemoteLock>();
  /** Who waits until the node knows of everything. */
  private readonly hearings: (() => void)[] = [];
  /** Who waits until the node knows of the end of one. */
  private readonly tellings = new Map<AskId, () => void>();
  private call: Call | null = null;
  private stream = 0;
  private session = Buffer.alloc(0);
  private secret = Buffer.alloc(0);
  private readonly flusher = new Flusher(() => this.flush());
  private readonly timer = new WakeTimer(() => this.nowMs(), (nowMs) => this.step({ kind: 'wake', nowMs }), true);
  /** Who stands before whom, as the frame says that is being heard. */
  private ahead: ReadonlyMap<AskId, readonly string[]> = new Map();
  private onIdle: () => void = () => undefined;

  constructor(private readonly parts: SessionParts) {}

  get address(): string {
    return this.parts.address;
  }

  get leaseMs(): number {
    return this.machine.leaseMs;
  }

  nowMs(): number {
    return this.parts.nowMs();
  }

  acquire(name: string, options: RemoteOptions): Promise<ManagedLock> {
    const kept = options.keep === true ? (this.kept.get(name)?.enterAgain() ?? null) : null;
    return kept === null ? this.ask(name, options) : Promise.resolve(kept);
  }

  private ask(name: string, options: RemoteOptions): Promise<ManagedLock> {
    return new Promise((resolve, reject) => {
      options.signal?.throwIfAborted();
      if (this.parts.isOutdated()) this.move();
      const id = this.machine.nextId;
      this.locks.set(id, new RemoteLock(this, id, name, options, resolve, reject));
      const nowMs = this.nowMs();
      this.step({ kind: 'ask', nowMs, id, ask: acquireMessage(name, options), answerWithinMs: Math.min(ANSWER_MS, (options.waitMs ?? Infinity) + ANSWER_LATE_MS), maxHoldMs: options.maxHoldMs ?? Infinity });
    });
  }

  giveBack(lock: RemoteLock): void {
    const { id } = lock;
    if (!this.locks.delete(id)) return;
    this.releasing.set(id, lock);
    if (this.kept.get(lock.name) === lock) this.kept.delete(lock.name);
    const { used } = lock;
    this.step({ kind: 'giveBack', nowMs: this.nowMs(), id, ...(used === undefined ? {} : { used }) });
  }

  idles(lock: RemoteLock): void {
    // In the order of their last use.
    this.kept.delete(lock.name);
    this.kept.set(lock.name, lock);
    lookOn(this.look);
    if (this.kept.size <= KEPT_MAX) return;
    const [oldest] = this.kept.values();
    if (oldest === undefined) return;
    this.kept.delete(oldest.name);
    oldest.keepNoLonger();
  }

  tellInUse({ id }: RemoteLock): void {
    this.step({ kind: 'inUse', nowMs: this.nowMs(), id });
  }

  waiting(id: AskId): RemoteLock | undefined {
    const lock = this.locks.get(id);
    return lock?.isWaiting === true ? lock : undefined;
  }

  /** Over another stream the node takes those for locks like any other. */
  private keepNoLonger(): void {
    for (const lock of [...this.locks.values()]) lock.keepNoLonger();
  }

  untilTold(lock: RemoteLock): Promise<void> {
    const { id, promisedUntilMs } = lock;
    if (!this.releasing.has(id) || promisedUntilMs <= this.nowMs()) return NEVER_LATE;
    return new Promise((resolve) => {
      const earlier = this.tellings.get(id);
      this.tellings.set(id, earlier === undefined ? resolve : () => {
        earlier();
        resolve();
      });
      lookOn(this.look);
    });
  }

  /** Whether the node may not know yet that this lock was released here, or no longer waited for. */
  isReleasing(name: string): boolean {
    for (const lock of this.releasing.values()) if (lock.name === name) return true;
    return false;
  }

  /** Until the node knows of every request that was made and of every lock that was given back. */
  untilHeard(): Promise<void> {
    if (this.machine.hasHeardAll) return NEVER_LATE;
    return new Promise((resolve) => this.hearings.push(resolve));
  }

  /** Those who wait here are to ask elsewhere. */
  leave(reason: LockError): void {
    for (const lock of [...this.locks.values()]) if (!lock.isGranted) lock.abandon(reason);
  }

  /** Gives up every request that waits and releases every lock that is held. Resolves when the node knows of it. */
  close(reason: LockError): Promise<void> {
    for (const lock of [...this.locks.values()]) lock.abandon(reason);
    this.step({ kind: 'close', nowMs: this.nowMs() });
    if (this.call === null && this.machine.isIdle) return NEVER_LATE;
    return new Promise((resolve) => (this.onIdle = resolve));
  }

  /** Nothing more is waited for, and nothing keeps the process. */
  cut(): void {
    this.stopTimers();
    this.call?.cancel();
    this.call = null;
    for (const tell of this.tellings.values()) tell();
    this.tellings.clear();
    this.releasing.clear();
  }

  private stopTimers(): void {
    this.timer.stop();
    lookNoMore(this.look);
  }

  private step(event: Event): void {
    for (const effect of this.machine.step(event)) this.perform(effect);
    if (this.machine.hasToSay) this.flusher.set();
    if (this.hearings.length > 0 && this.machine.hasHeardAll) for (const heard of this.hearings.splice(0)) heard();
    this.timer.set(this.machine.wakeAtMs);
    if (this.call === null && this.machine.isIdle) this.onIdle();
  }

  private perform(effect: Effect): void {
    switch (effect.kind) {
      case 'openStream':
        return this.open(effect.stream, effect.isNew);
      case 'endStream':
        this.call?.end();
        this.call = null;
        return this.stopTimers();
      case 'send':
        return this.write(effect.frame);
      case 'queued':
        return this.locks.get(effect.id)?.onQueued(this.ahead.get(effect.id) ?? []);
      case 'held':
        lookOn(this.look);
        return this.locks.get(effect.id)?.onHeld(effect.token, effect.validity, effect.roomUntil, effect.passTo);
      case 'wanted':
        return this.locks.get(effect.id)?.onWanted();
      case 'valid':
        return this.locks.get(effect.id)?.onValid(effect.validity);
      case 'ended':
      case 'failed': {
        const lock = this.locks.get(effect.id);
        // What waited is over; what was held is to be given back by whoever has it.
        if (!effect.wasHeld) this.locks.delete(effect.id);
        if (effect.kind === 'ended') return lock?.onEnded(effect.ended);
        if (lock === undefined) return;
        return lock.onFailed(effect.failure ?? this.parts.failure({ details: `no answer for ${Math.round(this.nowMs() - lock.askedMs)} ms` }));
      }
      case 'over':
        return this.onOver(effect.id, effect.isHeard);
      default:
        return assertNever(effect);
    }
  }

  private onOver(id: AskId, isHeard: boolean): void {
    const lock = this.releasing.get(id);
    this.releasing.delete(id);
    this.tell(id);
    if (isHeard && lock !== undefined) this.parts.onHeard(lock.name);
  }

  private tell(id: AskId): void {
    const tell = this.tellings.get(id);
    this.tellings.delete(id);
    tell?.();
  }

  private open(stream: number, isNew: boolean): void {
    if (isNew) {
      this.session = randomBytes(16);
      this.secret = randomBytes(16);
    }
    const call = this.parts.open();
    this.call = call;
    this.stream = stream;
    call.on('data', (message: NodeFrameMessage) => this.onFrame(call, stream, message));
    call.on('drain', () => {
      if (this.call === call && this.machine.hasToSay) this.flusher.set();
    });
    call.on('error', () => undefined); // told by 'status'
    call.once('status', (status: grpc.StatusObject) => {
      if (this.call !== call) return;
      this.call = null;
      this.keepNoLonger();
      const failure = this.parts.failure(status.code === grpc.status.OK ? { details: 'it ended the stream' } : status);
      this.step({ kind: 'broke', nowMs: this.nowMs(), stream, failure, isFinal: FINAL.has(status.code), chance: Math.random() });
    });
  }

  /** To a connection with the certificates of the moment. */
  private move(): void {
    const { call, stream } = this;
    if (call === null) return;
    this.call = null;
    call.cancel();
    this.keepNoLonger();
    this.step({ kind: 'broke', nowMs: this.nowMs(), stream, failure: this.parts.failure({ details: 'its certificates were renewed' }), isFinal: false, chance: 0 });
  }

  private onFrame(call: Call, stream: number, message: NodeFrameMessage): void {
    if (this.call !== call) return;
    if (message.queued.length > 0) this.ahead = new Map(message.queued.map(({ id, ahead }) => [id, ahead]));
    this.step({ kind: 'heard', nowMs: this.nowMs(), stream, frame: frameOf(message) });
    if (message.noQuorum && this.locks.size > 0) this.parts.onNoQuorum();
  }

  private write({ hello, sentAtMs, releases, spent, inUse, acquires }: ClientFrame<AcquireMessage>): void {
    this.call?.write({
      hello: hello === null ? null : { session: this.session, secret: this.secret, stream: hello.stream, keep: hello.keep },
      sentAtMs: sentAtMs ?? 0, // a client's frame is whole
      releases,
      spent,
      inUse,
      acquires: acquires.map(({ id, ask }) => ({ id, acquire: ask })),
    });
  }

  private flush(): void {
    // What the node has not read yet leaves first; 'drain' comes then.
    if (this.call !== null && !this.call.writableNeedDrain && this.machine.hasToSay) this.step({ kind: 'flush', nowMs: this.nowMs() });
  }

  /** Whether a lock has run out. Returns whether anything is held, or its release is waited for. */
  private readonly look = (): boolean => {
    const nowMs = this.nowMs();
    for (const lock of [...this.locks.values()]) lock.look();
    for (const id of [...this.tellings.keys()]) if ((this.releasing.get(id)?.promisedUntilMs ?? 0) <= nowMs) this.tell(id);
    return this.tellings.size > 0 || [...this.locks.values()].some(({ isHeld }) => isHeld);
  };
}

function acquireMessage(name: string, options: RemoteOptions): AcquireMessage {
  return {
    lock: lockBytes(name),
    mode: wireMode(options.mode ?? 'exclusive'),
    steal: options.steal === true,
    // A longer one would be cut off there, and may make the frame one that no node takes.
    label: options.label === undefined ? processLabel() : boundLabel(options.label),
    pings: false,
    sentAtMs: 0,
    ifAvailable: options.ifAvailable === true,
    ...(options.waitMs === undefined ? {} : { waitMs: options.waitMs }),
    ...(options.atLeastMs === undefined ? {} : { atLeastMs: Math.ceil(options.atLeastMs) }),
    ...(options.maxHoldMs === undefined ? {} : { maxHoldMs: Math.floor(options.maxHoldMs) }),
    ...(options.keep === true ? { keep: true } : {}),
    ...(mayBePassedOn(name, options) ? { pass: true } : {}),
  };
}

function frameOf({ welcome, sentAtMs, ended, queued, held, valid, wanted, allValidForMs }: NodeFrameMessage): NodeFrame<EndedMessage> {
  return {
    welcome,
    sentAtMs,
    ended: ended.map(({ id, ended: each }) => ({ id, ended: each ?? NO_WORD })),
    queued: queued.map(({ id }) => id),
    held: held.map(({ id, token, validForMs, roomUntil, passTo }) => ({
      id, token, validForMs, roomUntil: roomUntil === 0 ? undefined : roomUntil, passTo: passTo.length === 0 ? undefined : passTo,
    })),
    valid, wanted,
    allValidForMs: allValidForMs ?? null,
  };
}

const NO_WORD: EndedMessage = { reason: 'REASON_UNSPECIFIED', message: 'the node did not say why', definite: false };
