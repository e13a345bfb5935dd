/**
 * What an entry costs in clusters of up to 1,000 nodes: the production core in the simulator, with a network that delays each message
 * by the same time and loses none. Nobody judges: witnesses look at each node, and there are many. Deterministic: the same figures on
 * any machine.
 */
import { ceilingBlockOf, slackOf } from '../../src/core';
import type { Event, Message } from '../../src/core';
import type { Entry, Witness } from '../../sim/checks/witness';
import { PRODUCTION_CORE } from '../../sim/core';
import { FAULT_KINDS } from '../../sim/plan/plan';
import { Random } from '../../sim/plan/random';
import type { CallerPlan, Family, FaultIntensities, Plan, Wish } from '../../sim/plan/plan';
import { World } from '../../sim/world/world';

export interface Scale {
  readonly family: Family;
  readonly nodes: number;
  /** Nodes in the quorum that is asked first; the mean of those that enter. */
  readonly quorum: number;
  /** Messages an entry, when nobody else wants the lock and nothing is retained. */
  readonly alone: number;
  /** Messages an entry, when up to 24 nodes want the lock again and again. */
  readonly inTurns: number;
  /** Messages an entry, when all of these ask within the time that a message takes, and again when all have been inside. */
  readonly atOnce: number;
  /** Inquires among the messages of an entry, when all ask at once. */
  readonly atOnceInquires: number;
  /** From the release of one node to the entry of the next, in the time that a message takes. The mean of all hand-overs. */
  readonly handOverDelays: number;
}

const LEASE_MS = 60_000;
const DELAY_US = 1_000;
const HOLD_US = 10 * DELAY_US;
const WARM_UP_US = 1_000_000;
/** So far apart that nobody meets anybody. */
const APART_US = 100 * DELAY_US;
const WANTERS_MAX = 24;
const ENTRIES = 400;
/** At the start entries are few and clocks far apart. */
const LEFT_OUT = 48;
/** How often all ask at once. The first time is left out. */
const ROUNDS = 11;
/** Until all have been inside, with hand-overs of a few delays. */
const ROUND_US = 2 * WANTERS_MAX * HOLD_US;
/** A request that came so long before the release has reached everybody by then. */
const ASKED_BEFORE_US = 4 * DELAY_US;

/** Ends a run that has shown what it was to show. */
class Enough extends Error {}

export function measureScale(family: Family, nodes: number): Scale {
  const wanters = someOf(nodes, WANTERS_MAX);
  const count = wanters.length;
  const [alone, inTurns, atOnce] = [new Meter(0, count), new Meter(LEFT_OUT, ENTRIES), new Meter(count, ROUNDS * count)];
  const { coterie, nodeIds } = run(planOf(family, nodes, loners(wanters), false), alone).scene;
  run(planOf(family, nodes, contenders(wanters), true), inTurns);
  run(planOf(family, nodes, crowd(wanters), true), atOnce);
  const quorum = wanters.reduce((sum, machine) => sum + coterie.votingSet(nodeIds[machine] ?? '').length, 0) / count;
  return {
    family, nodes, quorum, alone: alone.messagesPerEntry, inTurns: inTurns.messagesPerEntry,
    atOnce: atOnce.messagesPerEntry, atOnceInquires: atOnce.inquiresPerEntry, handOverDelays: inTurns.handOverDelays,
  };
}

