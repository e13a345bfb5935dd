import * as grpc from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { startNode } from '../../src';
import type { MaekawaNode } from '../../src';
import { until } from '../support/processes';

jest.setTimeout(30_000);

const config = {
  nodes: ['n1', 'n2', 'n3'].map((id, index) => ({ id, address: `127.0.0.1:${41_701 + index}` })),
  quorums: { family: 'majority' },
  leaseMs: 1_000,
};

const nodes: MaekawaNode[] = [];
afterEach(() => Promise.all(nodes.splice(0).map((node) => node.stop())));

async function start(id: string): Promise<MaekawaNode> {
  const node = await startNode({ id, config, ephemeral: true, firstStart: true });
  nodes.push(node);
  return node;
}

test('health: serving only while the node reaches a quorum', async () => {
  const { address } = await start('n1');
  const HealthClient = grpc.makeGenericClientConstructor(healthService, 'Health');
  const client = new HealthClient(address, grpc.credentials.createInsecure());
  const check = (name: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const call = client['check'] as unknown as (this: grpc.Client, request: object, done: (error: Error | null, reply: { status: string }) => void) => void;
      call.call(client, { service: name }, (error, reply) => (error === null ? resolve(reply.status) : reject(error)));
    });
  await expect(check('')).resolves.toBe('NOT_SERVING');
  const second = await start('n2');
  await until(async () => (await check('maekawa.v1.Locks')) === 'SERVING', 'n1 to reach a quorum');
  await second.stop();
  await until(async () => (await check('')) === 'NOT_SERVING', 'n1 to notice');
  await expect(check('no.such.Service')).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
  client.close();
});

test('reflection: a client that has no proto file is told of the service', async () => {
  const { address } = await start('n1');
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  const raw = (bytes: Buffer): Buffer => bytes;
  const call = client.makeBidiStreamRequest('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', raw, raw);
  const answer = new Promise<Buffer>((resolve, reject) => call.once('data', resolve).once('error', reject));
  call.write(Buffer.from([0x3a, 0x01, 0x2a])); // list_services = 7: "*"
  expect((await answer).toString('latin1')).toContain('maekawa.v1.Locks');
  call.end();
  client.close();
});
