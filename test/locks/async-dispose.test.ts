import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { testCluster } from '../../src/testing';
import { asyncDispose } from '../../src/locks/async-dispose';

/** What the module gives where `Symbol` is this. */
function keyWhere(symbol: object): unknown {
  const { outputText } = ts.transpileModule(readFileSync(join(__dirname, '../../src/locks/async-dispose.ts'), 'utf8'), { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 } });
  const exported: { asyncDispose?: unknown } = {};
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- text of ours
  new Function('exports', 'Symbol', outputText)(exported, symbol);
  return exported.asyncDispose;
}

test('the key of `await using` is the symbol of the platform; without one it is that of Babel and esbuild, and never undefined', () => {
  expect(asyncDispose).toBe(Symbol.asyncDispose);
  expect(keyWhere({ for: Symbol.for, asyncDispose: Symbol.asyncDispose })).toBe(Symbol.asyncDispose);
  expect(keyWhere({ for: Symbol.for })).toBe(Symbol.for('Symbol.asyncDispose'));
});

test('every way to hold has the method by it, and no method called undefined', async () => {
  const cluster = await testCluster();
  const { locks } = cluster.node('n1');
  for (const held of [await locks.acquire('a'), await locks.acquireAll(['b', 'c']), await locks.semaphore('d', 2).acquire()]) {
    expect('undefined' in held).toBe(false);
    await held[Symbol.asyncDispose]();
  }
  expect((await locks.query()).held).toEqual([]);
  await cluster.stop();
});
