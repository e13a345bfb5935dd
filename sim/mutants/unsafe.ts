/**
 * What lets two in, or a token fall, in a corner: planted bugs of votes, clocks, silence and memory.
 * Each was written from docs/protocol.md alone, before the check that catches it.
 */
import { TOKEN_FALLS, inFile } from './mutant';
import type { Mutant } from './mutant';

const arbiter = inFile('arbiter');
const leaseTimes = inFile('lease-times');
const memory = inFile('memory');
const node = inFile('node');
const priority = inFile('priority');
const requester = inFile('requester');
const votes = inFile('votes');

export const UNSAFE_MUTANTS: readonly Mutant[] = [
  {
    name: 'shortest-votes-counted-first',
    what: 'until when votes contain a quorum is found by adding the votes that end first, not those that last longest',
    // safety, 6.5. Five nodes, four votes in hand that end at 1 < 2 < 3 < 4: the last quorum breaks at 2, but the hold is taken to last until
    // 3: from 2 on it rests on two votes.
    changes: [votes('b.validUntilMs - a.validUntilMs)) {', 'a.validUntilMs - b.validUntilMs)) {')],
    caughtBy: ['lease-inside', 'exclusion', 'valid-as-heard'],
  },
  {
    name: 'entries-again-do-not-move-the-clock',
    what: 'only the first entry under a request moves the clock to its token; entries without a message do not',
    // token, 7 (Told). Many callers stand in line at one node and hand the lock over without a message: tokens T .. T+9, the clock stays at T.
    // Then it is released (somebody asks): the Release says T, and the next node enters with about T+4.
    changes: [requester('this.context.clock.reach(token);\n    const sinceMs', "if (this.phase.state === 'waiting') this.context.clock.reach(token);\n    const sinceMs")],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life'],
  },
  {
    name: 'jumps-for-writers-alone',
    what: 'an arbiter jumps past the tokens of an exclusive grant that ran out, but not past those of a shared one',
    // token, 7 (Not told). Clocks of a reader's quorum differ (one has just restarted and jumped). The reader enters with a token above the
    // high one and dies. The next writer meets it in the low arbiter alone and takes a smaller token.
    changes: [arbiter('if (grant.expiresAtMs <= nowMs) clock.reach(', "if (grant.expiresAtMs <= nowMs && grant.mode === 'exclusive') clock.reach(")],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life'],
  },
  {
    name: 'lends-first-and-jumps-then',
    what: 'when the silence ends those in the queues get their votes first, and the clock jumps after that',
    // token, 3 and 5.6. Token T of a holder lies up to SLACK above the clock of arbiter a; a restarts, the holder dies. At the end of the
    // silence a lends to one in its queue with its clock from before the jump; with a third, low arbiter the token is below T.
    changes: [node('if (this.isJumpDue) this.jumpFrom(this.clock.bornAt);', 'this.arbiters.onSilence();\n    if (this.isJumpDue) this.jumpFrom(this.clock.bornAt);')],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life'],
  },
  {
    name: 'silence-ends-by-the-timer-alone',
    what: 'the end of the silence is handled when the node is woken, not before whatever message comes first',
    // token, 3 and 5.6. The node was paused over the end of its silence (or a message comes in the same millisecond): the Request is handled
    // before the wake, the arbiter is silent no more by its time, and lends without the jump.
    changes: [node('// Before all else: nothing may be lent after the silence with a clock from before.', "if (event.kind === 'wake')")],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life'],
  },
  {
    name: 'readers-need-no-token-room',
    what: 'readers enter again under retained grants however far their token is above the clocks of the votes',
    // token, 9 (Enter again). Clocks of the quorum lie almost SLACK apart, or readers enter again very often: the token passes min c + SLACK.
    // The reader dies, the low arbiter jumps to c + SLACK + 1 only, the next writer takes a smaller token than the reader had.
    changes: [requester('entry.token + 1 <= entry.tokenMax', "(first.mode === 'shared' || entry.token + 1 <= entry.tokenMax)")],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life', 'within-room'],
  },
  {
    name: 'larger-slack-of-before-forgotten',
    what: 'after a life under a longer lease the clock jumps by the SLACK of the new one only',
    // token, 3, 3.1 and 16.1. All nodes are restarted with a shorter lease. A token of before lay up to the old SLACK above the clock of its
    // arbiter, which begins anew at its ceiling + the new SLACK: with another low arbiter a smaller token is taken.
    changes: [node('Math.max(this.settings.slack, this.birth.slackBefore ?? 0)', 'this.settings.slack')],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life'],
  },
  {
    name: 'wall-clock-of-birth-alone',
    what: 'a node that joins by wall clock does not add the time since its birth',
    // token, 3.2 step 4. Wall clocks agree to within a lease, that of b is 0.9 leases ahead, so tokens are. a and b lose their disks; b stays
    // away. a is born at its own wall clock and joins two leases later at that + SLACK: its token with c is below b's.
    changes: [node("if (by === 'wall clock') clock.reach(birth.wallClockUs + (this.nowMs - this.startedMs) * 1000);", "if (by === 'wall clock') clock.reach(birth.wallClockUs);")],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life'],
  },
  {
    name: 'lends-before-it-joins',
    what: 'a node without memory lends its vote as soon as its silence is over, though it has not joined yet',
    // token, 3.2. a lost its disk, its wall clock is behind; b, which knows the highest token, is away. In the second lease a lends to c with
    // a clock near its wall clock at birth: the token is below that of the holder before. Grant numbers fall, too.
    changes: [node('this.silentUntilMs = this.memory.isKnown ? plannedUntilMs : Infinity;', 'this.silentUntilMs = plannedUntilMs;')],
    caughtBy: ['grant-rises', 'token-covered', 'jumps', 'token-rises', 'fenced', 'new-life', 'ceiling-holds'],
  },
  {
    name: 'born-without-memory-and-exempt-for-life',
    what: 'a node that began without memory goes on sending above its ceiling after it has joined',
    // token, 3. It is exempt before it joins only. After that its first ceilings are being written (slow disk), it lends votes with clocks
    // above them and crashes: the next life remembers a ceiling below numbers that are in use, and asks nobody.
    changes: [node(
      'if (message.clock > this.clock.ceiling && this.memory.isKnown &&',
      'if (message.clock > this.clock.ceiling && (this.birth.firstStart || this.birth.ceilingOnDisk > 0) &&',
    )],
    caughtBy: ['ceiling-holds', 'grant-rises', 'token-covered', 'jumps', 'token-rises', 'new-life'],
  },
  {
    name: 'any-written-ceiling-lets-all-go',
    what: 'when a ceiling is written, all that was held back goes out, also what is above that ceiling',
    // token, 3 (It never runs backwards). Small first block, slow disk: while ceiling 1 is being written the clock jumps beyond it (a dead
    // holder, a peer's clock). The write is done, the messages above it go out, the node crashes before the second write.
    changes: [node(
      'for (const { to, message } of heldBack) this.send(to, message);',
      "for (const { to, message } of heldBack) if (to === this.settings.self) this.toSelf.push(message); else this.effects.push({ kind: 'send', to, message });",
    )],
    caughtBy: ['ceiling-holds', 'grant-rises', 'token-covered', 'jumps', 'token-rises', 'new-life'],
  },
  {
    name: 'jump-stops-at-the-ceiling',
    what: 'when a lease runs out the clock jumps no further than the ceiling on disk, so that nothing is held back',
    // token, 7 (Not told). In the first blocks of a life the ceiling is nearer than SLACK: a holder dies whose token lies far above this
    // arbiter's clock, and the next one takes a smaller token by this vote.
    changes: [arbiter('clock.reach(grant.sentClock + settings.slack + 1);', 'clock.reach(Math.min(grant.sentClock + settings.slack + 1, clock.ceiling));')],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life'],
  },
  {
    name: 'no-jump-where-a-message-finds-it-run-out',
    what: 'a message for the lock just drops the grants that ran out; only the timer jumps past their tokens',
    // token, 5.1 and 7. A holder dies. Its arbiter is paused over the end of the lease, or a Request comes in the same millisecond before the
    // timer: the grant is dropped without the jump, and lent on with a clock below the token.
    changes: [arbiter(
      '} else if (arbiter.deadlineMs <= this.context.nowMs) {',
      '} else if (arbiter.deadlineMs <= this.context.nowMs) {\n      arbiter.grants = arbiter.grants.filter((grant) => grant.expiresAtMs > this.context.nowMs);',
    )],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life'],
  },
  {
    name: 'enters-again-by-its-own-clock',
    what: 'who enters again takes the clock of its node for a token when that is higher than the last token + 1',
    // token, 7 (Entering again). The node's clock ran ahead meanwhile, by another lock: a dead holder's vote ran out at it, or a peer's clock
    // was high. The token lies above c + SLACK of the votes; the holder dies, its arbiters jump short of it.
    changes: [requester('const held = this.enter(request, entry, entry.token + 1);', 'const held = this.enter(request, entry, Math.max(entry.token + 1, this.context.clock.now));')],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life'],
  },
  {
    name: 'joins-at-once-when-it-has-met-nobody',
    what: 'a node without memory that has met no peer which remembers when its silence ends joins by wall clock at once, not a lease later',
    // token, 3.2 step 4. Cut off for a lease after it lost its disk, its wall clock behind: its peers, which remember and come back a moment
    // later, are not asked. It lends with a clock below theirs. (Peers' handshakes bring their clocks, so it must lend to one that is low.)
    changes: [memory('if (nowMs >= state.untilMs) return true;', 'if (nowMs >= state.untilMs || this.remembering.size === 0) return true;')],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life'],
  },
  {
    name: 'longer-lease-of-before-forgotten',
    what: 'after a life under a longer lease the silence lasts for the new, shorter one only',
    // safety, 16.1. Lease 3 s before, 1 s now; a restarts under the new one. A vote lent just before is valid for nearly 3 s with a holder
    // whose node still runs under the old lease (or whose client goes on); a lends it on after 1 s.
    changes: [node('Math.max(birth.silentMs ?? 0, this.settings.leaseMs)', 'this.settings.leaseMs')],
    caughtBy: ['exclusion', 'lease-inside', 'new-life'],
  },
  {
    name: 'validity-told-forgets-sleep',
    what: 'callers are told of a validity in the time that counts sleep, which is too long by all that the machine ever slept',
    // safety, 4.2 and 6.4. The machine slept a minute once. A (remote) caller enters later and is told a validity that is a minute too long;
    // then its node dies, or freezes, so nobody tells it that the lock is lost, and another enters a lease later.
    changes: [requester('return requesterMs - (this.context.requesterNowMs - this.context.nowMs);', 'return requesterMs;')],
    caughtBy: ['exclusion', 'lease-inside', 'lost-at-once', 'valid-as-heard'],
  },
  {
    name: 'margin-for-half-the-drift',
    what: 'the margin is half the drift bound, as if each of the two clocks might be off by half of it against the other',
    // safety, 1 (condition 4) and 6.4. The requester's clock is slower than its arbiter's by nearly the drift bound, messages are fast: the
    // holder believes longer than the arbiter waits, by up to lease × drift / 2.
    changes: [leaseTimes('return Math.ceil(leaseMs * driftMax) + CLOCK_RESOLUTION_MS;', 'return Math.ceil((leaseMs * driftMax) / 2) + CLOCK_RESOLUTION_MS;')],
    caughtBy: ['lease-inside', 'exclusion', 'valid-as-heard'],
  },
  {
    name: 'silence-counts-sleep',
    what: 'the silence after a restart is counted with what the machine seems to have slept',
    // safety, 4.2. Soon after a restart the wall clock is set forward by a lease, which looks like sleep: the arbiter lends at once (and
    // without the jump), while a vote of its earlier life is valid.
    changes: [arbiter('return this.context.nowMs < this.context.silentUntilMs;', 'return this.context.requesterNowMs < this.context.silentUntilMs;')],
    caughtBy: ['exclusion', 'lease-inside', 'token-covered', 'jumps', 'token-rises', 'new-life'],
  },
  {
    name: 'stop-frees-what-is-recalled',
    what: 'a node that stops releases a lock that is recalled and not given back yet',
    // safety, 13. A remote caller is robbed and told to give the lock back; before it does, its node stops: the thief gets the lock by the
    // Release while the client may still count on it.
    changes: [requester('if (isInUse) this.phase = IDLE;', "if (isInUse && this.phase.state !== 'recalled') this.phase = IDLE;")],
    caughtBy: ['exclusion', 'lease-inside'],
  },
  {
    name: 'local-readers-end-the-recall',
    what: 'of readers of whom some are remote and some local, the remote ones are recalled, but the lock is released at once',
    // safety, 13. A local and a remote reader are inside together and are robbed by a writer: Release goes out while the remote one has not
    // given the lock back.
    changes: [requester('if (recalled.size === 0) this.end(request);', 'if (recalled.size < inside.length) this.end(request);')],
    caughtBy: ['exclusion', 'lease-inside'],
  },
  {
    name: 'whoever-cancels-ends-the-request',
    what: 'a caller that gives up in the line behind the first ends the request of the first, which asks again under the same id',
    // safety, 6.2. The first waits, the second cancels: Release(r), Request(r), with votes and floors forgotten. A Grant of before the Release
    // comes after that and counts, though its arbiter has lent the vote on; so does one that a Release overtaken by the Request takes back.
    changes: [requester("if (place === 0 && phase.state === 'waiting') this.end(phase.request);", "if (phase.state === 'waiting') this.end(phase.request);")],
    caughtBy: ['exclusion', 'lease-inside', 'request-unique'],
  },
  {
    name: 'no-floor-before-the-grant-came',
    what: 'an Inquire that overtakes its Grant is answered with Yield, but raises no floor',
    // safety, 6.6. Grant(g) and Inquire(g) are reordered: the requester yields g, the arbiter lends its vote on, and Grant(g) comes and
    // counts.
    changes: [votes('this.raiseFloor(arbiter, number);', 'if (this.inHand.has(arbiter)) this.raiseFloor(arbiter, number);')],
    caughtBy: ['exclusion', 'lease-inside'],
  },
  {
    name: 'grant-of-an-earlier-request-counts',
    what: 'a Grant for an earlier request of the node counts for the one that is open now',
    // safety, 6.4 rule 1. A caller cancels, its Release overtakes the Grant or the Grant comes twice; the next request of the node asks the
    // same arbiter, which has lent its vote to somebody else, and the late Grant lets it in.
    changes: [requester('phase.request.id.timestamp === timestamp ? phase : null', 'phase.request.id.timestamp >= timestamp ? phase : null')],
    caughtBy: ['exclusion', 'lease-inside', 'answers'],
  },
  {
    name: 'taken-back-in-until-the-silence-ends',
    what: 'a grant that is taken back in lasts until the silence ends, not for a lease',
    // safety, 5.6. The holder at a is cut off from c, which restarted, until late in the silence of c; then it shows its grant once, and
    // renews next after that silence. c has lent its vote on by then, and a counts on it: with b, which a never reached, another enters.
    changes: [arbiter('heardAtMs: nowMs }, number, nowMs + settings.leaseMs);', 'heardAtMs: nowMs }, number, this.context.silentUntilMs);')],
    caughtBy: ['lease-inside', 'exclusion'],
  },
  {
    name: 'ran-out-is-not-recalled',
    what: 'a lock that ran out is released at once, also where a remote caller may still count on it',
    // safety, 13. A remote caller is inside. The wall clock of its node is set forward by more than a lease, which looks like sleep. The node
    // releases the lock, another enters, and the client believes on by its own clock.
    changes: [requester('if (recalled.size === 0) this.end(request);', 'if (recalled.size === 0 || thief === undefined) this.end(request);')],
    caughtBy: ['exclusion', 'lease-inside'],
  },
  {
    name: 'token-of-a-reentry-is-a-tick',
    what: 'who enters again takes the next value of its clock as token, not the last token and one',
    // token, 7. The clock of the node went up by more than SLACK since it asked (an arbiter elsewhere jumped, another lock told it). It enters
    // again with a token that its votes do not allow, and dies; its arbiters jump to less.
    changes: [requester('const held = this.enter(request, entry, entry.token + 1);', 'const held = this.enter(request, entry, this.context.clock.tick());')],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced', 'new-life'],
  },
  {
    name: 'jumps-from-the-clock-of-now',
    what: 'when a lease ends unreleased the clock jumps by SLACK from where it is, not from what was sent with the grant',
    // token, 3.1. A node dies with grants of several locks at several arbiters: each jump is added to the one before, and the clock gains more
    // than real time does. When all disks are lost then, those that join by wall clock are below the tokens of before.
    changes: [arbiter('clock.reach(grant.sentClock + settings.slack + 1);', 'clock.reach(clock.now + settings.slack + 1);')],
    caughtBy: ['token-rises', 'fenced', 'token-covered', 'jumps', 'new-life', 'prompt'],
  },
  {
    name: 'held-back-and-sent-with-a-newer-clock',
    what: 'a message that waited for the ceiling is sent with the clock of now, not with that of when it was said',
    // token, 3 and 7. A Grant waits for the disk while the clock goes on. Its requester may take a token SLACK above the clock that comes with it;
    // the arbiter jumps past SLACK above the clock that it said.
    changes: [node('for (const { to, message } of heldBack) this.send(to, message);', 'for (const { to, message } of heldBack) this.send(to, { ...message, clock: this.clock.now });')],
    caughtBy: ['token-covered', 'jumps', 'token-rises', 'fenced'],
  },
  {
    name: 'joins-slack-above-its-birth',
    what: 'a node that lost its memory joins SLACK above the clock of its birth, not above the highest that it heard',
    // token, 3.2. Its wall clock is behind the Lamport clocks. A vote of its earlier life allowed a token SLACK above the clock sent with it, and
    // those who remember know of no more than that clock.
    changes: [node('this.jumpFrom(clock.now);', 'this.jumpFrom(clock.bornAt);')],
    caughtBy: ['new-life', 'request-unique', 'grant-rises', ...TOKEN_FALLS],
  },
  {
    name: 'woken-for-repeats-alone',
    what: 'a node with a hold asks to be woken for its next repeat, also where the hold ends before that',
    // 6.7: "A holder whose valid votes contain no quorum any more has lost the lock at that very moment. Its node has asked to be woken for that."
    // A holder is cut off: its caller hears of the loss with the next repeat, when the lock may be another's already.
    changes: [requester('return Math.min(this.repeatAtMs(phase), phase.validUntilMs);', 'return this.repeatAtMs(phase);')],
    caughtBy: ['lost-at-once'],
  },
  {
    name: 'jumps-at-birth',
    what: 'the clock jumps by SLACK when a life begins, not when its silence ends',
    // 3.1: "A node that dies before its silence ends has not jumped. It has used up a first block, 1/128 of a lease."
    // A node starts again every second and dies: the clocks of all gain a quarter of a lease each time, until peers take none of them for credible.
    changes: [node(
      'this.bornSilentUntilMs = nowMs + Math.max(birth.silentMs ?? 0, this.settings.leaseMs);',
      'this.bornSilentUntilMs = nowMs + Math.max(birth.silentMs ?? 0, this.settings.leaseMs);\n      this.jumpFrom(this.clock.bornAt);',
    )],
    caughtBy: ['new-life'],
  },
  {
    name: 'takes-back-in-without-memory',
    what: 'an arbiter that lost its memory takes back in the grants that it is shown',
    // 5.6: "An arbiter without memory takes nothing back in, and is silent until it joins."
    // A holder goes on with the vote of a node that lost its disk, and takes tokens by a clock of the earlier life, past which that node
    // does not jump when the holder dies: the next token may be lower. (The same of a process that stands apart.)
    changes: [arbiter('number >= clock.bornAt || !this.isSilent() || !this.context.takesPart || ', 'number >= clock.bornAt || !this.isSilent() || ')],
    caughtBy: ['ceiling-holds', ...TOKEN_FALLS],
  },
  {
    name: 'cancel-behind-a-holder-ends-the-hold',
    what: 'the first in line that gives up ends the request of its node, also one whose caller is inside',
    // 6.2: "A caller that gives up leaves the line; if the request was its own, that ends."
    // A caller waits behind a holder of its own node and gives up: the votes of the holder are released, and another enters beside it.
    changes: [requester("if (place === 0 && phase.state === 'waiting') this.end(phase.request);", "if (place === 0 && phase.state !== 'idle') this.end(phase.request);")],
    caughtBy: ['exclusion', 'callers-known'],
  },
  {
    name: 'counts-itself-among-those-heard',
    what: 'a node without memory counts itself among those who remember',
    // 3.2, rule 3: "When those it has heard meet every quorum, it joins. It does not count itself."
    // Of three nodes one lost its disk, and one is down that alone knows, beside it, of the last token: it joins by the third one's clock, and a token falls.
    changes: [memory('return meetsEveryQuorum(this.context.settings.coterie, state.heard);', 'return meetsEveryQuorum(this.context.settings.coterie, new Set([...state.heard, this.context.settings.self]));')],
    caughtBy: ['new-life'],
  },
  {
    name: 'of-what-is-not-said-nothing-was-taken',
    what: 'a caller with room that is gone without saying which tokens it took is taken to have taken none',
    // 7: "Until it says which it took, all count as taken, and a Release carries a clock of at least the last that was taken."
    // A keeper vanishes and its node gives the lock back without its word: the next holder has a token that the keeper had used.
    changes: [requester('used: Token = Infinity', 'used: Token = 0')],
    caughtBy: TOKEN_FALLS,
  },
  {
    name: 'asks-before-it-joins',
    what: 'a node without memory asks for its callers before it has joined',
    // 3.2: "Before it joins it neither lends nor asks. Its own callers wait in line."
    // A node that lost its disk asks under a timestamp that its earlier life may have used: an arbiter renews the old grant, in the old mode.
    changes: [requester('if (this.context.takesPart) this.start(first);', 'this.start(first);')],
    caughtBy: ['ceiling-holds'],
  },
  {
    name: 'ceiling-before-it-joins',
    what: 'a node without memory writes a ceiling before it has joined',
    // 3: "a ceiling on disk says that its node remembers, so one without memory writes none before it joins."
    // A node that lost its disk crashes before it joined: its next life takes itself for one that remembers, asks nobody, and a token falls.
    changes: [node('const ceiling = this.memory.isKnown ? this.clock.ceilingToReserve() : null;', 'const ceiling = this.clock.ceilingToReserve();')],
    caughtBy: ['ceiling-holds'],
  },
  {
    name: 'requests-named-by-their-time-alone',
    what: 'two requests of one timestamp are taken for the same, whichever node they are of',
    // 2: "Its id is (timestamp, node)."
    // Two nodes ask in the same tick: the Release of one ends the grant of the other, or its Request renews it.
    changes: [priority('return a.timestamp === b.timestamp && a.node === b.node;', 'return a.timestamp === b.timestamp;')],
    caughtBy: ['overtaken', 'exclusion', 'answers'],
  },
];
