import fc from 'fast-check';
import { PRODUCTION_CORE } from '../../sim/core';
import type { Core } from '../../sim/core';
import { drawPlan } from '../../sim/plan/draw';
import { asScenario, describeMinimised, describeParts, minimise, planFileText, replayPlanFile } from '../../sim/minimise';
import { leaveOut } from '../../sim/minimise/leave-out';
import { withoutMachine } from '../../sim/minimise/passes';
import { pin } from '../../sim/minimise/pin';
import type { Plan } from '../../sim/plan/plan';
import { runPlan } from '../../sim/run';
import { runScenario } from '../../sim/scenario';
import { traceTo } from '../../sim/outcome/trace';
import { holds } from '../support/holds';
import { CEILING_FORGOTTEN, DEAF_TO_YIELDS, NO_SILENCE, ONE_VOTE_TOO_FEW, failingPlan } from './broken-cores';

describe('leaving out', () => {
  test('leave-out: keeps exactly what it takes to fail', () => {
    const items = Array.from({ length: 100 }, (_, index) => index);
    holds(fc.property(fc.uniqueArray(fc.nat(99), { maxLength: 6 }), (needed) => {
      const kept = leaveOut(items, (some) => needed.every((each) => some.includes(each)));
      expect([...kept].sort((a, b) => a - b)).toEqual([...needed].sort((a, b) => a - b));
    }));
  });

  test('leave-out: no single item of the result can be left out, whatever failing depends on', () => {
    holds(fc.property(fc.array(fc.uniqueArray(fc.nat(15), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }), (ways) => {
      const items = Array.from({ length: 16 }, (_, index) => index);
      const fails = (some: readonly number[]): boolean => ways.some((way) => way.every((each) => some.includes(each)));
      const kept = leaveOut(items, fails);
      expect(fails(kept)).toBe(true);
      for (const item of kept) expect(fails(kept.filter((each) => each !== item))).toBe(false);
    }));
  });
});

/** Every line of the run's trace while faults happen. */
function traceOfFaults(plan: Plan): string[] {
  const lines: string[] = [];
  runPlan(plan, { observer: traceTo(plan, (line) => lines.push(line)) });
  return lines.slice(0, lines.findIndex((line) => line.includes('all faults end')));
}

describe('pinning', () => {
  test('pin: with the fates of all messages written down, everything happens as when chance decided', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const plan = drawPlan(seed, { profile: 'swarm' });
      const pinned = pin(plan, PRODUCTION_CORE, ['fates']);
      // Another seed for the links: chance has no part in it any more.
      expect({ seed, trace: traceOfFaults(pinned) }).toEqual({ seed, trace: traceOfFaults(plan) });
    }
  });
});

test('pin: with every look at a peer written down, nodes learn of their peers as when chance decided', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const plan = drawPlan(seed, { profile: 'swarm' });
    // A node that takes long over each event may look a little later when it looks less often.
    if (plan.faults.some(({ kind }) => kind === 'slow')) continue;
    const pinned = pin(plan, PRODUCTION_CORE, ['looks']);
    const news = (lines: readonly string[]): string[] =>
      lines.filter((line) => / is (up|down)/.test(line)).map((line) => line.replace(/(is up|is down).*/, '$1')).sort();
    expect({ seed, news: news(traceOfFaults(pinned)) }).toEqual({ seed, news: news(traceOfFaults(plan)) });
  }
});

