/** Counts what happens in a run, for its report. Judges nothing, and looks at nothing but what it is told. */
import { doesHold } from '../../src/core';
import type { Event, LamportTime, Message, Request } from '../../src/core';
import { LastAsked } from '../checks/openings';
import type { Scene } from '../checks/scene';
import type { EffectOf, Entry, Incident, Performed, Witness, Write } from '../checks/witness';
import type { Plan } from '../plan/plan';
import { newCounts } from './counts';
import type { Counts } from './counts';

export class Counting implements Witness {
  readonly counts: Counts = newCounts();
  /** Messages that were dropped, by named reason. */
  readonly ignored = new Map<string, number>();
  private readonly lastAsked: LastAsked;
  /** Per link. */
  private readonly isVotingSetMember: readonly boolean[];
  /** Per node: whether an entry without a message says anything. Only where messages are counted (`frugal`). */
  private readonly hasPeersToAsk: readonly boolean[];

  constructor(private readonly scene: Scene, { profile }: Plan) {
    const { nodeIds, locks, coterie } = scene;
    const votingSets = nodeIds.map((id) => coterie.votingSet(id));
    this.isVotingSetMember = votingSets.flatMap((set) => nodeIds.map((id) => set.includes(id)));
    this.hasPeersToAsk = votingSets.map((set) => profile === 'frugal' && set.length > 1);
    this.lastAsked = new LastAsked(nodeIds.length, locks);
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    const { counts } = this;
    switch (message.kind) {
      case 'request':
        return this.requested(from, to, lock, message);
      case 'grant':
        counts.grants++;
        if (message.grant === this.heldGrantShown(from, cause)) counts.adopted++;
        if (message.contended) counts.contended++;
        return;
      case 'release':
        counts.releases++;
        return;
      case 'inquire':
        counts.inquires++;
        return;
      case 'yield':
        counts.yields++;
        return;
    }
  }

  private requested(from: number, to: number, lock: number, { timestamp, claim }: Request): void {
    const { counts } = this;
    counts.requests++;
    if (this.isVotingSetMember[from * this.scene.nodeIds.length + to] === false) counts.widened++;
    if (this.lastAsked.isFirst(from, to, lock, timestamp)) {
      if (doesHold(claim)) counts.widenedInside++;
    } else if (doesHold(claim)) {
      counts.renewalRequests++;
    } else {
      counts.repeats++;
    }
  }

  /** The grant of an earlier life that a silent arbiter was shown just now. */
  private heldGrantShown(arbiter: number, cause: Event): number | null {
    if (cause.kind !== 'message' || cause.message.kind !== 'request') return null;
    return cause.nowMs < (this.scene.places[arbiter]?.silentUntilMs ?? 0) ? cause.message.heldGrant : null;
  }

  swallowed(): void {
    this.counts.messagesCut++;
  }

  performed(effect: Performed): void {
    if (effect.kind !== 'ignored') return;
    const count = this.ignored.get(effect.reason);
    this.ignored.set(effect.reason, count === undefined ? 1 : count + 1);
  }

  entered({ machine, hold, cause }: Entry): void {
    const { counts } = this;
    counts.entries++;
    if (hold.mode === 'shared') counts.sharedEntries++;
    if ((cause.kind === 'acquire' || cause.kind === 'release') && this.hasPeersToAsk[machine] === true) counts.reentries++;
  }

  renewed(): void {
    this.counts.renewals++;
  }

  lost(_machine: number, { kind, thief }: EffectOf<'lost' | 'recalled'>): void {
    const { counts } = this;
    if (thief !== undefined) counts.stolen++;
    counts.lost++;
    if (kind === 'recalled') counts.recalled++;
  }

  wrote(_write: Write, isAccepted: boolean): void {
    if (isAccepted) this.counts.writes++;
    else this.counts.lateWrites++;
  }

  happened(incident: Incident, times = 1): void {
    this.counts[incident] += times;
  }
}

/** Counts how often a node's clock went on by more than SLACK between two messages that it sent. */
export class ClockJumps implements Witness {
  readonly figures = { clockJumps: 0 };
  /** Per node: the clock that it sent last in this life, or 0. */
  private readonly lastSent: LamportTime[];

  constructor({ nodeIds }: Scene, private readonly slack: number) {
    this.lastSent = nodeIds.map(() => 0);
  }

  started(machine: number): void {
    this.lastSent[machine] = 0;
  }

  sent(from: number, _to: number, _lock: number, { clock }: Message): void {
    const last = this.lastSent[from] ?? 0;
    if (last > 0 && clock > last + this.slack) this.figures.clockJumps++;
    this.lastSent[from] = clock;
  }
}
