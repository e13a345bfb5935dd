// What `npm install maekawa` brings: every package once, under the first that asks for it, with the size of
// its files. Reads node_modules as it is, so `npm ci` first.
import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const npm = (...args) => JSON.parse(execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));

const [packed] = npm('pack', '--dry-run', '--ignore-scripts', '--json');
const tree = npm('ls', '--omit=dev', '--all', '--long', '--json');

/** In bytes, without packages that are installed inside it. */
function sizeOf(path) {
  const status = lstatSync(path);
  if (!status.isDirectory()) return status.size;
  return readdirSync(path).filter((name) => name !== 'node_modules').reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

const kB = (bytes) => `${Math.round(bytes / 1000)} kB`.padStart(8);
const seen = new Set();
let total = packed.unpackedSize;

function show(dependencies, indent) {
  // What lies there without being asked for is not brought.
  const fresh = Object.entries(dependencies ?? {}).filter(([, { path, extraneous }]) => path !== undefined && !extraneous && !seen.has(path));
  for (const [, { path }] of fresh) seen.add(path);
  fresh.forEach(([name, { path, dependencies: further }], index) => {
    const isLast = index === fresh.length - 1;
    const bytes = sizeOf(path);
    total += bytes;
    console.log(`${kB(bytes)}  ${indent}${isLast ? '└─' : '├─'} ${name}`);
    show(further, `${indent}${isLast ? '   ' : '│  '}`);
  });
}

console.log(`${kB(packed.unpackedSize)}  maekawa`);
show(tree.dependencies, '');
console.log(`${seen.size + 1} packages, ${(total / 1e6).toFixed(1)} MB`);