describe('minimise', () => {
  jest.setTimeout(200_000);

  const cases: readonly (readonly [string, number, Core])[] = [
    ['an arbiter that is not silent after a restart', 25, NO_SILENCE],
    ['a quorum of one vote too few', 25, ONE_VOTE_TOO_FEW],
    ['a clock that runs backwards across a restart', 40, CEILING_FORGOTTEN],
  ];

  test.each(cases)('minimise: %s comes down to at most %i events, and nothing can be left out', (_, eventsMax, core) => {
    const plan = failingPlan(core, { nodes: 3, profile: 'swarm' }, (check) => check !== 'progress');
    const small = minimise(plan, { core, timeMsMax: 100_000 });
    expect(small.report.events).toBeLessThanOrEqual(eventsMax);
    expect(small.violation.check).toBe(small.original.violation.check);
    expect(runPlan(small.plan, { core })).toEqual(small.report);

    const stillFails = (change: Partial<Plan>): boolean => {
      const { violation } = runPlan({ ...small.plan, ...change }, { core });
      return violation?.check === small.violation.check && violation.atUs < small.plan.durationUs;
    };
    small.plan.callers.forEach((caller) => expect(stillFails({ callers: small.plan.callers.filter((each) => each !== caller) })).toBe(false));
    small.plan.faults.forEach((fault) => expect(stillFails({ faults: small.plan.faults.filter((each) => each !== fault) })).toBe(false));
    small.plan.looks?.forEach((look) => expect(stillFails({ looks: (small.plan.looks ?? []).filter((each) => each !== look) })).toBe(false));
    small.plan.fates?.forEach((fate) => expect(stillFails({ fates: (small.plan.fates ?? []).filter((each) => each !== fate) })).toBe(false));
  });

  // Half of the time goes into looking for other ways, and these seeds need a tenth of it for the first.
  test('minimise: a lack of progress comes down to two wishes, and is cut short where it only repeats itself', () => {
    const plan = drawPlan(367, { nodes: 3, profile: 'swarm', faults: { loss: 0.01 } });
    const small = minimise(plan, { core: DEAF_TO_YIELDS, timeMsMax: 10_000 });
    expect(small.violation.check).toBe('progress');
    expect(small.violation.detail).toMatch(/waits for lock a since \d+ us; and so it goes on until the bound of \d+ us is over$/);
    expect(small.report.events).toBeLessThanOrEqual(25);
    expect(small.plan.callers.length).toBeLessThanOrEqual(3);
    expect(small.plan.faults).toEqual([]);
    // Under the whole bound it fails as well, later.
    const { progressBoundUs, ...whole } = small.plan;
    const { violation } = runPlan(whole, { core: DEAF_TO_YIELDS });
    expect(progressBoundUs).toBeDefined();
    expect(violation?.check).toBe('progress');
    expect(violation?.atUs).toBeGreaterThan(small.violation.atUs);
  });

  test('minimise: of those that wait for each other two are left', () => {
    const small = minimise(drawPlan(256, { nodes: 3, profile: 'swarm', faults: { loss: 0.01 } }), { core: DEAF_TO_YIELDS, timeMsMax: 10_000 });
    expect(small.violation.check).toBe('progress');
    expect(small.plan.callers).toHaveLength(2);
    expect(small.plan.faults).toEqual([]);
    expect(small.report.events).toBeLessThanOrEqual(70);
  });

  test('minimise: what does not come to rest is cut short, too', () => {
    const core: Core = { ...PRODUCTION_CORE, step: (node, event) => {
      const effects = PRODUCTION_CORE.step(node, event);
      if (event.kind !== 'wake' && event.kind !== 'start') return effects;
      const soonMs = event.nowMs + 20;
      // Never later than it should wake: that is another fault.
      const sooner = effects.map((effect) => (effect.kind === 'wake' ? { ...effect, atMs: Math.min(effect.atMs, soonMs) } : effect));
      return effects.some(({ kind }) => kind === 'wake') ? sooner : [...sooner, { kind: 'wake', atMs: soonMs }];
    } };
    const plan = failingPlan(core, { nodes: 3, profile: 'swarm' }, (check) => check === 'no-residue');
    const small = minimise(plan, { core, timeMsMax: 60_000 });
    expect(small.violation.check).toBe('no-residue');
    expect(small.report.events).toBeLessThanOrEqual(25);
  });

  test('minimise: a run that fails nowhere is refused', () => {
    expect(() => minimise(drawPlan(1))).toThrow('violates no check');
  });

  test('minimise: once the time is up, what was found so far is the result', () => {
    const small = minimise(failingPlan(NO_SILENCE), { core: NO_SILENCE, timeMsMax: 0 });
    expect(small.isMinimal).toBe(false);
    expect(small.violation).toEqual(small.original.violation);
  });

  test('minimise: says what happens in words', () => {
    const small = minimise(failingPlan(NO_SILENCE, { nodes: 3, profile: 'swarm' }, (check) => check === 'new-life'), { core: NO_SILENCE, timeMsMax: 60_000 });
    const text = describeMinimised(small);
    expect(text).toMatch(/^new-life: /);
    expect(text).toMatch(/ms {2}n\d (wants|steals) a, to hold it for /);
    expect(text).toMatch(/ms {2}n\d crashes.*, and starts again after /);
    expect(text).toMatch(/^to +\d+ events, /m);
  });
});

