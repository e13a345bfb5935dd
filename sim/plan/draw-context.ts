/** What the parts of a plan have in common while they are drawn. */
import type { Family, FaultIntensities, Profile } from './plan';

/** What may be fixed. Whatever is left out, the seed draws. */
export interface RunOptions {
  readonly profile?: Profile;
  readonly nodes?: number;
  readonly family?: Family;
  readonly locks?: number;
  /** Callers on each node. */
  readonly callers?: number;
  /** The share of wishes that are for shared mode, from 0 to 1. */
  readonly sharedShare?: number;
  readonly leaseMs?: number;
  readonly slack?: number;
  /** How many clock values one write of the ceiling reserves. */
  readonly ceilingBlock?: number;
  readonly durationMs?: number;
  /** The kinds that are on. The others are off. */
  readonly faults?: Partial<FaultIntensities>;
}

export interface DrawContext {
  readonly seed: number;
  readonly profile: Profile;
  readonly nodes: number;
  readonly leaseUs: number;
  readonly durationUs: number;
  readonly delayUs: number;
  readonly driftMaxPpm: number;
  readonly intensities: FaultIntensities;
}

export const DAY_US = 86_400_000_000;

/** Any fault may happen at any time. */
export function isSwarming(profile: Profile): boolean {
  return profile === 'swarm' || profile === 'adrift';
}
