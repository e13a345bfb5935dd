/**
 * From a seed to a plan. What the options leave open is drawn: each parameter from a stream of its own,
 * so that fixing one leaves the others as they were.
 */
import { ceilingBlockOf, slackOf } from '../../src/core';
import { DEFAULT_DRIFT_MAX_PPM, DRIFT_MAX_PPM, drawRate, drawWildRate } from './clock-rates';
import { DAY_US, isSwarming } from './draw-context';
import type { DrawContext, RunOptions } from './draw-context';
import { drawAct } from './draw-act';
import { drawCallers, drawFrugalCallers } from './draw-callers';
import { drawFaults, drawLostForEver } from './draw-faults';
import { drawLatecomers } from './draw-latecomers';
import { drawNamesake } from './draw-namesakes';
import { drawRolling } from './draw-rolling';
import { drawGentleIntensities, drawIntensities, drawTheme, intensitiesOf, NAMESAKES_LEVELS, RELENTLESS_LEVELS, ROLLING_LEVELS, SPACED_LEVELS, STEADFAST_LEVELS, PATIENT, THIEVES, toPpm } from './intensities';
import { coterieOf } from './layout';
import { nodesDownMax } from './outages';
import { hasOutages } from './plan';
import type { CallerPlan, Change, DelayShape, Family, Fault, MachinePlan, NetworkPlan, Plan, Profile } from './plan';
import { Random } from './random';
import { whyNotOf } from './suits';

export type { RunOptions } from './draw-context';

/** How long there are faults, in leases. */
const DURATION_LEASES: Readonly<Record<Profile, readonly [min: number, max: number]>> = {
  calm: [3, 10], frugal: [3, 10], swarm: [3, 10], relentless: [60, 120], spaced: [30, 60], steadfast: [30, 60], rolling: [12, 30], namesakes: [20, 40], acts: [24, 36], adrift: [3, 10],
};

/** How often a Request is repeated, in percent of the lease: from near half of it, the most that a configuration may say, to a tenth. */
const THIRD = 100 / 3;
const RETRY_PERCENT: readonly number[] = [THIRD, THIRD, THIRD, 45, 20, 10];

/** The least slack, for each caller and node. */
const SLACK_PER_CALLER = 4;

