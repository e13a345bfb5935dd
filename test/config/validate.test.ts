/** Every fault of a configuration: where it is, what is wrong, how to mend it. */
import fc from 'fast-check';
import { describeFaults, validate } from '../../src/config';
import type { Fault } from '../../src/config';
import { holds } from '../support/holds';
import { configurationOf } from './configurations';

describe('validate', () => {
  test('fills in the defaults', () => {
    expect(validate(configurationOf(3))).toEqual({
      file: {
        cluster: 'default',
        nodes: [{ id: 'n1', address: '127.0.0.1:7001' }, { id: 'n2', address: '127.0.0.1:7002' }, { id: 'n3', address: '127.0.0.1:7003' }],
        quorums: { family: 'majority' },
        leaseMs: 5_000,
        retryMs: 1_667,
        driftMax: 0.01,
      },
    });
  });

  test('keeps what is set; a default retry is a third of the lease', () => {
    expect(validate({ ...configurationOf(1), $schema: './quorums.schema.json', cluster: 'c', leaseMs: 900, driftMax: 0 })).toMatchObject({
      file: { cluster: 'c', leaseMs: 900, retryMs: 300, driftMax: 0 },
    });
    expect(validate({ ...configurationOf(1), leaseMs: 900, retryMs: 100 })).toMatchObject({ file: { retryMs: 100 } });
  });

  const grid = { family: 'grid', columns: [['n1', 'n2'], ['n3', 'n4']] };
  const sets = { n1: ['n1', 'n2'], n2: ['n2', 'n3'], n3: ['n3', 'n1'] };
  const cases: [name: string, value: unknown, path: string, problem: string, remedy: string | RegExp][] = [
    ['no object', [], '', 'is an empty list, not an object', /maekawa quorums init/],
    ['null', null, '', 'is null, not an object', /write \{ "nodes"/],
    ['a misspelt setting', { ...configurationOf(3), leaseMS: 100 }, 'leaseMS', 'is not a setting', 'did you mean leaseMs?'],
    ['an unknown setting', { ...configurationOf(3), colour: 'red' }, 'colour', 'is not a setting', /^known are \$schema, cluster, nodes/],
    ['an unknown setting of a node', nodesOf({ id: 'n1', address: 'a:1', adress: 'a:1' }), 'nodes[0].adress', 'is not a setting', 'did you mean address?'],
    ['a setting of another family', { ...configurationOf(3), quorums: { family: 'majority', columns: [] } }, 'quorums.columns', 'is not a setting', 'known are family'],
    ['an empty cluster name', { ...configurationOf(3), cluster: '' }, 'cluster', 'is empty', /^give the cluster a name/],
    ['a cluster name that fits no handshake', { ...configurationOf(3), cluster: 'é'.repeat(201) }, 'cluster', 'is 201 characters long', /^give the cluster a name of at most 200/],
    ['a cluster that is no text', { ...configurationOf(3), cluster: 7 }, 'cluster', 'is a number', /^give the cluster a name/],
    ['no nodes', { quorums: { family: 'majority' } }, 'nodes', 'is missing', /^list the nodes/],
    ['empty nodes', { ...configurationOf(3), nodes: [] }, 'nodes', 'is an empty list', /^list the nodes/],
    ['nodes that are no list', { ...configurationOf(3), nodes: {} }, 'nodes', 'is an object', /^list the nodes/],
    ['a node that is a text', nodesOf('n1'), 'nodes[0]', 'is a text', 'write { "id": "n1", "address": "127.0.0.1:7001" }'],
    ['a node without id', nodesOf({ address: 'a:1' }), 'nodes[0].id', 'is missing', /^use letters/],
    ['an id with a space', nodesOf({ id: 'n 1', address: 'a:1' }), 'nodes[0].id', 'is "n 1"', /^use letters/],
    ['an id that is too long', nodesOf({ id: 'n'.repeat(64), address: 'a:1' }), 'nodes[0].id', `is "${'n'.repeat(64)}"`, /at most 63$/],
    ['a duplicate id', nodesOf({ id: 'a', address: 'a:1' }, { id: 'a', address: 'a:2' }), 'nodes[1].id', '"a" is the id of nodes[0] too', 'give each node an id of its own'],
    ['no address', nodesOf({ id: 'n1' }), 'nodes[0].address', 'is missing', /^write host:port/],
    ['an address without port', nodesOf({ id: 'n1', address: 'localhost' }), 'nodes[0].address', '"localhost" is not host:port', /^write host:port/],
    ['an IPv6 address without brackets', nodesOf({ id: 'n1', address: '::1:7001' }), 'nodes[0].address', '"::1:7001" is not host:port', /"\[::1\]:7001"$/],
    ['port 0', nodesOf({ id: 'n1', address: 'a:0' }), 'nodes[0].address', '"a:0" has an impossible port', 'give a port from 1 to 65535'],
    ['port 65536', nodesOf({ id: 'n1', address: 'a:65536' }), 'nodes[0].address', '"a:65536" has an impossible port', 'give a port from 1 to 65535'],
    ['a duplicate address', nodesOf({ id: 'a', address: 'h:1' }, { id: 'b', address: 'h:1' }), 'nodes[1].address', '"h:1" is the address of nodes[0] too', 'give each node an address of its own'],
    ['a duplicate address in other letters', nodesOf({ id: 'a', address: 'h:1' }, { id: 'b', address: 'H:01' }), 'nodes[1].address', '"H:01" is the address of nodes[0] too', 'give each node an address of its own'],
    ['a faulty address beside a faulty id', nodesOf({ id: '', address: 'x' }), 'nodes[0].address', '"x" is not host:port', /^write host:port/],
    ['no quorums', { nodes: configurationOf(3).nodes }, 'quorums', 'is missing', /^write \{ "family"/],
    ['quorums that are no object', { ...configurationOf(3), quorums: 'grid' }, 'quorums', 'is a text', /^write \{ "family"/],
    ['no family', { ...configurationOf(3), quorums: {} }, 'quorums.family', 'is missing', 'choose one of grid, majority, plane, explicit'],
    ['an unknown family', { ...configurationOf(3), quorums: { family: 'tree' } }, 'quorums.family', 'is "tree"', 'choose one of grid, majority, plane, explicit'],
    ['a plane that does not exist', { ...configurationOf(10), quorums: { family: 'plane' } }, 'quorums.family', 'there is no projective plane of prime order with 10 nodes', 'use 7 or 13 nodes, or family "majority" or "grid"'],
    ['no columns', { ...configurationOf(4), quorums: { family: 'grid' } }, 'quorums.columns', 'is missing', /^list the columns/],
    ['an empty column', { ...configurationOf(4), quorums: { family: 'grid', columns: [['n1', 'n2', 'n3', 'n4'], []] } }, 'quorums.columns[1]', 'is an empty list', 'list node ids: ["n1", "n2"]'],
    ['an unknown node in a column', { ...configurationOf(4), quorums: { family: 'grid', columns: [['n1', 'n2'], ['n3', 'n44']] } }, 'quorums.columns[1][1]', 'there is no node "n44"', 'did you mean n4?'],
    ['a node of another kind', { ...configurationOf(4), quorums: { family: 'grid', columns: [['n1', 'n2'], ['n3', 'database']] } }, 'quorums.columns[1][1]', 'there is no node "database"', 'the nodes are n1, n2, n3, n4'],
    ['a node of another kind among many', { ...configurationOf(40), quorums: { family: 'grid', columns: [['database']] } }, 'quorums.columns[0][0]', 'there is no node "database"', 'the nodes are n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, … n40'],
    ['a number for a node', { ...configurationOf(4), quorums: { family: 'grid', columns: [['n1', 'n2'], ['n3', 4]] } }, 'quorums.columns[1][1]', 'there is no node 4', /n4/],
    ['a node twice in a column', { ...configurationOf(4), quorums: { ...grid, columns: [['n1', 'n2', 'n1'], ['n3', 'n4']] } }, 'quorums.columns[0][2]', '"n1" is listed twice', 'list it once'],
    ['a node in two columns', { ...configurationOf(4), quorums: { ...grid, columns: [['n1', 'n2'], ['n3', 'n4', 'n2']] } }, 'quorums.columns[1][2]', '"n2" stands at quorums.columns[0][1] too', 'place each node once'],
    ['a node in no column', { ...configurationOf(5), quorums: grid }, 'quorums.columns', 'node "n5" stands in no column', /^add it to one/],
    ['no sets', { ...configurationOf(3), quorums: { family: 'explicit' } }, 'quorums.sets', 'is missing', /^list a voting set for each node/],
    ['a set of an unknown node', { ...configurationOf(3), quorums: { family: 'explicit', sets: { ...sets, n33: ['n1', 'n2', 'n3'] } } }, 'quorums.sets.n33', 'there is no node "n33"', 'did you mean n3?'],
    ['an unknown node in a set', { ...configurationOf(3), quorums: { family: 'explicit', sets: { ...sets, n3: ['n3', 'x1'] } } }, 'quorums.sets.n3[1]', 'there is no node "x1"', 'did you mean n1?'],
    ['an empty set', { ...configurationOf(3), quorums: { family: 'explicit', sets: { ...sets, n3: [] } } }, 'quorums.sets.n3', 'is an empty list', 'list node ids: ["n1", "n2"]'],
    ['a node without set', { ...configurationOf(3), quorums: { family: 'explicit', sets: { n1: sets.n1, n2: sets.n2 } } }, 'quorums.sets.n3', 'is missing', 'list the nodes that n3 asks'],
    ['a node in no set', { ...configurationOf(3), quorums: { family: 'explicit', sets: { n1: ['n1'], n2: ['n1', 'n2'], n3: ['n1', 'n2'] } } }, 'quorums.sets', 'node "n3" is in no voting set', 'add it to one, or take it out of nodes'],
    [
      'two sets that do not intersect', { ...configurationOf(4), quorums: { family: 'explicit', sets: { ...sets, n4: ['n4', 'n1'] } } }, 'quorums.sets',
      'voting sets of n2 {n2,n3} and n4 {n4,n1} share no node', /^add a node of one to the other: any two voting sets must share a node/,
    ],
    ['a lease too short for the retry interval', { ...configurationOf(3), leaseMs: 1_000, retryMs: 500 }, 'leaseMs', 'of 1000 ms is too short to be renewed every 500 ms: one lost message would lose the lock', 'make leaseMs at least 1500, or retryMs at most 333'],
    ['a lease that is no number', { ...configurationOf(3), leaseMs: '5s' }, 'leaseMs', 'is "5s"', 'give whole milliseconds from 50 to 86400000, such as 5000'],
    ['a lease that is too short', { ...configurationOf(3), leaseMs: 49 }, 'leaseMs', 'is 49', /^give whole milliseconds from 50/],
    ['a lease that is not whole', { ...configurationOf(3), leaseMs: 99.5 }, 'leaseMs', 'is 99.5', /^give whole milliseconds/],
    ['null for a setting', { ...configurationOf(3), leaseMs: null }, 'leaseMs', 'is null', /^give whole milliseconds/],
    ['a retry interval of 0', { ...configurationOf(3), retryMs: 0 }, 'retryMs', 'is 0', 'give whole milliseconds, such as 1667, a third of the lease'],
    ['a faulty retry beside a faulty lease', { ...configurationOf(3), leaseMs: 0, retryMs: -1 }, 'retryMs', 'is -1', /^give whole milliseconds/],
    ['a drift of 100 %', { ...configurationOf(3), driftMax: 1 }, 'driftMax', 'is 1', 'give a ratio from 0 to 0.2, such as 0.01 for one per cent'],
    ['a drift that is no number', { ...configurationOf(3), driftMax: '1%' }, 'driftMax', 'is "1%"', /^give a ratio/],
  ];

  test.each(cases)('%s', (_name, value, path, problem, remedy) => {
    const fault = faultsOf(value).find((each) => each.path === path && each.problem === problem);
    expect(fault ?? faultsOf(value)).toMatchObject({ path, problem, remedy: typeof remedy === 'string' ? remedy : expect.stringMatching(remedy) as unknown });
  });

  test.each([
    ['each two of many sets share no node', { ...configurationOf(300), quorums: { family: 'explicit', sets: Object.fromEntries(configurationOf(300).nodes.map(({ id }) => [id, [id]])) } }],
    ['many unknown settings', { ...configurationOf(1), ...Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, 1])) }],
    ['a very long name', { ...configurationOf(1), ['leaseMs'.repeat(30_000)]: 1, nodes: [{ id: 'x'.repeat(100_000), address: 'y'.repeat(100_000) }] }],
  ])('what is told of a faulty file is no longer than a reader can follow: %s', (_what, value) => {
    const faults = faultsOf(value);
    expect(faults.length).toBeLessThanOrEqual(100);
    const text = describeFaults('the file', faults);
    expect(text.length).toBeLessThan(10_000);
    if (faults.length === 100) expect(text).toMatch(/^the file has 100 or more faults:\n[^]*\n {2}the first 20 are shown; mend them and check again$/);
  });

  test('reports all faults at once', () => {
    const faults = faultsOf({ nodes: [{ id: '!', address: 'x' }, { id: 'b', address: 'b:1' }], quorums: { family: 'tree' }, leaseMs: 0, retryMs: 0, driftMax: 9 });
    expect(faults.map(({ path }) => path)).toEqual(['nodes[0].address', 'nodes[0].id', 'quorums.family', 'driftMax', 'leaseMs', 'retryMs']);
  });

  test('one wrong drift does not make the lease look wrong', () => {
    expect(faultsOf({ ...configurationOf(3), driftMax: 5 })).toHaveLength(1);
  });

  test('names every two sets that do not intersect', () => {
    const faults = faultsOf({ ...configurationOf(3), quorums: { family: 'explicit', sets: { n1: ['n1'], n2: ['n2'], n3: ['n3'] } } });
    expect(faults.map(({ problem }) => problem)).toEqual([
      'voting sets of n1 {n1} and n2 {n2} share no node',
      'voting sets of n1 {n1} and n3 {n3} share no node',
      'voting sets of n2 {n2} and n3 {n3} share no node',
    ]);
  });

  test('a node may be called as a member of every object', () => {
    const nodes = [{ id: 'constructor', address: 'a:1' }, { id: 'toString', address: 'a:2' }];
    expect(faultsOf({ nodes, quorums: { family: 'explicit', sets: { constructor: ['constructor', 'toString'] } } }))
      .toMatchObject([{ path: 'quorums.sets.toString', problem: 'is missing' }]);
  });

  test.each(['127.0.0.1:1', 'localhost:65535', '[::1]:7001', '[fe80::1]:7001', 'node-1.locks.svc.cluster.local:7001', 'lock_1:80'])('accepts the address %s', (address) => {
    expect(faultsOf(nodesOf({ id: 'n1', address }))).toEqual([]);
  });

  test('either half of the remedy for a short lease mends it', () => {
    const times = fc.record({ leaseMs: fc.integer({ min: 50, max: 20_000 }), retryMs: fc.integer({ min: 1, max: 20_000 }), driftMax: fc.double({ min: 0, max: 0.2, noNaN: true }) });
    holds(fc.property(times, (drawn) => {
      const [fault] = faultsOf({ ...configurationOf(3), ...drawn });
      const numbers = /make leaseMs at least (\d+), or retryMs at most (\d+)/.exec(fault?.remedy ?? '');
      if (numbers === null) return;
      expect(faultsOf({ ...configurationOf(3), ...drawn, leaseMs: Number(numbers[1]) })).toEqual([]);
      expect(faultsOf({ ...configurationOf(3), ...drawn, retryMs: Number(numbers[2]) })).toEqual([]);
    }));
  });

  test('whatever the file says, there is an answer: sound, or faults with a remedy each', () => {
    holds(fc.property(fc.oneof(fc.jsonValue(), mutilated), (value) => {
      const result = validate(value);
      if ('file' in result) return;
      expect(result.faults.length).toBeGreaterThan(0);
      for (const fault of result.faults) {
        expect(fault.problem).not.toBe('');
        expect(fault.remedy).not.toBe('');
      }
    }), 500);
  });
});

