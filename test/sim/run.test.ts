import fc from 'fast-check';
import { PRODUCTION_CORE } from '../../sim/core';
import type { Core } from '../../sim/core';
import { drawPlan } from '../../sim/plan/draw';
import type { RunOptions } from '../../sim/plan/draw';
import { main } from '../../sim/main';
import { planted } from '../../sim/mutants/catalogue';
import { loadMutant } from '../../sim/mutants/load';
import { NO_BACKSTOP } from '../../sim/mutants/mutant';
import { FAULT_KINDS } from '../../sim/plan/plan';
import type { FaultIntensities, FaultKind } from '../../sim/plan/plan';
import { whyNotOf } from '../../sim/plan/suits';
import { commandFor } from '../../sim/outcome/words';
import { runPlan, runSeed } from '../../sim/run';
import type { RunTools } from '../../sim/run';
import type { Effect } from '../../src/core';
import { holds } from '../support/holds';
import { NO_YIELD } from './broken-cores';

const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);

async function sim(...args: string[]): Promise<{ readonly code: number; readonly output: string }> {
  let output = '';
  const code = await main(args, { write: (text) => (output += text), isTerminal: false });
  return { code, output };
}

test.each([45_436, 83_475])('seed %d: late copies of many old Requests do not mislead token-covered', (seed) => {
  expect(runSeed(seed).violation).toBeNull();
});

test('seed 219 of two nodes that lose sight of each other: a peer that is back is asked alone, which is no repeat to deadlock', () => {
  const fixed: RunOptions = { nodes: 2, locks: 1, callers: 2, sharedShare: 0, leaseMs: 1000, faults: { crash: 15, suspect: 8, isolate: 8, cancel: 0.3 } };
  expect(runSeed(219, fixed).violation).toBeNull();
});

test.each([192, 198, 207])('seed %d: a request is widened to a node whose silence ends when those asked are dead for good', (seed) => {
  expect(runSeed(seed).violation).toBeNull();
});

test.each<[number, string, RunOptions]>([
  [321, 'what a node lent runs out before a rival begins', { nodes: 4, locks: 1, sharedShare: 0 }],
  [501, 'a rival that is lost sight of may have lent before', { nodes: 4, locks: 1, sharedShare: 0 }],
  [1327, 'a rival that has begun between two looks is waited for anew', {}],
  [640, 'a rival that could not be reached at first is looked for again', {}],
  [10, 'a rival that claims nothing and answers again and again is no obstacle', {}],
  [4126, 'a node that lost its memory beside others that did may ask for clocks under a name of its earlier life', {}],
])('rolling, seed %d: %s (lent-runs-out, one-configuration)', (seed, _what, fixed) => {
  expect(runSeed(seed, { profile: 'rolling', ...fixed }).violation).toBeNull();
});

test('frugal counts messages where clocks are close: one that is beyond the slack or the ceiling costs more (seed 2387081972)', () => {
  expect(runSeed(2387081972, { leaseMs: 50, slack: 5_000 }).violation).toBeNull();
  const reports = SEEDS.map((seed) => runSeed(seed, { profile: 'frugal', leaseMs: 50, slack: 5_000 }));
  expect(reports.flatMap(({ violation }) => violation ?? [])).toEqual([]);
});

test('fairness: a vote that waited for the disk was lent before an older request came (seed 237687449)', () => {
  expect(runSeed(237687449, { locks: 3, callers: 1, leaseMs: 53 }).violation).toBeNull();
});

test('progress: without faults a caller may wait for an arbiter to write its ceiling (seed 399250519)', () => {
  expect(runSeed(399250519, { leaseMs: 50 }).violation).toBeNull();
});

test('spreads: a peer whose silence ends is asked before the next repeat (seed 1607504190)', () => {
  expect(runSeed(1607504190, { nodes: 7, callers: 2, leaseMs: 2546, slack: 9842 }).violation).toBeNull();
});

test('asks-back: an order of a thief to whoever holds the lock asks for no vote (seed 27, where its number is that of a grant)', () => {
  expect(runSeed(27, { nodes: 7, family: 'grid', locks: 2, slack: 5005, faults: { late: 0.95, steal: 0.83, echo: 0.2 } }).violation).toBeNull();
});

