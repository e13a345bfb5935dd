/**
 * The judge of a run. It sees what no side sees: true time, what each client believes, and to whom the quorum lends each lock.
 * It changes nothing.
 */
import type { HeldLock, Mode } from '../../src/core';
import { violated } from './check';
import type { Stage } from './stage';

/** Times are differences of large numbers. */
const ROUNDING_MS = 1e-6;

/** What a client may be inside with. */
export interface Hold {
  readonly attempt: number;
  readonly lock: number;
  readonly mode: Mode;
  readonly client: number;
  readonly belief: HeldLock;
  /** By the client's own clock, at the present true time. */
  validForMs(): number;
  /** By the client's own clock. */
  readonly endsAtMs: number;
  nowMs(): number;
  /** Whether its client was frozen at some time since then. */
  frozeSince(trueUs: number): boolean;
}

/** To whom the quorum lends. */
export interface Lending {
  /** What it lends to this request; null: nothing. */
  lentTo(lock: number, attempt: number): { readonly token: number; readonly roomUntil: number; readonly isToBePassedOn: boolean } | null;
}

export class Truth {
  private readonly holds = new Map<number, Set<Hold>>();
  /** The highest with which clients entered each lock, alone and in any mode. */
  private readonly tokens = new Map<number, { readonly alone: number; readonly any: number }>();
  private lending: Lending | null = null;

  /** What clients still want or hold. */
  private readonly wanted = new Set<number>();
  private readonly askedFor = new Set<number>();
  private readonly refused = new Set<number>();
  private readonly stolen = new Set<number>();
  /** Requests whose locks a client keeps and does not use: since when. */
  private readonly idle = new Map<number, number>();

  /** `isWhole`: whoever loses its stream comes back in time, and nobody loses anything by it. */
  constructor(
    private readonly stage: Stage,
    private readonly isWhole: boolean,
    /** A lock that is kept and idle is given back so soon after others want it; null: nobody knows. */
    private readonly calledInWithinUs: number | null,
  ) {}

  watch(lending: Lending): void {
    this.lending = lending;
  }

  /** A client was told that it holds the lock, and has not given it back. */
  entered(hold: Hold, token: number): void {
    let holds = this.holds.get(hold.lock);
    if (holds === undefined) this.holds.set(hold.lock, holds = new Set());
    holds.add(hold);
    this.mustEnd(hold);
    this.mustBeLent(hold, 'was told that it holds');
    const lent = this.lending?.lentTo(hold.lock, hold.attempt) ?? null;
    const isOwn = lent === null || lent.token === token || (token > lent.token && token <= lent.roomUntil);
    if (!isOwn) violated('token-told', `${named(hold)} has token ${token}, and was granted ${lent.token}, with room up to ${lent.roomUntil}`);
    // Readers among themselves may have tokens in any order.
    const { alone, any } = this.tokens.get(hold.lock) ?? { alone: 0, any: 0 };
    const before = hold.mode === 'shared' ? alone : any;
    if (token <= before) violated('token-told', `${named(hold)} was told token ${token} after another had ${before}`);
    this.tokens.set(hold.lock, { alone: hold.mode === 'shared' ? alone : token, any: Math.max(any, token) });
  }

  /** A client keeps a lock, and nobody uses it. */
  isIdle(attempt: number, lock: number): void {
    const lent = this.lending?.lentTo(lock, attempt) ?? null;
    if (lent?.isToBePassedOn === true) violated('called-in', `request ${attempt} keeps lock ${lock} idle, which it may only pass on: others want it`);
    this.idle.set(attempt, this.stage.nowUs);
  }

  /** It is used again, or given back. */
  isIdleNoMore(attempt: number): void {
    this.idle.delete(attempt);
  }

  /** Others want it. */
  wantedByOthers(attempt: number): void {
    const { nowUs } = this.stage;
    const byUs = this.calledInWithinUs;
    if (byUs === null) return;
    this.stage.after(byUs, () => {
      const sinceUs = this.idle.get(attempt);
      if (sinceUs !== undefined && sinceUs <= nowUs) violated('called-in', `request ${attempt} keeps an idle lock ${byUs / 1_000} ms after somebody else wanted it`);
    });
  }

  /** Somebody who takes the lock only if it is free is refused, for these have it or wait for it. */
  notFree(attempt: number, because: readonly number[]): void {
    const [idle = 0] = because;
    if (this.calledInWithinUs !== null && because.length === 1 && this.idle.has(idle)) violated('free-is-given', `request ${attempt} is refused because of request ${idle}, which keeps an idle lock`);
  }

