import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import { service as healthService } from 'grpc-health-check';
import * as protobuf from 'protobufjs';
import { startNode } from '../../src';
import type { MaekawaNode } from '../../src';
import { freePorts, until } from '../support/processes';

let config: object;
beforeAll(async () => {
  const ports = await freePorts(3);
  config = {
    nodes: ['n1', 'n2', 'n3'].map((id, index) => ({ id, address: `127.0.0.1:${ports[index] ?? 0}` })),
    quorums: { family: 'majority' },
    leaseMs: 1_000,
  };
});

const nodes: MaekawaNode[] = [];
afterEach(() => Promise.all(nodes.splice(0).map((node) => node.stop())));

async function start(id: string): Promise<MaekawaNode> {
  const node = await startNode({ id, config, ephemeral: true, firstStart: true });
  nodes.push(node);
  return node;
}

test('health: alive whatever the quorum, serving only while a lock can be had, ready only while it also lends its vote', async () => {
  const first = await start('n1');
  const HealthClient = grpc.makeGenericClientConstructor(healthService, 'Health');
  const client = new HealthClient(first.address, grpc.credentials.createInsecure());
  const check = (name: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const call = client['check'] as unknown as (this: grpc.Client, request: object, done: (error: Error | null, reply: { status: string }) => void) => void;
      call.call(client, { service: name }, (error, reply) => (error === null ? resolve(reply.status) : reject(error)));
    });
  const NAMES = ['', 'liveness', 'maekawa.v1.Locks', 'readiness'];
  const vitals = async (): Promise<string> => (await Promise.all(NAMES.map(check))).map((status) => (status === 'SERVING' ? 'yes' : 'no')).join(' ');
  // A node that is restarted because others are down heals nothing.
  expect(await vitals()).toBe('yes yes no no');
  const second = await start('n2');
  await until(async () => (await vitals()) === 'yes yes yes yes', 'n1 to reach a quorum');
  await second.stop();
  await until(async () => (await vitals()) === 'yes yes no no', 'n1 to notice');
  await start('n3');
  await until(async () => (await vitals()) === 'yes yes yes yes', 'n1 to reach another');
  // While it stops, what is held goes on.
  const held = await first.locks.acquire('held');
  const stopped = first.stop({ graceMs: 60_000 });
  expect(await vitals()).toBe('yes yes no no');
  await expect(check('no.such.Service')).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
  await held.release();
  await stopped;
  client.close();
});

test('health: a node that restarts serves with the votes of others, and is ready when it lends its own', async () => {
  await start('n1');
  await start('n2');
  const third = await startNode({ id: 'n3', config, ephemeral: true });
  nodes.push(third);
  expect(third.status().state).toMatchObject({ kind: 'silent', lendsVote: false });
  await until(() => third.status().state.kind === 'ready', () => JSON.stringify(third.status().state));
});

