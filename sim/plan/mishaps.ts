/**
 * The mishaps of a `spaced` run: one at a time, and the next one only when all that the last one may cost is over. So whatever
 * waits in between is held to a tight bound (checks/prompt.ts). A mishap is one fault, or a few that belong together.
 */
import type { MessageKind } from '../../src/core';
import { cutBothWays, endUsOf, nodesDownMax } from './outages';
import type { Death, Family, Fault } from './plan';
import type { Random } from './random';

export interface MishapSettings {
  readonly family: Family;
  readonly nodes: number;
  readonly leaseUs: number;
  readonly delayUs: number;
  readonly durationUs: number;
}

/** From the end of one to the next, in leases: a silent one, another in which a node without memory hears of its peers, and one to see what follows. */
const SPACE_LEASES = 3;

const MESSAGES: readonly (MessageKind | 'any')[] = ['request', 'grant', 'release', 'inquire', 'yield', 'any', 'any'];

/** What a mishap is made of. */
interface Circumstances {
  readonly random: Random;
  readonly atUs: number;
  readonly leaseUs: number;
  readonly delayUs: number;
  readonly machine: number;
  readonly others: readonly number[];
  /** One of the others. */
  readonly peer: number;
  /** Mostly short against the lease, sometimes longer than it. */
  readonly forUs: number;
  readonly isEven: boolean;
}

/** Those for which a node may be down, and the others still contain a quorum. */
const ONE_DOWN: Readonly<Record<string, (scene: Circumstances) => readonly Fault[]>> = {
  crash: (scene) => [death(scene, scene.machine, 'crash', scene.atUs, scene.forUs)],
  stop: (scene) => [death(scene, scene.machine, 'stop', scene.atUs, scene.forUs)],
  wipe: (scene) => [death(scene, scene.machine, 'wipe', scene.atUs, scene.forUs)],
  /** It dies again in its silence, for longer. */
  relapse: (scene) => {
    const { atUs, leaseUs, random, machine } = scene;
    const againUs = atUs + leaseUs / 4 + random.below(leaseUs / 2);
    return [death(scene, machine, 'crash', atUs, 1 + random.below(leaseUs / 8)), death(scene, machine, 'crash', againUs, leaseUs * 3)];
  },
  /** A node without memory asks one that has just started again. */
  forgetful: (scene) => {
    const { atUs, leaseUs, random, machine, peer } = scene;
    const againUs = atUs + leaseUs / 4 + random.below(leaseUs / 2);
    return [death(scene, machine, 'wipe', atUs, 1 + random.below(leaseUs / 8)), death(scene, peer, 'crash', againUs, 1 + random.below(leaseUs / 8))];
  },
  /** A node without memory asks, and the answers are lost. */
  unheard: (scene) => {
    const { atUs, leaseUs, random, machine, others } = scene;
    const forUs = 1 + random.below(leaseUs / 8);
    const askedUs = atUs + forUs + leaseUs;
    return [
      death(scene, machine, 'wipe', atUs, forUs),
      { kind: 'cut', as: 'unseen', atUs: Math.floor(askedUs - leaseUs / 20), forUs: Math.floor(leaseUs / 10), from: others, to: [machine] },
    ];
  },
  /** One is away for long, and another one starts again: what it lent is shown to it. */
  restart: (scene) => {
    const { atUs, leaseUs, random, machine, peer } = scene;
    return [death(scene, machine, 'crash', atUs, leaseUs * 5), death(scene, peer, 'crash', atUs + leaseUs * 2 + random.below(leaseUs), 1 + random.below(leaseUs / 20))];
  },
  pause: ({ atUs, forUs, machine }) => [{ kind: 'pause', atUs, forUs, machine }],
  sleep: ({ atUs, forUs, machine }) => [{ kind: 'sleep', atUs, forUs, machine }],
  full: ({ atUs, forUs, machine }) => [{ kind: 'full', atUs, forUs, machine }],
  isolate: ({ atUs, forUs, machine, others }) => cutBothWays('isolate', { atUs, forUs }, [machine], others),
  oneway: ({ atUs, forUs, machine, others, isEven }) =>
    [{ kind: 'cut', as: 'oneway', atUs, forUs, from: isEven ? [machine] : others, to: isEven ? others : [machine] }],
  link: ({ atUs, forUs, machine, peer }) => cutBothWays('flap', { atUs, forUs }, [machine], [peer]),
  suspect: ({ atUs, forUs, machine, peer }) => [{ kind: 'suspect', atUs, forUs, machine, peer }],
  clog: ({ atUs, forUs, machine, peer }) => [{ kind: 'clog', atUs, forUs, from: machine, to: peer }],
  overflow: ({ atUs, forUs, machine, peer, random }) => [{ kind: 'clog', atUs, forUs, from: machine, to: peer, room: random.below(5) }],
  /** For nearly a lease: those inside keep the lock with hardly anything left of it. */
  gasp: ({ atUs, leaseUs, machine, others, random }) => cutBothWays('isolate', { atUs, forUs: Math.floor(leaseUs * 0.75) + random.below(leaseUs / 5) }, [machine], others),
  /** Nothing comes from it to one peer. */
  mumble: ({ atUs, leaseUs, machine, peer, random }) =>
    [{ kind: 'cut', as: 'unseen', atUs, forUs: 1 + random.below(leaseUs / 2), from: [machine], to: [peer] }],
  /** It is up, and answers nothing. */
  unseen: ({ atUs, leaseUs, machine, others, random }) =>
    [{ kind: 'cut', as: 'unseen', atUs, forUs: leaseUs * 2 + random.below(leaseUs * 8), from: [machine], to: others }],
};

