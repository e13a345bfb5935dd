/** quorums.schema.json, what editors know of a configuration, against the validator, which knows all. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv';
import fc from 'fast-check';
import { validate } from '../../src/config';
import { holds } from '../support/holds';
import { configurationOf, soundConfigurations } from './configurations';

const root = join(__dirname, '../..');
const schema = JSON.parse(readFileSync(join(root, 'quorums.schema.json'), 'utf8')) as Record<string, unknown>;
const accepts = new Ajv({ allErrors: true, strict: true, strictTypes: false }).compile(schema);

describe('quorums.schema.json', () => {
  test('the configuration at the top level is sound, by the schema and by the validator, and refers to the schema', () => {
    const example = JSON.parse(readFileSync(join(root, 'quorums.json'), 'utf8')) as Record<string, unknown>;
    expect(accepts(example) ? [] : accepts.errors).toEqual([]);
    expect(validate(example)).toHaveProperty('file');
    expect(example['$schema']).toBe('./quorums.schema.json');
  });

  test('accepts sound configurations of every family', () => {
    holds(fc.property(soundConfigurations, (configuration) => {
      expect(accepts(configuration) ? [] : accepts.errors).toEqual([]);
      expect(validate(configuration)).toHaveProperty('file');
    }));
  });

  test('refuses nothing that the validator accepts', () => {
    const settings = fc.record({
      $schema: fc.jsonValue(), cluster: fc.jsonValue(), leaseMs: near(50, 5_000, 86_400_000), retryMs: near(1, 100), driftMax: near(0, 0.01, 0.2),
      colour: fc.jsonValue(), change: fc.oneof(fc.jsonValue(), fc.record({
        from: fc.constantFrom('0123456789abcdef', 'x', 1), silentMs: near(50, 86_400_000), clock: near(1, 2 ** 53 - 2 ** 41),
      }, { requiredKeys: ['from', 'clock'] })), nodes: fc.jsonValue(), quorums: fc.oneof(fc.jsonValue(), fc.record({ family: fc.constantFrom('grid', 'majority', 'plane', 'explicit') })),
    }, { requiredKeys: [] });
    holds(fc.property(settings, (drawn) => {
      const configuration = { ...configurationOf(3), ...drawn };
      if ('file' in validate(configuration)) expect(accepts(configuration) ? [] : accepts.errors).toEqual([]);
    }), 2_000);
  });

  const structuralFaults: [name: string, value: unknown][] = [
    ['a list', []],
    ['no nodes', { quorums: { family: 'majority' } }],
    ['empty nodes', { ...configurationOf(3), nodes: [] }],
    ['no quorums', { nodes: configurationOf(3).nodes }],
    ['a misspelt setting', { ...configurationOf(3), leaseMS: 100 }],
    ['an unknown family', { ...configurationOf(3), quorums: { family: 'tree' } }],
    ['a grid without columns', { ...configurationOf(3), quorums: { family: 'grid' } }],
    ['a majority with columns', { ...configurationOf(3), quorums: { family: 'majority', columns: [['n1', 'n2', 'n3']] } }],
    ['an empty column', { ...configurationOf(3), quorums: { family: 'grid', columns: [['n1', 'n2', 'n3'], []] } }],
    ['a node twice in a set', { ...configurationOf(1), quorums: { family: 'explicit', sets: { n1: ['n1', 'n1'] } } }],
    ['an id with a space', { ...configurationOf(1), nodes: [{ id: 'n 1', address: 'a:1' }] }],
    ['an address without port', { ...configurationOf(1), nodes: [{ id: 'n1', address: 'localhost' }] }],
    ['a lease in text', { ...configurationOf(3), leaseMs: '5s' }],
    ['a lease that is too short', { ...configurationOf(3), leaseMs: 10 }],
    ['a change without a clock', { ...configurationOf(3), change: { from: '0123456789abcdef', silentMs: 5_000 } }],
    ['a change from nowhere', { ...configurationOf(3), change: { from: '', silentMs: 5_000, clock: 1 } }],
    ['a drift of 100 %', { ...configurationOf(3), driftMax: 1 }],
  ];

  test.each(structuralFaults)('refuses %s, and so does the validator', (_name, value) => {
    expect(accepts(value)).toBe(false);
    expect(validate(value)).toHaveProperty('faults');
  });

  test('describes every setting', () => {
    const properties = schema['properties'] as Record<string, { description?: string }>;
    for (const [name, { description }] of Object.entries(properties)) expect({ name, description }).toEqual({ name, description: expect.any(String) as unknown });
  });
});

/** Numbers about the bounds, and what is no number. */
function near(...bounds: number[]): fc.Arbitrary<unknown> {
  return fc.oneof(fc.constantFrom(...bounds.flatMap((bound) => [bound - 1, bound, bound + 1, bound + 0.001])), fc.jsonValue());
}
