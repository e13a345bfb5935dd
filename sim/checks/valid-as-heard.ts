/**
 * valid-as-heard: a node holds or keeps a lock for as long as the votes that it heard contain a quorum, and for no less: a Grant that it does not
 * drop for a reason counts, whether callers are inside or not (protocol.md sections 6.4 and 6.5).
 * For no longer, either, than a lease less the margin from when each Request was sent, whatever its own vote is worth. Those inside are told so (6.4);
 * and a Request shows the newest vote that counts, while that is valid (6.3).
 * It looks at Grants, and at what a node says of its request. Its own vote it does not see: that lasts at least as if it had been asked with all others.
 */
import { marginMs } from '../../src/core';
import type { Event, Grant, LamportTime, Message, NodeId, Request, RequesterView } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { OfNodesAndLocks } from './scene';
import type { Scene } from './scene';
import type { Entry, Performed, Renewal, Witness } from './witness';

/** The votes for the newest request of one node for a lock. Times count what its machine slept. */
interface Votes {
  timestamp: LamportTime;
  readonly heard: Map<NodeId, { readonly grant: LamportTime; readonly validUntilMs: number }>;
  readonly asked: Set<number>;
  /** When all were asked the last time, and until when its own vote lasts at least. */
  askedAtMs: number;
  ownUntilMs: number;
  /** Until when those inside were told that they hold. */
  toldUntilMs: number;
}

export class ValidAsHeard implements Witness {
  private readonly votes: OfNodesAndLocks<Votes>;
  /** By node: how long its machine slept in this life. */
  private readonly sleptMs: number[];
  private handled: { readonly from: number; readonly to: number; readonly lock: number; readonly message: Grant } | null = null;
  /** The lock for which all are asked in the event that is being handled. */
  private askedFor: number | null = null;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.votes = new OfNodesAndLocks<Votes>(scene, () => ({ timestamp: 0, heard: new Map(), asked: new Set(), askedAtMs: 0, ownUntilMs: 0, toldUntilMs: 0 }));
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

  performed(effect: Performed): void {
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
    // What waited for the disk was said before.
    if (cause.kind !== 'ceilingReserved') this.judgeShown(from, to, lock, votes, message);
    votes.asked.add(to);
    // What waited for the disk says nothing of what is asked now; a peer that comes up, the node of a thief, and further arbiters are asked alone.
    const asksAll = cause.kind === 'wake' || cause.kind === 'acquire' || cause.kind === 'release';
    if (!asksAll || !(isNew || isRepeat)) return;
    votes.askedAtMs = message.sentAtMs;
    this.askedFor = lock;
  }

  entered({ machine, lock, validUntilMs }: Entry): void {
    this.votes.of(machine, lock).toldUntilMs = validUntilMs;
  }

  renewed({ machine, lock, validUntilMs }: Renewal): void {
    this.votes.of(machine, lock).toldUntilMs = validUntilMs;
  }

  /** A Grant that comes late, of a lower number, takes the place of none. */
  private judgeShown(from: number, to: number, lock: number, { heard }: Votes, { heldGrant, sentAtMs }: Request): void {
    if (heldGrant === null) return;
    const arbiter = this.scene.nodeIds[to] ?? '';
    const vote = heard.get(arbiter);
    const name = `lock ${this.scene.locks[lock]}: ${this.scene.nodeIds[from]} shows ${arbiter} its grant ${heldGrant}`;
    if (vote === undefined || heldGrant > vote.grant) return;
    if (heldGrant < vote.grant) violated('valid-as-heard', `${name}, and has heard of ${vote.grant}`);
    if (vote.validUntilMs <= sentAtMs) violated('valid-as-heard', `${name}, which has run out ${sentAtMs - vote.validUntilMs} ms ago`);
  }

  private judgeTold(machine: number): void {
    this.scene.locks.forEach((_, lock) => {
      const requester = this.scene.inspect(machine, lock)?.requester;
      if (requester?.state !== 'held' || requester.inside.length === 0) return;
      const { toldUntilMs } = this.votes.of(machine, lock);
      if (toldUntilMs === requester.validUntilMs) return;
      violated('valid-as-heard', `${this.scene.nodeIds[machine]} holds lock ${this.scene.locks[lock]} until ${requester.validUntilMs}, and has told those inside that they hold it until ${toldUntilMs}`);
    });
  }

  stepped(machine: number): void {
    this.judgeTold(machine);
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
    if (before !== undefined && message.grant < before.grant && requester !== undefined && requester !== null && requester.state !== 'idle' && requester.request.timestamp === votes.timestamp) {
      violated('valid-as-heard', `${this.scene.nodeIds[to]} counts grant ${message.grant} of ${node} for lock ${this.scene.locks[lock]}, and had heard of ${before.grant}`);
    }
    if ((requester?.state !== 'held' && requester?.state !== 'retained') || requester.request.timestamp !== votes.timestamp) return;
    const untilMs = this.quorumUntilMs(to, votes, requester) - (this.sleptMs[to] ?? 0);
    const atMostMs = this.quorumUntilMs(to, { ...votes, ownUntilMs: Infinity }, requester) - (this.sleptMs[to] ?? 0);
    if (requester.validUntilMs > atMostMs) {
      violated('valid-as-heard', `${this.scene.nodeIds[to]} takes lock ${this.scene.locks[lock]}, which it has ${requester.state}, to be valid until ${requester.validUntilMs}; the votes that it heard contain no quorum after ${atMostMs}`);
    }
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
