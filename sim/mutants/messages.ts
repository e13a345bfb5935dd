/**
 * What nodes say to each other and should not, or do not say and should: planted bugs of repeats and answers, theft and recall.
 * Each was written from docs/protocol.md alone, before anybody had looked whether a check sees it.
 */
import { inFile } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const leaseTimes = inFile('lease-times');
const requester = inFile('requester');

export const MESSAGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'a-hundred-repeats-in-an-interval',
    what: 'a holder with little of its lease left repeats its Request up to a hundred times in a retry interval',
    // 6.3: "at least every retry interval and at most eight times in one."
    // A holder that cannot reach a quorum floods its arbiters in the last moments of its lease.
    changes: [leaseTimes('const REPEAT_SHARE_MIN = 0.125;', 'const REPEAT_SHARE_MIN = 0.01;')],
    caughtBy: ['when-due'],
  },
  {
    name: 'tells-each-contender-by-a-grant',
    what: 'an arbiter sends the Grant of a lent vote again when a request that conflicts with it comes',
    // 4.1 and 5.2: a Grant answers a Request; who is to hear of a contender hears it by an Inquire, if 5.4 says so.
    // Each Request of one that waits costs a message more for each holder; a dashboard of messages shows it.
    changes: [arbiter(
      'this.inquireFor(arbiter, waiter, isRepeat);',
      'this.inquireFor(arbiter, waiter, isRepeat);\n      for (const lent of arbiter.grants) if (!isSameRequest(lent.request, request) && !isCompatible(lent.mode, mode)) this.sendGrant(arbiter, lent);',
    )],
    caughtBy: ['answers'],
  },
  {
    name: 'yields-all-its-votes',
    what: 'a request that yields to one arbiter gives the votes of all others back, too',
    // 6.6: "a vote of that number or lower is dropped, Yield(g)": of this arbiter and no other.
    // Under contention each Yield brings further ones, and each of these a new Grant: twice as many messages as the law asks for.
    changes: [requester('return sendYield(this.context, from, this.lock, request, message.grant);', `
        sendYield(this.context, from, this.lock, request, message.grant);
        for (const other of request.votes.arbiters) {
          const number = request.votes.validGrantOf(other, this.context.requesterNowMs);
          if (number === null) continue;
          request.votes.giveBack(other, number);
          sendYield(this.context, other, this.lock, request, number);
        }
        return;`)],
    caughtBy: ['answers'],
  },
  {
    name: 'answers-the-younger-with-its-request',
    what: 'a request that waits and is asked for a younger one repeats itself to that arbiter',
    // 6.6, waiting: "if c has priority ... Yield(g). Else none."
    // Each younger contender costs two messages more, a Request and a Grant.
    changes: [requester("return this.context.ignore(from, message, 'contender is younger');", 'return ask(this.context, from, this.lock, phase);')],
    caughtBy: ['answers', 'when-due'],
  },
  {
    name: 'node-of-a-thief-asked-but-not-noted',
    what: 'the node of a thief is asked, but does not belong to those asked: no repeat and no Release goes there',
    // 12: "The holder asks once for each thief; should that be lost, its repeats go there too."
    // The one Request to the thief's node is lost: the thief waits until the holder is done. And that node's vote, lent to the holder, is never released.
    changes: [requester('    if (!phase.request.asked.includes(node)) phase.request.asked.push(node);\n', '')],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'recalled-greets-who-comes-up',
    what: 'a lock that is recalled is shown to a peer that comes up, as one that is held',
    // 13: "The request is renewed no more. No Release, no Yield and no other answer about it goes out."
    // A client is gone and its lock recalled, a peer reconnects: the arbiters' lease starts anew, or the vote is lent once more, and all wait for longer.
    changes: [requester(
      "if (phase.state !== 'waiting' && phase.state !== 'held') return;\n    if (phase.request.asked.includes(peer))",
      "if (phase.state === 'idle' || phase.state === 'retained') return;\n    if (phase.request.asked.includes(peer))",
    )],
    caughtBy: ['greets'],
  },
  {
    name: 'thief-is-not-robbed',
    what: 'a holder that stole the lock itself obeys no thief',
    // 12, two thieves: "The older one enters first and is robbed by the younger at once."
    // Two operators steal one lock: the second waits until the first is done.
    changes: [requester("if (message.contender.claim !== 'steals') return this.spread(phase);", "if (message.contender.claim !== 'steals' || request.steals) return this.spread(phase);")],
    caughtBy: ['orders'],
  },
  {
    name: 'thieves-do-not-yield',
    what: 'a request that steals yields to nobody while it waits',
    // 12: "A request that waits yields to a thief, as to any that has priority": a thief that waits, too.
    // Two steal at once, each has a vote that the other needs: neither enters.
    changes: [requester('if (!hasPriority(message.contender, {', 'if (request.steals || !hasPriority(message.contender, {')],
    caughtBy: ['answers', 'asks-back'],
  },
  {
    name: 'robbed-and-its-line-sleeps',
    what: 'when a holder is robbed, the next caller in line of its node does not ask',
    // 6.2 and 12: "the next in line makes a new one", also when the hold before it was stolen.
    // A lock is stolen, others of the robbed node stand in line: they never ask, until some other caller of the node comes.
    changes: [requester('this.takeAway(phase, { node: message.contender.request.node });\n        return this.joinOrAdvance();', 'return this.takeAway(phase, { node: message.contender.request.node });')],
    caughtBy: ['in-line'],
  },
];
