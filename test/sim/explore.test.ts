import { join } from 'node:path';
import { PRODUCTION_CORE } from '../../sim/core';
import type { Core } from '../../sim/core';
import { EXIT, run } from '../../sim/explore/cli';
import { parseOptions } from '../../sim/explore/options';
import { asConversation, stepsTo } from '../../sim/explore/path';
import { Search } from '../../sim/explore/search';
import type { Limits, Verdict } from '../../sim/explore/search';
import type { Setup } from '../../sim/explore/setup';
import { Snapshots } from '../../sim/explore/snapshot';
import { System } from '../../sim/explore/system';
import { StateTable } from '../../sim/explore/tables';
import { Random } from '../../sim/plan/random';
import { runScenario } from '../../sim/scenario';
import type { Coterie, NodeId, NodeSet } from '../../src/quorum/coterie';
import { Started } from '../support/processes';
import { CEILING_FORGOTTEN, NO_SILENCE, NO_YIELD } from './broken-cores';
import { countPlainly } from './plain-search';

const NO_LIMITS: Limits = { bytesMax: Infinity, statesMax: Infinity };

interface Explored {
  readonly setup: Setup;
  readonly system: System;
  readonly search: Search;
  readonly verdict: Verdict;
}

function explore(options: string, core: Core = PRODUCTION_CORE): Explored {
  const { setup } = parseOptions(options.split(' '));
  const system = new System(setup, core);
  const search = new Search(system);
  return { setup, system, search, verdict: search.run(NO_LIMITS, () => undefined) };
}

/** The command, with what it told. */
function command(args: string, core?: Core): { code: number; told: string; noted: string } {
  let [told, noted] = ['', ''];
  const code = run(args.split(' '), core, { tell: (text) => (told += `${text}\n`), note: (text) => (noted += `${text}\n`) });
  return { code, told, noted };
}

/** One vote fewer than a quorum is enough. */
class TooFew implements Coterie {
  constructor(private readonly coterie: Coterie) {}

  get nodes(): readonly NodeId[] {
    return this.coterie.nodes;
  }

  containsQuorum(members: NodeSet): boolean {
    return members.size >= this.votingSet(this.nodes[0] ?? '').length - 1;
  }

  votingSet(node: NodeId): readonly NodeId[] {
    return this.coterie.votingSet(node);
  }

  quorumAvoiding(node: NodeId, down: NodeSet): readonly NodeId[] | null {
    return this.coterie.quorumAvoiding(node, down);
  }
}

const ONE_VOTE_TOO_FEW: Core = {
  ...PRODUCTION_CORE,
  createNode: (settings, birth) => PRODUCTION_CORE.createNode({ ...settings, coterie: new TooFew(settings.coterie) }, birth),
};

/** Every entry gets the same token. */
const ONE_TOKEN: Core = {
  ...PRODUCTION_CORE,
  step: (node, event) => PRODUCTION_CORE.step(node, event).map((effect) => (effect.kind === 'entered' ? { ...effect, token: 1 } : effect)),
};

/** Nothing is ever repeated, and no lease comes to its end by itself. */
const NO_WAKE: Core = { ...PRODUCTION_CORE, step: (node, event) => (event.kind === 'wake' ? [] : PRODUCTION_CORE.step(node, event)) };

/** Nobody says who took a lock from its holder. */
const SECRET_THIEF: Core = {
  ...PRODUCTION_CORE,
  step: (node, event) => PRODUCTION_CORE.step(node, event).map((effect) => {
    if (effect.kind !== 'lost' && effect.kind !== 'recalled') return effect;
    const { kind, lock, caller } = effect;
    return { kind, lock, caller };
  }),
};

const NEVER_FORGETS: Core = { ...PRODUCTION_CORE, lockNames: () => ['a'] };

