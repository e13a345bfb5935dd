/**
 * frugal: without contention a first entry costs 3(K - 1) messages and a re-entry none. Every message is on
 * someone's bill. For runs in which no two nodes want one lock.
 * Must never look into the core.
 */
import { reentryLeftMs } from '../../src/core';
import type { Event, Message } from '../../src/core';
import { violated } from './check';
import { ofLock } from './scene';
import type { CallerView, Scene } from './scene';
import type { Entry, EventOf, Renewal, Witness } from './witness';

/** What is known of one lock. */
interface Bill {
  /** The request last opened for it. */
  timestamp: number;
  requests: number;
  grants: number;
  isPaid: boolean;
  releasesOwed: number;
  machine: number;
  heldUntilMs: number;
  /** When its last caller left, in its node's time. */
  lastLeftMs: number;
}

export class Frugal implements Witness {
  private readonly bills: readonly Bill[];
  /** Per node: how many arbiters it asks besides itself. */
  private readonly peers: readonly number[];
  /** Per caller: when it asked last, in its node's time. */
  private readonly askedAtMs: number[] = [];

  constructor(private readonly scene: Scene, private readonly leaseMs: number) {
    const { locks, nodeIds, coterie } = scene;
    this.bills = locks.map(() => ({
      timestamp: 0, requests: 0, grants: 0, isPaid: true, releasesOwed: 0, machine: -1, heldUntilMs: 0, lastLeftMs: 0,
    }));
    this.peers = nodeIds.map((id) => coterie.votingSet(id).filter((arbiter) => arbiter !== id).length);
  }

  stepping(_machine: number, event: Event): void {
    if (event.kind === 'release') ofLock(this.bills, this.scene.lockOf(event.lock)).lastLeftMs = event.nowMs;
  }

  asked({ index }: CallerView, { nowMs }: EventOf<'acquire'>): void {
    this.askedAtMs[index] = nowMs;
  }

  sending(from: number, _to: number, lock: number, message: Message): void {
    const bill = ofLock(this.bills, lock);
    switch (message.kind) {
      case 'request':
        if (message.timestamp !== bill.timestamp) {
          if (!bill.isPaid) violated('frugal', `lock ${this.scene.locks[lock]}: a request was given up before it was granted`);
          bill.timestamp = message.timestamp;
          bill.requests = 0;
          bill.grants = 0;
          bill.isPaid = false;
          bill.releasesOwed += this.peers[from] ?? 0;
        }
        bill.requests++;
        return;
      case 'grant':
        bill.grants++;
        return;
      case 'release':
        bill.releasesOwed--;
        return;
      case 'inquire':
      case 'yield':
        return violated('frugal', `lock ${this.scene.locks[lock]}: ${message.kind} without contention`);
    }
  }

  entered({ machine, lock, caller, validUntilMs }: Entry): void {
    const bill = ofLock(this.bills, lock);
    const name = this.scene.locks[lock];
    if (!bill.isPaid) {
      // From then on nothing but this caller stood between its node and the lock; for so long retained grants must have lasted.
      const couldEnterAtMs = Math.max(this.askedAtMs[caller.index] ?? 0, bill.lastLeftMs);
      if (bill.machine === machine && couldEnterAtMs + reentryLeftMs(this.leaseMs) < bill.heldUntilMs) {
        violated('frugal', `lock ${name}: its retained grants were not used`);
      }
      const peers = this.peers[machine] ?? 0;
      if (bill.requests !== peers || bill.grants !== peers) {
        violated('frugal', `lock ${name}: ${bill.requests} Requests and ${bill.grants} Grants for an entry, not ${peers} each`);
      }
      bill.isPaid = true;
    }
    bill.machine = machine;
    bill.heldUntilMs = validUntilMs;
  }

  renewed({ lock, validUntilMs }: Renewal): void {
    ofLock(this.bills, lock).heldUntilMs = validUntilMs;
  }

  /** Each request was closed by exactly one Release to each arbiter. */
  settled(): void {
    this.bills.forEach(({ releasesOwed }, lock) => {
      if (releasesOwed !== 0) violated('frugal', `lock ${this.scene.locks[lock]}: ${releasesOwed} Releases fewer than requests opened`);
    });
  }
}
