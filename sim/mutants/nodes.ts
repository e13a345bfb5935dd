/** What can go wrong in a node as a whole: planted bugs in its clock, its ceiling, its timers, its starts and whom it can reach. */
import type { RunOptions } from '../plan/draw';
import { NO_BACKSTOP, inFile, TOKEN_FALLS, VOTE_LENT_TWICE } from './mutant';
import type { Mutant } from './mutant';

const clock = inFile('clock');
const deadlines = inFile('deadlines');
const memory = inFile('memory');
const node = inFile('node');
const reach = inFile('reach');

/** Disks are lost, at times with wall clocks behind, while others go on. */
const FORGETFUL: RunOptions = {
  nodes: 3, locks: 1, callers: 2, slack: 400, ceilingBlock: 20, leaseMs: 200, faults: { wipe: 15, isolate: 20, wall: 1, linger: 0.3, deaf: 0.3 },
};

export const NODE_MUTANTS: readonly Mutant[] = [
  {
    name: 'clock-follows-the-message',
    what: 'the clock is set to the one received, also backwards',
    changes: [clock('this.set((received > this.value ? received : this.value) + 1);', 'this.set(received + 1);')],
    caughtBy: ['grant-rises', ...TOKEN_FALLS],
  },
  {
    name: 'clock-hears-nobody',
    what: 'messages do not move the clock',
    changes: [node('this.clock.witness(message.clock);\n', '')],
    caughtBy: ['new-life', 'progress'],
  },
  {
    name: 'born-without-file',
    what: 'a start looks at the wall clock alone',
    changes: [clock('Math.max(birth.ceilingOnDisk, birth.wallClockUs) + 1;', 'birth.wallClockUs + 1;')],
    caughtBy: ['grant-rises', ...TOKEN_FALLS, 'new-life'],
  },
  {
    name: 'born-without-wall-clock',
    what: 'a node that lost its memory, and could hear too few, does not look at the wall clock either',
    changes: [
      clock('Math.max(birth.ceilingOnDisk, birth.wallClockUs) + 1;', 'birth.ceilingOnDisk + 1;'),
      node("if (by === 'wall clock') clock.reach(birth.wallClockUs + (this.nowMs - this.startedMs) * 1000);", ''),
    ],
    caughtBy: ['grant-rises', ...TOKEN_FALLS, 'new-life'],
    hunt: FORGETFUL,
  },
  {
    name: 'born-without-slack',
    what: 'a start does not jump past the tokens that its earlier life allowed',
    changes: [node('this.clock.reach(earlierClock + Math.max(this.settings.slack, this.birth.slackBefore ?? 0) + 1);', 'this.clock.reach(earlierClock);')],
    caughtBy: [...TOKEN_FALLS, 'new-life'],
    // Tokens far above the ceiling of an arbiter that has not heard of them, and dies.
    hunt: { nodes: 3, slack: 400, ceilingBlock: 20, leaseMs: 200, faults: { isolate: 20, crash: 15, wall: 1 } },
  },
  {
    name: 'sends-above-ceiling',
    what: 'messages do not wait for the ceiling to be on disk',
    changes: [node('if (message.clock > this.clock.ceiling && this.memory.isKnown && !this.isOnlyItsOwn(to, message)) {', 'if (message.clock < 0) {')],
    caughtBy: ['ceiling-holds'],
  },
  {
    name: 'ceiling-not-synced',
    what: 'a ceiling counts as written when the write begins',
    changes: [clock('this.ceilingAskedFor = this.value + this.block;', 'this.ceilingAskedFor = this.ceilingOnDisk = this.value + this.block;')],
    caughtBy: ['ceiling-holds'],
  },
  {
    name: 'ceiling-never-asked-for',
    what: 'no new ceiling is written',
    changes: [node("if (ceiling !== null) this.effects.push({ kind: 'reserveCeiling', ceiling });", 'if (ceiling === 0) return;')],
    caughtBy: ['progress'],
  },
  {
    name: 'own-votes-above-ceiling',
    what: 'the votes that a node lends itself do not wait for the ceiling',
    changes: [node("return to === this.settings.self && message.kind !== 'grant';", 'return to === this.settings.self;')],
    caughtBy: TOKEN_FALLS,
    // A node that is a quorum by itself.
    hunt: { nodes: 1, faults: { crash: 15, wall: 1, disk: 0.2 } },
  },
  {
    name: 'handshake-above-ceiling',
    what: 'a handshake tells a clock that is not on disk',
    changes: [node('return this.memory.isKnown ? Math.min(this.clock.now, this.clock.ceiling) : this.clock.now;', 'return this.clock.now;')],
    caughtBy: ['ceiling-holds'],
  },
  {
    name: 'silent-half-a-lease',
    what: 'after a restart an arbiter is silent for half a lease',
    changes: [node('this.bornSilentUntilMs = nowMs + Math.max(birth.silentMs ?? 0, this.settings.leaseMs);', 'this.bornSilentUntilMs = nowMs + this.settings.leaseMs / 2;')],
    caughtBy: [...VOTE_LENT_TWICE, 'new-life'],
  },
  {
    name: 'wiped-disk-is-a-first-start',
    what: 'a node without a ceiling file lends at once',
    changes: [node('if (birth.firstStart) {', 'if (birth.firstStart || birth.ceilingOnDisk === 0) {')],
    caughtBy: [...VOTE_LENT_TWICE, 'new-life'],
  },
  {
    name: 'answers-to-itself-lost',
    what: 'what a node tells itself while it handles what it told itself is dropped',
    changes: [node('for (const message of this.toSelf) this.receive', 'for (const message of [...this.toSelf]) this.receive')],
    caughtBy: ['progress'],
  },
  {
    name: 'no-timer',
    what: 'a node never asks to be woken',
    changes: [node("this.effects.push({ kind: 'wake', atMs });\n", '')],
    caughtBy: ['progress', 'lost-at-once'],
  },
  {
    name: 'wakes-too-late',
    what: 'a later wish to be woken replaces an earlier one',
    changes: [node('if (atMs >= this.wakeAtMs) return;', 'if (atMs === this.wakeAtMs || atMs === Infinity) return;'), deadlines('return this.heap[0]?.deadlineMs ?? Infinity;', 'return this.heap[this.heap.length - 1]?.deadlineMs ?? Infinity;')],
    caughtBy: ['lost-at-once'],
  },
  {
    name: 'sleep-not-counted',
    what: 'what the machine slept counts for nobody',
    changes: [node('this.sleptMs += event.byMs;\n', '')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'sleep-counted-by-arbiters',
    what: 'what the machine slept ends the leases that its arbiters lent',
    changes: [node('this.sleptMs += event.byMs;\n', 'this.sleptMs += event.byMs;\n        for (let i = 0; i < 1; i++) this.nowMs += event.byMs;\n        this.arbiters.onWake();\n        this.nowMs -= event.byMs;\n')],
    caughtBy: VOTE_LENT_TWICE,
  },
  {
    name: 'held-back-messages-lost',
    what: 'of the messages that waited for the ceiling only the first is sent when that is on disk',
    changes: [node('for (const { to, message } of heldBack) this.send(to, message);', 'for (const { to, message } of heldBack.slice(0, 1)) this.send(to, message);')],
    // They would be repeated, so nobody waits for ever; but nothing may be said twice where nothing was lost.
    caughtBy: ['frugal', 'when-due'],
    hunt: { profile: 'frugal', ceilingBlock: 40 },
  },
  {
    name: 'deaths-unnoticed',
    what: 'a peer that goes down is taken for up',
    changes: [reach('this.down.add(peer);\n    return true;', 'return false;')],
    caughtBy: ['progress', 'greets'],
  },
  {
    name: 'asks-the-dead',
    what: 'the voting set is asked, also while a member of it is down, and nobody loses hope in those asked',
    changes: [NO_BACKSTOP, reach('const isReachable = !votingSet.some((node) => this.down.has(node));', 'const isReachable = votingSet.length > 0;')],
    caughtBy: ['progress', 'whom-to-ask'],
  },
  {
    name: 'deadline-not-moved-back',
    what: 'a lock whose deadline is put off stays where it was among the others',
    changes: [deadlines('item.deadlineMs = deadlineMs;\n      this.siftDown(item);', 'item.deadlineMs = deadlineMs;')],
    caughtBy: ['progress', 'lost-at-once', 'when-due'],
  },
  {
    name: 'deadlines-out-of-order',
    what: 'when a deadline is taken out, another takes its place among the others, wherever it belongs',
    changes: [deadlines('    this.siftUp(last);\n    this.siftDown(last);\n', '')],
    caughtBy: ['progress', 'lost-at-once', 'when-due'],
  },
  {
    name: 'silence-ends-unnoticed',
    what: 'when the silence of a node ends, those that wait for votes of the dead do not ask it, and nobody loses hope in those asked',
    changes: [NO_BACKSTOP, node('while (this.reach.endSilence(this.nowMs)) this.requesters.onReachChanged();', 'while (this.reach.endSilence(this.nowMs)) continue;')],
    caughtBy: ['progress'],
  },
  {
    name: 'learns-from-too-few',
    what: 'a node that lost its memory believes the first peer that answers',
    changes: [memory('return meetsEveryQuorum(this.context.settings.coterie, state.heard);', 'return state.heard.size > 0;')],
    caughtBy: [...TOKEN_FALLS, 'new-life'],
    hunt: FORGETFUL,
  },
  {
    name: 'learns-before-its-silence-ends',
    what: 'a node that lost its memory asks while votes of its earlier life are still valid',
    changes: [memory("this.state = { kind: 'waiting', untilMs };", "this.state = { kind: 'waiting', untilMs: this.context.nowMs };")],
    caughtBy: ['request-unique', ...VOTE_LENT_TWICE, ...TOKEN_FALLS],
    hunt: FORGETFUL,
  },
  {
    name: 'joins-without-slack',
    what: 'a node that lost its memory begins at the highest clock that it heard',
    changes: [node('this.jumpFrom(clock.now);', 'this.isJumpDue = false;')],
    caughtBy: ['request-unique', 'grant-rises', ...TOKEN_FALLS],
    hunt: { nodes: 3, slack: 400, ceilingBlock: 20, leaseMs: 200, faults: { isolate: 20, wipe: 15, wall: 1 } },
  },
  {
    name: 'forgotten-life-answers',
    what: 'a node that lost its memory says of requests that may be its own that they are over',
    changes: [inFile('asking')(' || !context.takesPart', '')],
    caughtBy: ['ceiling-holds', ...VOTE_LENT_TWICE],
    hunt: FORGETFUL,
  },
  {
    name: 'mute-waits-for-ever',
    what: 'who waits beside a node that is up and mute asks nobody else, and its driver lets it look alive',
    changes: [inFile('requester')('if (requesterNowMs < phase.patientUntilMs) return;', 'return;'), node('return this.heldBackSinceMs !== null &&', 'return this.heldBackSinceMs === null &&')],
    caughtBy: ['progress'],
  },
];
