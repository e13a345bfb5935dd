/** What goes wrong where two processes run under one node id (protocol.md section 17.2). */
import { inFile } from './mutant';
import type { CheckName, Mutant } from './mutant';

const arbiter = inFile('arbiter');
const asking = inFile('asking');
const namesake = inFile('namesake');
const node = inFile('node');

const LENDS_OR_ASKS = ['stands-apart', 'exclusion'] as const satisfies readonly CheckName[];

const hunt = { profile: 'namesakes' } as const;

export const NAMESAKE_MUTANTS: readonly Mutant[] = [
  {
    name: 'refused-and-goes-on',
    what: 'a process that a peer refuses, for another one has its id, goes on',
    changes: [node('return this.standApart(event.peer);', 'return;')],
    caughtBy: LENDS_OR_ASKS,
    hunt,
  },
  {
    name: 'lends-on-while-apart',
    what: 'a process that stands apart gives up what it holds, and lends on',
    changes: [
      node('this.askedSilentUntilMs, this.namesake.untilMs);', 'this.askedSilentUntilMs);'),
      // Its driver looks whether it takes part.
      arbiter('if (grant !== undefined && !this.context.takesPart) {', 'if (grant !== undefined && grant.number < 0) {'),
    ],
    caughtBy: LENDS_OR_ASKS,
    hunt,
  },
  {
    name: 'apart-until-one-accepts',
    what: 'a process takes part again when one peer has accepted it, though others have the other process still',
    changes: [namesake('if (!this.peers.delete(peer) || this.peers.size > 0) return false;', 'if (!this.peers.delete(peer)) return false;')],
    caughtBy: LENDS_OR_ASKS,
    hunt,
  },
  {
    name: 'apart-until-accepted',
    what: 'a process takes part again at once when the last peer accepts it, and not a lease after',
    changes: [namesake('this.untilMs = nowMs + this.settings.leaseMs;', 'this.untilMs = nowMs;')],
    caughtBy: LENDS_OR_ASKS,
    hunt,
  },
  {
    name: 'apart-and-renews',
    what: 'a process that stands apart renews the grants that live',
    changes: [arbiter('if (grant !== undefined && !this.context.takesPart) {', 'if (grant !== undefined && grant.number < 0) {')],
    caughtBy: LENDS_OR_ASKS,
    hunt,
  },
  {
    name: 'apart-and-holds-on',
    what: 'a process that stands apart keeps what it holds',
    changes: [node('if (isFirst) this.requesters.standApart();', '')],
    caughtBy: LENDS_OR_ASKS,
    hunt,
  },
  {
    name: 'apart-and-answers',
    what: 'a process that stands apart gives back what it does not know of, and the other one may hold',
    changes: [asking("if (message.timestamp < context.clock.bornAt || !context.takesPart) context", 'if (message.timestamp < context.clock.bornAt) context')],
    caughtBy: LENDS_OR_ASKS,
    hunt,
  },
  {
    name: 'apart-for-ever',
    what: 'a process that stood apart never takes part again',
    changes: [namesake('this.untilMs = nowMs + this.settings.leaseMs;', '')],
    caughtBy: ['progress'],
    hunt,
  },
  {
    name: 'back-without-a-jump',
    what: 'a process that takes part again does not jump past the tokens that the other one may have allowed',
    changes: [node('this.jumpFrom(this.clock.now);\n    this.requesters', 'this.requesters')],
    caughtBy: ['stands-apart', 'token-rises'],
    hunt,
  },
  {
    name: 'back-and-asks-nothing',
    what: 'the callers in line of a process that takes part again are forgotten',
    changes: [node('this.jumpFrom(this.clock.now);\n    this.requesters.onJoined();', 'this.jumpFrom(this.clock.now);')],
    caughtBy: ['progress', 'in-line'],
    hunt,
  },
];
