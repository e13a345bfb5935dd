/**
 * What an entry costs in clusters of up to 1,000 nodes: the production core in the simulator, with a network that delays each message
 * by the same time and loses none. Deterministic: the same figures on any machine.
 */
import { ceilingBlockOf, slackOf } from '../../src/core';
import type { Entry, Witness } from '../../sim/checks/witness';
import { PRODUCTION_CORE } from '../../sim/core';
import { FAULT_KINDS } from '../../sim/plan/plan';
import { Random } from '../../sim/plan/random';
import type { CallerPlan, Family, FaultIntensities, Plan, Wish } from '../../sim/plan/plan';
import { World } from '../../sim/world/world';

export interface Scale {
  readonly family: Family;
  readonly nodes: number;
  /** Nodes in the quorum that is asked first; the mean of those that enter alone. */
  readonly quorum: number;
  /** Messages an entry, when nobody else wants the lock and nothing is retained. */
  readonly alone: number;
  /** Messages an entry, when up to 24 nodes (6 of more than 200) want the lock all the time. */
  readonly contended: number;
  /** From the release of one node to the entry of the next, in the time that a message takes. The mean of all hand-overs. */
  readonly handOverDelays: number;
}

const LEASE_MS = 60_000;
const DELAY_US = 1_000;
const HOLD_US = 10 * DELAY_US;
/** Up to so long between two wishes of a node that contends. */
const THINK_US = 4 * HOLD_US;
const WARM_UP_US = 1_000_000;
/** So far apart that nobody meets anybody. */
const APART_US = 100 * DELAY_US;
/** Fewer in large clusters, where each costs time that grows with their square. */
const wantersMax = (nodes: number): number => (nodes > 200 ? 6 : 24);
const ENTRIES = 400;
/** At the start entries are few and clocks far apart. */
const LEFT_OUT = 48;
/** A request that came so long before the release has reached everybody by then. */
const ASKED_BEFORE_US = 4 * DELAY_US;

/** Ends a run that has shown what it was to show. */
class Enough extends Error {}

export function measureScale(family: Family, nodes: number): Scale {
  const [alone, contended] = [new Meter(), new Meter(LEFT_OUT, ENTRIES)];
  const callers = loners(nodes);
  const { coterie, nodeIds } = run(planOf(family, nodes, callers, false), alone).scene;
  run(planOf(family, nodes, contenders(nodes), true), contended);
  const quorum = callers.reduce((sum, { machine }) => sum + coterie.votingSet(nodeIds[machine] ?? '').length, 0) / callers.length;
  return { family, nodes, quorum, alone: alone.messagesPerEntry, contended: contended.messagesPerEntry, handOverDelays: contended.handOverDelays };
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

/** Counts messages and entries, from entry `from` to entry `to`. */
class Meter implements Witness {
  private messages = 0;
  private entries = 0;
  private leftAtUs: number | null = null;
  private readonly handOversUs: number[] = [];
  private world: World | null = null;

  constructor(private readonly from = 0, private readonly to = Infinity) {}

  watch(world: World): void {
    this.world = world;
  }

  sent(from: number, to: number): void {
    if (this.isCounted && from !== to) this.messages++;
  }

  entered({ machine, caller }: Entry): void {
    // One who asked only later did not wait for this release.
    const { leftAtUs } = this;
    const waited = leftAtUs !== null && caller.askedAtUs + ASKED_BEFORE_US < leftAtUs;
    if (this.isCounted && waited && machine !== this.lastMachine) this.handOversUs.push(this.nowUs - leftAtUs);
    this.lastMachine = machine;
    this.leftAtUs = null;
    if (++this.entries >= this.to) throw new Enough();
  }

  left(): void {
    this.leftAtUs = this.nowUs;
  }

  get messagesPerEntry(): number {
    return this.messages / (this.entries - this.from);
  }

  get handOverDelays(): number {
    return this.handOversUs.reduce((sum, us) => sum + us, 0) / this.handOversUs.length / DELAY_US;
  }

  private lastMachine = -1;

  private get isCounted(): boolean {
    return this.entries >= this.from;
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

/** Each node in turn, or as many of them as there is time for, all over the cluster. */
function loners(nodes: number): CallerPlan[] {
  return spread(nodes, wantersMax(nodes)).map((machine, index) => ({ machine, wishes: [{ ...WISH, atUs: WARM_UP_US + index * APART_US }] }));
}

/** All begin at the same time, and ask again some time after they have left, so that no order settles in. */
function contenders(nodes: number): CallerPlan[] {
  const random = new Random(1, 'contenders');
  return spread(nodes, wantersMax(nodes)).map((machine) => ({
    machine,
    wishes: Array.from({ length: ENTRIES }, (_, index) => (index === 0 ? { ...WISH, atUs: WARM_UP_US } : { ...WISH, thinkUs: random.below(THINK_US) })),
  }));
}

function spread(nodes: number, most: number): number[] {
  const count = Math.min(nodes, most);
  return Array.from({ length: count }, (_, index) => Math.floor((index * nodes) / count));
}
