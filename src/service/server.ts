/**
 * The client service: holds locks of this node for programs that are no nodes, one stream a lock.
 * Law: a client's lock is never released while the client may still count on it by its own clock,
 * unless the client itself said that it is done. What a client sends is checked before it is used.
 */
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import type { LockName, LockView, Mode, RequestId } from '../core';
import { LockError } from '../errors';
import type { LockErrorCode } from '../errors';
import type { NodeLockManager } from '../locks/lock-manager';
import type { ClusterSnapshot, HeldLock, LockInfo, LockManagerSnapshot } from '../locks/types';
import type { MaekawaNode } from '../node/start';
import { lockNameFault, readWtf8, writeWtf8 } from '../transport/lock-name';
import { locksMethods } from './schema';
import type {
  AcquireMessage, EndedReason, HoldEvent, HoldRequest, LockInfoMessage, LockStatus, Malformed, QueryReply, QueryRequest, StatusReply, VoteStatus,
  WatchEventMessage, WireMode,
} from './schema';

type QueryCall = grpc.ServerUnaryCall<QueryRequest | Malformed, QueryReply>;
type WatchCall = grpc.ServerWritableStream<{ readonly lock: Buffer } | Malformed, WatchEventMessage>;
type HoldCall = grpc.ServerDuplexStream<HoldRequest | Malformed, HoldEvent>;

const WATCH_BACKLOG_MAX = 1_000;
const LABEL_LENGTH_MAX = 200;

const WIRE_CHANGE = { held: 'CHANGE_HELD', released: 'CHANGE_RELEASED', lost: 'CHANGE_LOST' } as const;

/** How long clients get to give their locks back when the node stops. */
const DRAIN_MS = 500;

export interface LocksService {
  /**
   * The node is about to stop: tell every client, and wait a moment for what they give back. Returns
   * the names of the locks that clients may still use; nobody may release these, their lease ends them.
   */
  drain(): Promise<ReadonlySet<LockName>>;
}

/** Let `server` answer clients for `node`. */
export function addLocksService(server: grpc.Server, node: MaekawaNode, locks: NodeLockManager): LocksService {
  const holds = new Set<ClientHold>();
  let isDraining = false;
  const { Hold, Query, Watch, Status } = locksMethods();
  server.addService(
    { Hold, Query, Watch, Status },
    {
      Hold: (call: HoldCall) => {
        const hold: ClientHold = new ClientHold(call, node, locks, () => holds.delete(hold));
        holds.add(hold);
        if (isDraining) hold.stop();
      },
      Query: (call: QueryCall, reply: grpc.sendUnaryData<QueryReply>) => {
        const scope = 'cluster' in call.request && call.request.cluster ? 'cluster' : 'node';
        locks.query({ scope }).then((snapshot) => reply(null, queryReply(snapshot)), (error: unknown) => reply(error as Error));
      },
      Watch: (call: WatchCall) => watch(call, locks),
      Status: (_call: unknown, reply: grpc.sendUnaryData<StatusReply>) => reply(null, statusOf(node)),
    },
  );
  return {
    drain: async () => {
      isDraining = true;
      for (const hold of [...holds]) hold.stop();
      const untilMs = performance.now() + DRAIN_MS;
      while (holds.size > 0 && performance.now() < untilMs) await setTimeoutPromise(10);
      return new Set([...holds].flatMap((hold) => hold.heldName ?? []));
    },
  };
}

type State =
  | { readonly kind: 'new' }
  | { readonly kind: 'waiting'; readonly giveUp: AbortController }
  | { readonly kind: 'held'; readonly lock: HeldLock; readonly onLost: () => void }
  /** The client was told that the node stops, and has not given the lock back yet. */
  | { readonly kind: 'stopping'; readonly lock: HeldLock }
  | { readonly kind: 'over' };

/** One stream of one client. */
class ClientHold {
  private state: State = { kind: 'new' };
  /** `sent_at_ms` of the newest message. */
  private sentAtMs = 0;
  /** The client promised to ping: then it counts its lease, and silence means that it is gone. */
  private pings = false;
  /** Until when, in this node's time, the client may think that it holds the lock. */
  private toldUntilMs = 0;
  private silence: NodeJS.Timeout | undefined;

  constructor(
    private readonly call: HoldCall,
    private readonly node: MaekawaNode,
    private readonly locks: NodeLockManager,
    private readonly onOver: () => void,
  ) {
    call.on('data', (request: HoldRequest | Malformed) => this.onRequest(request));
    call.on('end', () => this.onDone());
    call.on('cancelled', () => this.onBroken());
    // What ended the stream is told by 'cancelled'; unheard, the error would end the process.
    call.on('error', () => this.onBroken());
  }

  /** The lock that the client may still use; or null. */
  get heldName(): LockName | null {
    return this.state.kind === 'held' || this.state.kind === 'stopping' ? this.state.lock.name : null;
  }

