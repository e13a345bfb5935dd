/** What quorums are worth: the published figures, and every formula against trying all sets of nodes. */
import fc from 'fast-check';
import { layoutOf } from '../../src/quorum';
import type { Family } from '../../src/quorum';
import { availabilities } from '../../src/quorum/availability';
import { searchBlockingSize, smallestBlockingSize } from '../../src/quorum/crashes';
import { describeQuorums } from '../../src/quorum/describe';
import type { QuorumDescription } from '../../src/quorum/describe';
import { holds } from '../support/holds';
import { columnsOf, examples, gridOf, listedOf, majorityOf, nodeIds, planeOf, subsetsOf } from './layouts';
import type { Example } from './layouts';

const UP = [0.9, 0.99, 0.999];

function describeFamily(family: Family, nodes: number, columns?: number): QuorumDescription {
  return describeQuorums(nodeIds(nodes), layoutOf(family, nodeIds(nodes), columns));
}

function describeExample({ coterie, layout }: Example): QuorumDescription {
  return describeQuorums(coterie.nodes, layout);
}

describe('published figures', () => {
  const figures: [family: Family, nodes: number, quorumSize: number, load: [number, number], anyCase: number, bestCase: number][] = [
    ['grid', 4, 3, [3, 4], 1, 1],
    ['grid', 9, 5, [5, 9], 2, 4],
    ['grid', 16, 7, [7, 16], 3, 9],
    ['plane', 3, 2, [2, 3], 1, 1],
    ['plane', 7, 3, [3, 7], 2, 4],
    ['plane', 13, 4, [4, 13], 3, 9],
    ['plane', 31, 6, [6, 31], 5, 25],
    ['majority', 3, 2, [2, 3], 1, 1],
    ['majority', 5, 3, [3, 5], 2, 2],
    ['majority', 8, 5, [5, 8], 3, 3],
    ['majority', 9, 5, [5, 9], 4, 4],
  ];

  test.each(figures)('%s of %i nodes: K = %i, load %j, survives any %i crashes, %i at best', (family, nodes, quorumSize, [asked, of], anyCase, bestCase) => {
    expect(describeFamily(family, nodes)).toMatchObject({
      family,
      nodes,
      quorumSize: { min: quorumSize, max: quorumSize, mean: quorumSize },
      load: { min: asked / of, max: asked / of, mean: asked / of },
      messagesPerEntry: { min: 3 * (quorumSize - 1), max: 3 * (quorumSize - 1), mean: 3 * (quorumSize - 1) },
      crashes: { anyCase, anyCaseIsExact: true, bestCase },
      indispensable: [],
    });
  });

  test('availability of three nodes by majority: p³ + 3p²(1 − p)', () => {
    expect(describeFamily('majority', 3).availability.map(({ availability }) => availability)).toEqual(UP.map((p) => expect.closeTo(p ** 3 + 3 * p ** 2 * (1 - p), 14) as number));
  });

  test('availability of the plane of 7 nodes at p = 0.9: a down set blocks it if it contains a line', () => {
    // 7 lines of 3; every set of 4 but the complements of the lines, 28 of 35, contains a line, and so do all larger ones.
    const [p, q] = [0.9, 0.1];
    const blocked = 7 * q ** 3 * p ** 4 + 28 * q ** 4 * p ** 3 + 21 * q ** 5 * p ** 2 + 7 * q ** 6 * p + q ** 7;
    expect(describeFamily('plane', 7).availability[0]?.unavailability).toBeCloseTo(blocked, 14);
  });
});

