/** What the client service answers, made from what the node knows. */
import type { Mode } from '../core';
import type { CallersStatus, LockStatus, VoteStatus } from '../locks/status';
import type { ClusterSnapshot, LockInfo, LockManagerSnapshot } from '../locks/types';
import type { MaekawaNode } from '../node/start';
import { writeWtf8 } from '../lock-name';
import type {
  CallersStatus as CallersMessage, CountMessage, LockInfoMessage, LockStatus as LockMessage, QueryReply, StatusReply, VoteStatus as VoteMessage, WireMode,
} from '../client-protocol/schema';

export function queryReply({ held, pending, unanswered = [] }: LockManagerSnapshot & Partial<ClusterSnapshot>): QueryReply {
  return { held: held.map(lockInfoMessage), pending: pending.map(lockInfoMessage), unanswered };
}

export function lockInfoMessage({ name, mode, clientId, label = '', token = 0, forMs }: LockInfo): LockInfoMessage {
  return { lock: lockBytes(name), mode: wireMode(mode), clientId, label: wellFormed(label), token, forMs };
}

/** Text as a `string` of the wire, which cannot hold a lone surrogate: strict clients would refuse the whole message. */
export function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

export function statusReply(node: MaekawaNode): StatusReply {
  const status = node.status();
  return {
    node: status.id,
    cluster: status.cluster,
    digest: status.digest,
    uptimeMs: status.uptimeMs,
    clock: status.clock,
    peers: status.peers.map(({ id, address, up, reason = '' }) => ({ node: id, address, up, reason })),
    locks: status.locks.map(lockMessage),
    sent: countMessages(status.messages.sent),
    received: countMessages(status.messages.received),
    ignored: countMessages(status.messages.ignored),
    entries: status.entries,
  };
}

function countMessages(counts: Readonly<Record<string, number>>): CountMessage[] {
  return Object.entries(counts).map(([of, count]) => ({ of, count }));
}

function lockMessage({ name, grants, queue, callers }: LockStatus): LockMessage {
  const vote = ({ node, timestamp, mode }: Pick<VoteStatus, 'node' | 'timestamp' | 'mode'>): VoteMessage => ({ node, timestamp, mode: wireMode(mode) });
  return { lock: lockBytes(name), grants: grants.map(vote), queue: queue.map(vote), callers: callers === null ? null : callersMessage(callers) };
}

function callersMessage(callers: CallersStatus): CallersMessage {
  const { waiting } = callers;
  switch (callers.state) {
    case 'idle':
      return { state: 'STATE_IDLE', inside: 0, waiting, token: 0, validForMs: 0 };
    case 'waiting':
      return { state: 'STATE_WAITING', inside: 0, waiting, token: 0, validForMs: 0 };
    case 'held':
      return { state: 'STATE_HELD', inside: callers.inside, waiting, token: callers.token, validForMs: callers.validForMs };
    case 'retained':
      return { state: 'STATE_RETAINED', inside: 0, waiting, token: callers.token, validForMs: callers.validForMs };
    case 'recalled':
      return { state: 'STATE_RECALLED', inside: callers.inside, waiting, token: 0, validForMs: 0 };
  }
}

/** A lock name as the wire has it. */
export function lockBytes(name: string): Buffer {
  const bytes = Buffer.allocUnsafe(name.length * 3);
  return bytes.subarray(0, writeWtf8(bytes, 0, name));
}

export function wireMode(mode: Mode): WireMode {
  return mode === 'shared' ? 'LOCK_MODE_SHARED' : 'LOCK_MODE_EXCLUSIVE';
}
