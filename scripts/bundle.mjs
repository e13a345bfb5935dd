// Part of the build: makes one file of the command, for a start that reads a hundred files takes twice as long. Reads what tsc made
// of src/cli/run.ts, and writes beside the bundle the licences of the packages that are in it.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { withLazyRequires } from './lazy-requires.mjs';

const root = join(fileURLToPath(import.meta.url), '../..');

/** Our own modules, and those of gRPC, which tsc has made too: `maekawa lock` needs no server, and no command needs all of them. */
const lazy = {
  name: 'lazy requires',
  setup: ({ onLoad }) => onLoad({ filter: /\/(dist\/src|@grpc\/grpc-js\/build\/src)\/.*\.js$/ }, ({ path }) => ({ contents: withLazyRequires(readFileSync(path, 'utf8')) })),
};

/** @param isLazy whether modules load when they are first used, or all of them at the start */
export async function bundle(directory, isLazy = true) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['dist/src/cli/run.js'],
    outfile: join(directory, 'maekawa.js'),
    bundle: true,
    platform: 'node',
    target: 'node20.5',
    format: 'cjs',
    plugins: isLazy ? [lazy] : [],
    // gRPC asks for it in functions that are not called here.
    external: ['@grpc/proto-loader'],
    // Half as many bytes to read at each start. Names stay, for stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    legalComments: 'none', // the licences stand in a file of their own
    // src/cli/code-cache.ts calls it.
    banner: { js: '(function (exports, require, module) {' },
    footer: { js: '})' },
    metafile: true,
    write: false,
    logLevel: 'warning',
  });
  const [{ text }] = outputFiles;
  const foreign = Object.keys(metafile.inputs).flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'maekawa.js'), `// ${createHash('sha256').update(text).digest('hex')}\n${text}`);
  writeFileSync(join(directory, 'LICENSES.txt'), `maekawa.js holds code of these packages.\n\n${[...new Set(foreign)].sort().map(licenceOf).join(`\n${'-'.repeat(80)}\n\n`)}`);
}

/** The text of a package's licence, with its name and version. */
function licenceOf(name) {
  const place = join(root, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'));
  const file = readdirSync(place).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new Error(`${name} has no file with its licence (${license})`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(place, file), 'utf8').trim()}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle(join(root, 'dist/bundle'));