test.each([
  ['within-room: a late Grant of an earlier request says nothing of the present one', 2532364487, { nodes: 11, family: 'majority', locks: 2, callers: 2, sharedShare: 1, slack: 50799 }],
  ['overtaken: an arbiter knows so many requests of a node, and late ones make others go', 4294967275, { nodes: 4, family: 'grid', locks: 2, callers: 3, sharedShare: 0.5, leaseMs: 9578, slack: 39362, faults: { stale: 4.6, wipe: 0.45, steal: 0.72, late: 0.93, drift: 0.76, jump: 0.7, suspect: 4.3, echo: 4.8 } }],
  ['overtaken: a vote of its own may come to a node when it has entered', 3880441021, { nodes: 7, family: 'grid', callers: 3, leaseMs: 3286, faults: { echo: 4.05, flap: 0.3, wall: 0.29, ring: 0.25, unseen: 3.4, steal: 0.72 } }],
  ['greets: a node is no peer of its own', 2488436557, { nodes: 1, family: 'grid', callers: 2, sharedShare: 0, leaseMs: 9580, slack: 69153 }],
  ['exclusion: nobody tells a node alone of another process with its id (protocol.md section 18.5)', 4294967280, { nodes: 1, family: 'majority', locks: 1, callers: 1, leaseMs: 9672, slack: 40489 }],
  ['when-due: a Request counts from when it was made, though it waited for the disk', 2067179602, { nodes: 12, locks: 2, callers: 1, sharedShare: 0, leaseMs: 53 }],
  ['request-unique: an older file is put back only where the wall clock covers what a node without a ceiling asked for clocks with', 4021772803, { nodes: 5, locks: 4, callers: 3, sharedShare: 0.2, leaseMs: 384, slack: 85139, faults: { disk: 0.26, suspect: 4.9, corrupt: 4.45, stale: 2.7, spike: 0.47, deaf: 0.1 } }],
  ['prompt: nodes that nobody has asked anything have not met', 4249465358, { locks: 2, callers: 3, sharedShare: 0.2, leaseMs: 57, slack: 98776 }],
  ['stolen-for-somebody: a reader that joined is robbed by no order from before (a fault of the core)', 1338418029, { nodes: 7, family: 'grid', callers: 3, sharedShare: 1, leaseMs: 2118, faults: { duplicate: 0.11, steal: 0.1 } }],
] as const)('%s (seed %d)', (_, seed, drawn) => {
  expect(runSeed(seed, drawn).violation).toBeNull();
});

test('token-rises: whoever lent its vote under the new layout before the act is a new member to it (seed 51193 of acts runs)', () => {
  expect(runSeed(51_193).violation).toBeNull();
  expect(runSeed(51_193, {}, { core: loadMutant(planted('layout-stands-for-its-act')) }).violation?.check).toBe('token-rises');
});

test.each([
  ['refused-clearly: before a request makes way the arbiter lends the vote that is free, and whoever gets it waits no more', 54_236],
  ['within-room: a Request that was lost for want of room was sent all the same', 59_773],
  ['new-life: a life whose silence was over when it died could have lent, though it was never woken', 13_614],
  ['token-rises: with clocks beyond the bound a lock is passed on beside another holder', 16_900],
  ['answers: a vote that an arbiter lends in the event of an Inquire, for it is free just then, is no answer to that', 68_412],
  ['answers: the same in another cluster', 83_115],
])('%s (seed %d)', (_, seed) => {
  expect(runSeed(seed).violation).toBeNull();
});

test('when-due: a holder asks the node of a thief when its disk is ready, which is no repeat (seed 484 of calm runs)', () => {
  expect(runSeed(484, { profile: 'calm' }).violation).toBeNull();
});

test('greets: a node that comes to itself again does not know yet that its ceiling is on disk (seed 1149)', () => {
  expect(runSeed(1149).violation).toBeNull();
});

test('spreads: one that stole asks once more as it enters, which is no repeat (seed 365)', () => {
  expect(runSeed(365).violation).toBeNull();
});

test('overtaken: a vote that was lent before an older request came may first be sent with its renewal, when the first Grant was lost (seed 90)', () => {
  expect(runSeed(90).violation).toBeNull();
});

test('deadlock: what a frozen node has yet to send, because it does not know that its ceiling is on disk, is under way (seed 97495)', () => {
  expect(runSeed(97_495).violation).toBeNull();
});

