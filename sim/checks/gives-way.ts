/**
 * gives-way: once a node has heard that others want a lock, none of its callers enters it again under the same request, and it keeps no grants of
 * it (protocol.md section 9). However many callers it has, and whatever was lost or late, only those inside are waited for.
 * It looks at messages, who enters, and what a node says of its request.
 */
import type { Event, LamportTime, Message } from '../../src/core';
import { violated } from './check';
import { OfNodesAndLocks } from './scene';
import type { Scene } from './scene';
import type { Entry, Performed, Witness } from './witness';

interface Request {
  /** The newest that has heard of others. */
  heard: LamportTime;
  /** The newest by which somebody entered, and the number of that event. */
  entered: LamportTime;
  enteredEvent: number;
}

export class GivesWay implements Witness {
  private readonly requests: OfNodesAndLocks<Request>;
  private handled: Message | null = null;

  constructor(private readonly scene: Scene) {
    this.requests = new OfNodesAndLocks(scene, () => ({ heard: 0, entered: 0, enteredEvent: 0 }));
  }

  delivering(_from: number, _to: number, _lock: number, message: Message): void {
    this.handled = message.kind === 'inquire' || (message.kind === 'grant' && message.contended) ? message : null;
  }

  /** An Inquire tells of others, also where it is not answered. */
  performed(effect: Performed): void {
    if (effect.kind === 'ignored' && effect.message === this.handled && effect.message.kind === 'grant') this.handled = null;
  }

  entered({ machine, lock, requester }: Entry): void {
    if (requester?.state !== 'held') return;
    const { timestamp } = requester.request;
    const request = this.requests.of(machine, lock);
    if (request.entered !== timestamp) Object.assign(request, { entered: timestamp, enteredEvent: this.scene.events });
    if (request.enteredEvent === this.scene.events || request.heard !== timestamp) return;
    violated('gives-way', `${this.scene.nodeIds[machine]} lets one more caller into lock ${this.scene.locks[lock]} under request ${timestamp}, although it has heard that others want it`);
  }

  stepped(machine: number, event: Event): void {
    const { handled } = this;
    this.handled = null;
    if (handled !== null) {
      const lock = this.scene.lockOf(handled.lock);
      this.requests.of(machine, lock).heard = Math.max(this.requests.of(machine, lock).heard, handled.timestamp);
      this.judge(machine, lock);
    } else if (event.kind === 'release') {
      this.judge(machine, this.scene.lockOf(event.lock));
    }
  }

  private judge(machine: number, lock: number): void {
    const requester = this.scene.inspect(machine, lock)?.requester;
    if (requester?.state !== 'retained' || requester.request.timestamp !== this.requests.of(machine, lock).heard) return;
    violated('gives-way', `${this.scene.nodeIds[machine]} keeps its grants of lock ${this.scene.locks[lock]}, although it has heard that others want it`);
  }
}
