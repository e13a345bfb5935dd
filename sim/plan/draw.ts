/**
 * From a seed to a plan. What the options leave open is drawn: each parameter from a stream of its own,
 * so that fixing one leaves the others as they were. Every seed leaves some kinds of fault out
 * altogether, for bugs hide where a frequent fault masks a rare one.
 */
import { DEFAULT_CEILING_BLOCK, DEFAULT_SLACK } from '../../src/core';
import type { MessageKind, Mode } from '../../src/core';
import type { Coterie } from '../../src/quorum/coterie';
import { ECHO_MEMORY } from '../world/echoes';
import { coterieOf } from './layout';
import { FAULT_KINDS, hasOutages } from './plan';
import type {
  CallerPlan, DelayShape, Family, Fault, FaultIntensities, FaultKind, LostMachine, MachinePlan, NetworkPlan, Plan, Profile, Wish,
} from './plan';
import { MILLION, Random } from './random';
import { cutBothWays, drawOutages, nodesDownMax, RELENTLESS_LEASES } from '../checks/relentless';
import { STEADFAST_LEASES } from '../checks/steadfast';

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

const DRIFT_MAX_PPM = 10_000;
/** Two clocks this far off in opposite directions differ by just less than the bound. */
const RATE_MAX_PPM = Math.floor((MILLION * DRIFT_MAX_PPM) / (2 * MILLION + DRIFT_MAX_PPM));

/** How long there are faults, in leases. */
const DURATION_LEASES: Readonly<Record<Profile, readonly [min: number, max: number]>> = {
  calm: [3, 10], frugal: [3, 10], swarm: [3, 10], relentless: [60, 120], steadfast: [30, 60], adrift: [3, 10],
};

/** How long a lock is held in `steadfast` runs, so that outages come up meanwhile. */
const HOLD_LEASES_MAX = 3;

/** With clocks beyond the bound, one may go at twice and a half the rate of true time and the other at half. */
const ADRIFT_PPM = { slowest: -500_000, fastest: 1_500_000 } as const;

const DAY_US = 86_400_000_000;

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
};

/** In some runs without faults there are callers that steal, from others that hold for long. */
const THIEVES = { steal: 0.2, linger: 0.3, deaf: 0.3 } as const;

const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];

const MESSAGE_KINDS: readonly MessageKind[] = ['request', 'grant', 'release', 'inquire', 'yield'];

/** The least slack, for each caller and node. */
const SLACK_PER_CALLER = 4;

/** A run costs about so many events unless its duration is fixed. */
const EVENTS_AIMED_AT = 700;

