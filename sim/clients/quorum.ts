/**
 * What stands for the quorum here: it lends each lock to one request at a time, or to readers beside each other, for a lease, in the
 * order of asking, by a clock of its own. A node's request is as the core makes it: repeated three times a lease, valid from when it was sent.
 * What the core does in truth is the matter of the other rooms.
 */
import type { Mode } from '../../src/core';
import type { MachineClock } from '../world/machine-clock';
import type { Stage } from './stage';
import type { Lending, Truth } from './truth';

/** One request of a node. */
export interface Request {
  readonly attempt: number;
  readonly lock: number;
  readonly mode: Mode;
  /** It is refused unless the lock is free. */
  readonly ifAvailable: boolean;
  /** It goes before all others, and whoever holds the lock is robbed. */
  readonly steals: boolean;
  /** Who is told. */
  readonly asker: Asker;
  /** Of its process: what is for one never reaches the next. */
  readonly life: number;
  state: 'new' | 'queued' | 'lent' | 'not free' | 'gone';
  /** The node's time when it sent the newest repeat. */
  sentAtMs: number;
  token: number;
  /** It is for a client that keeps it when it is done. */
  readonly keeps: boolean;
  /** It is for this client, which passes locks on among its callers; or null. */
  readonly client: string | null;
  /** The highest token that the client may take; 0: it may take none by itself. */
  roomUntil: number;
  /** These alone may take them, one after the other. Empty: whoever has the lock. */
  passTo: readonly Request[];
  /** Its client has said that it uses what it keeps. */
  isInUse: boolean;
  lentUntilUs: number;
  /** Somebody steals it. */
  isRobbed: boolean;
}

export function newRequest(asked: Pick<Request, 'attempt' | 'lock' | 'mode' | 'ifAvailable' | 'steals' | 'asker' | 'life' | 'sentAtMs' | 'keeps' | 'client'>): Request {
  return { ...asked, state: 'new', token: 0, roomUntil: 0, passTo: [], isInUse: false, lentUntilUs: 0, isRobbed: false };
}

export interface Asker {
  /** The lock is lent, counted from `sentAtMs` of the node. */
  lent(request: Request, sentAtMs: number, token: number): void;
  /** Others want the lock, for which there is room. */
  wanted(request: Request): void;
  robbed(request: Request): void;
  /** Somebody has the lock or waits for it, and this request is to wait for nobody. */
  notFree(request: Request): void;
}

interface Lock {
  readonly queue: Request[];
  /** One, or readers. */
  readonly owners: Set<Request>;
  /** The highest token that was ever lent, alone and in any mode. */
  tokenAlone: number;
  token: number;
}

/** So many tokens are room for a client that keeps its lock. */
const ROOM = 3;

/** Readers beside each other have tokens in any order, all of them above those of writers before. */
const READERS_TOKENS = 3;

/** Who is asked whether it uses what it keeps, and does not answer in this time, uses it (protocol.md section 15.4). */
const ANSWER_US = 250_000;

/** Numbers thieves apart from all attempts. */
const THIEVES_FROM = 1_000_000;

export class Quorum implements Lending {
  private readonly locks = new Map<number, Lock>();
  private thieves = THIEVES_FROM;

  constructor(
    private readonly stage: Stage,
    private readonly clock: MachineClock,
    private readonly leaseMs: number,
    private readonly truth: Truth,
  ) {}

  lentTo(name: number, attempt: number): ReturnType<Lending['lentTo']> {
    // The newest: an earlier life of the node may have asked for it too, and its lease not be over.
    const owner = [...(this.locks.get(name)?.owners ?? [])].findLast((each) => each.attempt === attempt);
    return owner === undefined ? null : { token: owner.token, roomUntil: owner.roomUntil, isToBePassedOn: owner.passTo.length > 0 };
  }

  /** Locks that are lent or wanted. */
  get inUse(): number {
    return [...this.locks.values()].filter(({ owners, queue }) => owners.size > 0 || queue.length > 0).length;
  }

  /** A Request arrives, for the first time or again. */
  asked(request: Request, sentAtMs: number): void {
    const lock = this.lock(request.lock);
    if (request.state === 'gone') return;
    // The word of it was lost.
    if (request.state === 'not free') return request.asker.notFree(request);
    request.sentAtMs = Math.max(request.sentAtMs, sentAtMs);
    const isNew = request.state === 'new';
    if (isNew) {
      request.state = 'queued';
      if (request.steals) this.rob(lock, request);
      else lock.queue.push(request);
    }
    if (request.state === 'lent') {
      this.extend(request, lock);
      request.asker.lent(request, request.sentAtMs, request.token);
      if (request.isRobbed) request.asker.robbed(request);
    }
    this.lend(request.lock);
    this.callIn(lock);
    if (isNew && request.ifAvailable) this.decide(request, lock);
  }

  /** Somebody else wants the lock, and its holder is told so as often as it is heard of. */
  private callIn({ owners, queue }: Lock): void {
    if (queue.length === 0) return;
    for (const owner of owners) {
      if (owner.roomUntil === 0 || owner.passTo.length > 0) continue;
      this.truth.wantedByOthers(owner.attempt);
      owner.asker.wanted(owner);
    }
  }

  /** Who waits for nobody is refused, but that a client which keeps the lock may be done with it. */
  private decide(request: Request, lock: Lock): void {
    if (request.state !== 'queued') return;
    const mayBeIdle = [...lock.owners].some(({ roomUntil, passTo, isInUse }) => roomUntil > 0 && passTo.length === 0 && !isInUse);
    if (lock.queue[0] !== request || !mayBeIdle) return this.refuse(request, lock);
    this.stage.after(ANSWER_US, () => this.refuse(request, lock));
  }