describe('describeFaults', () => {
  const fault: Fault = { path: 'nodes', problem: 'is missing', remedy: 'list the nodes' };

  test('one fault is one line', () => {
    expect(describeFaults('q.json', [fault])).toBe('q.json: nodes is missing: list the nodes');
  });

  test('several faults are a line each under a heading', () => {
    expect(describeFaults('q.json', [fault, { ...fault, path: '' }])).toBe('q.json has 2 faults:\n  nodes is missing: list the nodes\n  the file is missing: list the nodes');
  });
});

/** A sound configuration in which one value was replaced by any other. */
const mutilated = fc.tuple(fc.jsonValue(), fc.nat()).map(([junk, drawn]) => {
  const sound = { ...configurationOf(4), cluster: 'c', leaseMs: 900, retryMs: 300, driftMax: 0.01, quorums: { family: 'grid', columns: [['n1', 'n2'], ['n3', 'n4']] } };
  let place = 0;
  const replaceOne = (value: unknown): unknown => {
    if (place++ === drawn % 30) return junk;
    if (Array.isArray(value)) return value.map(replaceOne);
    if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, replaceOne(each)]));
    return value;
  };
  return replaceOne(sound);
});

function faultsOf(value: unknown): readonly Fault[] {
  const result = validate(value);
  return 'faults' in result ? result.faults : [];
}

function nodesOf(...nodes: unknown[]): unknown {
  return { nodes, quorums: { family: 'majority' } };
}
