/**
 * lease-inside (protocol.md section 10), checked for whoever is inside: until the hold ends, in true time,
 * arbiters that form a quorum have lent their vote to its request and keep it so. A bug shows here as soon
 * as one vote too many is lent on, long before chance brings a second holder in.
 * It looks into the arbiters, and only at what they would act on: their live grants and when these end.
 */
import type { Event, LamportTime, LockView, NodeId, RequestId } from '../../src/core';
import { violated } from './check';
import { ofLock } from './scene';
import type { Hold, Place, Scene } from './scene';
import type { Entry, Renewal, Witness } from './witness';

/** A hold and the arbiters that keep their votes for it until it ends. */
interface Backed {
  readonly hold: Hold;
  readonly place: Place;
  readonly request: LamportTime;
  readonly backers: Set<NodeId>;
}

const NOBODY: ReadonlySet<NodeId> = new Set<NodeId>();

export class LeaseInside implements Witness {
  /** By lock. Holds that ended without a word are dropped when they are met. */
  private readonly backed: Backed[][];
  /** Per machine and lock: the requests that had its vote when it died. While silent it lends to no others. */
  private readonly lentAtDeath: RequestId[][][];

  constructor(private readonly scene: Scene) {
    this.backed = scene.locks.map(() => []);
    this.lentAtDeath = scene.places.map(() => scene.locks.map(() => []));
  }

  /** An arbiter is about to die, and with it what it knows of its grants. */
  dying(machine: number): void {
    const { core, places, locks } = this.scene;
    const arbiter = places[machine];
    const node = arbiter?.node ?? null;
    if (arbiter === undefined || node === null) return;
    const nowMs = this.nowMs(arbiter);
    const wasSilent = core.silentForMs(node, nowMs) > 0;
    this.lentAtDeath[machine] = locks.map((lock, index) => {
      const live = (core.inspectLock(node, lock)?.grants ?? []).filter(({ expiresAtMs }) => expiresAtMs > nowMs);
      return [...(wasSilent ? this.lentAtDeath[machine]?.[index] ?? [] : []), ...live.map(({ request }) => request)];
    });
  }

  entered({ lock, hold, requester }: Entry): void {
    this.extended(lock, hold, requester);
  }

  renewed({ lock, hold, requester }: Renewal): void {
    this.extended(lock, hold, requester);
  }

  left(lock: number, hold: Hold): void {
    const holds = ofLock(this.backed, lock);
    const index = holds.findIndex((each) => each.hold === hold);
    if (index >= 0) holds.splice(index, 1);
  }

  /** An arbiter that handled a message may have lent on a vote that someone counts on. */
  stepped(machine: number, event: Event): void {
    if (event.kind === 'message') this.arbiterActed(this.scene.lockOf(event.message.lock), this.placeOf(machine));
  }

  /** The arbiters that keep their votes for this hold until it ends. */
  backersOf(lock: number, hold: Hold): ReadonlySet<NodeId> {
    return ofLock(this.backed, lock).find((each) => each.hold === hold)?.backers ?? NOBODY;
  }

  /** A hold began or was prolonged. */
  private extended(lock: number, hold: Hold, requester: LockView['requester'] | undefined): void {
    // A caller may have been let in and lose the lock again within one step.
    if (requester?.state !== 'held') return;
    const { request: { timestamp: request }, granted } = requester;
    const place = this.placeOf(hold.machine);
    const holds = ofLock(this.backed, lock);
    let backed = holds.find((each) => each.hold === hold);
    if (backed === undefined) {
      backed = { hold, place, request, backers: new Set() };
      holds.push(backed);
    }
    for (const arbiter of this.scene.places) {
      if (granted.includes(arbiter.id) && this.isBacking(lock, backed, arbiter)) backed.backers.add(arbiter.id);
      else backed.backers.delete(arbiter.id);
    }
    this.demandQuorum(lock, backed);
  }

  private arbiterActed(lock: number, arbiter: Place): void {
    const { nowUs } = this.scene;
    const holds = ofLock(this.backed, lock);
    for (let i = holds.length - 1; i >= 0; i--) {
      const backed = holds[i];
      if (backed === undefined || !backed.backers.has(arbiter.id)) continue;
      if (backed.place.alive.localUs(nowUs) >= backed.hold.endsAtUs) {
        holds.splice(i, 1);
      } else if (!this.isBacking(lock, backed, arbiter)) {
        backed.backers.delete(arbiter.id);
        this.demandQuorum(lock, backed);
      }
    }
  }

  private demandQuorum(lock: number, { hold, place, request, backers }: Backed): void {
    if (this.scene.coterie.containsQuorum(backers)) return;
    const untilUs = place.alive.trueUs(hold.endsAtUs);
    violated('lease-inside', `${place.id} holds lock ${this.scene.locks[lock]} under request ${request} for ${untilUs - this.scene.nowUs} us more, `
      + `but only {${[...backers].join(',')}} keep their votes for it so long`);
  }

  private isBacking(lock: number, { hold, place, request }: Backed, arbiter: Place): boolean {
    const { node } = arbiter;
    const { core } = this.scene;
    const nowMs = this.nowMs(arbiter);
    const silentForMs = node === null ? 0 : core.silentForMs(node, nowMs);
    if (node === null || silentForMs > 0) {
      const lent = this.lentAtDeath[arbiter.index]?.[lock] ?? [];
      if (!lent.some(({ timestamp, node: id }) => timestamp === request && id === place.id)) return false;
      // A dead arbiter lends nothing, and is silent for a lease when it comes back: as long as any vote lasts.
      if (node === null) return true;
    }
    const untilUs = place.alive.trueUs(hold.endsAtUs);
    if (silentForMs > 0 && this.trueUs(arbiter, nowMs + silentForMs) >= untilUs) return true;
    const grants = core.inspectLock(node, this.scene.locks[lock] ?? '')?.grants ?? [];
    const grant = grants.find((each) => each.request.timestamp === request && each.request.node === place.id);
    return grant !== undefined && this.trueUs(arbiter, grant.expiresAtMs) >= untilUs;
  }

  private nowMs({ monotonic, originUs }: Place): number {
    return Math.floor((monotonic.localUs(this.scene.nowUs) + originUs) / 1000);
  }

  /** When the arbiter's own time reaches `atMs`. */
  private trueUs({ monotonic, originUs }: Place, atMs: number): number {
    return monotonic.trueUs(atMs * 1000 - originUs);
  }

  private placeOf(machine: number): Place {
    const place = this.scene.places[machine];
    if (place === undefined) throw new RangeError(`no machine ${machine}`);
    return place;
  }
}