/** Two nodes may be down. */
const TWO_DOWN: typeof ONE_DOWN = {
  /** One answers nothing while another one is down. */
  unseenAndDead: (scene) => {
    const { atUs, leaseUs, machine, others, peer } = scene;
    return [
      death(scene, peer, 'crash', atUs, leaseUs * 9),
      { kind: 'cut', as: 'unseen', atUs: atUs + leaseUs, forUs: leaseUs * 8, from: [machine], to: others },
    ];
  },
  /** A node loses its memory while another one is down. */
  forgetfulAndDead: (scene) => {
    const { atUs, leaseUs, random, machine, peer } = scene;
    return [death(scene, peer, 'crash', atUs, leaseUs * 6), death(scene, machine, 'wipe', atUs + leaseUs / 2, 1 + random.below(leaseUs / 4))];
  },
};

const NONE_DOWN: typeof ONE_DOWN = {
  /** Too short to be noticed: some messages are lost. */
  blink: ({ atUs, random, delayUs, machine, peer, others, isEven }) =>
    [{ kind: 'cut', as: 'oneway', atUs, forUs: 1 + random.below(delayUs * 4), from: [machine], to: isEven ? [peer] : others }],
  jump: ({ atUs, forUs, machine }) => [{ kind: 'jump', atUs, machine, byUs: forUs }],
  echo: ({ atUs, random, machine, peer }) => {
    const message = random.pick(MESSAGES);
    return [{ kind: 'echo', atUs, from: machine, to: peer, message, count: message === 'any' ? random.between(2, 8) : 1, back: random.below(3) }];
  },
  slow: ({ atUs, forUs, random, machine, leaseUs }) => [{ kind: 'slow', atUs, forUs, machine, perEventUs: 1 + random.below(leaseUs / 100) }],
};

export function drawMishaps(random: Random, { family, nodes, leaseUs, delayUs, durationUs }: MishapSettings): Fault[] {
  const downMax = nodesDownMax(family, nodes);
  const kinds = [...Object.values(NONE_DOWN), ...Object.values(NONE_DOWN), ...(downMax > 0 ? Object.values(ONE_DOWN) : []), ...(downMax > 1 ? Object.values(TWO_DOWN) : [])];
  // Some runs have favourites: what needs several turns of one kind, or one node struck again and again, comes up there.
  const favourite = random.chance(300_000) ? random.pick(kinds) : null;
  const victim = random.chance(300_000) ? random.below(nodes) : null;
  const faults: Fault[] = [];
  for (let atUs = leaseUs + random.below(leaseUs); atUs < durationUs - leaseUs; ) {
    const machine = victim !== null && random.chance(700_000) ? victim : random.below(nodes);
    const others = Array.from({ length: nodes }, (_, other) => other).filter((other) => other !== machine);
    const first = random.below(others.length);
    const draw = favourite !== null && random.chance(700_000) ? favourite : random.pick(kinds);
    const mishap = draw({
      random, atUs, leaseUs, delayUs, machine, others,
      peer: others[first] ?? machine,
      forUs: 1 + random.below(random.pick([leaseUs / 20, leaseUs / 2, leaseUs * 2, leaseUs * 2]) | 0),
      isEven: random.chance(500_000),
    });
    faults.push(...mishap);
    const overUs = Math.max(atUs, ...mishap.map(endUsOf));
    atUs = overUs + SPACE_LEASES * leaseUs + random.below(leaseUs * 2);
  }
  return faults;
}

function death({ random }: Circumstances, machine: number, how: Death, atUs: number, forUs: number): Fault {
  return { kind: 'crash', atUs: Math.floor(atUs), forUs: Math.floor(forUs), machine, how, wallBackUs: 0, writeLands: random.chance(500_000) };
}
