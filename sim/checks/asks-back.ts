/**
 * asks-back: an arbiter that hears of a request which goes before the one that has its vote asks for that vote back at once
 * (protocol.md sections 5.4 and 14). For runs without faults, in which no message is a late copy.
 * It looks at what arbiters have lent, and at messages.
 */
import { hasPriority, isCompatible, isSameRequest } from '../../src/core';
import type { Contender, Event, LamportTime, Message } from '../../src/core';
import { violated } from './check';
import { OfNodesAndLocks } from './scene';
import type { Scene } from './scene';
import type { EventOf, Witness } from './witness';

/** Grants of so many numbers are kept apart at an arbiter. */
const GRANTS_REMEMBERED = 100;

export class AsksBack implements Witness {
  /** By number of the grant: the one that goes first of those for whose sake it was asked back. */
  private readonly askedFor: OfNodesAndLocks<Map<LamportTime, Contender>>;

  constructor(private readonly scene: Scene) {
    this.askedFor = new OfNodesAndLocks(scene, () => new Map<LamportTime, Contender>());
  }

  sent(from: number, _to: number, lock: number, message: Message): void {
    if (message.kind !== 'inquire') return;
    const askedFor = this.askedFor.of(from, lock);
    const before = askedFor.get(message.grant);
    if (before === undefined || hasPriority(message.contender, before)) askedFor.set(message.grant, message.contender);
    // The lowest number goes, and never one of which this very step speaks.
    if (askedFor.size > GRANTS_REMEMBERED) askedFor.delete(Math.min(...askedFor.keys()));
  }

  stepped(machine: number, event: Event): void {
    // What it said may be waiting for its disk.
    if (event.kind !== 'message' || event.message.kind !== 'request' || this.scene.isHeldBack(machine)) return;
    this.heard(machine, event, event.message.timestamp);
  }

  private heard(machine: number, { from, message: { lock: name } }: EventOf<'message'>, timestamp: LamportTime): void {
    const lock = this.scene.lockOf(name);
    const view = this.scene.inspect(machine, lock);
    const waiter = view?.queue.find(({ request }) => request.node === from && request.timestamp === timestamp);
    if (view === null || waiter === undefined) return;
    const { nodeIds, locks } = this.scene;
    for (const { request, claim, mode, grant } of view.grants) {
      if (isCompatible(mode, waiter.mode) || !hasPriority(waiter, { request, claim })) continue;
      if (request.node === nodeIds[machine]) {
        // It asks itself within the event, and one that waits yields.
        if (view.requester?.state !== 'waiting' || !isSameRequest(view.requester.request, request)) continue;
      } else {
        const askedFor = this.askedFor.of(machine, lock).get(grant);
        if (askedFor !== undefined && !hasPriority(waiter, askedFor)) continue;
      }
      violated('asks-back', `lock ${locks[lock]}: ${nodeIds[machine]} leaves its vote with request ${request.timestamp} of ${request.node}, which ${claim}, and does not `
        + `ask it back for request ${timestamp} of ${from}, which ${waiter.claim}`);
    }
  }
}
