/**
 * One script for a page, run in several places with the same results: on a browser's own `navigator.locks` where
 * there is a browser, on one node, on three nodes, on clients of three nodes, and on three processes.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { connect, startNode } from '../../../src';
import type { StartOptions } from '../../../src';
import { testCluster } from '../../../src/testing';
import { Agent } from '../../support/agents';
import { Browser, findChromium } from '../../../sim/page/browser';
import { freePorts, until } from '../../support/processes';
import { cases, runAll } from './script';
import type { Contexts } from './script';

const expected = cases.map(({ title, sees }) => [title, sees]);

/** What several nodes see alike: the rest depends on which votes arrive first. */
function onSeveralNodes(seen: unknown): unknown[] {
  expect(seen).toHaveLength(cases.length);
  return (seen as unknown[]).filter((_, index) => cases[index]?.exceptOnSeveralNodes === undefined);
}

/** Runs the script while virtual time passes. */
async function onTestCluster(nodes: number): Promise<unknown> {
  const cluster = await testCluster({ nodes, leaseMs: 5_000 });
  const ids = nodes === 1 ? ['n1', 'n1', 'n1'] : ['n1', 'n2', 'n3'];
  const [a, b, c] = ids.map((id) => cluster.node(id).locks);
  if (a === undefined || b === undefined || c === undefined) throw new Error('three');
  let isOver = false;
  const contexts: Contexts = [a, b, c];
  const results = runAll(contexts, 'page').finally(() => (isOver = true));
  while (!isOver) await cluster.advance(10);
  await cluster.stop();
  return results;
}

test('on one node', async () => {
  expect(await onTestCluster(1)).toEqual(expected);
});

test('on three nodes', async () => {
  expect(onSeveralNodes(await onTestCluster(3))).toEqual(onSeveralNodes(expected));
});

const leaseMs = 30_000;

async function freeConfiguration(): Promise<object> {
  const ports = await freePorts(3);
  return { cluster: 'page', nodes: ports.map((port, index) => ({ id: `n${index + 1}`, address: `127.0.0.1:${port}` })), quorums: { family: 'majority' }, leaseMs };
}

function started(config: object): (id: string) => StartOptions {
  return (id) => ({ id, config, ephemeral: true, firstStart: true });
}

test('on clients of three nodes', async () => {
  const options = started(await freeConfiguration());
  const nodes = await Promise.all(['n1', 'n2', 'n3'].map((id) => startNode(options(id))));
  const [a, b, c] = nodes.map((node) => connect({ addresses: [node.address] }));
  if (a === undefined || b === undefined || c === undefined) throw new Error('three');
  try {
    await until(() => nodes.every((node) => node.status().peers.every((peer) => peer.up)), 'the nodes to connect');
    expect(onSeveralNodes(await runAll([a.locks, b.locks, c.locks], 'page'))).toEqual(onSeveralNodes(expected));
  } finally {
    await Promise.all([a, b, c].map((client) => client.close()));
    await Promise.all(nodes.map((node) => node.stop()));
  }
});

test('on three nodes in three processes', async () => {
  const options = started(await freeConfiguration());
  const own = await startNode(options('n1'));
  const [b, c] = await Promise.all([Agent.start(options('n2')), Agent.start(options('n3'))]);
  try {
    await until(async () => own.status().peers.every((peer) => peer.up) && (await b.isConnected()) && (await c.isConnected()), 'the nodes to connect');
    expect(onSeveralNodes(await runAll([own.locks, b.locks, c.locks], 'page'))).toEqual(onSeveralNodes(expected));
  } finally {
    await Promise.all([own.stop(), b.stop(), c.stop()]);
  }
});

const chromium = findChromium();

(chromium === null ? test.skip : test)("on a browser's own navigator.locks", async () => {
  const directory = mkdtempSync(join(tmpdir(), 'maekawa-page-'));
  const script = ts.transpileModule(ts.sys.readFile(join(__dirname, 'script.ts')) ?? '', { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS } });
  const page = join(directory, 'page.html');
  writeFileSync(page, `<!doctype html><iframe srcdoc="b"></iframe><iframe srcdoc="c"></iframe><script>const exports = {};\n${script.outputText}</script>`);
  const browser = new Browser(chromium ?? '');
  try {
    await browser.open(page);
    const results = await browser.evaluate<string>(
      "exports.runAll([window, frames[0], frames[1]].map((each) => each.navigator.locks), 'page').then(JSON.stringify)",
    );
    const compared = cases.map(({ exceptInChromium }) => exceptInChromium === undefined);
    const seen = JSON.parse(results) as unknown[];
    expect(seen.filter((_, index) => compared[index])).toEqual(expected.filter((_, index) => compared[index]));
    expect(seen.length).toBe(expected.length);
  } finally {
    await browser.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
