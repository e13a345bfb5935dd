/** Clients, their nodes and their clocks (sim/clients): each check holds over random seeds, and each can fail. */
import fc from 'fast-check';
import { CLIENT_CHECKS } from '../../sim/clients/check';
import { runClientsSeed } from '../../sim/clients/run';
import { newClientsTotals, SITUATIONS } from '../../sim/clients/sweep';
import { main } from '../../sim/clients-main';
import { MUTANTS } from '../../sim/mutants/catalogue';
import { hunt } from '../../sim/mutants/hunt';
import { recall } from '../../sim/mutants/memory';
import { holds } from '../support/holds';

const MEMORY = recall();

function simClients(...argv: string[]): { readonly code: number; readonly output: string } {
  let output = '';
  const code = main(argv, { write: (text) => void (output += text), isTerminal: false });
  return { code, output };
}

test('a client never believes longer than its node keeps, and all else that is checked, in runs of any seed', () => {
  holds(fc.property(fc.nat(2 ** 32 - 1), (seed) => {
    const { violation } = runClientsSeed(seed);
    if (violation !== null) throw new Error(`${violation.check}: ${violation.detail}\n  replay: npm run sim:clients -- --seed ${seed} --trace`);
  }), 150);
});

test.each([13512, 15870, 18703, 24404, 49355, 75546])('seed %i, where a check once failed for nothing, holds', (seed) => {
  expect(runClientsSeed(seed).violation).toBeNull();
});

test.each([1824, 2182, 2396, 23628, 25134, 30635, 32866])('seed %i, which once failed, holds', (seed) => {
  expect(runClientsSeed(seed).violation).toBeNull();
  // As it was when it failed: before there were readers.
  expect(runClientsSeed(seed, { alone: true }).violation).toBeNull();
});

describe('a run', () => {
  test('is a function of its seed, and to watch it changes nothing', () => {
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const lines: string[] = [];
      const { hash, events } = runClientsSeed(seed);
      expect(runClientsSeed(seed, {}, { trace: (line) => lines.push(line) })).toMatchObject({ hash, events });
      expect(lines.length).toBeGreaterThan(10);
    }
    expect(new Set([1, 2, 3, 4, 5, 6, 7, 8].map((seed) => runClientsSeed(seed).hash)).size).toBe(8);
  });

  test('of a profile has nothing of another', () => {
    const { counts, plan } = runClientsSeed(7, { profile: 'calm' });
    expect(plan.faults).toEqual([]);
    expect(counts.get('streams that broke')).toBeUndefined();
    expect(runClientsSeed(7, { profile: 'breaks' }).plan.faults.every(({ kind }) => kind === 'breaks' || kind === 'breaksAtFrame')).toBe(true);
  });
});

describe('a planted bug is caught by a check of its own', () => {
  /** One for each check: `npm run sim:mutants` hunts all of them. `deterministic` is of the sweep. */
  const examples = Object.keys(CLIENT_CHECKS).filter((check) => check !== 'deterministic').map((check) => {
    const mutant = MUTANTS.filter(({ clients }) => clients !== undefined).find(({ caughtBy }) => caughtBy[0] === check);
    return { check, mutant };
  });

  test.each(examples)('$check', ({ mutant }) => {
    if (mutant === undefined) throw new Error('no bug is planted for it');
    const { caught } = hunt(mutant, { remembered: MEMORY[mutant.name], from: 1, to: 1_000 });
    expect(mutant.caughtBy).toContain(caught?.check);
  });
});

test('a sweep says which situations never came up', () => {
  const totals = newClientsTotals();
  for (let seed = 0; seed < 5_000; seed++) totals.add({ ...REPORT, counts: new Map(SITUATIONS.slice(1).map((situation) => [situation, 1])) });
  expect(totals.uncovered(true)).toEqual([SITUATIONS[0]]);
  expect(totals.uncovered(false)).toEqual([]);
});

const REPORT = runClientsSeed(1);

describe('npm run sim:clients', () => {
  test('says what was drawn, what came up, and the hash', () => {
    const { code, output } = simClients('--seed', '3');
    expect(output).toMatch(/^seed 3 {2}(swarm|breaks|calm): \d+ clients?/);
    expect(output).toContain(`hash ${runClientsSeed(3).hash}`);
    expect(output).toMatch(/all checks held\n$/);
    expect(code).toBe(0);
  });

  test('names the check that failed and the command that replays it, and ends with 1', () => {
    const { code, output } = simClients('--seeds', '1..60', '--mutant', 'break-frees-at-once');
    expect(output).toMatch(/^VIOLATION of client-believes at [\d.]+ ms: n\d gives back lock \d+, and c\d/m);
    const [, replay = ''] = /^ {2}replay: npm run sim:clients -- (.+) --trace$/m.exec(output) ?? [];
    expect(simClients(...replay.split(' ')).output).toContain('VIOLATION of client-believes');
    expect(code).toBe(1);
  });

  test('ends with 2 when the command line is wrong', () => {
    expect(simClients('--seed', '1', '--seeds', '1..2').code).toBe(2);
    expect(simClients('--mutant', 'no-such-bug').code).toBe(2);
    expect(simClients('--profile', 'none').code).toBe(2);
  });
});
