/** Each error code is really met by somebody, with a message that names what there is to name. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import * as grpc from '@grpc/grpc-js';
import { LockError, connect, fence, startNode } from '../src';
import type { HeldLock, LockErrorCode, MaekawaNode } from '../src';
import { NodeConsole } from '../src/cli/node-console';
import { memoryFenceStore, testCluster } from '../src/testing';
import type { TestCluster } from '../src/testing';
import { until } from './support/processes';

const LEASE_MS = 5_000;

let cluster: TestCluster;
let directory: string;

beforeEach(async () => {
  cluster = await testCluster({ nodes: 3, leaseMs: LEASE_MS });
  directory = mkdtempSync(join(tmpdir(), 'maekawa-errors-'));
});
afterEach(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

function acquire(id: string): Promise<HeldLock> {
  return cluster.node(id).locks.acquire('stock');
}

/** What a promise rejects with, while time passes. */
async function failure(promise: Promise<unknown>): Promise<unknown> {
  const failed = promise.then(() => 'no failure', (error: unknown) => error);
  await cluster.advance(2 * LEASE_MS);
  return failed;
}

const alone = { nodes: [{ id: 'n1', address: '127.0.0.1:7001' }], quorums: { family: 'majority' } };

/** How somebody meets each code, and what the message must name. */
const scenarios: Record<LockErrorCode, { readonly names: RegExp; meet(): Promise<unknown> }> = {
  config: {
    names: /no node "n9" in the configuration; it names n1/,
    meet: () => failure(startNode({ id: 'n9', config: alone })),
  },
  timeout: {
    names: /^node n2 did not get the lock "stock" within 300 ms; n1 holds it with token \d+$/,
    meet: async () => {
      await acquire('n1');
      return failure(cluster.node('n2').locks.acquire('stock', { waitMs: 300 }));
    },
  },
  'no-quorum': {
    names: /^node n1 waited 300 ms for the lock "stock", .* Missing: n2 \(.*cut off by the test\), n3 \(.*cut off by the test\)\. /,
    meet: () => {
      cluster.isolate('n1');
      return failure(cluster.node('n1').locks.acquire('stock', { waitMs: 300 }));
    },
  },
  lost: {
    names: /^node n1 lost the lock "stock": .*unreachable: n2, n3/,
    meet: async () => {
      const held = await acquire('n1');
      cluster.isolate('n1');
      await cluster.advance(LEASE_MS);
      return held.signal.reason as unknown;
    },
  },
  nested: {
    names: /^the lock "stock" was asked for at .*errors\.test\.ts.*, by the same chain of calls that holds it \(exclusive, token \d+.*\)\. /,
    meet: () => failure(cluster.node('n1').locks.request('stock', async () => {
      await cluster.node('n1').locks.request('stock', { nested: 'reject' }, () => undefined);
    })),
  },
  expired: {
    names: /^the lock "stock" was held for 700 ms, as long as maxHoldMs allows, and is free for others now\. Stop/,
    meet: () => failure(cluster.node('n1').locks.request('stock', { maxHoldMs: 700 }, () => new Promise(() => undefined))),
  },
  stolen: {
    names: /^the lock "stock", held through node n1, was stolen through node n2\. Stop/,
    meet: async () => {
      const held = await acquire('n1');
      await cluster.node('n2').locks.acquire('stock', { steal: true });
      return held.signal.reason as unknown;
    },
  },
  fenced: {
    names: /under the lock "stock" with token \d+: a later holder with token \d+ was here/,
    meet: async () => {
      const store = fence(memoryFenceStore(0));
      const late = await acquire('n1');
      late.release();
      await store.write(await acquire('n2'), () => undefined);
      return failure(store.write(late, () => undefined));
    },
  },
  aborted: {
    names: /^no longer waiting for stock$/,
    meet: async () => {
      await acquire('n1');
      const input = new PassThrough();
      const told: unknown[] = [];
      const { locks } = cluster.node('n2');
      const node = {
        locks: {
          acquire: (name: string, options: object) => locks.acquire(name, options).catch((error: unknown) => {
            told.push(error);
            throw error;
          }),
        },
        signal: new AbortController().signal,
      } as unknown as MaekawaNode;
      const terminal = createInterface({ input, output: new PassThrough() });
      new NodeConsole(node, terminal, () => undefined).start();
      input.write('lock stock\nunlock stock\n');
      await until(() => told.length > 0, 'the prompt to give up');
      terminal.close();
      return told[0];
    },
  },
  closed: {
    names: /^node n1 is stopping: it no longer waits for the lock "stock", after 0 ms$/,
    meet: async () => {
      await acquire('n2');
      const waiting = failure(acquire('n1'));
      await cluster.node('n1').stop();
      return waiting;
    },
  },
  unreachable: {
    names: /^no node answered for the lock "stock" within \d+ ms; tried 127\.0\.0\.1:9 \(connection refused: nothing listens there\)\. /,
    meet: async () => {
      await using client = connect({ addresses: ['127.0.0.1:9'] });
      return await client.locks.acquire('stock', { waitMs: 50 }).catch((error: unknown) => error);
    },
  },
  protocol: {
    names: /tried 127\.0\.0\.1:\d+ \(what listens there is no node of maekawa, or runs another version\. Check the address\)/,
    meet: async () => {
      const server = new grpc.Server();
      const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)));
      });
      await using client = connect({ addresses: [`127.0.0.1:${port}`] });
      const error: unknown = await client.locks.acquire('stock').catch((reason: unknown) => reason);
      server.forceShutdown();
      return error;
    },
  },
  storage: {
    names: /cannot make the data directory .*file\/n1/,
    meet: async () => {
      writeFileSync(join(directory, 'file'), '');
      return failure(startNode({ id: 'n1', config: alone, listen: '127.0.0.1:0', dataDir: join(directory, 'file/n1') }));
    },
  },
};

test.each(Object.entries(scenarios))('%s', async (code, scenario) => {
  const error = await scenario.meet();
  expect(error).toBeInstanceOf(LockError);
  expect(error).toMatchObject({ code, name: 'LockError', message: expect.stringMatching(scenario.names) as string });
});
