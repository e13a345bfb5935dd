/** The one file that the build makes of the command: what is done to its modules, and whose licences lie beside it. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { ROOT } from './packed';

/** An ES module, which Jest does not import. */
function lazy(text: string): string {
  const script = "import { withLazyRequires } from './scripts/lazy-requires.mjs'; process.stdout.write(withLazyRequires(process.argv[1]));";
  return execFileSync(process.execPath, ['--input-type=module', '-e', script, '--', text], { cwd: ROOT, encoding: 'utf8' });
}

/** Runs it with modules `a` and `b`; what it exports, and which of them it asked for, in order. */
function run(text: string): { readonly exports: unknown; readonly asked: readonly string[] } {
  const asked: string[] = [];
  const modules: Readonly<Record<string, object>> = { a: { one: 1, Thing: class { kind = 'thing'; } }, b: { two: 2 } };
  const require = (name: string): unknown => {
    asked.push(name);
    return modules[name];
  };
  const exports = {};
  (new Script(`(function (exports, require) {${lazy(text)}\n})`).runInThisContext() as (...args: unknown[]) => void)(exports, require);
  return { exports, asked };
}

describe('a module that is loaded when it is first used', () => {
  test.each([
    ['is not loaded without use', 'const a_1 = require("a");', {}, []],
    ['is loaded once', 'const a_1 = require("a"); exports.x = a_1.one + a_1.one;', { x: 2 }, ['a']],
    ['is loaded in the order of use', 'const a_1 = require("a"); const b_1 = require("b"); exports.x = [b_1.two, a_1.one];', { x: [2, 1] }, ['b', 'a']],
    ['may be constructed from', 'const a_1 = require("a"); exports.x = new a_1.Thing().kind;', { x: 'thing' }, ['a']],
    ['may be a base', 'const a_1 = require("a"); exports.x = new (class extends a_1.Thing {})().kind;', { x: 'thing' }, ['a']],
    ['is called without a receiver', 'const a_1 = require("a"); exports.x = typeof (0, a_1.Thing);', { x: 'function' }, ['a']],
    ['is not mistaken for a property', 'const a = require("a"); exports.x = { a: 5 }.a;', { x: 5 }, []],
  ])('%s', (_what, text, exports, asked) => expect(run(text)).toEqual({ exports, asked }));

  test.each([
    ['a name that is a parameter elsewhere', 'const a = require("a"); exports.x = ((a) => a)(3);', { x: 3 }],
    ['a short property', 'const a = require("a"); exports.x = { a }.a.one;', { x: 1 }],
    ['a module that is handed on', 'const a = require("a"); exports.x = ((each) => each.one)(a);', { x: 1 }],
    ['what is no constant', 'let a = require("a"); exports.x = a.one;', { x: 1 }],
    ['several in one statement', 'const a = require("a"), b = require("b"); exports.x = a.one + b.two;', { x: 3 }],
  ])('is no other: %s', (_what, text, exports) => {
    expect(lazy(text)).toBe(text);
    expect(run(text).exports).toEqual(exports);
  });
});

test('the licence of each package in the bundle lies beside it', () => {
  const bundle = readFileSync(join(ROOT, 'dist/bundle/maekawa.js'), 'latin1');
  const licences = readFileSync(join(ROOT, 'dist/bundle/LICENSES.txt'), 'utf8');
  const packages = new Set([...bundle.matchAll(/"node_modules\/((?:@[\w-]+\/)?[\w.-]+)\//g)].map(([, name = '']) => name));
  expect([...packages].sort()).toEqual(['@grpc/grpc-js', '@js-sdsl/ordered-map', 'commander']);
  for (const name of packages) {
    const place = join(ROOT, 'node_modules', name);
    const { version } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8')) as { version: string };
    const file = ['LICENSE', 'LICENSE.md', 'LICENSE.txt'].map((each) => join(place, each)).find((each) => existsSync(each)) ?? '';
    expect(licences).toContain(`${name} ${version} (`);
    expect(licences).toContain(readFileSync(file, 'utf8').trim());
  }
});
