/**
 * What stands for the quorum here: it lends each lock to one request at a time, for a lease, in the order of asking, by a clock of
 * its own. A node's request is as the core makes it: repeated three times a lease, valid from when it was sent.
 * What the core does in truth is the matter of the other rooms.
 */
import type { MachineClock } from '../world/machine-clock';
import type { Stage } from './stage';
import type { Lending, Truth } from './truth';

/** One request of a node. */
export interface Request {
  readonly attempt: number;
  readonly lock: number;
  /** Who is told. */
  readonly asker: Asker;
  /** Of its process: what is for one never reaches the next. */
  readonly life: number;
  state: 'new' | 'queued' | 'lent' | 'gone';
  /** The node's time when it sent the newest repeat. */
  sentAtMs: number;
  token: number;
  /** It is for a client that keeps it when it is done. */
  readonly keeps: boolean;
  /** The highest token that the client may take; 0: it may take none by itself. */
  roomUntil: number;
  /** Somebody steals it. */
  isRobbed: boolean;
}

export interface Asker {
  /** The lock is lent, counted from `sentAtMs` of the node. */
  lent(request: Request, sentAtMs: number, token: number): void;
  /** Others want the lock, for which there is room. */
  wanted(request: Request): void;
  robbed(request: Request): void;
}

interface Lock {
  readonly queue: Request[];
  owner: Request | null;
  lentUntilUs: number;
  token: number;
}

/** So many tokens are room for a client that keeps its lock. */
const ROOM = 3;

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

  ownerOf(name: number): { readonly attempt: number; readonly token: number; readonly roomUntil: number } | null {
    return this.locks.get(name)?.owner ?? null;
  }

  /** Locks that are lent or wanted. */
  get inUse(): number {
    return [...this.locks.values()].filter(({ owner, queue }) => owner !== null || queue.length > 0).length;
  }

  /** A Request arrives, for the first time or again. */
  asked(request: Request, sentAtMs: number): void {
    const lock = this.lock(request.lock);
    if (request.state === 'gone') return;
    request.sentAtMs = Math.max(request.sentAtMs, sentAtMs);
    if (request.state === 'new') {
      request.state = 'queued';
      lock.queue.push(request);
    }
    if (request.state === 'lent') {
      this.extend(request, lock);
      request.asker.lent(request, request.sentAtMs, request.token);
      if (request.isRobbed) request.asker.robbed(request);
    }
    this.lend(request.lock);
    this.callIn(lock);
  }

  /** Somebody else wants the lock, and its holder is told so as often as it is heard of. */
  private callIn({ owner, queue }: Lock): void {
    if (owner === null || owner.roomUntil === 0 || queue.length === 0) return;
    this.truth.wantedByOthers(owner.attempt);
    owner.asker.wanted(owner);
  }

  /** `used`: the highest token that was taken; left out, all of the room was. */
  released(request: Request, used: number = request.roomUntil): void {
    const lock = this.lock(request.lock);
    if (request.state === 'lent') lock.token = Math.max(lock.token, used);
    request.state = 'gone';
    lock.queue.splice(0, Infinity, ...lock.queue.filter((each) => each !== request));
    if (lock.owner === request) lock.owner = null;
    this.lend(request.lock);
  }

  /** Somebody who is no client of these nodes. */
  steal(name: number, forUs: number): void {
    const lock = this.lock(name);
    const asker: Asker = { lent: () => this.stage.after(forUs, () => this.released(thief)), wanted: () => undefined, robbed: () => undefined };
    const thief: Request = { attempt: this.thieves++, lock: name, asker, life: 0, state: 'queued', sentAtMs: 0, token: 0, keeps: false, roomUntil: 0, isRobbed: false };
    lock.queue.unshift(thief);
    if (lock.owner !== null) {
      lock.owner.isRobbed = true;
      lock.owner.asker.robbed(lock.owner);
    }
    this.lend(name);
  }

  private lock(name: number): Lock {
    let lock = this.locks.get(name);
    if (lock === undefined) this.locks.set(name, lock = { queue: [], owner: null, lentUntilUs: 0, token: 0 });
    return lock;
  }

  private lend(name: number): void {
    const lock = this.lock(name);
    if (lock.owner !== null) return;
    const next = lock.queue.shift();
    if (next === undefined) return;
    next.state = 'lent';
    next.token = ++lock.token;
    next.roomUntil = next.keeps && lock.queue.length === 0 ? next.token + ROOM : 0;
    lock.owner = next;
    this.stage.tell('quorum lends', name, next.attempt, () => `lock ${name} to request ${next.attempt}, token ${next.token}`);
    this.truth.lent(name, next.attempt);
    this.extend(next, lock);
    next.asker.lent(next, next.sentAtMs, next.token);
  }

  private extend(request: Request, lock: Lock): void {
    const localUs = this.clock.localUs(this.stage.nowUs) + this.leaseMs * 1_000;
    lock.lentUntilUs = this.clock.trueUs(localUs);
    const { lentUntilUs } = lock;
    this.stage.at(lentUntilUs, () => {
      if (lock.owner !== request || lock.lentUntilUs !== lentUntilUs) return;
      this.stage.tell('lease ends', request.lock, request.attempt, () => `of lock ${request.lock}, request ${request.attempt}`);
      this.stage.count('leases that ended unreleased');
      lock.token = Math.max(lock.token, request.roomUntil);
      request.roomUntil = 0;
      // Its node may ask again, in a new place.
      request.state = 'new';
      request.isRobbed = false;
      lock.owner = null;
      this.truth.lent(request.lock, null);
      this.lend(request.lock);
    });
  }
}
