/**
 * token-covered: why tokens rise (protocol.md section 7), checked at every arbiter and not only where two
 * entries meet. The token of a hold is at most SLACK above the clock that came with the votes of a quorum;
 * and an arbiter that such a token relies on lends that lock to others with a clock as high as it, or
 * higher. What a node lends to itself is on no wire: it is taken to be in order.
 */
import type { Grant, LamportTime, LockView, Message, Mode, NodeId, Token } from '../../src/core';
import { violated } from './check';
import type { LeaseInside } from './lease-inside';
import { clockOf } from './scene';
import type { Hold, Scene } from './scene';
import type { TokenPromise } from './token-promise';
import type { Entry, Passing, Renewal, Witness } from './witness';

/** A token, and the request that has it. */
interface Mark {
  timestamp: LamportTime;
  machine: number;
  token: Token;
}

/**
 * So many requests of one node are kept apart, those granted last. Late copies of old Requests are granted
 * too, many in a row, and a request that steals goes before an older one: neither the order of names nor a
 * small number tells which request is over.
 */
const REQUESTS_REMEMBERED = 1_000;

/** What one arbiter has to do with one lock. */
interface Lending {
  /** By machine, for its requests by timestamp: the highest clock sent with a Grant. */
  readonly sent: readonly Map<LamportTime, LamportTime>[];
  /** The highest tokens that relied on this arbiter. */
  readonly highest: Readonly<Record<Mode, Mark>>;
}

export class TokenCovered implements Witness {
  private readonly lendings = new Map<number, Lending>();
  /** By machine: the clock with which its life began. */
  private readonly bornAt: LamportTime[] = [];

  constructor(
    private readonly scene: Scene,
    private readonly promise: TokenPromise,
    /** Told of each hold before this one is. */
    private readonly leaseInside: LeaseInside,
    private readonly slack: number,
  ) {}

  started(machine: number): void {
    this.bornAt[machine] = clockOf(this.scene, machine);
  }

  sent(from: number, to: number, lock: number, message: Message): void {
    if (message.kind === 'grant') this.lent(from, to, lock, message);
  }

  entered({ lock, hold, requester }: Entry): void {
    this.held(lock, hold, requester);
  }

  renewed({ lock, hold, requester }: Renewal): void {
    this.held(lock, hold, requester);
  }

  passed({ lock, hold, requester }: Passing): void {
    this.held(lock, hold, requester);
  }

  private lent(arbiter: number, to: number, lock: number, grant: Grant): void {
    const { timestamp, clock } = grant;
    const { sent, highest } = this.lending(arbiter, lock);
    const clocks = sent[to];
    if (clocks === undefined) throw new RangeError(`no machine ${to}`);
    const before = clocks.get(timestamp);
    if (before === undefined || clock > before) {
      clocks.delete(timestamp);
      clocks.set(timestamp, clock);
    }
    for (const longestAgo of clocks.keys()) {
      if (clocks.size <= REQUESTS_REMEMBERED) break;
      clocks.delete(longestAgo);
    }
    // Taken back in under its old number, it lets nobody in anew: whoever shows it has it in hand, or has given it back (seed 820 of a
    // swarm of five nodes, with a Request that was late by more than a lease).
    if (grant.grant <= (this.bornAt[arbiter] ?? 0)) return;
    for (const mode of ['exclusive', 'shared'] as const) {
      const { machine, timestamp: relying, token } = highest[mode];
      if (clock >= token || this.promise.isVoid || (machine === to && relying === timestamp)) continue;
      const lent = this.modeLent(arbiter, to, lock, grant);
      if (lent === null || (mode === 'shared' && lent === 'shared')) continue; // Readers may have tokens in any order.
      violated('token-covered', `${this.scene.nodeIds[arbiter]} lends lock ${this.scene.locks[lock]} to ${this.scene.nodeIds[to]} with clock ${clock}, `
        + `although ${this.scene.nodeIds[machine]} held it with token ${token} by its vote`);
    }
  }

  /** The mode of the grant, or null when it was taken back before its message was sent (which may have waited for the ceiling). */
  private modeLent(arbiter: number, to: number, lock: number, { timestamp, grant: number }: Grant): Mode | null {
    const grants = this.scene.inspect(arbiter, lock)?.grants;
    const node = this.scene.nodeIds[to];
    return grants?.find(({ request, grant }) => grant === number && request.node === node && request.timestamp === timestamp)?.mode ?? null;
  }

  /** A hold began or was prolonged. */
  private held(lock: number, hold: Hold, requester: LockView['requester'] | undefined): void {
    // A caller may have been let in and lose the lock again within one step.
    if (requester?.state !== 'held') return;
    const { machine, mode, token } = hold;
    const { timestamp } = requester.request;
    const backers = this.leaseInside.backersOf(lock, hold);
    const covering = new Set<NodeId>();
    this.scene.nodeIds.forEach((id, arbiter) => {
      if (!backers.has(id)) return;
      const { sent, highest } = this.lending(arbiter, lock);
      const clock = sent[machine]?.get(timestamp);
      if (arbiter !== machine && (clock === undefined || clock + this.slack < token)) return;
      covering.add(id);
      const mark = highest[mode];
      if (token <= mark.token) return;
      mark.machine = machine;
      mark.timestamp = timestamp;
      mark.token = token;
    });
    if (this.promise.isVoid || this.scene.coterie.containsQuorum(covering)) return;
    violated('token-covered', `${this.scene.nodeIds[machine]} holds lock ${this.scene.locks[lock]} with token ${token}, `
      + `but only {${[...covering].join(',')}} would lend it on above that, should it die`);
  }

  private lending(arbiter: number, lock: number): Lending {
    const key = arbiter * this.scene.locks.length + lock;
    let lending = this.lendings.get(key);
    if (lending === undefined) {
      const none = (): Mark => ({ timestamp: 0, machine: -1, token: 0 });
      lending = { sent: this.scene.nodeIds.map(() => new Map<LamportTime, LamportTime>()), highest: { exclusive: none(), shared: none() } };
      this.lendings.set(key, lending);
    }
    return lending;
  }
}
