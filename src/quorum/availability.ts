/**
 * The probability that some quorum is wholly up, when each node is up with the same probability and
 * independently of the others. By a formula for majorities and grids; listed sets are counted when they
 * are few and sampled when they are many, by a generator of fixed seed: the same coterie gives the same
 * numbers on every machine.
 */
import type { NodeId } from './coterie';
import { buildCoterie } from './family';
import type { FamilyLayout } from './family';

export interface Availability {
  /** Probability that a node is up. */
  readonly nodeAvailability: number;
  readonly availability: number;
  /** 1 − availability, exact where that would be rounded to 0. */
  readonly unavailability: number;
  /** By how much both may be wrong, at 95 % confidence; 0 when they are exact. */
  readonly error: number;
}

/** All sets of so few nodes are tried: a million. */
const ENUMERATED_NODES_MAX = 20;
const SAMPLES = 100_000;
const SAMPLE_SEED = 1985;
/** Numbers of crashes that are less probable than this are not sampled; the error allows for them. */
const NEGLIGIBLE = 1e-9;
/** Standard deviations either side of the mean that hold 95 % of a normal distribution. */
const Z_95 = 1.96;

/** @param blockingSize no fewer crashes than this block the coterie (a lower bound will do) */
export function availabilities(
  nodes: readonly NodeId[], layout: FamilyLayout, blockingSize: number, nodeAvailabilities: readonly number[],
): Availability[] {
  switch (layout.family) {
    case 'majority': {
      const shares = Array.from({ length: nodes.length + 1 }, (_, crashes) => exactly(crashes >= blockingSize ? 1 : 0));
      return nodeAvailabilities.map((up) => combine(shares, up));
    }
    case 'grid':
      return nodeAvailabilities.map((up) => gridAvailability(layout.columns.map((column) => column.length), up));
    case 'plane':
    case 'explicit': {
      const indexOf = new Map(nodes.map((node, index) => [node, index]));
      const coterie = buildCoterie(nodes, layout);
      const sets = nodes.map((node) => coterie.votingSet(node).flatMap((member) => indexOf.get(member) ?? []));
      const shares = nodes.length <= ENUMERATED_NODES_MAX
        ? countBlockedShares(nodes.length, sets)
        : sampleBlockedShares(nodes.length, sets, blockingSize, nodeAvailabilities);
      return nodeAvailabilities.map((up) => combine(shares, up));
    }
  }
}

/** Which share of all sets of so many crashed nodes block the coterie. */
interface Share {
  readonly share: number;
  readonly error: number;
}

function exactly(share: number): Share {
  return { share, error: 0 };
}

/** `shares[k]` is for k crashed nodes. */
function combine(shares: readonly Share[], nodeAvailability: number): Availability {
  const probabilities = crashProbabilities(shares.length - 1, nodeAvailability);
  const sumOf = (valueOf: (share: Share) => number): number =>
    shares.reduce((sum, share, crashes) => sum + valueOf(share) * (probabilities[crashes] ?? 0), 0);
  const unavailability = sumOf(({ share }) => share);
  return { nodeAvailability, availability: 1 - unavailability, unavailability, error: sumOf(({ error }) => error) };
}

/** For each number of crashed nodes, its probability. In logarithms, for the binomial coefficients of a thousand nodes are large. */
function crashProbabilities(nodes: number, nodeAvailability: number): number[] {
  const [logUp, logDown] = [Math.log(nodeAvailability), Math.log1p(-nodeAvailability)];
  let logChoices = 0;
  return Array.from({ length: nodes + 1 }, (_, crashes) => {
    if (crashes > 0) logChoices += Math.log((nodes - crashes + 1) / crashes);
    return Math.exp(logChoices + crashes * logDown + (nodes - crashes) * logUp);
  });
}

/** Blocked when a whole column is down, or when every column is up in part. */
function gridAvailability(heights: readonly number[], nodeAvailability: number): Availability {
  const down = 1 - nodeAvailability;
  let logNoColumnDown = 0;
  let allInPart = 1;
  for (const height of heights) {
    logNoColumnDown += Math.log1p(-(down ** height));
    allInPart *= 1 - down ** height - nodeAvailability ** height;
  }
  const unavailability = -Math.expm1(logNoColumnDown) + allInPart;
  return { nodeAvailability, availability: 1 - unavailability, unavailability, error: 0 };
}

