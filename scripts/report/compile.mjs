// Makes a PDF of findings with Typst, whose compiler and fonts come with its npm package, so that nothing else has to be there.
// node scripts/report/compile.mjs OUT.pdf [PAGES.svg] < findings.json; prints on how many pages, and where the appendix begins. A process of its own, so that
// only who makes a report loads the compiler.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NodeCompiler } from '@myriaddreamin/typst-ts-node-compiler';

const [pdf, svg] = process.argv.slice(2);
const workspace = dirname(fileURLToPath(import.meta.url));
const run = readFileSync(0, 'utf8');
const compiler = NodeCompiler.create({ workspace });
const output = compiler.compile({ mainFileContent: readFileSync(join(workspace, 'report.typ'), 'utf8'), inputs: { run } });
const error = output.takeDiagnostics();
const document = output.result;
if (error !== null || document === null) {
  console.error(`report.typ cannot be typeset: ${error === null ? 'no document' : JSON.stringify(error.shortDiagnostics)}`);
  process.exit(1);
}
// Nothing in it depends on when it was typeset.
writeFileSync(pdf, compiler.pdf(document, { creationTimestamp: Math.floor(Date.parse(JSON.parse(run).startedAt) / 1000) }));
if (svg !== undefined) writeFileSync(svg, compiler.svg(document));
const [appendixPage] = compiler.query(document, { selector: '<appendix>', field: 'value' });
console.log(JSON.stringify({ pages: document.numOfPages, appendixPage }));
