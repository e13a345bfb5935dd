/**
 * when-due: a Request is repeated when the law says so: no later, whatever faults there are, for its node asks to be woken for that, and at most
 * eight times in a retry interval (protocol.md section 6.3); and not before it is due (6.5, 9 and 12). The last for runs without faults, in which no peer comes up again that must be told
 * what it may have missed.
 * Must never look into the core: it sees messages, who enters, what they are told, and for how long a node says that its holds are valid.
 */
import { clockLockOf, doesHold } from '../../src/core';
import type { Event, LamportTime, Message, NodeId, Request } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { OfNodesAndLocks, clockOf, isClockLock } from './scene';
import type { Scene } from './scene';
import type { Entry, Renewal, Witness } from './witness';

/** What a node has said and heard of its request for one lock. Times are its own. */
interface Repeats {
  timestamp: LamportTime;
  readonly asked: Set<number>;
  /** When all were asked the last time, as the Request says, which may have waited for the disk; and the number of that event. */
  askedAtMs: number;
  event: number;
  /** How often it was repeated at once, because votes were too far apart, or ended too soon. */
  atOnce: number;
  /** The number of the event by which somebody entered under it, and when. */
  enteredEvent: number;
  enteredAtMs: number;
  validUntilMs: number;
  token: LamportTime;
  /** By arbiter: the highest clock that came with its Grant. */
  readonly clocks: Map<number, LamportTime>;
  /** Nodes that asked this one's arbiter for a theft of the lock, and wait. */
  readonly thieves: Set<number>;
}

/** Once for clocks too far apart, once for votes that end too soon. */
const AT_ONCE_MAX = 2;

export class RepeatsWhenDue implements Witness {
  private readonly repeats: OfNodesAndLocks<Repeats>;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.repeats = new OfNodesAndLocks<Repeats>(scene, () => ({
      timestamp: 0, asked: new Set(), askedAtMs: 0, event: 0, atOnce: 0, enteredEvent: -1, enteredAtMs: 0, validUntilMs: 0, token: 0, clocks: new Map(), thieves: new Set(),
    }));
  }

  delivering(from: number, to: number, lock: number, message: Message): void {
    const { timestamp, clocks, thieves } = this.repeats.of(to, lock);
    if (message.kind === 'request' && message.claim === 'steals') thieves.add(from);
    else if (message.kind === 'request' || message.kind === 'release') thieves.delete(from);
    if (message.kind === 'grant' && message.timestamp === timestamp) clocks.set(from, Math.max(message.clock, clocks.get(from) ?? 0));
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    if (message.kind !== 'request') return;
    const repeats = this.repeats.of(from, lock);
    const { events } = this.scene;
    if (repeats.timestamp !== message.timestamp) {
      Object.assign(repeats, { timestamp: message.timestamp, askedAtMs: message.sentAtMs, event: events, atOnce: 0 });
      repeats.asked.clear();
      repeats.clocks.clear();
      // That of its own arbiter, at least.
      repeats.clocks.set(from, message.clock);
    } else if (repeats.asked.has(to) && repeats.event !== events && !this.isForThief(from, to, lock, cause)) {
      this.repeated(from, lock, repeats, message, cause);
      repeats.askedAtMs = message.sentAtMs;
      repeats.event = events;
      repeats.clocks.set(from, clockOf(this.scene, from));
    }
    repeats.asked.add(to);
  }

  entered({ machine, lock, validUntilMs, hold }: Entry): void {
    const repeats = this.repeats.of(machine, lock);
    repeats.enteredEvent = this.scene.events;
    repeats.enteredAtMs = this.scene.nowMs(machine);
    repeats.validUntilMs = validUntilMs;
    repeats.token = hold.token;
  }

  renewed({ machine, lock, validUntilMs }: Renewal): void {
    this.repeats.of(machine, lock).validUntilMs = validUntilMs;
  }

  private repeated(machine: number, lock: number, repeats: Repeats, { claim, sentAtMs }: Request, cause: Event): void {
    const { retryMs, slack } = this.plan;
    const { askedAtMs, validUntilMs, token, clocks } = repeats;
    const isInside = doesHold(claim);
    const intervalMs = dueMs(askedAtMs, isInside ? validUntilMs : Infinity, retryMs) - askedAtMs;
    const agedMs = this.scene.nowMs(machine) - askedAtMs;
    if (agedMs >= intervalMs) return;
    // What is said as somebody enters may wait for the disk.
    const enters = repeats.enteredEvent === this.scene.events || (cause.kind === 'ceilingReserved' && sentAtMs === repeats.enteredAtMs);
    // One that stole asks once more as it enters; and so does whoever enters again with less than half of its token room.
    if (enters && (claim === 'stole' || Math.min(...clocks.values()) + slack / 2 <= token)) return;
    // What a Grant brought about may have waited for the disk.
    const isOfGrant = cause.kind === 'ceilingReserved' || (cause.kind === 'message' && cause.message.kind === 'grant');
    if (!isInside && isOfGrant && ++repeats.atOnce <= AT_ONCE_MAX) return;
    violated('when-due', `lock ${this.scene.locks[lock]}: ${this.scene.nodeIds[machine]} repeats its Request after ${agedMs} ms; due in ${intervalMs} ms`);
  }

  /**
   * A holder asks the node of a thief as often as it hears of it: by another arbiter, or by its own. That one inquires when the thief
   * asks, and with each renewal of anybody while the thief waits (protocol.md section 12).
   */
  private isForThief(holder: number, thief: number, lock: number, cause: Event): boolean {
    const isKnown = this.repeats.of(holder, lock).thieves.has(thief);
    // It may have waited for the disk.
    if (cause.kind !== 'message') return cause.kind === 'ceilingReserved' && isKnown;
    const { message } = cause;
    if (message.kind === 'inquire') return message.contender.claim === 'steals' && message.contender.request.node === this.scene.nodeIds[thief];
    return message.kind === 'request' && isKnown;
  }
}