  /** The node is about to stop. A client that holds gives its lock back by closing its side. */
  stop(): void {
    const reason = new LockError('closed', `node ${this.node.id} is stopping`);
    if (this.state.kind !== 'held') return this.end(reason);
    const { lock, onLost } = this.state;
    lock.signal.removeEventListener('abort', onLost);
    this.state = { kind: 'stopping', lock };
    this.tellEnded(reason);
  }

  private get leaseMs(): number {
    return this.node.configuration.leaseMs;
  }

  private onRequest(request: HoldRequest | Malformed): void {
    if (this.state.kind === 'over' || this.state.kind === 'stopping') return;
    if ('ping' in request) return this.onPing(request.ping.sentAtMs);
    if ('acquire' in request) return this.onAcquire(request.acquire);
    this.refuse('a message is an acquire or a ping; this one is neither, or cannot be decoded');
  }

  private onAcquire(message: AcquireMessage): void {
    if (this.state.kind !== 'new') return this.refuse('acquire is the first message and comes once; open another stream for another lock');
    const name = readWtf8(message.lock);
    if (name === null) return this.refuse('lock is not UTF-8');
    const mode = modeOf(message.mode);
    const fault = lockNameFault(name) ?? stealFault(message, mode);
    if (fault !== null) return this.refuse(fault);
    this.pings = message.pings;
    this.heardAt(message.sentAtMs);
    const giveUp = new AbortController();
    this.state = { kind: 'waiting', giveUp };
    this.locks
      .begin(name, {
        mode,
        steal: message.steal,
        ifAvailable: message.ifAvailable,
        ...(message.label === '' ? {} : { label: message.label.slice(0, LABEL_LENGTH_MAX) }),
        signal: giveUp.signal,
        ...(message.waitMs === undefined ? {} : { waitMs: message.waitMs }),
      })
      .then((lock) => this.onHeld(lock), (error: unknown) => this.end(error));
    // Not for a lock that is free: it is held before the event loop turns.
    setImmediate(() => {
      if (this.state.kind === 'waiting') this.call.write({ queued: { leaseMs: this.leaseMs, ahead: this.locks.ahead(name) } });
    });
  }

  private onPing(sentAtMs: number): void {
    if (this.state.kind === 'new') return this.refuse('the first message must be an acquire');
    this.heardAt(sentAtMs);
    if (this.state.kind === 'held') this.tellValid(this.state.lock);
  }

  private onHeld(lock: HeldLock): void {
    if (this.state.kind !== 'waiting') return lock.release();
    const onLost = (): void => this.end(lock.signal.reason);
    this.state = { kind: 'held', lock, onLost };
    lock.signal.addEventListener('abort', onLost);
    lock.onRenewed(() => this.tellValid(lock));
    const validForMs = this.promise(lock);
    this.call.write({ held: { token: lock.token, validForMs, sentAtMs: this.sentAtMs, leaseMs: this.leaseMs } });
  }

  private tellValid(lock: HeldLock): void {
    if (this.state.kind !== 'held') return;
    this.call.write({ valid: { validForMs: this.promise(lock), sentAtMs: this.sentAtMs } });
  }

  /** What the client is told, remembered: it counts from an earlier time than now, so it ends no later. */
  private promise(lock: HeldLock): number {
    const validForMs = Math.floor(lock.validForMs());
    this.toldUntilMs = Math.max(this.toldUntilMs, performance.now() + validForMs);
    return validForMs;
  }

  /** The lock was not granted, or is lost. */
  private end(error: unknown): void {
    if (this.state.kind === 'over') return;
    this.letGo();
    this.tellEnded(error);
    this.call.end();
  }

  private tellEnded(error: unknown): void {
    const reason = error instanceof LockError ? endedReason(error.code) : 'REASON_UNSPECIFIED';
    const message = error instanceof Error ? error.message : String(error);
    this.call.write({ ended: { reason, message, definite: error instanceof LockError && error.definite } });
  }

  /** The client closed its side: it is done, or waits no longer. */
  private onDone(): void {
    this.letGo();
    this.call.end();
  }

  /**
   * The stream broke. A client that pings goes by its own clock and may not know yet, so the lock is
   * kept for as long as it was told.
   */
  private onBroken(): void {
    const { state } = this;
    if ((state.kind !== 'held' && state.kind !== 'stopping') || !this.pings) return this.letGo();
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.letGo(), this.toldUntilMs - performance.now());
  }

  private letGo(): void {
    const { state } = this;
    this.state = { kind: 'over' };
    clearTimeout(this.silence);
    this.onOver();
    if (state.kind === 'waiting') state.giveUp.abort(new LockError('aborted', 'the client waits no longer'));
    if (state.kind === 'held') state.lock.signal.removeEventListener('abort', state.onLost);
    if (state.kind === 'held' || state.kind === 'stopping') state.lock.release();
  }

  private refuse(problem: string): void {
    this.letGo();
    this.call.emit('error', { code: grpc.status.INVALID_ARGUMENT, details: problem });
  }

  private heardAt(sentAtMs: number): void {
    this.sentAtMs = sentAtMs;
    if (!this.pings) return;
    // Whatever it was told was counted from what it sent: after a lease of silence all of it has run out.
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.end(new LockError('lost', `the client was silent for the whole lease of ${this.leaseMs} ms`, { definite: false }));
    }, this.leaseMs);
  }
}

