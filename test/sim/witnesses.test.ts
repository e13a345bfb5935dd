import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inTurn } from '../../sim/checks/witness';
import type { Witness } from '../../sim/checks/witness';
import { witnessesOf } from '../../sim/checks/witnesses-of';
import { PRODUCTION_CORE } from '../../sim/core';
import { drawPlan } from '../../sim/plan/draw';
import { PROFILES } from '../../sim/plan/plan';
import type { Profile } from '../../sim/plan/plan';
import { World } from '../../sim/world/world';

const NO_ACCOUNTS = { first: [], last: [] };

/** In every run. */
const ALWAYS = [
  'NoStorm', 'CallersKnown', 'Openings', 'CeilingHolds', 'GrantRises', 'RequestUnique', 'Exclusion', 'TokenRises', 'Deadlock', 'LostAtOnce',
  'Fenced', 'NoResidue', 'Progress', 'StolenForSomebody', 'TokenPromise', 'InLine', 'CalledIn', 'PassesInTurn', 'Usable', 'NewLife',
  'JumpsWhenNotTold', 'Answers', 'AsksBack', 'AsksForClocksInTime', 'CeilingInTime', 'GivesWay', 'Greets', 'LendsOn', 'Orders', 'Overtaken', 'RepeatsInTime', 'ValidAsHeard', 'WhomToAsk', 'WithinRoom',
];

/** What knows of one arbiter for each node, or of one quorum system. */
const OF_ONE_LAYOUT = ['Answers', 'AsksBack', 'AsksForClocksInTime', 'CeilingInTime', 'GivesWay', 'Greets', 'LendsOn', 'Orders', 'Overtaken', 'RepeatsInTime', 'ValidAsHeard', 'WhomToAsk', 'WithinRoom'];

const BESIDE: Readonly<Record<Profile, readonly string[]>> = {
  calm: ['LeaseInside', 'TokenCovered', 'KeepsAlways', 'Fairness', 'CalmProgress', 'Sparing', 'RepeatsWhenDue'],
  frugal: ['LeaseInside', 'TokenCovered', 'KeepsAlways', 'Frugal', 'RepeatsWhenDue'],
  swarm: ['LeaseInside', 'TokenCovered', 'Spreads'],
  relentless: ['LeaseInside', 'TokenCovered', 'Spreads'],
  spaced: ['LeaseInside', 'TokenCovered', 'Struck', 'KeepsWhenOthersAreStruck', 'Spreads', 'Prompt'],
  steadfast: ['LeaseInside', 'TokenCovered', 'KeepsWhileQuorumLives', 'Spreads'],
  adrift: ['Spreads'],
  rolling: ['OneConfiguration'],
  namesakes: ['StandsApart'],
  acts: [],
};

/** Of two processes with one id: what knows of one arbiter for each, or of one thief. */
const NOT_OF_NAMESAKES = ['Openings', 'Deadlock', 'Fenced', 'NewLife', 'JumpsWhenNotTold', 'StolenForSomebody', ...OF_ONE_LAYOUT];

/** What says nothing where quorums of two layouts lend votes, or tokens rest on the wall clocks. */
const NOT_OF_TWO_LAYOUTS = ['Openings', 'TokenRises', 'Deadlock', 'Fenced', 'TokenPromise', 'NewLife', 'JumpsWhenNotTold', ...OF_ONE_LAYOUT];

function namesOf(profile: Profile): string[] {
  // Seed 2: of two processes with one id each hears of the other.
  const plan = drawPlan(2, { profile });
  const world = new World(plan, PRODUCTION_CORE, null);
  return witnessesOf(plan, world.scene, NO_ACCOUNTS).map((witness) => witness.constructor.name);
}

test.each(Object.keys(PROFILES) as Profile[])('the witnesses of a %s run follow from its plan', (profile) => {
  const without = profile === 'acts' ? NOT_OF_NAMESAKES : profile === 'rolling' ? NOT_OF_TWO_LAYOUTS : profile === 'namesakes' ? NOT_OF_NAMESAKES : [];
  const always = ALWAYS.filter((name) => !without.includes(name));
  expect(namesOf(profile).sort()).toEqual([...always, ...BESIDE[profile]].sort());
});

test('accounts are told after those for whom something should not have happened, and before those who judge what came of it', () => {
  const plan = drawPlan(1, { profile: 'steadfast' });
  const first: Witness = { began: () => undefined };
  const last: Witness = { began: () => undefined };
  const all = witnessesOf(plan, new World(plan, PRODUCTION_CORE, null).scene, { first: [first], last: [last] });
  expect(all.indexOf(first)).toBe(2);
  expect(all.at(-1)).toBe(last);
});

test('all who care are told, in the order of their list, and no others', () => {
  const told: string[] = [];
  const witnesses = inTurn([
    { looked: () => told.push('a') }, { healed: () => told.push('not this one') }, { looked: () => told.push('b'), settled: () => told.push('nor this') },
  ]);
  witnesses.looked();
  expect(told).toEqual(['a', 'b']);
});

test('each property has one witness, and nobody else in the simulator judges', () => {
  const folder = join(__dirname, '../../sim');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts') && !/^(explore|clients)\//.test(file));
  const judges = new Map<string, Set<string>>();
  for (const file of files) {
    for (const [, check = ''] of readFileSync(join(folder, file), 'utf8').matchAll(/\bviolated\('([a-z-]+)'/g)) {
      judges.set(check, (judges.get(check) ?? new Set()).add(file));
    }
  }
  const names = [...readFileSync(join(folder, 'checks/check.ts'), 'utf8').matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, name]) => name);
  expect([...judges.keys(), 'deterministic'].sort()).toEqual(names.sort());
  for (const [check, where] of judges) expect([check, [...where].map((file) => file.split('/')[0]), where.size]).toEqual([check, ['checks'], 1]);
});
