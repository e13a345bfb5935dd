import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runClientsSeed } from '../../sim/clients/run';
import { runSeed } from '../../sim/run';

const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);
const FIRST: ReadonlyMap<number, string> = new Map(SEEDS.map((seed) => [seed, runSeed(seed).hash]));
const HASHES = join(__dirname, 'hashes.json');

describe('the simulator is deterministic', () => {
  test('two runs of one seed give the same hash', () => {
    for (const [seed, hash] of FIRST) expect(runSeed(seed).hash).toBe(hash);
  });

  test('the same on every machine: hashes.json (UPDATE_HASHES=1 writes it anew after a change of core or simulator)', () => {
    const clients = SEEDS.slice(0, 20).map((seed) => [`clients ${seed}`, runClientsSeed(seed).hash] as const);
    const hashes = Object.fromEntries([...FIRST, ...clients]);
    if (process.env['UPDATE_HASHES'] === '1') writeFileSync(HASHES, `${JSON.stringify(hashes, null, 2)}\n`);
    expect(hashes).toEqual(JSON.parse(readFileSync(HASHES, 'utf8')));
  });

  test('different seeds give different runs', () => {
    expect(new Set(FIRST.values()).size).toBe(SEEDS.length);
  });

  test('an observer changes nothing', () => {
    const observer = { stepped: (): void => undefined, noted: (): void => undefined };
    for (const [seed, hash] of FIRST) expect(runSeed(seed, {}, { observer }).hash).toBe(hash);
  });
});
