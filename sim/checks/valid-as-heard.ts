/**
 * valid-as-heard: a node holds or keeps a lock for as long as the votes that it heard contain a quorum, and for no less: a Grant that it does not
 * drop for a reason counts, whether callers are inside or not (protocol.md sections 6.4 and 6.5).
 * It looks at Grants, and at what a node says of its request. Its own vote it does not see: that lasts at least as if it had been asked with all others.
 */
import { marginMs } from '../../src/core';
import type { Event, Grant, LamportTime, Message, NodeId, RequesterView } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { OfNodesAndLocks } from './scene';
import type { Scene } from './scene';
import type { EffectOf, Witness } from './witness';

/** The votes for the newest request of one node for a lock. Times count what its machine slept. */
interface Votes {
  timestamp: LamportTime;
  readonly heard: Map<NodeId, { readonly grant: LamportTime; readonly validUntilMs: number }>;
  readonly asked: Set<number>;
  /** When all were asked the last time, and until when its own vote lasts at least. */
  askedAtMs: number;
  ownUntilMs: number;
}

export class ValidAsHeard implements Witness {
  private readonly votes: OfNodesAndLocks<Votes>;
  /** By node: how long its machine slept in this life. */
  private readonly sleptMs: number[];
  private handled: { readonly from: number; readonly to: number; readonly lock: number; readonly message: Grant } | null = null;
  /** The lock for which all are asked in the event that is being handled. */
  private askedFor: number | null = null;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.votes = new OfNodesAndLocks<Votes>(scene, () => ({ timestamp: 0, heard: new Map(), asked: new Set(), askedAtMs: 0, ownUntilMs: 0 }));
    this.sleptMs = scene.nodeIds.map(() => 0);
  }

  started(machine: number): void {
    this.sleptMs[machine] = 0;
    for (const votes of this.votes.ofNode(machine)) votes.timestamp = 0;
  }

  stepping(machine: number, event: Event): void {
    this.askedFor = null;
    if (event.kind === 'slept') this.sleptMs[machine] = (this.sleptMs[machine] ?? 0) + event.byMs;
  }

  delivering(from: number, to: number, lock: number, message: Message): void {
    if (message.kind === 'grant') this.handled = { from, to, lock, message };
  }

  performed(effect: EffectOf<'ignored' | 'wake' | 'renewed' | 'reserveCeiling' | 'wanted'>): void {
    if (effect.kind === 'ignored' && effect.message === this.handled?.message) this.handled = null;
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    if (message.kind !== 'request') return;
    const votes = this.votes.of(from, lock);
    const isNew = votes.timestamp !== message.timestamp;
    if (isNew) {
      votes.heard.clear();
      votes.asked.clear();
      Object.assign(votes, { timestamp: message.timestamp, ownUntilMs: 0 });
    }
    const isRepeat = votes.asked.has(to);
    votes.asked.add(to);
    // What waited for the disk says nothing of what is asked now; a peer that comes up, the node of a thief, and further arbiters are asked alone.
    const asksAll = cause.kind === 'wake' || cause.kind === 'acquire' || cause.kind === 'release';
    if (!asksAll || !(isNew || isRepeat)) return;
    votes.askedAtMs = message.sentAtMs;
    this.askedFor = lock;
  }

  stepped(machine: number): void {
    const { handled, askedFor } = this;
    this.handled = null;
    if (askedFor !== null && !this.scene.isHeldBack(machine)) {
      const votes = this.votes.of(machine, askedFor);
      votes.ownUntilMs = votes.askedAtMs + this.validForMs();
    }
    if (handled !== null) this.counted(handled);
  }

  private counted({ from, to, lock, message }: NonNullable<ValidAsHeard['handled']>): void {
    const votes = this.votes.of(to, lock);
    if (message.timestamp !== votes.timestamp) return;
    const node = this.scene.nodeIds[from] ?? '';
    const validUntilMs = message.sentAtMs + this.validForMs();
    const before = votes.heard.get(node);
    votes.heard.set(node, { grant: message.grant, validUntilMs: before?.grant === message.grant ? Math.max(validUntilMs, before.validUntilMs) : validUntilMs });
    const requester = this.scene.inspect(to, lock)?.requester;
    if ((requester?.state !== 'held' && requester?.state !== 'retained') || requester.request.timestamp !== votes.timestamp) return;
    const untilMs = this.quorumUntilMs(to, votes, requester) - (this.sleptMs[to] ?? 0);
    if (requester.validUntilMs >= untilMs) return;
    violated('valid-as-heard', `${this.scene.nodeIds[to]} takes lock ${this.scene.locks[lock]}, which it has ${requester.state}, to be valid until ${requester.validUntilMs}, `
      + `although the votes that it heard contain a quorum until ${untilMs}`);
  }

  private quorumUntilMs(machine: number, { heard, ownUntilMs }: Votes, { granted }: Exclude<RequesterView, { state: 'idle' }>): number {
    const self = this.scene.nodeIds[machine];
    const lasting = new Set<NodeId>();
    const untilMs = (node: NodeId): number => (node === self ? ownUntilMs : heard.get(node)?.validUntilMs ?? 0);
    for (const node of [...granted].sort((a, b) => untilMs(b) - untilMs(a))) {
      lasting.add(node);
      if (this.scene.coterie.containsQuorum(lasting)) return untilMs(node);
    }
    return 0;
  }

  private validForMs(): number {
    const { leaseMs } = termsAt(this.plan, this.scene.nowUs);
    return leaseMs - marginMs(leaseMs, this.plan.driftMaxPpm / 1_000_000);
  }
}
