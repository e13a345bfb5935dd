/** What goes wrong when another layout takes the place of the one that ran (protocol.md section 16.2). */
import { inFile, TOKEN_FALLS } from './mutant';
import type { Mutant } from './mutant';

const earlierLife = inFile('earlier-life');

const hunt = { profile: 'acts' } as const;

export const ACT_MUTANTS: readonly Mutant[] = [
  {
    name: 'act-silent-for-the-new-lease',
    what: 'the act makes new members silent for the new lease alone, though votes were lent under a longer one',
    changes: [earlierLife('const silentMs = Math.max(leaseBeforeMs, leaseMs);', 'const silentMs = leaseMs;')],
    caughtBy: ['exclusion'],
    hunt,
  },
  {
    name: 'silence-of-the-act-ignored',
    what: 'a new member is silent for its own lease, whatever the act says',
    changes: [earlierLife('isChanging ? change.silentMs : 0', 'isChanging ? 0 : 0')],
    caughtBy: ['exclusion'],
    hunt,
  },
  {
    name: 'clock-of-the-act-ignored',
    what: 'a new member begins at its wall clock, whatever the act says',
    changes: [earlierLife('clockFloor: isChanging ? change.clock : 0,', 'clockFloor: 0,')],
    caughtBy: TOKEN_FALLS,
    hunt,
  },
  {
    name: 'layout-stands-for-its-act',
    what: 'whoever remembers the new layout counts as one that took part since the act, though the old one ran in between',
    changes: [earlierLife(' || terms?.act !== change.clock)', ')')],
    caughtBy: ['exclusion', ...TOKEN_FALLS],
    hunt,
  },
  {
    name: 'act-by-wall-clock-alone',
    what: 'the act carries the wall clock, and not the clocks that the old nodes told',
    changes: [earlierLife('Math.max(observed + slack, wallClockUs)', 'wallClockUs')],
    caughtBy: TOKEN_FALLS,
    hunt,
  },
  {
    name: 'starts-under-any-layout',
    what: 'a node that remembers another layout starts without the act',
    changes: [earlierLife('return before === null || before === layout || before === change?.from;', 'return before !== undefined;')],
    caughtBy: ['exclusion', ...TOKEN_FALLS],
    hunt,
  },
  {
    name: 'act-refused',
    what: 'a node that remembers the layout of the act does not start with it',
    changes: [earlierLife('before === layout || before === change?.from;', 'before === layout;')],
    caughtBy: ['progress'],
    hunt,
  },
];
