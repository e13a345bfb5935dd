/** What the client service answers, made from what the node knows. */
import type { CallersStatus, LockStatus, NodeState, VoteStatus } from '../locks/status';
import type {
  CallersStatus as CallersMessage, CountMessage, LockStatus as LockMessage, NodeStateKind, StatusReply, VoteStatus as VoteMessage,
} from '../client-protocol/schema';
import { lockBytes, wireMode } from '../client-protocol/wire-words';
import { PAGE_BYTES, Room } from './pages';
import type { LockNames } from './pages';
import type { ServedNode } from './served-node';

/** So many of a lock's grants and of its queue are listed; of the others the number. */
const VOTES_LISTED_MAX = 100;

/** So many locks are in a page at most, and fewer when their names are long. */
const LOCKS_PER_PAGE = 500;

/** The page that begins with the lock at this place among the names. */
export function statusPage(node: ServedNode, names: LockNames, place: number): StatusReply {
  const left = names.from(place);
  const room = new Room(PAGE_BYTES);
  const fits = left.findIndex((name, index) => index === LOCKS_PER_PAGE || !room.take(Buffer.byteLength(name)));
  const page = fits === -1 ? left : left.slice(0, fits);
  const status = node.status(page);
  return {
    nextPageToken: page.length < left.length ? String(place + page.length) : '',
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
  return {
    lock: lockBytes(name),
    grants: grants.slice(0, VOTES_LISTED_MAX).map(vote),
    queue: queue.slice(0, VOTES_LISTED_MAX).map(vote),
    moreGrants: Math.max(0, grants.length - VOTES_LISTED_MAX),
    moreQueue: Math.max(0, queue.length - VOTES_LISTED_MAX),
    callers: callers === null ? null : callersMessage(callers),
  };
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
