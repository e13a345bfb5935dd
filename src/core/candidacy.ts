/**
 * Whether a node may begin to lend its vote, where peers that it dials may run under another configuration: their quorums and
 * its own need not intersect. Pure, as the core is; the runtime tells it what it heard, and performs its orders.
 * Law (rule one-configuration): of two nodes that dial each other under different configurations, and each reach a quorum of their
 * own, at most one begins. Nothing that a stranger says stops a node that serves. Whoever tells a rival that it claims nothing lets what it
 * lent run out (rule lent-runs-out).
 * Source: protocol.md section 17.1. As in Dekker's algorithm a node announces its wish first and looks at the others after that,
 * so of two that wish at once at least one sees the other.
 */
import type { Coterie, NodeId } from '../quorum/coterie';

/** What a node says of itself in a handshake. */
export type Standing =
  /** It lends no vote and is not about to; or no quorum of its own is in reach. */
  | 'none'
  /** A quorum is in reach, and it would begin. */
  | 'wishes'
  /** It lends its vote, and a quorum is in reach. */
  | 'serves';

/** A peer under another configuration, as it answered when it was dialled. */
export interface RivalAnswer {
  readonly standing: Standing;
  readonly leaseMs: number;
  readonly layout: string;
  /** Random, new in each life of the peer. */
  readonly life: string;
  /** How often it has begun to lend in this life: if it has once more than when it last answered, it has lent meanwhile. */
  readonly begins: number;
}

export interface RivalView extends Pick<RivalAnswer, 'standing' | 'leaseMs' | 'layout'> {
  readonly peer: NodeId;
}

export type CandidacyOrder =
  /** For the core: lend nothing until further notice, or (with a moment) from now on what it may. Without `renews` what is lent runs out. */
  | { readonly kind: 'silence'; readonly untilMs: number | null; readonly renews?: false }
  /** Dial every peer that is not connected, now. */
  | { readonly kind: 'probe' }
  /** Put the terms of this configuration on disk, then say `termsAreWritten`. */
  | { readonly kind: 'prepare' }
  /** Say `advance` at that time. */
  | { readonly kind: 'wake'; readonly atMs: number };

export interface CandidacySettings {
  readonly self: NodeId;
  readonly coterie: Coterie;
  readonly leaseMs: number;
  readonly startedAtMs: number;
  /** For how long votes of an earlier life may be on loan. */
  readonly silentMs: number;
  /** The operator says that there was no earlier life. */
  readonly firstStart: boolean;
}

interface Rival extends RivalAnswer {
  /** Since when it has claimed nothing, and lent nothing meanwhile; of no meaning while it claims something. */
  readonly quietSinceMs: number;
  /** It answered the last time. What it did between that and the moment in which it was lost sight of, nobody knows. */
  readonly isInSight: boolean;
}

export class Candidacy {
  private readonly peers: readonly NodeId[];
  /** Connected, so of this very configuration. */
  private readonly up = new Set<NodeId>();
  private readonly rivals = new Map<NodeId, Rival>();
  /** Peers that a stranger of another configuration claims to be: to be dialled before anything is made of it. */
  private readonly hinted = new Set<NodeId>();
  /** Of the peers that are not connected: those dialled since the wish, and those whose dial has had its outcome. */
  private readonly dialled = new Set<NodeId>();
  private readonly settled = new Set<NodeId>();
  private state: 'none' | 'wishes' | 'begun' = 'none';
  private gaveWay = false;
  /** It could not begin yet when it last looked at those that are not connected: it looks once more when it can. */
  private mustLookAgain = false;
  /** It told a rival that it claims nothing, or would have: what it lent runs out within a lease, until it begins anew. */
  private letsRunOut = false;
  private beginsSoFar = 0;
  private terms: 'old' | 'being written' | 'written' = 'old';
  private silentUntilMs: number;
  private contradictedBy: NodeId | null = null;
  private lentOnFirstStart = false;

  constructor(private readonly settings: CandidacySettings) {
    const { self, coterie, startedAtMs, silentMs, firstStart } = settings;
    this.peers = coterie.nodes.filter((node) => node !== self);
    this.silentUntilMs = firstStart ? startedAtMs : startedAtMs + silentMs;
  }

