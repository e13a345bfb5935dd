/**
 * lease-inside (protocol.md section 10), checked for whoever is inside: until the hold ends, in true time,
 * arbiters that form a quorum have lent their vote to its request and keep it so. A bug shows here as soon
 * as one vote too many is lent on, long before chance brings a second holder in.
 * It looks into the arbiters, and only at what they would act on: their live grants and when these end.
 */
import { violated } from './checks';
import type { Hold } from './checks';
import type { Core } from '../core';
import type { MachineClock } from '../world/machine-clock';
import type { LamportTime, LockName, LockNode, NodeId, RequestId } from '../../src/core';
import type { Coterie } from '../../src/quorum/coterie';

/** What is read of a machine. */
export interface Place {
  readonly id: NodeId;
  readonly node: LockNode | null;
  /** Its arbiters' leases run by this clock, `originUs` added. */
  readonly monotonic: MachineClock;
  /** Its holds run by this one: it counts sleep. */
  readonly alive: MachineClock;
  readonly originUs: number;
}

/** A hold and the arbiters that keep their votes for it until it ends. */
interface Backed {
  readonly hold: Hold;
  readonly place: Place;
  readonly request: LamportTime;
  readonly backers: Set<NodeId>;
}

export class Backing {
  /** By lock. Holds that ended without a word are dropped when they are met. */
  private readonly backed: Backed[][];
  /** Per machine and lock: the requests that had its vote when it died. While silent it lends to no others. */
  private readonly lentAtDeath: RequestId[][][];

  constructor(
    private readonly core: Core,
    private readonly coterie: Coterie,
    private readonly locks: readonly LockName[],
    private readonly places: readonly Place[],
  ) {
    this.backed = locks.map(() => []);
    this.lentAtDeath = places.map(() => locks.map(() => []));
  }

  /** An arbiter is about to die, and with it what it knows of its grants. */
  died(nowUs: number, machine: number): void {
    const arbiter = this.places[machine];
    const node = arbiter?.node ?? null;
    if (arbiter === undefined || node === null) return;
    const nowMs = this.nowMs(nowUs, arbiter);
    const wasSilent = this.core.silentForMs(node, nowMs) > 0;
    this.lentAtDeath[machine] = this.locks.map((lock, index) => {
      const live = (this.core.inspectLock(node, lock)?.grants ?? []).filter(({ expiresAtMs }) => expiresAtMs > nowMs);
      return [...(wasSilent ? this.lentAtDeath[machine]?.[index] ?? [] : []), ...live.map(({ request }) => request)];
    });
  }

  /**
   * A hold began or was prolonged. `request`: the timestamp of the request that it stands on, `granted`:
   * whose votes it counts. Returns which of these arbiters keep their votes for it.
   */
  extended(nowUs: number, lock: number, hold: Hold, place: Place, request: LamportTime, granted: readonly NodeId[]): ReadonlySet<NodeId> {
    const holds = this.holdsOf(lock);
    let backed = holds.find((each) => each.hold === hold);
    if (backed === undefined) {
      backed = { hold, place, request, backers: new Set() };
      holds.push(backed);
    }
    for (const [machine, arbiter] of this.places.entries()) {
      if (granted.includes(arbiter.id) && this.isBacking(nowUs, lock, backed, machine, arbiter)) backed.backers.add(arbiter.id);
      else backed.backers.delete(arbiter.id);
    }
    this.demandQuorum(nowUs, lock, backed);
    return backed.backers;
  }

  ended(lock: number, hold: Hold): void {
    const holds = this.holdsOf(lock);
    const index = holds.findIndex((each) => each.hold === hold);
    if (index >= 0) holds.splice(index, 1);
  }

  /** An arbiter handled a message: has it lent on a vote that someone counts on? */
  arbiterActed(nowUs: number, lock: number, machine: number, arbiter: Place): void {
    const holds = this.holdsOf(lock);
    for (let i = holds.length - 1; i >= 0; i--) {
      const backed = holds[i];
      if (backed === undefined || !backed.backers.has(arbiter.id)) continue;
      if (backed.place.alive.localUs(nowUs) >= backed.hold.endsAtUs) {
        holds.splice(i, 1);
      } else if (!this.isBacking(nowUs, lock, backed, machine, arbiter)) {
        backed.backers.delete(arbiter.id);
        this.demandQuorum(nowUs, lock, backed);
      }
    }
  }

  private demandQuorum(nowUs: number, lock: number, { hold, place, request, backers }: Backed): void {
    if (this.coterie.containsQuorum(backers)) return;
    const untilUs = place.alive.trueUs(hold.endsAtUs);
    violated('lease-inside', `${place.id} holds lock ${this.locks[lock]} under request ${request} for ${untilUs - nowUs} us more, `
      + `but only {${[...backers].join(',')}} keep their votes for it so long`);
  }

  private isBacking(nowUs: number, lock: number, { hold, place, request }: Backed, machine: number, arbiter: Place): boolean {
    const { node } = arbiter;
    const nowMs = this.nowMs(nowUs, arbiter);
    const silentForMs = node === null ? 0 : this.core.silentForMs(node, nowMs);
    if (node === null || silentForMs > 0) {
      const lent = this.lentAtDeath[machine]?.[lock] ?? [];
      if (!lent.some(({ timestamp, node: id }) => timestamp === request && id === place.id)) return false;
      // A dead arbiter lends nothing, and is silent for a lease when it comes back: as long as any vote lasts.
      if (node === null) return true;
    }
    const untilUs = place.alive.trueUs(hold.endsAtUs);
    if (silentForMs > 0 && this.trueUs(arbiter, nowMs + silentForMs) >= untilUs) return true;
    const grants = this.core.inspectLock(node, this.locks[lock] ?? '')?.grants ?? [];
    const grant = grants.find((each) => each.request.timestamp === request && each.request.node === place.id);
    return grant !== undefined && this.trueUs(arbiter, grant.expiresAtMs) >= untilUs;
  }

  private nowMs(nowUs: number, { monotonic, originUs }: Place): number {
    return Math.floor((monotonic.localUs(nowUs) + originUs) / 1000);
  }

  /** When the arbiter's own time reaches `atMs`. */
  private trueUs({ monotonic, originUs }: Place, atMs: number): number {
    return monotonic.trueUs(atMs * 1000 - originUs);
  }

  private holdsOf(lock: number): Backed[] {
    const holds = this.backed[lock];
    if (holds === undefined) throw new RangeError(`no lock ${lock}`);
    return holds;
  }
}
