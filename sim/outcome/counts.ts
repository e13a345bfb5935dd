/**
 * The figures of a run, which add up over a sweep. Each safety check is worth something only beside the counts that
 * show that the situation came up at all.
 */

export interface Counts {
  entries: number;
  sharedEntries: number;
  /** Shared entries beside a shared holder on another node. */
  readersTogether: number;
  /** Entries without a message, under grants in hand. */
  reentries: number;
  renewals: number;
  lost: number;
  /** Wishes that took the lock from others, and holders that lost it so. */
  steals: number;
  stolen: number;
  recalled: number;
  cancels: number;
  requests: number;
  grants: number;
  releases: number;
  inquires: number;
  yields: number;
  /** Grants that said that someone incompatible waits. */
  contended: number;
  /** Requests to nodes outside the voting set. */
  widened: number;
  /** Grants of an earlier life that an arbiter took back in. */
  adopted: number;
  /** A node's clock went on by more than SLACK between two messages that it sent. */
  clockJumps: number;
  crashes: number;
  stops: number;
  wipes: number;
  /** Files lost while the wall clock was behind the Lamport clock: only peers can tell what tokens are in use. */
  wipesNotCovered: number;
  /** Holds of callers in another process that keep their locks. */
  kept: number;
  /** Of these the ones that heard that somebody else wants the lock. */
  calledIn: number;
  /** Entries of a caller in another process that might pass the lock on. */
  mayPass: number;
  /** Times that one did. */
  passed: number;
  /** Nodes without memory that learned from their peers. */
  learned: number;
  /** And those that had to do with their wall clock. */
  restedOnWallClock: number;
  restarts: number;
  pauses: number;
  sleeps: number;
  partitions: number;
  peerDowns: number;
  messagesLost: number;
  messagesDuplicated: number;
  /** Messages of some time ago that were sent again. */
  messagesEchoed: number;
  messagesOvertaken: number;
  /** Messages that a partition or a dead node swallowed. */
  messagesCut: number;
  /** Messages for which a link that held its messages back had no room. */
  messagesOverflowed: number;
  /** Restarts with a ceiling file older than the last. */
  staleFiles: number;
  /** Starts that were refused because the ceiling file was corrupt. */
  corruptFiles: number;
  /** Ceilings that waited for a full disk. */
  ceilingsDelayed: number;
  /** Nodes that died while a ceiling was being written: before it was on disk, or before what waited for it was sent. */
  ceilingsCutShort: number;
  /** Wall clocks set forward. */
  jumps: number;
  /** Releases of what had been released already. */
  releasedTwice: number;
  /** Nodes that stayed failed when the others were healed. */
  lostForEver: number;
  /** Requests sent again by those who wait, and by those inside. The rest of `requests` were first ones. */
  repeats: number;
  renewalRequests: number;
  /** Writes to the resource that a lock protects, by tokens in order, and those that came too late and were refused. */
  writes: number;
  lateWrites: number;
  /** Requests by a holder to an arbiter that its request had not asked before. */
  widenedInside: number;
  /** In `steadfast` runs: holds given back after an arbiter that they began with had been away for a lease or longer; and holds lost that were not owed. */
  outlived: number;
  notOwed: number;
  /** A node dialled one that runs under another layout. */
  rivalsMet: number;
  /** A peer refused a process, because of another one of its id; and entries beside a holder, where the two need not hear of each other. */
  namesakesRefused: number;
  /** A node was started under another layout than it remembers, without the operator's act. */
  layoutsRefused: number;
  besideNamesakes: number;
  /** The votes of one layout were lent, and then those of another. */
  layoutChanges: number;
  /** Entries beside an incompatible holder, with clocks beyond the drift bound. */
  overlaps: number;
}

export function newCounts(): Counts {
  return {
    entries: 0, sharedEntries: 0, readersTogether: 0, reentries: 0, renewals: 0, lost: 0, steals: 0, stolen: 0, recalled: 0, cancels: 0,
    requests: 0, grants: 0, releases: 0, inquires: 0, yields: 0,
    contended: 0, widened: 0, adopted: 0, clockJumps: 0,
    crashes: 0, stops: 0, wipes: 0, wipesNotCovered: 0, kept: 0, calledIn: 0, mayPass: 0, passed: 0, learned: 0, restedOnWallClock: 0, restarts: 0, pauses: 0, sleeps: 0,
    partitions: 0, peerDowns: 0, messagesLost: 0, messagesDuplicated: 0, messagesEchoed: 0, messagesOvertaken: 0, messagesCut: 0,
    messagesOverflowed: 0, staleFiles: 0, corruptFiles: 0, ceilingsDelayed: 0, ceilingsCutShort: 0, jumps: 0, releasedTwice: 0, lostForEver: 0,
    repeats: 0, renewalRequests: 0, writes: 0, lateWrites: 0, rivalsMet: 0, namesakesRefused: 0, layoutsRefused: 0, besideNamesakes: 0, layoutChanges: 0, overlaps: 0, widenedInside: 0, outlived: 0, notOwed: 0,
  };
}