  /** A client uses what it keeps, or has no word of it. */
  isInUse(request: Request): void {
    request.isInUse = true;
    const lock = this.lock(request.lock);
    if (!lock.owners.has(request)) return;
    for (const each of [...lock.queue]) if (each.ifAvailable) this.refuse(each, lock);
  }

  private refuse(request: Request, lock: Lock): void {
    if (request.state !== 'queued') return;
    const at = lock.queue.indexOf(request);
    this.truth.notFree(request.attempt, [...lock.owners, ...lock.queue.slice(0, at)].map(({ attempt }) => attempt));
    this.stage.tell('is not free', request.lock, request.attempt, () => `lock ${request.lock} for request ${request.attempt}`);
    this.stage.count('refused as not free');
    request.state = 'not free';
    lock.queue.splice(at, 1);
    request.asker.notFree(request);
    // Readers may stand behind a writer that is refused.
    this.lend(request.lock);
  }

  /** `used`: the highest token that was taken; left out, all of the room was. */
  released(request: Request, used: number = request.roomUntil): void {
    const lock = this.lock(request.lock);
    if (request.state === 'lent') spend(lock, request, used);
    request.state = 'gone';
    lock.queue.splice(0, Infinity, ...lock.queue.filter((each) => each !== request));
    lock.owners.delete(request);
    this.lend(request.lock);
  }

  /** Somebody who is no client of these nodes. */
  steal(name: number, forUs: number): void {
    const asker: Asker = { lent: () => this.stage.after(forUs, () => this.released(thief)), wanted: () => undefined, robbed: () => undefined, notFree: () => undefined };
    const thief = newRequest({ attempt: this.thieves++, lock: name, mode: 'exclusive', ifAvailable: false, steals: true, asker, life: 0, sentAtMs: 0, keeps: false, client: null });
    thief.state = 'queued';
    this.rob(this.lock(name), thief);
    this.lend(name);
  }

  private rob(lock: Lock, thief: Request): void {
    lock.queue.unshift(thief);
    if (lock.owners.size > 1) this.stage.count('several readers robbed at once');
    for (const owner of lock.owners) {
      owner.isRobbed = true;
      this.truth.robbed(owner.attempt);
      owner.asker.robbed(owner);
    }
  }

  private lock(name: number): Lock {
    let lock = this.locks.get(name);
    if (lock === undefined) this.locks.set(name, lock = { queue: [], owners: new Set(), tokenAlone: 0, token: 0 });
    return lock;
  }

  /** In the order of asking: a reader waits behind a writer that waits. */
  private lend(name: number): void {
    const lock = this.lock(name);
    for (let next = lock.queue[0]; next !== undefined && fits(next, lock); next = lock.queue[0]) {
      lock.queue.shift();
      this.lendTo(next, lock);
    }
  }

  private lendTo(next: Request, lock: Lock): void {
    next.state = 'lent';
    next.token = next.mode === 'exclusive' ? lock.token + 1 : lock.tokenAlone + 1 + this.stage.random.below(READERS_TOKENS);
    lock.owners.add(next);
    next.isInUse = false;
    const last = lock.queue.findIndex(({ client }) => next.client === null || client !== next.client);
    next.passTo = lock.queue.slice(0, last < 0 ? Infinity : last);
    next.roomUntil = next.passTo.length > 0 ? next.token + next.passTo.length : next.keeps && lock.queue.length === 0 ? next.token + ROOM : 0;
    lock.token = Math.max(lock.token, next.token);
    if (next.mode === 'exclusive') lock.tokenAlone = next.token;
    this.stage.tell('quorum lends', next.lock, next.attempt, () => `lock ${next.lock} to request ${next.attempt} (${next.mode}), token ${next.token}`);
    this.truth.lent(next.lock, next.attempt, next.mode);
    this.extend(next, lock);
    next.asker.lent(next, next.sentAtMs, next.token);
  }

  private extend(request: Request, lock: Lock): void {
    const localUs = this.clock.localUs(this.stage.nowUs) + this.leaseMs * 1_000;
    const lentUntilUs = this.clock.trueUs(localUs);
    request.lentUntilUs = lentUntilUs;
    this.stage.at(lentUntilUs, () => {
      if (!lock.owners.has(request) || request.lentUntilUs !== lentUntilUs) return;
      this.stage.tell('lease ends', request.lock, request.attempt, () => `of lock ${request.lock}, request ${request.attempt}`);
      this.stage.count('leases that ended unreleased');
      spend(lock, request, request.roomUntil);
      request.roomUntil = 0;
      // Its node may ask again, in a new place.
      request.state = 'new';
      request.isRobbed = false;
      lock.owners.delete(request);
      if (this.lentTo(request.lock, request.attempt) === null) this.truth.leaseEnded(request.lock, request.attempt);
      this.lend(request.lock);
    });
  }
}

function spend(lock: Lock, { mode }: Request, used: number): void {
  lock.token = Math.max(lock.token, used);
  if (mode === 'exclusive') lock.tokenAlone = Math.max(lock.tokenAlone, used);
}

function fits({ mode }: Request, { owners }: Lock): boolean {
  return owners.size === 0 || (mode === 'shared' && [...owners].every((owner) => owner.mode === 'shared'));
}
