/** Messages on their way: what a node sends goes over the network, which may send it again, and to the node that it is for. */
import type { Event, Message, NodeId } from '../../src/core';
import { Fates } from '../plan/fates';
import type { Fault } from '../plan/plan';
import { Echoes } from './echoes';
import { DELIVER } from './items';
import type { Machine } from './machine';
import type { Namesakes } from './namesakes';
import type { DropReason } from './observer';
import type { Stage, Step } from './stage';

export class Post {
  private readonly fates: Fates | null;
  private readonly echoes: Echoes | null;
  private readonly nodeIndex: ReadonlyMap<NodeId, number>;
  /** Where two processes have one id: whom a message reaches. */
  namesakes: Pick<Namesakes, 'route' | 'isConnected'> | null = null;

  constructor(private readonly stage: Stage, private readonly step: Step) {
    const { fates, faults } = stage.plan;
    this.fates = fates === undefined ? null : new Fates(fates);
    this.echoes = faults.some((fault) => fault.kind === 'echo') ? new Echoes() : null;
    // Of two with one id the first: which of them it is the connections say.
    this.nodeIndex = new Map(stage.nodeIds.map((id, index) => [id, index] as const).reverse());
  }

  /** `cause`: the event that the sender handles. */
  send(machine: Machine, to: NodeId, message: Message, cause: Event): void {
    const { witnesses, network } = this.stage;
    const from = machine.index;
    const named = this.nodeIndex.get(to);
    if (named === undefined || to === machine.id) return witnesses.strayed(from, { kind: 'send', to });
    const lock = this.stage.lockOf(message.lock);
    const reached = this.namesakes === null ? named : this.namesakes.route(machine, this.stage.machine(named));
    const toIndex = reached ?? named;
    witnesses.sending(from, toIndex, lock, message);
    witnesses.sent(from, toIndex, lock, message, cause);
    if (reached === null) {
      witnesses.departed(lock, 0);
      return this.noteDropped(network.link(from, toIndex), message, 'no connection');
    }
    this.echoes?.remember(network.link(from, toIndex), message);
    this.transmit(from, toIndex, lock, message);
  }

  /** The network sends once more what it has sent of late. */
  echo({ from, to, message, back, count }: Extract<Fault, { kind: 'echo' }>): void {
    const messages = this.echoes?.recall(this.stage.network.link(from, to), message, back, count) ?? [];
    this.stage.witnesses.happened('messagesEchoed', messages.length);
    for (const each of messages) this.transmit(from, to, this.stage.lockOf(each.lock), each);
  }

  /** `file`: with which one its sender ran, as `fileNumber` says. */
  deliver(machine: Machine, link: number, file: number, message: Message): void {
    const { stage } = this;
    const { witnesses } = stage;
    const lock = stage.lockOf(message.lock);
    witnesses.arrived(lock);
    if (machine.node === null || stage.network.isCut(link)) {
      witnesses.swallowed(lock);
      return this.noteDropped(link, message, machine.node === null ? 'node is down' : 'link is cut');
    }
    if (file !== fileNumber(machine)) {
      witnesses.swallowed(lock);
      return this.noteDropped(link, message, 'other file');
    }
    const from = Math.floor(link / stage.places.length);
    if (this.namesakes?.isConnected(stage.machine(from), machine) === false) {
      witnesses.swallowed(lock);
      return this.noteDropped(link, message, 'no connection');
    }
    witnesses.delivering(from, machine.index, lock, message);
    this.step(machine, { kind: 'message', nowMs: stage.nowMsAt(machine), from: stage.nodeIds[from] ?? '', message });
    witnesses.delivered(lock);
  }

  private transmit(from: number, to: number, lock: number, message: Message): void {
    const { stage } = this;
    const { network, agenda, nowUs, observer } = stage;
    const link = network.link(from, to);
    const arrivesAtUs = this.fates === null ? network.send(nowUs, link) : network.sendTo(nowUs, link, this.fates.next(from, to, message));
    const file = fileNumber(stage.machine(from));
    for (const atUs of arrivesAtUs) agenda.push(atUs, DELIVER, link, file, message);
    stage.witnesses.departed(lock, arrivesAtUs.length);
    if (observer === null) return;
    observer.sent?.(nowUs, stage.machine(from).name, stage.machine(to).name, message, arrivesAtUs);
    if (arrivesAtUs.length === 0) this.noteDropped(link, message, network.isCut(link) ? 'link is cut' : 'lost');
  }

  private noteDropped(link: number, message: Message, reason: DropReason): void {
    const { observer, places, nowUs } = this.stage;
    if (observer === null) return;
    const from = this.stage.machine(Math.floor(link / places.length));
    const to = this.stage.machine(link % places.length);
    observer.dropped?.(nowUs, from.name, to.name, message, reason);
  }
}

/** Nodes that run with different files refuse each other. */
function fileNumber({ file }: Machine): number {
  return file === 'new' ? 1 : file === 'bare' ? 2 : 0;
}
