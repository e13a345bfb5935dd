/**
 * The faults of a `spaced` run: one at a time, and the next one only when all that the last one may cost is over. So whatever
 * waits in between is held to a tight bound (checks/prompt.ts).
 */
import type { MessageKind } from '../../src/core';
import { cutBothWays, nodesDownMax } from './outages';
import type { Family, Fault } from './plan';
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

const KINDS = [
  'crash', 'crash', 'stop', 'wipe', 'pause', 'sleep', 'isolate', 'oneway', 'link', 'blink', 'blink', 'suspect', 'clog', 'overflow', 'full', 'jump', 'echo', 'slow',
] as const;

const MESSAGES: readonly (MessageKind | 'any')[] = ['request', 'grant', 'release', 'inquire', 'yield', 'any', 'any'];

export function drawMishaps(random: Random, settings: MishapSettings): Fault[] {
  const { family, nodes, leaseUs, durationUs } = settings;
  const mayLoseOne = nodesDownMax(family, nodes) > 0;
  const faults: Fault[] = [];
  for (let atUs = leaseUs + random.below(leaseUs); atUs < durationUs - leaseUs; ) {
    const mishap = drawMishap(random, settings, atUs, mayLoseOne);
    faults.push(...mishap);
    const overUs = Math.max(atUs, ...mishap.map((fault) => fault.atUs + ('forUs' in fault ? fault.forUs : 0)));
    atUs = overUs + SPACE_LEASES * leaseUs + random.below(leaseUs * 2);
  }
  return faults;
}

function drawMishap(random: Random, { nodes, leaseUs, delayUs }: MishapSettings, atUs: number, mayLoseOne: boolean): Fault[] {
  const kind = random.pick(KINDS);
  const machine = random.below(nodes);
  const peer = (machine + 1 + random.below(Math.max(1, nodes - 1))) % nodes;
  const others = Array.from({ length: nodes }, (_, other) => other).filter((other) => other !== machine);
  const forUs = 1 + random.below(random.pick([leaseUs / 20, leaseUs / 2, leaseUs * 2, leaseUs * 2]) | 0);
  const briefUs = 1 + random.below(delayUs * 4);
  const writeLands = random.chance(500_000);
  switch (kind) {
    case 'crash':
    case 'stop':
    case 'wipe':
      return mayLoseOne ? [{ kind: 'crash', atUs, forUs, machine, how: kind, wallBackUs: 0, writeLands }] : [];
    case 'pause':
    case 'sleep':
    case 'full':
      return mayLoseOne ? [{ kind, atUs, forUs, machine }] : [];
    case 'isolate':
      return mayLoseOne ? cutBothWays('isolate', { atUs, forUs }, [machine], others) : [];
    case 'oneway':
      return mayLoseOne ? [{ kind: 'cut', as: 'oneway', atUs, forUs, from: writeLands ? [machine] : others, to: writeLands ? others : [machine] }] : [];
    case 'link':
      return mayLoseOne ? cutBothWays('flap', { atUs, forUs }, [machine], [peer]) : [];
    case 'blink': // Too short to be noticed: some messages are lost.
      return [{ kind: 'cut', as: 'oneway', atUs, forUs: briefUs, from: [machine], to: writeLands ? [peer] : others }];
    case 'suspect':
      return mayLoseOne ? [{ kind, atUs, forUs, machine, peer }] : [];
    case 'clog':
      return mayLoseOne ? [{ kind, atUs, forUs, from: machine, to: peer }] : [];
    case 'overflow':
      return mayLoseOne ? [{ kind: 'clog', atUs, forUs, from: machine, to: peer, room: random.below(5) }] : [];
    case 'jump':
      return [{ kind, atUs, machine, byUs: forUs }];
    case 'echo': {
      const message = random.pick(MESSAGES);
      return nodes === 1 ? [] : [{ kind, atUs, from: machine, to: peer, message, count: message === 'any' ? random.between(2, 8) : 1, back: random.below(3) }];
    }
    case 'slow':
      return [{ kind, atUs, forUs, machine, perEventUs: 1 + random.below(leaseUs / 100) }];
  }
}