export function drawPlan(seed: number, options: RunOptions = {}): Plan {
  const stream = (name: string): Random => new Random(seed, name);
  const profile = options.profile ?? (options.faults ? 'swarm' : drawProfile(stream('profile')));
  const isSwarm = isSwarming(profile);
  const isWithOutages = hasOutages(profile);
  const hasFaults = isSwarm || isWithOutages;
  const nodes = options.nodes ?? stream('nodes').pick(isWithOutages ? [3, 3, 4, 5, 5, 7] : [1, 3, 3, 3, 4, 4, 4, 5, 5, 7, 9]);
  const drawnFamily = options.family ?? drawFamily(stream('family'), nodes);
  // Of some grids no node may be down, for it is in every quorum.
  const family = isWithOutages && options.family === undefined && nodesDownMax(drawnFamily, nodes) === 0 ? 'majority' : drawnFamily;
  const leaseMs = options.leaseMs ?? stream('lease').pick(hasFaults ? [60, 200, 1000, 5000] : [5000, 20_000]);
  const leaseUs = leaseMs * 1000;
  const drawnSlack = hasFaults ? stream('slack').pick([40, 40, 100, 400, 5000, DEFAULT_SLACK]) : DEFAULT_SLACK;
  const [leasesMin, leasesMax] = DURATION_LEASES[profile];
  const durationUs = options.durationMs === undefined ? leaseUs * stream('duration').between(leasesMin, leasesMax) : options.durationMs * 1000;
  const intensities = isSwarm ? (options.faults ? intensitiesOf(options.faults) : drawIntensities(stream('faults')))
    : profile === 'relentless' ? drawGentleIntensities(stream('faults'), RELENTLESS_LEVELS)
    : profile === 'steadfast' ? drawGentleIntensities(stream('faults'), STEADFAST_LEVELS)
    : intensitiesOf(profile === 'calm' && stream('thieves').chance(250_000) ? THIEVES : {});
  const delayUs = Math.max(1, Math.floor(leaseUs / (isSwarm ? stream('delay').pick([2000, 500, 100, 30]) : 4000)));

  const context: DrawContext = { seed, profile, nodes, leaseUs, durationUs, delayUs, intensities };
  const locks = options.locks ?? (profile === 'frugal' ? Math.min(nodes, 3) : stream('locks').pick([1, 1, 1, 2, 3]));
  const callers = profile === 'frugal' ? drawFrugalCallers(context, locks) : drawCallers(context, locks, options);
  // Clocks rise with each message, and must not rise by more than SLACK while a Request is on its way.
  const slack = options.slack ?? Math.max(drawnSlack, SLACK_PER_CALLER * callers.length * nodes);
  return {
    seed,
    profile,
    family,
    locks,
    leaseMs,
    retryMs: Math.max(1, Math.floor(leaseMs / 3)),
    driftMaxPpm: DRIFT_MAX_PPM,
    slack,
    ceilingBlock: options.ceilingBlock ?? (isSwarm ? stream('ceiling').pick([40, 400, DEFAULT_CEILING_BLOCK]) : DEFAULT_CEILING_BLOCK),
    durationUs,
    // A wiped disk is covered by the wall clock only when that has overtaken the Lamport clock (protocol.md section 3).
    uptimeUs: intensities.wipe + intensities.stale + intensities.corrupt > 0 || stream('uptime').chance(500_000) ? DAY_US : 0,
    timerLagUs: 1000 + Math.floor(leaseUs * intensities.timer),
    diskUs: 1000 + Math.floor(leaseUs * intensities.disk),
    machines: drawMachines(context),
    network: drawNetwork(context),
    faults: drawFaults(context, family),
    ...(isSwarm ? drawLostForEver(stream('lost for ever'), coterieOf(family, nodes)) : {}),
    callers,
    intensities,
  };
}

interface DrawContext {
  readonly seed: number;
  readonly profile: Profile;
  readonly nodes: number;
  readonly leaseUs: number;
  readonly durationUs: number;
  readonly delayUs: number;
  readonly intensities: FaultIntensities;
}

/** Any fault may happen at any time. */
function isSwarming(profile: Profile): boolean {
  return profile === 'swarm' || profile === 'adrift';
}

function drawProfile(random: Random): Profile {
  const n = random.below(100);
  // Where no seed that a test or a mutant remembers lies.
  if (n >= 28 && n < 31) return 'steadfast';
  return n < 6 ? 'frugal' : n < 14 ? 'calm' : n < 17 ? 'relentless' : n < 97 ? 'swarm' : 'adrift';
}

function drawFamily(random: Random, nodes: number): Family {
  const families: Family[] = ['majority'];
  if (nodes >= 3) families.push('grid', 'grid');
  if (nodes === 3 || nodes === 7 || nodes === 13) families.push('plane', 'plane');
  return random.pick(families);
}

export function intensitiesOf(some: Partial<FaultIntensities>): FaultIntensities {
  return Object.fromEntries(KINDS.map((kind) => [kind, some[kind] ?? 0])) as unknown as FaultIntensities;
}

