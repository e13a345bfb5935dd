/**
 * One session of one client, and the locks of this node that are held for it: carries between gRPC and `ServedSession` of the
 * core, which decides. Law: what a client sends is checked before it is used; a turn of the event loop does a bounded part of it;
 * and from a client that does not read nothing more is read. Source: protocol.md section 15.
 */
import * as grpc from '@grpc/grpc-js';
import { Flusher } from '../client-protocol/flusher';
import type { ClientFrameMessage, Malformed, NodeFrameMessage } from '../client-protocol/schema';
import { WakeTimer } from '../client-protocol/wake-timer';
import { ServedSession, assertNever, marginMs } from '../core';
import type { AskId, ClientFrame, ClientNumber, LockName, ServedRoom, ServedSessionEffect, ServedSessionEvent, Token } from '../core';
import { LockError } from '../errors';
import type { Keeper } from '../locks/keeper';
import type { NodeLockManager } from '../locks/lock-manager';
import type { LockListener, ManagedLock } from '../locks/managed-lock';
import { readAcquire } from './acquire';
import type { Admission } from './admission';
import type { Connection } from './connections';
import type { ServedNode } from './served-node';
import { refuse } from './refuse';
import { frameMessage } from './session-words';
import type { Ask } from './session-words';

export type SessionCall = grpc.ServerDuplexStream<ClientFrameMessage | Malformed, NodeFrameMessage>;

/** So many locks are asked for or given back in one go; then others have their turn. */
const PIECE = 8;

export interface SessionParts {
  readonly node: ServedNode;
  readonly locks: NodeLockManager;
  readonly admission: Admission;
  /** Whether a lock can be had through the node. */
  readonly isServing: () => boolean;
  /** No other session of this node has it. */
  readonly number: ClientNumber;
  readonly onOver: () => void;
}

const NOT_WAITING = (): void => undefined;

/**
 * One request of the client: its place in line, and then its lock. To the node it is also who keeps the lock, if the client keeps it or passes it
 * on; and who hears of it: one object, where there are as many as locks.
 */
class Served implements Keeper, LockListener {
  /** Null while it waits. */
  lock: ManagedLock | null = null;
  giveUp: (reason: LockError) => void = NOT_WAITING;
  room: ServedRoom | undefined = undefined;
  taken: Token | undefined = undefined;
  private saysInUse: (() => void) | undefined = undefined;

  constructor(
    readonly id: AskId,
    readonly name: LockName,
    readonly keeps: boolean,
    readonly client: ClientNumber | null,
    private readonly step: (event: ServedSessionEvent<Ask, unknown>) => void,
  ) {}

  mayTake(until: Token, isInUse: () => void): void {
    this.room = { until, passTo: null };
    this.saysInUse = isInUse;
  }

  mayPass(until: Token, to: readonly Keeper[]): void {
    // All of them are of this session, as the number of the client says.
    this.room = { until, passTo: to.flatMap((keeper) => (keeper instanceof Served ? keeper.id : [])) };
  }

  wanted(): void {
    this.step({ kind: 'wanted', nowMs: performance.now(), id: this.id });
  }

  isInUse(): void {
    this.saysInUse?.();
  }

  lost(reason: LockError): void {
    this.step({ kind: 'taken', nowMs: performance.now(), id: this.id, reason });
  }

  renewed(validForMs: number): void {
    this.step({ kind: 'renewed', nowMs: performance.now(), id: this.id, validForMs: Math.floor(validForMs) });
  }
}

const WAITS_NO_LONGER = (): LockError => new LockError('aborted', 'the client waits no longer');

export class SessionHost {
  private readonly machine: ServedSession<Ask, unknown>;
  private readonly served = new Map<AskId, Served>();
  private call: SessionCall | null = null;
  /** Read what came next, unless something is in the way. */
  private readOn: () => void = () => undefined;
  private stream = 0;
  private stopsBecause: LockError | null = null;
  /** Events that came while another was handled; null while none is. */
  private waiting: ServedSessionEvent<Ask, unknown>[] | null = null;
  private readonly flusher = new Flusher(() => this.flush());
  private readonly stepOfServed = (event: ServedSessionEvent<Ask, unknown>): void => this.step(event);
  /** Does not keep a process whose node has stopped. */
  private readonly timer = new WakeTimer(() => performance.now(), (nowMs) => this.step({ kind: 'wake', nowMs }), false);

