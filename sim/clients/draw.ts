/** Draws a plan from a seed: the same seed, the same plan, on any machine. */
import { DRIFT_MAX_PPM, drawRate } from '../plan/clock-rates';
import { MILLION, Random } from '../plan/random';
import type { Break, ClientFault, ClientProfile, ClientsPlan, Wish } from './plan';

const MS = 1_000;

/** So long it takes in `breaks` runs until the next stream of a client breaks: a client is back by then. */
const APART_US = 600 * MS;

const LOSSES_PPM = [0, MILLION / 2, MILLION] as const;

/** Nobody tells the node that a stream broke; after so many leases its transport finds out at last. */
export const KEEPALIVE_LEASES = 8;

type FaultKind = ClientFault['kind'];
const SWARM_KINDS: readonly FaultKind[] = [
  'breaks', 'breaksAtFrame', 'unreachable', 'clientPauses', 'nodePauses', 'nodeSleeps', 'nodeRestarts', 'cutOff', 'steals', 'vanishes', 'closes', 'wakes',
];

export interface ClientsOptions {
  readonly profile?: ClientProfile;
  /** Everybody asks to be alone, steals from nobody, and waits. */
  readonly alone?: boolean;
}

export function drawClientsPlan(seed: number, { profile: fixed, alone = false }: ClientsOptions = {}): ClientsPlan {
  const random = new Random(seed, 'clients');
  const drawn = random.pick<ClientProfile>(['swarm', 'swarm', 'swarm', 'swarm', 'swarm', 'swarm', 'breaks', 'breaks', 'breaks', 'calm']);
  const profile = fixed ?? drawn;
  const isSwarm = profile === 'swarm';
  const leaseMs = isSwarm ? random.pick([200, 1_000, 1_000, 3_000]) : random.pick([2_000, 3_000]);
  const driftMaxPpm = random.pick(DRIFT_MAX_PPM);
  const rate = (): number => drawRate(random, 1, driftMaxPpm);
  const nodes = random.pick([1, 1, 2, 3]);
  const clients = random.pick([1, 2, 2, 3, 4]);
  const locks = random.pick([1, 1, 2, 3]);
  const delayMaxUs = isSwarm ? random.pick([500, 2 * MS, 10 * MS, 40 * MS]) : random.pick([500, 2 * MS, 10 * MS]);
  const healAtUs = random.between(3, 8) * leaseMs * MS;
  const crowd = random.chance(10_000) ? random.between(200, 600) : 0;
  return {
    seed, profile, leaseMs, driftMaxPpm, locks: locks + crowd, delayMaxUs, healAtUs,
    nodeRatesPpm: Array.from({ length: nodes }, rate),
    clientRatesPpm: Array.from({ length: clients }, rate),
    keepers: drawKeepers(seed, clients),
    quorumRatePpm: rate(),
    answerMs: isSwarm ? random.pick([150, 600, 2_000]) : 2_000,
    idleMs: random.pick([0, 50, 2_000]),
    frameBytesMax: random.pick([20, 100, 64_000]),
    turnMaxUs: random.pick([0, 200, 3 * MS]),
    refusedPpm: random.pick([0, 0, 50_000]),
    wishes: drawWays(alone ? null : new Random(seed, 'ways to ask'), drawLimits(new Random(seed, 'limits of holds'), isSwarm, leaseMs, [...drawWishes(random, { nodes, clients, locks, healAtUs, leaseMs }), ...drawCrowd(random, { nodes, clients, locks, crowd })])),
    faults: profile === 'calm' ? [] : drawFaults(random, { isSwarm, nodes, clients, locks, healAtUs, leaseMs }),
  };
}

type LimitedWish = Omit<Wish, 'mode' | 'ifAvailable' | 'steals'>;
type FreeWish = Omit<LimitedWish, 'maxHoldMs' | 'atLeastMs'>;

/** By numbers of its own. */
function drawKeepers(seed: number, clients: number): boolean[] {
  const random = new Random(seed, 'keepers');
  return Array.from({ length: clients }, () => random.chance(500_000));
}

interface Sizes {
  readonly nodes: number;
  readonly clients: number;
  readonly locks: number;
  readonly healAtUs: number;
  readonly leaseMs: number;
}

function drawWishes(random: Random, { nodes, clients, locks, healAtUs, leaseMs }: Sizes): FreeWish[] {
  const leaseUs = leaseMs * MS;
  const count = random.between(2, 8) * clients;
  return Array.from({ length: count }, () => ({
    client: random.below(clients),
    node: random.below(nodes),
    lock: random.below(locks),
    // Many at once share a frame.
    atUs: random.chance(400_000) ? Math.floor((healAtUs * random.below(4)) / 4) + random.below(3 * MS) : random.below(healAtUs),
    holdUs: random.pick([0, random.below(20 * MS), random.below(leaseUs), random.below(3 * leaseUs)]),
    patienceUs: random.chance(200_000) ? random.below(leaseUs) : null,
  }));
}

/** In some runs locks may be held for some time at most, or are held on for some time at least. Where every lock must outlive a break, none are. */
function drawLimits(random: Random, isSwarm: boolean, leaseMs: number, wishes: readonly FreeWish[]): LimitedWish[] {
  const hasLimits = isSwarm && random.chance(300_000);
  return wishes.map((wish) => ({
    ...wish,
    maxHoldMs: hasLimits && random.chance(400_000) ? random.between(leaseMs / 4, 2 * leaseMs) : null,
    atLeastMs: hasLimits && random.chance(400_000) ? random.between(1, leaseMs) : 0,
  }));
}