describe('explorer: the state space of the production core', () => {
  // A change of the core that changes these changes what the protocol does: look at it, then write the new counts down.
  test.each`
    options                                                        | states     | transitions | depth | quiet
    ${'--requests 1'}                                              | ${5}       | ${4}        | ${4}  | ${1}
    ${'--requests 2'}                                              | ${79}      | ${113}      | ${10} | ${8}
    ${'--requests 3'}                                              | ${9080}    | ${15313}    | ${17} | ${866}
    ${'--requests 3 --shared 2'}                                   | ${3475}    | ${6194}     | ${16} | ${263}
    ${'--callers n1,n1,n2'}                                        | ${1277}    | ${2036}     | ${17} | ${84}
    ${'--callers n1,n1:shared,n2:shared --no-retain'}              | ${1409}    | ${2074}     | ${15} | ${128}
    ${'--requests 3 --loss 1'}                                     | ${20351}   | ${42445}    | ${17} | ${2567}
    ${'--requests 2 --duplicate 1'}                                | ${1865}    | ${3203}     | ${14} | ${156}
    ${'--requests 2 --repeat 1 --loss 1'}                          | ${655944}  | ${1633400}  | ${23} | ${58114}
    ${'--requests 2 --cancel 1'}                                   | ${823}     | ${1413}     | ${12} | ${80}
    ${'--requests 1 --crash 1'}                                    | ${365}     | ${643}      | ${11} | ${58}
    ${'--requests 1 --crash 1 --handshakes-apart'}                 | ${1574}    | ${2922}     | ${13} | ${157}
    ${'--requests 1 --lease-end 1'}                                | ${236}     | ${465}      | ${11} | ${14}
    ${'--requests 1 --lease-end 2 --lease-steps 2'}                | ${4280}    | ${10591}    | ${19} | ${162}
    ${'--requests 1 --lease-end 1 --free-clocks'}                  | ${123}     | ${217}      | ${10} | ${11}
    ${'--requests 1 --suspect 1 --loss 1'}                         | ${561}     | ${1095}     | ${10} | ${94}
    ${'--callers n1,n2:steals'}                                    | ${1587}    | ${2970}     | ${17} | ${125}
    ${'--callers n1:remote,n2:steals'}                             | ${1590}    | ${2975}     | ${17} | ${125}
    ${'--callers n1:remote,n1:steals'}                             | ${34949}   | ${77360}    | ${24} | ${735}
    ${'--callers n1:remote,n2:steals --loss 1'}                    | ${3919}    | ${8973}     | ${17} | ${426}
    ${'--callers n1:steals,n2:steals'}                             | ${208155}  | ${521877}   | ${22} | ${7039}
    ${'--callers n1:shared:remote,n1:shared:remote,n2:steals'}     | ${40065}   | ${86057}    | ${22} | ${2088}
    ${'--nodes 4 --family grid --requests 2'}                      | ${2496}    | ${5009}     | ${16} | ${125}
    ${'--nodes 7 --family plane --requests 2'}                     | ${787}     | ${1745}     | ${16} | ${24}
  `('$options: $states states, and every one is clean', ({ options, ...counts }: { options: string }) => {
    const { verdict, search } = explore(options);
    expect({ verdict, ...search.progress }).toEqual({ verdict: { kind: 'clean' }, ...counts, ahead: 0 });
  });

  test('three callers in a plane: a million states, with Inquire, Yield and a late Grant in them', () => {
    const { system, search, verdict } = explore('--nodes 7 --family plane --requests 3');
    expect(verdict).toEqual({ kind: 'clean' });
    expect(search.progress).toMatchObject({ states: 1_009_056, transitions: 2_928_217, depth: 31, quiet: 14_427 });
    expect([...system.machines.hardware.seen.keys()]).toEqual(expect.arrayContaining([
      'entered exclusive', 'sent inquire', 'sent yield', 'ignored inquire: contender is younger', 'ignored grant: grant was given back',
    ]));
  });
});

describe('explorer: fairness', () => {
  test('an older request that has reached its whole voting set is overtaken once at most: by one that has its votes already', () => {
    const { verdict, search, system } = explore('--requests 4 --no-retain --overtaking');
    expect(verdict).toEqual({ kind: 'clean' });
    expect(search.progress.states).toBe(63_884);
    expect(system.overtakenMax).toBe(1);
  });
});

