/** The package as its users get it: what is in it, and how it is imported from ES modules, CommonJS and TypeScript. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { Cluster } from '../../src/cli/demo/cluster';
import { readConfiguration } from '../../src/config';
import { FROM_REGISTRY, PackedPackage, ROOT } from './packed';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string; engines: { node: string } };

let packed: PackedPackage;

beforeAll(() => {
  packed = new PackedPackage();
}, 300_000);
afterAll(() => packed.remove());

test('it holds what is needed and nothing else', () => {
  const known = /^(dist\/src\/(?!cli\/).*\.(js|d\.ts)|dist\/src\/cli\/(main|code-cache)\.js|dist\/bundle\/(maekawa\.js|LICENSES\.txt)|dist\/man\/maekawa[a-z-]*\.1|proto\/.*\.proto|package\.json|README\.md|LICENSE|CHANGELOG\.md|quorums\.schema\.json)$/;
  expect(packed.files.filter((file) => !known.test(file))).toEqual([]);
  const needed = ['proto/maekawa/v1/locks.proto', 'dist/src/index.js', 'dist/src/index.d.ts', 'dist/src/testing/index.js', 'dist/src/cli/main.js', 'dist/src/cli/code-cache.js', 'dist/bundle/maekawa.js', 'dist/bundle/LICENSES.txt', 'dist/man/maekawa-lock.1', 'LICENSE', 'quorums.schema.json'];
  expect(packed.files).toEqual(expect.arrayContaining(needed));
});

describe('checkers of packages find no fault', () => {
  test.each([
    ['publint', ['run', '--strict']],
    ['attw', ['--format', 'ascii', '--no-color', '--no-emoji']],
  ])('%s', (checker, args) => {
    const { status, stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin', checker), [...args, packed.tarball], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stdout + stderr);
  });
});

describe('imports', () => {
  const run = (file: string, text: string): string => packed.run(process.execPath, packed.write(file, text));

  test.each(['maekawa', 'maekawa/testing'])('%s has the same names in an ES module as in CommonJS', (name) => {
    const required = run('names.cjs', `console.log(Object.keys(require('${name}')).sort().join())`);
    expect(required).toMatch(/^\w+(,\w+)*\n$/);
    // Those that Node.js finds in a CommonJS module without running it, and some that it adds.
    const imported = run('names.mjs', `import * as all from '${name}'; console.log(Object.keys(all).filter((key) => !['default', 'module.exports', '__esModule'].includes(key)).join())`);
    expect(imported).toBe(required);
  });

  test('both see one module: an error of one is an instance of the class of the other', () => {
    expect(run('one.mjs', "import { createRequire } from 'node:module';\nimport { LockError } from 'maekawa';\nconsole.log(LockError === createRequire(import.meta.url)('maekawa').LockError);")).toBe('true\n');
  });

  test('by name, from both, the cluster for tests works', () => {
    const use = 'testCluster().then(async (cluster) => { console.log(cluster.nodes.length); await cluster.stop(); });';
    expect(run('testing.mjs', `import { testCluster } from 'maekawa/testing';\n${use}`)).toBe('3\n');
    expect(run('testing.cjs', `const { testCluster } = require('maekawa/testing');\n${use}`)).toBe('3\n');
  });

  test('its other files can be found', () => {
    for (const file of ['package.json', 'quorums.schema.json']) expect(run('file.cjs', `console.log(typeof require('maekawa/${file}'))`)).toBe('object\n');
    expect(run('proto.cjs', "console.log(require('fs').readFileSync(require.resolve('maekawa/proto/maekawa/v1/locks.proto'), 'utf8').includes('service Locks'))")).toBe('true\n');
  });
});

describe('types', () => {
  const use = `
import { startNode, connect, LockError } from 'maekawa';
import type { Lock, LockManager } from 'maekawa';
import { testCluster } from 'maekawa/testing';

async function use(locks: LockManager): Promise<number> {
  const none: string | null = await locks.request('a', { ifAvailable: true }, (lock) => (lock === null ? null : lock.name));
  const token: number = await locks.request('a', async (lock: Lock) => lock.token);
  await using held = await locks.acquire('b', { mode: 'shared', waitMs: 10 });
  return none === null ? token : held.validForMs();
}
export { startNode, connect, LockError, testCluster, use };
`;
  const settings: Record<string, ts.CompilerOptions> = {
    node16: { module: ts.ModuleKind.Node16, skipLibCheck: false },
    'node16, with the DOM and without the types of Node.js': { module: ts.ModuleKind.Node16, types: [], lib: ['lib.es2022.full.d.ts'], skipLibCheck: false },
    'node16, with neither': { module: ts.ModuleKind.Node16, types: [], lib: ['lib.es2022.d.ts'], skipLibCheck: false },
    nodenext: { module: ts.ModuleKind.NodeNext },
    bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
    // TypeScript 6 wants to be told that the old resolution goes away.
    node10: { module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Node10, ignoreDeprecations: '6.0' },
  };

  test.each(Object.keys(settings))('%s', (name) => {
    const files = ['typed.mts', 'typed.cts'];
    for (const file of files) packed.write(file, use);
    expect(packed.diagnose(files, settings[name])).toEqual([]);
  });

  const signals = `
import { startNode } from 'maekawa';
const node = await startNode({ id: 'n1', config: 'quorums.json' });
const lock = await node.locks.acquire('a');
export const isLost: boolean = lock.signal.aborted || node.signal.aborted;
lock.signal.addEventListener('abort', () => lock.release(), { once: true });
lock.signal.throwIfAborted();
`;
  const without = { types: [], lib: ['lib.es2022.d.ts'], skipLibCheck: false };

  test('without any platform a signal is one all the same', () => {
    packed.write('signals.mts', signals);
    expect(packed.diagnose(['signals.mts'], without)).toEqual([]);
    packed.write('no-signal.mts', signals.replace('lock.signal.aborted', 'lock.signal.isAborted'));
    expect(packed.diagnose(['no-signal.mts'], without)).toHaveLength(1); // it is not just anything
  });

  test("with the types of Node.js a signal is the platform's", () => {
    packed.write('platform.mts', `${signals}
export const platform: AbortSignal = lock.signal;
export const given = node.locks.acquire('b', { signal: new AbortController().signal });
`);
    expect(packed.diagnose(['platform.mts'])).toEqual([]);
  });

  const oldest = /TypeScript (\d+\.\d+) or later/.exec(readFileSync(join(ROOT, 'docs/packaging.md'), 'utf8'))?.[1] ?? 'unknown';

  (FROM_REGISTRY ? test : test.skip)(`TypeScript ${oldest}, the oldest, understands them`, () => {
    for (const file of ['oldest/typed.mts', 'oldest/typed.cts']) packed.write(file, use);
    packed.write('oldest/signals.mts', signals);
    const compilerOptions = { module: 'node16', target: 'es2022', lib: ['es2022'], types: [], strict: true, noEmit: true, skipLibCheck: false };
    packed.write('oldest/tsconfig.json', JSON.stringify({ compilerOptions }));
    expect(packed.run('npx', '--yes', '--package', `typescript@${oldest}`, '--', 'tsc', '--version')).toContain(`Version ${oldest}.`);
    packed.run('npx', '--yes', '--package', `typescript@${oldest}`, '--', 'tsc', '--project', 'oldest'); // throws for a fault
  });

  test('they are our own: no declaration that users reach imports a dependency', () => {
    const declarations = join(packed.directory, 'node_modules/maekawa/dist/src');
    const imports = new Set<string>();
    const seen = new Set<string>();
    const follow = (path: string): void => {
      if (seen.has(path)) return;
      seen.add(path);
      for (const { fileName } of ts.preProcessFile(readFileSync(path, 'utf8')).importedFiles) {
        const target = join(dirname(path), fileName);
        if (!fileName.startsWith('.')) imports.add(`${relative(declarations, path)} imports ${fileName}`);
        else follow(existsSync(`${target}.d.ts`) ? `${target}.d.ts` : join(target, 'index.d.ts'));
      }
    };
    for (const entry of ['index.d.ts', 'testing/index.d.ts']) follow(join(declarations, entry));
    expect(seen.size).toBeGreaterThan(10);
    expect([...imports]).toEqual([]);
  });

  const dom = (expression: string): string => `
import type { Lock as OurLock, LockManager as OurLockManager } from 'maekawa';
declare const ours: OurLockManager;
declare const lock: OurLock;
export const manager: LockManager = ${expression};
export const one: Lock = lock;
export const granted: Promise<number> = manager.request('r', { ifAvailable: true }, (each) => (each === null ? 0 : 1));
`;

  test("our LockManager and Lock are assignable to those of TypeScript's DOM library", () => {
    const lib = ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts'];
    packed.write('dom.mts', dom('ours'));
    expect(packed.diagnose(['dom.mts'], { lib })).toEqual([]);
    packed.write('not-dom.mts', dom('{ query: ours.query }'));
    expect(packed.diagnose(['not-dom.mts'], { lib })).not.toEqual([]); // the compiler is really looking
  });
});

/**
 * The oldest and the newest Node.js, besides the one that runs this; from npm, so only where it may be asked.
 * One that cannot be had is left out, and said so.
 */
