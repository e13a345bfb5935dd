/**
 * A run before it is run: plain data, so that it can be printed, saved, cut down and replayed. Only the
 * fate of single messages is left to streams of chance, one per link, that the seed starts; `fates` fixes
 * these too.
 * All times are whole microseconds of true time, from the start of the run, unless named otherwise.
 */
import type { MessageKind, Mode } from '../../src/core';
import type { Fate } from './fates';

/** `wheel`: listed sets, each a hub with one other node, and all others together. */
export const FAMILIES = ['grid', 'majority', 'plane', 'wheel'] as const;
export type Family = (typeof FAMILIES)[number];

/**
 * Every kind of fault, with what its intensity says. Probabilities are from 0 to 1; counts are the
 * number to expect in ten leases.
 */
export const FAULT_KINDS = {
  loss: 'probability that a message is lost',
  duplicate: 'probability that a message comes twice',
  late: 'probability that a second copy comes much later, up to two leases',
  reorder: 'probability that a message leaves the order of its link',
  spike: 'probability that a message takes up to half a lease',
  split: 'count: the nodes are cut in two',
  isolate: 'count: one node is cut off',
  oneway: 'count: a node is cut off in one direction',
  clog: 'count: a link holds its messages back, then delivers them in a burst',
  suspect: 'count: a node takes a live peer for down',
  crash: 'count: a node dies and restarts with its ceiling file',
  wipe: 'count: a node dies and restarts without its ceiling file',
  stop: 'count: a node shuts down in good order and restarts',
  pause: 'count: a node does nothing for a while, its clocks run on',
  sleep: 'count: a machine sleeps, its monotonic clock stands still',
  slow: 'count: a node takes long over each event',
  drift: 'share of the drift bound by which the clocks are off, and change',
  wall: 'probability that the wall clock was set back when a node restarts',
  timer: 'how late timers fire, as a share of the lease; some come early or for nothing',
  disk: 'how long writing the ceiling takes, as a share of the lease',
  cancel: 'probability that a caller gives up waiting',
  linger: 'probability that a caller holds for longer than the lease',
  steal: 'probability that a caller steals the lock',
  echo: 'count: a link sends messages of some time ago once more',
  stale: 'count: a node dies and restarts with an older ceiling file',
  corrupt: 'count: a node dies, does not start with a corrupt ceiling file, and restarts when that is deleted',
  full: 'count: a disk is full, no ceiling can be written',
  overflow: 'count: a link that holds its messages back has room for few, the others are lost',
  flap: 'count: a link is cut and mended again and again',
  ring: 'count: each node reaches another majority of the nodes',
  twice: 'probability that a caller releases twice',
  jump: 'count: a wall clock is set forward, which the node takes for sleep',
  deaf: 'probability that a caller is in another process, which hears late that its lock was taken',
  unseen: 'count: a node is up, and nothing that it sends arrives but signs of life',
} as const;
export type FaultKind = keyof typeof FAULT_KINDS;
export type FaultIntensities = Readonly<Record<FaultKind, number>>;

/** How hard the run is on the core, and what is demanded of it then. */
export const PROFILES = {
  calm: "no faults: every wait is held to a bound of a few message delays, and that of one that steals to one without anybody's hold",
  frugal: 'besides, no two nodes want one lock: every message is counted',
  swarm: 'faults',
  relentless: 'faults never stop, but so few nodes are down at a time that a quorum is left: every wait is held to a bound',
  spaced: 'faults one at a time and far apart: a lock that is free and wanted is given within what the last fault may cost',
  steadfast: 'outages as few at a time, but no other loss: no lock that is held is lost, save for a reason that has a name',
  rolling: 'nodes without memory restart with another layout, one after the other or all at once, some with the former one again: two layouts never both lend votes',
  namesakes: 'two processes with one node id: of two of which a peer refuses one, that one neither lends nor asks; and while all reach each other nobody is let in beside a holder',
  acts: "the operator's act: all nodes stop, and another layout takes the place of theirs; exclusion holds and tokens rise across both",
  adrift: 'as swarm, with clocks far beyond the drift bound: exclusion is not promised then, that tokens rise is',
} as const;
export type Profile = keyof typeof PROFILES;

/** The longest lease of the run, and the longest interval of repeats. */
export function longestTerms({ leaseMs, retryMs, act }: Plan): Pick<Terms, 'leaseMs' | 'retryMs'> {
  return { leaseMs: Math.max(leaseMs, act?.leaseMs ?? 0), retryMs: Math.max(retryMs, act?.retryMs ?? 0) };
}

/** The lease, SLACK and retry interval that a node has which starts now. */
export function termsAt({ leaseMs, retryMs, slack, change, act }: Plan, nowUs: number): Terms {
  const later = change ?? act;
  return later !== undefined && nowUs >= later.atUs ? later : { leaseMs, retryMs, slack };
}

