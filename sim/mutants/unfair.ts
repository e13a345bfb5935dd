/**
 * What costs others their place, their lock, or messages: planted bugs of order, keeping, theft and thrift.
 * Each was written from docs/protocol.md alone, before the check that catches it.
 */
import { inFile } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const clock = inFile('clock');
const leaseTimes = inFile('lease-times');
const node = inFile('node');
const priority = inFile('priority');
const reach = inFile('reach');
const requester = inFile('requester');
const votes = inFile('votes');

export const UNFAIR_MUTANTS: readonly Mutant[] = [
  {
    name: 'one-more-quorum-with-every-repeat',
    what: 'who has waited a lease asks one further quorum with each repeat, not one in a lease',
    // cost, 6.8. Seven nodes: n1 waits behind a hold of several leases. After a lease it asks further nodes with each repeat, until all nodes
    // are asked and get all of its repeats.
    changes: [requester('phase.patientUntilMs = requesterNowMs + settings.leaseMs;', 'phase.patientUntilMs = requesterNowMs + settings.retryMs;')],
    caughtBy: ['sparing', 'when-due', 'frugal'],
  },
  {
    name: 'short-holds-spread-too',
    what: 'a holder asks all arbiters as soon as it hears that somebody waits, however short it has been inside',
    // cost, 14 (holder-spreads). Two nodes take turns with short holds: each hold asks all nodes, and releases to all.
    changes: [requester(
      'if (this.context.requesterNowMs - phase.sinceMs < this.context.settings.retryMs) return;',
      'if (this.context.requesterNowMs < phase.sinceMs) return;',
    )],
    caughtBy: ['sparing', 'when-due', 'frugal'],
  },
  {
    name: 'inquires-for-each-newcomer',
    what: 'an arbiter inquires for every new contender, also when it has inquired for an older one already',
    // cost, 5.4. The grant was asked for with keep; k younger contenders come: k Inquires to the same holder instead of one (of those in the
    // order of their age).
    changes: [arbiter('if (!isRepeat && grant.inquiredFor !== null && hasPriority(grant.inquiredFor, waiter)) continue;', '')],
    caughtBy: ['sparing', 'when-due', 'frugal'],
  },
  {
    name: 'asks-to-keep-whatever-it-heard',
    what: 'a request asks to keep its grants though contention for the lock was heard of within the last lease',
    // cost, 9. Two nodes that want one lock all the time: each entry costs an Inquire of each arbiter, which without keep is not sent to an
    // older request.
    changes: [requester('keep: settings.retain && requesterNowMs >= this.noKeepUntilMs,', 'keep: settings.retain,')],
    caughtBy: ['sparing', 'when-due', 'frugal'],
  },
  {
    name: 'each-renewal-inquires',
    what: 'with every renewal the arbiter inquires for the first in its queue, not only for one that steals',
    // cost, 5.2 rule 1. A long hold with somebody waiting behind it: each renewal costs an Inquire of each arbiter beside the Grant, which
    // says "contended" already. So does each repeat of a request that waits and has the vote.
    changes: [arbiter('if (next !== undefined && doesSteal(next.claim)) this.inquireFor(arbiter, next, true);', 'if (next !== undefined) this.inquireFor(arbiter, next, true);')],
    caughtBy: ['sparing', 'when-due', 'frugal'],
  },
  {
    name: 'yields-to-the-younger-too',
    what: 'a request that waits yields to whoever the arbiter inquires for, also to a younger one',
    // cost (and delay: votes are away for a round trip), 6.6. n1 waits with the vote of a; a younger request is repeated, a inquires, n1
    // yields, and a lends it the vote again, for n1 is first in its queue: a Yield and a Grant more for each repeat of each younger one, and a
    // quorum is in hand at once more seldom.
    changes: [requester('if (!hasPriority(message.contender, { request: request.id, claim: claimOf(request.steals, false) })) {', 'if (message.grant < 0) {')],
    caughtBy: ['sparing', 'when-due', 'frugal', 'progress', 'overtaken'],
  },
  {
    name: 'cancel-costs-the-next-its-place',
    what: 'when the first in line gives up while its request waits, the next in line gets a new timestamp, as after a theft',
    // fairness, 6.2. At n1 c1 asks at 10 and c2 at 12, n2 asks at 15. c1 is cancelled: c2 asks with, say, 30 and enters after n2 (and after
    // all who asked meanwhile).
    changes: [requester(
      "if (place === 0 && phase.state === 'waiting') this.end(phase.request);",
      "if (place === 0 && phase.state === 'waiting') {\n        this.end(phase.request);\n        if (line[0] !== undefined) line[0] = { ...line[0], timestamp: this.context.clock.tick() };\n      }",
    )],
    caughtBy: ['fairness', 'asks-back', 'in-line'],
  },
  {
    name: 'waiters-forgotten-after-a-repeat',
    what: 'an arbiter forgets a waiter that it has not heard of for a retry interval, not for a lease',
    // fairness (and late), 5.1. A repeat that comes some milliseconds later than the last one did, or is lost, finds its request forgotten: a
    // younger one is lent the vote meanwhile. And it counts as no repeat, so a younger waiter never makes the arbiter inquire, and a lost
    // Release is healed by the end of the lease alone.
    changes: [
      arbiter('waiter.heardAtMs + settings.leaseMs <= nowMs', 'waiter.heardAtMs + settings.retryMs <= nowMs'),
      arbiter(
        'for (const waiter of arbiter.queue) deadlineMs = Math.min(deadlineMs, waiter.heardAtMs + leaseMs);',
        'for (const waiter of arbiter.queue) deadlineMs = Math.min(deadlineMs, waiter.heardAtMs + this.context.settings.retryMs);',
      ),
    ],
    caughtBy: ['fairness', 'asks-back', 'progress', 'in-line', 'prompt'],
  },
  {
    name: 'yielded-vote-lent-before-the-yielder-queues',
    what: 'a vote that is yielded is lent on before the one that yields is back in the queue',
    // fairness, 5.5. The vote is lent to r (10); c (5) asks, r is inquired; d (20) queues; c is cancelled, its Release overtakes the Yield.
    // The Yield comes: d gets the vote, though r is older and known, and nobody inquires for r before its next repeat: d may enter first.
    changes: [arbiter(
      'const { request, claim, mode, keep, sentAtMs } = grant;',
      'this.fill(arbiter);\n      const { request, claim, mode, keep, sentAtMs } = grant;',
    )],
    caughtBy: ['fairness', 'asks-back', 'in-line', 'deadlock'],
  },
  {
    name: 'readers-pass-a-writer-at-home',
    what: 'readers in the local line go in under a shared hold though a writer stands before them in the line',
    // fairness (the writer starves), 6.2 and 6.5. One node, r1 inside, a writer in line, then r2: r2 joins r1, r3 joins r2, and so on; the
    // writer never has its turn while readers of its node overlap.
    changes: [
      requester(
        "if (first.mode === 'shared' && phase.request.mode === 'shared' && !phase.request.contended && this.isUsable(phase)) {",
        "if (line.some((caller) => caller.mode === 'shared') && phase.request.mode === 'shared' && !phase.request.contended && this.isUsable(phase)) {",
      ),
      requester(
        'let first = line[0];',
        "if (mode === 'shared') line.sort((a, b) => Number(a.mode !== 'shared') - Number(b.mode !== 'shared'));\n    let first = line[0];",
      ),
    ],
    caughtBy: ['fairness', 'asks-back', 'progress', 'in-line'],
  },
  {
    name: 'contention-forgotten-on-entry',
    what: 'contention that a request heard of while it waited is forgotten when it enters',
    // fairness, 9. n1 waits with keep and is told ("contended", or an Inquire for the younger n2); it enters, leaves, and retains: the next
    // callers of n1 enter again and again, without a message, before n2, which all arbiters know, until a repeat of n2 or a renewal tells n1
    // once more.
    changes: [requester('request.votes.assertFloorHolds();', 'request.votes.assertFloorHolds();\n    request.contended = false;')],
    caughtBy: ['fairness', 'asks-back', 'in-line', 'prompt', 'gives-way'],
  },
  {
    name: 'thief-that-yielded-waits-in-line',
    what: 'a request that yields is queued again as one that waits, so a thief that yielded to an older thief has no priority there any more',
    // fairness (and a circle), 5.5 and 12. T2 yields the vote of a to an older thief and is queued behind an old W that only waits. When the
    // older thief is done, a lends W its vote, while b has lent T2 its own. T2's repeats make W yield, and a lends W the vote again; T2 yields
    // b's vote to nobody that waits. They wait in a circle, until the further quorum if there is one.
    changes: [arbiter(
      'this.enqueue(arbiter, { request, claim, mode, keep, sentAtMs, heardAtMs: this.context.nowMs });',
      "this.enqueue(arbiter, { request, claim: 'waits', mode, keep, sentAtMs, heardAtMs: this.context.nowMs });",
    )],
    caughtBy: ['fairness', 'asks-back', 'progress', 'deadlock', 'in-line', 'overtaken'],
  },
  {
    name: 'hold-ends-with-its-first-vote',
    what: 'a hold is valid until the first of its votes ends, though the others may be a quorum for longer',
    // keeps, 6.5. n1 holds by n1 n2; n2 dies, n3 is asked and lends its vote. When n2's vote ends n1 takes the lock for lost, with the valid
    // votes of n1 and n3 in hand.
    changes: [votes('if (first === last) return first;', 'if (first <= last) return first;')],
    caughtBy: ['keeps', 'spreads', 'valid-as-heard'],
  },
  {
    name: 'first-entry-with-little-left',
    what: 'a request that waited enters with votes of which less than a tenth of the lease is left',
    // usable (and keeps), 6.5. n2 lends its vote and dies; the vote of n3 comes when 3 % of that lease are left (five nodes: three votes
    // needed). The caller enters, and the lock is lost before a renewal by others is back.
    changes: [requester('if (!this.isUsable(allowed)) {', 'if (allowed.validUntilMs <= this.context.requesterNowMs) {')],
    caughtBy: ['keeps', 'spreads', 'usable'],
  },
  {
    name: 'thief-inside-gives-orders',
    what: 'the node of a thief that is inside already still gives its order to others that hold',
    // theft, 12. A reader stole the lock and is inside at n3; a reader of n1 enters beside it, its renewal reaches n3, and n3 orders it out,
    // for a thief that waits no more.
    changes: [
      requester(
        "return this.phase.state === 'waiting' && this.phase.request.steals ? this.phase.request.id : null;",
        "return (this.phase.state === 'waiting' || this.phase.state === 'held') && this.phase.request.steals ? this.phase.request.id : null;",
      ),
      arbiter('if (thief === null) return;', 'if (thief === null || thief.timestamp === timestamp) return;'),
    ],
    caughtBy: ['stolen-for-somebody'],
  },
  {
    name: 'woken-as-if-it-had-not-slept',
    what: 'after a sleep of the machine, the node asks to be woken for its requests later by as much as it slept',
    // keeps (and lost-at-once), 4.2 and 6.7. A machine that slept longer than a lease in some earlier hour enters a lock: the wake for its
    // renewal is asked for a lease too late; the hold runs out without a renewal, and its caller is told after the end.
    changes: [node('this.requesters.earliestMs - this.sleptMs', 'this.requesters.earliestMs')],
    caughtBy: ['keeps', 'spreads', 'lost-at-once', 'lease-inside', 'exclusion', 'when-due'],
  },
  {
    name: 'takes-nothing-back-in-while-others-queue',
    what: 'a silent arbiter takes a grant of its earlier life back in only if nobody waits for the lock there',
    // keeps, 5.6. Three nodes, n3 is dead, n1 holds by n1 n2, n2 restarts. A caller of n2 (or another node) queues there before n1's Request
    // shows its grant: n1 is queued, loses n2's vote when it ends, and with it the lock.
    changes: [arbiter(
      'if (number === null || number >= clock.bornAt || !this.isSilent() || !this.context.takesPart || !this.context.renews) return false;',
      'if (number === null || number >= clock.bornAt || !this.isSilent() || !this.context.takesPart || !this.context.renews || arbiter.queue.length > 0) return false;',
    )],
    caughtBy: ['keeps', 'spreads', 'lends-on'],
  },
  {
    name: 'holder-gives-no-dead-vote-back',
    what: 'a holder does not answer a Grant at or below the floor with Yield: a holder yields nothing',
    // keeps, 6.4 rule 3. For more than a lease the link from b to the holder is broken, the other direction works: the vote runs out in hand,
    // while b goes on renewing it. It heals; b repeats the same number for ever, which never counts. Then c dies: lost, though a and b live.
    changes: [requester('// The Yield may have been lost, so say it again (protocol.md section 11).', "if (phase.state !== 'held')")],
    caughtBy: ['keeps', 'spreads'],
  },
  {
    name: 'enters-with-what-is-left-the-second-time',
    what: 'a request whose votes end too soon asks again once; the next time it enters, however little is left',
    // keeps, 6.5 and the promise Usable. Waits long for b, replies of a were lost or are slow: a's vote has 5 % of the lease left as b's Grant
    // comes. It asks again, b answers first (a is slow): it enters with less than a tenth, and may lose the lock before a's answer.
    changes: [requester('if (!this.isUsable(allowed)) {', 'if (!this.isUsable(allowed) && !phase.votesRenewed) {')],
    caughtBy: ['keeps', 'spreads', 'usable'],
  },
  {
    name: 'inside-since-the-first-entry',
    what: 'a hold is taken to have begun when its request first entered, though another caller entered again under it',
    // theft, 12 (Order). A thief waits while caller 1 is inside and its node answers a renewal with the order; caller 1 leaves before any
    // Inquire is here, so caller 2 enters again; the thief has given up by then. The order comes: caller 2 is robbed for nobody.
    changes: [
      requester('const sinceMs = this.context.requesterNowMs;', 'const sinceMs = ((request as any).insideSinceMs ??= this.context.requesterNowMs);'),
      requester('phase.lastEntryAtMs = this.context.requesterNowMs;', 'phase.lastEntryAtMs = phase.sinceMs;'),
    ],
    caughtBy: ['stolen-for-somebody', 'sparing', 'when-due'],
  },
  {
    name: 'nothing-saved-up-for-entries-without-a-message',
    what: 'clock values for entries without a message are not saved up: there is one a millisecond',
    // cost, 3 and 9. A lock passes twice within a millisecond from caller to caller of its node: the second time it is released for real, and
    // costs 3(K - 1) messages.
    changes: [clock('Math.max(this.usedUntilMs, nowMs - TICKS_SAVED_MS)', 'Math.max(this.usedUntilMs, nowMs)')],
    caughtBy: ['sparing', 'when-due', 'frugal'],
  },
  {
    name: 'repeats-no-sooner-late-in-the-lease',
    what: 'a holder repeats its Request at the usual interval, however little of its lease is left',
    // keeps, 6.3. A caller enters again with 0.15 of the lease left, as an arbiter died a moment ago and is not yet taken for down. The
    // Request goes out, that arbiter does not answer, and the next one, to others, would be due when the lock is lost.
    changes: [leaseTimes('return askedAtMs + Math.min(retryMs, Math.max(Math.ceil(leftMs / 2), Math.ceil(retryMs * REPEAT_SHARE_MIN)));', 'return leftMs < 0 ? askedAtMs : askedAtMs + retryMs;')],
    caughtBy: ['keeps', 'spreads', 'when-due'],
    hunt: { profile: 'spaced', nodes: 3, locks: 3, callers: 1, family: 'majority' },
  },
  {
    name: 'everybody-who-was-up-the-first-time',
    what: 'a holder that spreads asks only those that were up when somebody spread first in this life',
    // keeps, 14. Once a holder spread while n4 was down. Later n4 is up, the holder spreads, and n4 is not asked; n5, which waits with the
    // vote of n4, dies together with n3 of the holder. The vote of n4 cannot be had for a lease, and the hold is lost.
    changes: [
      reach('this.arbiters ??= new Set(coterie.nodes.flatMap((node) => coterie.votingSet(node)));', 'this.arbiters ??= new Set(coterie.nodes.flatMap((node) => coterie.votingSet(node)).filter((node) => !this.down.has(node)));'),
    ],
    caughtBy: ['keeps', 'spreads'],
  },
  {
    name: 'long-waiters-are-forgotten',
    what: 'a repeat does not refresh a waiter: it is dropped a lease after its first Request',
    // fairness, 5.1 and 5.2. Who waits behind a long hold is out of the queue from a lease on until its next repeat, again and again. When the
    // lock is released in between, younger ones get the votes.
    changes: [arbiter('known.heardAtMs = waiter.heardAtMs;', '')],
    caughtBy: ['fairness', 'asks-back', 'progress', 'in-line', 'prompt', 'overtaken'],
  },
  {
    name: 'younger-contenders-are-no-contention',
    what: 'an Inquire for a younger contender is not noted as contention',
    // fairness, 9. A kept lock is in use; the Inquire for one that is younger than its request comes and is not noted. The callers in line,
    // younger still, enter one after another under the same grants, until a renewal says that it is contended.
    changes: [
      requester('this.noteContention(phase.request);', "if (hasPriority(message.contender, { request: phase.request.id, claim: 'waits' })) this.noteContention(phase.request);"),
    ],
    caughtBy: ['fairness', 'asks-back', 'in-line', 'prompt', 'gives-way'],
  },
  {
    name: 'yield-served-after-the-others',
    what: 'an arbiter lends on a vote that was given back before it puts back into the queue who gave it',
    // fairness, 5.5. It inquired for an older one, and that gave up in the meantime. The Yield comes: the vote goes to a younger one in the
    // queue, past the one that yielded, which the arbiter knows.
    changes: [
      arbiter(
        'this.enqueue(arbiter, { request, claim, mode, keep, sentAtMs, heardAtMs: this.context.nowMs });',
        'this.fill(arbiter);\n      this.enqueue(arbiter, { request, claim, mode, keep, sentAtMs, heardAtMs: this.context.nowMs });',
      ),
    ],
    caughtBy: ['fairness', 'asks-back', 'in-line', 'deadlock'],
  },
  {
    name: 'readers-overtake-a-writer-in-their-line',
    what: 'a shared caller that asks while readers of its node are inside goes to the front of the line, before a writer',
    // fairness, 6.2. Readers are inside, a writer of the same node waits in line; readers come faster than they leave: it waits for ever.
    changes: [
      requester(
        'else this.line = withLast(this.line, caller);',
        "else if (mode === 'shared' && this.phase.state === 'held' && this.phase.request.mode === 'shared') this.line.unshift(caller);\n    else this.line = withLast(this.line, caller);",
      ),
    ],
    caughtBy: ['fairness', 'asks-back', 'progress', 'in-line'],
  },
  {
    name: 'spreads-by-this-repeat',
    what: 'whether no quorum answered is looked at after the Request was repeated, so every repeat of a holder goes to everybody',
    // cost, 14. A hold without contention that is older than a repeat asks nodes outside of its quorum, and tells them its end: more than 3(K
    // - 1) messages wherever K is less than all.
    changes: [
      requester("const needsOthers = phase.state === 'held' && this.needsOthers(phase);", "const needsOthers = (): boolean => phase.state === 'held' && this.needsOthers(phase);"),
      requester('if (needsOthers) askToo(', 'if (needsOthers()) askToo('),
    ],
    caughtBy: ['sparing', 'when-due', 'frugal'],
  },
  {
    name: 'readers-never-enter-again',
    what: 'grants of a shared request are kept, but nobody enters again under them',
    // cost, 9. A reader leaves, nobody else wants the lock, a reader of the same node comes: 3(K - 1) messages, not none.
    changes: [requester('first.mode === request.mode && !request.contended', "first.mode === 'exclusive' && request.mode === 'exclusive' && !request.contended")],
    caughtBy: ['sparing', 'when-due', 'frugal', 'within-room'],
  },
  {
    name: 'thief-keeps-nothing',
    what: 'a request that stole is released for real, though nobody else wants the lock',
    // cost, 9. A thief leaves, nobody waits, the next caller of its node pays 3(K - 1) messages.
    changes: [requester('if (request.keep && !request.contended && mayKeep) {', 'if (request.keep && !request.contended && mayKeep && !request.steals) {')],
    caughtBy: ['sparing', 'when-due', 'frugal'],
  },
  {
    name: 'its-own-line-counts-as-contention',
    what: 'a lock for which another caller of the same node waits in line is released for real',
    // cost, 9. Callers of one node follow each other, nobody else wants the lock: each pays 3(K - 1) messages.
    changes: [requester('if (request.keep && !request.contended && mayKeep) {', 'if (request.keep && !request.contended && mayKeep && this.line.length === 0) {')],
    caughtBy: ['sparing', 'when-due', 'frugal'],
  },
  {
    name: 'contended-renewal-asks-nobody',
    what: 'a holder that hears of others by a Grant that renews its vote asks nobody else before its next repeat',
    // keeps, 14. The Inquire was lost. The vote of an arbiter is lent to the one that waits, and its node dies before the repeat.
    changes: [requester('if (message.contended) this.spread(phase);', '')],
    caughtBy: ['keeps', 'spreads'],
  },
  {
    name: 'each-entry-again-renews',
    what: 'whoever enters again under kept grants repeats the Request to all, whether that is due or not',
    // cost, 9. A lock passes from caller to caller of one node a thousand times a second: 2(K - 1) messages each.
    changes: [requester('if (roomIsLow || requesterNowMs >= this.repeatAtMs(held)) askAll', 'if (roomIsLow || requesterNowMs >= 0) askAll')],
    caughtBy: ['frugal', 'sparing', 'when-due'],
  },
  {
    name: 'thief-inside-goes-after-those-outside',
    what: 'a request that stole, and whose caller is inside, goes after those that wait to steal',
    // keeps, 2 and 14. A thief is inside, another one waits with the vote of n4, and their nodes cannot reach each other. An arbiter of the one
    // inside dies: it needs the vote of n4, and is not given it.
    changes: [priority('stole: 0, steals: 1', 'stole: 1, steals: 0')],
    caughtBy: ['fairness', 'asks-back', 'keeps', 'spreads'],
  },
];
