/**
 * Which clocks of others a node believes. A Lamport clock that was taken over never falls again, so one message with a clock near the
 * end of the range would end the cluster. Pure, as the core is; the runtime tells it the time and what was refused.
 * Law (rule clock-credible): no clock is believed that is further ahead than clock-bounded allows, in no frame, unless peers that
 * meet every quorum tell such clocks where this node dialled them.
 * Source: protocol.md section 3.3.
 */
import { meetsEveryQuorum } from '../quorum/coterie';
import type { Coterie, NodeId } from '../quorum/coterie';
import type { LamportTime } from './messages';

/**
 * How far a peer's clock may be ahead, in milliseconds beside leases: a day covers wall clocks that were set to the wrong time zone.
 */
const AHEAD_MAX_MS = 86_400_000;

/** And in leases: each restart beyond one in a lease gains three quarters of one. */
const AHEAD_MAX_LEASES = 32;

export interface CredibleClockSettings {
  readonly self: NodeId;
  readonly coterie: Coterie;
  readonly leaseMs: number;
  /** The first clock of this life, and when that was, in `nowMs`. */
  readonly bornAt: LamportTime;
  readonly bornAtMs: number;
}

export class CredibleClock {
  /** Clocks are compared as they stood, or would have stood, when `nowMs` was 0: they may gain what real time does. */
  private base: number;
  /** What peers told that was refused. */
  private readonly refused = new Map<NodeId, number>();

  constructor(private readonly settings: CredibleClockSettings) {
    this.base = atZero(settings.bornAt, settings.bornAtMs);
  }

  /** The highest clock that is believed now. `nowMs` stands still in sleep, which the wall clock shows. */
  maxAt(nowMs: number, wallClockUs: number): LamportTime {
    const aheadMs = AHEAD_MAX_MS + AHEAD_MAX_LEASES * this.settings.leaseMs;
    return Math.min(Number.MAX_SAFE_INTEGER, Math.max(this.base + nowMs * 1000, wallClockUs) + aheadMs * 1000);
  }

  /**
   * A peer that this node dialled told a clock that is not believed.
   * @returns whether peers that meet every quorum did so: then their clocks are believed from now on, up to the lowest of them
   */
  refuses(peer: NodeId, clock: LamportTime, nowMs: number): boolean {
    this.refused.set(peer, atZero(clock, nowMs));
    const telling = new Set<NodeId>();
    for (const [node, base] of [...this.refused].sort(([, a], [, b]) => b - a)) {
      telling.add(node);
      if (!meetsEveryQuorum(this.settings.coterie, telling)) continue;
      this.base = Math.max(this.base, base);
      return true;
    }
    return false;
  }

  /** It tells a clock that is believed. */
  believes(peer: NodeId): void {
    this.refused.delete(peer);
  }
}

function atZero(clock: LamportTime, nowMs: number): number {
  return clock - nowMs * 1000;
}
