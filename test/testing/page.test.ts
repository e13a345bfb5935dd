/** Runs the examples of docs/testing.md, each as it stands there. */
import ts from 'typescript';
import { blocksOf } from '../package/markdown';

const blocks = blocksOf('docs/testing.md').filter(({ language }) => language === 'ts');
const modules = new Map<string, object>();

function run(text: string): object {
  const { outputText } = ts.transpileModule(text, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, esModuleInterop: true } });
  const exported = {};
  const load = (name: string): unknown => modules.get(name) ?? (jest.requireActual as (name: string) => unknown)(name);
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- text of ours
  new Function('exports', 'require', 'test', 'expect', 'jest', outputText)(exported, load, test, expect, jest);
  return exported;
}

for (const { text } of blocks) {
  if (text.includes('export async function nightly')) modules.set('./nightly', run(text));
  else if (text.includes('test(')) run(text); // registers the test
}

test('the page has examples, and the code that they test', () => {
  expect(modules.size).toBe(1);
  expect(blocks.length).toBeGreaterThan(5);
});