describe('a minimised run as a scenario', () => {
  const plan = failingPlan(ONE_VOTE_TOO_FEW, { nodes: 3, profile: 'swarm' }, (check) => check === 'exclusion');
  const small = minimise(plan, { core: ONE_VOTE_TOO_FEW, timeMsMax: 60_000 });

  test('scenario: comes to the same violation, and the production core passes it', () => {
    const scenario = asScenario(small.plan, ONE_VOTE_TOO_FEW);
    if (scenario === null) throw new Error('this run cannot be told as a scenario');
    expect(scenario).toContain('VIOLATION exclusion is broken');
    expect(runScenario(scenario, { core: ONE_VOTE_TOO_FEW }).output).toBe(scenario);
    expect(runScenario(scenario).violations).toEqual([]);
  });

  test('scenario: ends with how things stand when only the simulator sees what is violated', () => {
    const unseen = minimise(failingPlan(NO_SILENCE, { nodes: 3, profile: 'swarm' }, (check) => check === 'lease-inside'), { core: NO_SILENCE, timeMsMax: 60_000 });
    const scenario = asScenario(unseen.plan, NO_SILENCE);
    if (scenario === null) throw new Error('this run cannot be told as a scenario');
    expect(scenario).toMatch(/^# Seed \d+, minimised: lease-inside is broken\.\n# n\d holds lock a/);
    expect(scenario).not.toContain('VIOLATION');
    expect(scenario).toMatch(/\n\nstatus\n----\n(n\d .*\n)+$/);
    expect(runScenario(scenario, { core: NO_SILENCE }).output).toBe(scenario);
  });

  test('scenario: there is none of a run that fails nowhere', () => {
    expect(asScenario(small.plan, PRODUCTION_CORE)).toBeNull();
  });
});

describe('a plan on disk', () => {
  test('plan file: replays to the same run', () => {
    const plan = failingPlan(NO_SILENCE);
    const report = runPlan(plan, { core: NO_SILENCE });
    const text = planFileText(report);
    expect(replayPlanFile(text, { core: NO_SILENCE })).toEqual({ report, isSame: true });
    expect(replayPlanFile(text).isSame).toBe(false);
  });

  test('plan file: another file is refused', () => {
    expect(() => replayPlanFile('{}')).toThrow('this is no file of the format');
  });
});

test('without a machine: a plane of one point less is none, so a majority takes its place', () => {
  expect(withoutMachine(drawPlan(1, { nodes: 7, family: 'plane' }), 0)).toMatchObject({ family: 'majority' });
  expect(withoutMachine(drawPlan(1, { nodes: 6, family: 'grid' }), 0)).toMatchObject({ family: 'grid' });
});

test('without a machine: nothing of it is left, and later ones move up', () => {
  const drawn = drawPlan(5, { nodes: 4, profile: 'swarm' });
  const plan: Plan = {
    ...drawn,
    faults: [
      { kind: 'cut', as: 'split', atUs: 1, forUs: 1, from: [0, 1], to: [2, 3] },
      { kind: 'suspect', atUs: 2, forUs: 1, machine: 1, peer: 3 },
      { kind: 'pause', atUs: 3, forUs: 1, machine: 3 },
    ],
    fates: [
      { from: 1, to: 2, message: 'grant', lock: 'a', number: 1, arrivesAfterUs: [] },
      { from: 3, to: 2, message: 'grant', lock: 'a', number: 2, arrivesAfterUs: [5, 9] },
    ],
    callers: [],
  };
  const less = withoutMachine(plan, 1);
  expect(less.machines).toHaveLength(3);
  expect(describeParts(less)).toEqual(expect.arrayContaining([
    '    0.001 ms  no message goes from n1 to n2, n3 for 0.001 ms',
    '    0.003 ms  n3 is paused for 0.001 ms',
    '              Grant 2 of lock a from n3 to n2 arrives after 0.005 ms, and again after 0.009 ms',
  ]));
  expect(less.faults).toHaveLength(2);
  expect(less.fates).toHaveLength(1);
});
