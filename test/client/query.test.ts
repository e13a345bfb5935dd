/** `query()` of nodes and of clients: it asks the cluster, in bounded time, however many ask. */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { connect, startNode } from '../../src';
import type { MaekawaNode, RemoteLocks } from '../../src';
import { NodeConnection } from '../../src/client/node-connection';
import { locksMethods } from '../../src/client-protocol/schema';
import type { QueryReply } from '../../src/client-protocol/schema';
import { silentLog } from '../../src/log';

const config = {
  cluster: 'queries', leaseMs: 60_000, quorums: { family: 'majority' },
  nodes: ['n1', 'n2', 'n3'].map((id) => ({ id, address: `127.0.0.1:${id.slice(1)}` })),
};

let mute: Server;
let sockets: Socket[] = [];
let nodes: MaekawaNode[] = [];
let clients: RemoteLocks[] = [];

/** Something that listens and says nothing, as a frozen node does. */
beforeAll(async () => {
  mute = createServer((socket) => sockets.push(socket));
  await new Promise<void>((listening) => mute.listen(0, '127.0.0.1', listening));
});
afterAll(() => new Promise((closed) => mute.close(closed)));

afterEach(async () => {
  for (const client of clients) await client.close();
  for (const node of nodes) await node.stop();
  for (const socket of sockets) socket.destroy();
  [clients, nodes, sockets] = [[], [], []];
});

/** n1 and n2 run, n3 is frozen. Of the two that run n2 knows both others. */
async function start(): Promise<{ readonly n1: MaekawaNode; readonly n2: MaekawaNode; readonly client: RemoteLocks }> {
  const peers: Record<string, string> = { n3: `127.0.0.1:${(mute.address() as AddressInfo).port}` };
  for (const id of ['n1', 'n2']) {
    const node = await startNode({ id, config, listen: '127.0.0.1:0', peers, ephemeral: true, firstStart: true, log: silentLog });
    nodes.push(node);
    peers[id] = node.address;
  }
  const [n1, n2] = nodes as [MaekawaNode, MaekawaNode];
  const client = connect({ addresses: [n2.address] });
  clients.push(client);
  return { n1, n2, client };
}

test('both list what is held through any node, and name the one that does not answer; of one node only what is held there', async () => {
  const { n1, n2, client } = await start();
  await n1.locks.acquire('there');
  await client.locks.acquire('here');
  const here = { name: 'here', clientId: 'n2/1' };
  for (const { locks } of [n2, client]) {
    expect(await locks.query()).toMatchObject({ held: [here, { name: 'there', clientId: 'n1' }], pending: [], unanswered: ['n3'] });
    expect(await locks.query({ scope: 'node' })).toMatchObject({ held: [here], pending: [] });
  }
});

test('however many ask at once, all are answered', async () => {
  const { n1, n2, client } = await start();
  await n1.locks.acquire('there');
  const ask = (locks: RemoteLocks['locks']): Promise<unknown>[] => Array.from({ length: 300 }, () => locks.query());
  const answers = await Promise.all([...ask(n2.locks), ...ask(client.locks)]);
  for (const answer of answers) expect(answer).toMatchObject({ held: [{ name: 'there', clientId: 'n1' }], unanswered: ['n3'] });
});

test('a node that tells page after page is waited for no longer than ten seconds', async () => {
  const { Query } = locksMethods();
  const server = new grpc.Server();
  let asked = 0;
  let nowMs = performance.now();
  server.addService({ query: Query }, {
    query: (_call: unknown, reply: grpc.sendUnaryData<QueryReply>) => {
      asked++;
      nowMs += 1_000;
      reply(null, { held: [], pending: [], unanswered: [], nextPageToken: 'more' });
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const connection = new NodeConnection(`127.0.0.1:${port}`);
  try {
    await expect(connection.queryCluster(3_000)).rejects.toMatchObject({ code: 'unreachable', message: expect.stringContaining('had not told all within 10000 ms') as string });
    expect(asked).toBe(10);
  } finally {
    clock.mockRestore();
    await connection.close();
    server.forceShutdown();
  }
});
