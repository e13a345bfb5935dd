/**
 * answers: a requester answers a Grant or an Inquire as the law says, in that very event, and says nothing else to it (protocol.md sections 6.4,
 * 6.6 and 13). One that is left without an answer keeps its vote from all others until a repeat, or for a lease.
 * - About a request that is over: Release.
 * - A Grant of a number that was given back: Yield once more.
 * - An Inquire, while the request waits: Yield for a contender that goes before it, and nothing for one that does not. A newer vote stays in hand.
 * - While the lock is recalled: nothing. And no Yield that answers neither.
 * And an arbiter sends the Grant of a vote that it has lent again only to one that repeats its Request (5.2).
 * It looks at messages, and at what a node says of its request and of its vote.
 */
import { claimOf, hasPriority } from '../../src/core';
import type { Event, Inquire, LamportTime, LockView, Message, NodeId } from '../../src/core';
import { violated } from './check';
import { OfNodesAndLocks, isClockLock } from './scene';
import type { Scene } from './scene';
import type { EventOf, Performed, Witness } from './witness';

/** What one node has said and heard about its requests for one lock. */
interface Said {
  /** The requests of this life. */
  readonly opened: Set<LamportTime>;
  /** The newest of them; what follows is about that. */
  timestamp: LamportTime;
  /** By arbiter: the highest grant number that was given back, and the highest that was heard and counted. */
  readonly givenBack: Map<NodeId, LamportTime>;
  readonly heard: Map<NodeId, LamportTime>;
}

type Requester = LockView['requester'];
type Open = Exclude<NonNullable<Requester>, { state: 'idle' }>;

/** So many requests of a life are kept apart for each lock. */
const REMEMBERED = 1_000;

export class Answers implements Witness {
  private readonly said: OfNodesAndLocks<Said>;
  /** What the node said of its request before the Grant or the Inquire that it handles. */
  private before: Requester = null;
  /** What it says in this event to the sender of that. */
  private readonly answers: Message[] = [];
  private isIgnored = false;
  /** The numbers of the grants that lived before a message about their lock came. */
  private lentBefore: readonly LamportTime[] = [];

  constructor(private readonly scene: Scene) {
    this.said = new OfNodesAndLocks(scene, () => ({ opened: new Set(), timestamp: 0, givenBack: new Map(), heard: new Map() }));
  }

  started(machine: number): void {
    for (const said of this.said.ofNode(machine)) {
      said.opened.clear();
      said.timestamp = 0;
    }
  }

  /** What it asked before counts as an earlier life. */
  joined(machine: number): void {
    this.started(machine);
  }

  stepping(machine: number, event: Event): void {
    this.answers.length = 0;
    this.isIgnored = false;
    const view = event.kind === 'message' ? this.scene.inspect(machine, this.scene.lockOf(event.message.lock)) : null;
    this.lentBefore = view?.grants.map(({ grant }) => grant) ?? [];
    this.before = isToRequester(event) ? view?.requester ?? null : null;
  }

  performed(effect: Performed): void {
    if (effect.kind === 'ignored' && effect.message.kind === 'grant') this.isIgnored = true;
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    const said = this.said.of(from, lock);
    const arbiter = this.idOf(to);
    if (message.kind === 'request') this.opened(said, message.timestamp);
    // What it says as an arbiter is none: its silence may end, or a lease, in this event.
    if (isOfRequester(message) && isToRequester(cause) && cause.from === arbiter && message.lock === cause.message.lock) this.answers.push(message);
    if (message.kind === 'grant' && cause.kind === 'message' && cause.message.lock === message.lock && this.lentBefore.includes(message.grant)) {
      const isRepeat = cause.message.kind === 'request' && cause.from === arbiter && cause.message.timestamp === message.timestamp;
      if (!isRepeat) this.wrong(from, lock, `sends grant ${message.grant} to ${arbiter} again, which does not repeat its Request`);
    }
    if (message.kind !== 'yield') return;
    // What is said now may have waited for the disk.
    const isAnswer = cause.kind === 'ceilingReserved' || (isToRequester(cause) && cause.from === arbiter && cause.message.timestamp === message.timestamp && cause.message.grant === message.grant);
    if (!isAnswer) this.wrong(from, lock, `gives grant ${message.grant} back to ${arbiter}, which did not ask for it`);
    if (said.timestamp === message.timestamp) said.givenBack.set(arbiter, Math.max(message.grant, said.givenBack.get(arbiter) ?? 0));
  }

