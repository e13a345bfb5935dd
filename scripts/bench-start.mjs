// `npm run bench:start`: what a start of the command costs, as ratios to a bare `node -e 0`. Each line is measured in turn with all
// others, and CPU counts every process that the command starts. `--turns N` says how many turns (default 15). Needs bash.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';

const root = join(fileURLToPath(import.meta.url), '../..');
const main = join(root, 'dist/src/cli/main.js');
const { Cluster } = createRequire(import.meta.url)(join(root, 'dist/src/cli/demo/cluster.js'));
const turns = Number(process.argv[process.argv.indexOf('--turns') + 1]) || 15;

const directory = mkdtempSync(join(tmpdir(), 'maekawa-start-'));
const place = (name) => join(directory, name);

/** A program that starts the command in another way. */
function program(name, start) {
  writeFileSync(place(name), start);
  return place(name);
}

const nodes = ['n1', 'n2', 'n3'];
const cluster = await Cluster.prepare(
  { cluster: 'start', nodes: nodes.map((id) => ({ id })), quorums: { family: 'majority' }, leaseMs: 5_000, retryMs: 500, driftMax: 0.01 }, [], main,
);
try {
  await bundle(place('eager'), false);
  const unbundled = program('unbundled.js', `require(${JSON.stringify(join(root, 'dist/src/cli/run.js'))}).start();`);
  const eager = program('eager.js', `require(${JSON.stringify(join(root, 'dist/src/cli/code-cache.js'))}).loadCached(${JSON.stringify(place('eager/maekawa.js'))}, require).start();`);
  for (const id of nodes) cluster.start(id, '--first-start');
  await cluster.untilConnected(30_000);

  const lock = ['lock', 'start', '--config', cluster.configFile, '--', 'true'];
  const withoutCache = { NODE_DISABLE_COMPILE_CACHE: '1' };
  const withCache = (name) => ({ XDG_CACHE_HOME: place(`cache-${name}`) });
  const lines = [
    { name: 'node -e 0', args: ['-e', '0'], env: withoutCache },
    { name: 'maekawa lock, a file for each module', args: [unbundled, ...lock], env: withoutCache },
    { name: 'one file', args: [eager, ...lock], env: withoutCache },
    { name: 'one file, modules loaded when used', args: [main, ...lock], env: withoutCache },
    { name: 'the same, code kept from before: as shipped', args: [main, ...lock], env: withCache('lock') },
    { name: 'maekawa --version', args: [main, '--version'], env: withCache('version') },
    { name: 'maekawa quorums check', args: [main, 'quorums', 'check', cluster.configFile], env: withCache('quorums') },
    { name: 'node -e 0, and a shell that starts two processes', args: ['-e', "require('child_process').spawnSync('sh', ['-c', 'sleep 0; true; :'])"], env: withoutCache },
  ].map((line) => ({ ...line, cpuMs: [], wallMs: [] }));
  const untilHeld = [];

  for (let turn = -1; turn < turns; turn++) {
    for (const { args, env, cpuMs, wallMs } of lines) {
      const { cpu, wall } = timed(args, env);
      if (turn < 0) continue; // the first one fills caches
      cpuMs.push(cpu);
      wallMs.push(wall);
    }
    if (turn >= 0) untilHeld.push(await timeUntilRunning([main, ...lock.slice(0, -1), 'echo', 'held'], withCache('lock')));
  }

  const [bare] = lines;
  console.log(`Node.js ${process.version}, ${turns} turns, medians\n`);
  console.log('| | CPU, ms | × bare | until it has ended, ms | × bare |\n| --- | ---: | ---: | ---: | ---: |');
  for (const { name, cpuMs, wallMs } of lines) {
    console.log(`| ${name} | ${median(cpuMs).toFixed(0)} | ${ratio(cpuMs, bare.cpuMs)} | ${median(wallMs).toFixed(0)} | ${ratio(wallMs, bare.wallMs)} |`);
  }
  console.log(`\nFrom the start of \`maekawa lock\` until its command runs: ${median(untilHeld).toFixed(0)} ms, ${ratio(untilHeld, bare.wallMs)} × bare`);
} finally {
  await cluster.remove();
  rmSync(directory, { recursive: true, force: true });
}

/** CPU of the process and of all that it started and waited for. */
function timed(args, env) {
  const words = [process.execPath, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const { stdout, stderr, status } = spawnSync('bash', ['-c', `TIMEFORMAT='%U %S %R'; time ${words} >/dev/null`], { env: { ...process.env, ...env }, encoding: 'utf8' });
  const [user, system, wall] = stderr.trim().split('\n').at(-1).split(' ').map((seconds) => 1_000 * Number(seconds));
  if (status !== 0 || !Number.isFinite(wall)) throw new Error(`${words} ended with ${status}: ${stdout}${stderr}`);
  return { cpu: user + system, wall };
}

function timeUntilRunning(args, env) {
  const startedMs = performance.now();
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let untilMs;
    child.stdout.once('data', () => (untilMs = performance.now() - startedMs));
    child.once('close', (code) => (untilMs === undefined ? reject(new Error(`maekawa lock ended with ${code}`)) : resolve(untilMs)));
  });
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Each turn is compared with itself: how busy the machine is changes from turn to turn. */
function ratio(values, bare) {
  return median(values.map((value, turn) => value / bare[turn])).toFixed(2);
}