function run(plan: Plan, meter: Meter): World {
  const world = new World(plan, PRODUCTION_CORE, null);
  meter.watch(world);
  try {
    world.run([meter]);
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  return world;
}

/** Counts messages and entries, from when `from` entries have ended until `to` have. */
class Meter implements Witness {
  private messages = 0;
  private inquires = 0;
  private ended = 0;
  private leftAtUs: number | null = null;
  private lastMachine = -1;
  private readonly handOversUs: number[] = [];
  private world: World | null = null;

  constructor(private readonly from: number, private readonly to: number) {}

  watch(world: World): void {
    this.world = world;
  }

  sent(from: number, to: number, _lock: number, message: Message): void {
    if (!this.isCounted || from === to) return;
    this.messages++;
    if (message.kind === 'inquire') this.inquires++;
  }

  entered({ machine, caller }: Entry): void {
    // One who asked only later did not wait for this release.
    const { leftAtUs } = this;
    const waited = leftAtUs !== null && caller.askedAtUs + ASKED_BEFORE_US < leftAtUs;
    if (this.isCounted && waited && machine !== this.lastMachine) this.handOversUs.push(this.nowUs - leftAtUs);
    this.lastMachine = machine;
    this.leftAtUs = null;
  }

  left(): void {
    this.leftAtUs = this.nowUs;
  }

  /** The messages of a release are part of its entry. */
  stepped(_machine: number, { kind }: Event): void {
    if (kind === 'release' && ++this.ended >= this.to) throw new Enough();
  }

  get messagesPerEntry(): number {
    return this.messages / (this.ended - this.from);
  }

  get inquiresPerEntry(): number {
    return this.inquires / (this.ended - this.from);
  }

  get handOverDelays(): number {
    return this.handOversUs.reduce((sum, us) => sum + us, 0) / this.handOversUs.length / DELAY_US;
  }

  private get isCounted(): boolean {
    return this.ended >= this.from;
  }

  private get nowUs(): number {
    return this.world?.nowUs ?? 0;
  }
}

function planOf(family: Family, nodes: number, callers: readonly CallerPlan[], retain: boolean): Plan {
  const intensities = Object.fromEntries(Object.keys(FAULT_KINDS).map((kind) => [kind, 0])) as unknown as FaultIntensities;
  const all = Array.from({ length: nodes }, (_, index) => index);
  return {
    seed: 1, profile: 'calm', family, locks: 1, leaseMs: LEASE_MS, retryMs: LEASE_MS / 3, driftMaxPpm: 10_000,
    slack: slackOf(LEASE_MS), ceilingBlock: ceilingBlockOf(LEASE_MS), retain, durationUs: 60 * 60_000_000, uptimeUs: 0, timerLagUs: 1, diskUs: 1,
    machines: all.map(() => ({ startUs: 0, ratePpm: 0, wallSkewUs: 0 })),
    network: { delayUs: DELAY_US, delayShape: 'constant', lossPpm: 0, duplicatePpm: 0, latePpm: 0, reorderPpm: 0, spikePpm: 0, stragglerUs: 1, lateUs: 1, detectionUs: 1 },
    faults: [],
    // Once, those who want the lock find everybody up, and everybody them. The others have nothing to say to each other.
    looks: callers.flatMap(({ machine }) => all.filter((peer) => peer !== machine).flatMap((peer) => [
      { atUs: WARM_UP_US / 2, machine, peer }, { atUs: WARM_UP_US / 2, machine: peer, peer: machine },
    ])),
    asksNoMore: true, callers, intensities,
  };
}

const WISH: Wish = { lock: 0, mode: 'exclusive', thinkUs: 0, holdUs: HOLD_US, patienceUs: null, steals: false };

/** One after the other, each once. */
function loners(wanters: readonly number[]): CallerPlan[] {
  return wanters.map((machine, index) => ({ machine, wishes: [{ ...WISH, atUs: WARM_UP_US + index * APART_US }] }));
}

/** All begin at the same time, and ask again up to a turn of all after they have left. Sooner, they would take turns in one order for ever. */
function contenders(wanters: readonly number[]): CallerPlan[] {
  const turnUs = wanters.length * HOLD_US;
  const random = new Random(1, 'contenders');
  return wanters.map((machine) => ({
    machine,
    wishes: Array.from({ length: ENTRIES }, (_, index) => (index === 0 ? { ...WISH, atUs: WARM_UP_US } : { ...WISH, thinkUs: random.below(turnUs) })),
  }));
}

/** All ask within one delay, in another order each time, so that their requests cross each other. */
function crowd(wanters: readonly number[]): CallerPlan[] {
  const random = new Random(1, 'crowd');
  return wanters.map((machine) => ({
    machine, wishes: Array.from({ length: ROUNDS }, (_, round) => ({ ...WISH, atUs: WARM_UP_US + round * ROUND_US + random.below(DELAY_US) })),
  }));
}

/** All nodes, or some of them, drawn: those at equal distances would meet in few nodes of a plane. */
function someOf(nodes: number, most: number): number[] {
  const all = Array.from({ length: nodes }, (_, index) => index);
  return new Random(1, 'wanters').inSomeOrder(all).slice(0, most).sort((a, b) => a - b);
}