describe('explorer: its own machinery', () => {
  test.each(['--requests 2', '--requests 2 --loss 1', '--callers n1,n1,n2', '--requests 1 --crash 1', '--callers n1:remote,n2:steals', '--nodes 4 --family grid --requests 2 --no-retain'])(
    'finds the very states that a search without memory, snapshots and tables finds: %s',
    (options) => {
      const { search, setup } = explore(options);
      expect(search.table.size).toBe(countPlainly(setup));
    },
  );

  test('sorted Sets and Maps: the states told apart by their order alone are the same when sorted', () => {
    const ordered = explore('--requests 3 --keep-order');
    const sorted = explore('--requests 3');
    expect(ordered.verdict).toEqual(sorted.verdict);
    expect(sortedStates(ordered)).toEqual(sortedStates(sorted));
    const written = (keepsOrder: boolean, entries: readonly (readonly [string, number])[]): Uint8Array => {
      const snapshots = new Snapshots([], keepsOrder);
      snapshots.write({ map: new Map(entries), set: new Set(entries.map(([key]) => key)) });
      return snapshots.scratch.slice(0, snapshots.length);
    };
    const [one, other] = [[['a', 1], ['b', 2]], [['b', 2], ['a', 1]]] as const;
    expect(written(false, one)).toEqual(written(false, other));
    expect(written(true, one)).not.toEqual(written(true, other));
  });

  test('a snapshot that is read and written again is the same', () => {
    const { system } = explore('--requests 2 --repeat 1');
    const snapshots = new Snapshots(system.machines.hardware.settings, true);
    const written = (node: object): Uint8Array => {
      snapshots.write(node);
      return snapshots.scratch.slice(0, snapshots.length);
    };
    for (let id = 0; id < system.machines.size; id += 7) {
      const once = written(system.machines.restore(id));
      const twice = written(snapshots.read(once) as object);
      // Jest compares byte by byte, and takes long: only where they differ.
      if (Buffer.compare(once, twice) !== 0) expect(twice).toEqual(once);
    }
    expect(system.machines.size).toBeGreaterThan(1_000);
  });

  test('a snapshot refuses what it cannot hold', () => {
    const snapshots = new Snapshots([], false);
    expect(() => snapshots.write({ later: () => undefined })).toThrow('a node holds a function');
    expect(() => snapshots.write({ when: new Date(0) })).toThrow('a node holds an [object Date]');
  });

  test('a snapshot keeps identity, cycles, and every kind of number', () => {
    const snapshots = new Snapshots([], false);
    const inner = { list: [] as unknown[] };
    const object = { inner, again: inner, numbers: [0, 239, 240, 2 ** 48, 2 ** 52, -1, 0.5, Infinity], map: new Map([['b', 1], ['a', 2]]) };
    inner.list.push(object);
    snapshots.write(object);
    const copy = snapshots.read(snapshots.scratch.slice(0, snapshots.length)) as typeof object;
    expect(copy).toEqual({ ...object, map: new Map([['a', 2], ['b', 1]]), inner: { list: [copy] }, again: { list: [copy] } });
    expect(copy.again).toBe(copy.inner);
    expect(copy.inner.list[0]).toBe(copy);
  });

  test('tables: a state is new once, and known by its parent', () => {
    const table = new StateTable(3);
    const known = new Map<string, number>();
    const random = new Random(1, 'states');
    for (let i = 0; i < 200_000; i++) {
      const state = Int32Array.from([random.below(60), random.below(60), random.below(60)]);
      const isNew = !known.has(state.join());
      if (isNew) known.set(state.join(), i);
      if (table.add(state, i) !== isNew || !table.has(state)) throw new Error(`state ${state.join()} at ${i}`);
    }
    expect(table.size).toBe(known.size);
    const state = new Int32Array(3);
    for (let id = 0; id < table.size; id++) {
      table.read(id, state);
      if (known.get(state.join()) !== table.parentOf(id)) throw new Error(`parent of ${state.join()}`);
    }
  });
});

describe('explorer: broken cores are found, on a shortest path', () => {
  test.each`
    what                                  | core                 | options                                   | check            | steps
    ${'a thief that nobody names'}        | ${SECRET_THIEF}      | ${'--callers n1,n2:steals'}               | ${'keeps'}       | ${5}
    ${'one vote fewer than a quorum'}     | ${ONE_VOTE_TOO_FEW}  | ${'--requests 2'}                         | ${'exclusion'}   | ${2}
    ${'no silent lease after a restart'}  | ${NO_SILENCE}        | ${'--requests 2 --crash 1'}               | ${'exclusion'}   | ${8}
    ${'a ceiling that is forgotten'}      | ${CEILING_FORGOTTEN} | ${'--requests 2 --crash 1'}               | ${'grant-rises'} | ${4}
    ${'one token for all'}                | ${ONE_TOKEN}         | ${'--requests 2'}                         | ${'token-rises'} | ${7}
    ${'no Yield'}                         | ${NO_YIELD}          | ${'--nodes 4 --family grid --requests 3'} | ${'progress'}    | ${13}
    ${'timers that are not listened to'}  | ${NO_WAKE}           | ${'--requests 1 --loss 1'}                | ${'progress'}    | ${2}
    ${'locks that are never forgotten'}   | ${NEVER_FORGETS}     | ${'--requests 1'}                         | ${'no-residue'}  | ${4}
  `('$what: $check after $steps steps', ({ core, options, check, steps }: { core: Core; options: string; check: string; steps: number }) => {
    const { setup, system, search, verdict } = explore(options, core);
    if (verdict.kind !== 'violation') throw new Error('nothing was found');
    expect(verdict.failure.check).toBe(check);
    const path = stepsTo(system, search, verdict);
    expect(path).toHaveLength(steps);
    const { text, showsIt } = asConversation(setup, core, path, verdict.failure);
    expect(text).toContain(`# ${check}: `);
    expect(showsIt).toBe(check === 'exclusion' || check === 'token-rises');
  });

  test.each([
    ['recalled-is-free', 'n1:remote,n2:steals', 8],
    ['recalled-from-the-first', 'n1:shared:remote,n1:shared:remote,n2:steals', 10],
    ['recalled-goes-to-whoever-asks', 'n1:remote,n2:steals,n3', 8],
  ])('a planted bug, %s, lets a thief in beside a caller in another process', async (mutant, callers, steps) => {
    const explorer = new Started([process.execPath, join(__dirname, '../../dist/sim/explore/main.js'), '--mutant', mutant, '--callers', callers]);
    expect(await explorer.ended).toBe(EXIT.violation);
    expect(explorer.output).toContain(`# VIOLATION exclusion, ${steps} steps from the beginning.\n`);
  });

  test('the conversation can be run again as a scenario, and the production core stands it', () => {
    const { setup, system, search, verdict } = explore('--requests 2', ONE_VOTE_TOO_FEW);
    if (verdict.kind !== 'violation') throw new Error('nothing was found');
    const { text } = asConversation(setup, ONE_VOTE_TOO_FEW, stepsTo(system, search, verdict), verdict.failure);
    expect(text).toContain('VIOLATION exclusion is broken');
    expect(runScenario(text, { core: ONE_VOTE_TOO_FEW }).output).toBe(text);
    expect(runScenario(text).violations).toEqual([]);
  });
});

