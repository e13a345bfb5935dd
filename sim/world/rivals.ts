/**
 * Nodes under two files at one time: each looks at the others before it begins to lend (protocol.md section 17.1). As the runtime and the
 * transport do it: peers are dialled, a rival answers with its standing, and what the candidacy orders is done.
 * Only runs with a rolling change have this.
 */
import type { Candidacy, CandidacyOrder, NodeId, RivalAnswer } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { LayoutName, Rolling } from '../plan/plan';
import { Random } from '../plan/random';
import type { Detection } from './detection';
import { CALL } from './items';
import type { Machine } from './machine';
import { present } from './stage';
import type { Stage, Step } from './stage';

/** A rival is dialled so often in a lease; and a peer that cannot be reached every so many leases, in some runs more seldom than a node needs to begin. */
const DIALS_IN_A_LEASE = 8;
const REDIAL_LEASES: readonly number[] = [1 / DIALS_IN_A_LEASE, 4];

/** One life of a node. */
interface Candidate {
  readonly machine: Machine;
  readonly file: LayoutName;
  readonly candidacy: Candidacy;
  /** One dial for each peer at a time. */
  readonly dials: Set<number>;
  readonly connected: Set<number>;
  /** Those not connected that are not to be dialled before this true time: they could not be reached. */
  readonly notBeforeUs: Map<number, number>;
  wakeAtMs: number;
}

export class Rivals {
  private readonly random: Random;
  private readonly candidates: (Candidate | null)[];
  private readonly redialUs: number;

  constructor(private readonly stage: Stage, private readonly step: Step, private readonly rolling: Rolling, private readonly detection: Detection) {
    this.random = new Random(stage.plan.seed, 'rivals');
    this.redialUs = stage.plan.leaseMs * 1000 * this.random.pick(REDIAL_LEASES);
    this.candidates = stage.places.map(() => null);
  }

  begin(machine: Machine, file: LayoutName, isFirstStart: boolean): void {
    const { stage } = this;
    const { leaseMs } = termsAt(stage.plan, stage.nowUs);
    const nowMs = stage.nowMsAt(machine);
    const candidacy = new stage.core.Candidacy({
      self: machine.id, coterie: stage.coterieOfFile(file), leaseMs, startedAtMs: nowMs, silentMs: leaseMs, firstStart: isFirstStart,
    });
    const candidate: Candidate = { machine, file, candidacy, dials: new Set(), connected: new Set(), notBeforeUs: new Map(), wakeAtMs: Infinity };
    this.candidates[machine.index] = candidate;
    this.step(machine, { kind: 'silence', nowMs, untilMs: null });
    this.hears(candidate, (at) => candidacy.advance(at));
    this.dialAgainAndAgain(candidate);
  }

  dies(machine: Machine): void {
    this.candidates[machine.index] = null;
    machine.hasBegun = false;
  }

  /** They run under one file, so they accept each other. */
  areOfOneFile(one: Machine, other: Machine): boolean {
    return this.candidates[one.index]?.file === this.candidates[other.index]?.file;
  }

  /** What the node tells in its handshakes. */
  silentForMs({ index }: Machine): number {
    return this.candidates[index]?.candidacy.silentForMs(this.stage.nowMs(index)) ?? 0;
  }

  peerUp(machine: Machine, peer: Machine): void {
    const candidate = this.candidates[machine.index];
    if (candidate === null || candidate === undefined) return;
    candidate.connected.add(peer.index);
    this.hears(candidate, (nowMs) => candidate.candidacy.peerUp(peer.id, nowMs));
  }

  peerDown(machine: Machine, peer: Machine): void {
    const candidate = this.candidates[machine.index];
    if (candidate === null || candidate === undefined) return;
    candidate.connected.delete(peer.index);
    this.hears(candidate, (nowMs) => candidate.candidacy.peerDown(peer.id, nowMs));
  }

  private hears(candidate: Candidate, hear: (nowMs: number) => readonly CandidacyOrder[]): void {
    if (!this.isAlive(candidate)) return;
    const { machine, candidacy } = candidate;
    const orders = hear(this.stage.nowMsAt(machine));
    machine.hasBegun = candidacy.hasBegun;
    for (const order of orders) this.obey(candidate, order);
  }