export function drawPlan(seed: number, options: RunOptions = {}): Plan {
  const stream = (name: string): Random => new Random(seed, name);
  const drawnProfile = drawProfile(stream('profile'));
  const profile = options.profile ?? (options.faults !== undefined || whyNotOf(drawnProfile, options) !== null ? 'swarm' : drawnProfile);
  const isSwarm = isSwarming(profile);
  const isWithOutages = hasOutages(profile);
  const isRolling = profile === 'rolling';
  const hasNamesake = profile === 'namesakes';
  const hasAct = profile === 'acts';
  const hasFaults = isSwarm || isWithOutages || isRolling || hasNamesake || hasAct;
  const nodes = options.nodes ?? stream('nodes').pick(isRolling || hasAct ? [3, 4, 5, 6, 7] : isWithOutages || hasNamesake ? [3, 3, 4, 5, 5, 7] : [1, 3, 3, 3, 4, 4, 4, 5, 5, 7, 9]);
  const drawnFamily = options.family ?? drawFamily(stream('family'), nodes);
  // Of some grids no node may be down, for it is in every quorum.
  const family = isWithOutages && options.family === undefined && nodesDownMax(drawnFamily, nodes) === 0 ? 'majority' : drawnFamily;
  const leaseMs = options.leaseMs ?? stream('lease').pick(profile === 'spaced' || isRolling || hasNamesake || hasAct ? [1000, 5000] : hasFaults ? [60, 200, 1000, 5000] : [5000, 20_000]);
  const leaseUs = leaseMs * 1000;
  const drawnSlack = hasFaults && profile !== 'spaced' ? stream('slack').pick([40, 40, 100, 400, 5000, slackOf(leaseMs)]) : slackOf(leaseMs);
  const [leasesMin, leasesMax] = DURATION_LEASES[profile];
  const durationUs = options.durationMs === undefined ? leaseUs * stream('duration').between(leasesMin, leasesMax) : options.durationMs * 1000;
  const hasTheme = isSwarm && options.faults === undefined && stream('has theme').chance(100_000);
  const intensities = isSwarm ? (options.faults ? intensitiesOf(options.faults) : hasTheme ? drawTheme(stream('theme')) : drawIntensities(stream('faults')))
    : profile === 'relentless' ? drawGentleIntensities(stream('faults'), RELENTLESS_LEVELS)
    : profile === 'spaced' ? drawGentleIntensities(stream('faults'), SPACED_LEVELS)
    : profile === 'steadfast' ? drawGentleIntensities(stream('faults'), STEADFAST_LEVELS)
    : isRolling ? drawGentleIntensities(stream('faults'), ROLLING_LEVELS)
    : hasNamesake || hasAct ? drawGentleIntensities(stream('faults'), NAMESAKES_LEVELS)
    : intensitiesOf(profile === 'calm' ? stream('thieves').pick([THIEVES, PATIENT, {}, {}]) : {});
  const delayUs = Math.max(1, Math.floor(leaseUs / (isSwarm ? stream('delay').pick([2000, 500, 100, 30]) : 4000)));

  const driftMaxPpm = hasFaults ? stream('drift bound').pick(DRIFT_MAX_PPM) : DEFAULT_DRIFT_MAX_PPM;
  const context: DrawContext = { seed, profile, nodes, leaseUs, durationUs, delayUs, driftMaxPpm, intensities };
  const locks = options.locks ?? (profile === 'frugal' ? Math.min(nodes, 3) : stream('locks').pick([1, 1, 1, 2, 3]));
  const rolls = isRolling ? drawRolling(stream('rolling'), { nodes, leaseUs, durationUs }) : null;
  const twins = hasNamesake ? drawNamesake(stream('namesake'), { nodes, leaseUs, durationUs }) : null;
  const acts = hasAct ? drawAct(stream('act'), { nodes, leaseMs, durationUs, slackMin: SLACK_PER_CALLER * 8 * nodes * nodes }) : null;
  const faults = [...drawFaults(context, family), ...(rolls?.faults ?? []), ...(twins?.faults ?? []), ...(acts?.faults ?? [])].sort((a, b) => a.atUs - b.atUs);
  const callers = profile === 'frugal' ? drawFrugalCallers(context, locks) : withLatecomers(hasNamesake ? { ...context, nodes: nodes + 1 } : context, locks, faults, options);
  // Clocks rise with each message, and must not rise by more than SLACK while a Request is on its way.
  const slackMin = SLACK_PER_CALLER * callers.length * nodes;
  const change = profile === 'swarm' && options.slack === undefined && options.leaseMs === undefined ? drawChange(stream('change'), context, slackMin) : null;
  const slack = options.slack ?? Math.max(drawnSlack, change === null ? slackMin : 20 * slackMin);
  const retryPercent = hasFaults && profile !== 'steadfast' ? stream('retry').pick(RETRY_PERCENT) : THIRD;
  const retain = !hasFaults || !stream('retain').chance(profile === 'spaced' ? 250_000 : 100_000);
  const limits = isSwarm ? { ...drawLimits(stream('limits')), ...drawArbiterLimits(stream('limits of arbiters'), locks + nodes) } : {};
  return {
    seed,
    profile,
    family,
    locks,
    leaseMs,
    retryMs: Math.max(1, Math.floor((leaseMs * retryPercent) / 100)),
    driftMaxPpm,
    slack,
    retain,
    ...limits,
    ceilingBlock: options.ceilingBlock ?? (isSwarm || profile === 'spaced' ? stream('ceiling').pick([40, 400, ceilingBlockOf(leaseMs)]) : ceilingBlockOf(leaseMs)),
    durationUs,
    // An older file is covered by the wall clock only when that has overtaken the Lamport clock (protocol.md section 18).
    uptimeUs: stream('uptime').chance(500_000) && !hasAct ? DAY_US : 0,
    timerLagUs: 1000 + Math.floor(leaseUs * intensities.timer),
    diskUs: 1000 + Math.floor(leaseUs * intensities.disk),
    machines: drawMachines(twins === null ? context : { ...context, nodes: nodes + 1 }).map((machine, index) => (
      rolls !== null ? { ...machine, startUs: rolls.startUs[index] ?? 0 } :
      acts !== null ? { ...machine, startUs: acts.startUs[index] ?? 0, wallSkewUs: acts.wallSkewUs[index] ?? 0 } : twins !== null && index === nodes ? { ...machine, startUs: twins.startUs } : machine
    )),
    network: drawNetwork(context),
    ...(change === null ? {} : { change }),
    ...(rolls === null ? {} : { rolling: rolls.rolling, lostForEver: rolls.lostForEver }),
    ...(acts === null ? {} : { act: acts.act, lostForEver: acts.lostForEver }),
    ...(twins === null ? {} : { namesake: twins.namesake, lostForEver: twins.lostForEver }),
    faults: change === null ? faults : withRestart(faults, change, context),
    ...(isSwarm ? drawLostForEver(stream('lost for ever'), coterieOf(family, nodes)) : {}),
    callers,
    intensities,
  };
}

function withLatecomers(context: DrawContext, locks: number, faults: readonly Fault[], options: RunOptions): CallerPlan[] {
  const late = options.callers === undefined ? drawLatecomers(context, locks, faults) : { callers: [], host: null };
  const { callers, host } = late;
  const others = drawCallers(context, locks, host === null ? options : { ...options, sharedShare: 1 });
  return [...others.filter(({ machine }) => machine !== host), ...callers];
}