test('a holder asks the node of a thief once, so two nodes that each know of a thief of the other do not keep it asking (seed 691)', () => {
  expect(runSeed(691).violation).toBeNull();
});

test('asks-back: of a hundred grants the check does not forget the one that is asked back in this very step (seed 304007)', () => {
  expect(runSeed(304_007).violation).toBeNull();
});

test('stolen-for-somebody: a node that has no room for its own Release orders no theft for a thief that gave up (seed 203764)', () => {
  expect(runSeed(203_764).violation).toBeNull();
});

test('stolen-for-somebody: a thief waits though its Requests were lost for want of room, and its node died since (seed 92715)', () => {
  expect(runSeed(92_715).violation).toBeNull();
});

test('adrift: clocks beyond the bound let holders in at once, and still tokens rise and no late write is accepted (protocol.md section 1)', () => {
  const reports = SEEDS.map((seed) => runSeed(seed, { profile: 'adrift' }));
  expect(reports.flatMap(({ violation }) => violation ?? [])).toEqual([]);
  const sum = (name: 'overlaps' | 'lateWrites' | 'writes'): number => reports.reduce((total, { counts }) => total + counts[name], 0);
  expect(sum('overlaps')).toBeGreaterThan(0);
  expect(sum('lateWrites')).toBeGreaterThan(0);
  expect(sum('writes')).toBeGreaterThan(0);
});

test('relentless: nodes go down all the time, never so many that they block every quorum, and nobody waits beyond the bound', () => {
  const reports = SEEDS.slice(0, 8).map((seed) => runSeed(seed, { profile: 'relentless' }));
  expect(reports.flatMap(({ violation }) => violation ?? [])).toEqual([]);
  for (const { counts } of reports) expect(counts.crashes + counts.stops + counts.pauses + counts.sleeps + counts.partitions).toBeGreaterThan(0);
});

test('rolling: nodes go from one layout to the other and back, votes are lent under one after the other, and never under both (protocol.md section 17.1)', () => {
  const reports = SEEDS.slice(0, 20).map((seed) => runSeed(seed, { profile: 'rolling' }));
  expect(reports.flatMap(({ violation }) => violation ?? [])).toEqual([]);
  for (const { counts, plan } of reports) {
    expect(plan.rolling).toBeDefined();
    expect(counts.rivalsMet).toBeGreaterThan(0);
    expect(counts.entries).toBeGreaterThan(0);
  }
  expect(reports.reduce((sum, { counts }) => sum + counts.layoutChanges, 0)).toBeGreaterThan(SEEDS.length / 2);
});

describe('namesakes: two processes with one id (protocol.md section 17.2)', () => {
  const reports = SEEDS.map((seed) => runSeed(seed, { profile: 'namesakes' }));

  test('one that is refused stands apart; where all hear of each other nobody enters beside a holder, and tokens rise', () => {
    expect(reports.flatMap(({ violation }) => violation ?? [])).toEqual([]);
    for (const { counts, plan } of reports) {
      expect(plan.namesake?.of).toBeLessThan(plan.machines.length - 1);
      expect(counts.namesakesRefused).toBeGreaterThan(0);
    }
    expect(reports.filter(({ counts }) => counts.entries > 0).length).toBeGreaterThan(SEEDS.length / 2);
  });

  test('where each of the two knows other peers, two callers may enter (protocol.md section 18.5)', () => {
    const told = reports.filter(({ plan }) => plan.namesake?.isTold);
    const others = reports.filter((report) => !told.includes(report));
    expect([told.length > 5, others.length > 5]).toEqual([true, true]);
    expect(told.filter(({ counts }) => counts.besideNamesakes > 0)).toEqual([]);
    expect(others.filter(({ counts }) => counts.besideNamesakes > 0)).not.toEqual([]);
  });
});

