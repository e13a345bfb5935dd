/**
 * Which request each node opened last for each lock, as those see it to whom it was sent. It judges nothing; others
 * ask it, so it must be told of a message before they are.
 */
import { doesSteal } from '../../src/core';
import type { LamportTime, LockName, Message, Mode } from '../../src/core';
import { OfNodesAndLocks } from './scene';
import type { Scene } from './scene';
import type { Entry, Witness } from './witness';

/** The request that a node sent last for one lock. */
export interface Opened {
  timestamp: LamportTime;
  mode: Mode;
  steals: boolean;
  /** The number of the event at which it was first sent. */
  event: number;
}

export class Openings implements Witness {
  private readonly opened: OfNodesAndLocks<Opened>;

  constructor(private readonly scene: Scene) {
    this.opened = new OfNodesAndLocks<Opened>(scene, () => ({ timestamp: 0, mode: 'exclusive', steals: false, event: 0 }));
  }

  sent(from: number, _to: number, lock: number, message: Message): void {
    if (message.kind !== 'request') return;
    const opened = this.by(from, lock);
    if (opened.timestamp === message.timestamp) return;
    opened.timestamp = message.timestamp;
    opened.mode = message.mode;
    opened.steals = doesSteal(message.claim);
    opened.event = this.scene.events;
  }

  by(machine: number, lock: number): Readonly<Opened> & Opened {
    return this.opened.of(machine, lock);
  }

  /** The number of the event at which the request was sent that this caller entered by. */
  eventOf({ machine, lock, requester }: Entry): number {
    const { timestamp, event } = this.by(machine, lock);
    // A request that was never sent has no arbiter but its own node.
    return requester?.state === 'held' && requester.request.timestamp === timestamp ? event : this.scene.events;
  }
}

/** Per link and lock, the request that was sent last: tells a first Request from a repeat. */
export class LastAsked {
  private readonly timestamps: LamportTime[];

  constructor(private readonly nodes: number, private readonly locks: readonly LockName[]) {
    this.timestamps = new Array<LamportTime>(nodes ** 2 * locks.length).fill(0);
  }

  /** Whether this arbiter had not been asked for the sake of this request. Now it has. */
  isFirst(from: number, to: number, lock: number, timestamp: LamportTime): boolean {
    const place = (from * this.nodes + to) * this.locks.length + lock;
    if (this.timestamps[place] === timestamp) return false;
    this.timestamps[place] = timestamp;
    return true;
  }
}
