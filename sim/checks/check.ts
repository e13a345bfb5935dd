/**
 * The properties by name, and how a witness says that one is broken. Each has one witness in this room, but for
 * `deterministic`, for which a sweep runs a seed twice (protocol.md section 10).
 */

export type Check =
  /** No two incompatible holders at one true time. */
  | 'exclusion'
  /** For each lock, a token exceeds those of all earlier entries that it must not overlap. */
  | 'token-rises'
  /** A hold's token is one that its arbiters will exceed, whatever becomes of the holder. */
  | 'token-covered'
  /** A hold is never valid for longer than arbiters that form a quorum wait, in true time. */
  | 'lease-inside'
  /** Grant numbers of one arbiter are never used twice and rise, across restarts. */
  | 'grant-rises'
  /** Nothing is sent with a clock above the ceiling on disk. */
  | 'ceiling-holds'
  /** A hold that ran out is told so at that moment, for which its node has asked to be woken, and never comes back. */
  | 'lost-at-once'
  /** Only callers that wait are let in; only callers inside lose or renew. */
  | 'callers-known'
  /** Every waiting request of a live node is granted within a bound. */
  | 'progress'
  /** In `spaced` runs: a lock that is free and wanted is given at once, but for what the last fault may cost. */
  | 'prompt'
  /** After a restart an arbiter lends only with a clock above all tokens that its earlier life allowed. */
  | 'new-life'
  /** Callers of one node go in the order in which they asked, and the first in line has a request. */
  | 'in-line'
  /** Whoever keeps a lock hears at once that somebody else wants it. */
  | 'called-in'
  /** A lock is passed on to those alone that go first, and by its own client. */
  | 'passes-in-turn'
  /** Without faults: no message that no rule asks for. */
  | 'sparing'
  /** Whoever enters has a tenth of the lease or more before it. */
  | 'usable'
  /** With no request open, nothing is kept. */
  | 'no-residue'
  /** Without contention: 3(K-1) messages for a first entry, none for the next. */
  | 'frugal'
  /** Two runs of one seed are the same. */
  | 'deterministic'
  /** Nobody waits in a circle once all messages have arrived. */
  | 'deadlock'
  /** A request that its whole voting set knows is overtaken by few younger ones. */
  | 'fairness'
  /** An arbiter asks its vote back at once for a request that goes before the one that has it. */
  | 'asks-back'
  /** A requester answers a Grant or an Inquire as the law says, and says nothing else to it. */
  | 'answers'
  /** A hold, and what is kept, lasts for as long as the votes that were heard contain a quorum. */
  | 'valid-as-heard'
  /** A vote that is free and wanted is lent at once, and one whose lease has ended is lent no longer. */
  | 'lends-on'
  /** A node that has heard of others lets nobody enter again, and keeps no grants. */
  | 'gives-way'
  /** What is open is repeated to a peer that comes up. */
  | 'greets'
  /** The node of a thief that waits tells holders so, and holders ask it. */
  | 'orders'
  /** With faults, too: nobody is asked, and no Release sent, but as the law says. */
  | 'whom-to-ask'
  /** A token is within the room that all votes in hand leave, and a kept lock is entered again. */
  | 'within-room'
  /** A node asks for its next ceiling in time, and for no more than a block. */
  | 'ceiling-in-time'
  /** With faults, too: no vote is lent past an older request that its arbiter knows, and nobody asks with a timestamp below what its node had heard. */
  | 'overtaken'
  /** A holder that others wait for asks all arbiters that its node takes for up. */
  | 'spreads'
  /** An arbiter that is not told of the end of a grant lends on above all tokens that it allowed. */
  | 'jumps'
  /** No Request is repeated too late, or too often; without faults none before it is due. */
  | 'when-due'
  /** A resource that looks at tokens accepts no write of a holder that was already followed. */
  | 'fenced'
  /** Nobody loses a lock that was not stolen: without faults never, and in `steadfast` runs not while a quorum lives. */
  | 'keeps'
  /** A holder is robbed only for a request that waited for the lock when the hold had begun. */
  | 'stolen-for-somebody'
  /** Nodes of two layouts do not both lend their votes, each with a quorum. */
  | 'one-configuration'
  /** A process that a peer refused, because of another one of its id, neither lends nor asks. */
  | 'stands-apart'
  /** A Request is dropped for a reason that has a name, and refused only beyond what bounds an arbiter's memory. */
  | 'refused-clearly'
  /** No request is named like an earlier one. */
  | 'request-unique';

export class CheckError extends Error {
  override readonly name = 'CheckError';

  constructor(readonly check: Check, detail: string) {
    super(detail);
  }
}

export function violated(check: Check, detail: string): never {
  throw new CheckError(check, detail);
}
