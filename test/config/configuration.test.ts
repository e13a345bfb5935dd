/** Reading a configuration, and the digest by which two nodes know that they have the same. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isConfiguration, parseConfiguration, readConfiguration } from '../../src/config';
import type { Configuration } from '../../src/config';
import { LockError } from '../../src/errors';
import { configurationOf } from './configurations';

describe('readConfiguration', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'maekawa-config-'))));
  afterAll(() => rmSync(folder, { recursive: true }));

  function written(text: string): string {
    const path = join(folder, 'quorums.json');
    writeFileSync(path, text);
    return path;
  }

  test('gives the coterie and the settings', () => {
    const configuration = readConfiguration(written(JSON.stringify(configurationOf(3))));
    expect(configuration).toMatchObject({ cluster: 'default', leaseMs: 5_000, retryMs: 1_667, driftMax: 0.01, digest: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown });
    expect(configuration.coterie.votingSet('n2')).toEqual(['n2', 'n3']);
    expect(isConfiguration(configuration)).toBe(true);
    expect(isConfiguration({ ...configuration })).toBe(false);
  });

  test('reads a file that begins with a byte order mark', () => {
    expect(readConfiguration(written(`\uFEFF${JSON.stringify(configurationOf(3))}`)).nodes).toHaveLength(3);
  });

  test('a missing file: says so, and how to make one', () => {
    expectConfigError(() => readConfiguration(join(folder, 'none.json')), /none\.json: there is no such file\. Make one with `maekawa quorums init`, or name another file$/);
  });

  test('a folder: says so', () => {
    expectConfigError(() => readConfiguration(folder), /^cannot read .*: it is a folder\. Name the file in it$/);
  });

  test.each([['a byte more than 4 MiB', 0], ['a gigabyte', 2 ** 30]])('%s: is no configuration, and is not read to its end', (_, more) => {
    const path = written('');
    truncateSync(path, 2 ** 22 + 1 + more);
    expectConfigError(() => readConfiguration(path), /quorums\.json has more than 4 MiB, so it is hardly a configuration\. Name another file$/);
  });

  test('4 MiB are read', () => {
    const json = JSON.stringify(configurationOf(3));
    expect(readConfiguration(written(json + ' '.repeat(2 ** 22 - json.length))).nodes).toHaveLength(3);
  });

  test('not JSON: names line, column and what stands there', () => {
    expectConfigError(() => readConfiguration(written('{\n  "nodes": [1,]\n}')), /quorums\.json is not JSON: line 2, column 15: unexpected "\]"$/);
  });

  test('faults: names the file and each fault', () => {
    expectConfigError(() => readConfiguration(written('{}')), /quorums\.json has 2 faults:\n {2}nodes is missing: .*\n {2}quorums is missing: /);
  });
});

describe('digest', () => {
  const base = { ...configurationOf(4), quorums: { family: 'grid', columns: [['n1', 'n2'], ['n3', 'n4']] } };
  const digestOf = (value: unknown): string => parseConfiguration(value, 'test').digest;
  const other: [string, unknown][] = [
    ['another node', { ...configurationOf(5), quorums: { family: 'majority' } }],
    ['nodes in another order', { ...base, nodes: [...base.nodes].reverse() }],
    ['another layout', { ...base, quorums: { family: 'grid', columns: [['n1', 'n3'], ['n2', 'n4']] } }],
    ['another family', { ...base, quorums: { family: 'majority' } }],
    ['another lease', { ...base, leaseMs: 4_999 }],
    ['another drift', { ...base, driftMax: 0.02 }],
  ];

  test.each(other)('%s: another digest', (_name, value) => {
    expect(digestOf(value)).not.toBe(digestOf(base));
  });

  test('addresses, the retry interval and the order of keys do not count', () => {
    expect(digestOf({ ...base, nodes: base.nodes.map(({ id }, index) => ({ id, address: `${id}.example.com:${9000 + index}` })) })).toBe(digestOf(base));
    expect(digestOf({ ...base, retryMs: 100 })).toBe(digestOf(base));
    expect(digestOf({ quorums: { columns: base.quorums.columns, family: 'grid' }, leaseMs: 5_000, nodes: base.nodes })).toBe(digestOf(base));
    const sets = { n1: ['n1', 'n2'], n2: ['n1', 'n2'] };
    expect(digestOf({ ...configurationOf(2), quorums: { family: 'explicit', sets: { n2: sets.n2, n1: sets.n1 } } }))
      .toBe(digestOf({ ...configurationOf(2), quorums: { family: 'explicit', sets } }));
  });
});

describe('layout', () => {
  const base = { ...configurationOf(4), quorums: { family: 'grid', columns: [['n1', 'n2'], ['n3', 'n4']] } };
  const layoutOf = (value: unknown): string => parseConfiguration(value, 'test').layout;

  test('node ids and quorums alone make it', () => {
    expect(layoutOf(base)).toMatch(/^[0-9a-f]{16}$/);
    expect(layoutOf({ ...base, leaseMs: 4_999, driftMax: 0.02, retryMs: 100, cluster: 'other' })).toBe(layoutOf(base));
    expect(layoutOf({ ...base, nodes: base.nodes.map(({ id }, index) => ({ id, address: `h:${9000 + index}` })) })).toBe(layoutOf(base));
    expect(layoutOf({ ...base, quorums: { family: 'majority' } })).not.toBe(layoutOf(base));
    expect(layoutOf({ ...base, quorums: { family: 'grid', columns: [['n1', 'n3'], ['n2', 'n4']] } })).not.toBe(layoutOf(base));
    expect(layoutOf({ ...configurationOf(5), quorums: { family: 'majority' } })).not.toBe(layoutOf({ ...base, quorums: { family: 'majority' } }));
  });

  test('the order of the nodes counts in a plane, where it makes the quorums, and nowhere else', () => {
    const reversed = (file: ReturnType<typeof configurationOf>): object => ({ ...file, nodes: [...file.nodes].reverse() });
    const plane = { ...configurationOf(7), quorums: { family: 'plane' } };
    expect(layoutOf({ ...reversed(plane), quorums: plane.quorums })).not.toBe(layoutOf(plane));
    expect(layoutOf({ ...reversed(base), quorums: base.quorums })).toBe(layoutOf(base));
  });
});

describe('change', () => {
  const act = { from: '0123456789abcdef', silentMs: 20_000, clock: 1_800_000_000_000_000 };
  const parse = (change: unknown): Configuration => parseConfiguration({ ...configurationOf(3), change }, 'test');

  test('is kept, and is part of what nodes must agree on; the layout is the same with and without it', () => {
    const [without, changed] = [parseConfiguration(configurationOf(3), 'test'), parse(act)];
    expect(changed.change).toEqual(act);
    expect(without).not.toHaveProperty('change');
    expect(changed.layout).toBe(without.layout);
    const digests = [without, changed, parse({ ...act, clock: act.clock + 1 }), parse({ ...act, silentMs: 1_000 }), parse({ ...act, from: 'fedcba9876543210' })];
    expect(new Set(digests.map(({ digest }) => digest)).size).toBe(5);
  });

  test.each<[string, unknown, RegExp]>([
    ['no object', 'yes', /^test: change is a text: let `maekawa quorums change OLD\.json NEW\.json` write it, or leave it out$/],
    ['empty', {}, /change\.from is missing.*change\.silentMs is missing.*change\.clock is missing/s],
    ['another layout', { ...act, from: 'ABC' }, /change\.from is "ABC"/],
    ['no time at all', { ...act, silentMs: 0 }, /change\.silentMs is 0/],
    ['a clock that peers would refuse', { ...act, clock: 2 ** 53 - 2 ** 40 }, /change\.clock is \d+/],
    ['misspelt', { ...act, silentMS: 1 }, /change\.silentMS is not a setting: did you mean silentMs\?/],
  ])('%s: a fault', (_what, change, message) => {
    expectConfigError(() => parse(change), message);
  });
});

function expectConfigError(act: () => unknown, message: RegExp): void {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(LockError);
    expect(error).toMatchObject({ code: 'config', definite: true, message: expect.stringMatching(message) as unknown });
    return;
  }
  throw new Error('expected a LockError');
}