  prolonged(hold: Hold): void {
    this.mustEnd(hold);
    this.mustBeLent(hold, 'was told that it holds longer');
  }

  /** The word that the lock was taken has had time to reach the client. */
  mustKnow(attempt: number, lock: number, takenUs: number): void {
    for (const hold of this.holds.get(lock) ?? []) {
      if (hold.attempt !== attempt || hold.validForMs() <= 0 || hold.frozeSince(takenUs)) continue;
      violated('taken-is-told', `${named(hold)} counts on it for ${hold.validForMs().toFixed(3)} ms more, and was not told in ${(this.stage.nowUs - takenUs) / 1_000} ms that it was taken`);
    }
  }

  left(hold: Hold): void {
    this.holds.get(hold.lock)?.delete(hold);
  }

  clientAsks(attempt: number): void {
    this.wanted.add(attempt);
  }

  /** It gave the lock back, or waits no longer. */
  clientIsDone(attempt: number): void {
    this.wanted.delete(attempt);
  }

  wants(attempt: number): boolean {
    return this.wanted.has(attempt);
  }

  /** A client lost a lock, or its request failed, of no cause that a lock has in a whole session. */
  clientLoses(attempt: number, why: string): void {
    if (this.isWhole && !this.refused.has(attempt) && !this.stolen.has(attempt)) violated('resumed-whole', `request ${attempt}, ${why}, though its client came back in time`);
  }

  /** Its client may be away, and never hear that it was lent the lock before. */
  robbed(attempt: number): void {
    this.stolen.add(attempt);
  }

  /** The node will not have it. A break may swallow this: then the node knows the request no more. */
  nodeRefuses(attempt: number): void {
    this.refused.add(attempt);
  }

  nodeAsks(attempt: number, node: number): void {
    if (this.isWhole && this.wants(attempt) && this.askedFor.has(attempt) && !this.refused.has(attempt) && !this.stolen.has(attempt)) violated('resumed-whole', `n${node} asks a second time for request ${attempt}: it lost its place`);
    this.askedFor.add(attempt);
  }

  /** A node gives a request back, of its own or on its client's word. */
  nodeGivesBack(attempt: number, lock: number, node: number, what: string): void {
    if (this.isWhole && what === 'giveUp' && this.wants(attempt)) violated('resumed-whole', `n${node} gives up request ${attempt}, and its client still waits`);
    for (const hold of this.holds.get(lock) ?? []) {
      const leftMs = hold.validForMs();
      if (hold.attempt === attempt && leftMs > 0) violated('client-believes', `n${node} gives back lock ${lock}, and ${named(hold)} counts on it for ${leftMs.toFixed(3)} ms more`);
    }
  }

  /** The quorum lends a lock. Readers hold it beside each other. */
  lent(lock: number, attempt: number, mode: Mode): void {
    let beside = 0;
    for (const hold of this.holds.get(lock) ?? []) {
      const leftMs = hold.validForMs();
      if (hold.attempt === attempt || leftMs <= 0) continue;
      if (mode === 'exclusive' || hold.mode === 'exclusive') violated('client-believes', `the quorum lends lock ${lock} anew (${mode}), and ${named(hold)} counts on it for ${leftMs.toFixed(3)} ms more`);
      beside++;
    }
    if (beside > 0) this.stage.count('lent beside other readers');
  }

  /** The quorum sees the end of a lease. */
  leaseEnded(lock: number, attempt: number): void {
    for (const hold of this.holds.get(lock) ?? []) {
      const leftMs = hold.validForMs();
      if (hold.attempt === attempt && leftMs > 0) violated('client-believes', `the lease of lock ${lock} ends, and ${named(hold)} counts on it for ${leftMs.toFixed(3)} ms more`);
    }
  }

  private mustEnd(hold: Hold): void {
    const beyondMs = hold.validForMs() - Math.max(0, hold.endsAtMs - hold.nowMs());
    if (beyondMs > ROUNDING_MS) violated('within-limit', `${named(hold)} counts on it for ${beyondMs.toFixed(3)} ms beyond its limit`);
  }

  private mustBeLent(hold: Hold, what: string): void {
    if (hold.validForMs() <= 0) return;
    this.stage.count('believes');
    if (this.lending?.lentTo(hold.lock, hold.attempt) === null) violated('client-believes', `${named(hold)} ${what}, and the quorum does not lend it to that request`);
  }
}

function named({ client, lock, mode, attempt }: Hold): string {
  return `c${client} (lock ${lock}, ${mode}, request ${attempt})`;
}