/** In some runs there is room for next to nothing. What it costs is time. */
function drawLimits(random: Random): Pick<Plan, 'heldBackMax' | 'locksKeptMax'> {
  if (random.chance(850_000)) return {};
  return { heldBackMax: random.pick([1, 3, 10]), locksKeptMax: random.below(3) };
}

/** In others an arbiter has room for all locks that there are (with those by which a node hears clocks) and no more, and for hardly more requests than live. */
function drawArbiterLimits(random: Random, locksMax: number): Pick<Plan, 'locksMax' | 'requestsOfANodeMax'> {
  if (random.chance(880_000)) return {};
  return { locksMax, requestsOfANodeMax: random.pick([1, 2, 3]) };
}

function drawChange(random: Random, { leaseUs, durationUs, delayUs }: DrawContext, slack: number): Change | null {
  if (!random.chance(80_000)) return null;
  const leaseMs = Math.floor(leaseUs / 1000 / random.pick([2, 4, 10]));
  // Messages and disks must be fast against the shorter lease too.
  if (leaseMs < 50 || leaseMs * 1000 < 400 * delayUs) return null;
  return { atUs: Math.floor(durationUs / 4) + random.below(Math.floor(durationUs / 2)), leaseMs, retryMs: Math.floor(leaseMs / 3), slack };
}

/** All nodes are stopped at once, or crash. Nothing is lost that remembers the old terms (protocol.md section 18.3). */
function withRestart(faults: readonly Fault[], { atUs }: Change, { seed, nodes, leaseUs }: DrawContext): Fault[] {
  const random = new Random(seed, 'faults:change');
  const how = random.pick(['crash', 'stop'] as const);
  const restarts = Array.from({ length: nodes }, (_, machine): Fault => ({
    kind: 'crash', atUs, forUs: 1 + random.below(leaseUs / random.pick([100, 4])), machine, how, wallBackUs: 0, writeLands: random.chance(500_000),
  }));
  const harmless = faults.filter((fault) => fault.kind !== 'crash' || fault.how === 'crash' || fault.how === 'stop');
  return [...harmless, ...restarts, ...drawDeathsInSilence(new Random(seed, 'faults:deaths in the silence'), restarts, leaseUs)].sort((a, b) => a.atUs - b.atUs);
}

/** In some runs a node dies once more before its silence is over: that of the longer lease, under which it last lent its vote. */
function drawDeathsInSilence(random: Random, restarts: readonly Fault[], leaseUs: number): Fault[] {
  if (!random.chance(400_000)) return [];
  return restarts.flatMap((fault): Fault[] => {
    if (fault.kind !== 'crash' || random.chance(500_000)) return [];
    return [{ ...fault, atUs: fault.atUs + fault.forUs + random.below(leaseUs), forUs: 1 + random.below(Math.floor(leaseUs / 100)), how: 'crash' }];
  });
}

function drawProfile(random: Random): Profile {
  const n = random.below(100);
  // Where no seed that a test or a mutant remembers lies.
  if (n >= 28 && n < 31) return 'steadfast';
  if (n >= 31 && n < 49) return 'spaced';
  if (n === 49 || n === 51) return 'rolling';
  if (n === 55 || n === 57) return 'namesakes';
  if (n === 61 || n === 63) return 'acts';
  return n < 6 ? 'frugal' : n < 14 ? 'calm' : n < 17 ? 'relentless' : n < 97 ? 'swarm' : 'adrift';
}

function drawFamily(random: Random, nodes: number): Family {
  const families: Family[] = ['majority'];
  if (nodes >= 3) families.push('grid', 'grid', 'wheel');
  if (nodes === 3 || nodes === 7 || nodes === 13) families.push('plane', 'plane');
  return random.pick(families);
}

function drawMachines({ seed, profile, nodes, leaseUs, driftMaxPpm, intensities }: DrawContext): MachinePlan[] {
  const random = new Random(seed, 'machines');
  const isStaggered = random.chance(300_000) && isSwarming(profile);
  // Frugal: clocks too far apart cost a repeat, and a ceiling on disk that another's clock is beyond costs time (protocol.md sections 3 and 7).
  const skewUs = random.pick(profile === 'frugal' ? [0, 500] : [0, 500, 5_000_000]);
  return Array.from({ length: nodes }, () => ({
    startUs: isStaggered ? random.below(leaseUs) : 0,
    ratePpm: profile === 'adrift' ? drawWildRate(random) : drawRate(random, intensities.drift, driftMaxPpm),
    wallSkewUs: random.between(0, skewUs),
  }));
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