describe('ragged and lopsided layouts', () => {
  test('a node that stands alone in its column is in every quorum: nothing works without it', () => {
    const description = describeExample(gridOf([['n1', 'n2'], ['n3']]));
    expect(description.indispensable).toEqual(['n3']);
    expect(description.crashes).toEqual({ anyCase: 0, anyCaseIsExact: true, bestCase: 1 });
    expect(description.quorumSize).toEqual({ min: 2, max: 3, mean: 8 / 3 });
    expect(description.load).toEqual({ min: 2 / 3, max: 1, mean: 8 / 9 });
  });

  test('a node that is not in its own voting set pays for one more conversation', () => {
    expect(describeExample(listedOf({ n1: ['n1', 'n2'], n2: ['n1', 'n2'], n3: ['n1', 'n2'] })).messagesPerEntry).toEqual({ min: 3, max: 6, mean: 4 });
  });

  test('a single node costs nothing and survives nothing', () => {
    expect(describeFamily('majority', 1)).toMatchObject({ messagesPerEntry: { max: 0 }, crashes: { anyCase: 0, bestCase: 0 }, indispensable: ['n1'], advice: [] });
  });
});

describe('crashes survived', () => {
  test('the fewest crashes that block every quorum are found, for every family', () => {
    holds(fc.property(examples, ({ coterie, layout }) => {
      const blocking = [...subsetsOf(coterie.nodes)].filter((up) => !coterie.containsQuorum(up)).map((up) => coterie.nodes.length - up.size);
      expect(smallestBlockingSize(coterie.nodes, layout)).toEqual({ size: Math.min(...blocking), isExact: true });
    }), 100);
  });

  test('the most crashes that leave a quorum are found, for every family', () => {
    holds(fc.property(examples, (example) => {
      const { coterie } = example;
      const survived = [...subsetsOf(coterie.nodes)].filter((up) => coterie.containsQuorum(up)).map((up) => coterie.nodes.length - up.size);
      expect(describeExample(example).crashes.bestCase).toBe(Math.max(...survived));
    }), 100);
  });

  test.each([3, 7, 13, 31])('plane of %i nodes: a search finds what the theorem says', (count) => {
    const { coterie, layout } = planeOf(count);
    expect(searchBlockingSize(coterie.nodes.map((node) => coterie.votingSet(node)))).toEqual(smallestBlockingSize(coterie.nodes, layout));
  });

  test('a search that takes too long gives what it has shown, as a lower bound', () => {
    const { coterie } = planeOf(57);
    const found = searchBlockingSize(coterie.nodes.map((node) => coterie.votingSet(node)), 10_000);
    expect(found.isExact).toBe(false);
    expect(found.size).toBeGreaterThan(1);
    expect(found.size).toBeLessThanOrEqual(8);
  });
});

describe('availability', () => {
  test('is the sum over all sets of nodes that contain a quorum, for every family', () => {
    const probability = fc.double({ min: 0.01, max: 0.999, noNaN: true });
    holds(fc.property(examples, probability, ({ coterie, layout }, up) => {
      let sum = 0;
      for (const members of subsetsOf(coterie.nodes)) {
        if (coterie.containsQuorum(members)) sum += up ** members.size * (1 - up) ** (coterie.nodes.length - members.size);
      }
      const [found] = availabilities(coterie.nodes, layout, smallestBlockingSize(coterie.nodes, layout).size, [up]);
      expect(found).toEqual({ nodeAvailability: up, availability: expect.closeTo(sum, 12) as number, unavailability: expect.closeTo(1 - sum, 12) as number, error: 0 });
    }), 60);
  });

  test('of a sampled coterie lies within the stated error of the truth', () => {
    // Twenty-two nodes of which only seven vote: too many to try all sets, but as available as those seven.
    const seven = planeOf(7).coterie;
    const nodes = nodeIds(22);
    const sets = Object.fromEntries(nodes.map((node, index) => [node, seven.votingSet(`n${1 + (index % 7)}`)]));
    const exact = describeFamily('plane', 7).availability;
    const sampled = describeQuorums(nodes, { family: 'explicit', sets }).availability;
    for (const [index, { unavailability, error }] of sampled.entries()) {
      const truth = exact[index]?.unavailability ?? NaN;
      expect(error).toBeGreaterThan(0);
      expect(Math.abs(unavailability - truth)).toBeLessThanOrEqual(error);
      expect(error).toBeLessThan(0.5 * truth);
    }
  });

  test('is the same each time: the samples are drawn with a fixed seed', () => {
    expect(describeFamily('plane', 31)).toEqual(describeFamily('plane', 31));
  });

  test.each([['majority', 999], ['grid', 1_000], ['plane', 57]] as const)('stays a probability for %s of %i nodes', (family, nodes) => {
    for (const { availability, unavailability, error } of describeFamily(family, nodes).availability) {
      for (const value of [availability, unavailability, error]) {
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
      }
    }
  });
});