const programs = [process.execPath, ...(FROM_REGISTRY ? [manifest.engines.node.replace('>=', ''), 'latest'].flatMap(fetchNode) : [])]
  .map((program) => ({ program, version: spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout.trim() }));

function fetchNode(version: string): string[] {
  const { status, stdout, stderr } = spawnSync('npx', ['--yes', '--package', `node@${version}`, '--', 'node', '--print', 'process.execPath'], { encoding: 'utf8' });
  if (status === 0) return [stdout.trim()];
  process.stderr.write(`skipped: Node.js ${version} is not to be had from npm: ${stderr}\n`);
  return [];
}

describe.each(programs)('Node.js $version', ({ program }) => {
  let cluster: Cluster;

  /** Nodes n2, n3 and n4 of the configuration that the README speaks of. The example is n1. */
  beforeAll(async () => {
    cluster = await Cluster.prepare(readConfiguration(join(ROOT, 'quorums.json')), [], join(packed.directory, 'node_modules/maekawa/dist/src/cli/main.js'));
    for (const id of ['n2', 'n3', 'n4']) cluster.start(id, '--first-start');
    await cluster.untilConnected(30_000);
    packed.write('quorums.json', readFileSync(cluster.configFile, 'utf8'));
  });
  afterAll(() => cluster.remove());

  const example = /```ts\n([^]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1] ?? '';
  const [, imports = '', body = ''] = /^(import [^\n]*\n)([^]*)$/.exec(example) ?? [];
  const resource = (types: string): string =>
    `const data = 'x';\nconst store = { write: async (_data${types && ': string'}, options${types && ': { token: number }'}) => console.log('wrote with token', options.token) };\n`;

  test("the README's first example runs from an ES module", () => {
    const file = packed.write('example.mjs', `${imports}${resource('')}${body}await node.stop();\n`);
    expect(packed.run(program, file)).toMatch(/^wrote with token \d+\n$/);
  });

  test("the README's first example runs from CommonJS", () => {
    const required = imports.replace(/^import (.*) from '(.*)';/, "const $1 = require('$2');");
    const file = packed.write('example.cjs', `${required}${resource('')}(async () => {\n${body}await node.stop();\n})();\n`);
    expect(packed.run(program, file)).toMatch(/^wrote with token \d+\n$/);
  });

  test("the README's first example runs from TypeScript", () => {
    packed.write('example-in-typescript.mts', `${imports}${resource('typed')}${body}await node.stop();\n`);
    packed.run('node_modules/.bin/tsc', '--module', 'nodenext', '--target', 'es2022', '--strict', '--types', 'node', '--skipLibCheck', 'example-in-typescript.mts');
    expect(packed.run(program, 'example-in-typescript.mjs')).toMatch(/^wrote with token \d+\n$/);
  });

  test('npx runs the command', () => {
    expect(packed.run('npx', '--no-install', 'maekawa', '--version')).toBe(`${manifest.version}\n`);
    const main = 'node_modules/maekawa/dist/src/cli/main.js';
    expect(packed.run(program, main, '--version')).toBe(`${manifest.version}\n`);
    expect(packed.run(program, main, 'lock', 'invoices', '--', 'sh', '-c', 'echo $MAEKAWA_LOCK')).toBe('invoices\n');
  });
});
