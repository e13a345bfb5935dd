/**
 * What the arbiter and the requester may use of the node they are part of. One object per node; the
 * node sets its times before it hands an event on.
 */
import type { Coterie, NodeId } from '../quorum/coterie';
import type { LamportClock } from './clock';
import type { Effect } from './events';
import type { LockName, Message, RequestId } from './messages';
import type { Reach } from './reach';

/** What a node is told once. All times in whole milliseconds. */
export interface CoreSettings {
  readonly self: NodeId;
  readonly coterie: Coterie;
  /** How long a grant lasts unless renewed. The same on every node. */
  readonly leaseMs: number;
  /** How often a Request is repeated (and so a held lock renewed). About a third of the lease. */
  readonly retryMs: number;
  /** Local clocks advance at rates that differ by less than this ratio, e.g. 0.01. */
  readonly driftMax: number;
  /** SLACK of protocol.md section 7: how far the clocks of a quorum may be apart. `slackOf` the lease, the same on every node. */
  readonly slack: number;
  /** How many clock values one write of the ceiling reserves at most. `ceilingBlockOf` the lease. */
  readonly ceilingBlock: number;
  /** Keep the grants of a lock that was released until someone asks (protocol.md section 9). Default true. */
  readonly retain: boolean;
  /** How many locks an arbiter deals with at a time; 1024 characters of a name count as a lock more. Default 2^20. */
  readonly locksMax?: number;
  /** How many requests of one node for a lock an arbiter knows. Default 32. */
  readonly requestsOfANodeMax?: number;
  /** How many messages are held back while the ceiling is written; what is beyond is dropped, for a reason that has a name, and repeated later. Default 10,000. */
  readonly heldBackMax?: number;
  /** With more locks than that a node keeps no grants and remembers no contention. Default 20,000. */
  readonly locksKeptMax?: number;
}

export interface Context {
  readonly settings: CoreSettings;
  readonly clock: LamportClock;
  /** The arbiters' time: what the node's clock ran. */
  readonly nowMs: number;
  /** The requesters' time: what the node's clock ran, and what the machine slept. */
  readonly requesterNowMs: number;
  /** Until when (in `nowMs`) this node's arbiters lend no vote: after a restart, and while their driver says so. Infinity while that is not known. */
  readonly silentUntilMs: number;
  /** Whether it knows which clock values it has used (memory.ts): before, it neither lends nor asks. */
  readonly takesPart: boolean;
  /** Whether its arbiters renew what they lent, and take back in what an earlier life lent: not while nodes of another configuration may begin. */
  readonly renews: boolean;
  /** Whom to ask. */
  readonly reach: Reach;
  /** A request of this very node that waits to steal the lock; or null. */
  thiefOf(lock: LockName): RequestId | null;
  /** To a peer as an effect; to this node itself by way of its own queue, within the same step. */
  send(to: NodeId, message: Message): void;
  emit(effect: Effect): void;
  /** Drop a message, for a reason that has a name. */
  ignore(from: NodeId, message: Message, reason: string): void;
}