describe('advice', () => {
  test.each([4, 5, 6, 7, 8, 9])('a square grid of %i nodes is no smaller than a majority, which survives as much or more', (nodes) => {
    const grid = describeFamily('grid', nodes);
    const majority = describeExample(majorityOf(nodes));
    expect(majority.quorumSize.max).toBeLessThanOrEqual(grid.quorumSize.max);
    expect(grid.advice.filter(({ family }) => family === 'majority').map(({ kind }) => kind)).toEqual(nodes === 4 ? [] : ['better']);
  });

  test('a plane where there is one: better than a grid, smaller than a majority', () => {
    const plane = { family: 'plane', quorumSizeMax: 4, messagesPerEntryMax: 9, crashesAnyCase: 3 };
    expect(describeFamily('grid', 13).advice).toContainEqual({ kind: 'better', ...plane });
    expect(describeFamily('majority', 13).advice).toEqual([{ kind: 'smaller', ...plane }]);
  });

  test('what another layout beats in everything is not advised', () => {
    expect(describeFamily('majority', 31).advice.map(({ kind, family }) => `${kind} ${family}`)).toEqual(['smaller plane']);
  });

  test('a squarer grid is better than a long one', () => {
    expect(describeFamily('grid', 16, 2).advice).toContainEqual({ kind: 'better', family: 'grid', columns: 4, quorumSizeMax: 7, messagesPerEntryMax: 18, crashesAnyCase: 3 });
  });

  test('large majorities hear of smaller quorums, small ones of nothing', () => {
    expect(describeFamily('majority', 25).advice).toEqual([{ kind: 'smaller', family: 'grid', columns: 5, quorumSizeMax: 9, messagesPerEntryMax: 24, crashesAnyCase: 4 }]);
    for (const nodes of [1, 2, 3, 4, 5, 8, 9]) expect(describeFamily('majority', nodes).advice).toEqual([]);
  });

  test('small quorums hear of a majority, which survives more', () => {
    expect(describeFamily('plane', 7).advice).toEqual([{ kind: 'tougher', family: 'majority', quorumSizeMax: 4, messagesPerEntryMax: 9, crashesAnyCase: 3 }]);
    expect(describeFamily('grid', 16).advice).toEqual([{ kind: 'tougher', family: 'majority', quorumSizeMax: 9, messagesPerEntryMax: 24, crashesAnyCase: 7 }]);
  });

  test('two by two is as good as a majority of four', () => {
    expect(describeExample(gridOf(columnsOf([2, 2]))).advice).toEqual([]);
  });

  test('advice of the kind better is really no worse in anything', () => {
    holds(fc.property(examples, (example) => {
      const own = describeExample(example);
      for (const { kind, family, columns } of own.advice) {
        const other = describeFamily(family, own.nodes, columns);
        const [size, crashes] = [other.quorumSize.max - own.quorumSize.max, other.crashes.anyCase - own.crashes.anyCase];
        if (kind === 'better') expect(size <= 0 && crashes >= 0 && other.load.max <= own.load.max).toBe(true);
        if (kind === 'smaller') expect(size).toBeLessThan(0);
        if (kind === 'tougher') expect(crashes).toBeGreaterThan(0);
      }
    }));
  });
});
