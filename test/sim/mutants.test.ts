import { MUTANTS } from '../../sim/mutants/catalogue';
import { hunt } from '../../sim/mutants/hunt';
import { loadMutant } from '../../sim/mutants/load';
import { RULES } from '../../sim/mutants/rules';

jest.setTimeout(60_000);

test('every planted bug still finds the one place in the core that it changes', () => {
  for (const mutant of MUTANTS) expect(() => loadMutant(mutant)).not.toThrow();
  expect(new Set(MUTANTS.map((mutant) => mutant.name)).size).toBe(MUTANTS.length);
});

test.each(RULES.map((mutant) => [mutant.name, mutant] as const))('the core without a rule of protocol §11 fails some seed below 2,000: %s', (_name, mutant) => {
  const { caught } = hunt(mutant, 1_999);
  expect(mutant.caughtBy).toContain(caught?.check);
});
