/** What can go wrong in an arbiter, and in the order of requests: planted bugs in arbiter.ts and priority.ts. */
import { inFile, TOKEN_FALLS, VOTE_LENT_TWICE } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const node = inFile('node');
const priority = inFile('priority');
const votes = inFile('votes');

/** What hides the confusion of one clock with another. */
const BELIEVES_ANY_TIME = ["if (message.sentAtMs > nowMs) return 'answers a Request from the future';\n", ''] as const;

export const ARBITER_MUTANTS: readonly Mutant[] = [
  {
    name: 'vote-lent-twice',
    what: 'the oldest that waits gets the vote, lent or not',
    changes: [arbiter('if (conflictsWithAny(arbiter.grants, oldest.mode)) return;', '')],
    caughtBy: ['one-vote'],
  },
  {
    name: 'vote-lent-twice-unasserted',
    what: 'the same, and no assertion says so',
    changes: [
      arbiter('if (conflictsWithAny(arbiter.grants, oldest.mode)) return;', ''),
      arbiter("if (conflictsWithAny(arbiter.grants, mode)) broken('one-vote',", "if (grantsNothing) broken('one-vote',"),
      arbiter('function findGrant(', 'const grantsNothing = false;\nfunction findGrant('),
    ],
    caughtBy: [...VOTE_LENT_TWICE, 'overtaken'],
  },
  {
    name: 'reader-beside-writer',
    what: 'a grant is compatible when either of the two is shared',
    changes: [priority("return a === 'shared' && b === 'shared';", "return a === 'shared' || b === 'shared';")],
    caughtBy: ['exclusion'],
  },
  {
    name: 'queue-first-come',
    what: 'the queue is in the order of arrival',
    changes: [arbiter('const place = arbiter.queue.findIndex((other) => hasPriority(waiter, other));', 'const place = -1;')],
    caughtBy: ['fairness', 'asks-back', 'deadlock', 'lends-on'],
  },
  {
    name: 'queue-youngest-first',
    what: 'the youngest request goes first',
    changes: [arbiter('arbiter.queue.findIndex((other) => hasPriority(waiter, other))', 'arbiter.queue.findIndex((other) => hasPriority(other, waiter))')],
    caughtBy: ['fairness', 'asks-back', 'deadlock', 'overtaken', 'lends-on'],
  },
  {
    name: 'ties-not-broken',
    what: 'of two requests with one timestamp neither goes first',
    changes: [priority(': a.request.node < b.request.node;', ': false;')],
    caughtBy: ['deadlock', 'asks-back', 'overtaken'],
  },
  {
    name: 'youngest-has-priority',
    what: 'the order of timestamps is the wrong way round',
    changes: [priority('a.request.timestamp < b.request.timestamp :', 'a.request.timestamp > b.request.timestamp :')],
    caughtBy: ['fairness', 'asks-back'],
  },
  {
    name: 'lease-not-extended',
    what: 'a renewal gets its Grant, but the arbiter counts on from the first',
    changes: [arbiter('grant.expiresAtMs = this.context.nowMs + this.context.settings.leaseMs;\n', '')],
    caughtBy: ['lease-inside', 'lends-on'],
  },
  {
    name: 'lease-too-short',
    what: 'the arbiter takes its vote back a tenth of a lease too early',
    changes: [arbiter('this.lend(arbiter, oldest, number, nowMs + settings.leaseMs, nextTimestamp);', 'this.lend(arbiter, oldest, number, nowMs + 0.9 * settings.leaseMs);')],
    caughtBy: ['lease-inside'],
  },
  {
    name: 'lease-by-asker-clock',
    what: 'the arbiter counts the lease from when the requester says it asked',
    changes: [arbiter('grant.expiresAtMs = this.context.nowMs + this.', 'grant.expiresAtMs = message.sentAtMs + this.')],
    caughtBy: ['lease-inside', 'lends-on'],
  },
  {
    name: 'lease-by-own-clock',
    what: 'a Grant names a time of the arbiter, and the requester counts from there',
    changes: [arbiter('grant: grant.number,\n      sentAtMs: grant.sentAtMs,', 'grant: grant.number,\n      sentAtMs: this.context.nowMs,'), votes(...BELIEVES_ANY_TIME)],
    caughtBy: ['lease-inside', 'lends-on'],
  },
  {
    name: 'lease-by-wall-clock',
    what: 'a Grant names the arbiter\'s wall clock, and the requester counts from there by its own',
    changes: [
      node('private sleptMs = 0;', 'private sleptMs = 0;\n  private wallAheadMs = 0;'),
      node('this.started = true;\n', 'this.started = true;\n        this.wallAheadMs = Math.floor(this.birth.wallClockUs / 1000) - event.nowMs;\n'),
      node('return this.nowMs + this.sleptMs;', 'return this.nowMs + this.sleptMs + this.wallAheadMs;'),
      node('this.requesters.earliestMs - this.sleptMs,', 'this.requesters.earliestMs - this.sleptMs - this.wallAheadMs,'),
      arbiter('grant: grant.number,\n      sentAtMs: grant.sentAtMs,', 'grant: grant.number,\n      sentAtMs: this.context.requesterNowMs,'),
      votes(...BELIEVES_ANY_TIME),
    ],
    caughtBy: ['lease-inside', 'valid-as-heard'],
  },
  {
    name: 'holder-waits-in-line',
    what: 'one that is inside stands in line by its timestamp',
    changes: [priority('if (a.claim !== b.claim) return PLACE_IN_LINE[a.claim] < PLACE_IN_LINE[b.claim];', 'if (doesSteal(a.claim) !== doesSteal(b.claim)) return doesSteal(a.claim);')],
    caughtBy: ['keeps', 'spreads', 'lends-on', 'asks-back'],
    hunt: { profile: 'steadfast' },
  },
  {
    name: 'holder-keeps-its-place-in-line',
    what: 'one that waited and is inside by now stays where it stands in the queue',
    changes: [arbiter('if (doesHold(waiter.claim) && !doesHold(known.claim)) {', 'if (doesHold(waiter.claim) && doesHold(known.claim)) {')],
    caughtBy: ['keeps', 'spreads', 'lends-on'],
    hunt: { profile: 'steadfast' },
  },
  {
    name: 'renewal-echoes-old-time',
    what: 'the Grant for a repeat echoes the time of the first Request',
    changes: [arbiter('grant.sentAtMs = Math.max(grant.sentAtMs, message.sentAtMs);\n', '')],
    caughtBy: ['keeps', 'spreads', 'lends-on'],
  },
  {
    name: 'lease-never-ends',
    what: 'grants are never dropped',
    changes: [arbiter('this.lend(arbiter, oldest, number, nowMs + settings.leaseMs, nextTimestamp);', 'this.lend(arbiter, oldest, number, Infinity);'), arbiter('grant.expiresAtMs = this.context.nowMs + this.context.settings.leaseMs;\n', '')],
    caughtBy: ['progress', 'no-residue'],
  },
  {
    name: 'jump-from-first-clock',
    what: 'at the end of a lease the clock jumps past what the first Grant allowed, not the last',
    changes: [
      arbiter('grant.sentClock = this.context.clock.now;', 'grant.sentClock ||= this.context.clock.now;'),
      arbiter('clock: grant.sentClock,', 'clock: this.context.clock.now,'),
    ],
    caughtBy: TOKEN_FALLS,
  },
  {
    name: 'jump-too-short',
    what: 'the jump at the end of a lease falls short by half',
    changes: [arbiter('grant.sentClock + settings.slack + 1', 'grant.sentClock + settings.slack / 2')],
    caughtBy: TOKEN_FALLS,
    // Many entries by one set of grants, none of which anybody hears of.
    hunt: { nodes: 3, slack: 40, leaseMs: 1000, faults: { oneway: 20, isolate: 10, loss: 0.2 } },
  },
  {
    name: 'grant-number-reused',
    what: 'a grant is numbered by the clock as it stands',
    changes: [arbiter('const number = clock.tick();', 'const number = clock.now;')],
    caughtBy: ['grant-rises'],
  },
  {
    name: 'grant-number-reused-unasserted',
    what: 'the same, and no assertion says so',
    changes: [
      arbiter('const number = clock.tick();', 'const number = clock.now;'),
      arbiter('if (number <= this.lastNumber)', 'if (number < this.lastNumber)'),
    ],
    caughtBy: ['grant-rises'],
  },
  {
    name: 'yield-forgets-the-waiter',
    what: 'whoever yields is not put in the queue',
    changes: [arbiter('this.enqueue(arbiter, { request, claim, mode, keep, sentAtMs, heardAtMs: this.context.nowMs });\n', '')],
    caughtBy: ['fairness', 'asks-back', 'progress'],
  },
  {
    name: 'yield-goes-to-the-end',
    what: 'whoever yields is put behind all that wait',
    changes: [
      arbiter('    insert(arbiter, waiter);\n    return false;', '    if (yielded) arbiter.queue.push(waiter);\n    else insert(arbiter, waiter);\n    return false;'),
      arbiter('private enqueue(arbiter: Arbiter, waiter: Waiter): boolean {', 'private enqueue(arbiter: Arbiter, waiter: Waiter, yielded = false): boolean {'),
      arbiter('sentAtMs, heardAtMs: this.context.nowMs });\n      this.fill', 'sentAtMs, heardAtMs: this.context.nowMs }, true);\n      this.fill'),
    ],
    caughtBy: ['fairness', 'asks-back', 'deadlock', 'lends-on', 'overtaken'],
  },
  {
    name: 'yield-lends-nobody',
    what: 'a vote that was given back is not lent on',
    changes: [arbiter('heardAtMs: this.context.nowMs });\n      this.fill(arbiter);', 'heardAtMs: this.context.nowMs });')],
    caughtBy: ['progress', 'lends-on'],
  },
  {
    name: 'release-lends-nobody',
    what: 'a vote that was released is not lent on',
    changes: [arbiter('else this.fill(arbiter, message.nextTimestamp);', 'else if (waiter !== undefined) this.fill(arbiter, message.nextTimestamp);')],
    caughtBy: ['progress', 'lends-on'],
  },
  {
    name: 'release-keeps-the-grant',
    what: 'a Release takes a request out of the queue alone',
    changes: [arbiter('if (grant !== undefined) removeItem(arbiter.grants, grant);\n    if (waiter', 'if (waiter')],
    caughtBy: ['progress'],
  },
  {
    name: 'stale-release',
    what: 'a Release ends whatever its sender has here, also a later request',
    changes: [
      arbiter(
        'const waiter = findWaiter(arbiter, request);\n    if (grant !== undefined) removeItem(arbiter.grants, grant);',
        'const waiter = findWaiter(arbiter, request);\n'
        + '    for (const each of arbiter.grants.filter(({ request: { node } }) => node === from)) removeItem(arbiter.grants, each);',
      ),
    ],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'never-inquires',
    what: 'no Inquire is ever sent',
    changes: [arbiter('if (findGrant(arbiter, request) !== undefined) return;', 'return;')],
    caughtBy: ['deadlock', 'asks-back'],
  },
  {
    name: 'older-do-not-inquire',
    what: 'the first Request of an older contender does not make the arbiter inquire',
    changes: [arbiter('!doesSteal(claim) && !hasPriority(waiter, grant)) continue;', '!doesSteal(claim)) continue;')],
    caughtBy: ['deadlock', 'asks-back'],
  },
  {
    name: 'inquires-for-the-first-alone',
    what: 'once it inquired for one contender, an arbiter does not inquire for an older one',
    changes: [arbiter('grant.inquiredFor !== null && hasPriority(grant.inquiredFor, waiter)) continue;', 'grant.inquiredFor !== null) continue;')],
    caughtBy: ['deadlock', 'asks-back'],
  },
  {
    name: 'theft-has-no-priority',
    what: 'one that steals stands in line by its timestamp',
    changes: [priority('if (a.claim !== b.claim) return PLACE_IN_LINE[a.claim] < PLACE_IN_LINE[b.claim];', 'if (doesHold(a.claim) !== doesHold(b.claim)) return doesHold(a.claim);')],
    caughtBy: ['fairness', 'asks-back', 'progress'],
    hunt: { profile: 'calm' },
  },
  {
    name: 'theft-does-not-inquire',
    what: 'for one that steals an arbiter inquires only when it would for any other',
    changes: [arbiter('!grant.keep && !doesSteal(claim) && !hasPriority', '!grant.keep && !hasPriority')],
    caughtBy: ['progress', 'asks-back'],
    hunt: { profile: 'calm' },
  },
  {
    name: 'no-order-with-a-renewal',
    what: 'a renewal of one that has entered brings it no order of another that steals',
    changes: [arbiter('      this.orderForThief(arbiter);\n', '')],
    caughtBy: ['progress'],
    hunt: { profile: 'calm' },
  },
  {
    name: 'inquires-one-reader',
    what: 'of several readers only the first is asked to give way',
    changes: [arbiter("kind: 'inquire',\n        lock: arbiter.lock,\n        clock: this.context.clock.now,\n        timestamp: grant.request.timestamp,\n        grant: grant.number,\n        contender,\n        sentAtMs: grant.sentAtMs,\n      });", "kind: 'inquire',\n        lock: arbiter.lock,\n        clock: this.context.clock.now,\n        timestamp: grant.request.timestamp,\n        grant: grant.number,\n        contender,\n        sentAtMs: grant.sentAtMs,\n      });\n      return;")],
    caughtBy: ['deadlock', 'asks-back'],
  },
  {
    name: 'contention-not-told',
    what: 'a Grant does not say that someone waits already',
    changes: [arbiter('contended: waiting < Infinity,', 'contended: false,')],
    caughtBy: ['progress'],
  },
  {
    name: 'takes-back-in-what-it-lent-on',
    what: 'after a restart, of two conflicting grants that are shown the last shown wins, not the last lent',
    changes: [arbiter('if (conflicting.some((grant) => grant.number > number)) return false;', '')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'takes-back-in-beside-another',
    what: 'a grant that is shown after a restart is taken in beside one that conflicts with it',
    changes: [
      arbiter('if (conflicting.some((grant) => grant.number > number)) return false;', ''),
      arbiter('for (const grant of conflicting) removeItem(arbiter.grants, grant);', ''),
    ],
    caughtBy: ['one-vote'],
  },
  {
    name: 'forgets-nothing',
    what: 'a lock that nobody uses is kept in memory',
    changes: [arbiter('this.byLock.delete(arbiter.lock);\n', '')],
    caughtBy: ['no-residue'],
  },
  {
    name: 'waiters-never-leave',
    what: 'a request that was not heard of for a lease stays in the queue',
    changes: [
      arbiter('if (waiter !== undefined && waiter.heardAtMs + settings.leaseMs <= nowMs) arbiter.queue.splice(i, 1);', ''),
      arbiter('deadlineMs = Math.min(deadlineMs, waiter.heardAtMs + leaseMs);', 'deadlineMs = Math.min(deadlineMs, waiter.heardAtMs + Infinity * leaseMs);'),
    ],
    caughtBy: ['no-residue', 'progress'],
  },
  {
    name: 'queued-and-granted',
    what: 'a grant that is taken back in leaves its request in the queue',
    changes: [arbiter('if (waiter !== undefined) removeItem(arbiter.queue, waiter);\n    const { claim, mode', 'const { claim, mode')],
    caughtBy: ['not-both'],
  },
];
