/** What can go wrong with votes in hand and what they allow: validity, floors, tokens. Planted bugs in votes.ts and around it. */
import type { RunOptions } from '../plan/draw';
import { inFile, TOKEN_FALLS, VOTE_LENT_TWICE } from './mutant';
import type { Mutant } from './mutant';

const asking = inFile('asking');
const leaseTimes = inFile('lease-times');
const requester = inFile('requester');
const votes = inFile('votes');

/** Clocks that are hardly ever together, and votes that come late: from nodes asked beside the voting set. */
const CLOCKS_APART: RunOptions = {
  nodes: 3, locks: 3, callers: 3, slack: 8, leaseMs: 1000, durationMs: 20_000,
  faults: { suspect: 60, spike: 0.2, oneway: 10, linger: 0.5 },
};

export const VOTE_MUTANTS: readonly Mutant[] = [
  {
    name: 'vote-counted-twice',
    what: 'every Grant counts as a vote, also the second from one arbiter',
    changes: [
      votes("if (!coterie.containsQuorum(inHand)) return 'no quorum';", [
        'this.heard = (this.heard ?? 0) + 1;',
        "if (this.heard < coterie.votingSet(this.settings.self).length) return 'no quorum';",
      ].join('\n')),
    ],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'one-vote-too-few',
    what: 'a quorum less one is enough',
    changes: [
      votes("if (!coterie.containsQuorum(inHand)) return 'no quorum';", [
        'const enough = Math.max(1, coterie.votingSet(this.settings.self).length - 1);',
        "if (inHand.size < enough) return 'no quorum';",
      ].join('\n')),
    ],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'no-margin',
    what: 'nothing is taken off the lease for drift',
    changes: [leaseTimes('return Math.ceil(leaseMs * driftMax) + CLOCK_RESOLUTION_MS;', 'return 0;')],
    caughtBy: ['lease-inside'],
  },
  {
    name: 'no-margin-for-drift',
    what: 'the margin covers the cut-off milliseconds alone',
    changes: [leaseTimes('return Math.ceil(leaseMs * driftMax) + CLOCK_RESOLUTION_MS;', 'return CLOCK_RESOLUTION_MS;')],
    caughtBy: ['lease-inside'],
  },
  {
    name: 'valid-as-the-longest-vote',
    what: 'a hold lasts as long as its longest vote',
    changes: [votes('if (first === last) return first; // As a rule: all were asked at once.', 'return last;')],
    caughtBy: ['lease-inside', 'valid-as-heard'],
  },
  {
    name: 'ran-out-and-back',
    what: 'a grant that ran out in hand counts again when a late renewal of it comes',
    changes: [votes('this.raiseFloor(arbiter, vote.number);\n    }', '}')],
    caughtBy: VOTE_LENT_TWICE,
    hunt: { nodes: 3, locks: 1, leaseMs: 200, faults: { crash: 15, spike: 0.1, late: 0.3, isolate: 4 } },
  },
  {
    name: 'lost-in-silence',
    what: 'those inside are not told that their grants ran out',
    changes: [requester('this.context.emit(thief === undefined ? { kind, lock, caller: id } : { kind, lock, caller: id, thief });', 'if (thief !== undefined) this.context.emit({ kind, lock, caller: id, thief });')],
    caughtBy: ['lost-at-once'],
  },
  {
    name: 'never-lost',
    what: 'a holder keeps the lock when its grants ran out',
    changes: [
      requester('this.context.requesterNowMs < phase.validUntilMs) return;', "phase.state === 'held' || this.context.requesterNowMs < phase.validUntilMs) return;"),
      requester('Math.min(this.repeatAtMs(phase), phase.validUntilMs)', 'this.repeatAtMs(phase)'),
    ],
    caughtBy: ['lost-at-once'],
  },
  {
    name: 'holder-yields',
    what: 'a holder gives its vote back to an older contender',
    changes: [requester("if (message.contender.claim !== 'steals') return this.spread(phase);", "if (message.contender.claim !== 'steals') return sendYield(this.context, from, this.lock, request, message.grant);")],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'never-yields',
    what: 'whoever waits keeps its votes',
    changes: [requester('if (!hasPriority(message.contender, { request: request.id, claim: claimOf(request.steals, false) })) {', 'if (message.grant > 0) {')],
    caughtBy: ['deadlock', 'asks-back', 'answers'],
  },
  {
    name: 'floor-not-raised',
    what: 'a grant that was given back has no floor above it',
    changes: [votes('this.raiseFloor(arbiter, number);\n', '')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'floor-lowered',
    what: 'a late Inquire lowers the floor',
    changes: [votes('Math.max(this.floors.get(arbiter) ?? 0, number)', 'number')],
    caughtBy: VOTE_LENT_TWICE,
    hunt: { nodes: 4, faults: { late: 0.3, duplicate: 0.5, reorder: 0.5 } },
  },
  {
    name: 'vote-kept-after-yield',
    what: 'a vote that was given back stays in hand',
    changes: [votes('if (vote !== undefined && vote.number <= number) this.inHand.delete(arbiter);\n', '')],
    caughtBy: ['floor-holds'],
  },
  {
    name: 'vote-kept-after-yield-unasserted',
    what: 'the same without a floor, so that no assertion says so',
    changes: [
      votes('if (vote !== undefined && vote.number <= number) this.inHand.delete(arbiter);\n', ''),
      votes('this.raiseFloor(arbiter, number);\n', ''),
    ],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'token-above-one-vote',
    what: 'a token exceeds the lowest clock of its votes, not the highest',
    changes: [votes('const token = highest + 1;', 'const token = lowestClock(inHand) + 1;')],
    caughtBy: TOKEN_FALLS,
  },
  {
    name: 'token-without-slack-rule',
    what: 'votes whose clocks are too far apart are used together',
    changes: [votes('if (token > lowestClock(inHand) + slack) {', 'if (token < 0) {')],
    caughtBy: [...TOKEN_FALLS, 'within-room'],
  },
  {
    name: 'token-not-in-release',
    what: 'the clock does not go up to the token, so that a Release does not tell it',
    changes: [requester('this.context.clock.reach(token);\n    const sinceMs', 'const sinceMs')],
    caughtBy: TOKEN_FALLS,
    // It takes one that enters again and again, and nothing else that makes clocks rise.
    hunt: { faults: {}, locks: 1 },
  },
  {
    name: 'release-without-clock',
    what: 'a Release carries the clock of its request, not one as high as the token',
    changes: [asking("kind: 'release', lock, clock: context.clock.now,", "kind: 'release', lock, clock: timestamp,")],
    caughtBy: TOKEN_FALLS,
  },
  {
    name: 'same-token-again',
    what: 'entering again takes the token of the last entry',
    changes: [requester('this.enter(request, entry, entry.token + 1);', 'this.enter(request, entry, entry.token);')],
    caughtBy: TOKEN_FALLS,
  },
  {
    name: 'token-room-ignored',
    what: 'entering again takes tokens beyond what the votes allow',
    changes: [requester('entry.token + 1 <= entry.tokenMax', 'entry.token > 0')],
    caughtBy: [...TOKEN_FALLS, 'within-room'],
  },
  {
    name: 'token-room-of-the-best-vote',
    what: 'how many tokens there are is read off the vote with the highest clock',
    changes: [
      votes('tokenMax: lowestClock(usable) + slack', 'tokenMax: highestClock(usable) + slack'),
      votes('return lowestClock(this.inHand) + this.', 'return highestClock(this.inHand) + this.'),
    ],
    caughtBy: [...TOKEN_FALLS, 'within-room'],
  },
  {
    name: 'late-vote-below-token',
    what: 'a vote that comes while the lock is held counts, however far its clock is behind the token',
    changes: [votes('if (this.voteOf(from, message).clock + this.settings.slack < token)', 'if (token < 0)')],
    caughtBy: TOKEN_FALLS,
    hunt: CLOCKS_APART,
  },
  {
    name: 'unusable-votes-kept',
    what: 'votes whose clocks were too far behind to enter with count for how long the lock is held',
    changes: [votes('if (usable.has(arbiter)) continue;', 'continue;')],
    caughtBy: [...TOKEN_FALLS, 'within-room'],
    hunt: CLOCKS_APART,
  },
  {
    name: 'room-above-the-token',
    what: 'a holder takes tokens up to SLACK above its first one, not above the lowest clock of its votes',
    changes: [votes('tokenMax: lowestClock(usable) + slack', 'tokenMax: token + slack')],
    caughtBy: [...TOKEN_FALLS, 'within-room'],
  },
];
