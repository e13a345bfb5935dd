/** What the client service answers, made from what the node knows. */
import type { LockView, Mode, RequestId } from '../core';
import type { ClusterSnapshot, LockManagerSnapshot } from '../locks/types';
import type { CountMessage, LockStatus, QueryReply, StatusReply, VoteStatus } from '../client-protocol/schema';
import { lockBytes, lockInfoMessage, wireMode } from '../client-protocol/wire-words';
import type { ServedNode } from './served-node';

export function queryReply({ held, pending, unanswered = [] }: LockManagerSnapshot & Partial<ClusterSnapshot>): QueryReply {
  return { held: held.map(lockInfoMessage), pending: pending.map(lockInfoMessage), unanswered };
}

export function statusReply(node: ServedNode): StatusReply {
  const status = node.status();
  return {
    node: status.id,
    cluster: status.cluster,
    digest: status.digest,
    uptimeMs: status.uptimeMs,
    clock: status.clock,
    peers: status.peers.map(({ id, address, up, reason = '' }) => ({ node: id, address, up, reason })),
    locks: status.locks.map((view) => lockStatus(view, status.nowMs)),
    sent: countMessages(status.messages.sent),
    received: countMessages(status.messages.received),
    ignored: countMessages(status.messages.ignored),
    entries: status.entries,
    layout: status.layout,
    notices: status.notices,
  };
}

function countMessages(counts: Readonly<Record<string, number>>): CountMessage[] {
  return Object.entries(counts).map(([of, count]) => ({ of, count }));
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
    case 'recalled':
      return { state: 'STATE_RECALLED', inside: requester.inside.length, waiting, token: 0, validForMs: 0 };
  }
}
