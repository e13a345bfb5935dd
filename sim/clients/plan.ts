/** What a run of clients and nodes will be, as plain data. All times are true time in whole microseconds, unless a name says else. */
import type { Mode } from '../../src/core';

/** How hard it is. What must hold besides safety depends on it. */
export const CLIENT_PROFILES = {
  calm: 'nothing breaks and nobody stops; clocks drift',
  breaks: 'only streams break, at each step of what is said over them, and each time the client can come back in time',
  swarm: 'everything at once: streams break and nobody notices, sides pause for leases, nodes stop, restart, are cut off; clients vanish',
} as const;

export type ClientProfile = keyof typeof CLIENT_PROFILES;

/** One caller of a client. */
export interface Wish {
  readonly client: number;
  /** Asked first. */
  readonly node: number;
  readonly lock: number;
  readonly mode: Mode;
  /** Takes it only if it is free, and waits for nobody who uses it. */
  readonly ifAvailable: boolean;
  /** Takes it from whoever holds it. */
  readonly steals: boolean;
  readonly atUs: number;
  readonly holdUs: number;
  /** Waits no longer than this; null: for as long as it takes. */
  readonly patienceUs: number | null;
  /** Holds it no longer than this; null: for as long as it is renewed. */
  readonly maxHoldMs: number | null;
  /** Its node holds it on for so long at least, from when the client was first told. */
  readonly atLeastMs: number;
}

/** A stream that breaks. */
export interface Break {
  /** When each side learns of it. */
  readonly clientUs: number;
  readonly nodeUs: number;
  /** Of what is under way so much is lost; the rest comes late, and some of it twice. */
  readonly lossPpm: number;
  /** The next stream does not come about either. */
  readonly again: boolean;
}

export type ClientFault =
  | { readonly kind: 'breaks'; readonly atUs: number; readonly client: number; readonly node: number; readonly how: Break }
  /** The same, just when the so-many-th frame of this way is sent. */
  | { readonly kind: 'breaksAtFrame'; readonly way: 'up' | 'down'; readonly frame: number; readonly client: number; readonly node: number; readonly how: Break }
  /** No new stream comes about. */
  | { readonly kind: 'unreachable'; readonly atUs: number; readonly client: number; readonly node: number; readonly forUs: number }
  | { readonly kind: 'clientPauses'; readonly atUs: number; readonly client: number; readonly forUs: number }
  | { readonly kind: 'nodePauses'; readonly atUs: number; readonly node: number; readonly forUs: number }
  /** Its monotonic clock stands still meanwhile. */
  | { readonly kind: 'nodeSleeps'; readonly atUs: number; readonly node: number; readonly forUs: number }
  /** `inOrder`: its clients are told before. */
  | { readonly kind: 'nodeRestarts'; readonly atUs: number; readonly node: number; readonly downUs: number; readonly inOrder: boolean }
  /** It reaches no quorum. */
  | { readonly kind: 'cutOff'; readonly atUs: number; readonly node: number; readonly forUs: number }
  /** Somebody else takes the lock, and keeps it for so long. */
  | { readonly kind: 'steals'; readonly atUs: number; readonly lock: number; readonly forUs: number }
  /** The process is killed. */
  | { readonly kind: 'vanishes'; readonly atUs: number; readonly client: number }
  /** It gives back what it has, and asks for nothing more. */
  | { readonly kind: 'closes'; readonly atUs: number; readonly client: number }
  /** Timers fire for nothing. */
  | { readonly kind: 'wakes'; readonly atUs: number };

export interface ClientsPlan {
  readonly seed: number;
  readonly profile: ClientProfile;
  readonly leaseMs: number;
  readonly driftMaxPpm: number;
  /** How far each clock is off. */
  readonly nodeRatesPpm: readonly number[];
  readonly clientRatesPpm: readonly number[];
  /** Which clients keep what nobody else wants. */
  readonly keepers: readonly boolean[];
  /** Of the arbiters' clock. */
  readonly quorumRatePpm: number;
  readonly locks: number;
  /** Settings of the clients. */
  readonly answerMs: number;
  readonly idleMs: number;
  readonly frameBytesMax: number;
  /** A message takes up to this. */
  readonly delayMaxUs: number;
  /** A turn of an event loop takes up to this. */
  readonly turnMaxUs: number;
  /** Of all requests so many are refused by their node. */
  readonly refusedPpm: number;
  readonly wishes: readonly Wish[];
  readonly faults: readonly ClientFault[];
  /** From here on nothing breaks any more. */
  readonly healAtUs: number;
}

/** As the library has it: a client keeps what it holds alone, for as long as it likes, and did not steal (protocol.md section 15.4). */
export function mayBeKept({ mode, steals, maxHoldMs, atLeastMs }: Wish): boolean {
  return mode === 'exclusive' && !steals && maxHoldMs === null && atLeastMs === 0;
}