function stealFault({ steal, ifAvailable }: AcquireMessage, mode: Mode): string | null {
  if (steal && mode === 'shared') return 'only an exclusive lock can be stolen';
  return steal && ifAvailable ? 'steal and if_available exclude each other' : null;
}

function modeOf(mode: AcquireMessage['mode']): Mode {
  return mode === 'LOCK_MODE_SHARED' ? 'shared' : 'exclusive';
}

export function wireMode(mode: Mode): WireMode {
  return mode === 'shared' ? 'LOCK_MODE_SHARED' : 'LOCK_MODE_EXCLUSIVE';
}

function endedReason(code: LockErrorCode): EndedReason {
  switch (code) {
    case 'timeout':
      return 'REASON_TIMEOUT';
    case 'no-quorum':
      return 'REASON_NO_QUORUM';
    case 'lost':
      return 'REASON_LOST';
    case 'stolen':
      return 'REASON_STOLEN';
    case 'closed':
      return 'REASON_CLOSED';
    case 'config':
      return 'REASON_CONFIG';
    case 'aborted':
    case 'fenced':
    case 'unreachable':
    case 'protocol':
    case 'storage':
      return 'REASON_UNSPECIFIED';
  }
}

function queryReply({ held, pending, unanswered = [] }: LockManagerSnapshot & Partial<ClusterSnapshot>): QueryReply {
  return { held: held.map(lockInfoMessage), pending: pending.map(lockInfoMessage), unanswered };
}

function lockInfoMessage({ name, mode, clientId, label = '', token = 0, forMs }: LockInfo): LockInfoMessage {
  return { lock: lockBytes(name), mode: wireMode(mode), clientId, label, token, forMs };
}

function watch(call: WatchCall, locks: NodeLockManager): void {
  const name = 'lock' in call.request ? readWtf8(call.request.lock) : null;
  if (name === null) {
    call.emit('error', { code: grpc.status.INVALID_ARGUMENT, details: 'lock is not UTF-8' });
    return;
  }
  const stop = locks.watch(name, ({ change, lock }) => {
    // Whoever reads too slowly misses changes; the node does not keep them.
    if (call.writableLength < WATCH_BACKLOG_MAX) call.write({ change: WIRE_CHANGE[change], lock: lockInfoMessage(lock) });
  });
  call.on('cancelled', stop);
}

function statusOf(node: MaekawaNode): StatusReply {
  const status = node.status();
  return {
    node: status.id,
    cluster: status.cluster,
    digest: status.digest,
    uptimeMs: status.uptimeMs,
    clock: status.clock,
    peers: status.peers.map(({ id, address, up, reason = '' }) => ({ node: id, address, up, reason })),
    locks: status.locks.map((view) => lockStatus(view, status.nowMs)),
    sent: status.messages.sent,
    received: status.messages.received,
    ignored: status.messages.ignored,
    entries: status.entries,
  };
}

function lockStatus({ lock, grants, queue, requester }: LockView, nowMs: number): LockStatus {
  const vote = ({ request, mode }: { request: RequestId; mode: Mode }): VoteStatus => ({
    node: request.node,
    timestamp: request.timestamp,
    mode: wireMode(mode),
  });
  return {
    lock: lockBytes(lock),
    grants: grants.map(vote),
    queue: queue.map(vote),
    callers: requester === null ? null : callersStatus(requester, nowMs),
  };
}

function callersStatus(requester: NonNullable<LockView['requester']>, nowMs: number): NonNullable<LockStatus['callers']> {
  const waiting = requester.waitingCallers.length;
  switch (requester.state) {
    case 'idle':
      return { state: 'STATE_IDLE', inside: 0, waiting, token: 0, validForMs: 0 };
    case 'waiting':
      return { state: 'STATE_WAITING', inside: 0, waiting, token: 0, validForMs: 0 };
    case 'held':
    case 'retained':
      return {
        state: requester.state === 'held' ? 'STATE_HELD' : 'STATE_RETAINED',
        inside: requester.state === 'held' ? requester.inside.length : 0,
        waiting,
        token: requester.token,
        validForMs: Math.max(0, requester.validUntilMs - nowMs),
      };
  }
}

/** A lock name as the wire has it. */
export function lockBytes(name: string): Buffer {
  const bytes = Buffer.allocUnsafe(name.length * 3);
  return bytes.subarray(0, writeWtf8(bytes, 0, name));
}
