/**
 * What a `steadfast` run holds the core to: a lock that is held is kept while a quorum lives. Derived from
 * protocol.md sections 6 and 14, where a holder repeats its Request when half of what is left of its lease has passed, and
 * asks others when those it asked are down:
 *
 * 1. No message is lost but by an outage. So each vote in hand lasts for another 0.6 leases or more when its arbiter goes
 *    away; just after entering again under grants that were kept, for a tenth of a lease.
 * 2. A peer's outage is noticed within a fiftieth of a lease, a message takes a hundredth at most. So others are asked, and have
 *    answered, before that.
 * 3. At any time the nodes that are well contain a quorum, where a node is well that was not away for two leases: one
 *    in which it may be silent after a restart, or its vote still be lent to a request whose Release it did not get, and
 *    one to notice.
 *
 * Nothing is promised to a hold whose own node is not well, nor where the votes of others cannot be had in time: those lent to
 * one that steals, or to a request that cannot yield before the lease of that vote is over, for its node went away, or started
 * again, before it can have yielded: as whoever waits does, however old, when this holder has heard of it and asks for
 * all votes (rules holder-first and holder-spreads, protocol.md section 14).
 */
import type { Claim, Contender, LamportTime, Mode, NodeId, RequestId } from '../../src/core';
import { hasPriority, isCompatible } from '../../src/core/priority';
import { firstAwayUs, lastAwayUs } from '../plan/outages';
import type { Plan } from '../plan/plan';
import type { Scene } from './scene';

/** How long a node is not well after it was away, in leases. */
const RECOVERY_LEASES = 2;

/**
 * How long it may take until a holder has the vote of one that waits, in leases: for the Request of that one to come through, for
 * the next repeat of the holder, and for an arbiter in between that was silent.
 */
const SPREAD_LEASES = 1.2;

/** How long it may take until a vote that was given back is in the hand of whoever is next, in leases. */
const HANDOVER_LEASES = 0.1;

/** The request that a hold stands on, and since when. */
export interface HoldOn extends Contender {
  readonly mode: Mode;
  readonly enteredAtUs: number;
}

interface Rival extends Contender {
  readonly mode: Mode;
  readonly isLent: boolean;
  readonly sinceUs: number;
  /** Its node had started again before, and a late copy brought it here. */
  readonly isOfEarlierLife: boolean;
}

/** Who has the vote of one arbiter for one lock, or waits for it, and who did of late. */
interface Ledger {
  rivals: readonly Rival[];
  gone: { readonly rival: Rival; readonly atUs: number }[];
}

