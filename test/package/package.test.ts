/**
 * The package as its users get it: packed, unpacked in an empty directory, and used from ESM, CommonJS
 * and TypeScript. Only its own dependencies are there.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';

jest.setTimeout(60_000);

const root = join(__dirname, '../..');
const first = /```ts\n([^]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1] ?? '';

let directory: string;
let files: string[];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'maekawa-package-'));
  // `npm test` has built it; packing must not build again while other tests run the build.
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [{ filename, files: listed }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
  files = listed.map((file) => file.path);
  const modules = join(directory, 'node_modules');
  mkdirSync(join(modules, 'maekawa'), { recursive: true });
  execFileSync('tar', ['-xzf', join(directory, filename), '-C', join(modules, 'maekawa'), '--strip-components', '1']);
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  for (const name of [...Object.keys(dependencies), '@types/node', 'undici-types']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  const alone = { nodes: [{ id: 'n1', address: '127.0.0.1:7001' }], quorums: { family: 'majority' }, leaseMs: 300 };
  writeFileSync(join(directory, 'quorums.json'), JSON.stringify(alone));
  writeFileSync(join(directory, 'package.json'), '{ "private": true }'); // so that nobody looks further up
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The README's first example with what it leaves to the reader. */
function program(header: string, footer: string): string {
  const body = first.replace(/^import .*$/gm, '').replace("config: 'quorums.json'", "config: 'quorums.json', ephemeral: true, listen: '127.0.0.1:0'");
  return `${header}\nconst data = 'x';\nconst store = { write: async (_data, options) => console.log('wrote with token', options.token) };\n(async () => {\n${body}\nawait node.stop();\n})();\n${footer}`;
}

function run(file: string, text: string): string {
  writeFileSync(join(directory, file), text);
  return execFileSync(process.execPath, [file], { cwd: directory, encoding: 'utf8' });
}

test("the README's first example runs from an ES module", () => {
  expect(run('example.mjs', program("import { startNode } from 'maekawa';", ''))).toMatch(/^wrote with token \d+\n$/);
});

test("the README's first example runs from CommonJS", () => {
  expect(run('example.cjs', program("const { startNode } = require('maekawa');", ''))).toMatch(/^wrote with token \d+\n$/);
});

test('the cluster for tests and the package itself can be imported from both', () => {
  const use = "testCluster().then(async (cluster) => { console.log(cluster.nodes.length); await cluster.stop(); });";
  expect(run('testing.mjs', `import { testCluster } from 'maekawa/testing';\n${use}`)).toBe('3\n');
  expect(run('testing.cjs', `const { testCluster } = require('maekawa/testing');\n${use}`)).toBe('3\n');
  expect(run('name.cjs', "console.log(require('maekawa/package.json').name)")).toBe('maekawa\n');
});

test('the command runs from the package', () => {
  const output = execFileSync(process.execPath, [join(directory, 'node_modules/maekawa/dist/src/cli/main.js'), 'quorums', 'describe', 'quorums.json'], { cwd: directory, encoding: 'utf8' });
  expect(output).toMatch(/majority/);
});

test('it holds what is needed and nothing else', () => {
  expect(files.filter((file) => !/^(dist\/src\/.*\.(js|d\.ts)|proto\/.*\.proto|package\.json|README\.md|LICENSE|CHANGELOG\.md|quorums\.schema\.json)$/.test(file))).toEqual([]);
  expect(files).toEqual(expect.arrayContaining(['proto/maekawa/v1/locks.proto', 'dist/src/index.js', 'dist/src/index.d.ts', 'dist/src/testing/index.js', 'dist/src/cli/main.js']));
  expect(readdirSync(directory)).toContain('node_modules');
});

/** What the compiler says of a module that uses the package. */
function diagnose(file: string, text: string, lib: string[], moduleKind = ts.ModuleKind.Node16): string[] {
  const path = join(directory, file);
  writeFileSync(path, text);
  const compiled = ts.createProgram([path], {
    strict: true, noEmit: true, exactOptionalPropertyTypes: true, target: ts.ScriptTarget.ES2022, module: moduleKind,
    lib: lib.map((each) => `lib.${each}.d.ts`), types: ['node'], typeRoots: [join(directory, 'node_modules/@types')], skipLibCheck: true,
  });
  return ts.getPreEmitDiagnostics(compiled).map((each) => ts.flattenDiagnosticMessageText(each.messageText, '\n'));
}

const typed = `
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

test('the types work for ES modules and CommonJS', () => {
  for (const file of ['typed.mts', 'typed.cts']) expect(diagnose(file, typed, ['es2023', 'esnext.disposable'])).toEqual([]);
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
  expect(diagnose('dom.mts', dom('ours'), ['es2023', 'esnext.disposable', 'dom'])).toEqual([]);
  // The compiler is really looking.
  expect(diagnose('not-dom.mts', dom('{ query: ours.query }'), ['es2023', 'esnext.disposable', 'dom'])).not.toEqual([]);
});
