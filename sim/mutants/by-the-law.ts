/**
 * Bugs that were written from docs/protocol.md, rule by rule, before anybody had looked whether a check sees them. What each breaks stands
 * beside it. Those that a promise does not tell from the true core were left out.
 */
import { TOKEN_FALLS, VOTE_LENT_TWICE, inFile } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const asking = inFile('asking');
const clock = inFile('clock');
const deadlines = inFile('deadlines');
const leaseTimes = inFile('lease-times');
const memory = inFile('memory');
const node = inFile('node');
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
    changes: [arbiter('else this.fill(arbiter, message.nextTimestamp);', 'else if (grant !== undefined) this.fill(arbiter, message.nextTimestamp);')],
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
    caughtBy: ['prompt', 'progress', 'fairness', 'when-due', 'valid-as-heard'],
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
    caughtBy: ['keeps', 'lost-at-once', 'valid-as-heard'],
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
    changes: [requester('Math.min(ROOM_MAX, roomIn(phase))', 'Math.min(ROOM_MAX, phase.tokenMax - token)')],
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
  {
    name: 'patient-for-two-leases',
    what: 'a request asks a further quorum when it has waited for two leases, not for one',
    // 6.8: "A request that has waited for a lease asks, with its next repeat, one further quorum."
    // One arbiter of three is up and answers nothing: the operator sees each lock that needs it come a lease later than the law says.
    changes: [requester('patientUntilMs: requesterNowMs + settings.leaseMs,', 'patientUntilMs: requesterNowMs + 2 * settings.leaseMs,')],
    caughtBy: ['prompt'],
  },
  {
    name: 'waits-two-intervals-for-its-repeat',
    what: 'a request that waits is repeated every second retry interval',
    // 6.3: "A request that waits is repeated to all arbiters asked every retry interval."
    // A Request or a Grant is lost: the caller waits two thirds of a lease for the next one, not one third.
    changes: [leaseTimes('return askedAtMs + retryMs;', 'return askedAtMs + 2 * retryMs;')],
    caughtBy: ['when-due'],
  },
  {
    name: 'clocks-apart-wait-for-the-repeat',
    what: 'a request that finds the clocks of its votes too far apart does not ask again at once, but with its next repeat',
    // 7: "If the rest is none, the Request goes out again and carries the higher clock: at once the first time for each request."
    // A node comes up with a clock far behind the others (its wall clock is slow): the first lock that it asks for comes a third of a lease late.
    changes: [requester('phase.clocksBroughtTogether = true;\n      return askAll(this.context, this.lock, phase);', 'phase.clocksBroughtTogether = true;\n      return;')],
    caughtBy: ['prompt'],
  },
  {
    name: 'late-inquire-drops-the-newer-vote',
    what: 'an Inquire for an older grant takes the vote of a newer one out of hand',
    // 6.6: "the floor of a rises to g, a vote of that number or lower is dropped."
    // A late copy of an Inquire for a vote that was yielded comes when that arbiter has lent its vote anew: the new vote is dropped, and
    // neither counts nor is given back before the next repeat. All wait a third of a lease for a lock that is free.
    changes: [votes('if (vote !== undefined && vote.number <= number) this.inHand.delete(arbiter);', 'if (vote !== undefined) this.inHand.delete(arbiter);')],
    caughtBy: ['answers'],
  },
  {
    name: 'joins-after-a-third-lease',
    what: 'a node without memory that hears of too few joins by wall clock after a third lease, not after the second',
    // 3.2: "If a second lease passes without that, it joins all the same."
    // Of three nodes one is down and one lost its disk: the operator waits a lease longer than the law says until a lock can be had.
    changes: [memory('untilMs: nowMs + settings.leaseMs, repeatAtMs', 'untilMs: nowMs + 2 * settings.leaseMs, repeatAtMs')],
    caughtBy: ['new-life'],
  },
  {
    name: 'yields-only-what-it-has',
    what: 'a request that waits does not answer an Inquire for a grant that it does not have yet',
    // 6.6: "(An Inquire may overtake its Grant: the floor makes the late Grant harmless)": it is answered with Yield all the same.
    // The Inquire for an older request overtakes the Grant of a younger one: both wait in a circle until the older one's next repeat.
    changes: [requester('        // The Inquire may come before its Grant.\n', `
        if ((request.votes.validGrantOf(from, this.context.requesterNowMs) ?? 0) < message.grant) return this.context.ignore(from, message, 'grant is not in hand');
`)],
    caughtBy: ['answers', 'asks-back'],
  },
  {
    name: 'heap-looks-at-the-left-alone',
    what: 'when the deadline of a lock is put off, only one of the two that may be earlier now is looked at',
    // 11.2: "the node is woken for the earliest deadline of all locks."
    // A node with three locks or more: a hold of one ends late, or its renewal goes out late, for another is taken for the earliest.
    changes: [deadlines('const child = right !== undefined && left !== undefined && right.deadlineMs < left.deadlineMs ? right : left;', 'const child = left;')],
    caughtBy: ['lost-at-once', 'when-due'],
  },
  {
    name: 'forgotten-lock-answers-no-grant',
    what: 'a Grant for a lock that this node knows nothing of any more is dropped without a Release',
    // 6.4, rule 1: "It is for no open request: answer Release."
    // A second copy of a Request arrives after the Release: the arbiter lends its vote to nobody. The next one that asks is younger, so it
    // does not inquire before its repeat, and waits for that.
    changes: [requesters(
      'if (requester === undefined) return answerUnknown(this.context, from, message);\n    requester.onGrant(from, message);',
      "if (requester === undefined) return this.context.ignore(from, message, 'nobody here wants this lock');\n    requester.onGrant(from, message);",
    )],
    caughtBy: ['answers'],
  },
];