export class Steadfast {
  /** By machine and lock. */
  private readonly ledgers: Ledger[][];
  private readonly leaseUs: number;
  /** By machine: no timestamp of its life is as low, and none of an earlier life higher. */
  private readonly bornAbove: LamportTime[];

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.ledgers = scene.places.map(() => scene.locks.map(() => ({ rivals: [], gone: [] })));
    this.leaseUs = plan.leaseMs * 1000;
    this.bornAbove = scene.places.map(() => 0);
  }

  started(machine: number, ceilingOnDisk: LamportTime): void {
    this.bornAbove[machine] = ceilingOnDisk;
  }

  /** An arbiter may have lent its votes to others than before. */
  acted(nowUs: number, machine: number): void {
    this.ledgers[machine]?.forEach((ledger, lock) => {
      const view = this.scene.inspect(machine, lock);
      const before = ledger.rivals;
      ledger.rivals = [...this.toRivals(view?.grants ?? [], true, nowUs), ...this.toRivals(view?.queue ?? [], false, nowUs)]
        .map((rival) => before.find((each) => isSameRival(each, rival)) ?? rival);
      for (const rival of before) if (!ledger.rivals.includes(rival)) ledger.gone.push({ rival, atUs: nowUs });
    });
  }

  /** Whether a hold that is lost now should have been kept. */
  isOwed(nowUs: number, lock: number, machine: number, hold: HoldOn): boolean {
    if (!this.isWell(nowUs, machine)) return false;
    const reachable = new Set<NodeId>();
    for (const [index, { id }] of this.scene.places.entries()) {
      if (this.isWell(nowUs, index) && !this.isOutOfReach(nowUs, lock, index, hold)) reachable.add(id);
    }
    return this.scene.coterie.containsQuorum(reachable);
  }

  /** The longest outage, up to now, that began no earlier than `sinceUs`, of one of these nodes. */
  longestOutageUs(nowUs: number, sinceUs: number, nodes: readonly NodeId[]): number {
    let longestUs = 0;
    for (const fault of this.plan.faults) {
      if (fault.atUs < sinceUs || fault.atUs > nowUs || !('forUs' in fault)) continue;
      const machine = fault.kind === 'cut' ? fault.from[0] : 'machine' in fault ? fault.machine : undefined;
      if (machine === undefined || (fault.kind === 'cut' && fault.from.length > 1) || !nodes.includes(this.scene.places[machine]?.id ?? '')) continue;
      longestUs = Math.max(longestUs, Math.min(nowUs - fault.atUs, fault.forUs));
    }
    return longestUs;
  }

  private isWell(nowUs: number, machine: number): boolean {
    const lastUs = lastAwayUs(this.plan, machine, nowUs);
    return lastUs === 0 || lastUs + RECOVERY_LEASES * this.leaseUs < nowUs;
  }

  /** Whether somebody is, or was until just now, in the way of whoever wants this arbiter's vote, and need not or cannot yield. */
  private isOutOfReach(nowUs: number, lock: number, machine: number, hold: HoldOn): boolean {
    const { request, mode, enteredAtUs } = hold;
    const ledger = this.ledgers[machine]?.[lock];
    if (ledger === undefined) return false;
    const isIts = ledger.rivals.some((rival) => rival.isLent && isSame(rival.request, request));
    ledger.gone = ledger.gone.filter(({ atUs }) => atUs + HANDOVER_LEASES * this.leaseUs >= nowUs);
    return [...(isIts ? [] : ledger.rivals), ...ledger.gone.map(({ rival }) => rival)].some((other) => {
      if (isSame(other.request, request) || isCompatible(other.mode, mode)) return false;
      return hasPriority(other, hold)
        || (other.isLent && !this.canYield(nowUs, other.request) && !this.hadTimeToYield(nowUs, other, enteredAtUs));
    });
  }

  /** Its node was well for so long, while both wanted this vote, that the holder must have got it. */
  private hadTimeToYield(nowUs: number, { request, sinceUs, isOfEarlierLife }: Rival, enteredAtUs: number): boolean {
    if (isOfEarlierLife) return false;
    const machine = this.scene.places.findIndex(({ id }) => id === request.node);
    // Before that, the holder or the arbiter may have been away itself.
    const fromUs = Math.max(sinceUs, enteredAtUs, nowUs - RECOVERY_LEASES * this.leaseUs);
    return this.isWell(fromUs, machine) && firstAwayUs(this.plan, machine, fromUs) >= fromUs + SPREAD_LEASES * this.leaseUs;
  }

  private canYield(nowUs: number, { node, timestamp }: RequestId): boolean {
    const machine = this.scene.places.findIndex(({ id }) => id === node);
    return this.isWell(nowUs, machine) && timestamp > (this.bornAbove[machine] ?? 0);
  }

  private toRivals(entries: readonly { readonly request: RequestId; readonly claim: Claim; readonly mode: Mode }[], isLent: boolean, sinceUs: number): Rival[] {
    return entries.map(({ request, claim, mode }) => {
      const machine = this.scene.places.findIndex(({ id }) => id === request.node);
      return { request, claim, mode, isLent, sinceUs, isOfEarlierLife: request.timestamp <= (this.bornAbove[machine] ?? 0) };
    });
  }
}

function isSameRival(a: Rival, b: Rival): boolean {
  return a.isLent === b.isLent && isSame(a.request, b.request);
}

function isSame(a: RequestId, b: RequestId): boolean {
  return a.timestamp === b.timestamp && a.node === b.node;
}