/** Of those with which nodes of the run start. */
export function shortestLeaseMs({ leaseMs, change }: Plan): number {
  return Math.min(leaseMs, change?.leaseMs ?? leaseMs);
}

/** Nodes are away now and then, or all the time: so few of them that the others contain a quorum. */
export function hasOutages(profile: Profile): boolean {
  return profile === 'relentless' || profile === 'spaced' || profile === 'steadfast';
}

export interface MachinePlan {
  /** When its node first starts. */
  readonly startUs: number;
  readonly ratePpm: number;
  /** How far its wall clock is ahead of true time. */
  readonly wallSkewUs: number;
}

/** Delays are uniform in [base, 2 base], or `heavy`: doubled again with probability 1/2, at most 2^6 times. */
export type DelayShape = 'constant' | 'uniform' | 'heavy';

export interface NetworkPlan {
  readonly delayUs: number;
  readonly delayShape: DelayShape;
  readonly lossPpm: number;
  readonly duplicatePpm: number;
  readonly latePpm: number;
  readonly reorderPpm: number;
  readonly spikePpm: number;
  /** A copy or a straggler takes up to so much longer. */
  readonly stragglerUs: number;
  readonly lateUs: number;
  /** It takes a node up to so long to notice that a peer came or went. */
  readonly detectionUs: number;
}

export interface Wish {
  readonly lock: number;
  readonly mode: Mode;
  /** Between the end of the wish before it and asking. */
  readonly thinkUs: number;
  /** Ask at this true time instead, or not at all where that is past. */
  readonly atUs?: number;
  readonly holdUs: number;
  /** Gives up after so long; null waits for ever. */
  readonly patienceUs: number | null;
  /** Takes the lock from whoever holds it; only while there are faults, for it starves others. */
  readonly steals: boolean;
  /** Releases once more what it has released. */
  readonly releasesTwice?: true;
  /**
   * It is in another process: when the lock is taken from it, it hears of that so much later, and until then
   * uses the lock for as long as it was told.
   */
  readonly hearsAfterUs?: number;
  /** And it keeps the lock when it is done, as long as nobody else wants it: the tokens that it has room for it may take. */
  readonly keeps?: true;
  /** And its process passes the lock on to its callers behind it, as far as the node says so. */
  readonly passes?: true;
}

/** One caller of a node: fulfils its wishes one after the other. */
export interface CallerPlan {
  readonly machine: number;
  readonly wishes: readonly Wish[];
}

/**
 * How a node goes down, and what it finds on its disk when it starts again: `crash` and `stop` (in good order)
 * its file, `wipe` none, `stale` an older one, `corrupt` one that it refuses until somebody deletes it.
 */
export type Death = 'crash' | 'stop' | 'wipe' | 'stale' | 'corrupt';

/** What becomes of a node that is not healed: it is dead, it is frozen, its links are cut both ways, or it is up and its
 * disk takes nothing any more. */
export interface LostMachine {
  readonly machine: number;
  /** `left behind`: it runs on, with the old one of two files. */
  readonly how: 'dead' | 'frozen' | 'cut' | 'mute' | 'left behind';
}

/** `unseen`: signs of life come through, and nothing else. */
export type Partition = 'split' | 'isolate' | 'oneway' | 'flap' | 'ring' | 'unseen';

/** So many messages of each kind on one link can be sent again, and so many of all kinds together. */
export const ECHO_MEMORY = 8;

interface Spell {
  readonly atUs: number;
  readonly forUs: number;
}

export type Fault =
  /** No message goes from any of `from` to any of `to`. */
  | (Spell & {
      readonly kind: 'cut';
      /** What it is part of. */
      readonly as: Partition;
      readonly from: readonly number[];
      readonly to: readonly number[];
    })
  /** Held back and then delivered in a burst; beyond `room` messages they are lost. */
  | (Spell & { readonly kind: 'clog'; readonly from: number; readonly to: number; readonly room?: number })
  | (Spell & { readonly kind: 'suspect'; readonly machine: number; readonly peer: number })
  | (Spell & {
      readonly kind: 'crash';
      readonly machine: number;
      readonly how: Death;
      /** How far the wall clock is set back when the node starts again. */
      readonly wallBackUs: number;
      /** Whether a write of the ceiling that was under way reached the disk. */
      readonly writeLands: boolean;
      /** With which file the node starts again. */
      readonly file?: FileName;
    })
  | (Spell & { readonly kind: 'pause' | 'sleep' | 'full'; readonly machine: number })
  | (Spell & { readonly kind: 'slow'; readonly machine: number; readonly perEventUs: number })
  | { readonly kind: 'rate'; readonly atUs: number; readonly machine: number; readonly ratePpm: number }
  | { readonly kind: 'wake'; readonly atUs: number; readonly machine: number }
  | { readonly kind: 'jump'; readonly atUs: number; readonly machine: number; readonly byUs: number }
  /** The network sends the last `count` messages of this kind on this link again, without the `back` very last ones. */
  | {
      readonly kind: 'echo';
      readonly atUs: number;
      readonly from: number;
      readonly to: number;
      readonly message: MessageKind | 'any';
      readonly back: number;
      readonly count: number;
    };

