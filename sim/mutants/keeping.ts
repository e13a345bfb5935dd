/**
 * What costs a holder its lock, or lets kept grants and the room for tokens go unused: planted bugs of those who hold a lock or keep it.
 * Each was written from docs/protocol.md alone, before anybody had looked whether a check sees it.
 */
import { inFile } from './mutant';
import type { Mutant } from './mutant';

const requester = inFile('requester');

export const KEEPING_MUTANTS: readonly Mutant[] = [
  {
    name: 'enters-again-and-asks-no-others',
    what: 'who enters again under kept grants asks no further arbiters, though some of those asked are down',
    // 9: "After it entered again ... further arbiters are asked if some are down (6.8)."
    // An arbiter dies while the lock is kept unused, and a caller enters again: nobody else is asked before a repeat was in vain, and if
    // little of the lease is left the hold is lost.
    changes: [requester('    if (this.context.reach.isAnyDown) this.widen();\n', '')],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'room-is-used-up-before-it-is-renewed',
    what: 'who enters again does not repeat the Request when little of the token room is left',
    // 9: "the Request is repeated ... if less than half of the token room is left."
    // A caller that enters again and again at full speed uses its room up within a retry interval, and waits for a new request.
    changes: [requester('if (roomIsLow || requesterNowMs >= this.repeatAtMs(held))', 'if (requesterNowMs >= this.repeatAtMs(held))')],
    caughtBy: ['within-room'],
  },
  {
    name: 'asked-and-spreads-to-nobody',
    what: 'a holder that hears of contention by an Inquire asks others with its next repeat only',
    // 14: "at once, when it hears of contention (an Inquire, or a Grant that says contended) and has been inside for a retry interval or longer."
    // The node that waits dies just before the holder's next repeat: the votes lent to it cannot be had, and the hold is lost.
    changes: [requester("if (message.contender.claim !== 'steals') return this.spread(phase);", "if (message.contender.claim !== 'steals') return;")],
    caughtBy: ['spreads'],
  },
  {
    name: 'greeting-counts-as-a-repeat',
    what: 'a Request that is repeated to a peer that comes up puts off the next repeat to all',
    // 6.3: "A holder repeats when half of what was left at the last time has passed, at least every retry interval." Likewise who waits.
    // One peer comes and goes several times a second: with each greeting the repeats to all others are put off, and the hold runs out.
    changes: [requester(
      'if (phase.request.asked.includes(peer)) ask(this.context, peer, this.lock, phase);',
      'if (phase.request.asked.includes(peer)) {\n      ask(this.context, peer, this.lock, phase);\n      phase.request.askedAtMs = this.context.requesterNowMs;\n    }',
    )],
    caughtBy: ['when-due'],
  },
  {
    name: 'kept-lock-counts-no-grant',
    what: 'a Grant that comes when the last caller has left does not prolong what is kept',
    // 6.4, rule 6: "Held or retained: the vote counts if the token rule allows it."
    // A caller leaves just after its renewal went out: the lock is kept for as long as the last renewal but one allowed, and the next entry costs messages.
    changes: [requester(
      "      case 'retained':\n        this.countForEntry(from, phase, message);\n        if (request.contended) {",
      "      case 'retained':\n        if (request.contended) {",
    )],
    caughtBy: ['valid-as-heard'],
  },
  {
    name: 'spreads-once-in-a-hold',
    what: 'a holder asks everybody once; who comes up after that is not asked',
    // 14: "A holder asks all arbiters that are up, at a repeat, if it has heard of contention."
    // A node was down when the holder spread first. It is up again, others die: the holder never asked it, and loses the lock.
    changes: [
      requester(
        'if (needsOthers) askToo(',
        "if (needsOthers && !('hasSpread' in phase.request)) Object.assign(phase.request, { hasSpread: true }), askToo(",
      ),
      requester(
        'if (this.context.requesterNowMs - phase.sinceMs < this.context.settings.retryMs) return;',
        "if (this.context.requesterNowMs - phase.sinceMs < this.context.settings.retryMs || 'hasSpread' in phase.request) return;\n    Object.assign(phase.request, { hasSpread: true });",
      ),
    ],
    caughtBy: ['spreads'],
  },
];
