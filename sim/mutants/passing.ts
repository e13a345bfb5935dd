/** Planted bugs of a lock that a client passes on to its own callers (protocol.md section 15.5), and of what a Grant says of those that wait. */
import { TOKEN_FALLS, inFile } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const requester = inFile('requester');
const votes = inFile('votes');
const session = inFile('served-session');

export const PASSING_MUTANTS: readonly Mutant[] = [
  {
    name: 'passes-past-who-waits-elsewhere',
    what: 'a lock may be passed on to all of its client that stand behind, whoever asked before them at other nodes',
    changes: [requester('const before = keep && !contended ? votes.before : Math.min(votes.before, votes.lowestClock);', 'const before = Infinity;')],
    caughtBy: ['passes-in-turn'],
  },
  {
    name: 'passes-though-a-vote-knows-older-ones',
    what: 'of the votes only one is asked who waits for it',
    changes: [votes('for (const vote of this.inHand.values()) before = Math.min(before, vote.before);', 'for (const vote of this.inHand.values()) before = vote.before;')],
    caughtBy: ['passes-in-turn'],
  },
  {
    name: 'asked-after-the-grant-and-passed-to',
    what: 'a Grant that tells of nobody, or of a younger one, lets also those go first that asked long after it',
    changes: [requester('const before = keep && !contended ? votes.before : Math.min(votes.before, votes.lowestClock);', 'const before = votes.before;')],
    caughtBy: ['passes-in-turn'],
  },
  {
    name: 'says-the-first-in-the-queue',
    what: 'an arbiter says the timestamp of the first in its queue, though one that steals or holds goes before older ones',
    changes: [arbiter('if (!isCompatible(mode, grant.mode)) waiting = Math.min(waiting, request.timestamp);', 'if (!isCompatible(mode, grant.mode) && waiting === Infinity) waiting = request.timestamp;')],
    caughtBy: ['passes-in-turn'],
  },
  {
    name: 'says-nothing-of-who-asks-next',
    what: 'a Release does not say for whom its node asks next, so the vote goes to one that passes the lock on past it',
    changes: [requester('request.id.timestamp, this.line[0]?.timestamp);', 'request.id.timestamp);')],
    caughtBy: ['passes-in-turn'],
    hunt: { profile: 'calm' },
  },
  {
    name: 'hands-on-nothing-of-who-comes-next',
    what: 'an arbiter forgets what a Release said of the next request of its node',
    changes: [arbiter('else this.fill(arbiter, message.nextTimestamp);', 'else this.fill(arbiter);')],
    caughtBy: ['passes-in-turn'],
    hunt: { profile: 'calm' },
  },
  {
    name: 'passes-to-another-client',
    what: 'a lock may be passed on to callers of any client that stand behind',
    changes: [
      requester('if (caller.client === null || line[0]?.client !== caller.client) return NOBODY;', 'if (caller.client === null) return NOBODY;'),
      requester('if (next.client !== caller.client ||', 'if (next.client === null ||'),
    ],
    caughtBy: ['passes-in-turn'],
  },
  {
    name: 'passes-over-one-that-stands-between',
    what: 'a lock may be passed on past a caller that stands between those of the client',
    changes: [
      requester('if (caller.client === null || line[0]?.client !== caller.client) return NOBODY;', 'if (caller.client === null) return NOBODY;'),
      requester('if (next.client !== caller.client || next.timestamp >= before || passTo.length >= roomMax) break;', 'if (next.client !== caller.client) continue;\n      if (next.timestamp >= before || passTo.length >= roomMax) break;'),
    ],
    caughtBy: ['passes-in-turn'],
  },
  {
    name: 'passed-tokens-are-not-spent',
    what: 'the tokens of those to whom a lock was passed on do not move the clock of its node',
    changes: [requester('until: phase.token + passTo.length, isCalledIn: true };', 'until: phase.token, isCalledIn: true };')],
    caughtBy: ['passes-in-turn', ...TOKEN_FALLS],
  },
  {
    name: 'passes-with-a-token-less',
    what: 'there is a token less than there are callers to pass the lock on to',
    changes: [requester('until: phase.token + passTo.length, isCalledIn: true };', 'until: phase.token + passTo.length - 1, isCalledIn: true };')],
    caughtBy: ['passes-in-turn'],
  },
  {
    name: 'keeps-what-it-may-only-pass-on',
    what: 'a node tells its client of the tokens, and not to whom alone it may pass the lock on',
    changes: [session('return waiting.length === 0 ? {} : { roomUntil, passTo: waiting };', 'return { roomUntil };')],
    caughtBy: ['called-in', 'free-is-given'],
    clients: {},
  },
  {
    name: 'nobody-is-left-to-pass-on-to',
    what: 'a client whose callers behind all gave up before it was told of its lock is told that it may take tokens, and keeps the lock that others want',
    changes: [session('return waiting.length === 0 ? {} : { roomUntil, passTo: waiting };', 'return { roomUntil, passTo: waiting };')],
    caughtBy: ['called-in', 'free-is-given'],
    clients: {},
  },
];
