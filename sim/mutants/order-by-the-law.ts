/**
 * More bugs that were written from docs/protocol.md, as those in by-the-law.ts: who goes first, what messages cost, stealing, and limits.
 */
import { VOTE_LENT_TWICE, inFile } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const node = inFile('node');
const priority = inFile('priority');
const reach = inFile('reach');
const requester = inFile('requester');
const requesters = inFile('requesters');

export const ORDER_BY_THE_LAW_MUTANTS: readonly Mutant[] = [
  // --- fairness and the order of priority --------------------------------------------------------
  {
    name: 'holders-before-thieves',
    what: 'one that holds goes before one that steals',
    // 2: stole before steals before holds before waits.
    changes: [priority('stole: 0, steals: 1, holds: 2, waits: 3', 'stole: 0, steals: 2, holds: 1, waits: 3')],
    caughtBy: ['overtaken', 'lends-on'],
  },
  {
    name: 'thief-gives-way-to-any-thief',
    what: 'a thief that waits yields to any other thief, also to a younger one',
    // 6.6 and 12: a request that waits yields to one that has priority.
    changes: [requester(
      'if (!hasPriority(message.contender, { request: request.id, claim: claimOf(request.steals, false) })) {',
      "if (!(request.steals && message.contender.claim === 'steals') && !hasPriority(message.contender, { request: request.id, claim: claimOf(request.steals, false) })) {",
    )],
    caughtBy: ['overtaken'],
  },
  {
    name: 'holder-stays-first-once-granted',
    what: 'an arbiter that lent its vote to a holder goes on treating it as one: no older request inquires',
    // 5.3 and 14: once the holder has the vote, the arbiter treats it by its timestamp again.
    changes: [arbiter("claim: doesSteal(claim) ? 'steals' : 'waits', mode,", "claim: doesSteal(claim) ? 'steals' : claim as 'waits', mode,")],
    caughtBy: ['asks-back'],
  },
  {
    name: 'thief-inside-keeps-its-place-in-line',
    what: 'one that waited to steal and is inside by now stays where it stands in the queue, among those that steal',
    // 5.2, rule 3, and 14.
    changes: [arbiter('if (doesHold(waiter.claim) && !doesHold(known.claim)) {', "if (waiter.claim === 'holds' && !doesHold(known.claim)) {")],
    caughtBy: ['lends-on'],
  },
  {
    name: 'inquire-does-not-say-holds',
    what: 'an Inquire for one that holds says that it waits, so an older request that waits keeps the vote',
    // 4.1 and 14.
    changes: [arbiter('const contender: Contender = { request, claim };', "const contender: Contender = { request, claim: doesSteal(claim) ? claim : 'waits' };")],
    caughtBy: ['keeps', 'spreads', 'asks-back'],
  },

  // --- who goes first when things go wrong (6.10) ------------------------------------------------
  {
    name: 'expired-goes-to-whoever-shows-it',
    what: 'the vote whose lease has ended goes to the request that shows it first, whoever has waited for it',
    // 6.10: an arbiter lends its vote past no request that it knows.
    changes: [
      arbiter('      this.dropExpired(arbiter);\n      this.fill(arbiter);\n    }\n    return arbiter;', '      this.dropExpired(arbiter);\n    }\n    return arbiter;'),
      arbiter(
        'const isRepeat = this.enqueue(arbiter, waiter);',
        'const isRepeat = this.enqueue(arbiter, waiter);\n      const own = findWaiter(arbiter, request);\n      if (arbiter.grants.length === 0 && own !== undefined) arbiter.queue.splice(0, 0, ...arbiter.queue.splice(arbiter.queue.indexOf(own), 1));',
      ),
    ],
    caughtBy: ['overtaken', 'lends-on'],
  },
  {
    name: 'first-come-while-silent',
    what: 'those that ask a silent arbiter are served in the order in which they came',
    // 6.10: a restart costs no place.
    changes: [arbiter('    insert(arbiter, waiter);\n    return false;', '    if (this.isSilent() && arbiter.queue.length > 0) arbiter.queue.push(waiter);\n    else insert(arbiter, waiter);\n    return false;')],
    caughtBy: ['overtaken', 'lends-on'],
  },
  {
    name: 'own-requests-first-while-somebody-is-down',
    what: 'while a peer is down an arbiter lends to its own node first',
    // 6.10.
    changes: [arbiter(
      'const { clock, nowMs, settings } = this.context;\n    for (let oldest',
      'const { clock, nowMs, settings } = this.context;\n    const own = this.context.reach.isAnyDown ? arbiter.queue.findIndex(({ request }) => request.node === settings.self) : -1;\n    if (own > 0) arbiter.queue.unshift(...arbiter.queue.splice(own, 1));\n    for (let oldest',
    )],
    caughtBy: ['overtaken'],
  },
  {
    name: 'late-repeat-costs-its-place',
    what: 'a request of which a repeat was lost goes to the end of the queue',
    // 6.10: it is known until nothing was heard of it for a lease.
    changes: [arbiter(
      '      known.heardAtMs = waiter.heardAtMs;\n',
      '      const isLate = waiter.heardAtMs - known.heardAtMs > 1.5 * this.context.settings.retryMs;\n      known.heardAtMs = waiter.heardAtMs;\n      if (isLate) arbiter.queue.push(...arbiter.queue.splice(arbiter.queue.indexOf(known), 1));\n',
    )],
    caughtBy: ['overtaken', 'prompt', 'lends-on'],
  },
  {
    name: 'renewal-without-others-ends-contention',
    what: 'a Grant that does not say that others wait makes a holder forget that some do, at another arbiter',
    // 6.10, gives-way: once a node has heard that others want a lock, none of its callers enters again under the same request.
    changes: [requester('if (message.contended) this.noteContention(request);', 'if (message.contended) this.noteContention(request);\n    else request.contended = false;')],
    caughtBy: ['gives-way', 'fairness', 'prompt'],
  },
  {
    name: 'asked-by-one-whose-vote-ran-out',
    what: 'an Inquire about a vote that is not in hand is no contention',
    // 6.6: contention is noted, whatever is answered.
    changes: [requester('this.noteContention(phase.request);\n    this.callIn();', 'if (phase.request.votes.validGrantOf(from, this.context.requesterNowMs) !== null) this.noteContention(phase.request);\n    this.callIn();')],
    caughtBy: ['gives-way', 'prompt'],
  },
  {
    name: 'asks-by-the-clock-of-a-while-ago',
    what: 'while a peer is down callers ask under a timestamp of a little while ago',
    // 6.10: a request is younger than all that its node had heard of when its caller asked.
    changes: [requester('timestamp: this.context.clock.tick(), steals: steals === true,', 'timestamp: this.context.reach.isAnyDown ? this.context.clock.tick() - 3 : this.context.clock.tick(), steals: steals === true,')],
    caughtBy: ['overtaken', 'request-unique'],
  },

  // --- message cost ------------------------------------------------------------------------------
  {
    name: 'contended-release-to-everybody',
    what: 'the Release of a lock that others want goes to all nodes, not only to those asked',
    // 6.7 and 9: every arbiter that it asked is told.
    changes: [requester(
      'for (const arbiter of request.asked) sendRelease(',
      'for (const arbiter of request.contended ? this.context.settings.coterie.nodes : request.asked) sendRelease(',
    )],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'inquires-readers-for-readers',
    what: 'for a reader that waits behind a writer the arbiter inquires of readers, too',
    // 5.4: to each grant that conflicts with r.
    changes: [arbiter('      if (isCompatible(grant.mode, mode)) continue;\n      if (!isRepeat', '      if (!isRepeat')],
    caughtBy: ['asks-back', 'sparing', 'prompt'],
  },
  {
    name: 'asks-everybody-when-one-is-down',
    what: 'when those asked that are up contain no quorum, all that are up are asked, not one further quorum',
    // 6.8: those of a quorum that avoids all that are down.
    changes: [reach('return coterie.quorumAvoiding(self, this.down) ?? [];\n  }\n\n  /** A quorum without', 'return coterie.quorumAvoiding(self, this.down) === null ? [] : this.everybody();\n  }\n\n  /** A quorum without')],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'asks-others-though-enough-are-up',
    what: 'whoever looks for others asks a further quorum although those asked that are up contain one',
    // 6.8.
    changes: [reach('if (coterie.containsQuorum(new Set(asked.filter((node) => !this.down.has(node))))) return [];', 'if (asked.every((node) => !this.down.has(node))) return [];')],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'repeats-to-all-when-one-comes-up',
    what: 'when a peer comes up what is open is repeated to all that were asked, not to that peer alone',
    // 6.8: it is repeated to it.
    changes: [requester('if (phase.request.asked.includes(peer)) ask(this.context, peer, this.lock, phase);', 'if (phase.request.asked.includes(peer)) askAll(this.context, this.lock, phase);')],
    caughtBy: ['whom-to-ask'],
  },
  {
    name: 'yields-and-asks-again-at-once',
    what: 'whoever yields to one arbiter repeats its Request to that arbiter at once',
    // 6.6: the answer is Yield alone. The arbiter puts it in the queue by itself.
    changes: [requester(
      'return sendYield(this.context, from, this.lock, request, message.grant);',
      'sendYield(this.context, from, this.lock, request, message.grant);\n        return ask(this.context, from, this.lock, phase);',
    )],
    caughtBy: ['when-due'],
  },

  // --- stealing and recall -----------------------------------------------------------------------
  {
    name: 'told-the-wrong-thief',
    what: 'those that are robbed are told that their own node took the lock',
    // 12: its callers are told who took it.
    changes: [requester('this.takeAway(phase, { node: message.contender.request.node });', 'this.takeAway(phase, { node: this.context.settings.self });')],
    caughtBy: ['stolen-for-somebody'],
  },
  {
    name: 'one-thief-of-a-node-is-enough',
    what: 'a holder asks the node of a thief once, and not again for a later thief of that node',
    // 12: the holder asks once for each thief.
    changes: [requester('if (timestamp <= (phase.thievesHeardOf?.get(node) ?? -Infinity)) return;', 'if (phase.thievesHeardOf?.has(node) === true) return;')],
    caughtBy: ['orders', 'progress'],
    hunt: { faults: { steal: 0.6, cancel: 0.3, linger: 0.4, loss: 0.05 } },
  },
  {
    name: 'order-only-for-the-first-in-the-queue',
    what: 'the node of a thief gives its order only while that thief is the first in its own queue',
    // 12: a node that gets a Request of a holder, while a request of its own waits to steal, answers with the order.
    changes: [arbiter(
      'private orderForOwnThief(holder: NodeId, { lock, timestamp, claim, sentAtMs }: Request): void {\n    if (!doesHold(claim)) return;',
      'private orderForOwnThief(holder: NodeId, { lock, timestamp, claim, sentAtMs }: Request): void {\n    if (!doesHold(claim)) return;\n    const head = this.byLock.get(lock)?.queue[0];\n    if (head !== undefined && head.request.node !== this.context.settings.self) return;',
    )],
    caughtBy: ['orders', 'progress'],
  },
  {
    name: 'theft-at-home-spares-readers-of-clients',
    what: 'a caller that steals from callers of its own node ends the hold at once, though a remote one may count on it',
    // 12 and 13: remote callers are recalled.
    changes: [requester(
      "      this.takeAway(phase, { node: this.context.settings.self, caller: caller.id });",
      "      const { request } = phase;\n      this.takeAway(phase, { node: this.context.settings.self, caller: caller.id });\n      if (this.phase.state === 'recalled' && request.steals) this.end(request);",
    )],
    caughtBy: [...VOTE_LENT_TWICE],
  },
  {
    name: 'recalled-answers-with-a-release',
    what: 'a lock that is recalled answers an Inquire of a thief with Release',
    // 13: no Release goes out before all have given it back.
    changes: [requester("      case 'recalled': // It is released when the callers have given it back.\n        return;", "      case 'recalled': // It is released when the callers have given it back.\n        if (message.contender.claim === 'steals') sendRelease(this.context, from, this.lock, request.id.timestamp);\n        return;")],
    caughtBy: [...VOTE_LENT_TWICE, 'answers'],
  },

  // --- limits ------------------------------------------------------------------------------------
  {
    name: 'newest-request-makes-way',
    what: 'for a further request of a node the one makes way that was heard last, not the one heard longest ago',
    // 5.7: the request of that node that waits and was heard longest ago makes way.
    changes: [arbiter('waiter.heardAtMs < longestUnheard.heardAtMs', 'waiter.heardAtMs >= longestUnheard.heardAtMs')],
    caughtBy: ['refused-clearly'],
    hunt: { profile: 'swarm', faults: { loss: 0.2, cancel: 0.3, late: 0.3, echo: 40 } },
  },
  {
    name: 'limit-of-a-node-counts-for-all',
    what: 'the requests of all nodes together count against the limit of each',
    // 5.7: of one node it knows 32 requests for a lock.
    changes: [arbiter('for (const { request: { node } } of arbiter.grants) if (node === request.node) count++;', 'count = arbiter.grants.length;')],
    caughtBy: ['refused-clearly', 'progress'],
  },
  {
    name: 'lent-votes-do-not-count',
    what: 'requests that have the vote do not count against the limit of their node',
    // 5.7.
    changes: [arbiter('for (const { request: { node } } of arbiter.grants) if (node === request.node) count++;', '')],
    caughtBy: ['refused-clearly'],
  },
  {
    name: 'remembers-contention-without-room',
    what: 'a node remembers contention, however many locks it knows',
    // 6.9: it remembers no further contention.
    changes: [requesters('(attentionAtMs <= this.context.requesterNowMs || !this.hasRoom())', 'attentionAtMs <= this.context.requesterNowMs')],
    caughtBy: ['refused-clearly'],
  },
  {
    name: 'holds-back-beyond-the-limit',
    what: 'a node holds twice as many messages back as it may',
    // 3: at most 10,000.
    changes: [node('if (this.heldBack.length < heldBackMax) this.heldBack', 'if (this.heldBack.length < 2 * heldBackMax) this.heldBack')],
    caughtBy: ['refused-clearly'],
  },
  {
    name: 'newest-held-back-displaces-the-oldest',
    what: 'with no room left the oldest of the messages held back is lost, not the further one',
    // 3: further ones are lost.
    changes: [node(
      "else this.ignore(from, message, 'too many messages are held back');",
      "else {\n        this.heldBack.shift();\n        this.heldBack.push({ to, message });\n      }",
    )],
    caughtBy: ['refused-clearly'],
  },
  {
    name: 'one-reader-enters-at-a-time',
    what: 'of several readers in line only the first enters; the others join when something else happens',
    // 6.5: "Behind a reader all readers in line enter, up to the next writer."
    // Three readers of one node wait for a writer: one enters, the others wait for its next renewal, or until it is done.
    changes: [requester('\n      first = line[0];', '\n      first = undefined;')],
    caughtBy: ['in-line'],
  },
  {
    name: 'displaced-by-a-thief-goes-to-the-end',
    what: 'a caller whose request made way for a thief of its node goes to the end of the line',
    // 12: "If the node's request only waits, that ends, and the first in line gets a new timestamp." It stays the first, but for the thief.
    // Two callers wait at a node, a third steals: the one that came first is served last.
    changes: [requester('if (first !== undefined) line.unshift({ ...first, timestamp: this.context.clock.tick() });', 'if (first !== undefined) line.push({ ...first, timestamp: this.context.clock.tick() });')],
    caughtBy: ['in-line'],
  },
  {
    name: 'only-the-first-in-the-queue-asks-back',
    what: 'an arbiter inquires only for the first in its queue',
    // 5.4: "A repeat always sends it: that heals a lost Inquire, Yield or Release."
    // The first in the queue is dead, the Release of the last holder was lost: those behind it do not find that out before the lease ends.
    changes: [arbiter(
      'if (findGrant(arbiter, request) !== undefined) return;',
      'if (findGrant(arbiter, request) !== undefined || arbiter.queue.findIndex((other) => isSameRequest(other.request, request)) > 0) return;',
    )],
    caughtBy: ['asks-back'],
  },
  {
    name: 'silent-arbiter-queues-nobody',
    what: 'an arbiter that is silent does not queue requests',
    // 5.6: "It queues." And 6.10: "A restart costs no place: the arbiter is silent for a lease, and a waiting request is repeated meanwhile."
    // All nodes are restarted: when the silence is over, who repeats first is served first, and not before its repeat.
    changes: [arbiter(
      '    } else {\n      const { claim, mode, keep, sentAtMs } = message;',
      "    } else if (this.isSilent() && message.lock !== clockLockOf(from)) {\n      this.context.ignore(from, message, 'silent');\n    } else {\n      const { claim, mode, keep, sentAtMs } = message;",
    )],
    caughtBy: ['prompt'],
  },
  {
    name: 'timestamp-when-its-turn-comes',
    what: 'the timestamp of a request is taken when it is sent, not when its caller asked',
    // 6.2: "A caller's timestamp is a tick taken when it asks, so the time in the local line costs it no place among all nodes."
    // A busy node: its second caller goes behind all that asked elsewhere while it stood in its line.
    changes: [requester('id: { timestamp: first.timestamp, node: settings.self },', 'id: { timestamp: this.context.clock.tick(), node: settings.self },')],
    caughtBy: ['in-line'],
  },
  {
    name: 'readers-queue-behind-every-writer',
    what: 'a reader is queued behind all writers, also younger ones',
    // 5.2: "put r in the queue by its priority."
    // Readers are inside, a writer waits. A reader that asked before that writer comes late, and waits for it though it is older.
    changes: [arbiter(
      'const place = arbiter.queue.findIndex((other) => hasPriority(waiter, other));',
      "const place = arbiter.queue.findIndex((other, at) => hasPriority(waiter, other) && !(waiter.mode === 'shared' && arbiter.queue.slice(at).some(({ mode }) => mode === 'exclusive')));",
    )],
    caughtBy: ['lends-on'],
  },
];
