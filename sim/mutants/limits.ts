/** What goes wrong with the limits that bound an arbiter's memory (protocol.md section 5.7). */
import { inFile } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');

export const LIMIT_MUTANTS: readonly Mutant[] = [
  {
    name: 'refuses-in-silence',
    what: 'a request beyond the limit of its node is dropped without a reason',
    changes: [arbiter("this.context.ignore(from, message, 'too many requests of the node for the lock');", '')],
    caughtBy: ['refused-clearly'],
  },
  {
    name: 'no-request-makes-way',
    what: 'a further request of a node is refused, though one of its node that waits may be long over',
    changes: [arbiter('removeItem(arbiter.queue, longestUnheard);\n    return true;', 'return false;')],
    caughtBy: ['refused-clearly'],
  },
  {
    name: 'requests-without-a-limit',
    what: 'an arbiter knows any number of requests of one node',
    changes: [arbiter('if (longestUnheard === undefined) return false;', 'if (longestUnheard === undefined) return true;')],
    caughtBy: ['refused-clearly'],
  },
  {
    name: 'forgotten-locks-take-room',
    what: 'a lock that is forgotten is counted on',
    changes: [arbiter('this.locksCounted -= countOf(arbiter.lock);', '')],
    caughtBy: ['refused-clearly', 'progress'],
  },
];
