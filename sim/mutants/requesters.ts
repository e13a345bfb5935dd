/** What can go wrong in a requester: planted bugs in requester.ts, in its lease times and in how it asks. */
import type { RunOptions } from '../plan/draw';
import { NO_BACKSTOP, inFile, VOTE_LENT_TWICE } from './mutant';
import type { Mutant } from './mutant';

const asking = inFile('asking');
const requester = inFile('requester');
const votes = inFile('votes');

/** Callers of each node in line for one lock, mostly to read. */
const LONG_LINES: RunOptions = { nodes: 3, locks: 1, callers: 5, sharedShare: 0.9, leaseMs: 1000, faults: {} };

/** Most callers are in another process, and keep their locks. */
const KEEPERS: RunOptions = { sharedShare: 0.1, faults: { deaf: 0.9 } };

/** Readers that join each other, and thieves that give up. */
const ROBBED_READERS: RunOptions = { nodes: 5, family: 'majority', locks: 1, callers: 4, sharedShare: 1, leaseMs: 2000, faults: { cancel: 0.9, steal: 0.3, oneway: 3 } };

/** Who is inside asks others with a repeat alone, and not as soon as it hears of contention. */
const AT_REPEATS_ALONE = requester('if (this.context.requesterNowMs - phase.sinceMs < this.context.settings.retryMs) return;', 'return;');

