import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { isAsExpected } from '../../sim/mutants/canary';
import { MUTANTS, PLANTABLE, planted } from '../../sim/mutants/catalogue';
import { hunt } from '../../sim/mutants/hunt';
import type { Hunt } from '../../sim/mutants/hunt';
import type { huntAll } from '../../sim/mutants/hunters';
import { loadMutant, misfitOf } from '../../sim/mutants/load';
import { recall } from '../../sim/mutants/memory';
import { inFile } from '../../sim/mutants/mutant';
import type { Mutant } from '../../sim/mutants/mutant';
import { RULES } from '../../sim/mutants/rules';
import { runSeed } from '../../sim/run';

const MEMORY = recall();

/** The threads of a hunt run what was built. */
const DIST = join(__dirname, '../../dist/sim/mutants');
const built = jest.requireActual<{ readonly huntAll: typeof huntAll }>(join(DIST, 'hunters.js'));

const HARMLESS: Mutant = {
  name: 'harmless',
  what: 'nothing is wrong with it',
  changes: [inFile('votes')('const token = highest + 1;', 'const token = 1 + highest;')],
  caughtBy: ['exclusion'],
};

describe('the catalogue', () => {
  test('every planted bug still finds the one place in the core that it changes', () => {
    expect(PLANTABLE.flatMap((mutant) => misfitOf(mutant) ?? [])).toEqual([]);
  });

  test('a bug that finds no such place, or two, says so', () => {
    const absent: Mutant = { ...HARMLESS, changes: [inFile('clock')('no such text', '')] };
    expect(misfitOf(absent)).toBe('mutant harmless: src/core/clock.ts has 0 places, not 1, that read: no such text');
    expect(() => loadMutant(absent)).toThrow('no such text');
    expect(misfitOf({ ...HARMLESS, changes: [inFile('clock')('readonly', '')] })).toMatch(/has \d+ places, not 1/);
  });

  test('names are unique, and what is remembered is of mutants that there are', () => {
    const names = MUTANTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining(Object.keys(MEMORY)));
  });

  test('a planted bug leaves the production core as it is', () => {
    const before = runSeed(3).hash;
    const core = loadMutant(planted('token-above-one-vote'));
    expect(runSeed(3, {}, { core }).hash).not.toBe(before);
    expect(runSeed(3).hash).toBe(before);
  });
});

describe('the core without a rule of protocol.md section 11 is caught by a check of its own', () => {
  const hunts = new Map<string, Hunt>();

  beforeAll(() => built.huntAll(RULES, { seedMax: 9_999, jobs: 2, remembered: MEMORY }, ({ name }, found) => hunts.set(name, found)));

  test.each(RULES.map(({ name, caughtBy }) => [name, caughtBy] as const))('%s', (name, caughtBy) => {
    expect(caughtBy).toContain(hunts.get(name)?.caught?.check);
  });
});

describe('a hunt', () => {
  const lendsAtOnce = planted('lends-at-once-after-restart');

  test('that nothing catches ends with nobody caught', () => {
    expect(hunt(HARMLESS, { from: 1, to: 20 })).toEqual({ caught: null, others: [], seedsRun: 20 });
  });

  test('does not count what a check of another name caught, and names it', () => {
    const { caught, others } = hunt({ ...lendsAtOnce, caughtBy: ['frugal'] }, { from: 1, to: 20 });
    expect(caught).toBeNull();
    expect(others.map(({ check }) => check)).toContain('new-life');
  });

  test('tries the remembered seed first, and all from the first on where that catches no more', () => {
    const { caught, seedsRun } = hunt(lendsAtOnce, { from: 1, to: 100 });
    const catches = (seed: number): boolean => hunt(lendsAtOnce, { from: seed, to: seed }).caught !== null;
    const idle = Array.from({ length: 100 }, (_, index) => 1_000 + index).find((seed) => !catches(seed));
    expect(hunt(lendsAtOnce, { remembered: caught?.seed, from: 1, to: 100 })).toEqual({ caught, others: [], seedsRun: 1 });
    expect(hunt(lendsAtOnce, { remembered: idle, from: 1, to: 100 })).toMatchObject({ caught, seedsRun: seedsRun + 1 });
  });

  test('a seed that fails without the bug too is no evidence', () => {
    const { caught } = hunt(lendsAtOnce, { from: 1, to: 40 }, undefined, loadMutant(lendsAtOnce));
    expect(caught).toBeNull();
  });

  test('with options fixed draws its seeds with them', () => {
    const { caught } = hunt({ ...planted('asks-everyone'), hunt: { profile: 'frugal' } }, { from: 1, to: 3 });
    expect(caught?.check).toBe('frugal');
  });
});

