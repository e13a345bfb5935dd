/** How such a service is tested: its rules on a cluster for tests, where time stands still; then three real processes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { testCluster } from 'maekawa/testing';
import { Accounts } from './accounts';
import { nightly } from './nightly';

/** Each test has its own: the tokens of one cluster say nothing to the resources of another. */
const folders: string[] = [];
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'service-'));
  folders.push(folder);
  return folder;
}
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

void describe('on a cluster for tests', () => {
  void test('two machines change one account, and nothing is lost', async () => {
    const [cluster, folder] = [await testCluster(), newFolder()];
    const on = (id: string): Accounts => new Accounts(cluster.node(id).locks, folder);
    const [one, two] = [on('n1'), on('n2')];
    await Promise.all(Array.from({ length: 10 }, (_, turn) => (turn % 2 === 0 ? one : two).add('ann', 1)));
    assert.equal(readFileSync(join(folder, 'ann.json'), 'utf8'), '10\n');
    await cluster.stop();
  });

  void test('one of two machines does the job of a night, and no one does it again', async () => {
    const [cluster, folder] = [await testCluster(), newFolder()];
    let done = 0;
    const step = (): Promise<void> => Promise.resolve(void done++);
    const outcomes = await Promise.all(['n1', 'n2'].map((id) => nightly(cluster.node(id).locks, folder, '2026-11-30', [step])));
    assert.deepEqual(outcomes.sort(), ['done', 'done before']);
    assert.equal(await nightly(cluster.node('n3').locks, folder, '2026-11-29', [step]), 'done before');
    assert.equal(done, 1);
    await cluster.stop();
  });

  void test('a machine that is cut off stops between two steps, and another begins again', async () => {
    const [cluster, folder] = [await testCluster(), newFolder()];
    const steps: string[] = [];
    const first = async (): Promise<void> => {
      steps.push('n1: first');
      cluster.isolate('n1');
      await cluster.advance(5_000);
    };
    const second = (who: string) => (): Promise<void> => Promise.resolve(void steps.push(`${who}: second`));
    await assert.rejects(nightly(cluster.node('n1').locks, folder, '2026-12-01', [first, second('n1')]), { code: 'lost' });
    await cluster.settle();
    assert.equal(await nightly(cluster.node('n2').locks, folder, '2026-12-01', [second('n2')]), 'done');
    assert.deepEqual(steps, ['n1: first', 'n2: second']);
    await cluster.stop();
  });
});

void describe('three processes', () => {
  const children: ChildProcess[] = [];
  after(() => {
    for (const child of children) child.kill('SIGKILL');
  });

  void test('serve, go on without one that is killed, and end in good order', { timeout: 120_000 }, async () => {
    const folder = newFolder();
    const ports = await Promise.all(Array.from({ length: 6 }, freePort));
    const config = join(folder, 'quorums.json');
    const ids = ['n1', 'n2', 'n3'];
    writeFileSync(config, JSON.stringify({ nodes: ids.map((id, index) => ({ id, address: `127.0.0.1:${ports[index]}` })), quorums: { family: 'majority' }, leaseMs: 1_000 }));
    for (const [index, id] of ids.entries()) {
      children.push(spawn(process.execPath, [join(__dirname, 'main.js')], {
        cwd: folder, stdio: 'inherit', env: { ...process.env, NODE_ID: id, CONFIG: config, PORT: String(ports[3 + index]), FOLDER: folder, FIRST_START: 'yes' },
      }));
    }
    const url = (machine: number, path: string): string => `http://127.0.0.1:${ports[3 + machine]}${path}`;
    const untilOk = async (machine: number, path: string, method: string): Promise<unknown> => {
      for (let attempt = 0; ; attempt++) {
        const response = await fetch(url(machine, path), { method }).catch(() => null);
        if (response?.ok === true) return response.json();
        assert(attempt < 500, `no answer from machine ${machine}`);
        await sleep(50);
      }
    };
    for (const machine of ids.keys()) await untilOk(machine, '/ready', 'GET');
    for (const machine of ids.keys()) assert.deepEqual(await untilOk(machine, '/accounts/bob?add=5', 'POST'), { account: 'bob', balance: 5 * (machine + 1) });
    assert.equal((await fetch(url(0, '/accounts/bob?add=much'), { method: 'POST' })).status, 404);

    children[0]?.kill('SIGKILL');
    assert.deepEqual(await untilOk(1, '/accounts/bob?add=5', 'POST'), { account: 'bob', balance: 20 });

    // While the two stop at one time, neither waits for the other.
    const ends = children.slice(1).map(async (child) => {
      child.kill('SIGTERM');
      const [code] = (await once(child, 'exit')) as [number | null];
      return code;
    });
    assert.deepEqual(await Promise.all(ends), [0, 0]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
