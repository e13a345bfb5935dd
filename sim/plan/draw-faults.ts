/** Which faults strike in a run, and when: each kind from a stream of its own, so that leaving one out moves no other. */
import type { MessageKind } from '../../src/core';
import type { Coterie } from '../../src/quorum/coterie';
import { drawRate, drawWildRate } from './clock-rates';
import { DAY_US } from './draw-context';
import type { DrawContext } from './draw-context';
import { toPpm } from './intensities';
import { drawMishaps } from './mishaps';
import { cutBothWays, drawOutages, RELENTLESS_LEASES, STEADFAST_LEASES } from './outages';
import { ECHO_MEMORY } from './plan';
import type { Family, Fault, FaultKind, LostMachine, Plan } from './plan';
import { MILLION, Random } from './random';

const MESSAGE_KINDS: readonly MessageKind[] = ['request', 'grant', 'release', 'inquire', 'yield'];

export function drawFaults({ seed, profile, nodes, leaseUs, durationUs, delayUs, driftMaxPpm, intensities }: DrawContext, family: Family): Fault[] {
  const outages = { family, nodes, leaseUs, durationUs };
  const faults = profile === 'relentless' ? drawOutages(new Random(seed, 'faults:relentless'), { ...outages, leases: RELENTLESS_LEASES })
    : profile === 'steadfast' ? drawOutages(new Random(seed, 'faults:steadfast'), { ...outages, leases: STEADFAST_LEASES })
    : profile === 'spaced' ? drawMishaps(new Random(seed, 'faults:spaced'), { ...outages, delayUs })
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
  plan('unseen', (random, atUs) => {
    const machine = random.below(nodes);
    faults.push({ kind: 'cut', as: 'unseen', atUs, forUs: spellUs(random), from: [machine], to: all.filter((other) => other !== machine) });
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
        const isSetBack = random.chance(toPpm(intensities.wall)) && how !== 'stale';
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
      faults.push({ kind: 'rate', atUs, machine: random.below(nodes), ratePpm: drawRate(random, intensities.drift, driftMaxPpm) });
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
export function drawLostForEver(random: Random, coterie: Coterie): Pick<Plan, 'lostForEver'> {
  if (random.chance(600_000)) return {};
  const core = new Set(coterie.nodes);
  const lostForEver: LostMachine[] = [];
  const candidates = random.inSomeOrder(coterie.nodes.map((id, machine) => ({ id, machine })));
  for (const { id, machine } of candidates) {
    const isLost = random.chance(700_000);
    const how = random.pick(['dead', 'frozen', 'cut', 'mute'] as const);
    if (!isLost || !coterie.containsQuorum(new Set([...core].filter((other) => other !== id)))) continue;
    core.delete(id);
    lostForEver.push({ machine, how });
  }
  return lostForEver.length === 0 ? {} : { lostForEver };
}
