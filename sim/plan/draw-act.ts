/**
 * The operator's act of protocol.md section 16.2: the nodes of one layout are stopped, and those of another one take their place, under a
 * lease and a SLACK that may be shorter or longer. Before it some nodes are given the new file without the act, by mistake: one that remembers
 * the old layout must not start with it, and a new member must not serve with it. Of some old nodes nobody may know the clock. The new layout may
 * have run before the old one: then members that the old one left out remember it, and nothing of what ran meanwhile.
 */
import { coterieOfLayout, drawLayoutOf, nodeIdsOf } from './layout';
import type { Act, Fault, Layout, LostMachine, Rolling } from './plan';
import type { Random } from './random';

export interface ActSettings {
  readonly nodes: number;
  readonly leaseMs: number;
  readonly durationUs: number;
  readonly slackMin: number;
}

export interface ActRun {
  readonly act: Act;
  readonly faults: readonly Fault[];
  readonly lostForEver: readonly LostMachine[];
  readonly startUs: readonly number[];
  /** The wall clocks of old nodes may be ahead of those of new members, and of the operator's. */
  readonly wallSkewUs: readonly number[];
}

const LEASE_MS_MIN = 200;

export function drawAct(random: Random, { nodes, leaseMs, durationUs, slackMin }: ActSettings): ActRun {
  const leaseUs = leaseMs * 1000;
  const all = Array.from({ length: nodes }, (_, machine) => machine);
  const kind = random.pick(['less', 'others', 'others', 'any'] as const);
  const layouts = drawLayouts(random, all, kind);
  const { old } = layouts;
  const atUs = Math.floor(durationUs / 3) + random.below(leaseUs * 2);
  const asksAtUs = atUs - Math.floor(leaseUs / 100) - random.below(leaseUs / random.pick([50, 2]));
  const leaseAfterMs = Math.max(LEASE_MS_MIN, Math.floor(leaseMs * random.pick([0.2, 0.2, 0.5, 1, 3])));
  const slack = Math.max(slackMin, Math.floor(leaseAfterMs * random.pick([5, 50, 250])));
  const newOnly = layouts.new.machines.filter((machine) => !old.machines.includes(machine));
  const bare = drawBare(random, layouts.new, newOnly, nodes);
  const plain: Act = { ...layouts, atUs, asksAtUs, leaseMs: leaseAfterMs, retryMs: Math.floor(leaseAfterMs / 3), slack, bare };

  const faults: Fault[] = [];
  const crash = (machine: number, when: number, forUs: number, file?: 'new' | 'bare'): void => {
    const how = random.pick(['crash', 'stop'] as const);
    faults.push({ kind: 'crash', atUs: Math.floor(when), forUs: Math.max(1, Math.floor(forUs)), machine, how, wallBackUs: 0, writeLands: random.chance(500_000), ...(file === undefined ? {} : { file }) });
  };
  // By the time of the question each is up again, under its own file.
  const beforeUs = asksAtUs - 3 * leaseUs;
  // Nearly all nodes that stay are given the bare file at about the same time; or one now and then, or its own file again.
  const stays = old.machines.filter((machine) => layouts.new.machines.includes(machine));
  if (random.chance(kind === 'less' ? 800_000 : 400_000)) {
    const when = leaseUs + random.below(beforeUs - leaseUs);
    for (const machine of stays) if (random.chance(900_000)) crash(machine, when + random.below(leaseUs / 4), random.below(leaseUs / 2), 'bare');
  }
  for (let more = random.below(nodes); more > 0; more--) {
    const machine = random.pick(old.machines);
    crash(machine, leaseUs + random.below(beforeUs - leaseUs), random.below(leaseUs), stays.includes(machine) && random.chance(400_000) ? 'bare' : undefined);
  }
  for (const machine of old.machines) {
    // Between the question and the act; and until then it does not come back.
    const when = asksAtUs + 1 + random.below(atUs - asksAtUs - 1);
    const isIn = layouts.new.machines.includes(machine);
    crash(machine, when, isIn ? atUs - when + 1 + random.below(leaseUs / random.pick([50, 2])) : 2 * durationUs, 'new');
  }
  const startUs = all.map((machine) => {
    if (old.machines.includes(machine)) return 0;
    if (!layouts.new.machines.includes(machine)) return 2 * durationUs; // In neither layout: it has nothing to do.
    return bare.includes(machine) ? leaseUs + random.below(atUs) : atUs + 1 + random.below(leaseUs / random.pick([50, 2]));
  });
  for (const machine of bare) crash(machine, Math.max(atUs, startUs[machine] ?? 0) + leaseUs * random.between(1, 4), random.below(leaseUs), 'new');
  // And later a node goes away now and then.
  for (let more = random.below(3); more > 0; more--) crash(random.pick(layouts.new.machines), atUs + random.below(durationUs - atUs - leaseUs), random.below(leaseUs));
  const lostForEver = all.filter((machine) => !layouts.new.machines.includes(machine)).map((machine): LostMachine => ({ machine, how: 'dead' }));
  const skewUs = random.pick([0, leaseUs, leaseUs * 20]);
  const wallSkewUs = all.map((machine) => (old.machines.includes(machine) ? random.below(1 + skewUs) : 0));
  const back = random.chance(300_000) ? newOnly.filter(() => random.chance(900_000)) : [];
  // Some die in the silence of the act, before they have taken part.
  for (const machine of back) if (random.chance(400_000)) crash(machine, (startUs[machine] ?? 0) + random.below(leaseUs), random.below(leaseUs / 10));
  const act = back.length === 0 ? plain : { ...plain, back };
  return { act, startUs, wallSkewUs, lostForEver, faults: faults.sort((a, b) => a.atUs - b.atUs) };
}

/**
 * `less`: the old nodes go on without a quorum of the new ones, so both can serve if these begin too soon. `others`: no new node remembers
 * anything, so all rests on the act.
 */
function drawLayouts(random: Random, all: readonly number[], kind: 'less' | 'others' | 'any'): Rolling {
  const half = Math.floor((all.length - 1) / 2);
  if (kind === 'others') return { old: drawLayoutOf(random, all.slice(0, half)), new: drawLayoutOf(random, all.slice(half)) };
  if (kind === 'less' && half > 1) return { old: drawLayoutOf(random, all), new: drawLayoutOf(random, all.slice(-half)) };
  const old = drawLayout(random, all);
  const next = drawLayout(random, all.filter((machine) => !old.machines.includes(machine) || random.chance(600_000)));
  // The same again would be no change.
  const isSame = next.family === old.family && next.machines.join() === old.machines.join();
  return isSame || next.machines.length === 0 ? drawLayouts(random, all, 'others') : { old, new: next };
}

function drawLayout(random: Random, among: readonly number[]): Layout {
  const some = among.filter(() => random.chance(700_000));
  return drawLayoutOf(random, some.length === 0 ? among : some);
}

/** So few new members that they are no quorum: whoever has the act refuses them. */
function drawBare(random: Random, layout: Layout, newOnly: readonly number[], nodes: number): number[] {
  const coterie = coterieOfLayout(layout, nodes);
  const ids = nodeIdsOf(nodes);
  const bare: number[] = [];
  for (const machine of newOnly) {
    if (random.chance(500_000) && !coterie.containsQuorum(new Set([...bare, machine].map((each) => ids[each] ?? '')))) bare.push(machine);
  }
  return bare;
}
