/**
 * More bugs of the core, of all kinds. Each was written from docs/protocol.md and the core alone, before anybody had looked whether a
 * check sees it; these are the ones that are like none of the others.
 */
import { inFile, VOTE_LENT_TWICE } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const leaseTimes = inFile('lease-times');
const requester = inFile('requester');

export const UNSEEN_MUTANTS: readonly Mutant[] = [
  {
    name: 'every-repeat-is-the-newest-inquiry',
    what: 'an arbiter remembers the last request that it inquired for, not the oldest, so each newcomer costs one more Inquire',
    changes: [arbiter('if (grant.inquiredFor === null || hasPriority(contender, grant.inquiredFor)) grant.inquiredFor = contender;', 'grant.inquiredFor = contender;')],
    caughtBy: ['sparing'],
    hunt: { profile: 'calm' },
  },
  {
    name: 'order-to-those-that-wait',
    what: 'the node of a thief gives its order to requests that only wait, too',
    changes: [arbiter('    if (!doesHold(claim)) return;\n    const thief', '    const thief')],
    caughtBy: ['frugal', 'sparing', 'prompt', 'stolen-for-somebody'],
  },
  {
    name: 'cut-off-milliseconds-forgotten',
    what: 'the margin has nothing for the milliseconds that are cut off on both sides',
    changes: [leaseTimes('const CLOCK_RESOLUTION_MS = 2;', 'const CLOCK_RESOLUTION_MS = 0;')],
    caughtBy: [...VOTE_LENT_TWICE, 'valid-as-heard'],
  },
  {
    name: 'contention-remembered-for-a-moment',
    what: 'a node asks to keep grants again soon after it heard that others want the lock',
    changes: [requester('this.noKeepUntilMs = this.context.requesterNowMs + this.context.settings.leaseMs;', 'this.noKeepUntilMs = this.context.requesterNowMs + this.context.settings.retryMs / 8;')],
    caughtBy: ['sparing'],
  },
  {
    name: 'retained-for-ever',
    what: 'a lock that is kept and never asked for again has no deadline',
    changes: [requester("      case 'retained':\n        return phase.validUntilMs;", "      case 'retained':\n        return Infinity;")],
    caughtBy: ['no-residue'],
  },
  {
    name: 'half-the-tenth-will-do',
    what: 'a caller enters with a twentieth of the lease before it',
    changes: [leaseTimes('const REENTRY_SHARE = 0.1;', 'const REENTRY_SHARE = 0.05;')],
    caughtBy: ['usable'],
  },
];