  get standing(): Standing {
    if (!this.hasQuorum()) return 'none';
    return this.state === 'begun' ? 'serves' : this.state;
  }

  get hasBegun(): boolean {
    return this.state === 'begun';
  }

  /** How often it has begun to lend. */
  get begins(): number {
    return this.beginsSoFar;
  }

  /** The peers that run under another configuration, as far as they can be reached. */
  get rivalViews(): readonly RivalView[] {
    return [...this.rivals].filter(([peer]) => !this.up.has(peer)).map(([peer, { standing, leaseMs, layout }]) => ({ peer, standing, leaseMs, layout }));
  }

  /** Who knows better than `firstStart`, and whether a vote may have been lent before that was heard. */
  get contradiction(): { readonly peer: NodeId; readonly hasLent: boolean } | null {
    return this.contradictedBy === null ? null : { peer: this.contradictedBy, hasLent: this.lentOnFirstStart };
  }

  /** For how much longer others had better ask elsewhere. How long a rival goes on nobody knows: a lease, for the time being. */
  silentForMs(nowMs: number): number {
    if (this.state === 'begun') return 0;
    const leftMs = Math.max(0, this.silentUntilMs - nowMs);
    return this.freeAtMs() > nowMs ? Math.max(leftMs, this.settings.leaseMs) : leftMs;
  }

  peerUp(peer: NodeId, nowMs: number): CandidacyOrder[] {
    this.up.add(peer);
    this.hinted.delete(peer);
    this.quieten(peer, nowMs);
    return this.advance(nowMs);
  }

  peerDown(peer: NodeId, nowMs: number): CandidacyOrder[] {
    this.up.delete(peer);
    this.settled.delete(peer);
    this.dialled.delete(peer);
    return this.advance(nowMs);
  }

  /** This node dials the peer: what it answers it says after this. */
  dialStarts(peer: NodeId): void {
    if (this.state === 'wishes') this.dialled.add(peer);
  }

  /** The dial had an outcome other than a connection or a rival: it cannot be reached, or refuses for another reason. */
  dialFails(peer: NodeId, nowMs: number): CandidacyOrder[] {
    this.hinted.delete(peer);
    this.quieten(peer, nowMs);
    // What cannot be reached now, after the wish, was dialled late enough.
    this.settled.add(peer);
    return this.advance(nowMs);
  }

  /** The peer, which this node dialled, runs under another configuration. */
  rivalAnswers(peer: NodeId, answer: RivalAnswer, nowMs: number): CandidacyOrder[] {
    const known = this.rivals.get(peer);
    const hasLentNothing = known?.life === answer.life && known.begins === answer.begins;
    const wasQuiet = hasLentNothing && known.standing === 'none' && answer.standing === 'none';
    this.rivals.set(peer, { ...answer, quietSinceMs: wasQuiet ? known.quietSinceMs : nowMs, isInSight: true });
    this.hinted.delete(peer);
    if (this.dialled.delete(peer)) this.settled.add(peer);
    else this.settled.delete(peer);
    return this.advance(nowMs);
  }

  /** Somebody of another configuration dialled this node and says that it is the peer. Good for a dial, and no more. */
  strangerCalls(peer: NodeId, nowMs: number): CandidacyOrder[] {
    // One that is connected may have started again with another file, and the end of its stream is still to come.
    if (!this.peers.includes(peer) || (this.rivals.has(peer) && !this.up.has(peer)) || this.hinted.has(peer)) return [];
    this.hinted.add(peer);
    return [...this.advance(nowMs), { kind: 'probe' }];
  }

  /** A peer knows of an earlier life, of its own or of this node. */
  contradicts(peer: NodeId, nowMs: number): CandidacyOrder[] {
    const { firstStart, startedAtMs, silentMs } = this.settings;
    if (!firstStart || this.contradictedBy !== null) return [];
    this.contradictedBy = peer;
    this.silentUntilMs = startedAtMs + silentMs;
    this.lentOnFirstStart = this.state === 'begun';
    const mustStop = this.state === 'begun' && this.silentUntilMs > nowMs;
    return [...(mustStop ? this.stepBack() : []), ...this.advance(nowMs)];
  }

