/**
 * More bugs of the client's law (protocol.md section 15). Each was written from the law and the core alone, before anybody had looked
 * whether a check sees it.
 */
import { inFile } from './mutant';
import type { Mutant } from './mutant';

const client = inFile('client-session');
const session = inFile('served-session');
const lock = inFile('served-lock');
const held = inFile('held-lock');

/** Only streams break. */
const BREAKS = { profile: 'breaks' } as const;
const SWARM = { profile: 'swarm' } as const;

export const SESSION_MUTANTS: readonly Mutant[] = [
  {
    name: 'told-beyond-the-limit',
    what: 'a word of the node makes a client believe beyond the time for which it asked to hold the lock at most',
    changes: [held('const untilMs = Math.min(believedUntilMs(validity), this.endsAtMs);', 'const untilMs = believedUntilMs(validity);')],
    caughtBy: ['within-limit'],
    clients: SWARM,
  },
  {
    name: 'taken-while-away-is-not-told',
    what: 'a client that comes back is not told that its lock was taken while it was away',
    changes: [lock('      this.state = { ...state, taken: { reason } };\n', '      void reason;\n')],
    caughtBy: ['taken-is-told'],
    clients: SWARM,
  },
  {
    name: 'end-forgotten-in-a-break',
    what: 'a client whose stream broke as it was told that its lock was taken is not told again',
    changes: [lock('return this.keep(state.keepUntilMs, nowMs, state.keepUntilMs, { reason: state.reason });', 'return this.keep(state.keepUntilMs, nowMs, state.keepUntilMs);')],
    caughtBy: ['taken-is-told'],
    clients: SWARM,
  },
  {
    name: 'stolen-and-held-on',
    what: 'a lock that was stolen is held on for nobody',
    changes: [lock('        this.atLeastUntilMs = null; // The node does not hold it any more, or another is to have it.\n', '')],
    caughtBy: ['held-on'],
    clients: SWARM,
  },
  {
    name: 'held-on-from-nothing',
    what: 'a client that is done gives its lock back at once, though it asked that it be held on',
    changes: [lock('if (keepUntilMs === null) return OVER_AND_GIVE_BACK;', 'if (keepUntilMs === null || keepUntilMs > 0) return OVER_AND_GIVE_BACK;')],
    caughtBy: ['held-on'],
    clients: SWARM,
  },
  {
    name: 'held-on-and-not-unknown',
    what: 'a client that comes back too late is told nothing of a lock that is held on for nobody',
    changes: [session('(this.entries.get(id)?.isKeptOn ?? true)', '!this.entries.has(id)')],
    caughtBy: ['progress'],
    clients: SWARM,
  },
  {
    name: 'over-before-the-node-knows',
    what: 'any echo of the node counts as its word that it knows what was given back',
    changes: [client('      if (sentAtMs > echoMs) break; // In the order in which they were said.\n', '      void sentAtMs;\n')],
    caughtBy: ['told-when-given-back'],
    clients: {},
  },
  {
    name: 'missed-after-half-a-lease',
    what: 'a client that was silent for half a lease is taken for dead',
    changes: [session('this.heard.atMs + this.settings.leaseMs + this.settings.marginMs;', 'this.heard.atMs + this.settings.leaseMs / 2;')],
    caughtBy: ['client-believes'],
    clients: {},
  },
  {
    name: 'back-and-still-away',
    what: 'a request whose client came back is given up a lease after the client went away',
    changes: [lock('        this.state = WAITING;\n        return NOTHING;', '        return NOTHING;')],
    caughtBy: ['resumed-whole'],
    clients: BREAKS,
  },
  {
    name: 'still-to-come-is-unknown',
    what: 'a request that had not arrived when the stream broke is told to be unknown',
    changes: [session('keep.filter((id) => id <= this.newest && (', 'keep.filter((id) => id > 0 && (')],
    caughtBy: ['resumed-whole'],
    clients: BREAKS,
  },
  {
    name: 'newest-asked-for-twice',
    what: 'the newest request is asked for a second time when it comes again over a new stream',
    changes: [session('if (id <= this.newest) continue;', 'if (id < this.newest) continue;')],
    caughtBy: ['progress', 'resumed-whole', 'client-believes'],
    clients: {},
  },
  {
    name: 'asked-for-though-given-back',
    what: 'what was given up before it was sent is asked for all the same',
    changes: [client('    this.heardOf(request);\n    this.forget(request);\n    const { state, promisedUntilMs } = request;', '    this.forget(request);\n    const { state, promisedUntilMs } = request;')],
    caughtBy: ['progress', 'no-residue'],
    clients: {},
  },
  {
    name: 'hello-dates-nothing',
    what: 'what a hello gives back by not naming it is never known to be over',
    changes: [client('      for (const each of this.givenBack.values()) each.sentAtMs = sentAtMs;\n', '')],
    caughtBy: ['no-residue'],
    clients: {},
  },
  {
    name: 'hello-names-no-places',
    what: 'a client names in its hello only what it holds, so who waits loses its place',
    changes: [client("filter(({ state }) => state !== 'unsent')", "filter(({ state }) => state === 'held')")],
    caughtBy: ['resumed-whole'],
    clients: BREAKS,
  },
];
