/** The schemas in the code are those of the `.proto` files. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceDefinition } from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import { describeSchema, loadSchema } from '../../src/client-protocol/load-schema';
import { locksMethods } from '../../src/client-protocol/schema';
import { healthSchema, locksDescriptor, locksSchema, reflectionSchema } from '../../src/client-protocol/schemas';

const ROOT = join(__dirname, '../..');
const PROTO = join(ROOT, 'proto/maekawa/v1/locks.proto');

test('src/client-protocol/schemas.ts is what `npm run schemas` writes', () => {
  expect(() => execFileSync(process.execPath, ['scripts/schemas.mjs', '--check'], { cwd: ROOT, stdio: 'pipe' })).not.toThrow();
});

test.each([
  ['locks', locksSchema, PROTO],
  ['health', healthSchema, join(ROOT, 'node_modules/grpc-health-check/proto/health/v1/health.proto')],
  ['reflection', reflectionSchema, join(ROOT, 'node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto')],
])('gRPC is told the same services by the schema of %s as by its file', (_name, schema, file) => {
  const services = Object.entries(protoLoader.loadSync(file)).flatMap(([name, each]) => ('format' in each ? [] : [[name, methodsOf(each as ServiceDefinition)]]));
  expect(Object.entries(loadSchema(schema)).map(([name, each]) => [name, methodsOf(each)])).toEqual(services);
});

function methodsOf(service: ServiceDefinition): unknown {
  return Object.entries(service).map(([name, { path, requestStream, responseStream }]) => [name, path, requestStream, responseStream]);
}

test('reflection tells the names that stand in the file', () => {
  const { file, fileName, symbols } = describeSchema(locksSchema, 'maekawa.v1', locksDescriptor);
  for (const name of ['maekawa.v1.Locks', 'maekawa.v1.Locks.Hold', 'maekawa.v1.Acquire.wait_ms', 'maekawa.v1.Acquire.patience', 'maekawa.v1.Ended.Reason.REASON_LOST']) expect(symbols).toContain(name);
  expect(symbols).not.toContain('maekawa.v1');
  expect(fileName).toBe('maekawa_v1.proto');
  expect(file.includes('wait_ms')).toBe(true);
  const [byLoader] = Object.values(protoLoader.loadSync(PROTO, { keepCase: true })).flatMap((each) => ('fileDescriptorProtos' in each ? each.fileDescriptorProtos as Buffer[] : []));
  expect(file).toEqual(byLoader);
});

test('the methods are those of the service', () => {
  expect(Object.keys(locksMethods())).toEqual([...readFileSync(PROTO, 'utf8').matchAll(/^ {2}rpc (\w+)/gm)].map(([, name]) => name));
});

test('a file that was changed alone is found', () => {
  const script = "const { readFileSync } = require('node:fs'); const fs = require('node:fs'); fs.readFileSync = (path, ...more) => String(readFileSync(path, ...more)).replace('uint32 wait_ms', 'uint64 wait_ms'); require('node:module').syncBuiltinESMExports(); process.argv.push('--check'); import('./scripts/schemas.mjs');";
  const { status, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: ROOT, encoding: 'utf8' });
  expect([status, stderr]).toEqual([1, expect.stringContaining('run `npm run schemas`')]);
});
