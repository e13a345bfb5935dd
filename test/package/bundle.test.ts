/**
 * The package in one file, as esbuild makes it for a container or a function: nothing may be read from beside the code. The file
 * runs in an empty directory.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blocksOf } from './markdown';
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

/** As docs/packaging.md says it; one for each form. */
const commands = blocksOf('docs/packaging.md').map(({ text }) => text.trim()).filter((text) => text.startsWith('npx esbuild app.ts '));

describe.each([
  ['CommonJS', 'cjs', 'app.cjs'],
  ['an ES module', 'mjs', 'app.mjs'],
] as const)('one file of %s', (_name, extension, outfile) => {
  test.each(['node', 'client', 'testing'] as const)('with a %s', (name) => {
    const [head = '', ...rest] = programs[name].trim().split('\n');
    packed.write('app.ts', `${head}\n(async () => {\n${rest.join('\n')}\n})();\n`);
    const [command = '', ...others] = commands.filter((text) => text.includes(`--outfile=${outfile}`));
    expect(others).toEqual([]);
    const warnings = execFileSync('sh', ['-c', `${command.replace('npx esbuild', '"$ESBUILD"')} --log-level=warning`], {
      cwd: packed.directory, encoding: 'utf8', env: { ...process.env, ESBUILD: join(ROOT, 'node_modules/.bin/esbuild') }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(warnings).toBe('');
    copyFileSync(join(packed.directory, outfile), join(alone, `${name}.${extension}`));
    const { status, stdout, stderr } = spawnSync(process.execPath, [`${name}.${extension}`], { cwd: alone, encoding: 'utf8', timeout: 60_000 });
    expect([status, stdout, stderr]).toEqual([0, expected[name], '']);
  });
});
