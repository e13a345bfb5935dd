/** The core without one rule each: the odd ones of protocol.md section 11. */
import { NO_BACKSTOP, inFile, TOKEN_FALLS, VOTE_LENT_TWICE } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const asking = inFile('asking');
const node = inFile('node');
const requester = inFile('requester');
const votes = inFile('votes');

export const RULES: readonly Mutant[] = [
  {
    name: 'yield-without-number',
    what: 'a Yield takes back whatever grant the request has now',
    changes: [arbiter('} else if (grant.number !== message.grant) {', '} else if (grant.number < 0) {')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'no-floor',
    what: 'a late copy of a Grant already given back counts as a vote',
    changes: [votes('return floor !== undefined && grant <= floor;', 'return floor !== undefined && grant < 0;')],
    caughtBy: ['floor-holds'],
  },
  {
    name: 'no-yield-below-floor',
    what: 'a Grant at or below the floor is dropped without a Yield',
    changes: [requester('sendYield(this.context, from, this.lock, request, message.grant);\n      return this.context.ignore(', 'return this.context.ignore(')],
    caughtBy: ['progress', 'answers'],
  },
  {
    name: 'repeat-does-not-inquire',
    what: 'a repeated Request makes the arbiter inquire no more than the first did, and nobody loses hope in those asked',
    changes: [NO_BACKSTOP, arbiter('this.inquireFor(arbiter, waiter, isRepeat);', 'this.inquireFor(arbiter, waiter, false);')],
    caughtBy: ['asks-back', 'deadlock', 'progress'],
  },
  {
    name: 'answers-for-earlier-life',
    what: 'a restarted node releases what its earlier life held',
    changes: [asking('if (message.timestamp < context.clock.bornAt ||', 'if (message.timestamp < 0 ||')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'lends-at-once-after-restart',
    what: 'no silent lease after a restart',
    changes: [node('this.bornSilentUntilMs = nowMs + Math.max(birth.silentMs ?? 0, this.settings.leaseMs);', 'this.bornSilentUntilMs = nowMs;')],
    caughtBy: [...VOTE_LENT_TWICE, 'new-life'],
  },
  {
    name: 'no-jump-after-lease',
    what: 'the clock does not jump when a lease runs out',
    changes: [arbiter('if (grant.expiresAtMs <= nowMs) clock.reach(grant.sentClock + settings.slack + 1);', '')],
    caughtBy: TOKEN_FALLS,
  },
  {
    name: 'lease-from-reply',
    what: 'a grant counts from when it arrives, not from when it was asked for',
    changes: [
      votes("if (message.sentAtMs > nowMs) return 'answers", "this.arrivedAtMs = nowMs;\n    if (message.sentAtMs > nowMs) return 'answers"),
      votes('validUntilMs: Math.max(message.sentAtMs + validForMs', 'validUntilMs: Math.max(this.arrivedAtMs + validForMs'),
    ],
    caughtBy: [...VOTE_LENT_TWICE, 'valid-as-heard'],
  },
  {
    name: 'fill-overtakes',
    what: 'readers are let in past a writer that waits',
    changes: [
      arbiter('if (conflictsWithAny(arbiter.grants, oldest.mode)) return;\n      arbiter.queue.shift();', [
        'oldest = arbiter.queue.find((each) => !conflictsWithAny(arbiter.grants, each.mode));',
        'if (oldest === undefined) return;',
        'removeItem(arbiter.queue, oldest);',
      ].join('\n')),
    ],
    caughtBy: ['fairness', 'asks-back'],
  },
  {
    name: 'younger-do-not-inquire',
    what: 'a lock that is kept but not used is not asked back for a younger contender',
    changes: [arbiter('!isRepeat && !grant.keep && !doesSteal(claim)', '!isRepeat && !doesSteal(claim)')],
    caughtBy: ['progress', 'asks-back'],
  },
  {
    name: 'silence-ends-when-peers-speak',
    what: 'the silent lease ends when all peers were up for long enough to show what they hold',
    changes: [
      node(
        'if (this.reach.peerUp(peer, this.nowMs, silentForMs)) this.requesters.onPeerUp(peer);',
        `if (!this.reach.peerUp(peer, this.nowMs, silentForMs)) return;
        this.requesters.onPeerUp(peer);
        if (this.reach.down.size === this.reach.silent.size) {
          this.silentUntilMs = Math.min(this.silentUntilMs, this.nowMs + 2 * this.settings.retryMs);
        }`,
      ),
    ],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'asks-again-at-once',
    what: 'while clocks are too far apart every Grant makes the requester ask again at once',
    changes: [requester('phase.clocksBroughtTogether = true;', '')],
    caughtBy: ['progress'],
  },
];