function drawIntensities(random: Random): FaultIntensities {
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
const RELENTLESS_LEVELS: Partial<FaultIntensities> = {
  loss: 0.01, duplicate: 0.1, late: 0.05, reorder: 0.1, drift: 1, timer: 0.02, disk: 0.01, cancel: 0.1, echo: 5, twice: 0.1,
};

/** What may go on beside nodes that go down, where no lock may be lost: no loss of messages. */
const STEADFAST_LEVELS: Partial<FaultIntensities> = {
  duplicate: 0.1, late: 0.05, reorder: 0.1, drift: 1, timer: 0.02, disk: 0.01, cancel: 0.1, echo: 5, twice: 0.1, steal: 0.02,
};

function drawGentleIntensities(random: Random, levels: Partial<FaultIntensities>): FaultIntensities {
  return intensitiesOf(Object.fromEntries(Object.entries(levels).filter(() => random.chance(600_000))));
}

function drawMachines({ seed, profile, nodes, leaseUs, intensities }: DrawContext): MachinePlan[] {
  const random = new Random(seed, 'machines');
  const isStaggered = random.chance(300_000) && isSwarming(profile);
  // Frugal: clocks too far apart cost a repeat, and a ceiling on disk that another's clock is beyond costs time (protocol.md sections 3 and 7).
  const skewUs = random.pick(profile === 'frugal' ? [0, 500] : [0, 500, 5_000_000]);
  return Array.from({ length: nodes }, () => ({
    startUs: isStaggered ? random.below(leaseUs) : 0,
    ratePpm: profile === 'adrift' ? drawWildRate(random) : drawRate(random, intensities.drift),
    wallSkewUs: random.between(0, skewUs),
  }));
}

function drawRate(random: Random, share: number): number {
  const max = Math.floor(RATE_MAX_PPM * share);
  // The ends of the range are where it hurts.
  return random.pick([-max, max, random.between(-max, max)]);
}

function drawWildRate(random: Random): number {
  const { slowest, fastest } = ADRIFT_PPM;
  return random.pick([slowest, fastest, random.between(slowest, fastest)]);
}

function drawNetwork({ seed, profile, leaseUs, delayUs, intensities }: DrawContext): NetworkPlan {
  const random = new Random(seed, 'network');
  // Without faults, no Release comes so late that its lease ended first: that would set the clocks apart.
  const shapes: readonly DelayShape[] = isSwarming(profile) ? ['constant', 'uniform', 'heavy'] : ['constant', 'uniform'];
  return {
    delayUs,
    delayShape: random.pick(shapes),
    lossPpm: toPpm(intensities.loss),
    duplicatePpm: toPpm(intensities.duplicate),
    latePpm: toPpm(intensities.late),
    reorderPpm: toPpm(intensities.reorder),
    spikePpm: toPpm(intensities.spike),
    stragglerUs: delayUs * 6,
    lateUs: leaseUs * 2,
    // Without faults, callers begin when all nodes know each other.
    detectionUs: Math.floor(leaseUs / (isSwarming(profile) ? random.pick([50, 10, 2]) : 50)),
  };
}

export function toPpm(probability: number): number {
  return Math.round(probability * MILLION);
}

function drawFaults({ seed, profile, nodes, leaseUs, durationUs, intensities }: DrawContext, family: Family): Fault[] {
  const outages = { family, nodes, leaseUs, durationUs };
  const faults = profile === 'relentless' ? drawOutages(new Random(seed, 'faults:relentless'), { ...outages, leases: RELENTLESS_LEASES })
    : profile === 'steadfast' ? drawOutages(new Random(seed, 'faults:steadfast'), { ...outages, leases: STEADFAST_LEASES })
    : [];
  const all = Array.from({ length: nodes }, (_, index) => index);
  const plan = (kind: FaultKind, make: (random: Random, atUs: number) => void): void => {
    if (intensities[kind] === 0) return;
    const random = new Random(seed, `faults:${kind}`);
    const expectedPpm = Math.floor((toPpm(intensities[kind]) * Math.floor(durationUs / 100)) / Math.floor(leaseUs / 10));
    const count = Math.floor(expectedPpm / MILLION) + (random.chance(expectedPpm % MILLION) ? 1 : 0);
    for (let i = 0; i < count; i++) make(random, random.below(durationUs));
  };
  /** Mostly short against the lease, sometimes longer than it. */
  const spellUs = (random: Random): number => 1 + random.below(random.pick([leaseUs / 20, leaseUs / 4, leaseUs, leaseUs * 3]) | 0);

  plan('split', (random, atUs) => {
    const side = all.filter(() => random.chance(500_000));
    const rest = all.filter((node) => !side.includes(node));
    const forUs = spellUs(random);
    faults.push(...cutBothWays('split', { atUs, forUs }, side, rest));
  });
  plan('isolate', (random, atUs) => {
    const alone = [random.below(nodes)];
    const rest = all.filter((node) => !alone.includes(node));
    const forUs = spellUs(random);
    faults.push(...cutBothWays('isolate', { atUs, forUs }, alone, rest));
  });
  plan('oneway', (random, atUs) => {
    const some = all.filter(() => random.chance(300_000));
    const rest = all.filter((node) => !some.includes(node));
    const isOut = random.chance(500_000);
    faults.push({ kind: 'cut', as: 'oneway', atUs, forUs: spellUs(random), from: isOut ? some : rest, to: isOut ? rest : some });
  });
  plan('clog', (random, atUs) => {
    faults.push({ kind: 'clog', atUs, forUs: spellUs(random), from: random.below(nodes), to: random.below(nodes) });
  });
  plan('overflow', (random, atUs) => {
    faults.push({ kind: 'clog', atUs, forUs: spellUs(random), from: random.below(nodes), to: random.below(nodes), room: random.below(5) });
  });
  plan('flap', (random, atUs) => {
    const [one, other] = [random.below(nodes), random.below(nodes)];
    if (one === other) return;
    const periodUs = 2 + random.below(leaseUs / 4);
    for (let turn = random.between(3, 12); turn > 0; turn--) {
      faults.push(...cutBothWays('flap', { atUs: atUs + turn * periodUs, forUs: 1 + random.below(periodUs - 1) }, [one], [other]));
    }
  });
  plan('ring', (random, atUs) => {
    const forUs = spellUs(random);
    const turned = random.below(nodes);
    // With its neighbours on both sides each has just a majority, and no two the same one.
    const reach = Math.max(1, Math.ceil(Math.floor(nodes / 2) / 2));
    for (const node of all) {
      const to = all.filter((other) => Math.min((other - node + nodes) % nodes, (node - other + nodes) % nodes) > reach);
      if (nodes === 3 && node !== turned) to.push(...all.filter((other) => other !== node && other !== turned)); // A chain.
      if (to.length > 0) faults.push({ kind: 'cut', as: 'ring', atUs, forUs, from: [node], to });
    }
  });
  plan('suspect', (random, atUs) => {
    faults.push({ kind: 'suspect', atUs, forUs: spellUs(random), machine: random.below(nodes), peer: random.below(nodes) });
  });
  for (const how of ['crash', 'wipe', 'stop', 'stale', 'corrupt'] as const) {
    plan(how, (random, atUs) => {
      // Sometimes several nodes go at about the same time.
      const count = random.chance(250_000) ? random.between(1, nodes) : 1;
      for (let i = 0; i < count; i++) {
        const isSetBack = random.chance(toPpm(intensities.wall)) && (how === 'crash' || how === 'stop');
        faults.push({
          kind: 'crash',
          atUs: Math.min(durationUs - 1, atUs + random.below(leaseUs / 50)),
          forUs: spellUs(random),
          machine: random.below(nodes),
          how,
          wallBackUs: isSetBack ? random.below(3 * DAY_US) : 0,
          writeLands: random.chance(500_000),
        });
      }
    });
  }
  for (const kind of ['pause', 'sleep', 'full'] as const) {
    plan(kind, (random, atUs) => {
      faults.push({ kind, atUs, forUs: spellUs(random), machine: random.below(nodes) });
    });
  }
  plan('echo', (random, atUs) => {
    if (nodes === 1) return;
    // Of one kind: else the rare ones, which are the dangerous ones, would hardly ever be heard again.
    // Or whatever came in a row, as when a connection breaks before it was acknowledged.
    const message = random.pick<MessageKind | 'any'>([...MESSAGE_KINDS, 'any', 'any', 'any']);
    const count = message === 'any' ? random.between(2, ECHO_MEMORY) : 1;
    const from = random.below(nodes);
    const to = (from + 1 + random.below(nodes - 1)) % nodes;
    faults.push({ kind: 'echo', atUs, from, to, message, count, back: random.below(3) });
  });
  plan('jump', (random, atUs) => {
    faults.push({ kind: 'jump', atUs, machine: random.below(nodes), byUs: spellUs(random) });
  });
  plan('slow', (random, atUs) => {
    const perEventUs = 1 + random.below(leaseUs / 50);
    faults.push({ kind: 'slow', atUs, forUs: spellUs(random), machine: random.below(nodes), perEventUs });
  });
  if (intensities.drift > 0) {
    const random = new Random(seed, 'faults:drift');
    const count = random.below(nodes + 1);
    for (let i = 0; i < count; i++) {
      const atUs = random.below(durationUs);
      faults.push({ kind: 'rate', atUs, machine: random.below(nodes), ratePpm: drawRate(random, intensities.drift) });
    }
  }
  if (profile === 'adrift') {
    const random = new Random(seed, 'faults:adrift');
    for (let i = random.below(nodes + 1); i > 0; i--) {
      faults.push({ kind: 'rate', atUs: random.below(durationUs), machine: random.below(nodes), ratePpm: drawWildRate(random) });
    }
  }
  if (intensities.timer > 0) {
    const random = new Random(seed, 'faults:timer');
    for (let i = 0; i < 2 * nodes; i++) faults.push({ kind: 'wake', atUs: random.below(durationUs), machine: random.below(nodes) });
  }
  return faults.sort((a, b) => a.atUs - b.atUs);
}

/** In some runs only a core of the nodes is healed, chosen at random, which contains a quorum and often hardly more. */
function drawLostForEver(random: Random, coterie: Coterie): Pick<Plan, 'lostForEver'> {
  if (random.chance(600_000)) return {};
  const core = new Set(coterie.nodes);
  const lostForEver: LostMachine[] = [];
  const candidates = coterie.nodes.map((id, machine) => ({ id, machine, place: random.next() })).sort((a, b) => a.place - b.place);
  for (const { id, machine } of candidates) {
    const isLost = random.chance(700_000);
    const how = random.pick(['dead', 'frozen', 'cut'] as const);
    if (!isLost || !coterie.containsQuorum(new Set([...core].filter((other) => other !== id)))) continue;
    core.delete(id);
    lostForEver.push({ machine, how });
  }
  return lostForEver.length === 0 ? {} : { lostForEver };
}

/** What the callers of one run have in common: how eager they are and how long they stay. */
function drawCallers(context: DrawContext, locks: number, options: RunOptions): CallerPlan[] {
  const { seed, profile, nodes, leaseUs, durationUs, delayUs, intensities } = context;
  const random = new Random(seed, 'callers');
  const isCalm = profile === 'calm';
  const count = random.between(2, 3 + nodes);
  const offset = random.below(nodes);
  const stepPerCaller = random.pick([0, 1, 1, 1]);
  const drawnShare = random.pick([0, 0, 200_000, 500_000, 850_000]);
  const sharedPpm = options.sharedShare === undefined ? drawnShare : toPpm(options.sharedShare);
  const burstPpm = random.pick([200_000, 600_000, 950_000]);
  // So many entries one after the other, as fast as can be: tokens run far ahead of the clocks.
  const sprint = random.pick([0, 0, 20, 100]);
  const drawnHoldUsMax = Math.floor(leaseUs / random.pick([1000, 100, 20, 4, 4]));
  // With clocks beyond the bound it is the long holds that overlap.
  const isSteadfast = profile === 'steadfast';
  const holdUsMax = isCalm ? Math.floor(leaseUs / 1000) : profile === 'adrift' ? leaseUs : isSteadfast ? leaseUs * HOLD_LEASES_MAX : drawnHoldUsMax;
  // Half of the steadfast runs: nobody is in the way of a holder that asks for other votes.
  const isEachHisOwn = isSteadfast && locks <= nodes && new Random(seed, 'each his own').chance(500_000);

  const machines = options.callers === undefined
    ? Array.from({ length: count }, (_, i) => (offset + i * stepPerCaller + (random.chance(200_000) ? 1 : 0)) % nodes)
    : Array.from({ length: options.callers * nodes }, (_, i) => i % nodes);
  // An entry costs about 3 messages an arbiter, and some for faults and contention.
  const wishesAimedAt = EVENTS_AIMED_AT / (8 + 2 * nodes);
  const leases = options.durationMs === undefined ? (profile === 'relentless' ? 5 : 1) : Math.max(1, durationUs / (leaseUs * 6));
  const wishesEach = isSteadfast ? Math.ceil(durationUs / (leaseUs * HOLD_LEASES_MAX)) : Math.ceil((wishesAimedAt * leases) / machines.length);
  const spreadUs = Math.floor((2 * durationUs) / wishesEach);

  return machines.map((drawnMachine, index) => {
    const machine = isEachHisOwn ? drawnMachine % locks : drawnMachine;
    const own = new Random(seed, 'wishes', index);
    const wishes: Wish[] = [];
    const sprintsAt = own.below(wishesEach);
    for (let i = 0; i < wishesEach; i++) {
      const isBurst = own.chance(burstPpm);
      const mode: Mode = own.chance(sharedPpm) ? 'shared' : 'exclusive';
      const patienceUs = 1 + own.below(own.pick([delayUs * 8, leaseUs]));
      const lingersUs = own.chance(toPpm(intensities.linger)) ? leaseUs + own.below(leaseUs) : 0;
      wishes.push({
        lock: isEachHisOwn ? machine : own.below(locks),
        mode,
        thinkUs: (i === 0 && isCalm ? leaseUs / 10 : 0) + (isBurst ? own.below(delayUs * 3) : own.below(spreadUs)),
        holdUs: lingersUs + own.below(holdUsMax),
        patienceUs: own.chance(toPpm(intensities.cancel)) ? patienceUs : null,
        steals: own.chance(toPpm(intensities.steal)),
        // No draw where the kind is off, so that the other wishes stay as they were.
        ...(intensities.twice > 0 && own.chance(toPpm(intensities.twice)) ? { releasesTwice: true } : {}),
        ...(intensities.deaf > 0 && own.chance(toPpm(intensities.deaf))
          ? { hearsAfterUs: own.below(own.pick(isCalm ? [delayUs * 2] : [delayUs * 2, leaseUs / 4, leaseUs * 2])) } : {}),
      });
      if (i === sprintsAt) wishes.push(...Array.from({ length: sprint }, () => drawQuickWish(own, wishes[i])));
    }
    return { machine, wishes };
  });
}

/** Once more the same, at once and not for long. */
function drawQuickWish(random: Random, like: Wish | undefined): Wish {
  const { lock, mode } = like ?? { lock: 0, mode: 'exclusive' };
  return { lock, mode, thinkUs: random.below(20), holdUs: random.below(20), patienceUs: null, steals: false };
}

/** Each lock has one node that wants it, always in the same mode, with one caller or two. */
function drawFrugalCallers({ seed, nodes, leaseUs }: DrawContext, locks: number): CallerPlan[] {
  const callers: CallerPlan[] = [];
  for (let lock = 0; lock < locks; lock++) {
    const random = new Random(seed, 'frugal', lock);
    const mode = random.pick<Mode>(['exclusive', 'exclusive', 'shared']);
    const machine = lock % nodes;
    for (let caller = random.between(1, 2); caller > 0; caller--) {
      const wishes = Array.from({ length: random.between(2, 8) }, (_, i): Wish => ({
        lock,
        mode,
        thinkUs: (i === 0 ? leaseUs / 10 : 0) + random.below(random.pick([leaseUs / 200, leaseUs / 2, leaseUs * 2])),
        // Now and then for so long that it must be renewed.
        holdUs: random.below(random.pick([leaseUs / 50, leaseUs / 50, leaseUs * 2])),
        patienceUs: null,
        steals: false,
      }));
      callers.push({ machine, wishes });
    }
  }
  return callers;
}
