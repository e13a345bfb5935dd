/** `maekawa quorums`, in this process: what it writes, what it says, what it refuses. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { quorumsCommand } from '../../src/cli/quorums';
import { parseConfiguration, readConfiguration } from '../../src/config';
import type { Configuration } from '../../src/config';
import { LockError } from '../../src/errors';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'maekawa-quorums-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function at(name: string): string {
  return join(folder, name);
}

/** What the command writes to standard output. */
async function run(...args: string[]): Promise<string> {
  let written = '';
  const command = quorumsCommand({ write: (text) => (written += text) });
  silence(command);
  await command.parseAsync(args, { from: 'user' });
  return written;
}

/** Makes commander throw instead of ending the process, without a word. */
function silence(command: Command): void {
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  command.commands.forEach(silence);
}

async function expectConfigError(args: string[], message: RegExp): Promise<void> {
  const error: unknown = await run(...args).then(() => null, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(LockError);
  expect(error).toMatchObject({ code: 'config', message: expect.stringMatching(message) as unknown });
}

async function expectUsageError(args: string[], message: RegExp): Promise<void> {
  await expect(run(...args)).rejects.toMatchObject({ code: expect.stringMatching(/^commander\./) as unknown, message: expect.stringMatching(message) as unknown });
}

async function initialized(...args: string[]): Promise<Configuration> {
  return parseConfiguration(JSON.parse(await run('init', '--out', '-', ...args)), 'standard output');
}

describe('maekawa quorums init', () => {
  test('--hosts gives one node to each, with the first part of its name as its id', async () => {
    expect((await initialized('--hosts', 'db1.example.com, db2.example.com,db3')).nodes).toEqual([
      { id: 'db1', address: 'db1.example.com:7001' }, { id: 'db2', address: 'db2.example.com:7001' }, { id: 'db3', address: 'db3:7001' },
    ]);
    expect((await initialized('--hosts', '10.0.0.1,::1,db3', '--base-port', '80')).nodes).toEqual([
      { id: 'n1', address: '10.0.0.1:80' }, { id: 'n2', address: '[::1]:80' }, { id: 'n3', address: 'db3:80' },
    ]);
    expect((await initialized('--hosts', 'db.a,db.b,db.c')).nodes.map(({ id }) => id)).toEqual(['n1', 'n2', 'n3']);
    await expectConfigError(['init', '--out', '-', '--hosts', 'a,b', '--nodes', '3'], /contradict each other/);
    await expectConfigError(['init', '--out', '-', '--hosts', 'a,b', '--host', 'c'], /exclude each other/);
    await expectConfigError(['init', '--out', '-'], /^say how many nodes there are/);
    await expectUsageError(['init', '--out', '-', '--hosts', 'a,,b'], /Write host names with commas/);
  });

  test('writes a configuration that is sound, and says what is next', async () => {
    const file = at('quorums.json');
    expect(await run('init', '--nodes', '9', '--family', 'grid', '--out', file)).toBe(`wrote ${file}: 9 nodes, family grid\nnext: maekawa quorums describe ${file}\n`);
    expect(readConfiguration(file)).toMatchObject({
      nodes: Array.from({ length: 9 }, (_, index) => ({ id: `n${index + 1}`, address: `127.0.0.1:${7001 + index}` })),
      quorums: { family: 'grid', columns: [['n1', 'n2', 'n3'], ['n4', 'n5', 'n6'], ['n7', 'n8', 'n9']] },
    });
  });

  test('the file is as one would write it by hand', async () => {
    expect(await run('init', '--nodes', '3', '--family', 'grid', '--columns', '1', '--cluster', 'blue', '--out', '-')).toBe(`{
  "cluster": "blue",
  "nodes": [
    { "id": "n1", "address": "127.0.0.1:7001" },
    { "id": "n2", "address": "127.0.0.1:7002" },
    { "id": "n3", "address": "127.0.0.1:7003" }
  ],
  "quorums": {
    "family": "grid",
    "columns": [
      ["n1", "n2", "n3"]
    ]
  }
}
`);
  });

  test.each([
    ['majority', 5], ['majority', 1], ['grid', 1], ['grid', 2], ['grid', 7], ['grid', 100], ['plane', 3], ['plane', 57], ['explicit', 1], ['explicit', 5], ['explicit', 13], ['explicit', 30],
  ])('family %s, %i nodes: passes its own check', async (family, nodes) => {
    const file = at('quorums.json');
    await run('init', '--nodes', String(nodes), '--family', family, '--out', file);
    expect(await run('check', file)).toContain(`${file} is sound: ${nodes} ${nodes === 1 ? 'node' : 'nodes'}, family ${family},`);
    expect(readConfiguration(file).quorums.family).toBe(family);
  });

  test('the default is a majority', async () => {
    expect((await initialized('--nodes', '3')).quorums).toEqual({ family: 'majority' });
  });

  test('a column count is kept, ragged if need be', async () => {
    const { quorums } = await initialized('--nodes', '7', '--family', 'grid', '--columns', '2');
    expect(quorums).toEqual({ family: 'grid', columns: [['n1', 'n2', 'n3', 'n4'], ['n5', 'n6', 'n7']] });
  });

  test('hosts: one for all counts ports up; {id} gives each its own; IPv6 gets its brackets', async () => {
    const addressesOf = async (...args: string[]): Promise<string[]> => (await initialized('--nodes', '2', ...args)).nodes.map(({ address }) => address);
    expect(await addressesOf('--host', 'db.example.com', '--base-port', '9000')).toEqual(['db.example.com:9000', 'db.example.com:9001']);
    expect(await addressesOf('--host', '{id}.locks.svc')).toEqual(['n1.locks.svc:7001', 'n2.locks.svc:7001']);
    expect(await addressesOf('--host', '::1')).toEqual(['[::1]:7001', '[::1]:7002']);
    expect(await addressesOf('--host', '[::1]')).toEqual(['[::1]:7001', '[::1]:7002']);
  });

  test('refers editors to the schema where they will find it', async () => {
    const schemaOf = async (): Promise<unknown> => {
      await run('init', '--nodes', '3', '--force', '--out', at('q.json'));
      return (JSON.parse(readFileSync(at('q.json'), 'utf8')) as Record<string, unknown>)['$schema'];
    };
    expect(await schemaOf()).toBeUndefined();
    mkdirSync(at('node_modules/maekawa'), { recursive: true });
    writeFileSync(at('node_modules/maekawa/quorums.schema.json'), '{}');
    expect(await schemaOf()).toBe('./node_modules/maekawa/quorums.schema.json');
    writeFileSync(at('quorums.schema.json'), '{}');
    expect(await schemaOf()).toBe('./quorums.schema.json');
  });

  test('never overwrites a file, unless told to', async () => {
    const file = at('quorums.json');
    writeFileSync(file, 'precious');
    await expectConfigError(['init', '--nodes', '3', '--out', file], /quorums\.json exists; write to another file with --out, or overwrite it with --force$/);
    expect(readFileSync(file, 'utf8')).toBe('precious');
    await run('init', '--nodes', '3', '--out', file, '--force');
    expect(readConfiguration(file).nodes).toHaveLength(3);
  });

  test('a folder that does not exist', async () => {
    await expectConfigError(['init', '--nodes', '3', '--out', at('none/q.json')], /^cannot write .*: there is no such folder$/);
  });

  const impossible: [args: string[], message: RegExp][] = [
    [['--nodes', '10', '--family', 'plane'], /^no projective plane of prime order has 10 nodes; use --nodes 7 or 13, or another --family$/],
    [['--nodes', '2', '--family', 'plane'], /use --nodes 3, or another --family$/],
    [['--nodes', '3', '--family', 'grid', '--columns', '4'], /^--columns 4 is more than there are nodes \(3\); give at most 3$/],
    [['--nodes', '3', '--columns', '1'], /^--columns is for --family grid, not majority$/],
    [['--nodes', '3', '--host', 'a b'], /nodes\[0\]\.address "a b:7001" is not host:port/],
    [['--nodes', '3', '--base-port', '65534'], /nodes\[2\]\.address "127\.0\.0\.1:65536" has an impossible port: give a port from 1 to 65535$/],
    [['--nodes', '3', '--cluster', ''], /cluster is empty: give the cluster a name/],
  ];

  test.each(impossible)('%j cannot be: one line that says why, and no file', async (args, message) => {
    const file = at('q.json');
    await expectConfigError(['init', '--out', file, ...args], message);
    expect(existsSync(file)).toBe(false);
  });

  const misused: [args: string[], message: RegExp][] = [
    [['--nodes', 'many'], /Write a whole number from 1 to 65535/],
    [['--nodes', '0'], /Write a whole number/],
    [['--nodes', '2.5'], /Write a whole number/],
    [['--nodes', '3', '--family', 'tree'], /Allowed choices are grid, majority, plane, explicit/],
    [['--nodes', '3', '--base-port', '70000'], /from 1 to 65535/],
  ];

  test.each(misused)('%j is refused', async (args, message) => {
    await expectUsageError(['init', ...args], message);
  });
});

describe('maekawa quorums check', () => {
  test('a sound file: says so in one line', async () => {
    await run('init', '--nodes', '4', '--out', at('q.json'));
    expect(await run('check', at('q.json'))).toBe(`${at('q.json')} is sound: 4 nodes, family majority, any two quorums share a node; lease 5000 ms, renewed every 1667 ms\n`);
  });

  test('a faulty file: every fault with its path and remedy', async () => {
    writeFileSync(at('q.json'), JSON.stringify({
      nodes: [{ id: 'n1', address: 'a:1' }, { id: 'n2', address: 'a:1' }],
      quorums: { family: 'explicit', sets: { n1: ['n1'], n2: ['n2'] } },
      leaseMs: 100,
      retryMs: 90,
    }));
    await expectConfigError(['check', at('q.json')], new RegExp([
      'q\\.json has 3 faults:',
      '  nodes\\[1\\]\\.address "a:1" is the address of nodes\\[0\\] too: give each node an address of its own',
      '  quorums\\.sets voting sets of n1 \\{n1\\} and n2 \\{n2\\} share no node: add a node of one to the other: .*',
      '  leaseMs of 100 ms is too short to be renewed every 90 ms: .*: make leaseMs at least 270, or retryMs at most 33$',
    ].join('\n')));
  });

  test('no such file, and not JSON', async () => {
    await expectConfigError(['check', at('none.json')], /there is no such file\. Make one with `maekawa quorums init`/);
    writeFileSync(at('q.json'), '{ "nodes": [],\n}');
    await expectConfigError(['check', at('q.json')], /q\.json is not JSON: line 2, column 1: unexpected "}"$/);
  });

  test('without a name, the file is the one that nodes would read', async () => {
    await run('init', '--nodes', '2', '--out', at('q.json'));
    process.env['MAEKAWA_CONFIG'] = at('q.json');
    try {
      expect(await run('check')).toContain(`${at('q.json')} is sound: 2 nodes`);
    } finally {
      delete process.env['MAEKAWA_CONFIG'];
    }
  });
});

describe('maekawa quorums describe', () => {
  async function described(args: string[], ...options: string[]): Promise<string> {
    await run('init', '--force', '--out', at('q.json'), ...args);
    return (await run('describe', at('q.json'), ...options)).replaceAll(at('q.json'), 'q.json');
  }

  test('nine nodes in a square grid: the published figures, and that a majority is better', async () => {
    expect(await described(['--nodes', '9', '--family', 'grid'])).toBe(`q.json: family grid, columns of 3, 3, 3

quorum size         5 of 9 nodes
load                5/9 (56 %) of all entries ask a node
messages per entry  12 between nodes, when nobody else wants the lock
crashes survived    any 2; up to 4 if they are the right ones
availability        97.7 % when each node is up 90 % of the time, down 8 d a year
                    99.9971 % when each node is up 99 % of the time, down 15 min a year
                    99.9999970 % when each node is up 99.9 % of the time, down 944 ms a year

Better is family majority: crashes survived in any case 4 instead of 2.
`);
  });

  test('a ragged grid: ranges, and the node that all depends on', async () => {
    expect(await described(['--nodes', '3', '--family', 'grid'])).toBe(`q.json: family grid, columns of 2, 1

quorum size         2 to 3, 2.7 on average, of 3 nodes
load                2/3 (67 %) to 3/3 (100 %), 2.7/3 (89 %) on average, of all entries ask a node
messages per entry  3 to 6, 5 on average, between nodes, when nobody else wants the lock
crashes survived    none in the worst case; up to 1 if they are the right ones
availability        89.1 % when each node is up 90 % of the time, down 40 d a year
                    99.0 % when each node is up 99 % of the time, down 4 d a year
                    99.90 % when each node is up 99.9 % of the time, down 9 h a year

Every quorum needs n3: with it down, no lock can be taken.
Better is family majority: quorums of 2 instead of 3, messages per entry 3 instead of 6, crashes survived in any case 1 instead of 0.
`);
  });

  test('a sampled availability states its error, or a bound where too little was seen', async () => {
    const text = await described(['--nodes', '21', '--family', 'explicit']);
    expect(text).toMatch(/availability {8}96\.\d ± 0\.\d % when each node is up 90 % of the time/);
    expect(await described(['--nodes', '31', '--family', 'plane'])).toMatch(/at least 99\.99\d+ % when each node is up 99 %.*\n.*more than 99\.9999999999/);
  });

  test('a single node, and a majority: nothing to advise', async () => {
    expect(await described(['--nodes', '1'])).toMatch(/quorum size {9}1 of 1 node\n[^]*crashes survived {4}none\n[^]*a year\n$/);
    expect(await described(['--nodes', '5'])).toMatch(/crashes survived {4}any 2 of 5\n[^]*a year\n$/);
  });

  test('--json: the numbers', async () => {
    expect(JSON.parse(await described(['--nodes', '13', '--family', 'plane'], '--json'))).toMatchObject({
      family: 'plane',
      nodes: 13,
      quorumSize: { min: 4, max: 4, mean: 4 },
      load: { max: 4 / 13 },
      messagesPerEntry: { max: 9 },
      crashes: { anyCase: 3, anyCaseIsExact: true, bestCase: 9 },
      availability: [{ nodeAvailability: 0.9, error: 0 }, { nodeAvailability: 0.99 }, { nodeAvailability: 0.999 }],
      advice: [{ kind: 'tougher', family: 'majority' }],
    });
  });

  test('a faulty file is refused', async () => {
    writeFileSync(at('q.json'), '{}');
    await expectConfigError(['describe', at('q.json')], /has 2 faults/);
  });
});

test.each(['init', 'check', 'describe'])('maekawa quorums %s --help shows examples', async (name) => {
  let help = '';
  const command = quorumsCommand({ write: () => undefined });
  const capture = (each: Command): void => {
    each.exitOverride().configureOutput({ writeOut: (text) => void (help += text) });
    each.commands.forEach(capture);
  };
  capture(command);
  await expect(command.parseAsync([name, '--help'], { from: 'user' })).rejects.toMatchObject({ code: 'commander.helpDisplayed' });
  expect(help).toMatch(new RegExp(`EXAMPLES\n {2}maekawa quorums ${name}`));
});

describe('maekawa quorums check, of what is allowed and hardly meant', () => {
  test.each([
    ['an address that nobody can reach', { nodes: [{ id: 'n1', address: '0.0.0.0:7001' }, { id: 'n2', address: '[::]:7001' }, { id: 'n3', address: 'c:1' }], quorums: { family: 'majority' } }, /\nnote: n1, n2 have an address on which one listens and that no peer can reach; .*\n$/],
    ['a majority of two', { nodes: [{ id: 'n1', address: 'a:1' }, { id: 'n2', address: 'b:1' }], quorums: { family: 'majority' } }, /\nnote: a majority of two nodes is both of them, .* use three\n$/],
    ['nothing', { nodes: [{ id: 'n1', address: '0.0.0.0.example:1' }], quorums: { family: 'majority' } }, /^[^\n]*\n$/],
  ])('%s', async (_what, file, notes) => {
    writeFileSync(at('odd.json'), JSON.stringify(file));
    expect(await run('check', at('odd.json'))).toMatch(notes);
  });
});