describe('explorer: the command', () => {
  test('clean: exit code 0', () => {
    const { code, told } = command('--requests 2');
    expect(code).toBe(EXIT.clean);
    expect(told).toContain('79 states, 113 transitions, depth 10');
    expect(told).toContain('Clean');
  });

  test('a violation: exit code 1 and the conversation', () => {
    const { code, told } = command('--requests 2', ONE_VOTE_TOO_FEW);
    expect(code).toBe(EXIT.violation);
    expect(told).toContain('# VIOLATION exclusion');
    expect(told).toContain('n1 acquires a');
  });

  test.each([
    ['--loss much', '--loss much: a whole number was expected'],
    ['--nodes 8 --family plane', 'no projective plane of prime order has 8 points'],
    ['--callers n4', "--callers: 'n4' where n1 to n3 was expected"],
    ['--callers n1,n2:thief', "--callers: 'n2:thief' where n1 to n3 was expected, and after it any of :shared, :steals, :remote"],
    ['--memory lots', '--memory lots: a size such as 500M or 8G was expected'],
    ['--requests 1 --shared 2', '--shared 2: there are only 1 requests'],
    ['--mutant zzz', '--mutant: there is no mutant "zzz"; there are yield-without-number, '],
    ['--mutant no-flor', '--mutant: there is no mutant "no-flor"; did you mean no-floor'],
    ['--speed 9', "Unknown option '--speed'"],
  ])('wrong usage: exit code 2 for %s', (args, message) => {
    const { code, noted } = command(args);
    expect(code).toBe(EXIT.usage);
    expect(noted).toContain(message);
  });

  test('a limit of states: exit code 3', () => {
    const { code, told } = command('--requests 3 --duplicate 1 --states 5000');
    expect(code).toBe(EXIT.limit);
    expect(told).toContain('Stopped at the limit of states');
  });

  test('a limit of memory: exit code 3 before the tables are larger', () => {
    const { code, told } = command('--requests 3 --duplicate 1 --memory 8M');
    expect(code).toBe(EXIT.limit);
    expect(told).toContain('Stopped at the limit of memory');
  });
});

/** Each state of a search, with its Sets and Maps sorted. */
function sortedStates({ setup, system, search }: Explored): Set<string> {
  const snapshots = new Snapshots(system.machines.hardware.settings, false);
  const text = (object: object): string => {
    snapshots.write(object);
    // The numbers of shapes and texts depend on which came first: compare what they stand for.
    return JSON.stringify(snapshots.read(snapshots.scratch.slice(0, snapshots.length)), (name, value: unknown) => {
      if (['context', 'settings', 'heap', 'peers'].includes(name)) return undefined;
      return value instanceof Map || value instanceof Set ? [...(value as Set<unknown>)] : value;
    });
  };
  const machineTexts = Array.from({ length: system.machines.size }, (_, id) => text(system.machines.restore(id)));
  const state = new Int32Array(system.width);
  const states = new Set<string>();
  for (let id = 0; id < search.table.size; id++) {
    search.table.read(id, state);
    const seats = [...state.subarray(0, system.nodes)].map((seat) => {
      const letters = [...system.machines.bags.lettersIn(system.seats.bagOf(seat))].map((each) => JSON.stringify(system.machines.bags.letter(each)));
      return [machineTexts[system.seats.machineOf(seat)], ...letters.sort()].join();
    });
    states.add([...seats, JSON.stringify(system.tallies.used(system.tallyOf(state), setup.budget)), system.tallies.highest(system.tallyOf(state))].join(';'));
  }
  return states;
}
