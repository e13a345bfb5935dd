/** What the client service answers, made from what the node knows. */
import type { CallersStatus, LockStatus, NodeState, VoteStatus } from '../locks/status';
import type { ClusterSnapshot, LockManagerSnapshot } from '../locks/types';
import type {
  CallersStatus as CallersMessage, CountMessage, LockStatus as LockMessage, NodeStateKind, QueryReply, StatusReply, VoteStatus as VoteMessage,
} from '../client-protocol/schema';
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
    locks: status.locks.map(lockMessage),
    sent: countMessages(status.messages.sent),
    received: countMessages(status.messages.received),
    ignored: countMessages(status.messages.ignored),
    entries: status.entries,
    layout: status.layout,
    notices: status.notices,
    version: status.version,
    state: { ...status.state, kind: STATE_KINDS[status.state.kind], forMs: Math.ceil(status.state.forMs ?? 0) },
    restsOnWallClocks: status.restsOnWallClocks,
  };
}

const STATE_KINDS: Readonly<Record<NodeState['kind'], NodeStateKind>> = {
  ready: 'KIND_READY', silent: 'KIND_SILENT', 'no-quorum': 'KIND_NO_QUORUM', 'cannot-write': 'KIND_CANNOT_WRITE', stopping: 'KIND_STOPPING',
};

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