  /** What `prepare` asked for is on disk. */
  termsAreWritten(nowMs: number): CandidacyOrder[] {
    this.terms = 'written';
    return this.advance(nowMs);
  }

  advance(nowMs: number): CandidacyOrder[] {
    this.forgetOldRivals(nowMs);
    const hasQuorum = this.hasQuorum();
    if (this.state === 'begun') {
      // A cluster that runs goes on. One without a quorum does not run; should it have one again, it begins anew.
      if (hasQuorum || this.rivals.size + this.hinted.size === 0) return [];
      this.state = 'none';
    }
    if (!hasQuorum) {
      this.state = 'none';
      return this.claimsNothing();
    }
    if ([...this.rivals.values()].some(({ standing }) => standing === 'serves')) {
      this.state = 'none';
      this.gaveWay = true;
      return this.claimsNothing();
    }
    const orders: CandidacyOrder[] = [];
    const freeAtMs = this.freeAtMs();
    if (this.state === 'none') {
      // Whoever gave way has no claim before a lease of the other has passed.
      if (this.gaveWay && freeAtMs > nowMs) return wakeAt(freeAtMs);
      this.gaveWay = false;
      this.state = 'wishes';
      this.mustLookAgain = false;
      orders.push(...this.look());
    }
    const beginAtMs = Math.max(this.silentUntilMs, freeAtMs);
    if (beginAtMs > nowMs) {
      this.mustLookAgain = true;
      return [...orders, ...wakeAt(beginAtMs)];
    }
    if (this.mustLookAgain) {
      this.mustLookAgain = false;
      orders.push(...this.look());
    }
    if (this.peers.some((peer) => !this.up.has(peer) && !this.settled.has(peer))) return orders;
    if (this.terms !== 'written') {
      if (this.terms === 'old') orders.push({ kind: 'prepare' });
      this.terms = 'being written';
      return orders;
    }
    this.state = 'begun';
    this.letsRunOut = false;
    this.beginsSoFar++;
    return [...orders, { kind: 'silence', untilMs: nowMs }];
  }

  /** Whoever is not connected is dialled, and what it answered before counts no more. */
  private look(): CandidacyOrder[] {
    this.dialled.clear();
    this.settled.clear();
    return [{ kind: 'probe' }];
  }

  /** A rival that hears that waits for a lease and begins. A hold that this node renewed would last longer. */
  private claimsNothing(): CandidacyOrder[] {
    if (this.letsRunOut || this.rivals.size + this.hinted.size === 0) return [];
    this.letsRunOut = true;
    return [{ kind: 'silence', untilMs: null, renews: false }];
  }

  private stepBack(): CandidacyOrder[] {
    this.state = 'none';
    return [{ kind: 'silence', untilMs: null }];
  }

  private hasQuorum(): boolean {
    return this.settings.coterie.containsQuorum(new Set([this.settings.self, ...this.up]));
  }

  /** When the last vote lent under a rival's configuration has run out, as far as this node knows; Infinity while one has a claim. */
  private freeAtMs(): number {
    let freeAtMs = -Infinity;
    for (const { standing, quietSinceMs, leaseMs } of this.rivals.values()) {
      freeAtMs = Math.max(freeAtMs, standing === 'none' ? quietSinceMs + leaseMs : Infinity);
    }
    return freeAtMs;
  }

  /** It is no rival any more, or none that can be seen. Votes that it lent up to now last for a lease. */
  private quieten(peer: NodeId, nowMs: number): void {
    const rival = this.rivals.get(peer);
    if (rival?.isInSight === true) this.rivals.set(peer, { ...rival, standing: 'none', quietSinceMs: nowMs, isInSight: false });
  }

  private forgetOldRivals(nowMs: number): void {
    for (const [peer, { standing, quietSinceMs, leaseMs }] of this.rivals) {
      if (this.up.has(peer) && standing === 'none' && quietSinceMs + leaseMs <= nowMs) this.rivals.delete(peer);
    }
  }
}

function wakeAt(atMs: number): CandidacyOrder[] {
  return Number.isFinite(atMs) ? [{ kind: 'wake', atMs }] : [];
}