test('health: no node lends after all of them restarted, so none says that it serves; no-quorum names each reason', async () => {
  for (const id of ['n1', 'n2', 'n3']) nodes.push(await startNode({ id, config: { ...config, leaseMs: 60_000 }, ephemeral: true }));
  const [first] = nodes as [MaekawaNode];
  const isMissing = (...missing: RegExp[]): boolean => missing.every((each) => each.test(first.status().state.text));
  await until(() => isMissing(/n2 \(lends no vote for \d+ s more/, /n3 \(lends no vote for \d+ s more/), () => first.status().state.text);
  expect(first.status().state).toMatchObject({ kind: 'silent', servesLocks: false, lendsVote: false });
  await expect(first.locks.acquire('a', { waitMs: 10 })).rejects.toMatchObject({
    code: 'no-quorum',
    message: expect.stringMatching(/contain no quorum\. Missing: n1 \(lends no vote for \d+ s more.*n2 \(lends no vote.*n3 \(lends no vote.*\)\. Wait until they lend their votes again$/) as string,
  });
});

test('reflection: a client without any proto file learns the service from the node, and calls it', async () => {
  const { address } = await start('n1');
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  for (const version of ['v1', 'v1alpha']) {
    const method = reflectionOf(version);
    const ask = async (question: object): Promise<ReflectionReply> => {
      const call = client.makeBidiStreamRequest<object, ReflectionReply>(method.path, method.requestSerialize, method.responseDeserialize);
      const answer = new Promise<ReflectionReply>((resolve, reject) => call.once('data', resolve).once('error', reject));
      call.write(question);
      call.end();
      return answer;
    };
    // As grpcurl does it: list, describe, call.
    const { listServicesResponse } = await ask({ listServices: '*' });
    expect(listServicesResponse?.service.map(({ name }) => name)).toEqual(['maekawa.v1.Locks']);
    const { fileDescriptorResponse } = await ask({ fileContainingSymbol: 'maekawa.v1.Locks' });
    const files = fileDescriptorResponse?.fileDescriptorProto ?? [];
    const set = protobuf.Writer.create();
    for (const file of files) set.uint32(10).bytes(file); // FileDescriptorSet.file
    const learnt = protoLoader.loadFileDescriptorSetFromBuffer(Buffer.from(set.finish()), { longs: Number });
    const service = learnt['maekawa.v1.Locks'] as grpc.ServiceDefinition;
    expect(Object.keys(service).sort()).toEqual(['Hold', 'Observe', 'Query', 'Session', 'Status', 'Watch']);
    if (HAS_PYTHON) {
      // Stricter than protobufjs: it takes no file in which anything is wrong.
      const { output, errors } = learntByPython(set.finish());
      expect(errors).toBe('');
      expect(output).toBe('Hold Session Query Watch Observe Status\nlock mode wait_ms pings sent_at_ms steal label if_available max_hold_ms at_least_ms keep pass\n');
    }
    const { Status } = service;
    const reply = await new Promise<object>((resolve, reject) => {
      if (Status === undefined) throw new Error('the test expects Status');
      client.makeUnaryRequest(Status.path, Status.requestSerialize, Status.responseDeserialize, {}, (error, value) => (value === undefined ? reject(error as Error) : resolve(value as object)));
    });
    expect(reply).toMatchObject({ node: 'n1' });
    const unknown = await ask({ fileContainingSymbol: 'no.such.Service' });
    expect(unknown.errorResponse?.errorCode).toBe(grpc.status.NOT_FOUND);
  }
  client.close();
});

const PYTHON = '/usr/bin/python3'; // the one that Debian's packages are for
const HAS_PYTHON = spawnSync(PYTHON, ['-c', 'import google.protobuf']).status === 0;

/** What Python's protobuf learns from descriptors: the methods of the service, the fields of an Acquire. */
function learntByPython(descriptors: Uint8Array): { output: string; errors: string } {
  const script = `
import sys
from google.protobuf import descriptor_pb2, descriptor_pool
files = descriptor_pb2.FileDescriptorSet.FromString(sys.stdin.buffer.read())
pool = descriptor_pool.DescriptorPool()
for file in files.file:
    pool.Add(file)
print(*(method.name for method in pool.FindServiceByName('maekawa.v1.Locks').methods))
print(*(field.name for field in pool.FindMessageTypeByName('maekawa.v1.Acquire').fields))
`;
  const { stdout, stderr } = spawnSync(PYTHON, ['-W', 'ignore', '-c', script], { input: descriptors });
  return { output: stdout.toString(), errors: stderr.toString() };
}

interface ReflectionReply {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
  readonly errorResponse?: { readonly errorCode: number };
}

function reflectionOf(version: string): grpc.MethodDefinition<object, ReflectionReply> {
  const directory = join(dirname(require.resolve('@grpc/reflection')), '../proto/grpc/reflection', version);
  const definition = protoLoader.loadSync(join(directory, 'reflection.proto'));
  const service = definition[`grpc.reflection.${version}.ServerReflection`] as grpc.ServiceDefinition;
  return service['ServerReflectionInfo'] as unknown as grpc.MethodDefinition<object, ReflectionReply>;
}