/** In half of the runs there are readers beside writers; in some are thieves, and some who take a lock only if it is free. */
function drawWays(random: Random | null, wishes: readonly LimitedWish[]): Wish[] {
  if (random === null) return wishes.map((wish) => ({ ...wish, mode: 'exclusive', ifAvailable: false, steals: false }));
  const sharedPpm = random.pick([0, 0, 300_000, 700_000]);
  const ifAvailablePpm = random.pick([0, 0, 0, 300_000]);
  const stealsPpm = random.pick([0, 0, 0, 100_000]);
  return wishes.map((wish) => {
    const mode = random.chance(sharedPpm) ? 'shared' : 'exclusive';
    const ifAvailable = random.chance(ifAvailablePpm);
    const steals = random.chance(stealsPpm) && mode === 'exclusive' && !ifAvailable;
    return { ...wish, mode, ifAvailable, steals };
  });
}

/** A client with many locks that nobody else wants. */
function drawCrowd(random: Random, { nodes, clients, locks, crowd }: { readonly nodes: number; readonly clients: number; readonly locks: number; readonly crowd: number }): FreeWish[] {
  const client = random.below(clients);
  const node = random.below(nodes);
  return Array.from({ length: crowd }, (_, index) => ({ client, node, lock: locks + index, atUs: random.below(50 * MS), holdUs: random.pick([200, 2_500]) * MS, patienceUs: null }));
}

function drawFaults(random: Random, sizes: Sizes & { readonly isSwarm: boolean }): ClientFault[] {
  const { isSwarm, nodes, clients, healAtUs, leaseMs } = sizes;
  if (isSwarm) {
    // A frequent fault can mask a rare one.
    const kinds = SWARM_KINDS.filter(() => random.chance(450_000));
    const count = random.between(2, 16);
    return kinds.length === 0 ? [] : Array.from({ length: count }, () => drawFault(random, random.pick(kinds), sizes)).flatMap((fault) => withPause(random, fault, sizes));
  }
  const faults: ClientFault[] = [];
  const how = (): Break => ({
    clientUs: random.below(50 * MS), nodeUs: random.pick([0, random.below(50 * MS), random.below(leaseMs * MS)]),
    lossPpm: random.pick(LOSSES_PPM), again: random.chance(200_000),
  });
  for (let client = 0; client < clients; client++) {
    for (let node = 0; node < nodes; node++) {
      // Each is let pass when the one before is too near (`Faults`).
      for (let count = random.below(4); count > 0; count--) {
        faults.push({ kind: 'breaksAtFrame', client, node, way: random.pick(['up', 'down']), frame: random.between(1, 30), how: how() });
      }
      for (let atUs = random.below(APART_US); atUs < healAtUs; atUs += random.between(APART_US, 3 * APART_US)) {
        faults.push({ kind: 'breaks', atUs, client, node, how: how() });
      }
    }
  }
  return faults;
}

/** Some whose stream breaks are frozen meanwhile, and come back when it may be too late. */
function withPause(random: Random, fault: ClientFault, { healAtUs, leaseMs }: Sizes): ClientFault[] {
  if (fault.kind !== 'breaks' || !random.chance(300_000)) return [fault];
  const atUs = Math.min(healAtUs, fault.atUs + random.below(300 * MS));
  return [fault, { kind: 'clientPauses', atUs, client: fault.client, forUs: Math.min(healAtUs - atUs, random.between(500, 3_000) * leaseMs) }];
}

/** Whether a stream of this client may break again in a `breaks` run. */
export function isFarEnough(lastAtUs: number, nowUs: number): boolean {
  return nowUs - lastAtUs >= APART_US;
}

function drawFault(random: Random, kind: FaultKind, { nodes, clients, locks, healAtUs, leaseMs }: Sizes): ClientFault {
  const leaseUs = leaseMs * MS;
  const atUs = random.below(healAtUs);
  const client = random.below(clients);
  const node = random.below(nodes);
  const how = (): Break => ({
    clientUs: random.pick([0, random.below(20 * MS), random.below(leaseUs)]), nodeUs: random.pick([0, random.below(20 * MS), random.below(2 * leaseUs), KEEPALIVE_LEASES * leaseUs]),
    lossPpm: random.pick(LOSSES_PPM), again: random.chance(200_000),
  });
  /** It is over when all heals. */
  const forUs = (max: number): number => Math.min(random.below(max), healAtUs - atUs);
  switch (kind) {
    case 'breaks':
      return { kind, atUs, client, node, how: how() };
    case 'breaksAtFrame':
      return { kind, way: random.pick(['up', 'down']), frame: random.pick([1, 2, 3, random.between(1, 40)]), client, node, how: how() };
    case 'unreachable':
      return { kind, atUs, client, node, forUs: forUs(2 * leaseUs) };
    case 'clientPauses':
      return { kind, atUs, client, forUs: forUs(random.pick([1, 1, 3]) * leaseUs) };
    case 'nodePauses':
    case 'nodeSleeps':
      return { kind, atUs, node, forUs: forUs(random.pick([1, 1, 3]) * leaseUs) };
    case 'nodeRestarts':
      return { kind, atUs, node, downUs: forUs(random.pick([1, 2]) * leaseUs), inOrder: random.chance(500_000) };
    case 'cutOff':
      return { kind, atUs, node, forUs: forUs(2 * leaseUs) };
    case 'steals':
      return { kind, atUs, lock: random.below(locks), forUs: random.below(leaseUs) };
    case 'vanishes':
    case 'closes':
      return { kind, atUs, client };
    case 'wakes':
      return { kind, atUs };
  }
}