/** When the Request of one node for a lock was sent to each arbiter the last time, in the node's time. */
interface Sent {
  timestamp: LamportTime;
  readonly atMs: Map<NodeId, number>;
  /** When it was opened or, by its timer, repeated to all, as the Request itself says; and the number of that event. */
  toAllAtMs: number;
  event: number;
  /** The number of the event by which somebody entered last: one that stole asks once more then. */
  enteredEvent: number;
}

/** With faults, too: no Request is repeated too late, or too often. */
export class RepeatsInTime implements Witness {
  private readonly sentTo: OfNodesAndLocks<Sent>;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.sentTo = new OfNodesAndLocks<Sent>(scene, () => ({ timestamp: 0, atMs: new Map(), toAllAtMs: 0, event: 0, enteredEvent: -1 }));
  }

  started(machine: number): void {
    for (const sent of this.sentTo.ofNode(machine)) sent.timestamp = 0;
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    if (message.kind !== 'request' || isClockLock(message.lock)) return;
    const { timestamp, sentAtMs } = message;
    const sent = this.sentTo.of(from, lock);
    const arbiter = this.scene.nodeIds[to] ?? '';
    const { events } = this.scene;
    if (sent.timestamp !== timestamp) {
      sent.atMs.clear();
      Object.assign(sent, { timestamp, toAllAtMs: sentAtMs, event: events });
    } else if (cause.kind === 'wake' && sent.atMs.has(arbiter) && sent.event !== events) {
      const agedMs = sentAtMs - sent.toAllAtMs;
      Object.assign(sent, { toAllAtMs: sentAtMs, event: events });
      const leastMs = Math.ceil(termsAt(this.plan, this.scene.nowUs).retryMs / 8);
      if (doesHold(message.claim) && sent.enteredEvent !== events && agedMs < leastMs) violated('when-due', `lock ${this.scene.locks[lock]}: ${this.scene.nodeIds[from]} repeats its Request after ${agedMs} ms; an eighth of the retry interval is ${leastMs} ms`);
    }
    sent.atMs.set(arbiter, this.scene.nowMs(from));
  }

  entered({ machine, lock }: Entry): void {
    this.sentTo.of(machine, lock).enteredEvent = this.scene.events;
  }

  stepped(machine: number): void {
    // What it says may wait for its disk.
    if (this.scene.isHeldBack(machine)) return;
    const { retryMs } = termsAt(this.plan, this.scene.nowUs);
    const wakeAtMs = this.scene.places[machine]?.wakeAtMs ?? Infinity;
    this.scene.locks.forEach((_, lock) => {
      const { timestamp, atMs } = this.sentTo.of(machine, lock);
      if (timestamp === 0) return;
      const requester = this.scene.inspect(machine, lock)?.requester;
      if ((requester?.state !== 'waiting' && requester?.state !== 'held') || requester.request.timestamp !== timestamp) return;
      const validUntilMs = requester.state === 'held' ? requester.validUntilMs : Infinity;
      for (const arbiter of requester.asked) {
        // What it says to itself is no message.
        const askedAtMs = atMs.get(arbiter);
        if (askedAtMs !== undefined) this.judge(machine, lock, arbiter, wakeAtMs, dueMs(askedAtMs, validUntilMs, retryMs));
      }
    });
  }

  private judge(machine: number, lock: number, arbiter: NodeId, wakeAtMs: number, dueAtMs: number): void {
    if (wakeAtMs <= dueAtMs) return;
    violated('when-due', `lock ${this.scene.locks[lock]}: ${this.scene.nodeIds[machine]} must repeat its Request to ${arbiter} at ${dueAtMs}, and sleeps until ${wakeAtMs}`);
  }
}