// `npm run sim:mutants` runs the sweep itself.
test('the canary: a sweep over a bug that shows in one seed of a hundred must report it about as often, and by its own check', () => {
  const failing = (seeds: readonly number[], check = 'token-rises'): Parameters<typeof isAsExpected>[0]['failures'] =>
    seeds.map((seed) => ({ seed, violation: { check, detail: '', atUs: 0 } }));
  expect(isAsExpected({ seeds: 500, failures: failing([3, 90, 200, 301, 444]) })).toBe(true);
  expect(isAsExpected({ seeds: 500, failures: [] })).toBe(false);
  expect(isAsExpected({ seeds: 3, failures: failing([1, 2, 3]) })).toBe(false);
  expect(isAsExpected({ seeds: 100, failures: failing([1], 'progress') })).toBe(false);
});

describe('npm run sim:mutants', () => {
  function simMutants(...args: string[]): { readonly code: number | null; readonly output: string } {
    const { status, stdout } = spawnSync(process.execPath, [join(DIST, 'main.js'), ...args], { encoding: 'utf8' });
    return { code: status, output: stdout };
  }

  test('shows which check caught each at which seed, and ends with 0', () => {
    const { code, output } = simMutants('--only', 'no-floor', '--jobs', '1');
    expect(output).toMatch(/^no-floor +floor-holds +\d+ +\d+ {2}a late copy/m);
    expect(output).toMatch(/^all 2 mutants were caught, each by a check that stands for what it breaks$/m);
    expect(code).toBe(0);
  });

  test('ends with 1 when one survives, and names it', () => {
    const { code, output } = simMutants('--only', 'token-not-in-release', '--afresh', '--seeds', '1');
    expect(output).toMatch(/^token-not-in-release +SURVIVED: not caught by token-covered or jumps or token-rises or fenced; /m);
    expect(output).toMatch(/^1 of 1 mutants survived: token-not-in-release$/m);
    expect(code).toBe(1);
  });

  test('ends with 2 when there is no such mutant', () => {
    expect(simMutants('--only', 'no-such-bug')).toEqual({ code: 2, output: 'error: no mutant has "no-such-bug" in its name\n' });
  });

  test('a bug that never comes back from an event is let go, and counts as caught by progress', async () => {
    const hangs: Mutant = {
      name: 'hangs',
      what: 'an arbiter that lends its vote never stops',
      changes: [inFile('arbiter')('const number = clock.tick();', 'const number = clock.tick();\n      for (;;);')],
      caughtBy: ['progress'],
    };
    const hunts = new Map<string, Hunt>();
    const settings = { seedMax: 50, jobs: 1, remembered: {}, seedMsMax: 2_000 };
    await built.huntAll([hangs, { ...hangs, name: 'hangs-for-another-reason', caughtBy: ['exclusion'] }, planted('no-floor')], settings, ({ name }, found) => hunts.set(name, found));
    expect(hunts.get('hangs')?.caught).toMatchObject({ check: 'progress', seed: 1, isHung: true });
    expect(hunts.get('hangs-for-another-reason')).toMatchObject({ caught: null, others: [{ check: 'progress', isHung: true }], seedsRun: 3 });
    expect(hunts.get('no-floor')?.caught?.check).toBe('floor-holds');
  });
});