test('acts: another layout takes the place of the one that ran, exclusion holds and tokens rise across both (protocol.md section 16.2)', () => {
  const reports = SEEDS.map((seed) => runSeed(seed, { profile: 'acts' }));
  expect(reports.flatMap(({ violation }) => violation ?? [])).toEqual([]);
  for (const { plan } of reports) expect(plan.act?.old).not.toEqual(plan.act?.new);
  expect(reports.filter(({ counts }) => counts.entries > 0).length).toBeGreaterThan(SEEDS.length / 2);
  expect(reports.filter(({ counts }) => counts.layoutsRefused > 0)).not.toEqual([]);
  expect(reports.filter(({ plan }) => plan.act !== undefined && plan.act.leaseMs < plan.leaseMs)).not.toEqual([]);
  expect(reports.filter(({ plan }) => plan.act !== undefined && plan.act.leaseMs > plan.leaseMs)).not.toEqual([]);
  expect(reports.filter(({ plan }) => (plan.act?.bare.length ?? 0) > 0)).not.toEqual([]);
  expect(reports.filter(({ plan }) => plan.act?.back !== undefined)).not.toEqual([]);
});

describe('steadfast: a lock that is held is kept while a quorum lives (protocol.md section 14)', () => {
  test('holders outlive arbiters that they began with, and none loses a lock that is owed to it', () => {
    const reports = SEEDS.slice(0, 12).map((seed) => runSeed(seed, { profile: 'steadfast' }));
    expect(reports.flatMap(({ violation }) => violation ?? [])).toEqual([]);
    for (const { counts } of reports) {
      expect(counts.crashes + counts.stops + counts.pauses + counts.sleeps + counts.partitions).toBeGreaterThan(0);
      expect(counts.messagesLost).toBe(0);
    }
    expect(reports.reduce((sum, { counts }) => sum + counts.outlived, 0)).toBeGreaterThan(5);
    expect(reports.reduce((sum, { counts }) => sum + counts.widenedInside, 0)).toBeGreaterThan(SEEDS.length);
  });

  test.each([
    [18, 'a Request of a holder goes before those of all that wait', 'holder-asks-as-if-it-waited', 'steadfast', 'keeps'],
    [851, 'a holder for which others wait asks everybody', 'holder-spreads-too-late', 'steadfast', 'spreads'],
    [1, 'a holder asks everybody when an arbiter that is up renews nothing', 'holder-trusts-who-is-up', 'spaced', 'spreads'],
  ] as const)('seed %d: %s', (seed, _, mutant, profile, check) => {
    expect(runSeed(seed, { profile }).violation).toBeNull();
    expect(runSeed(seed, { profile }, { core: loadMutant(planted(mutant)) }).violation?.check).toBe(check);
  });

  test('about three seeds in a hundred are steadfast', () => {
    const plans = Array.from({ length: 1_000 }, (_, seed) => drawPlan(seed));
    const steadfast = plans.filter(({ profile }) => profile === 'steadfast');
    expect(steadfast.length).toBeGreaterThan(15);
    expect(steadfast.length).toBeLessThan(50);
    for (const { seed } of steadfast) expect(drawPlan(seed)).toEqual(drawPlan(seed, { profile: 'steadfast' }));
  });
});

const faults = fc.dictionary(fc.constantFrom(...(Object.keys(FAULT_KINDS) as FaultKind[])), fc.nat({ max: 100 }), { maxKeys: 8 })
  .map((drawn) => Object.fromEntries(Object.entries(drawn).map(([kind, percent]) => {
    const isProbability = /probability|share/.test(FAULT_KINDS[kind as FaultKind]);
    return [kind, isProbability ? percent / 100 : percent / 20];
  })) as Partial<FaultIntensities>);

const options: fc.Arbitrary<RunOptions> = fc.record(
  {
    nodes: fc.integer({ min: 1, max: 12 }),
    family: fc.constantFrom('grid' as const, 'majority' as const),
    locks: fc.integer({ min: 1, max: 4 }),
    callers: fc.integer({ min: 1, max: 3 }),
    sharedShare: fc.constantFrom(0, 0.2, 0.5, 1),
    leaseMs: fc.integer({ min: 50, max: 10_000 }),
    slack: fc.integer({ min: 5_000, max: 100_000 }),
    faults,
  },
  { requiredKeys: [] },
);

test('a seed draws no profile that does not suit the nodes and the lease that are fixed', () => {
  for (const nodes of [1, 2, 3]) {
    for (const leaseMs of [50, 10_000]) {
      const drawn = SEEDS.flatMap((_, index) => [1, 2, 3, 4, 5].map((block) => drawPlan(index + 1_000 * block, { nodes, leaseMs }).profile));
      expect(drawn.flatMap((profile) => whyNotOf(profile, { nodes, leaseMs }) ?? [])).toEqual([]);
    }
  }
});

