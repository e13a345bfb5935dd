/**
 * Which nodes lend their votes, as far as one of them knows, and why the others do not: for people, probes and messages.
 * Law: nothing is decided by it. Whom to ask for a vote is the core's to say.
 */
import { apartForMs, inspectLending, inspectNode, isMute } from '../core';
import type { Candidacy, LockNode, NodeId } from '../core';

/** Why a node lends no vote now. */
export type WhyNoVote =
  | { readonly kind: 'down'; readonly reason: string }
  /** Votes that it lent before it restarted may be on loan. */
  | { readonly kind: 'silent'; readonly forMs: number }
  /** It has no memory, and learns from its peers first. */
  | { readonly kind: 'learns' }
  /** Too few nodes of its configuration are up; or it makes sure first that nobody serves under another one. */
  | { readonly kind: 'has not begun' }
  | { readonly kind: 'cannot write'; readonly reason: string }
  /** Another process uses its id: these peers are connected to that one, or were within the last lease. */
  | { readonly kind: 'another process'; readonly at: readonly NodeId[] };

/** What a node knows of who lends votes. */
export interface Lending {
  /** Of each node that lends no vote, why. A node that is not named lends, as far as is known. */
  readonly why: ReadonlyMap<NodeId, WhyNoVote>;
  /** Its own callers may ask for locks: it has a memory, or has learned. */
  readonly mayAsk: boolean;
}

export interface LendingParts {
  readonly id: NodeId;
  readonly core: LockNode;
  readonly candidacy?: Candidacy | undefined;
  readonly nowMs: number;
  /** Peers that are not connected, and why. */
  readonly down: ReadonlyMap<NodeId, string>;
  /** Why the data directory could not be written the last time; null when it was. */
  readonly storageFault: string | null;
  /** Why it could not be written there under which terms the node lends; null when it was, or need not be yet. */
  readonly termsFault: string | null;
  /** Peers that are connected to another process of this node's id. */
  readonly namesakeAt: ReadonlySet<NodeId>;
}

export function lendingOf({ id, core, candidacy, nowMs, down, storageFault, termsFault, namesakeAt }: LendingParts): Lending {
  const why = new Map<NodeId, WhyNoVote>();
  const { isLending, takesPart, silentUntilMs } = inspectLending(core);
  for (const [node, untilMs] of silentUntilMs) if (node !== id && untilMs > nowMs) why.set(node, { kind: 'silent', forMs: untilMs - nowMs });
  for (const [node, reason] of down) why.set(node, { kind: 'down', reason });
  const { clock, ceiling } = inspectNode(core);
  // While clock values are left it goes on.
  const usedUp = isMute(core, nowMs) ? (storageFault ?? 'its disk does not answer') : clock >= ceiling ? storageFault : null;
  const unwritten = usedUp ?? termsFault;
  if (unwritten !== null) {
    why.set(id, { kind: 'cannot write', reason: unwritten });
  } else if (apartForMs(core, nowMs) > 0) {
    why.set(id, { kind: 'another process', at: [...namesakeAt].sort() });
  } else if (!isLending) {
    const forMs = candidacy?.silentForMs(nowMs) ?? (silentUntilMs.get(id) ?? nowMs) - nowMs;
    why.set(id, forMs > 0 ? { kind: 'silent', forMs } : { kind: takesPart ? 'has not begun' : 'learns' });
  }
  return { why, mayAsk: takesPart && usedUp === null };
}
