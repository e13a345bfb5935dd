/** What can go wrong in a requester: planted bugs in requester.ts, and in its votes, its lease times and how it asks. */
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

/** Callers of each node in line for one lock, mostly to read. */
const LONG_LINES: RunOptions = { nodes: 3, locks: 1, callers: 5, sharedShare: 0.9, leaseMs: 1000, faults: {} };

export const REQUESTER_MUTANTS: readonly Mutant[] = [
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
    caughtBy: ['lease-inside'],
  },
  {
    name: 'votes-never-expire',
    what: 'votes that ran out count when the last one comes',
    changes: [votes('if (vote.validUntilMs > nowMs) continue;', 'continue;')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'ran-out-and-back',
    what: 'a grant that ran out in hand counts again when a late renewal of it comes',
    changes: [votes('this.raiseFloor(arbiter, vote.number);\n    }', '}')],
    caughtBy: VOTE_LENT_TWICE,
    hunt: { faults: { crash: 15, spike: 0.1, late: 0.3 } },
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
    changes: [requester("if (message.contender.claim !== 'steals') return;", "if (message.contender.claim !== 'steals') return sendYield(this.context, from, this.lock, request, message.grant);")],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'never-yields',
    what: 'whoever waits keeps its votes',
    changes: [requester('if (!hasPriority(message.contender, { request: request.id, claim: claimOf(request.steals, false) })) {', 'if (message.grant > 0) {')],
    caughtBy: ['deadlock'],
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
    caughtBy: TOKEN_FALLS,
  },
  {
    name: 'token-not-in-release',
    what: 'the clock does not go up to the token, so that a Release does not tell it',
    changes: [requester('this.context.clock.reach(token);\n', '')],
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
    changes: [requester('entry.token + 1 > entry.tokenMax', 'entry.token < 0')],
    caughtBy: TOKEN_FALLS,
  },
  {
    name: 'token-room-of-the-best-vote',
    what: 'how many tokens there are is read off the vote with the highest clock',
    changes: [
      votes('tokenMax: lowestClock(usable) + slack', 'tokenMax: highestClock(usable) + slack'),
      votes('return lowestClock(this.inHand) + this.', 'return highestClock(this.inHand) + this.'),
    ],
    caughtBy: TOKEN_FALLS,
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
    caughtBy: TOKEN_FALLS,
    hunt: CLOCKS_APART,
  },
  {
    name: 'room-above-the-token',
    what: 'a holder takes tokens up to SLACK above its first one, not above the lowest clock of its votes',
    changes: [votes('tokenMax: lowestClock(usable) + slack', 'tokenMax: token + slack')],
    caughtBy: TOKEN_FALLS,
  },
  {
    name: 'mode-ignored-on-reentry',
    what: 'a writer enters under the grants of a reader',
    changes: [
      requester('if (first.mode !== request.mode || request.contended', 'if (request.contended'),
      requester('const { mode } = phase.request;', 'const mode = line[0]?.mode ?? phase.request.mode;'),
    ],
    caughtBy: ['exclusion'],
  },
  {
    name: 'hand-over-starves-others',
    what: 'a lock passes from one local caller to the next while other nodes wait',
    changes: [
      requester('first.mode !== request.mode || request.contended ||', 'first.mode !== request.mode ||'),
      requester('if (request.keep && !request.contended && mayKeep) {', 'if (request.keep && (!request.contended || this.line.length > 0) && mayKeep) {'),
    ],
    caughtBy: ['progress'],
    hunt: LONG_LINES,
  },
  {
    name: 'contention-not-noted',
    what: 'an Inquire that cannot be answered is forgotten',
    changes: [requester('request.contended = true;\n', '')],
    caughtBy: ['progress'],
  },
  {
    name: 'readers-ride-for-ever',
    what: 'local readers join those inside while a writer waits elsewhere',
    changes: [requester("phase.request.mode === 'shared' && !phase.request.contended", "phase.request.mode === 'shared'")],
    caughtBy: ['progress'],
    hunt: LONG_LINES,
  },
  {
    name: 'kept-lock-does-not-answer',
    what: 'an Inquire for a lock that is kept but not used gets no answer',
    changes: [requester("case 'retained':\n        this.end(request);\n        return this.joinOrAdvance();\n      case 'waiting':\n        if (", "case 'retained':\n        return;\n      case 'waiting':\n        if (")],
    caughtBy: ['progress'],
  },
  {
    name: 'ends-without-release',
    what: 'no Release is sent when a request is over',
    changes: [requester('for (const arbiter of request.asked) sendRelease(this.context, arbiter, this.lock, request.id.timestamp);', '')],
    caughtBy: ['progress'],
  },
  {
    name: 'cancelled-request-lives-on',
    what: 'the request of a caller that gave up stays in the protocol',
    changes: [requester("if (place === 0 && phase.state === 'waiting') this.end(phase.request);\n", '')],
    caughtBy: ['progress', 'no-residue'],
  },
  {
    name: 'timestamp-not-ticked',
    what: 'two callers in a row get one timestamp',
    changes: [requester('timestamp: this.context.clock.tick(), steals: steals', 'timestamp: this.context.clock.now, steals: steals')],
    caughtBy: ['request-unique'],
  },
  {
    name: 'request-id-used-again',
    what: 'a request that made way for one that steals comes back under its old timestamp',
    changes: [requester('if (first !== undefined) line.unshift({ ...first, timestamp: this.context.clock.tick() });', 'if (first !== undefined) line.unshift(first);')],
    caughtBy: ['request-unique'],
  },
  {
    name: 'no-retry',
    what: 'whoever waits asks once',
    changes: [requester("case 'waiting':\n        return this.repeatAtMs(phase);", "case 'waiting':\n        return Infinity;")],
    caughtBy: ['progress'],
  },
  {
    name: 'no-renewal',
    what: 'a holder does not renew its grants',
    changes: [requester('Math.min(this.repeatAtMs(phase), phase.validUntilMs)', 'phase.validUntilMs')],
    caughtBy: ['keeps'],
  },
  {
    name: 'enters-again-at-the-last-moment',
    what: 'a kept lock is entered again however little of its lease is left',
    changes: [requester('entry.token + 1 > entry.tokenMax || endsSoon)', 'entry.token + 1 > entry.tokenMax)')],
    caughtBy: ['keeps'],
    hunt: { profile: 'frugal' },
  },
  {
    name: 'two-writers-of-one-node',
    what: 'all local callers in line are let in at once',
    changes: [requester("(mode === 'shared' || phase.inside.length === 0)", 'phase.inside.length >= 0')],
    caughtBy: ['exclusion'],
  },
  {
    name: 'first-reader-out-ends-all',
    what: 'the first local reader that leaves gives the lock back for all',
    changes: [requester('if (phase.inside.length === 0) this.leave(phase, mayKeep);', 'this.leave(phase, mayKeep);')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'released-by-a-stranger',
    what: 'a caller that holds no lock any more takes it from the one that does',
    changes: [requester('if (seat >= 0) phase.inside.splice(seat, 1);', 'phase.inside.splice(seat, 1);')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'sleep-does-not-end-holds',
    what: 'those inside are not told what a sleep of the machine took off their lease',
    changes: [requester("if (this.phase.state === 'held') this.tellRenewed(this.phase);\n", '')],
    caughtBy: ['lost-at-once'],
  },
  {
    name: 'theft-refused',
    what: 'a holder takes the Inquire for one that steals for one that it need not answer',
    changes: [requester("if (message.contender.claim !== 'steals') return;", 'return;')],
    caughtBy: ['progress'],
    hunt: { profile: 'calm' },
  },
  {
    name: 'thief-does-not-ask-again',
    what: 'one that steals does not ask, when it enters, whether another one that steals waits',
    changes: [requester('if (request.steals) askAll(this.context, this.lock, held);', '')],
    caughtBy: ['progress'],
    hunt: { profile: 'calm' },
  },
  {
    name: 'theft-refused-at-home',
    what: 'a caller that steals waits until those inside at its own node leave',
    changes: [requester('this.takeAway(phase, { node: this.context.settings.self, caller: caller.id });\n    }\n    line.unshift', '}\n    line.unshift')],
    caughtBy: ['progress'],
    hunt: { profile: 'calm' },
  },
  {
    name: 'theft-waits-in-line',
    what: 'a caller that steals stands in line behind the others of its node',
    changes: [requester('    line.unshift(caller);\n  }', '    line.push(caller);\n  }')],
    caughtBy: ['progress'],
    hunt: { profile: 'calm' },
  },
  {
    name: 'stolen-in-silence',
    what: 'those inside are not told that the lock was stolen',
    changes: [requester('this.context.emit(thief === undefined ? { kind, lock, caller: id } : { kind, lock, caller: id, thief });', 'if (thief === undefined) this.context.emit({ kind, lock, caller: id });')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'recalled-is-free',
    what: 'what is taken from a caller in another process is free before that has heard of it',
    changes: [requester('if (recalled.size === 0) this.end(request);', 'if (recalled.size >= 0) this.end(request);')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'recalled-from-the-first',
    what: 'a lock recalled from several is free when the first of them has given it back',
    changes: [requester('if (phase.inside.size === 0) {\n        this.end', 'if (phase.inside.size >= 0) {\n        this.end')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'recalled-goes-to-whoever-asks',
    what: 'an Inquire for a lock that was recalled is answered as if it had been given back',
    changes: [requester("      case 'recalled': // It is released when the callers have given it back.\n", "      case 'recalled':\n        return this.end(request);\n")],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'recalled-for-ever',
    what: 'a lock that was recalled and given back stays where it is',
    changes: [requester('        this.end(phase.request);\n        this.joinOrAdvance();\n', '        this.joinOrAdvance();\n')],
    caughtBy: ['progress', 'no-residue'],
  },
  {
    name: 'recalled-votes-yielded',
    what: 'a vote of a lock that was recalled is given back when its Grant comes again',
    changes: [requester("if (phase.state === 'recalled') return this.context.ignore(from, message, 'lock was recalled');", ''),
      requester("      case 'waiting':\n        votes.count(", "      case 'recalled':\n        return;\n      case 'waiting':\n        votes.count(")],
    caughtBy: VOTE_LENT_TWICE,
    // Sleep that is none makes the node think that the vote ran out, and a copy of its Grant comes late.
    hunt: { faults: { jump: 10, duplicate: 0.5, deaf: 1, late: 0.5, echo: 40, linger: 0.4 } },
  },
  {
    name: 'asks-everyone',
    what: 'every node is asked, not a quorum',
    changes: [requester('asked: [...reach.preferredQuorum],', 'asked: [...settings.coterie.nodes],')],
    caughtBy: ['frugal'],
  },
  {
    name: 'gives-back-at-once',
    what: 'nothing is kept after a release',
    changes: [requester('if (request.keep && !request.contended && mayKeep) {', 'if (this.noKeepUntilMs < 0) {')],
    caughtBy: ['frugal'],
  },
  {
    name: 'renews-what-nobody-uses',
    what: 'every Grant is asked for twice',
    changes: [requester('this.phase = phase;\n    askAll(', 'this.phase = phase;\n    askAll(this.context, this.lock, phase);\n    askAll(')],
    caughtBy: ['frugal'],
  },
  {
    name: 'keeps-what-others-want',
    what: 'a lock that others wait for is kept after its release',
    changes: [requester('if (request.keep && !request.contended && mayKeep) {', 'if (request.keep && mayKeep) {')],
    caughtBy: ['progress'],
  },
  {
    name: 'never-widens',
    what: 'nobody but the voting set is asked, whoever is down',
    changes: [asking('if (asked.includes(node)) continue;', 'if (asked.length > 0) continue;')],
    caughtBy: ['progress'],
  },
  {
    name: 'waits-for-the-dead',
    what: 'whoever waits asks no others when those asked go down',
    changes: [requester("if (phase.state !== 'waiting' && phase.state !== 'held') return;\n    askToo(", "if (phase.state !== 'held') return;\n    askToo(")],
    caughtBy: ['progress'],
  },
  {
    name: 'holder-asks-no-others',
    what: 'whoever is inside asks no others when those asked go down, or others wait, or nothing is renewed',
    changes: [
      requester("if (phase.state !== 'waiting' && phase.state !== 'held') return;\n    askToo(", "if (phase.state !== 'waiting') return;\n    askToo("),
      requester('if (needsOthers) askToo(this.context, this.context.reach.everybody(), this.lock, phase);\n', ''),
    ],
    caughtBy: ['keeps'],
  },
  {
    name: 'holder-trusts-who-is-up',
    what: 'whoever is inside asks no others while those asked are up, although one of them renews nothing',
    changes: [requester('return request.contended || validUntilMs < request.askedAtMs + validForMs(this.context.settings);', 'return request.contended && validUntilMs > 0;')],
    caughtBy: ['keeps'],
    hunt: { profile: 'steadfast' },
  },
  {
    name: 'holder-spreads-too-late',
    what: 'whoever is inside asks everybody only when nothing is renewed, not as soon as others wait',
    changes: [requester('return request.contended || validUntilMs <', 'return validUntilMs <')],
    caughtBy: ['keeps'],
    hunt: { profile: 'steadfast' },
  },
  {
    name: 'holder-asks-as-if-it-waited',
    what: 'a Request of a holder does not say that its caller is inside',
    changes: [asking("claimOf(request.steals, state === 'held')", 'claimOf(request.steals, false)')],
    caughtBy: ['keeps'],
    hunt: { profile: 'steadfast' },
  },
  {
    name: 'holds-from-the-first',
    what: 'every Request says that its caller is inside',
    changes: [asking("claimOf(request.steals, state === 'held')", 'claimOf(request.steals, true)')],
    caughtBy: ['fairness', 'deadlock', 'progress'],
  },
  {
    name: 'renews-where-it-began',
    what: 'a hold is prolonged only by the arbiters that it began with',
    changes: [votes('if (this.voteOf(from, message).clock + this.settings.slack < token)', 'if (!this.inHand.has(from) || this.voteOf(from, message).clock + this.settings.slack < token)')],
    caughtBy: ['keeps'],
  },
];
