/**
 * A further set of bugs that no check had been written for: each is against a sentence of docs/protocol.md, and was written from that and from the core
 * alone. Some cost time or messages, some safety, some order; the last are those of clients.
 */
import { inFile } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const clientSession = inFile('client-session');
const clock = inFile('clock');
const earlierLife = inFile('earlier-life');
const leaseTimes = inFile('lease-times');
const memory = inFile('memory');
const node = inFile('node');
const reach = inFile('reach');
const requester = inFile('requester');
const servedLock = inFile('served-lock');
const servedSession = inFile('served-session');

export const SENTENCE_BY_SENTENCE_MUTANTS: readonly Mutant[] = [
  {
    name: 'asked-and-silent-is-good-enough',
    what: 'a request of which those asked are silent asks no others',
    changes: [reach('asked.filter((node) => !this.down.has(node))', 'asked.filter((node) => !this.down.has(node) || this.silent.has(node))')],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'mute-since-the-last-message',
    what: 'a node that goes on having things to say never takes itself for mute',
    changes: [node('this.heldBackSinceMs ??= this.nowMs;', 'this.heldBackSinceMs = this.nowMs;')],
    caughtBy: ['ceiling-in-time'],
  },
  {
    name: 'memory-asks-once-a-lease',
    what: 'a node without memory repeats its question once in a lease',
    changes: [memory('state.repeatAtMs = nowMs + settings.retryMs;', 'state.repeatAtMs = nowMs + settings.leaseMs;')],
    caughtBy: ['when-due'],
  },
  {
    name: 'writer-that-gives-up-lets-no-readers-in',
    what: 'a writer first in line that gives up lets the readers behind it join those inside only later',
    changes: [requester("      if (place === 0 && phase.state === 'waiting') this.end(phase.request);\n      this.joinOrAdvance();", "      if (place > 0 || phase.state !== 'waiting') return;\n      this.end(phase.request);\n      this.joinOrAdvance();")],
    caughtBy: ['in-line'],
    hunt: { profile: 'swarm', sharedShare: 0.8 },
  },
  {
    name: 'contended-by-the-older-alone',
    what: 'a Grant says that others want the lock only if they go before its request',
    changes: [arbiter('contended: waiting < Infinity,', 'contended: arbiter.queue.some((waiter) => !isCompatible(waiter.mode, grant.mode) && hasPriority(waiter, grant)),')],
    caughtBy: ['prompt'],
  },
  {
    name: 'given-back-after-recall-and-nobody-asks',
    what: 'when the last remote caller gave a recalled lock back, the next in line does not ask',
    changes: [requester('        this.end(phase.request);\n        this.joinOrAdvance();\n      }\n    }\n  }\n\n  onGrant', '        this.end(phase.request);\n      }\n    }\n  }\n\n  onGrant')],
    caughtBy: ['in-line'],
  },
  {
    name: 'waiter-stays-two-leases',
    what: 'an arbiter forgets a waiter that it hears nothing of after two leases',
    changes: [arbiter('waiter.heardAtMs + settings.leaseMs <= nowMs) arbiter', 'waiter.heardAtMs + 2 * settings.leaseMs <= nowMs) arbiter'), arbiter('deadlineMs = Math.min(deadlineMs, waiter.heardAtMs + leaseMs);', 'deadlineMs = Math.min(deadlineMs, waiter.heardAtMs + 2 * leaseMs);')],
    caughtBy: ['prompt'],
  },
  {
    name: 'late-copy-shortens-the-wait',
    what: 'a late copy of a Request takes the newest time back that its Grant will echo',
    changes: [arbiter('      known.sentAtMs = Math.max(known.sentAtMs, waiter.sentAtMs);', '      known.sentAtMs = waiter.sentAtMs;')],
    caughtBy: ['lends-on'],
  },
  {
    name: 'jumps-only-for-those-that-wait',
    what: 'an arbiter whose grant runs out while nobody waits does not jump',
    changes: [arbiter('        if (grant.expiresAtMs <= nowMs) clock.reach(', '        if (grant.expiresAtMs <= nowMs && arbiter.queue.length > 0) clock.reach(')],
    caughtBy: ['jumps'],
  },
  {
    name: 'silent-as-long-as-a-vote-counts',
    what: 'after a restart an arbiter is silent for as long as a requester counts a vote, which is less than a lease',
    changes: [node('this.bornSilentUntilMs = nowMs + Math.max(birth.silentMs ?? 0, this.settings.leaseMs);', 'this.bornSilentUntilMs = nowMs + Math.max(birth.silentMs ?? 0, this.settings.leaseMs) - Math.ceil(this.settings.leaseMs * this.settings.driftMax);')],
    caughtBy: ['new-life'],
  },
  {
    name: 'crash-in-the-silence-shortens-it',
    what: 'while a life is silent for a longer lease of before, its disk remembers its own',
    changes: [earlierLife('whileSilent: { leaseMs: silentMs, slack: slackBefore, ', 'whileSilent: { leaseMs, slack: slackBefore, ')],
    caughtBy: ['new-life'],
    hunt: { profile: 'swarm' },
  },
  {
    name: 'crash-in-the-silence-forgets-the-slack',
    what: 'the same for SLACK',
    changes: [earlierLife('whileSilent: { leaseMs: silentMs, slack: slackBefore, ', 'whileSilent: { leaseMs: silentMs, slack, ')],
    caughtBy: ['new-life'],
    hunt: { profile: 'swarm' },
  },
  {
    name: 'born-at-its-ceiling',
    what: 'a life begins at its ceiling, not above it',
    changes: [clock('this.bornAt = Math.max(birth.ceilingOnDisk, birth.wallClockUs) + 1;', 'this.bornAt = Math.max(birth.ceilingOnDisk, birth.wallClockUs);')],
    caughtBy: ['new-life'],
  },
  {
    name: 'margin-rounded-down',
    what: 'the margin for drift is rounded down',
    changes: [leaseTimes('return Math.ceil(leaseMs * driftMax) + CLOCK_RESOLUTION_MS;', 'return Math.floor(leaseMs * driftMax) + CLOCK_RESOLUTION_MS;')],
    caughtBy: ['valid-as-heard'],
  },
  {
    name: 'first-reader-confirms',
    what: 'a thief robs readers by an answer to a Request from before the last of them entered',
    changes: [requester('private isConfirmed(from: NodeId, { lastEntryAtMs }: Held, { contender, sentAtMs }: Inquire): boolean {\n    return from === contender.request.node && sentAtMs >= lastEntryAtMs;', 'private isConfirmed(from: NodeId, { sinceMs }: Held, { contender, sentAtMs }: Inquire): boolean {\n    return from === contender.request.node && sentAtMs >= sinceMs;')],
    caughtBy: ['stolen-for-somebody'],
    hunt: { profile: 'swarm', sharedShare: 0.8, leaseMs: 60 },
  },
  {
    name: 'room-though-asked-without-keep',
    what: 'a client has room though its node asked without keep',
    changes: [requester('const isWanted = !request.keep || request.contended', 'const isWanted = request.contended')],
    caughtBy: ['within-room'],
  },
  {
    name: 'recalled-without-the-name',
    what: 'those recalled are not told who took the lock',
    changes: [requester('thief === undefined ? { kind, lock, caller: id }', 'thief === undefined || remote ? { kind, lock, caller: id }')],
    caughtBy: ['keeps'],
  },
  {
    name: 'as-young-as-its-last-reader',
    what: 'a hold of readers is taken for as young as the last of them',
    changes: [requester('if (this.context.requesterNowMs - phase.sinceMs < this.context.settings.retryMs) return;', 'if (this.context.requesterNowMs - phase.lastEntryAtMs < this.context.settings.retryMs) return;')],
    caughtBy: ['spreads'],
  },
  {
    name: 'apart-and-keeps',
    what: 'a node that stands apart gives no kept grants back',
    changes: [requester("else if (phase.state === 'waiting' || phase.state === 'retained') this.end(phase.request);", "else if (phase.state === 'waiting') this.end(phase.request);")],
    caughtBy: ['stands-apart'],
    hunt: { profile: 'namesakes' },
  },
  {
    name: 'only-the-first-in-line-asks-anew',
    what: 'of the callers in line only the first gets a new timestamp when its node joins',
    changes: [requester('line.forEach((caller, place) => (line[place] = { ...caller, timestamp: this.context.clock.tick() }));', 'const first = line[0];\n    if (first !== undefined) line[0] = { ...first, timestamp: this.context.clock.tick() };')],
    caughtBy: ['answers'],
  },
  {
    name: 'readers-join-past-a-writer',
    what: 'behind a reader all readers in line enter, also those behind a writer',
    changes: [requester('      first = line[0];\n    }\n  }\n\n  /**\n   * Those', "      const next = mode === 'shared' ? line.findIndex((each) => each.mode === 'shared') : 0;\n      if (next > 0) line.unshift(...line.splice(next, 1));\n      first = line[0];\n    }\n  }\n\n  /**\n   * Those")],
    caughtBy: ['in-line'],
  },
  {
    name: 'asks-by-the-time-of-its-turn',
    what: 'a caller that the one before it handed over nothing asks under a timestamp of its turn',
    changes: [requester('      this.end(request);\n      return this.start(first);', '      this.end(request);\n      return this.start({ ...first, timestamp: this.context.clock.tick() });')],
    caughtBy: ['in-line'],
  },
  {
    name: 'greets-whom-it-never-asked',
    what: 'what is open is repeated to each peer that comes up, whether it was asked or not',
    changes: [requester('    if (phase.request.asked.includes(peer)) ask(this.context, peer, this.lock, phase);\n    this.widen();', '    if (phase.request.asked.includes(peer)) ask(this.context, peer, this.lock, phase);\n    else askToo(this.context, [peer], this.lock, phase);\n    this.widen();')],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'room-is-low-from-the-start',
    what: 'an entry without a message asks for more room when a little of it is used',
    changes: [requester('entry.tokenMax - entry.token < settings.slack / 2', 'entry.tokenMax - entry.token < settings.slack - 1')],
    caughtBy: ['when-due'],
  },
  {
    name: 'unsent-and-given-up-is-waited-for',
    what: 'a request that was given up before it was sent counts as waiting for ever, so the client says something four times a lease',
    changes: [clientSession("    if (state === 'unsent' || state === 'waiting') this.waitingCount--;\n    if (this.requests", "    if (state === 'waiting') this.waitingCount--;\n    if (this.requests")],
    caughtBy: ['sparing'],
    clients: {},
  },
  {
    name: 'returned-and-told-nothing',
    what: 'a client that is back is taken for one that was never told of its lock',
    changes: [servedLock("this.state = taken === null ? { kind: 'held', toldUntilMs } :", "this.state = taken === null ? { kind: 'held', toldUntilMs: null } :")],
    caughtBy: ['client-believes'],
    clients: {},
  },
  {
    name: 'word-for-all-but-the-lost',
    what: 'the word for all locks leaves those out of which nothing is left',
    changes: [servedSession('      least = Math.min(least, validForMs(entry.id));', '      least = Math.min(least, validForMs(entry.id) || Infinity);')],
    caughtBy: ['client-believes'],
    clients: {},
  },
  {
    name: 'two-frames-of-one-time',
    what: 'two frames may be said to be sent at the same time',
    changes: [clientSession('Math.max(nowMs, this.lastSentAtMs + LATER_MS)', 'Math.max(nowMs, this.lastSentAtMs)')],
    caughtBy: ['told-when-given-back'],
    clients: {},
  },
  {
    name: 'no-way-back-for-what-was-not-told',
    what: 'a client whose stream broke does not come back to give up what only waited',
    changes: [clientSession('if (!isDeaf || promisedUntilMs > nowMs) return true;', 'if (promisedUntilMs > nowMs) return true;')],
    caughtBy: ['given-back-is-free'],
    clients: {},
  },
  {
    name: 'first-shown-is-taken-back-in',
    what: 'of two grants of an earlier life the one that is shown first is taken back in, be it the one lent earlier',
    changes: [arbiter('    if (conflicting.some((grant) => grant.number > number)) return false;\n    for (const grant of conflicting) removeItem(arbiter.grants, grant);', '    if (conflicting.length > 0) return false;')],
    caughtBy: ['lends-on'],
  },
  {
    name: 'inquires-for-who-yielded',
    what: 'an arbiter that lends a vote on that was given back inquires for the one that gave it back',
    changes: [arbiter('      this.enqueue(arbiter, { request, claim, mode, keep, sentAtMs, heardAtMs: this.context.nowMs });\n      this.fill(arbiter);', '      this.enqueue(arbiter, { request, claim, mode, keep, sentAtMs, heardAtMs: this.context.nowMs });\n      this.fill(arbiter);\n      this.inquireFor(arbiter, { request, claim, mode }, false);')],
    caughtBy: ['asks-back'],
  },
  {
    name: 'silent-peers-are-not-greeted',
    what: 'a silent peer that comes up is not shown the grants that it may take back in',
    changes: [node('if (this.reach.peerUp(peer, this.nowMs, silentForMs)) this', 'if (this.reach.peerUp(peer, this.nowMs, silentForMs) && silentForMs === 0) this')],
    caughtBy: ['greets'],
  },
  {
    name: 'yields-as-if-it-did-not-steal',
    what: 'a request that steals and waits yields to each older one that does not',
    changes: [requester('claim: claimOf(request.steals, false) })) {', "claim: 'waits' })) {")],
    caughtBy: ['overtaken'],
  },
];
