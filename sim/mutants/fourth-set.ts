/**
 * Bugs of a fourth set: each was written from one sentence of protocol.md and the line of the core that carries it, before anybody had looked
 * whether a check sees it.
 */
import { inFile, TOKEN_FALLS, VOTE_LENT_TWICE } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const candidacy = inFile('candidacy');
const client = inFile('client-session');
const memory = inFile('memory');
const namesake = inFile('namesake');
const node = inFile('node');
const reach = inFile('reach');
const requester = inFile('requester');
const servedLock = inFile('served-lock');
const servedSession = inFile('served-session');
const votes = inFile('votes');

const SAFETY: readonly Mutant[] = [
  {
    name: 'told-in-the-requesters-time',
    what: 'a renewal is told with a time that counts sleep, to callers whose clock does not',
    changes: [requester('callers: phase.inside.map(({ id }) => id), validUntilMs: this.toNodeTime(phase.validUntilMs)', 'callers: phase.inside.map(({ id }) => id), validUntilMs: phase.validUntilMs')],
    caughtBy: ['valid-as-heard', ...VOTE_LENT_TWICE],
  },
  {
    name: 'silence-is-looked-at-after-the-message',
    what: 'a message that comes when the silence is over, and before the timer, is handled with a clock from before the jump',
    changes: [node('    this.endSilenceInTime();\n    this.dispatch(event);', '    this.dispatch(event);\n    this.endSilenceInTime();')],
    caughtBy: ['new-life', ...TOKEN_FALLS],
  },
  {
    name: 'refused-again-and-nobody-minds',
    what: 'a process that was accepted by all and is about to take part again is refused once more, and takes part all the same',
    changes: [namesake('this.untilMs = Infinity;', 'if (isFirst) this.untilMs = Infinity;')],
    caughtBy: ['stands-apart', 'exclusion'],
    hunt: { profile: 'namesakes' },
  },
  {
    name: 'lets-run-out-once',
    what: 'a node that began anew, and lost its quorum again beside a rival, is not silent a second time',
    changes: [candidacy('    this.letsRunOut = false;\n', '')],
    caughtBy: ['one-configuration', 'exclusion'],
    hunt: { profile: 'rolling' },
  },
  {
    name: 'grants-its-clock-without-memory',
    what: 'a node that remembers nothing lets another one hear its clock',
    changes: [arbiter('return this.context.takesPart && arbiter.queue.every', 'return arbiter.queue.every')],
    caughtBy: ['ceiling-holds', 'new-life'],
  },
  {
    name: 'stops-and-frees-what-is-in-use',
    what: 'a node that stops gives back a lock that a client may still use',
    changes: [inFile('requesters')('requester.stop(inUse.includes(requester.lock));', 'requester.stop(false);')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'shows-what-ran-out',
    what: 'a repeat shows a vote in hand that is valid no more',
    changes: [votes('vote !== undefined && vote.validUntilMs > nowMs ? vote.number : null', 'vote !== undefined ? vote.number : null')],
    caughtBy: ['valid-as-heard'],
  },
];

const LATE: readonly Mutant[] = [
  {
    name: 'renews-nothing-ever-after',
    what: 'an arbiter that let its grants run out for a rival renews none when it has begun anew',
    changes: [node('    this.renews = renews;\n', '    this.renews = this.renews && renews;\n')],
    caughtBy: ['lends-on', 'keeps', 'progress'],
    hunt: { profile: 'rolling' },
  },
  {
    name: 'asks-a-new-question-each-time',
    what: 'a node without memory repeats no question: each is a new request',
    changes: [memory('asked.get(peer) ?? clock.tick()', 'clock.tick()')],
    caughtBy: ['when-due', 'new-life'],
  },
  {
    name: 'rival-that-came-over-is-one-still',
    what: 'a rival that serves, and starts again under the configuration of the node, counts as a rival for ever',
    changes: [candidacy('this.up.add(peer);\n    this.hinted.delete(peer);\n    this.quieten(peer, nowMs);', 'this.up.add(peer);\n    this.hinted.delete(peer);')],
    caughtBy: ['progress'],
  },
  {
    name: 'silence-of-a-peer-is-a-moment',
    what: 'for how long a peer is silent is taken for the time until when it is',
    changes: [reach('this.silent.set(peer, nowMs + silentForMs)', 'this.silent.set(peer, silentForMs)')],
    caughtBy: ['whom-to-ask', 'prompt'],
  },
  {
    name: 'mute-once-and-for-all',
    what: 'a node that once held a message back counts as mute, though its ceiling was written',
    changes: [node('if (this.heldBackSinceMs !== null) this.heldBackSinceMs = heldBackSinceMs;', 'this.heldBackSinceMs = heldBackSinceMs;')],
    caughtBy: ['ceiling-in-time', 'progress'],
  },
];

const ORDER: readonly Mutant[] = [
  {
    name: 'takes-part-under-old-timestamps',
    what: 'callers in line ask under the timestamps from before their node joined, or stood apart',
    changes: [requester('line.forEach((caller, place) => (line[place] = { ...caller, timestamp: this.context.clock.tick() }));', 'void line;')],
    caughtBy: ['request-unique', 'overtaken', 'stands-apart', 'new-life'],
  },
  {
    name: 'contention-counts-from-the-first-word',
    what: 'a node that hears of contention again under one request counts the lease from the first time',
    changes: [requester('    request.contended = true;\n', '    if (request.contended) return;\n    request.contended = true;\n')],
    caughtBy: ['sparing', 'gives-way'],
  },
];

const COST: readonly Mutant[] = [
  {
    name: 'remembers-the-first-it-asked-for',
    what: 'an arbiter that inquired for an older one after a younger one inquires for those between them, too',
    changes: [arbiter('if (grant.inquiredFor === null || hasPriority(contender, grant.inquiredFor)) grant', 'if (grant.inquiredFor === null) grant')],
    caughtBy: ['sparing', 'asks-back'],
  },
  {
    name: 'asks-more-each-time',
    what: 'whom one request asked too the next ones ask from the first',
    changes: [requester('asked: [...reach.preferredQuorum],', 'asked: reach.preferredQuorum as NodeId[],')],
    caughtBy: ['whom-to-ask', 'frugal', 'sparing'],
  },
];

const SESSIONS: readonly Mutant[] = [
  {
    name: 'enters-again-with-nothing-left',
    what: 'a client enters a lock that it keeps once more with less than a tenth of the lease left',
    changes: [inFile('kept-lock')('untilMs - nowMs >= reentryLeftMs(this.leaseMs)', 'untilMs > nowMs')],
    caughtBy: ['usable', 'client-believes'],
    clients: {},
  },
  {
    name: 'held-on-from-the-last-word',
    what: 'a lock is held on for as long as its client asked from when it was last told of it, not first',
    changes: [servedLock('if (toldUntilMs === null && this.atLeastMs > 0) this', 'if (this.atLeastMs > 0) this')],
    caughtBy: ['held-on', 'given-back-is-free'],
    clients: {},
  },
  {
    name: 'room-told-again-after-a-break',
    what: 'a client that comes back is told once more of the room for tokens, which ended with its stream',
    changes: [servedSession('...(isNews ? this.roomOf(entry) : {})', '...this.roomOf(entry)')],
    caughtBy: ['called-in', 'token-told', 'free-is-given'],
    clients: {},
  },
  {
    name: 'signs-as-if-nothing-ran-out',
    what: 'a client does not know how little is left of what it was told, and says nothing until half a lease has passed',
    changes: [client('      this.heldUntilMs = Math.min(this.heldUntilMs, request.promisedUntilMs);\n', '')],
    caughtBy: ['resumed-whole', 'answered'],
    clients: {},
  },
  {
    name: 'given-back-is-heard-a-frame-later',
    what: 'a client takes what it gave back for heard with the answer to a later frame, half a lease after',
    changes: [client('if (sentAtMs > echoMs) break; // In', 'if (sentAtMs >= echoMs) break; // In')],
    caughtBy: ['told-when-given-back', 'sparing', 'answered'],
    clients: {},
  },
];

export const FOURTH_SET_MUTANTS: readonly Mutant[] = [...SAFETY, ...LATE, ...ORDER, ...COST, ...SESSIONS];
