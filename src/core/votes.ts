/**
 * The votes of one request: which grants count, until when, and which fencing tokens they allow.
 * Law: a grant at or below its arbiter's floor counts for nothing (floor-holds), and what ran out or was given back never
 * counts again. It sends nothing and asks nobody: reach.ts says whom to ask, requester.ts what follows from the votes.
 * Source: protocol.md sections 6 (floors, validity) and 7 (tokens).
 *
 * All times here are the requesters' time, as in requester.ts.
 */
import type { CoreSettings } from './context';
import { FewEntries } from './few';
import { broken } from './invariants';
import { validForMs } from './lease-times';
import type { Grant, LamportTime, NodeId, Token } from './messages';

/** A vote in hand. */
interface Vote {
  readonly number: LamportTime;
  readonly validUntilMs: number;
  /** The highest clock that came with this grant. */
  readonly clock: LamportTime;
  /** Who asked before this stands before all others of whom the arbiter said that they wait, or ask next. */
  readonly before: LamportTime;
}

type VotesOf = Pick<FewEntries<NodeId, Vote> | Map<NodeId, Vote>, 'size' | 'has' | 'keys' | 'values'>;

/** What a quorum of votes allows. */
export interface Entitlement {
  token: Token;
  /** The highest token that the votes in hand allow. */
  tokenMax: Token;
  /** Until when votes in hand contain a quorum. */
  validUntilMs: number;
}

export class Votes {
  private readonly inHand = new FewEntries<NodeId, Vote>();
  /** Per arbiter the highest grant number that does not count any more: it was given back, or ran out here. */
  private readonly floors = new FewEntries<NodeId, LamportTime>();

  constructor(private readonly settings: CoreSettings) {}

  /** Whose votes are in hand. */
  get arbiters(): NodeId[] {
    return [...this.inHand.keys()];
  }

  /** The highest token that the votes in hand allow: beyond it an arbiter would not jump far enough (protocol.md section 7). */
  get tokenMax(): Token {
    return lowestClock(this.inHand) + this.settings.slack;
  }

  /** Who asked before this stands before all others of whom the arbiters of these votes have said that they wait, or ask next. */
  get before(): LamportTime {
    let before = Infinity;
    for (const vote of this.inHand.values()) before = Math.min(before, vote.before);
    return before;
  }

  /** Who asked before this asked before any of these votes was last lent. */
  get lowestClock(): LamportTime {
    return lowestClock(this.inHand);
  }

  /** The number of a valid grant, to show to an arbiter that may have lost its memory; or null. */
  validGrantOf(arbiter: NodeId, nowMs: number): LamportTime | null {
    const vote = this.inHand.get(arbiter);
    return vote !== undefined && vote.validUntilMs > nowMs ? vote.number : null;
  }

  /** Whether a grant is at or below the floor: it was given back, or ran out here. */
  isGivenBack(from: NodeId, { grant }: Grant): boolean {
    const floor = this.floors.get(from);
    return floor !== undefined && grant <= floor;
  }

  /** Why a grant counts for nothing, whatever phase its request is in. */
  ignoreGrant(from: NodeId, message: Grant, nowMs: number): string | null {
    if (message.sentAtMs > nowMs) return 'answers a Request from the future';
    if (message.sentAtMs + validForMs(this.settings) <= nowMs) return 'lease ran out on the way';
    const vote = this.inHand.get(from);
    if (vote !== undefined && message.grant < vote.number) return 'grant is older than the one in hand';
    return null;
  }

  /**
   * Why a grant that comes while the lock is held does not count. Should this holder die, the arbiter jumps to just
   * above `clock + SLACK`; below the token that would be no protection.
   */
  ignoreBehind(token: Token, from: NodeId, message: Grant): string | null {
    if (this.voteOf(from, message).clock + this.settings.slack < token) return 'clock is too far behind the token';
    return null;
  }

  count(from: NodeId, message: Grant): void {
    this.inHand.set(from, this.voteOf(from, message));
  }

  /** An arbiter tells of one more that waits. Of that whose Grant is still to come the Grant tells too. */
  noteContender(arbiter: NodeId, timestamp: LamportTime): void {
    const vote = this.inHand.get(arbiter);
    if (vote !== undefined && timestamp < vote.before) this.inHand.set(arbiter, { ...vote, before: timestamp });
  }