  stepped(machine: number, event: Event): void {
    if (!isToRequester(event) || isClockLock(event.message.lock)) return;
    const lock = this.scene.lockOf(event.message.lock);
    const { before } = this;
    const after = this.scene.inspect(machine, lock)?.requester ?? null;
    const said = this.said.of(machine, lock);
    // What it says may wait for its disk.
    if (!this.scene.isHeldBack(machine)) this.judge(machine, lock, event, said, before, after);
    const { from, message } = event;
    if (message.kind === 'grant' && !this.isIgnored && message.timestamp === said.timestamp) said.heard.set(from, Math.max(message.grant, said.heard.get(from) ?? 0));
  }

  private judge(machine: number, lock: number, { from, message }: EventOf<'message'> & ToRequester, said: Said, before: Requester, after: Requester): void {
    const { timestamp, grant, kind } = message;
    if (!isOpen(before, timestamp)) {
      if (!isOpen(after, timestamp) && said.opened.has(timestamp) && !this.didAnswer('release', message)) {
        this.wrong(machine, lock, `does not tell ${from}, whose ${kind} it hears, that its request ${timestamp} is over`);
      }
      return;
    }
    // What its own vote brings about, when a silence ends in this event, is no answer.
    if (!isOpen(after, timestamp) || after.state !== before.state) return;
    if (before.state === 'recalled') {
      if (this.answers.length > 0) this.wrong(machine, lock, `says something to ${from}, although the lock was recalled`);
    } else if (kind === 'grant') {
      const isGivenBack = said.timestamp === timestamp && grant <= (said.givenBack.get(from) ?? 0);
      if (isGivenBack && !this.didAnswer('yield', message)) this.wrong(machine, lock, `has given grant ${grant} back to ${from}, hears of it once more, and does not say so again`);
    } else if (before.state === 'waiting') {
      this.judgeAsked(machine, lock, from, message, said, before, after);
    }
  }

  private judgeAsked(machine: number, lock: number, from: NodeId, message: Inquire, said: Said, before: Open, after: Open): void {
    const { contender, grant } = message;
    const name = `request ${before.request.timestamp}`;
    const goesFirst = hasPriority(contender, { request: before.request, claim: claimOf(before.steals, false) });
    if (goesFirst && !this.didAnswer('yield', message)) {
      this.wrong(machine, lock, `does not give grant ${grant} back to ${from}, which asks for it for ${contender.request.timestamp} of ${contender.request.node}, which goes before its ${name}`);
    }
    const isSame = before.granted.length === after.granted.length;
    if (!goesFirst && isSame && this.answers.length > 0) {
      this.wrong(machine, lock, `answers ${from} by a ${this.answers[0]?.kind}, which asks for its grant for a request that goes after its ${name}`);
    }
    const isNewer = said.timestamp === before.request.timestamp && (said.heard.get(from) ?? 0) > grant;
    if (isNewer && before.granted.includes(from) && !after.granted.includes(from)) {
      this.wrong(machine, lock, `counts the vote of ${from} no more, which asks for grant ${grant}, although it has a newer one`);
    }
  }

  private didAnswer(kind: 'release' | 'yield', { timestamp, grant }: ToRequester['message']): boolean {
    return this.answers.some((each) => each.kind === kind && each.timestamp === timestamp && (each.kind !== 'yield' || each.grant === grant));
  }

  private opened(said: Said, timestamp: LamportTime): void {
    said.opened.add(timestamp);
    if (said.opened.size > REMEMBERED) said.opened.clear();
    if (timestamp <= said.timestamp) return;
    said.timestamp = timestamp;
    said.givenBack.clear();
    said.heard.clear();
  }

  private wrong(machine: number, lock: number, what: string): never {
    return violated('answers', `lock ${this.scene.locks[lock]}: ${this.idOf(machine)} ${what}`);
  }

  private idOf(machine: number): NodeId {
    return this.scene.nodeIds[machine] ?? '';
  }
}

interface ToRequester {
  readonly message: Extract<Message, { kind: 'grant' | 'inquire' }>;
}

function isToRequester(event: Event): event is EventOf<'message'> & ToRequester {
  return event.kind === 'message' && (event.message.kind === 'grant' || event.message.kind === 'inquire');
}

function isOfRequester({ kind }: Message): boolean {
  return kind === 'request' || kind === 'yield' || kind === 'release';
}

function isOpen(requester: Requester, timestamp: LamportTime): requester is Open {
  return requester !== null && requester.state !== 'idle' && requester.request.timestamp === timestamp;
}
