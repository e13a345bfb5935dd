/**
 * Bugs that were written from docs/protocol.md, rule by rule, before anybody had looked whether a check sees them. What each breaks stands
 * beside it. Those that a promise does not tell from the true core were left out.
 */
import { TOKEN_FALLS, VOTE_LENT_TWICE, inFile } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const asking = inFile('asking');
const clock = inFile('clock');
const memory = inFile('memory');
const node = inFile('node');
const priority = inFile('priority');
const reach = inFile('reach');
const requester = inFile('requester');
const requesters = inFile('requesters');
const votes = inFile('votes');

export const BY_THE_LAW_MUTANTS: readonly Mutant[] = [
  // --- late by up to a lease ---------------------------------------------------------------------
  {
    name: 'expired-not-lent-on-at-a-message',
    what: 'an arbiter notes that a vote expired only at its timer, not when a message shows it',
    // 5.1: before it handles anything it drops the grants whose lease has ended. A timer may be late; a late renewal then revives the grant.
    changes: [arbiter('    } else if (arbiter.deadlineMs <= this.context.nowMs) {\n      this.dropExpired(arbiter);\n      this.fill(arbiter);\n    }', '    }')],
    caughtBy: ['lends-on', 'jumps'],
  },
  {
    name: 'waiter-that-leaves-lets-nobody-in',
    what: 'a Release of one that waits is no occasion to lend: readers behind a writer that gave up wait for their repeats',
    // 5.5: forget r, granted or queued, and fill.
    changes: [arbiter('else this.fill(arbiter);\n    this.settle(arbiter);', 'else if (grant !== undefined) this.fill(arbiter);\n    this.settle(arbiter);')],
    caughtBy: ['lends-on', 'prompt'],
  },
  {
    name: 'waiter-that-ran-out-lets-nobody-in',
    what: 'when an arbiter drops a writer that was not heard of for a lease, the readers behind it wait for their repeats',
    // 5.1: it drops waiters that it has not heard of for one lease. Then it fills.
    changes: [arbiter('    this.dropExpired(arbiter);\n    this.fill(arbiter);\n    this.settle(arbiter);', '    const before = arbiter.grants.length;\n    this.dropExpired(arbiter);\n    if (before === 0 || arbiter.grants.length < before) this.fill(arbiter);\n    this.settle(arbiter);')],
    caughtBy: ['lends-on', 'prompt'],
  },
  {
    name: 'taken-back-in-and-nobody-asks-for-it',
    what: 'when a silent arbiter takes a grant back in, it does not inquire for those that queued before',
    // 5.6: after that the arbiter inquires for those in the queue.
    changes: [arbiter('for (const waiter of arbiter.queue) this.inquireFor(arbiter, waiter, false);', '')],
    caughtBy: ['asks-back', 'prompt'],
  },
  {
    name: 'holder-does-not-greet-who-comes-up',
    what: 'when a peer comes up only those that wait repeat their Request to it, not those that hold',
    // 6.8: when a peer comes up, what is open is repeated to it.
    changes: [requester('if (phase.request.asked.includes(peer)) ask(', "if (phase.state === 'waiting' && phase.request.asked.includes(peer)) ask(")],
    caughtBy: ['greets', 'keeps'],
  },
  {
    name: 'waiter-does-not-greet-who-comes-up',
    what: 'when a peer comes up only those that hold repeat their Request to it, not those that wait',
    // 6.8, the same.
    changes: [requester('if (phase.request.asked.includes(peer)) ask(', "if (phase.state === 'held' && phase.request.asked.includes(peer)) ask(")],
    caughtBy: ['greets', 'prompt'],
  },
  {
    name: 'repeats-to-those-that-granted-nothing',
    what: 'a request that waits is repeated only to arbiters whose vote it does not have: the votes in hand run out',
    // 6.3: a request that waits is repeated to all arbiters asked.
    changes: [asking(
      'for (const arbiter of phase.request.asked) ask(context, arbiter, lock, phase);',
      "for (const arbiter of phase.request.asked) if (phase.state === 'held' || phase.request.votes.validGrantOf(arbiter, context.requesterNowMs) === null) ask(context, arbiter, lock, phase);",
    )],
    caughtBy: ['prompt', 'progress', 'fairness'],
  },
  {
    name: 'memory-asks-with-its-next-repeat',
    what: 'a node without memory asks a peer that comes up with its next repeat only',
    // 3.2: the Request is repeated every retry interval, and sent to each peer that comes up.
    changes: [memory("if (this.state.kind === 'asking') this.ask(peer, this.state);", '')],
    caughtBy: ['greets'],
  },
  {
    name: 'without-a-quorum-asks-itself-alone',
    what: 'a request that finds no quorum in reach asks only its own node',
    // 6.8: with no quorum in reach it asks the voting set.
    changes: [reach('(coterie.quorumAvoiding(self, this.down) ?? votingSet)', '(coterie.quorumAvoiding(self, this.down) ?? [self])')],
    caughtBy: ['whom-to-ask', 'prompt', 'progress'],
  },
  {
    name: 'silence-over-and-nobody-lends',
    what: 'when its silence ends an arbiter waits for the next message about a lock before it lends to those in the queue',
    // 3 and 5.6: the clock jumps, then those in the queues get their votes.
    changes: [node('this.jumpFrom(this.clock.bornAt);\n    this.arbiters.onSilence();', 'this.jumpFrom(this.clock.bornAt);')],
    caughtBy: ['lends-on', 'prompt', 'progress'],
  },
  {
    name: 'kept-lock-ignores-a-contended-grant',
    what: 'a lock that is kept is not given back when a Grant says that others want it',
    // 9: an Inquire, or a Grant that says `contended`, ends a retained request.
    changes: [requester('        if (request.contended) {\n          this.end(request);\n          this.joinOrAdvance();\n        }\n        return;', '        return;')],
    caughtBy: ['gives-way'],
    hunt: { faults: { loss: 0.2, reorder: 0.3, suspect: 8 } },
  },
  {
    name: 'runs-out-without-a-word',
    what: 'a lock that is kept until its grants run out is given back to nobody',
    // 9: Release to all asked. So does the end of its grants.
    changes: [requester("if (phase.state === 'held') this.takeAway(phase);\n    else this.end(phase.request);", "if (phase.state === 'held') this.takeAway(phase);\n    else this.phase = IDLE;")],
    caughtBy: ['frugal'],
  },

  // --- safety and tokens -------------------------------------------------------------------------
  {
    name: 'room-not-narrowed',
    what: 'a vote with a lower clock, that comes while the lock is held, does not narrow the room for tokens',
    // 7: entering again takes T + 1 as long as that is at most min c + SLACK over all votes in hand.
    changes: [requester('entry.tokenMax = votes.tokenMax;', 'entry.tokenMax = Math.max(entry.tokenMax, votes.tokenMax);')],
    caughtBy: ['within-room', ...TOKEN_FALLS],
    hunt: { faults: { suspect: 8, deaf: 1, spike: 0.1, flap: 4 }, slack: 60 },
  },
  {
    name: 'only-the-last-sleep-counts',
    what: 'of several sleeps of a machine requesters count only the last',
    // 4.2: requesters count what the machine slept.
    changes: [node('this.sleptMs += event.byMs;', 'this.sleptMs = Math.max(this.sleptMs, event.byMs);')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'jumps-past-the-first-reader-alone',
    what: 'of several grants that run out at one time the clock jumps past the tokens of the first only',
    // 5.1: for each, its clock reaches the clock last sent with that grant + SLACK + 1.
    changes: [arbiter('if (grant.expiresAtMs <= nowMs) clock.reach(', 'if (grant === arbiter.grants.find((each) => each.expiresAtMs <= nowMs)) clock.reach(')],
    caughtBy: TOKEN_FALLS,
    hunt: { faults: { timer: 0.2, isolate: 4, crash: 6, linger: 0.4 }, sharedShare: 0.85, slack: 60 },
  },
  {
    name: 'late-copy-shortens-the-vote',
    what: 'a late Grant for the number in hand shortens the vote to what that Grant says',
    // 6.4, rule 5: for the number already in hand the later `validUntil` counts.
    changes: [votes('validUntilMs: Math.max(message.sentAtMs + validForMs(this.settings), isRenewal ? older.validUntilMs : 0),', 'validUntilMs: message.sentAtMs + validForMs(this.settings),')],
    caughtBy: ['keeps', 'lost-at-once'],
  },
  {
    name: 'renews-nothing-while-silent',
    what: 'a silent arbiter does not renew what it took back in',
    // 5.2, rule 1, and 5.6.
    changes: [arbiter('if (grant !== undefined && !this.context.takesPart) {', 'if (grant !== undefined && (!this.context.takesPart || this.isSilent())) {')],
    caughtBy: ['lends-on', 'keeps', 'lease-inside'],
  },
  {
    name: 'handshake-moves-no-clock',
    what: 'the clock that a handshake carries does not count',
    // 3: a handshake carries a clock too, and counts the same.
    changes: [node('this.clock.witness(event.clock);', '')],
    caughtBy: ['overtaken', 'prompt', 'stands-apart', ...TOKEN_FALLS],
  },
  {
    name: 'blocks-do-not-grow',
    what: 'each block of clock values is as small as the first: the disk is written all the time',
    // 3: each is twice as large as the one before.
    changes: [clock('Math.max(2 * this.block, Math.ceil(this.ceilingBlock / FIRST_BLOCK_SHARE))', 'Math.ceil(this.ceilingBlock / FIRST_BLOCK_SHARE)')],
    caughtBy: ['ceiling-in-time'],
  },
  {
    name: 'first-block-is-a-whole-one',
    what: 'the first block of a life is as large as any: a crash loop moves the clock faster than real time',
    // 3 and 3.1.
    changes: [clock('const FIRST_BLOCK_SHARE = 64;', 'const FIRST_BLOCK_SHARE = 1;')],
    caughtBy: ['ceiling-in-time'],
  },
  {
    name: 'asks-for-a-ceiling-when-none-is-left',
    what: 'a ceiling is asked for when the clock has reached the last one, so messages wait for the disk',
    // 3: as soon as less than half of a block is left. So the disk is never on the path of a lock.
    changes: [clock('if (this.value + this.block / 2 <= this.ceilingAskedFor) return null;', 'if (this.value < this.ceilingAskedFor) return null;')],
    caughtBy: ['ceiling-in-time'],
  },

  // --- keeps -------------------------------------------------------------------------------------
  {
    name: 'keeps-without-room',
    what: 'a node keeps its grants, however many locks it knows',
    // 6.9: a node that knows more than 20,000 locks retains no further grants.
    changes: [requester('if (request.keep && !request.contended && mayKeep) {', 'if (request.keep && !request.contended) {')],
    caughtBy: ['refused-clearly'],
  },
  {
    name: 'without-keep-does-not-spread',
    what: 'a holder that asked without `keep`, and has heard of nobody, does not spread with its repeats',
    // 14 and 18.6: nobody inquires before somebody repeats, so it spreads as if it had heard of contention.
    changes: [requester('return request.contended || !request.keep ||', 'return request.contended ||')],
    caughtBy: ['keeps', 'spreads'],
  },
  {
    name: 'yielder-keeps-no-more',
    what: 'a vote that was given back is lent again as if it had been asked for without `keep`',
    // 5.4 and 5.5: who yields is put in the queue as it was, so younger ones inquire for what it keeps.
    changes: [arbiter(
      'this.enqueue(arbiter, { request, claim, mode, keep, sentAtMs, heardAtMs: this.context.nowMs });',
      'this.enqueue(arbiter, { request, claim, mode, keep: keep && claim === \'steals\', sentAtMs, heardAtMs: this.context.nowMs });',
    )],
    caughtBy: ['asks-back', 'prompt'],
  },
  {
    name: 'taken-back-in-without-keep',
    what: 'a grant that is taken back in counts as asked for without `keep`',
    // 5.4 and 5.6.
    changes: [arbiter('this.lend(arbiter, { request, claim, mode, keep, sentAtMs, heardAtMs: nowMs }, number,', 'this.lend(arbiter, { request, claim, mode, keep: keep && number < 0, sentAtMs, heardAtMs: nowMs }, number,')],
    caughtBy: ['asks-back', 'prompt'],
  },
  {
    name: 'contention-remembered-for-two-leases',
    what: 'a node asks without `keep` for two leases after contention',
    // 9: unless it heard of contention for this lock within the last lease.
    changes: [requester('this.noKeepUntilMs = this.context.requesterNowMs + this.context.settings.leaseMs;', 'this.noKeepUntilMs = this.context.requesterNowMs + 2 * this.context.settings.leaseMs;')],
    caughtBy: ['sparing', 'no-residue'],
  },
  {
    name: 'no-room-left-for-later-votes',
    what: 'a caller that keeps its lock is told of all the room that the votes allow, not of half',
    // 15.4: half of the room. A vote that comes later must allow the last token of it.
    changes: [requester('Math.min(ROOM_MAX, Math.floor((tokenMax - token) / 2))', 'Math.min(ROOM_MAX, tokenMax - token)')],
    caughtBy: ['within-room'],
  },
  {
    name: 'room-without-a-limit',
    what: 'a caller that keeps its lock has room for more than 65,536 tokens',
    // 15.4.
    changes: [requester('const ROOM_MAX = 2 ** 16;', 'const ROOM_MAX = 2 ** 40;')],
    caughtBy: ['within-room', 'when-due'],
  },
  {
    name: 'called-in-again-and-again',
    what: 'whoever keeps a lock hears with each Inquire that somebody else wants it',
    // 15.4: the core tells its driver once.
    changes: [requester('    phase.room.isCalledIn = true;\n', '')],
    caughtBy: ['called-in'],
  },

  // --- fairness and the order of priority --------------------------------------------------------
  {
    name: 'holders-before-thieves',
    what: 'one that holds goes before one that steals',
    // 2: stole before steals before holds before waits.
    changes: [priority('stole: 0, steals: 1, holds: 2, waits: 3', 'stole: 0, steals: 2, holds: 1, waits: 3')],
    caughtBy: ['overtaken', 'lends-on'],
  },
  {
    name: 'thief-gives-way-to-any-thief',
    what: 'a thief that waits yields to any other thief, also to a younger one',
    // 6.6 and 12: a request that waits yields to one that has priority.
    changes: [requester(
      'if (!hasPriority(message.contender, { request: request.id, claim: claimOf(request.steals, false) })) {',
      "if (!(request.steals && message.contender.claim === 'steals') && !hasPriority(message.contender, { request: request.id, claim: claimOf(request.steals, false) })) {",
    )],
    caughtBy: ['overtaken'],
  },
  {
    name: 'holder-stays-first-once-granted',
    what: 'an arbiter that lent its vote to a holder goes on treating it as one: no older request inquires',
    // 5.3 and 14: once the holder has the vote, the arbiter treats it by its timestamp again.
    changes: [arbiter("claim: doesSteal(claim) ? 'steals' : 'waits', mode,", "claim: doesSteal(claim) ? 'steals' : claim as 'waits', mode,")],
    caughtBy: ['asks-back'],
  },
  {
    name: 'thief-inside-keeps-its-place-in-line',
    what: 'one that waited to steal and is inside by now stays where it stands in the queue, among those that steal',
    // 5.2, rule 3, and 14.
    changes: [arbiter('if (doesHold(waiter.claim) && !doesHold(known.claim)) {', "if (waiter.claim === 'holds' && !doesHold(known.claim)) {")],
    caughtBy: ['lends-on'],
  },
  {
    name: 'inquire-does-not-say-holds',
    what: 'an Inquire for one that holds says that it waits, so an older request that waits keeps the vote',
    // 4.1 and 14.
    changes: [arbiter('const contender: Contender = { request, claim };', "const contender: Contender = { request, claim: doesSteal(claim) ? claim : 'waits' };")],
    caughtBy: ['keeps', 'spreads', 'asks-back'],
  },

  // --- who goes first when things go wrong (6.10) ------------------------------------------------
  {
    name: 'expired-goes-to-whoever-shows-it',
    what: 'the vote whose lease has ended goes to the request that shows it first, whoever has waited for it',
    // 6.10: an arbiter lends its vote past no request that it knows.
    changes: [
      arbiter('      this.dropExpired(arbiter);\n      this.fill(arbiter);\n    }\n    return arbiter;', '      this.dropExpired(arbiter);\n    }\n    return arbiter;'),
      arbiter(
        'const isRepeat = this.enqueue(arbiter, waiter);',
        'const isRepeat = this.enqueue(arbiter, waiter);\n      const own = findWaiter(arbiter, request);\n      if (arbiter.grants.length === 0 && own !== undefined) arbiter.queue.splice(0, 0, ...arbiter.queue.splice(arbiter.queue.indexOf(own), 1));',
      ),
    ],
    caughtBy: ['overtaken', 'lends-on'],
  },
  {
    name: 'first-come-while-silent',
    what: 'those that ask a silent arbiter are served in the order in which they came',
    // 6.10: a restart costs no place.
    changes: [arbiter('    insert(arbiter, waiter);\n    return false;', '    if (this.isSilent() && arbiter.queue.length > 0) arbiter.queue.push(waiter);\n    else insert(arbiter, waiter);\n    return false;')],
    caughtBy: ['overtaken', 'lends-on'],
  },
  {
    name: 'own-requests-first-while-somebody-is-down',
    what: 'while a peer is down an arbiter lends to its own node first',
    // 6.10.
    changes: [arbiter(
      'const { clock, nowMs, settings } = this.context;\n    for (let oldest',
      'const { clock, nowMs, settings } = this.context;\n    const own = this.context.reach.isAnyDown ? arbiter.queue.findIndex(({ request }) => request.node === settings.self) : -1;\n    if (own > 0) arbiter.queue.unshift(...arbiter.queue.splice(own, 1));\n    for (let oldest',
    )],
    caughtBy: ['overtaken'],
  },
  {
    name: 'late-repeat-costs-its-place',
    what: 'a request of which a repeat was lost goes to the end of the queue',
    // 6.10: it is known until nothing was heard of it for a lease.
    changes: [arbiter(
      '      known.heardAtMs = waiter.heardAtMs;\n',
      '      const isLate = waiter.heardAtMs - known.heardAtMs > 1.5 * this.context.settings.retryMs;\n      known.heardAtMs = waiter.heardAtMs;\n      if (isLate) arbiter.queue.push(...arbiter.queue.splice(arbiter.queue.indexOf(known), 1));\n',
    )],
    caughtBy: ['overtaken', 'prompt', 'lends-on'],
  },
  {
    name: 'renewal-without-others-ends-contention',
    what: 'a Grant that does not say that others wait makes a holder forget that some do, at another arbiter',
    // 6.10, gives-way: once a node has heard that others want a lock, none of its callers enters again under the same request.
    changes: [requester('if (message.contended) this.noteContention(request);', 'if (message.contended) this.noteContention(request);\n    else request.contended = false;')],
    caughtBy: ['gives-way', 'fairness', 'prompt'],
  },
  {
    name: 'asked-by-one-whose-vote-ran-out',
    what: 'an Inquire about a vote that is not in hand is no contention',
    // 6.6: contention is noted, whatever is answered.
    changes: [requester('this.noteContention(phase.request);\n    this.callIn();', 'if (phase.request.votes.validGrantOf(from, this.context.requesterNowMs) !== null) this.noteContention(phase.request);\n    this.callIn();')],
    caughtBy: ['gives-way', 'prompt'],
  },
  {
    name: 'asks-by-the-clock-of-a-while-ago',
    what: 'while a peer is down callers ask under a timestamp of a little while ago',
    // 6.10: a request is younger than all that its node had heard of when its caller asked.
    changes: [requester('timestamp: this.context.clock.tick(), steals: steals === true,', 'timestamp: this.context.reach.isAnyDown ? this.context.clock.tick() - 3 : this.context.clock.tick(), steals: steals === true,')],
    caughtBy: ['overtaken', 'request-unique'],
  },

  // --- message cost ------------------------------------------------------------------------------
  {
    name: 'contended-release-to-everybody',
    what: 'the Release of a lock that others want goes to all nodes, not only to those asked',
    // 6.7 and 9: every arbiter that it asked is told.
    changes: [requester(
      'for (const arbiter of request.asked) sendRelease(',
      'for (const arbiter of request.contended ? this.context.settings.coterie.nodes : request.asked) sendRelease(',
    )],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'inquires-readers-for-readers',
    what: 'for a reader that waits behind a writer the arbiter inquires of readers, too',
    // 5.4: to each grant that conflicts with r.
    changes: [arbiter('      if (isCompatible(grant.mode, mode)) continue;\n      if (!isRepeat', '      if (!isRepeat')],
    caughtBy: ['sparing', 'prompt'],
  },
  {
    name: 'asks-everybody-when-one-is-down',
    what: 'when those asked that are up contain no quorum, all that are up are asked, not one further quorum',
    // 6.8: those of a quorum that avoids all that are down.
    changes: [reach('return coterie.quorumAvoiding(self, this.down) ?? [];\n  }\n\n  /** A quorum without', 'return coterie.quorumAvoiding(self, this.down) === null ? [] : this.everybody();\n  }\n\n  /** A quorum without')],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'asks-others-though-enough-are-up',
    what: 'whoever looks for others asks a further quorum although those asked that are up contain one',
    // 6.8.
    changes: [reach('if (coterie.containsQuorum(new Set(asked.filter((node) => !this.down.has(node))))) return [];', 'if (asked.every((node) => !this.down.has(node))) return [];')],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'repeats-to-all-when-one-comes-up',
    what: 'when a peer comes up what is open is repeated to all that were asked, not to that peer alone',
    // 6.8: it is repeated to it.
    changes: [requester('if (phase.request.asked.includes(peer)) ask(this.context, peer, this.lock, phase);', 'if (phase.request.asked.includes(peer)) askAll(this.context, this.lock, phase);')],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'yields-and-asks-again-at-once',
    what: 'whoever yields to one arbiter repeats its Request to that arbiter at once',
    // 6.6: the answer is Yield alone. The arbiter puts it in the queue by itself.
    changes: [requester(
      'return sendYield(this.context, from, this.lock, request, message.grant);',
      'sendYield(this.context, from, this.lock, request, message.grant);\n        return ask(this.context, from, this.lock, phase);',
    )],
    caughtBy: ['when-due'],
  },

  // --- stealing and recall -----------------------------------------------------------------------
  {
    name: 'told-the-wrong-thief',
    what: 'those that are robbed are told that their own node took the lock',
    // 12: its callers are told who took it.
    changes: [requester('this.takeAway(phase, { node: message.contender.request.node });', 'this.takeAway(phase, { node: this.context.settings.self });')],
    caughtBy: ['stolen-for-somebody'],
  },
  {
    name: 'one-thief-of-a-node-is-enough',
    what: 'a holder asks the node of a thief once, and not again for a later thief of that node',
    // 12: the holder asks once for each thief.
    changes: [requester('if (timestamp <= (phase.thievesHeardOf?.get(node) ?? -Infinity)) return;', 'if (phase.thievesHeardOf?.has(node) === true) return;')],
    caughtBy: ['orders', 'progress'],
    hunt: { faults: { steal: 0.6, cancel: 0.3, linger: 0.4, loss: 0.05 } },
  },
  {
    name: 'order-only-for-the-first-in-the-queue',
    what: 'the node of a thief gives its order only while that thief is the first in its own queue',
    // 12: a node that gets a Request of a holder, while a request of its own waits to steal, answers with the order.
    changes: [arbiter(
      'private orderForOwnThief(holder: NodeId, { lock, timestamp, claim, sentAtMs }: Request): void {\n    if (!doesHold(claim)) return;',
      'private orderForOwnThief(holder: NodeId, { lock, timestamp, claim, sentAtMs }: Request): void {\n    if (!doesHold(claim)) return;\n    const head = this.byLock.get(lock)?.queue[0];\n    if (head !== undefined && head.request.node !== this.context.settings.self) return;',
    )],
    caughtBy: ['orders', 'progress'],
  },
  {
    name: 'theft-at-home-spares-readers-of-clients',
    what: 'a caller that steals from callers of its own node ends the hold at once, though a remote one may count on it',
    // 12 and 13: remote callers are recalled.
    changes: [requester(
      "      this.takeAway(phase, { node: this.context.settings.self, caller: caller.id });",
      "      const { request } = phase;\n      this.takeAway(phase, { node: this.context.settings.self, caller: caller.id });\n      if (this.phase.state === 'recalled' && request.steals) this.end(request);",
    )],
    caughtBy: [...VOTE_LENT_TWICE],
  },
  {
    name: 'recalled-answers-with-a-release',
    what: 'a lock that is recalled answers an Inquire of a thief with Release',
    // 13: no Release goes out before all have given it back.
    changes: [requester("      case 'recalled': // It is released when the callers have given it back.\n        return;", "      case 'recalled': // It is released when the callers have given it back.\n        if (message.contender.claim === 'steals') sendRelease(this.context, from, this.lock, request.id.timestamp);\n        return;")],
    caughtBy: [...VOTE_LENT_TWICE],
  },

  // --- limits ------------------------------------------------------------------------------------
  {
    name: 'newest-request-makes-way',
    what: 'for a further request of a node the one makes way that was heard last, not the one heard longest ago',
    // 5.7: the request of that node that waits and was heard longest ago makes way.
    changes: [arbiter('waiter.heardAtMs < longestUnheard.heardAtMs', 'waiter.heardAtMs >= longestUnheard.heardAtMs')],
    caughtBy: ['refused-clearly'],
    hunt: { profile: 'swarm', faults: { loss: 0.2, cancel: 0.3, late: 0.3, echo: 40 } },
  },
  {
    name: 'limit-of-a-node-counts-for-all',
    what: 'the requests of all nodes together count against the limit of each',
    // 5.7: of one node it knows 32 requests for a lock.
    changes: [arbiter('for (const { request: { node } } of arbiter.grants) if (node === request.node) count++;', 'count = arbiter.grants.length;')],
    caughtBy: ['refused-clearly', 'progress'],
  },
  {
    name: 'lent-votes-do-not-count',
    what: 'requests that have the vote do not count against the limit of their node',
    // 5.7.
    changes: [arbiter('for (const { request: { node } } of arbiter.grants) if (node === request.node) count++;', '')],
    caughtBy: ['refused-clearly'],
  },
  {
    name: 'remembers-contention-without-room',
    what: 'a node remembers contention, however many locks it knows',
    // 6.9: it remembers no further contention.
    changes: [requesters('(attentionAtMs <= this.context.requesterNowMs || !this.hasRoom())', 'attentionAtMs <= this.context.requesterNowMs')],
    caughtBy: ['refused-clearly'],
  },
  {
    name: 'holds-back-beyond-the-limit',
    what: 'a node holds twice as many messages back as it may',
    // 3: at most 10,000.
    changes: [node('if (this.heldBack.length < heldBackMax) this.heldBack', 'if (this.heldBack.length < 2 * heldBackMax) this.heldBack')],
    caughtBy: ['refused-clearly'],
  },
  {
    name: 'newest-held-back-displaces-the-oldest',
    what: 'with no room left the oldest of the messages held back is lost, not the further one',
    // 3: further ones are lost.
    changes: [node(
      "else this.ignore(from, message, 'too many messages are held back');",
      "else {\n        this.heldBack.shift();\n        this.heldBack.push({ to, message });\n      }",
    )],
    caughtBy: ['refused-clearly'],
  },
];