/**
 * All nodes are stopped at this true time, and start again under a shorter lease and a smaller SLACK. Their data directories
 * remember the old ones (protocol.md section 16.1). What the plan says elsewhere is how it was before.
 */
export interface Terms {
  readonly leaseMs: number;
  readonly retryMs: number;
  readonly slack: number;
}

export interface Change extends Terms {
  readonly atUs: number;
}

export type LayoutName = 'old' | 'new';

/** The configuration file that a node starts with. `bare`: that of the new layout, without the operator's act. */
export type FileName = LayoutName | 'bare';

/** What a file says: the machines that it names, and their quorums. */
export interface Layout {
  readonly machines: readonly number[];
  readonly family: Family;
  /** These are the only quorum, whatever the family. */
  readonly quorum?: readonly number[];
}

/**
 * Nodes without memory, some under one file and some under another (protocol.md section 17.1). Those of the old file begin with that, the others
 * with the new one; later each finds what its restart says.
 */
export type Rolling = Readonly<Record<LayoutName, Layout>>;

/**
 * The operator's act of protocol.md section 16.2: all nodes of the old layout are stopped, by this true time the command has written the
 * act into the new file, and nodes start with that. What the plan says elsewhere of lease, retry and SLACK is how it was before.
 */
export interface Act extends Change, Rolling {
  /** When the command asked the old nodes for their clocks, just before they were stopped. */
  readonly asksAtUs: number;
  /** New members that first start with the bare file. */
  readonly bare: readonly number[];
  /** New members that remember the new layout: it ran once before the old one took its place, and comes back. */
  readonly back?: readonly number[];
}

/**
 * The last machine runs a second process under the node id of another one, with a data directory of its own (protocol.md section 17.2).
 * Their peers have a connection to one of the two at most.
 */
export interface Namesake {
  /** Whose id it has. */
  readonly of: number;
  /** A process that a peer refused dials it again so much later; one that could not be reached, sooner. */
  readonly refusedRedialUs: number;
  readonly redialUs: number;
  /** All reach each other at any time, and are disturbed one at a time: then exclusion is promised (protocol.md section 18.5). */
  readonly isTold: boolean;
}

/** A node finds out, at this true time, whether a peer is up. */
export interface Look {
  readonly atUs: number;
  readonly machine: number;
  readonly peer: number;
}

export interface Plan {
  readonly seed: number;
  readonly profile: Profile;
  readonly family: Family;
  readonly locks: number;
  readonly leaseMs: number;
  readonly retryMs: number;
  readonly driftMaxPpm: number;
  readonly slack: number;
  readonly ceilingBlock: number;
  /** Whether grants are kept after a release (protocol.md section 9). Default true. */
  readonly retain?: boolean;
  /** How many messages a node holds back, and for how many locks it keeps grants. As large as in production when left out. */
  readonly heldBackMax?: number;
  readonly locksKeptMax?: number;
  /** How many locks, and how many requests of one node for a lock, an arbiter knows. As many as in production when left out. */
  readonly locksMax?: number;
  readonly requestsOfANodeMax?: number;
  readonly change?: Change;
  readonly rolling?: Rolling;
  readonly act?: Act;
  readonly namesake?: Namesake;
  /** How long faults may happen. Then everything is healed, and progress demanded. */
  readonly durationUs: number;
  /** How long ago, by their wall clocks, the nodes first started. */
  readonly uptimeUs: number;
  /** Timers fire up to so late. */
  readonly timerLagUs: number;
  /** Writing the ceiling takes up to so long. */
  readonly diskUs: number;
  readonly machines: readonly MachinePlan[];
  readonly network: NetworkPlan;
  readonly faults: readonly Fault[];
  /** Who is not healed when the faults end. The others contain a quorum, and are owed progress. None when left out. */
  readonly lostForEver?: readonly LostMachine[];
  /** When the faults end nobody asks for anything more, and only those who wait then are owed. */
  readonly asksNoMore?: true;
  /**
   * When given, this is how long anybody may wait, and how long it may take to come to rest at the end, instead
   * of bounds worked out from the rest. For plans cut short: what would follow until that bound is over is known to be repetition.
   */
  readonly progressBoundUs?: number;
  /** When given, chance decides over no message: each meets the fate named here, or arrives in good order. */
  readonly fates?: readonly Fate[];
  /** When given, nodes look how things are with their peers only then, and not at random after each change. */
  readonly looks?: readonly Look[];
  readonly callers: readonly CallerPlan[];
  /** What was switched on, for the summary. */
  readonly intensities: FaultIntensities;
}
