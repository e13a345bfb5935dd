/** Reading a configuration, and the digest by which two nodes know that they have the same. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isConfiguration, parseConfiguration, readConfiguration } from '../../src/config';
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
    expectConfigError(() => readConfiguration(folder), /^cannot read .*: it is a folder\./);
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
