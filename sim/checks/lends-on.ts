/**
 * lends-on: a vote that is free and wanted is lent in the very event that frees it; a grant whose lease has ended ends with the next message about
 * its lock, however late the timer is; and one whose request is repeated lasts for a lease from then on, also while its arbiter is silent
 * (protocol.md sections 5.1 to 5.6). A Grant echoes the newest time that was heard of its request (4.1).
 * A silent arbiter takes back in what is shown to it, unless it has lent later what conflicts with that (5.6).
 * It looks at what arbiters have lent, and who waits there.
 */
import { doesHold, hasPriority, isCompatible } from '../../src/core';
import type { Event, LamportTime, LockView, Message, Request } from '../../src/core';
import { shortestLeaseMs } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { OfNodesAndLocks, clockOf, isOf, keyOf } from './scene';
import type { Scene } from './scene';
import type { EventOf, Witness } from './witness';

export class LendsOn implements Witness {
  /** Grants of the lock that the event is about, of which the lease has ended before that. */
  private ended: readonly LamportTime[] = [];
  /** One of a request that is repeated. */
  private repeated: LamportTime | null = null;
  /** Notes the time of the Request that is handled. */
  private hearing: (() => unknown) | null = null;

  /** A grant of an earlier life that the Request shows, and that goes before all that conflict with it here; null: none. */
  private shown: LamportTime | null = null;
  /** By node: its first clock value in this life. */
  private readonly bornAt: LamportTime[] = [];
  /** Of each request that an arbiter knows, by node and timestamp: the newest time of which it heard. */
  private readonly newest: OfNodesAndLocks<Map<string, number>>;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.newest = new OfNodesAndLocks(scene, () => new Map<string, number>());
  }

  started(machine: number): void {
    for (const newest of this.newest.ofNode(machine)) newest.clear();
    this.bornAt[machine] = clockOf(this.scene, machine);
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    // What waited for the disk was said before.
    if (message.kind !== 'grant' || cause.kind === 'ceilingReserved') return;
    const { nodeIds, locks } = this.scene;
    const heard = this.newest.of(from, lock).get(keyOf({ node: nodeIds[to] ?? '', timestamp: message.timestamp }));
    if (heard === undefined || message.sentAtMs >= heard) return;
    violated('lends-on', `${nodeIds[from]} grants request ${message.timestamp} of ${nodeIds[to]} for lock ${locks[lock]} and echoes ${message.sentAtMs}; it has heard of it at ${heard}`);
  }

  stepping(machine: number, event: Event): void {
    this.ended = [];
    this.repeated = null;
    this.hearing = null;
    this.shown = null;
    const lock = this.ofArbiter(event);
    if (lock === null) return;
    const grants = this.scene.inspect(machine, lock)?.grants ?? [];
    if (grants.some(({ expiresAtMs }) => expiresAtMs <= event.nowMs)) {
      this.ended = grants.filter(({ expiresAtMs }) => expiresAtMs <= event.nowMs).map(({ grant }) => grant);
    }
    if (event.kind !== 'message' || event.message.kind !== 'request') return;
    this.hears(machine, lock, event, event.message);
    this.shown = this.shownToSilent(machine, event, event.message, grants);
    this.repeated = grants.find(({ request, expiresAtMs }) => isOf(event, request) && expiresAtMs > event.nowMs)?.grant ?? null;
  }

  stepped(machine: number, event: Event): void {
    this.hearing?.();
    const lock = this.ofArbiter(event);
    if (lock !== null) {
      if (event.kind === 'message' && event.message.kind === 'request') this.judgePlace(machine, lock, event);
      return this.judge(machine, lock);
    }
    // What such an event brings about may concern any lock.
    if (event.kind === 'wake' || event.kind === 'silence' || event.kind === 'ceilingReserved') this.scene.locks.forEach((_, each) => this.judge(machine, each));
  }

  /** A silent arbiter takes it back in (protocol.md section 5.6); where there is room for few, it may be refused. */
  private shownToSilent(machine: number, event: EventOf<'message'>, { heldGrant, mode }: Request, grants: LockView['grants']): LamportTime | null {
    const { places, core } = this.scene;
    const place = places[machine];
    const node = place?.node ?? null;
    const { plan } = this;
    if (heldGrant === null || node === null || plan.locksMax !== undefined || plan.requestsOfANodeMax !== undefined) return null;
    if (!core.remembers(node) || event.nowMs >= (place?.silentUntilMs ?? 0) || heldGrant >= (this.bornAt[machine] ?? 0)) return null;
    const lent = grants.filter(({ expiresAtMs }) => expiresAtMs > event.nowMs);
    const isBehind = lent.some((each) => isOf(event, each.request) || (!isCompatible(each.mode, mode) && each.grant > heldGrant));
    return isBehind ? null : heldGrant;
  }

  /** What it had forgotten by then counts for nothing. */
  private hears(machine: number, lock: number, { from, nowMs }: EventOf<'message'>, { timestamp, sentAtMs, heldGrant }: Request): void {
    const newest = this.newest.of(machine, lock);
    const { grants = [], queue = [] } = this.scene.inspect(machine, lock) ?? {};
    const leaseMs = shortestLeaseMs(this.plan);
    const known = [...grants.filter(({ expiresAtMs }) => expiresAtMs > nowMs), ...queue.filter(({ heardAtMs }) => heardAtMs + leaseMs > nowMs)].map(({ request }) => keyOf(request));
    for (const key of newest.keys()) if (!known.includes(key)) newest.delete(key);
    const key = keyOf({ node: from, timestamp });
    // Silent, it takes back in what a late Request shows, as of then.
    if (heldGrant !== null && nowMs < (this.scene.places[machine]?.silentUntilMs ?? 0)) newest.delete(key);
    // A vote that the message finds free is lent before it is heard.
    this.hearing = (): unknown => newest.set(key, Math.max(sentAtMs, newest.get(key) ?? sentAtMs));
  }

  private judge(machine: number, lock: number): void {
    const { core, places, nodeIds, locks } = this.scene;
    const node = places[machine]?.node ?? null;
    const view = this.scene.inspect(machine, lock);
    if (node === null || view === null) return;
    const revived = view.grants.find(({ grant }) => this.ended.includes(grant));
    if (revived !== undefined) {
      violated('lends-on', `${nodeIds[machine]} goes on with grant ${revived.grant} of lock ${locks[lock]}, whose lease had ended when a message about the lock came`);
    }
    const { shown } = this;
    if (shown !== null && !view.grants.some(({ grant }) => grant === shown)) {
      violated('lends-on', `${nodeIds[machine]}, which is silent, does not take grant ${shown} of lock ${locks[lock]} back in, which is shown to it`);
    }
    const renewed = view.grants.find(({ grant }) => grant === this.repeated);
    if (renewed !== undefined && renewed.expiresAtMs < this.scene.nowMs(machine) + shortestLeaseMs(this.plan) && core.remembers(node)) {
      violated('lends-on', `${nodeIds[machine]} does not renew grant ${renewed.grant} of lock ${locks[lock]}, though its request is repeated`);
    }
    const first = firstThatCould(view);
    if (first === undefined || !core.remembers(node) || core.silentForMs(node, this.scene.nowMs(machine)) > 0) return;
    violated('lends-on', `${nodeIds[machine]} lends nobody its vote for lock ${locks[lock]}, although request ${first.request.timestamp} of ${first.request.node} is the next`);
  }

  /** Who waits stands in the order of priority, and one that says that it holds among those that do. */
  private judgePlace(machine: number, lock: number, event: EventOf<'message'>): void {
    const { message } = event;
    const queue = this.scene.inspect(machine, lock)?.queue ?? [];
    const { nodeIds, locks } = this.scene;
    queue.forEach((waiter, place) => {
      const { request, claim } = waiter;
      const before = queue[place - 1];
      const isForgotten = message.kind === 'request' && isOf(event, request) && doesHold(message.claim) && !doesHold(claim);
      if (!isForgotten && (before === undefined || hasPriority(before, waiter))) return;
      violated('lends-on', `${nodeIds[machine]} has request ${request.timestamp} of ${request.node}, which ${claim}, in the wrong place among those that wait for lock ${locks[lock]}`);
    });
  }

  /** The lock, if the arbiter of that has to handle the event. */
  private ofArbiter(event: Event): number | null {
    if (event.kind !== 'message') return null;
    const { message } = event;
    return message.kind === 'grant' || message.kind === 'inquire' ? null : this.scene.lockOf(message.lock);
  }
}

/** The oldest that waits, if no grant conflicts with it. */
function firstThatCould({ grants, queue }: LockView): LockView['queue'][number] | undefined {
  const [first] = queue;
  return first === undefined || grants.some(({ mode }) => !isCompatible(mode, first.mode)) ? undefined : first;
}