  /**
   * @param clientId of the connection over which it began
   * @param connection by whose address its locks are counted
   */
  constructor(
    private readonly parts: SessionParts,
    readonly secret: Buffer,
    private readonly clientId: string,
    private readonly connection: Connection,
  ) {
    const { leaseMs, driftMax } = parts.node.configuration;
    this.machine = new ServedSession({ leaseMs, marginMs: marginMs(leaseMs, driftMax) });
  }

  /** Whether something is wanted or held, and not only held on for nobody. */
  get isInUse(): boolean {
    return this.machine.isInUse;
  }

  /** The locks that the client may still use. */
  heldNames(): LockName[] {
    return [...this.machine.inUse()].flatMap((id) => {
      const served = this.served.get(id);
      return served === undefined || served.lock === null ? [] : [served.name];
    });
  }

  /** Nothing more is read before its client was told of what there is to tell. */
  get isBehind(): boolean {
    return this.machine.isBehind;
  }

  /**
   * The client goes on over this stream.
   * @param readOn called when the reason for which nothing was read may be gone
   */
  open(call: SessionCall, stream: number, keep: readonly AskId[], readOn: () => void): void {
    const before = this.call;
    if (stream > this.stream) {
      this.call = call;
      this.readOn = readOn;
      this.stream = stream;
    }
    this.step({ kind: 'opened', nowMs: performance.now(), stream, keep });
    // It is the same client, and knows.
    if (this.call !== call) return refuse(call, grpc.status.ABORTED, 'a newer stream of the session was there before');
    if (before !== null) refuse(before, grpc.status.ABORTED, 'another stream of the session has taken the place of this one');
    call.on('drain', () => this.flusher.set());
    if (this.stopsBecause !== null) this.step({ kind: 'stops', nowMs: performance.now(), reason: this.stopsBecause });
  }

  /** Do what a frame asks for, a piece in each turn. `done` when all is done. */
  do(call: SessionCall, stream: number, connection: Connection, frame: Omit<ClientFrame<Ask>, 'hello'>, done: () => void): void {
    const { sentAtMs, releases, spent, inUse, acquires } = frame;
    const pieces = Math.max(1, Math.ceil((releases.length + acquires.length) / PIECE));
    const doPiece = (piece: number): void => {
      if (this.call !== call) return;
      const isLast = piece === pieces - 1;
      const at = piece * PIECE;
      const acquiresAt = Math.max(0, at - releases.length);
      const acquiresTo = Math.max(0, at + PIECE - releases.length);
      this.step({
        kind: 'frame', nowMs: performance.now(), stream,
        frame: pieces === 1 ? frame : {
          sentAtMs: isLast ? sentAtMs : null, spent: piece === 0 ? spent : [], inUse: piece === 0 ? inUse : [], releases: releases.slice(at, at + PIECE), acquires: acquires.slice(acquiresAt, acquiresTo) },
      });
      if (isLast) done();
      else this.parts.admission.turns.run(connection, () => doPiece(piece + 1));
    };
    this.parts.admission.turns.run(connection, () => doPiece(0));
  }

  /** The stream is over, whoever ended it. */
  onEnd(call: SessionCall, stream: number): void {
    if (this.call !== call) return;
    this.call = null;
    this.step({ kind: 'broke', nowMs: performance.now(), stream });
  }

  /** The node is about to stop. A client that holds gives its locks back. */
  stop(reason: LockError): void {
    this.stopsBecause = reason;
    this.step({ kind: 'stops', nowMs: performance.now(), reason });
  }

  private step(event: ServedSessionEvent<Ask, unknown>): void {
    if (this.waiting !== null) return void this.waiting.push(event);
    this.waiting = [];
    try {
      for (let next: ServedSessionEvent<Ask, unknown> | undefined = event; next !== undefined; next = this.waiting.shift()) {
        for (const effect of this.machine.step(next)) this.perform(effect);
      }
    } finally {
      this.waiting = null;
    }
    if (this.machine.hasToSay) this.flusher.set();
    if (this.machine.isOver) this.end();
    else this.timer.set(this.machine.wakeAtMs);
  }