/** Tries all sets of nodes. */
function countBlockedShares(nodes: number, sets: readonly (readonly number[])[]): Share[] {
  const masks = [...new Set(sets.map((set) => set.reduce((mask, member) => mask | (1 << member), 0)))];
  const tried = new Uint32Array(nodes + 1);
  const blocked = new Uint32Array(nodes + 1);
  for (let down = 0; down < 2 ** nodes; down++) {
    const crashes = bitCount(down);
    tried[crashes] = (tried[crashes] ?? 0) + 1;
    if (masks.every((mask) => (mask & down) !== 0)) blocked[crashes] = (blocked[crashes] ?? 0) + 1;
  }
  return Array.from(tried, (count, crashes) => exactly((blocked[crashes] ?? 0) / count));
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** Samples each number of crashes by itself, so that even rare ones are seen. */
function sampleBlockedShares(
  nodes: number, sets: readonly (readonly number[])[], blockingSize: number, nodeAvailabilities: readonly number[],
): Share[] {
  const smallest = Math.min(...sets.map((set) => set.length));
  const probabilities = nodeAvailabilities.map((up) => crashProbabilities(nodes, up));
  const isSampled = (crashes: number): boolean => crashes >= blockingSize && crashes <= nodes - smallest &&
    probabilities.some((each) => (each[crashes] ?? 0) > NEGLIGIBLE);
  const counts = Array.from({ length: nodes + 1 }, (_, crashes) => crashes);
  const samples = Math.floor(SAMPLES / counts.filter(isSampled).length);
  const sampler = new CrashSampler(nodes, sets);
  return counts.map((crashes) => {
    if (crashes < blockingSize) return exactly(0);
    if (crashes > nodes - smallest) return exactly(1);
    if (!isSampled(crashes)) return { share: 0, error: 1 };
    let blocked = 0;
    for (let sample = 0; sample < samples; sample++) if (sampler.isBlockedBy(crashes)) blocked++;
    return estimate(blocked, samples);
  });
}

/** With the error of Wilson's interval, which is right even when nothing or everything was blocked. */
function estimate(blocked: number, samples: number): Share {
  const share = blocked / samples;
  const z2 = Z_95 ** 2 / samples;
  const middle = (share + z2 / 2) / (1 + z2);
  const halfWidth = (Z_95 * Math.sqrt((share * (1 - share) + z2 / 4) / samples)) / (1 + z2);
  return { share, error: Math.abs(middle - share) + halfWidth };
}

/** Draws crashed nodes and sees whether each set has one of them. */
class CrashSampler {
  private readonly random = mulberry32(SAMPLE_SEED);
  private readonly order: Uint32Array;
  private readonly setsOf: readonly number[][];
  /** Per set, the draw in which a member of it crashed last. */
  private readonly hitAt: Uint32Array;
  private draw = 0;

  constructor(nodes: number, sets: readonly (readonly number[])[]) {
    this.order = Uint32Array.from({ length: nodes }, (_, node) => node);
    this.setsOf = Array.from(this.order, () => []);
    for (const [index, set] of sets.entries()) for (const node of set) this.setsOf[node]?.push(index);
    this.hitAt = new Uint32Array(sets.length);
  }

  isBlockedBy(crashes: number): boolean {
    const { order, hitAt } = this;
    const draw = ++this.draw;
    let setsLeft = hitAt.length;
    for (let drawn = 0; drawn < crashes && setsLeft > 0; drawn++) {
      // A step of Fisher and Yates: any node that was not drawn yet.
      const other = drawn + Math.floor(this.random() * (order.length - drawn));
      const node = order[other] ?? 0;
      order[other] = order[drawn] ?? 0;
      order[drawn] = node;
      for (const set of this.setsOf[node] ?? []) {
        if (hitAt[set] === draw) continue;
        hitAt[set] = draw;
        setsLeft--;
      }
    }
    return setsLeft === 0;
  }
}

/** Numbers from 0 to below 1. Tommy Ettinger's mulberry32: small, and good enough to draw samples. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
