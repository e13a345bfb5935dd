/**
 * The package in one file, as esbuild makes it for a container or a function: nothing may be read from beside the code. The file
 * runs in an empty directory.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PackedPackage, ROOT } from './packed';

let packed: PackedPackage;
/** Nothing but the bundle is here, nor above. */
const alone = mkdtempSync(join(tmpdir(), 'maekawa-bundle-'));

beforeAll(() => {
  packed = new PackedPackage();
});
afterAll(() => {
  packed.remove();
  rmSync(alone, { recursive: true, force: true });
});

const config = "{ nodes: [{ id: 'n1', address: '127.0.0.1:1' }], quorums: { family: 'majority' } }";

/** A node that a client asks, through the service and its health; the client of nobody; a cluster for tests. */
const programs = {
  node: `
import { connect, startNode } from 'maekawa';
const node = await startNode({ id: 'n1', config: ${config}, listen: '127.0.0.1:0', ephemeral: true, firstStart: true });
await node.locks.request('x', (lock) => console.log('node holds', lock.token > 0));
const client = connect({ addresses: [node.address] });
await client.locks.request('y', (lock) => console.log('client holds', lock.token > 0));
await client.close();
await node.stop();
`,
  client: `
import { LockError, connect } from 'maekawa';
const client = connect({ addresses: ['127.0.0.1:1'] });
await client.locks.acquire('x', { waitMs: 200 }).catch((error) => console.log(error instanceof LockError, error.code));
await client.close();
`,
  testing: `
import { testCluster } from 'maekawa/testing';
const cluster = await testCluster({ nodes: 3 });
const lock = await cluster.node('n1').locks.acquire('x');
console.log('testing holds', lock.token > 0);
await cluster.stop();
`,
};
const expected = { node: 'node holds true\nclient holds true\n', client: 'true unreachable\n', testing: 'testing holds true\n' };

/** CommonJS packages in one ES module ask for `require`, which there is not: esbuild's users make one. */
const requireInModules = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

describe.each([
  ['CommonJS', 'cjs', []],
  ['an ES module', 'esm', [`--banner:js=${requireInModules}`]],
] as const)('one file of %s', (_name, format, options) => {
  test.each(['node', 'client', 'testing'] as const)('with a %s', (name) => {
    const [head = '', ...rest] = programs[name].trim().split('\n');
    packed.write(`${name}.ts`, `${head}\n(async () => {\n${rest.join('\n')}\n})();\n`);
    const extension = format === 'cjs' ? 'cjs' : 'mjs';
    mkdirSync(join(packed.directory, 'out'), { recursive: true });
    const bundle = join('out', `${name}.${extension}`);
    const warnings = execFileSync(join(ROOT, 'node_modules/.bin/esbuild'), [
      `${name}.ts`, '--bundle', '--platform=node', `--format=${format}`, `--outfile=${bundle}`, '--log-level=warning', ...options,
    ], { cwd: packed.directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    expect(warnings).toBe('');
    copyFileSync(join(packed.directory, bundle), join(alone, `${name}.${extension}`));
    const { status, stdout, stderr } = spawnSync(process.execPath, [`${name}.${extension}`], { cwd: alone, encoding: 'utf8', timeout: 60_000 });
    expect([status, stdout, stderr]).toEqual([0, expected[name], '']);
  });
});
