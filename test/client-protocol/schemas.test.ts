/** The schemas in the code are those of the `.proto` files. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceDefinition } from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import { describeSchema, loadSchema } from '../../src/client-protocol/load-schema';
import { locksMethods } from '../../src/client-protocol/schema';
import { healthSchema, locksSchema, reflectionSchema } from '../../src/client-protocol/schemas';

const ROOT = join(__dirname, '../..');
const PROTO = join(ROOT, 'proto/maekawa/v1/locks.proto');

test('src/client-protocol/schemas.ts is what `npm run schemas` writes', () => {
  expect(() => execFileSync(process.execPath, ['scripts/schemas.mjs', '--check'], { cwd: ROOT, stdio: 'pipe' })).not.toThrow();
});

/** Names of fields, numbers and types, for each message and method. */
function shapeOf(definition: protoLoader.PackageDefinition): unknown {
  return Object.fromEntries(Object.entries(definition).map(([name, each]) => {
    if ('format' in each) return [name, each.type];
    return [name, Object.values(each as ServiceDefinition).map(({ path, requestStream, responseStream }) => [path, requestStream, responseStream])];
  }));
}

test.each([
  ['locks', locksSchema, PROTO],
  ['health', healthSchema, join(ROOT, 'node_modules/grpc-health-check/proto/health/v1/health.proto')],
  ['reflection', reflectionSchema, join(ROOT, 'node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto')],
])('gRPC is told the same by the schema of %s as by its file', (_name, schema, file) => {
  expect(shapeOf(loadSchema(schema))).toEqual(shapeOf(protoLoader.loadSync(file)));
});

test('reflection tells the names that stand in the file', () => {
  const { file, fileName, symbols } = describeSchema(locksSchema, 'maekawa.v1');
  for (const name of ['maekawa.v1.Locks', 'maekawa.v1.Locks.Hold', 'maekawa.v1.Acquire.wait_ms', 'maekawa.v1.Acquire.patience', 'maekawa.v1.Ended.Reason.REASON_LOST']) expect(symbols).toContain(name);
  expect(symbols).not.toContain('maekawa.v1');
  expect(fileName).toBe('maekawa_v1.proto');
  expect(file.includes('wait_ms')).toBe(true);
});

test('the methods are the four of the service', () => {
  expect(Object.keys(locksMethods())).toEqual([...readFileSync(PROTO, 'utf8').matchAll(/^ {2}rpc (\w+)/gm)].map(([, name]) => name));
});

test('a file that was changed alone is found', () => {
  const script = "const { readFileSync } = require('node:fs'); const fs = require('node:fs'); fs.readFileSync = (path, ...more) => String(readFileSync(path, ...more)).replace('uint32 wait_ms', 'uint64 wait_ms'); require('node:module').syncBuiltinESMExports(); process.argv.push('--check'); import('./scripts/schemas.mjs');";
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: ROOT, encoding: 'utf8' });
  expect([status, stderr]).toEqual([1, expect.stringContaining('run `npm run schemas`')]);
});