test('whatever the schedule and the configuration, every check holds (protocol.md section 10)', () => {
  holds(
    fc.property(fc.nat({ max: 2 ** 32 - 1 }), options, (seed, drawn) => {
      const { violation } = runSeed(seed, drawn);
      if (violation !== null) throw new Error(`${commandFor(seed, drawn)} --trace\n${violation.check}: ${violation.detail}`);
    }),
    200,
    // The simulator makes a failing run smaller itself: --minimise.
    { endOnFailure: true },
  );
});

/** The production core with something wrong in what it says. */
function coreThat(change: (effect: Effect) => readonly Effect[]): Core {
  return { ...PRODUCTION_CORE, step: (node, event) => PRODUCTION_CORE.step(node, event).flatMap(change) };
}

function checksThatFail(core: Core, runOptions: RunOptions = {}, tools: RunTools = {}): Set<string> {
  return new Set(SEEDS.flatMap((seed) => runSeed(seed, runOptions, { core, ...tools }).violation?.check ?? []));
}

describe('each check can fail', () => {
  const tooLong = coreThat((effect) => [effect.kind === 'entered' || effect.kind === 'renewed' ? { ...effect, validUntilMs: effect.validUntilMs + 60_000 } : effect]);

  test('lease-inside: a core that believes in its lease for too long', () => {
    expect([...checksThatFail(tooLong)]).toEqual(['lease-inside']);
  });

  test('exclusion: the same, when nobody looks at leases', () => {
    expect([...checksThatFail(tooLong, {}, { skipsLeaseInside: true })]).toContain('exclusion');
  });

  test('token-rises: a core that hands out one token for all', () => {
    const core = coreThat((effect) => [effect.kind === 'entered' ? { ...effect, token: 7 } : effect]);
    expect([...checksThatFail(core)]).toEqual(['token-rises']);
  });

  test('progress: a core that never sends a Release', () => {
    const core = coreThat((effect) => (effect.kind === 'send' && effect.message.kind === 'release' ? [] : [effect]));
    expect(checksThatFail(core, { profile: 'calm' }).size).toBeGreaterThan(0);
  });

  test('progress: in relentless runs, a core that never asks others instead of those that are down', () => {
    // Who waits for a lease would else ask others all the same.
    const hopeful = loadMutant({ name: 'never loses hope', changes: [NO_BACKSTOP] });
    const core = { ...hopeful, step: (...[node, event]: Parameters<Core['step']>) => (event.kind === 'peerDown' ? [] : hopeful.step(node, event)) };
    const checks = SEEDS.slice(0, 8).flatMap((seed) => runSeed(seed, { profile: 'relentless' }, { core, skipsSteps: true }).violation?.check ?? []);
    expect(checks).toContain('progress');
  });

  test('deadlock: a core that never yields is caught before anybody has waited long', () => {
    expect([...checksThatFail(NO_YIELD, { profile: 'calm' }, { skipsSteps: true })]).toContain('deadlock');
  });

  test.each(['queue-first-come', 'queue-youngest-first'])('fairness: a core whose arbiters do not serve the oldest first (%s)', (name) => {
    expect([...checksThatFail(loadMutant(planted(name)), { profile: 'calm' })]).toContain('fairness');
  });

  test.each(['swarm', 'adrift'] as const)('fenced: a resource that does not look at tokens accepts late writes (%s)', (profile) => {
    expect([...checksThatFail(PRODUCTION_CORE, { profile }, { looksAtTokens: false })]).toEqual(['fenced']);
  });

  test('frugal: a core that asks twice', () => {
    const core = coreThat((effect) => (effect.kind === 'send' && effect.message.kind === 'request' ? [effect, effect] : [effect]));
    expect([...checksThatFail(core, { profile: 'frugal' })]).toEqual(['frugal']);
  });

  test('ceiling-holds: a core that forgets to ask for a ceiling', () => {
    const core = coreThat((effect) => (effect.kind === 'reserveCeiling' ? [{ kind: 'wake', atMs: 0 }] : [effect]));
    expect(checksThatFail(core).size).toBeGreaterThan(0);
  });

  test.each(['refuses-in-silence', 'no-request-makes-way', 'requests-without-a-limit'])('refused-clearly: small limits, and an arbiter with %s', (name) => {
    const core = loadMutant(planted(name));
    const plans = Array.from({ length: 100 }, (_, seed) => drawPlan(seed)).filter(({ requestsOfANodeMax }) => requestsOfANodeMax !== undefined);
    expect(plans.length).toBeGreaterThan(2);
    expect(plans.flatMap((plan) => runPlan(plan, { core }).violation?.check ?? [])).toContain('refused-clearly');
    expect(plans.flatMap((plan) => runPlan(plan).violation ?? [])).toEqual([]);
  });

  test('callers-known: a core that lets somebody in who did not ask', () => {
    const core = coreThat((effect) => [effect.kind === 'entered' ? { ...effect, caller: effect.caller + 1_000 } : effect]);
    expect([...checksThatFail(core)]).toEqual(['callers-known']);
  });
});