/** A node without memory repeats its question to each peer that owes an answer (protocol.md section 3.2). */
export class AsksForClocksInTime implements Witness {
  /** By node: when it last asked each of those that remember and have not answered. */
  private readonly owed: readonly Map<NodeId, number>[];

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.owed = scene.nodeIds.map(() => new Map<NodeId, number>());
  }

  started(machine: number): void {
    this.owed[machine]?.clear();
  }

  joined(machine: number): void {
    this.owed[machine]?.clear();
  }

  sent(from: number, to: number, _lock: number, message: Message): void {
    if (message.kind === 'request' && message.lock === clockLockOf(this.scene.nodeIds[from] ?? '')) this.owed[from]?.set(this.scene.nodeIds[to] ?? '', this.scene.nowMs(from));
  }

  stepped(machine: number, event: Event): void {
    // It started again and has no memory itself; or it answered, and may have been asked once more in this event before that was heard.
    if (event.kind === 'peerUp' && event.remembers === false) this.owed[machine]?.delete(event.peer);
    if (event.kind === 'message' && event.message.kind === 'grant' && isClockLock(event.message.lock)) this.owed[machine]?.delete(event.from);
    const wakeAtMs = this.scene.places[machine]?.wakeAtMs ?? Infinity;
    const { retryMs } = termsAt(this.plan, this.scene.nowUs);
    for (const [peer, askedAtMs] of this.owed[machine] ?? []) {
      if (wakeAtMs <= askedAtMs + retryMs) continue;
      violated('when-due', `${this.scene.nodeIds[machine]}, which has no memory, must ask ${peer} for its clock again at ${askedAtMs + retryMs}, and sleeps until ${wakeAtMs}`);
    }
  }
}

/** All times are a node's own. Infinity: it holds nothing. */
function dueMs(askedAtMs: number, validUntilMs: number, retryMs: number): number {
  return askedAtMs + Math.min(retryMs, Math.max(Math.ceil((validUntilMs - askedAtMs) / 2), Math.ceil(retryMs / 8)));
}
