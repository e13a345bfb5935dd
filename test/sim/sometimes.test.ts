import { runSeed } from '../../sim/run';
import { addReport, newTotals } from '../../sim/outcome/totals';
import { SOMETIMES, SWEEP_SEEDS_MIN, describeSightings, missing, uncovered } from '../../sim/outcome/sometimes';
import { runTwice } from '../../sim/sweep';
import { NO_YIELD } from './broken-cores';

function totalsOf(seeds: number, tools: Parameters<typeof runSeed>[2] = {}, options: Parameters<typeof runSeed>[1] = {}, totals = newTotals()): ReturnType<typeof newTotals> {
  for (let seed = 1; seed <= seeds; seed++) addReport(totals, runSeed(seed, options, tools));
  return totals;
}

test('sometimes: a few hundred seeds see every property', () => {
  // Two of a hundred have two processes of one id, and few of those see all that may come of it.
  expect(missing(totalsOf(60, {}, { profile: 'namesakes' }, totalsOf(400)).sometimes)).toEqual([]);
});

test('sometimes: a core that never yields is noticed by what never comes up', () => {
  expect(missing(totalsOf(100, { core: NO_YIELD }).sometimes)).toContain('a Yield gave a vote back');
});

test('sometimes: a sweep of 10,000 seeds with everything drawn must see every property; a shorter one, or one with something fixed, need not', () => {
  const seen = Object.fromEntries(SOMETIMES.slice(1).map((name) => [name, 1]));
  expect(uncovered(SWEEP_SEEDS_MIN, true, seen)).toEqual([SOMETIMES[0]]);
  expect(uncovered(SWEEP_SEEDS_MIN - 1, true, seen)).toEqual([]);
  expect(uncovered(SWEEP_SEEDS_MIN, false, seen)).toEqual([]);
  expect(describeSightings(seen)).toContain(`${SOMETIMES.length - 1} of ${SOMETIMES.length}`);
});

test('deterministic: a second run that differs from the first is a violation', () => {
  expect(runTwice(42, (seed) => runSeed(seed)).violation).toBeNull();
  let runs = 0;
  const { violation } = runTwice(42, (seed) => ({ ...runSeed(seed), hash: `${++runs}` }));
  expect(violation).toMatchObject({ check: 'deterministic', detail: 'seed 42 has hash 1 and, run again, 2' });
});