describe('npm run sim', () => {
  test('one seed: what was drawn, what happened, the hash; the same output twice but for the speed', async () => {
    const { code, output } = await sim('--seed', '42');
    expect(code).toBe(0);
    expect(output).toMatch(/^seed 42 {2}swarm: \d+ nodes/);
    expect(output).toMatch(/hash [0-9a-f]{16}/);
    expect(output).toMatch(/all checks held\n$/);
    const speed = /; [\d,]+ events\/s.*$/m;
    expect((await sim('--seed', '42')).output.replace(speed, '')).toBe(output.replace(speed, ''));
  });

  test('--trace prints every event', async () => {
    const { output } = await sim('--seed', '3', '--trace');
    expect(output).toMatch(/ENTERED/);
    expect(output).toMatch(/Request a/);
  });

  test('--seeds sweeps, in one thread as in the order of seeds', async () => {
    const { code, output } = await sim('--seeds', '1..50', '--jobs', '1');
    expect(code).toBe(0);
    expect(output).toMatch(/^seeds 1\.\.50: 50 run, 0 failed/);
  });

  test('--mutant plants a bug in a sweep too, which then fails', async () => {
    const { code, output } = await sim('--seeds', '1..20', '--jobs', '1', '--mutant', 'lease-from-reply', '--keep-going');
    expect(code).toBe(1);
    expect(output).toMatch(/^seeds 1\.\.20: 20 run, [1-9]\d* failed/);
    expect(output).toMatch(/replay: npm run sim -- --seed \d+ --mutant lease-from-reply --trace\n/);
  });

  test('--mutant plants a bug, and the command that replays it plants it again', async () => {
    const { code, output } = await sim('--seed', '5', '--mutant', 'lease-from-reply');
    expect(code).toBe(1);
    expect(output).toMatch(/VIOLATION of .*\n {2}replay: npm run sim -- --seed 5 --mutant lease-from-reply --trace\n/);
  });

  test.each([
    [['--seeds', '5..1'], /Write two seeds, the smaller first/],
    [['--seed', 'x'], /Write a whole number/],
    [['--faults', 'los=1'], /There is no fault "los"; there are loss, /],
    [['--faults', 'loss=2'], /Write loss=NUMBER from 0 to 1/],
    [['--family', 'plane', '--nodes', '8'], /--family plane needs --nodes 3, 7, 13, 31 or 57, not 8/],
    [['--seed', '1', '--seeds', '1..2'], /exclude each other/],
    [['--profile', 'calm', '--faults', 'loss=0.1'], /--profile calm has no faults/],
    [['--profile', 'steadfast', '--faults', 'loss=0.1'], /--profile steadfast has its own faults/],
    [['--profile', 'steadfast', '--nodes', '2'], /--profile steadfast needs 3 nodes or more/],
    [['--profile', 'rolling', '--nodes', '2'], /--profile rolling needs 3 nodes or more: with fewer there are no two layouts/],
    [['--profile', 'rolling', '--faults', 'loss=0.1'], /--profile rolling has its own faults/],
    [['--profile', 'steadfast', '--lease', '20'], /--profile steadfast needs --lease 60 or more/],
    [['--seed', '1', '--mutant', 'no-such-bug'], /there is no mutant "no-such-bug"; there are .*no-floor/],
    [['--no-such-option'], /unknown option/],
  ])('%j is refused with 2 and one clear line', async (args, message) => {
    const { code, output } = await sim(...args);
    expect(code).toBe(2);
    expect(output).toMatch(message);
  });
});
