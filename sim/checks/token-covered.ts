/**
 * token-covered: why tokens rise (protocol.md section 7), checked at every arbiter and not only where two
 * entries meet. The token of a hold is at most SLACK above the clock that came with the votes of a quorum;
 * and an arbiter that such a token relies on lends that lock to others with a clock as high as it, or
 * higher. What a node lends to itself is on no wire: it is taken to be in order.
 */
import { violated } from './checks';
import type { Hold } from './checks';
import type { Grant, LamportTime, LockName, Mode, NodeId, Token } from '../../src/core';
import type { Coterie } from '../../src/quorum/coterie';

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

export class TokenCover {
  private readonly lendings = new Map<number, Lending>();

  constructor(
    private readonly coterie: Coterie,
    private readonly nodeIds: readonly NodeId[],
    private readonly locks: readonly LockName[],
    private readonly slack: number,
  ) {}

  /**
   * `modeLent` tells the mode of the grant, or null when it was taken back before its message was sent (which
   * may have waited for the ceiling).
   */
  lent(arbiter: number, to: number, lock: number, { timestamp, clock }: Grant, modeLent: () => Mode | null): void {
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
    for (const mode of ['exclusive', 'shared'] as const) {
      const { machine, timestamp: relying, token } = highest[mode];
      if (clock >= token || (machine === to && relying === timestamp)) continue;
      const lent = modeLent();
      if (lent === null || (mode === 'shared' && lent === 'shared')) continue; // Readers may have tokens in any order.
      violated('token-covered', `${this.nodeIds[arbiter]} lends lock ${this.locks[lock]} to ${this.nodeIds[to]} with clock ${clock}, `
        + `although ${this.nodeIds[machine]} held it with token ${token} by its vote`);
    }
  }

  /** A hold began or was prolonged. `backers`: the arbiters that keep their votes for it. */
  held(lock: number, { machine, mode, token }: Hold, timestamp: LamportTime, backers: ReadonlySet<NodeId>): void {
    const covering = new Set<NodeId>();
    this.nodeIds.forEach((id, arbiter) => {
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
    if (this.coterie.containsQuorum(covering)) return;
    violated('token-covered', `${this.nodeIds[machine]} holds lock ${this.locks[lock]} with token ${token}, `
      + `but only {${[...covering].join(',')}} would lend it on above that, should it die`);
  }

  private lending(arbiter: number, lock: number): Lending {
    const key = arbiter * this.locks.length + lock;
    let lending = this.lendings.get(key);
    if (lending === undefined) {
      const none = (): Mark => ({ timestamp: 0, machine: -1, token: 0 });
      lending = { sent: this.nodeIds.map(() => new Map<LamportTime, LamportTime>()), highest: { exclusive: none(), shared: none() } };
      this.lendings.set(key, lending);
    }
    return lending;
  }
}
