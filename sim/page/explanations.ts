/** What each check demands, in words for someone who sees it broken for the first time. Source: protocol.md section 10. */

const EXPLANATIONS: Readonly<Record<string, string>> = {
  'exclusion': 'At one true time at most one holder may be inside an exclusive lock, and no exclusive holder beside a shared one. A hold counts until its caller releases it or its own clock says that its lease has ended, even when its node has died meanwhile.',
  'token-rises': 'Each exclusive entry must have a larger fencing token than every entry before it. Otherwise a resource that checks tokens refuses the rightful holder, or lets in one that was followed already.',
  'token-covered': 'A token must be covered by the votes of a quorum: each of these arbiters lends the lock on with a clock at least as high, so that whoever follows draws a larger token. That is why tokens rise, checked at each arbiter and not only where two entries meet.',
  'lease-inside': 'Arbiters that form a quorum must keep their votes for a holder for as long as it counts on them, in true time: else a vote is lent again while the first holder still relies on it.',
  'grant-rises': 'An arbiter must never use a grant number twice, and its numbers must rise even across a restart: else a late Yield or Grant is taken for one of today.',
  'ceiling-holds': 'Nothing may be sent with a Lamport clock above the ceiling that is on disk: else the clock could run backwards after a crash.',
  'lost-at-once': 'A holder whose lease has ended must be told so at that moment, and its hold must never come back to life.',
  'callers-known': 'Only callers that wait may be let in, and only callers that are inside may renew or lose a lock.',
  'progress': 'Once all faults have ended, every waiting caller of a live node must be let in within a bound.',
  'no-residue': 'With no request open, no arbiter may keep a grant or a queue entry for longer than a lease.',
  'prompt': 'A lock that is free and wanted is given at once, but for what the last fault may cost.',
  'new-life': 'After a restart an arbiter lends only with a clock above all tokens that its earlier life allowed.',
  'usable': 'Whoever enters has a tenth of the lease or more before it, unless it joins readers that are inside.',
  'in-line': 'Callers of one node go in the order in which they asked.',
  'refused-clearly': 'A Request must be granted, queued, or dropped for a reason that has a name, and refused only beyond what bounds the memory of an arbiter.',
  'stands-apart': 'A process that a peer refused, because another one runs under its id, must neither lend nor ask: there would be two votes where there must be one.',
  'called-in': 'A caller in another process that keeps a lock when it is done must hear at once that somebody else wants it: else that one waits for a lock that nobody uses.',
  'sparing': 'Where several nodes want a lock, no message is sent that no rule asks for.',
  'frugal': 'Without contention a first entry costs exactly 3(K − 1) messages between nodes, and an entry under retained grants none.',
  'deadlock': 'Nobody may wait in a circle once all messages have arrived: an Inquire must have broken it. Nothing but the end of a lease would move those that wait.',
  'fairness': 'A request that its whole voting set knows may be overtaken only by the few younger ones whose votes were under way already.',
  'asks-back': 'An arbiter must ask its vote back at once for a request that goes before the one that has it. Otherwise the older request waits for no reason, and two may wait in a circle.',
  'overtaken': 'Also when messages are lost and nodes restart, an arbiter must lend its vote to no younger request than one it knows, and a request must be younger than all that its node had heard of when its caller asked: else those that ask later go first.',
  'gives-way': 'A node that has heard that others want a lock must let none of its callers enter again under the same request, and keep no grants of it: else one busy node starves the others.',
  'lends-on': 'A vote that is free and wanted must be lent in the very event that frees it, a grant whose lease has ended must end with the next message about its lock, and a repeat must renew one that has not.',
  'greets': 'What is open must be repeated to a peer that comes up: it may have forgotten what it lent, or missed who waits.',
  'orders': 'The node of a thief that waits must answer each Request of a holder with its order, and a holder must ask the node of a thief that it hears of: else a theft waits for a repeat.',
  'whom-to-ask': 'A request goes to a quorum, to further arbiters only when those that are up contain none, and its end is told to those that were asked: anything else costs messages that no rule asks for, or lets a request wait for votes that it never asked for.',
  'within-room': 'A token must be at most SLACK above the lowest clock of all votes in hand, and so must the last one that a client may take by itself; and a lock that is kept must be entered again without a message.',
  'ceiling-in-time': 'A node must ask for its next ceiling as soon as less than half of a block is left, so that no message waits for the disk, and for no more than a block, so that a crash gains little.',
  'spreads': 'A holder that others wait for must ask all arbiters that its node takes for up: should one of its own die, it needs the vote of another before its lease ends.',
  'jumps': 'An arbiter that is not told of the end of a grant must lend on with a clock above all tokens that the grant allowed: the last holder may have used any of them.',
  'when-due': 'Without faults a Request must be repeated when its interval is over, and not before.',
  'fenced': 'A resource that accepts a write only with a token at least as large as any that it has seen must never accept one of a holder that was already followed. That is what tokens are for.',
  'stolen-for-somebody': 'A lock may be taken from its holder only for a request that still wants it.',
  'keeps': 'Without faults nobody may lose a lock that was not stolen: it is renewed in time.',
  'request-unique': 'No request may have the name of an earlier one: else what is said of the one counts for the other.',
  'self-delivery': 'A node must never receive its own messages from the network: it handles them within the step that sends them.',
  'started-once': 'The first event of a life must be its start, and there is only one.',
  'time-forward': 'A node\'s own time must never go back.',
  'one-vote': 'The live grants of one arbiter must be compatible with each other: its vote is lent to one exclusive request at a time.',
  'not-both': 'A request must never be granted and queued at the same arbiter.',
  'floor-holds': 'A requester must not count a grant that it has given back.',
  'clock-rises': 'The Lamport clock must stay a safe integer and never run backwards.',
  'one-configuration': 'Nodes of two layouts that reach each other must not both lend votes, each with a quorum: two holders would be valid at one time.',
  'deterministic': 'Two runs of one seed must be the same to the bit. Something besides the plan had a say in what happened.',
  'replay': 'The core is deterministic: fed the events that were recorded, it must answer with the effects that were recorded. Either the core has changed since, or something but the events had a say.',
  'exception': 'The core or the simulator threw an error that no check expected.',
};

/** The checks that can be explained. */
export const EXPLAINED: readonly string[] = Object.keys(EXPLANATIONS);

export function explanationOf(check: string): string {
  return EXPLANATIONS[check] ?? 'An invariant of the protocol does not hold.';
}
