/** Sound configurations to start from. */
import fc from 'fast-check';
import { layoutOf, planeOrder } from '../../src/quorum';
import { nodeIds } from '../quorum/layouts';

export function configurationOf(count: number): { nodes: { id: string; address: string }[]; quorums: unknown } {
  return {
    nodes: nodeIds(count).map((id, index) => ({ id, address: `127.0.0.1:${7001 + index}` })),
    quorums: { family: 'majority' },
  };
}

/** Sound ones of every family, with and without the optional settings. */
export const soundConfigurations = fc.record({
  count: fc.integer({ min: 1, max: 20 }),
  family: fc.constantFrom('grid', 'majority', 'plane', 'explicit'),
  settings: fc.record({
    $schema: fc.constant('./quorums.schema.json'),
    cluster: fc.string({ minLength: 1 }),
    leaseMs: fc.integer({ min: 50, max: 86_400_000 }),
    driftMax: fc.double({ min: 0, max: 0.2, noNaN: true }),
  }, { requiredKeys: [] }),
}).filter(({ count, family }) => family !== 'plane' || planeOrder(count) !== null).map(({ count, family, settings }) => ({
  ...settings,
  ...configurationOf(count),
  quorums: layoutOf(family, nodeIds(count)),
}));
