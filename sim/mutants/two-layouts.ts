/** What goes wrong where nodes run under two layouts at one time (protocol.md section 17.1). */
import { inFile } from './mutant';
import type { CheckName, Mutant } from './mutant';

const candidacy = inFile('candidacy');
const node = inFile('node');

const BOTH_LEND = ['one-configuration', 'exclusion'] as const satisfies readonly CheckName[];

const hunt = { profile: 'rolling' } as const;

/** Often two quorums of two nodes each: here the fewest things must come together. */
const ofFour = { profile: 'rolling', nodes: 4, locks: 1, sharedShare: 0 } as const;

export const TWO_LAYOUTS_MUTANTS: readonly Mutant[] = [
  {
    name: 'begins-without-a-look',
    what: 'a node begins to lend before every peer that is not connected was dialled',
    changes: [candidacy('if (this.peers.some((peer) => !this.up.has(peer) && !this.settled.has(peer))) return orders;', '')],
    caughtBy: BOTH_LEND,
    hunt,
  },
  {
    name: 'looks-before-it-wishes',
    what: 'a look at the others counts that was taken before the wish',
    changes: [candidacy('this.dialled.clear();\n    this.settled.clear();', ''), candidacy("if (this.state === 'wishes') this.dialled.add(peer);", 'this.dialled.add(peer);')],
    caughtBy: BOTH_LEND,
    hunt,
  },
  {
    name: 'wish-kept-to-itself',
    what: 'a node that wishes to begin does not say so',
    changes: [candidacy("return this.state === 'begun' ? 'serves' : this.state;", "return this.state === 'begun' ? 'serves' : 'none';")],
    caughtBy: BOTH_LEND,
    hunt,
  },
  {
    name: 'wishes-of-rivals-unheard',
    what: 'a rival that wishes is no reason to wait, only one that serves',
    changes: [candidacy('const known = this.rivals.get(peer);', "const known = this.rivals.get(peer);\n    if (answer.standing === 'wishes') answer = { ...answer, standing: 'none' };")],
    caughtBy: BOTH_LEND,
    hunt,
  },
  {
    name: 'votes-of-rivals-forgotten',
    what: 'a node begins as soon as no rival serves, though votes that one lent may be on loan for a lease',
    changes: [candidacy("standing === 'none' ? quietSinceMs + leaseMs : Infinity", "standing === 'none' ? quietSinceMs : Infinity")],
    caughtBy: BOTH_LEND,
    hunt,
  },
  {
    name: 'rivals-out-of-sight-forgotten',
    what: 'a rival that cannot be reached any more is none, though votes that it lent may be on loan for a lease',
    changes: [candidacy('this.quieten(peer, nowMs);\n    // What cannot', 'this.rivals.delete(peer);\n    // What cannot')],
    caughtBy: BOTH_LEND,
    hunt,
  },
  {
    name: 'goes-on-without-a-quorum',
    what: 'a node that has begun goes on when no quorum is in reach any more, though it knows rivals',
    changes: [candidacy('if (hasQuorum || this.rivals.size + this.hinted.size === 0) return [];', 'return [];')],
    caughtBy: BOTH_LEND,
    hunt,
  },
  {
    name: 'steps-back-and-lends-on',
    what: 'a node that has begun and steps back lends on',
    changes: [candidacy("return [{ kind: 'silence', untilMs: null, renews: false }];", 'return [];')],
    caughtBy: BOTH_LEND,
    hunt,
  },
  {
    name: 'gives-way-for-ever',
    what: 'a node that gave way never wishes again',
    changes: [candidacy('if (this.gaveWay && freeAtMs > nowMs) return wakeAt(freeAtMs);', 'if (this.gaveWay) return orders;')],
    caughtBy: ['progress'],
    hunt,
  },
  {
    name: 'renewed-while-a-rival-waits',
    what: 'a node that claims nothing any more renews what it lent, for longer than the lease that its rivals wait for',
    changes: [candidacy("untilMs: null, renews: false }];", 'untilMs: null }];')],
    caughtBy: BOTH_LEND,
    hunt: ofFour,
  },
  {
    name: 'lent-between-two-looks',
    what: 'a rival that claimed nothing twice is taken for quiet since the first time, though it has begun and lent in between',
    changes: [candidacy('known?.life === answer.life && known.begins === answer.begins;', 'known !== undefined;')],
    caughtBy: BOTH_LEND,
    hunt,
  },
  {
    name: 'lent-before-it-was-lost',
    what: 'a rival that is lost sight of is taken for quiet since it said so, though it may have begun and lent in between',
    changes: [candidacy('if (rival?.isInSight === true) this', "if (rival !== undefined && rival.standing !== 'none') this")],
    caughtBy: BOTH_LEND,
    hunt: ofFour,
  },
  {
    name: 'looks-only-when-it-wishes',
    what: 'a rival that could not be reached when the wish began is not looked for again when the node may begin',
    changes: [candidacy('this.mustLookAgain = true;', '')],
    caughtBy: BOTH_LEND,
    hunt,
  },
  {
    name: 'quiet-only-since-the-last-answer',
    what: 'a rival that claims nothing is waited for a lease from its last answer on, and it answers again and again',
    changes: [candidacy('quietSinceMs: wasQuiet ? known.quietSinceMs : nowMs', 'quietSinceMs: nowMs')],
    caughtBy: ['progress'],
    hunt,
  },
  {
    name: 'forgets-rivals-it-cannot-see',
    what: 'a rival that claims nothing is forgotten after a lease, and waited for anew when it answers once more',
    changes: [candidacy("if (this.up.has(peer) && standing === 'none'", "if (standing === 'none'")],
    caughtBy: ['progress'],
    hunt,
  },
  {
    name: 'strangers-do-not-matter',
    what: 'a node that has begun and lost its quorum goes on when a rival calls that it does not know',
    changes: [candidacy("this.hinted.add(peer);\n    return [...this.advance(nowMs), { kind: 'probe' }];", 'return [];')],
    caughtBy: BOTH_LEND,
    hunt,
  },
  {
    name: 'silence-of-its-driver-ignored',
    what: 'a node lends as soon as the silence is over with which its life began, whatever its driver says',
    changes: [node('this.askedSilentUntilMs = untilMs;', '')],
    caughtBy: BOTH_LEND,
    hunt,
  },
];