  private obey(candidate: Candidate, order: CandidacyOrder): void {
    const { stage } = this;
    const { machine, candidacy } = candidate;
    switch (order.kind) {
      case 'silence':
        return this.step(machine, { ...order, nowMs: stage.nowMsAt(machine) });
      case 'probe':
        for (const peer of this.peersOf(candidate)) this.dial(candidate, peer);
        return;
      case 'prepare':
        return this.later(this.random.below(stage.plan.diskUs), () => this.hears(candidate, (nowMs) => candidacy.termsAreWritten(nowMs)));
      case 'wake':
        candidate.wakeAtMs = order.atMs;
        return this.wakeLater(candidate, order.atMs);
    }
  }

  private wakeLater(candidate: Candidate, atMs: number): void {
    const { stage } = this;
    const { monotonic, originUs } = candidate.machine;
    this.later(Math.max(0, Math.ceil(monotonic.trueUs(atMs * 1000 - originUs)) - stage.nowUs), () => {
      if (!this.isAlive(candidate) || candidate.wakeAtMs !== atMs) return;
      // The rate of its clock may have changed.
      if (stage.nowMsAt(candidate.machine) < atMs) return this.wakeLater(candidate, atMs);
      candidate.wakeAtMs = Infinity;
      this.hears(candidate, (nowMs) => candidate.candidacy.advance(nowMs));
    });
  }

  private dialAgainAndAgain(candidate: Candidate): void {
    if (!this.isAlive(candidate)) return;
    for (const peer of this.peersOf(candidate)) if ((candidate.notBeforeUs.get(peer) ?? 0) <= this.stage.nowUs) this.dial(candidate, peer);
    const leaseUs = this.stage.plan.leaseMs * 1000;
    this.later(leaseUs / DIALS_IN_A_LEASE + this.random.below(leaseUs / DIALS_IN_A_LEASE), () => this.dialAgainAndAgain(candidate));
  }

  private dial(candidate: Candidate, peer: number): void {
    const { machine, candidacy, dials, connected } = candidate;
    if (dials.has(peer) || connected.has(peer)) return;
    dials.add(peer);
    candidacy.dialStarts(this.idOf(peer));
    this.later(this.delayUs(), () => {
      const { network } = this.stage;
      const isCut = network.looksCut(network.link(machine.index, peer)) || network.looksCut(network.link(peer, machine.index));
      const other = isCut ? null : this.candidates[peer] ?? null;
      if (!this.isAlive(candidate)) return;
      if (other?.file === candidate.file) {
        dials.delete(peer);
        this.detection.look(machine.index, peer);
        return this.detection.look(peer, machine.index);
      }
      if (other !== null) {
        this.stage.witnesses.happened('rivalsMet');
        this.hears(other, (nowMs) => other.candidacy.strangerCalls(machine.id, nowMs));
      }
      const answer = other === null ? null : this.answerOf(other);
      this.later(this.delayUs(), () => {
        dials.delete(peer);
        candidate.notBeforeUs.set(peer, answer === null ? this.stage.nowUs + this.redialUs : 0);
        this.hears(candidate, (nowMs) => answer === null ? candidacy.dialFails(this.idOf(peer), nowMs) : candidacy.rivalAnswers(this.idOf(peer), answer, nowMs));
      });
    });
  }

  private answerOf({ machine, file, candidacy: { standing, begins } }: Candidate): RivalAnswer {
    return { standing, leaseMs: this.stage.plan.leaseMs, layout: file, life: String(machine.life), begins };
  }

  private isAlive(candidate: Candidate): boolean {
    return this.candidates[candidate.machine.index] === candidate;
  }

  private peersOf({ machine, file }: Candidate): number[] {
    return this.rolling[file].machines.filter((peer) => peer !== machine.index);
  }

  private idOf(machine: number): NodeId {
    return present(this.stage.nodeIds[machine], 'machine', machine);
  }

  private delayUs(): number {
    return this.random.between(1, 2) * this.stage.plan.network.delayUs;
  }

  private later(afterUs: number, call: () => void): void {
    this.stage.agenda.push(this.stage.nowUs + 1 + Math.floor(afterUs), CALL, 0, 0, call);
  }
}
