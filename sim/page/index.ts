/**
 * The page that shows a run: one HTML file with style, script and recording in it, which needs no network
 * and no server. It is put together from the readable sources beside this file.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import type TypeScript from 'typescript';
import type { Recording } from './recording';

export { recordRun } from './record-run';
export type { RecordOptions, RecordedRun } from './record-run';
export type { Recording } from './recording';

/** The sources are not compiled with the rest: the page's script is for a browser. */
const SOURCES = [__dirname, join(__dirname, '../../../sim/page')].find((each) => existsSync(join(each, 'page.html'))) ?? __dirname;

/** The page as one HTML document. */
export function pageHtml(recording: Recording): string {
  const parts: Readonly<Record<string, string>> = {
    style: readFileSync(join(SOURCES, 'page.css'), 'utf8'),
    // A lock may be named `</script>`.
    recording: JSON.stringify(recording).replace(/</g, '\\u003c'),
    script: script(),
  };
  return readFileSync(join(SOURCES, 'page.html'), 'utf8').replace(/\/\* (style|recording|script) \*\//g, (_, name: string) => parts[name] ?? '');
}

/** The modules of the script, types stripped, behind the few lines that let them import each other. */
function script(): string {
  // The compiler takes long to load, and most runs are never shown.
  const ts = createRequire(__filename)('typescript') as typeof TypeScript;
  const folder = join(SOURCES, 'script');
  const modules = readdirSync(folder).filter((file) => file.endsWith('.ts')).map((file) => {
    const { outputText } = ts.transpileModule(readFileSync(join(folder, file), 'utf8'), {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS },
    });
    return `'./${basename(file, '.ts')}': (exports, require) => {\n${outputText}}`;
  });
  return `'use strict';\nconst modules = {\n${modules.join(',\n')}\n};\nconst loaded = {};\n`
    + 'function load(name) {\n  if (!loaded[name]) modules[name](loaded[name] = {}, load);\n  return loaded[name];\n}\nload(\'./app\');\n';
}
