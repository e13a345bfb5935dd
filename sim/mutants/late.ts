/**
 * What makes those wait who need not: planted bugs after which somebody is served late by half a lease or more, in a corner.
 * Each was written from docs/protocol.md alone, before the check that catches it.
 */
import { inFile } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const asking = inFile('asking');
const memory = inFile('memory');
const node = inFile('node');
const reach = inFile('reach');
const requester = inFile('requester');
const requesters = inFile('requesters');
const votes = inFile('votes');

export const LATE_MUTANTS: readonly Mutant[] = [
  {
    name: 'cancel-leaves-the-line-asleep',
    what: 'when the first in line gives up while its request waits, the next one in line does not ask',
    // late (for ever), 6.2. c1 and c2 in line at one node behind a holder elsewhere; c1 is cancelled. The phase is idle, the line is not
    // empty, and an idle requester has no deadline: c2 waits until somebody else asks for this lock at this node.
    changes: [requester(
      "if (place === 0 && phase.state === 'waiting') this.end(phase.request);",
      "if (place === 0 && phase.state === 'waiting') return this.end(phase.request);",
    )],
    caughtBy: ['prompt', 'progress', 'deadlock', 'in-line'],
  },
  {
    name: 'given-back-leaves-the-line-asleep',
    what: 'when a recalled lock was given back by all, the next caller in line does not ask',
    // late (for ever), 13 and 12 "at home". A remote caller is inside; a thief at the same node takes the lock: recalled, the thief is in
    // line. The remote caller gives back, Release goes out, and the thief never asks.
    changes: [requester(
      'if (phase.inside.size === 0) {',
      'if (phase.inside.size === 0) return this.end(phase.request);\n      if (phase.inside.size === 0) {',
    )],
    caughtBy: ['prompt', 'progress', 'deadlock', 'in-line'],
  },
  {
    name: 'run-out-leaves-the-line-asleep',
    what: 'when a hold runs out, the next caller in line does not ask',
    // late (for ever), 6.7. c1 holds, c2 is in line at the same node; the node is cut off (or slept) for a lease, c1 hears lost. The phase is
    // idle with c2 in line, which is never started.
    changes: [requester(
      "< phase.validUntilMs) return;\n    if (phase.state === 'held') this.takeAway(phase);",
      "< phase.validUntilMs) return;\n    if (phase.state === 'held') return this.takeAway(phase);",
    )],
    caughtBy: ['prompt', 'progress', 'deadlock', 'in-line'],
  },
  {
    name: 'joined-and-not-watched',
    what: 'requests that callers in line make when a node without memory joins have no deadline, so they are never repeated',
    // late (for ever), 3.2 and 6.3. A node that lost its disk joins with a caller in line, for a lock that another node holds for longer than
    // a lease with all votes (its own arbiter's too): no Grant comes that would settle the requester, nothing is repeated, and the arbiters
    // drop a waiter that they have not heard of for a lease.
    changes: [requesters('requester.onJoined();', 'requester.onJoined();\n      continue;')],
    caughtBy: ['prompt', 'progress', 'deadlock', 'when-due'],
  },
  {
    name: 'asked-before-and-up-is-enough',
    what: 'when a peer comes up that was asked before, the request is repeated to it, and no further arbiters are asked',
    // late (up to a lease and a repeat), 6.8. Five nodes: n1 waits, asked n1 n2 n3; n2 n3 n4 are away, n5 is up: no quorum in reach. n2 comes
    // back: n1 n2 n5 are a quorum, but n5 is not asked before the backstop.
    changes: [requester(
      'if (phase.request.asked.includes(peer)) ask(this.context, peer, this.lock, phase);',
      'if (phase.request.asked.includes(peer)) return ask(this.context, peer, this.lock, phase);',
    )],
    caughtBy: ['prompt', 'progress', 'deadlock', 'whom-to-ask'],
  },
  {
    name: 'silence-outlives-the-silent',
    what: 'the silence of a peer that went down again is not forgotten, so the peer counts as up when that silence would have ended',
    // late (a lease and a repeat for each request), 6.8. n2 restarts, connects (silent), and dies again within its silence. When the lease is
    // over n1 takes it for up and asks it first: each request of n1 waits for a dead node until the backstop.
    changes: [reach('this.silent.delete(peer);', '')],
    caughtBy: ['prompt', 'progress', 'deadlock', 'whom-to-ask', 'greets'],
  },
  {
    name: 'forgotten-lock-answers-no-inquire',
    what: 'an Inquire for a lock that this node knows nothing of any more is dropped without a Release',
    // late (up to a lease), 6.6 and 6.4 rule 1. A caller that has some votes is cancelled, the Release to one arbiter is lost, the requester
    // is forgotten at once. Who asks next makes that arbiter inquire with every repeat, to no avail: the vote is stuck until its lease ends.
    changes: [requesters(
      'onInquire(from: NodeId, message: Inquire): void {',
      'onInquire(from: NodeId, message: Inquire): void {\n    if (!this.byLock.has(message.lock)) return this.context.ignore(from, message, \'request of an earlier life\');',
    )],
    caughtBy: ['prompt', 'progress', 'deadlock', 'answers'],
  },
  {
    name: 'joins-when-all-were-heard',
    what: 'a node without memory joins by peers only when every peer answered, not when those heard meet every quorum',
    // late (a lease), 3.2 rule 3. Five nodes by majority: n1 lost its disk, n5 is down. n2 n3 n4 answer and meet every quorum, but n1 waits
    // for the second lease, and joins by wall clock.
    changes: [memory('return meetsEveryQuorum(this.context.settings.coterie, state.heard);', 'return state.heard.size === this.context.settings.coterie.nodes.length - 1;')],
    caughtBy: ['new-life', 'prompt', 'progress', 'deadlock', 'token-covered', 'jumps', 'token-rises', 'fenced'],
  },
  {
    name: 'silent-arbiter-tells-no-clock',
    what: 'an arbiter that is silent after a restart does not grant the lock by which a node without memory hears its clock',
    // late (up to a lease), 3.2 rule 2. n1 lost its disk; just before its silence ends n2 restarts with its disk. n2 may answer at once, but
    // does so when its own silence is over, or n1 joins by wall clock a lease later (and its tokens then rest on the wall clock).
    changes: [arbiter('return this.context.takesPart && arbiter.queue.every(({ request }) => arbiter.lock === clockLockOf(request.node));', 'return false;')],
    caughtBy: ['prompt', 'progress', 'deadlock', 'token-covered', 'jumps', 'token-rises', 'fenced'],
  },
  {
    name: 'prefers-what-it-chose-first',
    what: 'the quorum to ask first is chosen for the first request, and stays when peers come and go',
    // late (a lease and a repeat), 6.8. No quorum was in reach, so the voting set {n1 n2} is preferred; n3 comes up and n2 stays away: {n1 n3}
    // is in reach, but requests that begin now ask n1 and the dead n2 until the backstop (nothing widens a request as it begins).
    changes: [reach('return isReachable ? votingSet :', 'return (this as { chosen?: readonly NodeId[] }).chosen ??= isReachable ? votingSet :')],
    caughtBy: ['prompt', 'progress', 'deadlock', 'whom-to-ask'],
  },
  {
    name: 'silence-of-peers-unheard',
    what: 'how long a peer is silent after its restart, as its handshake says, is not heeded: it counts as up at once',
    // late (up to a lease), 6.8. n2 restarts and connects; a request of n1 (voting set {n1 n2}) is sent to n2, which lends nothing for a
    // lease, beside n3 that would at once.
    changes: [node('return this.onPeerUp(event.peer, Math.min(event.silentForMs ?? 0, SILENCE_MAX_MS));', 'return this.onPeerUp(event.peer, 0);')],
    caughtBy: ['prompt', 'progress', 'deadlock', 'whom-to-ask'],
  },
  {
    name: 'patience-renewed-by-grants',
    what: 'a request that waits starts its patience anew with every Grant, renewals of votes in hand included',
    // late (for as long as the peer is mute), 6.8, the further quorum. n1 asked {n1 n2}; n2 is up and answers nothing. n1's own vote is
    // renewed with every repeat, so the lease of patience never ends and n3 is never asked.
    changes: [requester(
      'return this.tryEnter(phase);',
      'phase.patientUntilMs = this.context.requesterNowMs + this.context.settings.leaseMs;\n        return this.tryEnter(phase);',
    )],
    caughtBy: ['prompt', 'progress', 'deadlock'],
  },
  {
    name: 'further-quorum-with-the-dead',
    what: 'the further quorum that is asked after a lease avoids those that granted nothing, but not those that are down',
    // late (a lease), 6.8. Five nodes: n1 asked n1 n2 n3, n3 is up and mute, n4 is down. The further quorum may be n1 n2 n4; n5, which would
    // answer, is asked a lease later.
    changes: [reach('new Set([...this.down, ...mute])', 'new Set(mute)')],
    caughtBy: ['prompt', 'progress', 'deadlock'],
  },
  {
    name: 'mute-after-a-lease',
    what: 'a node counts as mute when it held messages back for a lease, not for a retry interval',
    // late (two thirds of a lease), 17 and 18.2. The disk of n2 hangs; who needs its vote waits for a lease instead of a third of one before
    // others are asked.
    changes: [node(
      'nowMs - this.heldBackSinceMs >= this.settings.retryMs',
      'nowMs - this.heldBackSinceMs >= this.settings.leaseMs',
    )],
    caughtBy: ['prompt', 'progress', 'deadlock', 'ceiling-in-time'],
  },
  {
    name: 'once-heard-no-wall-clock',
    what: 'a node without memory joins by wall clock after the second lease only if nobody answered; if some did, it waits for more',
    // late (for as long as the other peer is away), 3.2 rule 4. Three nodes, n3 is down, n1 lost its disk: n2 answers, which is too few; n1
    // never joins, and n2 has no quorum.
    changes: [memory(
      'if (nowMs >= state.untilMs) return true;',
      'if (nowMs >= state.untilMs && state.heard.size === 0) return true;\n    if (nowMs >= state.untilMs) state.untilMs = nowMs + settings.leaseMs;',
    )],
    caughtBy: ['prompt', 'progress', 'deadlock', 'new-life'],
  },
  {
    name: 'stops-with-grants-retained',
    what: 'a node that stops in good order does not release the locks that it retains: nobody is inside, so nothing seems to be held',
    // late (up to a lease), 16 "stop". n1 retains the grants of a lock and stops; n2 asks for it, its Inquires reach nobody, and it waits
    // until the grants run out.
    changes: [requester(
      "else if (this.phase.state !== 'idle') this.end(this.phase.request);",
      "else if (this.phase.state !== 'idle' && this.phase.state !== 'retained') this.end(this.phase.request);",
    )],
    caughtBy: ['prompt', 'progress', 'deadlock'],
  },
  {
    name: 'orders-only-whom-it-lent-to',
    what: 'the node of a thief gives its order only to holders that have its own vote',
    // late (for as long as the holder likes), 12 "hearsay". H at n1 holds by n1 n2; T at n3 steals, asks n3 n1. n1 is no node of T, so H asks
    // n3; n3 has lent its vote to T, H is queued there, and no order is given: H holds on, however often it repeats its Request.
    changes: [arbiter(
      'if (!doesHold(claim)) return;',
      'if (!doesHold(claim) || this.byLock.get(lock)?.grants.some(({ request }) => request.node === holder) !== true) return;',
    )],
    caughtBy: ['prompt', 'progress', 'deadlock', 'orders'],
  },
  {
    name: 'silence-over-and-still-down',
    what: 'when the silence of a restarted peer is over, it is no longer silent, but it still counts as down until it connects again',
    // late (for as long as another node is away), 6.8. n2 restarted some time ago. n1 dies: for n3 (voting set {n3 n1}) no quorum is in reach,
    // so it asks n1, widens to nobody, and finds no further quorum, beside a healthy n2.
    changes: [reach('this.down.delete(node);', 'if (node === this.settings.self) this.down.delete(node);')],
    caughtBy: ['prompt', 'progress', 'deadlock', 'keeps', 'spreads'],
  },
  {
    name: 'further-quorum-without-those-who-granted',
    what: 'the further quorum that is asked after a lease avoids all who were asked, also those whose vote is in hand',
    // late, 6.8. Majority of three or five: no quorum is left without those who granted, so nobody is asked. One arbiter that is up and
    // answers nothing (one-way link; its vote is stuck with an older request of a node that has no quorum) blocks the request for ever.
    changes: [requester('reach.without(asked.filter((node) => !isHeardFrom.has(node)))', 'reach.without(asked)')],
    caughtBy: ['prompt', 'progress', 'deadlock'],
  },
  {
    name: 'peer-that-comes-up-widens-nothing',
    what: 'when a peer comes up that was not asked, it is not asked now, though those asked contain no quorum that is up',
    // late, 6.8. Of three, a is alone and asks its voting set a, b. c comes up, b stays down: a and c are a quorum, but c is asked only when
    // the request has waited for a lease.
    changes: [requester(
      'if (phase.request.asked.includes(peer)) ask(this.context, peer, this.lock, phase);',
      'if (phase.request.asked.includes(peer)) ask(this.context, peer, this.lock, phase);\n    return;',
    )],
    caughtBy: ['prompt', 'progress', 'deadlock', 'keeps', 'spreads', 'whom-to-ask'],
  },
  {
    name: 'clock-of-the-first-copy-of-a-grant',
    what: 'for a grant that is in hand already the clock of its first copy counts, not the higher one that a renewal brings',
    // late, 6.4 rule 5 and 7 (Clocks too far apart). a holder died whose vote b had lent, so b jumped past its clock + SLACK; a was idle, its
    // clock is lower than that one: the votes allow no token. The repeats bring the clocks together, but the old clock of a's vote stays in
    // hand: never granted, while nobody contends.
    changes: [votes('clock: Math.max(message.clock, isRenewal ? older.clock : 0),', 'clock: isRenewal ? older.clock : message.clock,')],
    caughtBy: ['prompt', 'progress', 'deadlock'],
  },
  {
    name: 'sent-by-the-time-of-arbiters',
    what: 'a Request says when it was sent by the time that does not count sleep, while votes are counted by the one that does',
    // late, 4.2 and 6.4. After a node slept for about a lease, all in all, every Grant has run out on the way as it comes: its callers never
    // get in. After half a lease of sleep holds last half as long.
    changes: [asking('const sentAtMs = context.requesterNowMs;', 'const sentAtMs = context.nowMs;')],
    caughtBy: ['prompt', 'progress', 'deadlock', 'keeps', 'spreads'],
  },
  {
    name: 'one-further-quorum-and-no-more',
    what: 'one that has waited a lease asks a further quorum once, and never another',
    // late (for ever), 6.8 and 18.2. Five nodes, b and d up and mute for n1: it asks {1, b, 3}, a lease later {1, 3, d}, and then nobody more,
    // though {1, 3, 5} is well.
    changes: [requester('phase.patientUntilMs = requesterNowMs + settings.leaseMs;', 'phase.patientUntilMs = Infinity;')],
    caughtBy: ['prompt', 'progress', 'deadlock'],
  },
  {
    name: 'silence-of-the-dead-ends',
    what: 'a peer that goes down while it is silent counts as up when its silence would have been over',
    // late (a lease and a repeat, each request), 6.8. b restarts, and dies for good before its silence is over. When that would have ended, a
    // prefers b again: each request of a waits for b until the further quorum of 6.8 is asked.
    changes: [reach('    this.silent.delete(peer);\n', '')],
    caughtBy: ['prompt', 'progress', 'deadlock', 'whom-to-ask', 'greets'],
  },
  {
    name: 'own-silence-not-counted-as-down',
    what: 'a node that is silent after a restart asks itself for its vote',
    // late (up to a lease), 6.8. a restarts with its disk; a caller asks at once. It asks {a, b} and waits for its own silence to end, beside
    // b and c that could let it in at once.
    changes: [reach('    this.down.add(this.settings.self);\n', '')],
    caughtBy: ['prompt', 'progress', 'deadlock', 'whom-to-ask'],
  },
  {
    name: 'yielding-thief-becomes-a-waiter',
    what: 'an arbiter forgets of a grant that its request steals, so one that yields stands in the queue as one that waits',
    // late (a lease and more), 12 and 5.5. Arbiter x has lent to thief t2; the older thief t1 comes, t2 yields, and stands in the queue behind
    // w, which is older and does not steal. t1 is done: w gets the vote. Each repeat of t2 makes w yield, and x lends to w again; t2 yields
    // nothing to w elsewhere. Both wait until one asks a further quorum.
    changes: [arbiter("claim: doesSteal(claim) ? 'steals' : 'waits'", "claim: 'waits'")],
    caughtBy: ['prompt', 'progress', 'deadlock', 'asks-back'],
  },
  {
    name: 'asks-for-the-clock-once',
    what: 'a node without memory does not repeat its question to those who remember',
    // late (a lease), 3.2. A node lost its disk; after its silence it asks both peers, and one answer is lost. It waits a second lease, and
    // joins by wall clock, though both are up and remember.
    changes: [memory('state.repeatAtMs = nowMs + settings.retryMs;', 'state.repeatAtMs = Infinity;')],
    caughtBy: ['prompt', 'progress', 'deadlock', 'when-due'],
  },
  {
    name: 'no-timer-for-the-memory',
    what: 'a node without memory is not woken to ask again, nor to join when its time is over',
    // late (for ever, if nothing else happens), 3.2. A node lost its disk, one of its two peers is down, its own caller waits. The other
    // answers; nothing happens when the second lease is over, for nobody else wants a lock.
    changes: [node(', this.memory.earliestMs,', ',')],
    caughtBy: ['prompt', 'progress', 'deadlock'],
  },
  {
    name: 'line-asks-before-it-may',
    what: 'a node that joins tells its callers in line to ask a moment before it takes part',
    // late (for ever), 3.2. A caller asks at a node without memory and waits. The node joins; the line is told to go on, but may not yet.
    // Nothing tells it again but the next caller of that lock, and then its timestamp is from before the life.
    changes: [node("    this.emit({ kind: 'joined', by });\n    this.requesters.onJoined();\n", "    this.emit({ kind: 'joined', by });\n"), node('    this.memory.settle();\n', '    this.requesters.onJoined();\n    this.memory.settle();\n')],
    caughtBy: ['prompt', 'progress', 'deadlock', 'in-line'],
  },
  {
    name: 'one-lock-alone-asks-others',
    what: 'when a peer goes down, or its silence ends, only the first lock that a node knows looks whom to ask',
    // late (a lease), 6.8. A node waits for two locks, or retains one and waits for another. An arbiter of both dies: the second request waits
    // for the dead until its further quorum is due.
    changes: [requesters('for (const requester of this.byLock.values()) requester.widen();', 'for (const requester of this.byLock.values()) return requester.widen();')],
    caughtBy: ['prompt', 'progress', 'deadlock'],
  },
  {
    name: 'who-waits-does-not-ask-who-comes-up',
    what: 'when a peer comes up, what is open is repeated to it, but nobody looks whether others can be asked now',
    // late (up to a lease), 6.8. a is alone and asks its voting set {a, b}. c comes up, b stays down: {a, c} would do, but c is not asked
    // before the further quorum is due.
    changes: [
      requester('if (phase.request.asked.includes(peer)) ask(this.context, peer, this.lock, phase);', 'if (phase.request.asked.includes(peer)) ask(this.context, peer, this.lock, phase);\n    return;'),
    ],
    caughtBy: ['prompt', 'progress', 'deadlock', 'whom-to-ask'],
  },
  {
    name: 'no-deadline-for-waiters',
    what: 'an arbiter does not look after waiters before the next of its grants would run out',
    // late (a lease and more), 5.1. A holder renews, the oldest that waits dies, a lease passes twice; the holder releases. The vote goes to
    // the dead one and is lost for a lease. Or: a reader renews, a dead writer waits, readers wait behind it as long as that.
    changes: [arbiter('for (const waiter of arbiter.queue) deadlineMs = Math.min(deadlineMs, waiter.heardAtMs + leaseMs);', 'void leaseMs;')],
    caughtBy: ['prompt', 'progress', 'deadlock'],
  },
  {
    name: 'silent-about-requests-that-are-over',
    what: 'while another request of the same lock is open, Grant and Inquire for one that is over get no answer',
    // late (a lease), 6.4 and 6.6. A caller gives up; its Release overtakes its Request at b, which lends its vote to a request that is over.
    // The next request of that node waits for this very vote, and the Grant and each Inquire are ignored.
    changes: [
      requester('if (phase === null) answerUnknown(this.context, from, message);', "if (phase === null) this.context.ignore(from, message, 'request is over');"),
      requester('if (phase === null) return answerUnknown(this.context, from, message);', "if (phase === null) return this.context.ignore(from, message, 'request is over');"),
    ],
    caughtBy: ['prompt', 'progress', 'deadlock', 'answers'],
  },
  {
    name: 'inquired-for-one-that-is-gone',
    what: 'a repeat makes the arbiter inquire only if it has not inquired for an older contender before',
    // late (a lease), 5.4. x waits elsewhere and has the vote of b; b inquires for the older c1, and the Inquire (or the Yield) is lost. c1
    // gives up or dies. c2, older than x and younger than c1, waits for b and has what x waits for: its repeats do not make b inquire.
    changes: [
      arbiter('if (!isRepeat && grant.inquiredFor !== null && hasPriority(grant.inquiredFor, waiter)) continue;', 'if (grant.inquiredFor !== null && hasPriority(grant.inquiredFor, waiter)) continue;'),
    ],
    caughtBy: ['prompt', 'progress', 'deadlock', 'asks-back'],
  },
  {
    name: 'own-vote-counts-as-mute',
    what: 'the further quorum that is asked after a lease avoids the node itself too, if its own vote is lent to another',
    // late (a repeat), 6.8. Three nodes: n1 waits behind n3, which holds by its own vote and that of n1; n2 answers nothing. A quorum without n2
    // and n1 there is none, so n3 is not asked. When n3 is done, n1 has its own vote, and looks again with its next repeat.
    changes: [requester('new Set([settings.self, ...votes.arbiters])', 'new Set(votes.arbiters)')],
    caughtBy: ['prompt', 'progress'],
    hunt: { profile: 'spaced', nodes: 3, locks: 1 },
  },
  {
    name: 'no-quorum-to-ask-for-a-whole-lease',
    what: 'a request that finds no further quorum to ask, for others have so many votes, looks for one again a lease later, not with each repeat',
    // late (up to a lease), 6.8. Four nodes: n1 waits for n2, which answers nothing, and n3, whose vote a holder has. Without these two there is no
    // quorum. A moment later the holder is done; n4 is asked a lease after that.
    changes: [requester('if (others.length === 0) return;', '')],
    caughtBy: ['prompt', 'progress'],
    hunt: { profile: 'spaced', nodes: 4, locks: 1 },
  },
  {
    name: 'answers-compared-by-a-time-that-counts-sleep',
    what: 'a node without memory compares when it asked its peers with the end of its silence by a time that counts the sleep of its machine',
    // late (a lease), and rests on its wall clock, 3.2. Its machine sleeps while it is silent. All that peers answer seems to be from before the
    // end of its silence, until it has run for as long as the machine slept.
    changes: [memory('sinceMs: nowMs, ', 'sinceMs: this.context.requesterNowMs, ')],
    caughtBy: ['new-life', 'prompt', 'progress'],
  },
  {
    name: 'renewed-and-no-reader-let-in',
    what: 'a reader that came while less than a tenth of the lease was left is not let in when the votes are renewed',
    // late (for as long as those inside stay), 6.2. A reader is inside for long, and its arbiters were out of reach until its votes were nearly
    // over. Another reader of its node comes then, and waits. The renewal comes; nobody looks at the line before the first reader leaves.
    changes: [requester('          this.tellRenewed(phase);\n          this.joinOrAdvance();', '          this.tellRenewed(phase);')],
    caughtBy: ['prompt', 'progress', 'in-line'],
    hunt: { profile: 'spaced' },
  },
];