  private perform(effect: ServedSessionEffect<Ask, unknown>): void {
    switch (effect.kind) {
      case 'ask':
        return this.ask(effect.id, effect.ask);
      case 'giveUp': {
        this.served.get(effect.id)?.giveUp(WAITS_NO_LONGER());
        return;
      }
      case 'giveBack': {
        const served = this.served.get(effect.id);
        this.forget(effect.id);
        if (served === undefined) return;
        served.taken = effect.used;
        void served.lock?.giveBack();
        return;
      }
      case 'inUse': {
        this.served.get(effect.id)?.isInUse();
        return;
      }
      case 'keepOn': {
        this.served.get(effect.id)?.lock?.showKeptOn(effect.untilMs - performance.now());
        return;
      }
      case 'send':
        this.write(frameMessage(effect.frame, {
          leaseMs: this.parts.node.configuration.leaseMs,
          noQuorum: !this.parts.isServing(),
          nameOf: (id) => this.served.get(id)?.name ?? null,
          ahead: (name) => this.parts.locks.ahead(name),
        }));
        return;
      case 'dropStream':
        if (effect.why !== 'silent' || this.call === null || effect.stream !== this.stream) return;
        refuse(this.call, grpc.status.UNAVAILABLE, 'the client was silent, or read nothing, for a lease');
        this.call = null;
        return;
      default:
        return assertNever(effect);
    }
  }

  private ask(id: AskId, ask: Ask): void {
    const read = readAcquire(ask);
    if ('fault' in read) return this.refused(id, new LockError('config', read.fault));
    const { admission: { locks: budget, limits }, locks } = this.parts;
    if (this.served.size >= limits.locksPerSession) {
      return this.refused(id, new LockError('config', `this session has ${limits.locksPerSession} locks wanted or held already, which is the most; release some, or open another session`));
    }
    const noRoom = budget.takeMoving(this.connection);
    if (noRoom !== null) return this.refused(id, new LockError(noRoom.code === grpc.status.UNAVAILABLE ? 'unreachable' : 'config', noRoom.details));
    const { name, options, atLeastMs, keeps, passes } = read;
    const served = new Served(id, name, keeps, passes ? this.parts.number : null, this.stepOfServed);
    this.served.set(id, served);
    const giveUp = locks.ask({
      name, options, client: this.clientId, keeper: keeps || passes ? served : undefined,
      granted: (lock) => this.granted(served, lock, atLeastMs),
      refused: (reason) => {
        this.forget(id);
        this.refused(id, reason);
      },
    });
    // It may be granted within that.
    if (served.lock === null) served.giveUp = giveUp;
  }

  private granted(served: Served, lock: ManagedLock, atLeastMs: number): void {
    served.lock = lock;
    served.giveUp = NOT_WAITING;
    const { id, room } = served;
    lock.heardBy(served);
    const nowMs = performance.now();
    this.step({ kind: 'granted', nowMs, id, token: lock.token, validForMs: lock.validForMs(), atLeastMs, ...(room === undefined ? {} : { room }) });
  }

  private refused(id: AskId, reason: unknown): void {
    this.step({ kind: 'refused', nowMs: performance.now(), id, reason });
  }

  private forget(id: AskId): void {
    if (this.served.delete(id)) this.parts.admission.locks.giveBackMoving(this.connection);
  }

  private flush(): void {
    // What was told and not read leaves first; 'drain' comes then.
    if (this.call === null || this.call.writableNeedDrain) return;
    this.step({ kind: 'flush', nowMs: performance.now(), validForMs: (id) => this.validForMs(id) });
    if (!this.isBehind) this.readOn();
  }

  /** It may be found lost by that, which is told next. */
  private validForMs(id: AskId): number {
    return Math.floor(this.served.get(id)?.lock?.validForMs() ?? 0);
  }

  private write(message: NodeFrameMessage): void {
    this.call?.write(message);
  }

  private end(): void {
    this.timer.stop();
    this.parts.onOver();
  }
}