export const REQUESTER_MUTANTS: readonly Mutant[] = [
  {
    name: 'mode-ignored-on-reentry',
    what: 'a writer enters under the grants of a reader',
    changes: [
      requester('first.mode === request.mode && !request.contended && entry', '!request.contended && entry'),
      requester('const { mode } = phase.request;', 'const mode = line[0]?.mode ?? phase.request.mode;'),
    ],
    caughtBy: ['exclusion'],
  },
  {
    name: 'hand-over-starves-others',
    what: 'a lock passes from one local caller to the next while other nodes wait',
    changes: [
      requester('first.mode === request.mode && !request.contended && entry', 'first.mode === request.mode && entry'),
      requester('if (request.keep && !request.contended && mayKeep) {', 'if (request.keep && (!request.contended || this.line.length > 0) && mayKeep) {'),
    ],
    caughtBy: ['progress', 'gives-way'],
    hunt: LONG_LINES,
  },
  {
    name: 'contention-not-noted',
    what: 'an Inquire that cannot be answered is forgotten',
    changes: [requester('request.contended = true;\n', '')],
    caughtBy: ['progress', 'gives-way'],
  },
  {
    name: 'readers-ride-for-ever',
    what: 'local readers join those inside while a writer waits elsewhere',
    changes: [requester("phase.request.mode === 'shared' && !phase.request.contended", "phase.request.mode === 'shared'")],
    caughtBy: ['progress', 'gives-way'],
    hunt: LONG_LINES,
  },
  {
    name: 'kept-lock-does-not-answer',
    what: 'an Inquire for a lock that is kept but not used gets no answer',
    changes: [requester("case 'retained':\n        this.end(request);\n        return this.joinOrAdvance();\n      case 'waiting':\n        if (", "case 'retained':\n        return;\n      case 'waiting':\n        if (")],
    caughtBy: ['progress', 'gives-way'],
  },
  {
    name: 'ends-without-release',
    what: 'no Release is sent when a request is over',
    changes: [requester('for (const arbiter of request.asked) sendRelease(this.context, arbiter, this.lock, request.id.timestamp, this.line[0]?.timestamp);', '')],
    caughtBy: ['when-due', 'progress'],
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
    caughtBy: ['keeps', 'spreads', 'when-due'],
  },
  {
    name: 'enters-again-at-the-last-moment',
    what: 'a kept lock is entered again however little of its lease is left',
    changes: [requester('entry.token + 1 <= entry.tokenMax && this.isUsable(entry)', 'entry.token + 1 <= entry.tokenMax')],
    caughtBy: ['keeps', 'spreads', 'usable'],
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
    caughtBy: ['lost-at-once', 'valid-as-heard'],
  },
  {
    name: 'theft-refused',
    what: 'a holder takes the Inquire for one that steals for one that it need not answer',
    changes: [requester("if (message.contender.claim !== 'steals') return this.spread(phase);", 'return;')],
    caughtBy: ['progress', 'orders'],
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
    name: 'asks-thieves-again-and-again',
    what: 'a holder asks the node of a thief whenever it hears of that thief',
    changes: [requester('if (timestamp <= (phase.thievesHeardOf?.get(node) ?? -Infinity)) return;', '')],
    caughtBy: ['progress'],
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
    caughtBy: [...VOTE_LENT_TWICE, 'answers'],
    // Sleep that is none makes the node think that the vote ran out, and a copy of its Grant comes late.
    hunt: { faults: { jump: 10, duplicate: 0.5, deaf: 1, late: 0.5, echo: 40, linger: 0.4 } },
  },
  {
    name: 'asks-everyone',
    what: 'every node is asked, not a quorum',
    changes: [requester('asked: [...reach.preferredQuorum],', 'asked: [...settings.coterie.nodes],')],
    caughtBy: ['frugal', 'when-due'],
  },
  {
    name: 'gives-back-at-once',
    what: 'nothing is kept after a release',
    changes: [requester('if (request.keep && !request.contended && mayKeep) {', 'if (this.noKeepUntilMs < 0) {')],
    caughtBy: ['frugal', 'when-due'],
  },
  {
    name: 'renews-what-nobody-uses',
    what: 'every Grant is asked for twice',
    changes: [requester('this.phase = phase;\n    askAll(', 'this.phase = phase;\n    askAll(this.context, this.lock, phase);\n    askAll(')],
    caughtBy: ['frugal', 'when-due'],
  },
  {
    name: 'keeps-what-others-want',
    what: 'a lock that others wait for is kept after its release',
    changes: [requester('if (request.keep && !request.contended && mayKeep) {', 'if (request.keep && mayKeep) {')],
    caughtBy: ['progress', 'gives-way'],
  },
  {
    name: 'never-widens',
    what: 'nobody but the voting set is asked, whoever is down',
    changes: [asking('if (asked.includes(node)) continue;', 'if (asked.length > 0) continue;')],
    caughtBy: ['spreads', 'progress'],
  },
  {
    name: 'waits-for-the-dead',
    what: 'whoever waits asks no others when those asked go down, and nobody loses hope in those asked',
    changes: [NO_BACKSTOP, requester("if (phase.state !== 'waiting' && phase.state !== 'held') return;\n    askToo(", "if (phase.state !== 'held') return;\n    askToo(")],
    caughtBy: ['progress', 'whom-to-ask'],
  },
  {
    name: 'holder-asks-no-others',
    what: 'whoever is inside asks no others when those asked go down, or others wait, or nothing is renewed',
    changes: [
      requester("if (phase.state !== 'waiting' && phase.state !== 'held') return;\n    askToo(", "if (phase.state !== 'waiting') return;\n    askToo("),
      requester('if (needsOthers) askToo(this.context, this.context.reach.everybody(), this.lock, phase);\n', ''),
    ],
    caughtBy: ['keeps', 'spreads'],
  },
  {
    name: 'holder-trusts-who-is-up',
    what: 'whoever is inside asks no others while those asked are up, although one of them renews nothing',
    changes: [
      AT_REPEATS_ALONE,
      requester('return request.contended || !request.keep || validUntilMs < request.askedAtMs + validForMs(this.context.settings);', 'return request.contended && validUntilMs > 0;'),
    ],
    caughtBy: ['keeps', 'spreads'],
    hunt: { profile: 'spaced' },
  },
  {
    name: 'holder-spreads-too-late',
    what: 'whoever is inside asks everybody only when nothing is renewed, not as soon as others wait',
    changes: [AT_REPEATS_ALONE, requester('return request.contended || !request.keep || validUntilMs <', 'return validUntilMs <')],
    caughtBy: ['keeps', 'spreads'],
    hunt: { profile: 'steadfast' },
  },
  {
    name: 'holder-asks-as-if-it-waited',
    what: 'a Request of a holder does not say that its caller is inside',
    changes: [asking("claimOf(request.steals, state === 'held')", 'claimOf(request.steals, false)')],
    caughtBy: ['keeps', 'spreads'],
    hunt: { profile: 'steadfast' },
  },
  {
    name: 'holds-from-the-first',
    what: 'every Request says that its caller is inside',
    changes: [asking("claimOf(request.steals, state === 'held')", 'claimOf(request.steals, true)')],
    caughtBy: ['fairness', 'asks-back', 'deadlock', 'progress'],
  },
  {
    name: 'renews-where-it-began',
    what: 'a hold is prolonged only by the arbiters that it began with',
    changes: [votes('if (this.voteOf(from, message).clock + this.settings.slack < token)', 'if (!this.inHand.has(from) || this.voteOf(from, message).clock + this.settings.slack < token)')],
    caughtBy: ['keeps', 'spreads'],
  },
  {
    name: 'thief-by-hearsay',
    what: 'a holder obeys whoever says that a thief waits',
    changes: [requester('return from === contender.request.node && sentAtMs >= lastEntryAtMs;', 'return contender !== null || from === null || sentAtMs >= lastEntryAtMs;')],
    caughtBy: ['stolen-for-somebody'],
  },
  {
    name: 'thief-by-an-old-answer',
    what: 'a holder obeys an order from before it entered',
    changes: [requester('contender.request.node && sentAtMs >= lastEntryAtMs;', 'contender.request.node && sentAtMs >= 0 * lastEntryAtMs;')],
    caughtBy: ['stolen-for-somebody'],
  },
  {
    name: 'reader-robbed-by-an-old-answer',
    what: 'a reader that joined obeys an order from before it entered',
    changes: [requester('    phase.lastEntryAtMs = this.context.requesterNowMs;\n', '')],
    caughtBy: ['stolen-for-somebody'],
    hunt: ROBBED_READERS,
  },
  {
    name: 'keeper-not-called-in',
    what: 'a caller that keeps a lock does not hear of an Inquire for it',
    changes: [requester('    this.noteContention(phase.request);\n    this.callIn();\n', '    this.noteContention(phase.request);\n')],
    caughtBy: ['called-in'],
    hunt: KEEPERS,
  },
  {
    name: 'keeper-not-called-in-by-a-grant',
    what: 'a caller that keeps a lock does not hear that a Grant tells of others',
    changes: [requester('    if (message.contended) this.noteContention(request);\n    this.callIn();\n', '    if (message.contended) this.noteContention(request);\n')],
    caughtBy: ['called-in'],
    hunt: { ...KEEPERS, faults: { deaf: 0.9, loss: 0.3 } },
  },
  {
    name: 'keeper-not-called-in-by-its-neighbour',
    what: 'a caller that keeps a lock does not hear that another of its node wants it',
    changes: [requester('    else this.line = withLast(this.line, caller);\n    this.callIn();\n', '    else this.line = withLast(this.line, caller);\n')],
    caughtBy: ['called-in'],
    hunt: KEEPERS,
  },
  {
    name: 'room-though-others-wait',
    what: 'a caller is told that it may keep a lock that others wait for',
    changes: [requester('const isWanted = !request.keep || request.contended || this.line.length > 0;', 'const isWanted = false;')],
    caughtBy: ['called-in', 'within-room'],
    hunt: KEEPERS,
  },
  {
    name: 'room-beyond-the-votes',
    what: 'a caller has room for tokens beyond those that its votes allow',
    changes: [requester('Math.min(ROOM_MAX, roomIn(phase))', 'Math.min(ROOM_MAX, 2 * (phase.tokenMax - token))')],
    caughtBy: ['token-covered', 'token-rises', 'within-room'],
    hunt: KEEPERS,
  },
  {
    name: 'taken-tokens-not-in-release',
    what: 'the clock of a Release does not cover the tokens that a caller took by itself',
    changes: [requester('    this.context.clock.reach(token);\n    if (phase.state', '    if (phase.state')],
    caughtBy: ['token-covered', 'token-rises'],
    hunt: KEEPERS,
  },
  {
    name: 'taken-tokens-forgotten-when-recalled',
    what: 'the same of a lock that was stolen from its keeper',
    changes: [requester("if ((phase.state !== 'held' && phase.state !== 'recalled') || phase.room?.caller !== caller) return;", "if (phase.state !== 'held' || phase.room?.caller !== caller) return;")],
    caughtBy: ['token-covered', 'token-rises'],
    hunt: { ...KEEPERS, faults: { steal: 0.3, deaf: 0.9 } },
  },
  {
    name: 'taken-tokens-taken-again',
    what: 'the next caller of the node enters with a token that the one before took by itself',
    changes: [requester('    phase.token = Math.max(phase.token, token);\n', '')],
    caughtBy: ['token-rises'],
    hunt: KEEPERS,
  },
];
