/** The laws that every family obeys (protocol.md section 8), on random small configurations, with all sets of nodes tried. */
import fc from 'fast-check';
import type { NodeId } from '../../src/quorum';
import { holds } from '../support/holds';
import { examples, majorityOf, gridOf, planeOf, listedOf, columnsOf, subsetsOf } from './layouts';
import type { Example } from './layouts';

/** A configuration and some nodes of it that are down. */
const exampleWithCrashes = examples.chain((example) =>
  fc.record({ example: fc.constant(example), down: fc.subarray([...example.coterie.nodes]).map((nodes) => new Set(nodes)) }));

describe('coterie', () => {
  test('containsQuorum agrees with the definition of the family for every set of nodes (protocol.md section 8)', () => {
    holds(fc.property(examples, ({ coterie, isQuorumByDefinition }) => {
      for (const members of subsetsOf(coterie.nodes)) {
        expect({ members, isQuorum: coterie.containsQuorum(members) }).toEqual({ members, isQuorum: isQuorumByDefinition(members) });
      }
    }), 60);
  });

  test('any two quorums share a node: no set and its complement both contain one (protocol.md section 8)', () => {
    holds(fc.property(examples, ({ coterie }) => {
      for (const members of subsetsOf(coterie.nodes)) {
        const others = new Set(coterie.nodes.filter((node) => !members.has(node)));
        if (coterie.containsQuorum(members)) expect({ others, isQuorum: coterie.containsQuorum(others) }).toEqual({ others, isQuorum: false });
      }
    }), 60);
  });

  test('all nodes together contain a quorum, none contains none', () => {
    holds(fc.property(examples, ({ coterie }) => {
      expect(coterie.containsQuorum(new Set(coterie.nodes))).toBe(true);
      expect(coterie.containsQuorum(new Set())).toBe(false);
    }));
  });

  test('strangers count for nothing', () => {
    holds(fc.property(exampleWithCrashes, ({ example: { coterie }, down: members }) => {
      const withStrangers = new Set([...members, 'stranger', 'n0', '', ...Array.from({ length: 20 }, (_, index) => `x${index}`)]);
      expect(coterie.containsQuorum(withStrangers)).toBe(coterie.containsQuorum(members));
    }));
  });

  test('a map with the nodes as keys does as well as a set', () => {
    holds(fc.property(exampleWithCrashes, ({ example: { coterie }, down: members }) => {
      expect(coterie.containsQuorum(new Map([...members].map((node) => [node, 'a grant'])))).toBe(coterie.containsQuorum(members));
    }));
  });

  test('votingSet is a quorum of known nodes, each listed once', () => {
    holds(fc.property(examples, ({ coterie }) => {
      for (const node of coterie.nodes) expectQuorum(coterie.votingSet(node), coterie);
    }));
  });

  test('quorumAvoiding is a quorum of nodes that are up', () => {
    holds(fc.property(exampleWithCrashes, ({ example: { coterie }, down }) => {
      for (const node of coterie.nodes) {
        const quorum = coterie.quorumAvoiding(node, down);
        if (quorum === null) continue;
        expectQuorum(quorum, coterie);
        expect(quorum.filter((each) => down.has(each))).toEqual([]);
      }
    }));
  });

  test('quorumAvoiding is null exactly when no quorum survives', () => {
    holds(fc.property(examples, ({ coterie, isQuorumByDefinition }) => {
      for (const up of subsetsOf(coterie.nodes)) {
        const down = new Set(coterie.nodes.filter((node) => !up.has(node)));
        for (const node of coterie.nodes) {
          const quorum = coterie.quorumAvoiding(node, down);
          expect({ node, down, survives: quorum !== null }).toEqual({ node, down, survives: isQuorumByDefinition(up) });
        }
      }
    }), 40);
  });

  test('while its members are up, the substitute is the voting set itself', () => {
    holds(fc.property(exampleWithCrashes, ({ example: { coterie }, down }) => {
      for (const node of coterie.nodes) {
        const votingSet = coterie.votingSet(node);
        if (!votingSet.some((each) => down.has(each))) expect(coterie.quorumAvoiding(node, down)).toEqual(votingSet);
      }
    }));
  });

  test('the same question gets the same answer, whatever was asked before', () => {
    holds(fc.property(exampleWithCrashes, ({ example: { coterie }, down }) => {
      const ask = (): unknown => coterie.nodes.map((node) => [
        coterie.votingSet(node), coterie.quorumAvoiding(node, down), coterie.containsQuorum(new Set(coterie.votingSet(node))), coterie.containsQuorum(down),
      ]);
      expect(ask()).toEqual(ask());
    }));
  });
});