  /** Take a vote out of hand, and every older one of this arbiter. It may come only now: the floor makes it harmless. */
  giveBack(arbiter: NodeId, number: LamportTime): void {
    this.raiseFloor(arbiter, number);
    const vote = this.inHand.get(arbiter);
    if (vote !== undefined && vote.number <= number) this.inHand.delete(arbiter);
  }

  /**
   * A grant that ran out here does not come back to life by a renewal: its arbiter may have lent the vote to
   * another, forgotten that in a crash, and believed a late Request of ours that still shows the grant.
   */
  dropExpired(nowMs: number): void {
    for (const [arbiter, vote] of this.inHand) {
      if (vote.validUntilMs > nowMs) continue;
      this.inHand.delete(arbiter);
      this.raiseFloor(arbiter, vote.number);
    }
  }

  /**
   * The token rule: T exceeds every clock of the quorum, and none by more than SLACK (protocol.md section 7). Votes whose clocks lie
   * too far behind the others' cannot be used with them: they are dropped when the others are enough.
   */
  entitlement(): Entitlement | 'no quorum' | 'clocks too far apart' {
    const { inHand } = this;
    const { coterie, slack } = this.settings;
    if (!coterie.containsQuorum(inHand)) return 'no quorum';
    const highest = highestClock(inHand);
    const token = highest + 1;
    let usable: VotesOf = inHand;
    if (token > lowestClock(inHand) + slack) {
      usable = new Map([...inHand].filter(([, vote]) => token <= vote.clock + slack));
      if (!coterie.containsQuorum(usable)) return 'clocks too far apart';
      for (const [arbiter, vote] of inHand) {
        if (usable.has(arbiter)) continue;
        inHand.delete(arbiter);
        this.raiseFloor(arbiter, vote.number);
      }
    }
    return { token, tokenMax: lowestClock(usable) + slack, validUntilMs: this.quorumValidUntilMs() };
  }

  /** Until when the votes in hand contain a quorum, if none is added. */
  quorumValidUntilMs(): number {
    let first = Infinity;
    let last = 0;
    for (const { validUntilMs } of this.inHand.values()) {
      first = Math.min(first, validUntilMs);
      last = Math.max(last, validUntilMs);
    }
    if (first === last) return first; // As a rule: all were asked at once.
    const { coterie } = this.settings;
    const lasting = new Set<NodeId>();
    for (const [arbiter, vote] of [...this.inHand].sort(([, a], [, b]) => b.validUntilMs - a.validUntilMs)) {
      lasting.add(arbiter);
      if (coterie.containsQuorum(lasting)) return vote.validUntilMs;
    }
    return first;
  }

  /** Whoever enters counts on these votes. */
  assertFloorHolds(): void {
    if (this.floors.size === 0) return;
    for (const [arbiter, vote] of this.inHand) {
      const floor = this.floors.get(arbiter);
      if (floor !== undefined && vote.number <= floor) broken('floor-holds', `${vote.number} of ${arbiter} was given back`);
    }
  }

  /** A grant as it would count: a renewal takes nothing away. Counted from the sending of the Request that it answers. */
  private voteOf(from: NodeId, message: Grant): Vote {
    const older = this.inHand.get(from);
    const isRenewal = older !== undefined && older.number === message.grant;
    return {
      number: message.grant,
      validUntilMs: Math.max(message.sentAtMs + validForMs(this.settings), isRenewal ? older.validUntilMs : 0),
      clock: Math.max(message.clock, isRenewal ? older.clock : 0),
      before: beforeOf(message),
    };
  }

  private raiseFloor(arbiter: NodeId, number: LamportTime): void {
    this.floors.set(arbiter, Math.max(this.floors.get(arbiter) ?? 0, number));
  }
}

/** An arbiter may say that others wait and not who. */
function beforeOf({ contended, contenderTimestamp = contended ? 0 : Infinity }: Grant): LamportTime {
  return contenderTimestamp;
}

function lowestClock(votes: VotesOf): LamportTime {
  let lowest = Infinity;
  for (const vote of votes.values()) lowest = Math.min(lowest, vote.clock);
  return lowest;
}

function highestClock(votes: VotesOf): LamportTime {
  let highest = 0;
  for (const vote of votes.values()) highest = Math.max(highest, vote.clock);
  return highest;
}
