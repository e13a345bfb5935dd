/**
 * Whom the faults of a `spaced` run struck, seen from one who waits for a lock or holds it. It judges nothing; others ask it, so it must be
 * told before they are.
 * Must never look into the core: it sees messages.
 */
import type { LamportTime, Message } from '../../src/core';
import { endUsOf, machinesOf, nodesDownMax } from '../plan/outages';
import type { Fault, Plan } from '../plan/plan';
import { OfNodesAndLocks } from './scene';
import type { Scene } from './scene';
import type { Witness } from './witness';

/** The last request of a node for a lock. */
interface Opened {
  timestamp: LamportTime;
  /** When it was first sent. */
  sinceUs: number;
  /** Until when it was in the protocol; Infinity while it is. */
  untilUs: number;
}

/** A node that starts again so soon, as a share of the lease, is there before any vote that it lent runs out in hand. */
const BRIEF_SHARE = 20;

export type Role =
  /** Its own node. */
  | 'own'
  /** Another node, which had a request for the same lock in the protocol: votes may be lent to it. */
  | 'involved'
  | 'aside';

export class Struck implements Witness {
  private readonly opened: OfNodesAndLocks<Opened>;
  private readonly downMax: number;

  constructor(private readonly scene: Scene, private readonly plan: Plan, private readonly leaseUs: number) {
    this.opened = new OfNodesAndLocks<Opened>(scene, () => ({ timestamp: 0, sinceUs: 0, untilUs: -Infinity }));
    this.downMax = nodesDownMax(plan.family, plan.machines.length);
  }

  sent(from: number, _to: number, lock: number, message: Message): void {
    const opened = this.opened.of(from, lock);
    if (message.kind === 'request') {
      if (opened.timestamp !== message.timestamp) opened.sinceUs = this.scene.nowUs;
      opened.timestamp = message.timestamp;
      opened.untilUs = Infinity;
    } else if (message.kind === 'release' && message.timestamp === opened.timestamp) {
      opened.untilUs = Math.min(opened.untilUs, this.scene.nowUs);
    }
  }

  dying(machine: number): void {
    for (const opened of this.opened.ofNode(machine)) opened.untilUs = Math.min(opened.untilUs, this.scene.nowUs);
  }

  /** `sinceUs`: a little before the fault, for what was under way then. */
  roleOf(fault: Fault, machine: number, lock: number, sinceUs = fault.atUs): Role {
    const struck = machinesOf(fault);
    if (struck.includes(machine)) return 'own';
    return struck.some((each) => this.opened.of(each, lock).untilUs >= sinceUs) ? 'involved' : 'aside';
  }

  /** As for one who holds the lock: from one other node it may be cut off, as long as nothing was lent to that. */
  roleOfHolder(fault: Fault, machine: number, lock: number): Role {
    const struck = machinesOf(fault);
    if (!isOfOneLink(fault)) return this.roleOf(fault, machine, lock);
    return struck.some((each) => each !== machine && this.opened.of(each, lock).untilUs >= fault.atUs) ? 'involved' : 'aside';
  }

  /** No other node had a request for the lock in the protocol since then: whoever was asked can lend its vote. */
  isAlone(machine: number, lock: number, sinceUs: number): boolean {
    return this.scene.nodeIds.every((_, other) => other === machine || this.opened.of(other, lock).untilUs < sinceUs);
  }

  /** When the node first sent the request that it sent last. */
  openedUs(machine: number, lock: number): number {
    return this.opened.of(machine, lock).sinceUs;
  }

  /** Whether some other fault kept a node away, or silent, since then. */
  isAnyAwayBut(fault: Fault, sinceUs: number): boolean {
    return this.plan.faults.some((other) => other !== fault && keepsAway(other) && other.atUs <= this.scene.nowUs && endUsOf(other) + 2 * this.leaseUs >= sinceUs);
  }

  /**
   * When so few nodes are away or silent again that the others contain a quorum, whichever they are. No later than `sinceUs`, if that was
   * so all the time since then.
   */
  quorumIsBackUs(sinceUs: number): number {
    const { nowUs } = this.scene;
    const backUs = new Map<number, number>();
    for (const fault of this.plan.faults) {
      if (fault.atUs > nowUs || !keepsAway(fault)) continue;
      const untilUs = fault.atUs + fault.forUs + (fault.kind === 'crash' ? this.leaseUs : 0);
      const machine = machinesOf(fault)[0] ?? -1;
      if (untilUs >= sinceUs) backUs.set(machine, Math.max(backUs.get(machine) ?? 0, untilUs));
    }
    return [...backUs.values()].sort((a, b) => a - b)[backUs.size - this.downMax - 1] ?? sinceUs;
  }

  /** All who are away beyond what may be are away for hardly any time, with their memory: what they lent is shown to them. */
  isRestart(nowUs: number): boolean {
    const recent = this.plan.faults.filter((fault) => fault.kind === 'crash' && fault.atUs <= nowUs && fault.atUs + fault.forUs + this.leaseUs >= nowUs);
    const brief = recent.filter((fault) => fault.kind === 'crash' && fault.how === 'crash' && fault.forUs <= this.leaseUs / BRIEF_SHARE);
    return recent.length - brief.length <= this.downMax && brief.length === 1;
  }
}

/** It concerns what one node hears of another, and no more. */
function isOfOneLink(fault: Fault): boolean {
  return fault.kind === 'cut' ? fault.from.length === 1 && fault.to.length === 1 : fault.kind === 'clog' || fault.kind === 'suspect' || fault.kind === 'echo';
}

/** For so long one node cannot be asked. */
function keepsAway(fault: Fault): fault is Extract<Fault, { forUs: number }> {
  switch (fault.kind) {
    case 'crash':
    case 'pause':
    case 'sleep':
    case 'full':
      return true;
    case 'cut':
      return fault.as === 'isolate' || fault.as === 'unseen';
    default:
      return false;
  }
}
