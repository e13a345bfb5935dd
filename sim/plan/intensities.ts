/**
 * How strong each kind of fault is. Every seed leaves some kinds out altogether, for bugs hide where a frequent
 * fault masks a rare one.
 */
import { FAULT_KINDS } from './plan';
import type { FaultIntensities, FaultKind } from './plan';
import { MILLION } from './random';
import type { Random } from './random';

/** How strong a fault is drawn when it is on. */
const LEVELS: Readonly<Record<FaultKind, readonly number[]>> = {
  loss: [0.01, 0.05, 0.2],
  duplicate: [0.02, 0.1, 0.3],
  late: [0.02, 0.1, 0.3],
  reorder: [0.05, 0.3],
  spike: [0.01, 0.1],
  split: [1, 4],
  isolate: [1, 4],
  oneway: [1, 4],
  clog: [2, 8],
  suspect: [2, 8],
  crash: [2, 6, 15],
  wipe: [1, 3],
  stop: [1, 4],
  pause: [2, 6],
  sleep: [1, 4],
  slow: [1, 3],
  drift: [0.5, 1],
  wall: [0.3, 1],
  timer: [0.02, 0.2],
  disk: [0.01, 0.2],
  cancel: [0.05, 0.3],
  linger: [0.1, 0.4],
  steal: [0.02, 0.2, 0.6],
  echo: [10, 40],
  stale: [1, 4],
  corrupt: [1, 3],
  full: [1, 4],
  overflow: [2, 8],
  flap: [1, 4],
  ring: [1, 3],
  twice: [0.1, 0.5],
  jump: [1, 4],
  deaf: [0.2, 0.6, 1],
  unseen: [1, 3],
};

/** In some runs without faults there are callers that steal, from others that hold for long. */
export const THIEVES = { steal: 0.2, linger: 0.3, deaf: 0.3 } as const;

/** In others some give up, and some hold for so long that those who wait lose patience. */
export const PATIENT = { linger: 0.1, cancel: 0.2 } as const;

const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];

export function intensitiesOf(some: Partial<FaultIntensities>): FaultIntensities {
  return Object.fromEntries(KINDS.map((kind) => [kind, some[kind] ?? 0])) as unknown as FaultIntensities;
}

/** What belongs together: faults that hardly ever meet when each is drawn by itself. */
const THEMES: readonly Partial<FaultIntensities>[] = [
  { isolate: 20, crash: 15, wall: 1 },
  { isolate: 10, wipe: 10, crash: 4, wall: 1 },
  { steal: 0.6, cancel: 0.3, spike: 0.05, deaf: 0.3 },
  { cancel: 0.3, loss: 0.05, suspect: 4, crash: 2 },
  { linger: 0.4, crash: 6, isolate: 4 },
  { steal: 0.6, deaf: 1, stop: 10, jump: 4 },
];

export function drawTheme(random: Random): FaultIntensities {
  return intensitiesOf(random.pick(THEMES));
}

export function drawIntensities(random: Random): FaultIntensities {
  // Now and then few kinds, now and then nearly all.
  const onPpm = random.pick([150_000, 350_000, 350_000, 600_000]);
  const drawn: Partial<Record<FaultKind, number>> = {};
  for (const kind of KINDS) {
    const isOn = random.chance(onPpm);
    const level = random.pick(LEVELS[kind]);
    if (isOn) drawn[kind] = level;
  }
  return intensitiesOf(drawn);
}

/** What may go on beside nodes that go down, in a run that never stops and still holds everybody to a bound. */
export const RELENTLESS_LEVELS: Partial<FaultIntensities> = {
  loss: 0.01, duplicate: 0.1, late: 0.05, reorder: 0.1, drift: 1, timer: 0.02, disk: 0.01, cancel: 0.1, echo: 5, twice: 0.1,
};

/** What may go on beside nodes that go down, where no lock may be lost: no loss of messages. */
export const STEADFAST_LEVELS: Partial<FaultIntensities> = {
  duplicate: 0.1, late: 0.05, reorder: 0.1, drift: 1, timer: 0.02, disk: 0.01, cancel: 0.1, echo: 5, twice: 0.1, steal: 0.02,
};

/** What may go on beside faults one at a time: nothing that makes anybody wait for longer than some messages take. */
export const SPACED_LEVELS: Partial<FaultIntensities> = {
  drift: 1, timer: 0.002, disk: 0.002, cancel: 0.2, linger: 0.1, twice: 0.1, steal: 0.1, deaf: 0.3,
};

/** What may go on beside a rolling change. Which links are cut is drawn with it, for somebody must be able to tell each node of the other layout. */
export const ROLLING_LEVELS: Partial<FaultIntensities> = {
  loss: 0.01, duplicate: 0.1, late: 0.05, reorder: 0.1, drift: 1, timer: 0.02, disk: 0.01, cancel: 0.1, linger: 0.3, twice: 0.1, steal: 0.02, deaf: 0.3,
};

/** What may go on beside two processes with one id: nothing that keeps one node from another. */
export const NAMESAKES_LEVELS: Partial<FaultIntensities> = {
  loss: 0.01, duplicate: 0.1, late: 0.05, reorder: 0.1, drift: 1, timer: 0.02, disk: 0.01, cancel: 0.1, linger: 0.3, twice: 0.1, deaf: 0.3,
};

export function drawGentleIntensities(random: Random, levels: Partial<FaultIntensities>): FaultIntensities {
  return intensitiesOf(Object.fromEntries(Object.entries(levels).filter(() => random.chance(600_000))));
}

export function toPpm(probability: number): number {
  return Math.round(probability * MILLION);
}
