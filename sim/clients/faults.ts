/** Makes the faults of a plan happen. */
import { assertNever } from '../../src/core';
import { violated } from './check';
import type { Client } from './client';
import { isFarEnough } from './draw';
import type { Network, Stream } from './network';
import type { ServingNode } from './node';
import type { Break, ClientFault, ClientsPlan } from './plan';
import type { Quorum } from './quorum';
import type { Stage } from './stage';

/**
 * A client that vanished is missed after a lease, and what it was told has run out a lease later. A late frame of an older stream may
 * begin its session anew within four leases more.
 */
const FORGOTTEN_LEASES = 8;

type BreakAtFrame = ClientFault & { readonly kind: 'breaksAtFrame' };

export class Faults {
  private readonly lastBreakUs = new Map<number, number>();
  private readonly atFrames: readonly BreakAtFrame[];

  constructor(
    private readonly stage: Stage,
    private readonly plan: ClientsPlan,
    private readonly world: { readonly network: () => Network; readonly nodes: readonly ServingNode[]; readonly clients: readonly Client[]; readonly quorum: Quorum },
  ) {
    this.atFrames = plan.faults.filter((fault) => fault.kind === 'breaksAtFrame');
    for (const fault of plan.faults) if (fault.kind !== 'breaksAtFrame') stage.at(fault.atUs, () => this.strike(fault));
  }

  /** A frame is just being sent. */
  onFrame(stream: Stream, way: 'up' | 'down', count: number): void {
    for (const fault of this.atFrames) {
      if (fault.client === stream.client && fault.node === stream.node && fault.way === way && fault.frame === count) this.breakStream(stream, fault.how);
    }
  }

  private breakStream(stream: Stream | undefined, how: Break): void {
    const { nowUs } = this.stage;
    if (stream === undefined || nowUs >= this.plan.healAtUs) return;
    const pair = stream.client * 1_000 + stream.node;
    if (this.plan.profile === 'breaks' && !isFarEnough(this.lastBreakUs.get(pair) ?? -Infinity, nowUs)) return;
    this.lastBreakUs.set(pair, nowUs);
    this.world.network().break(stream, how);
  }

  private vanish(index: number): void {
    const { nodes, clients } = this.world;
    const client = clients[index];
    if (client === undefined || client.isDead) return;
    client.vanish();
    const { nowUs } = this.stage;
    const byMs = FORGOTTEN_LEASES * this.plan.leaseMs;
    this.stage.after(byMs * 1_000, () => {
      const node = nodes.find((each) => !each.frozeSince(nowUs) && each.keepsFor(index));
      if (node !== undefined) violated('no-residue', `c${index} vanished ${byMs} ms ago, and n${node.index} still keeps something for it`);
    });
  }

  private strike(fault: Exclude<ClientFault, BreakAtFrame>): void {
    const { network, nodes, clients, quorum } = this.world;
    this.stage.tell(fault.kind, 0, 0, () => JSON.stringify(fault));
    switch (fault.kind) {
      case 'breaks':
        return this.breakStream(network().wholeOf(fault.client, fault.node), fault.how);
      case 'unreachable':
        return network().unreachable(fault.client, fault.node, fault.atUs + fault.forUs);
      case 'clientPauses':
        return clients[fault.client]?.freeze(fault.forUs);
      case 'nodePauses':
        return nodes[fault.node]?.freeze(fault.forUs);
      case 'nodeSleeps':
        return nodes[fault.node]?.sleep(fault.forUs);
      case 'nodeRestarts':
        return nodes[fault.node]?.restart(fault.downUs, fault.inOrder);
      case 'cutOff':
        return nodes[fault.node]?.cutOff(fault.forUs);
      case 'steals':
        return quorum.steal(fault.lock, fault.forUs);
      case 'vanishes':
        return this.vanish(fault.client);
      case 'closes':
        return clients[fault.client]?.close();
      case 'wakes':
        for (const each of [...nodes, ...clients]) each.wakeAll();
        return;
      default:
        return assertNever(fault);
    }
  }
}