describe('load', () => {
  const symmetric: [string, Example, number][] = [
    ['majority of 5', majorityOf(5), 3],
    ['majority of 8', majorityOf(8), 5],
    ['2 × 2 grid', gridOf(columnsOf([2, 2])), 3],
    ['3 × 3 grid', gridOf(columnsOf([3, 3, 3])), 5],
    ['4 × 4 grid', gridOf(columnsOf([4, 4, 4, 4])), 7],
    ['3 × 4 grid', gridOf(columnsOf([4, 4, 4])), 6],
    ['plane of 7', planeOf(7), 3],
    ['plane of 13', planeOf(13), 4],
    ['plane of 31', planeOf(31), 6],
  ];

  test.each(symmetric)('%s: every node is in as many voting sets as every other', (_name, { coterie }, size) => {
    expect(loadsOf(coterie.nodes.map((node) => coterie.votingSet(node)), coterie.nodes)).toEqual(coterie.nodes.map(() => size));
  });

  test.each(symmetric)('%s: no two nodes have the same voting set', (_name, { coterie }) => {
    expect(new Set(coterie.nodes.map((node) => coterie.votingSet(node).join())).size).toBe(coterie.nodes.length);
  });

  test.each(symmetric)('%s: each node is in its own voting set, for that vote costs no message', (_name, { coterie }) => {
    for (const node of coterie.nodes) expect(coterie.votingSet(node)).toContain(node);
  });

  test.each(symmetric)('%s: one crash puts at most half as much again on any other node', (_name, { coterie }, size) => {
    for (const dead of coterie.nodes) {
      const up = coterie.nodes.filter((node) => node !== dead);
      const quorums = up.map((node) => coterie.quorumAvoiding(node, new Set([dead])) ?? []);
      expect(Math.max(...loadsOf(quorums, up))).toBeLessThanOrEqual(1.5 * size);
    }
  });

  test.each(symmetric)('%s: after a crash every node is still in its own substitute', (_name, { coterie }) => {
    for (const dead of coterie.nodes) {
      for (const node of coterie.nodes) {
        if (node !== dead) expect(coterie.quorumAvoiding(node, new Set([dead]))).toContain(node);
      }
    }
  });

  test('majority: substitutes load all nodes that are up alike', () => {
    holds(fc.property(fc.integer({ min: 3, max: 30 }), fc.nat(), (count, seed) => {
      const { coterie } = majorityOf(count);
      const down = new Set(coterie.nodes.filter((_, index) => (seed + index * 7) % 3 === 0).slice(0, Math.floor((count - 1) / 2)));
      const up = coterie.nodes.filter((node) => !down.has(node));
      const loads = loadsOf(up.map((node) => coterie.quorumAvoiding(node, down) ?? []), up);
      expect(Math.max(...loads)).toBe(Math.min(...loads));
    }));
  });

  test('grid: nodes of a broken column turn to different columns', () => {
    const { coterie } = gridOf(columnsOf([3, 3, 3, 3]));
    const turnedTo = ['n2', 'n3'].map((node) => fullColumnOf(coterie.quorumAvoiding(node, new Set(['n1'])) ?? []));
    expect(new Set(turnedTo).size).toBe(2);
  });

  test('grid: nodes whose row meets a dead node turn to different nodes of its column', () => {
    const { coterie } = gridOf(columnsOf([4, 4, 4, 4]));
    const dead = new Set(['n1']);
    const turnedTo = ['n5', 'n9', 'n13'].flatMap((node) => (coterie.quorumAvoiding(node, dead) ?? []).filter((each) => ['n2', 'n3', 'n4'].includes(each)));
    expect(turnedTo.sort()).toEqual(['n2', 'n3', 'n4']);
  });

  test('explicit: a set without the node itself is its last choice', () => {
    const { coterie } = listedOf({ n1: ['n1', 'n2'], n2: ['n2', 'n3'], n3: ['n1', 'n2', 'n3'], n4: ['n2', 'n3', 'n4'], n5: ['n5', 'n2'] });
    expect(coterie.quorumAvoiding('n4', new Set(['n3']))).toEqual(expect.not.arrayContaining(['n4']));
    expect(coterie.quorumAvoiding('n1', new Set(['n5']))).toEqual(['n1', 'n2']);
    expect(coterie.quorumAvoiding('n3', new Set(['n1']))).toContain('n3');
  });
});

function expectQuorum(quorum: readonly NodeId[], coterie: Example['coterie']): void {
  expect(coterie.containsQuorum(new Set(quorum))).toBe(true);
  expect(quorum.filter((node) => !coterie.nodes.includes(node))).toEqual([]);
  expect(new Set(quorum).size).toBe(quorum.length);
}

/** In how many of the quorums each node is. */
function loadsOf(quorums: readonly (readonly NodeId[])[], nodes: readonly NodeId[]): number[] {
  return nodes.map((node) => quorums.filter((quorum) => quorum.includes(node)).length);
}

/** Of columns of three, the index of the one that is whole. */
function fullColumnOf(quorum: readonly NodeId[]): number {
  const columns = quorum.map((node) => Math.floor((Number(node.slice(1)) - 1) / 3));
  return columns.find((column) => columns.filter((each) => each === column).length === 3) ?? -1;
}
