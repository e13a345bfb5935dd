/**
 * `npm run bench:peers`: our locks beside those of Redis, etcd, ZooKeeper and PostgreSQL, in turns in one run, on loopback, by real
 * processes. Uses what is on this machine. Law: everything that it starts is ended when it ends, also by Ctrl-C.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { InvalidArgumentError, program } from 'commander';
import { ROOT } from '../../scripts/report/root';
import { endUnlessWritten } from '../../src/standard-output';
import { VERSION } from '../../src/version';
import { readResults, writePages, writeReadme, writeResults } from '../results/files';
import { pageOf } from '../results/page';
import { SECTIONS, SERVICES, withAnew } from '../results/results';
import type { Fleet, HeldMemory, Recovery, Results, Section, ServiceId, Throughput } from '../results/results';
import { versionOfPackage } from './clients/package-of';
import { commandsFor, install, isReady, look, PEERS } from './find';
import type { Finding, PeerId } from './find';
import { measureFleet } from './fleet';
import { measureMemory } from './memory';
import { measureRecovery } from './recovery';
import { startNodes } from './servers/maekawa';
import type { Service } from './servers/service';
import { endAllServers } from './servers/spawned';
import { spreadOf } from './statistics';
import { measureThroughput } from './throughput';
import type { Setting } from './throughput';
import { endAllWorkers } from './workers';

/** Code of Node.js is fast only when it has run for some seconds: the more, the longer it waits for an answer each time. Those that use locks run for months. */
const FULL = { forMs: 1_000, warmUpMs: 5_000, leadInMs: 2_000, repeats: 5, share: 1 };
const QUICK = { forMs: 300, warmUpMs: 500, leadInMs: 200, repeats: 2, share: 0.05 };
const LEASE_MS = 5_000;
const DOCS = join(ROOT, 'docs/benchmarks');

interface Options {
  readonly only?: ReadonlySet<string>;
  readonly quick?: true;
  readonly install?: true;
  readonly out?: string;
  readonly readme?: true;
  readonly render?: true;
}

const options = program
  .name('bench:peers')
  .description('Measures locks of maekawa beside those of Redis, etcd, ZooKeeper and PostgreSQL, in turns in one run, on loopback. A whole run takes about half an hour, and writes results, page and charts to docs/benchmarks.')
  .option('--only <names>', `these parts and services alone, such as throughput,redis: ${[...SECTIONS, ...SERVICES].join(', ')}`, parseOnly)
  .option('--quick', 'a look within a minute or two: too short for figures that others shall read')
  .option('--install', 'install what is missing, with the commands that are printed without it; not in CI')
  .option('--out <directory>', 'where to write results, page and charts. Default: docs/benchmarks for a whole run; with --only and --quick they are only printed. Of parts that --only leaves out, what is recorded there stays')
  .option('--readme', 'write the section on speed of README.md too')
  .option('--render', 'measure nothing: write the page and the charts (and with --readme the section) anew from docs/benchmarks/results.json')
  .allowExcessArguments(false)
  .parse()
  .opts<Options>();

function parseOnly(text: string): ReadonlySet<string> {
  const names = text.split(',');
  const unknown = names.find((name) => ![...SECTIONS, ...SERVICES].includes(name as Section));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no ${JSON.stringify(unknown)}; there are ${[...SECTIONS, ...SERVICES].join(', ')}.`);
  return new Set(names);
}

/** Naming services alone leaves all parts in, and the other way about. */
function wants(name: Section | ServiceId): boolean {
  const { only } = options;
  if (only === undefined) return true;
  const kin: readonly string[] = (SECTIONS as readonly string[]).includes(name) ? SECTIONS : SERVICES;
  return only.has(name) || !kin.some((each) => only.has(each));
}

function findPeers(): Map<PeerId, Finding> {
  const wanted = (Object.keys(PEERS) as PeerId[]).filter(wants);
  const lookAtAll = (): Map<PeerId, Finding> => new Map(wanted.map((id) => [id, look(PEERS[id])]));
  let findings = lookAtAll();
  const commands = commandsFor(Object.fromEntries(findings), process.getuid?.() === 0);
  if (commands.length > 0 && options.install === true) {
    install(commands);
    findings = lookAtAll();
  } else if (commands.length > 0) {
    print(`Not all peers are here. This brings what is missing (or --install does it):\n${commands.map((command) => `  ${command}\n`).join('')}`);
  }
  return findings;
}

async function measure(findings: ReadonlyMap<PeerId, Finding>): Promise<Results> {
  const { forMs, warmUpMs, leadInMs, repeats, share } = options.quick === true ? QUICK : FULL;
  const failures: string[] = [];
  const setting: Setting = { forMs, warmUpMs, leadInMs, repeats, leaseMs: LEASE_MS, print, failures };
  const others = new Map<ServiceId, Service>();
  for (const [id, finding] of findings) {
    if (!isReady(finding) || finding.server === null) continue;
    print(`starting ${finding.server.version}`);
    others.set(id, await finding.server.start());
  }
  const hasNodes = wants('maekawa');
  let throughput: Throughput[] = [];
  let recovery: Recovery[] = [];
  let memory: HeldMemory[] = [];
  let fleet: Fleet = {};
  let otherWorkCores: number[] = [];
  if (wants('throughput')) {
    const cold = hasNodes ? await startNodes(LEASE_MS, false) : undefined;
    const retained = hasNodes ? await startNodes(LEASE_MS, true) : undefined;
    ({ throughput, otherWorkCores } = await measureThroughput({ cold, retained, others }, setting));
    await Promise.all([cold?.stop(), retained?.stop()]);
  }
  if (wants('recovery')) recovery = await measureRecovery(others, hasNodes, setting);
  if (wants('memory')) memory = await measureMemory(others, hasNodes, share, setting);
  // They may have much to do yet: a server throws away what the clients of the last part held once their leases have ended.
  await Promise.all([...others.values()].map((service) => service.stop()));
  if (wants('fleet') && hasNodes) fleet = await measureFleet(share, setting);
  const packages = [...findings].flatMap(([id, { packages: found }]) => (others.has(id) ? Object.entries(found) : [])).map(([name, version]) => `${name} ${version}`);
  return {
    format: 1,
    day: new Date().toISOString().slice(0, 10),
    machine: { cpu: cpus()[0]?.model.trim() ?? 'unknown CPU', cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), node: process.version, platform: process.platform },
    versions: [`maekawa ${VERSION}`, ...[...others.values()].map(({ version }) => version), ...packages, ...(others.has('postgres') ? [`pg ${versionOfPackage('pg') ?? ''}`.trim()] : [])],
    forMs, warmUpMs, leadInMs, repeats, leaseMs: LEASE_MS, otherWorkCores: spreadOf(otherWorkCores),
    throughput, recovery, memory, fleet, failures,
  };
}

async function main(): Promise<void> {
  if (options.render !== true) {
    const startedAtMs = performance.now();
    const findings = findPeers();
    const results = await measure(findings);
    print(`\n${pageOf(results)}\nIt took ${Math.round((performance.now() - startedAtMs) / 1000)} s.`);
    const isWhole = options.only === undefined && options.quick !== true;
    const out = options.out ?? (isWhole ? DOCS : null);
    if (out === null) return;
    mkdirSync(resolve(out), { recursive: true });
    const sections = SECTIONS.filter(wants);
    const isPart = sections.length < SECTIONS.length && existsSync(join(out, 'results.json'));
    writeResults(resolve(out), isPart ? withAnew(readResults(resolve(out)), results, sections) : results);
    // From what is written there, which is rounded: so that --render finds nothing to change.
    const written = readResults(resolve(out));
    writePages(resolve(out), written);
    if (options.readme === true) writeReadme(written);
    return;
  }
  const results = readResults(DOCS);
  writePages(DOCS, results);
  if (options.readme === true) writeReadme(results);
}

function endAll(): void {
  endAllWorkers();
  endAllServers();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

endUnlessWritten();
process.on('exit', endAll);
for (const [signal, exitCode] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const) process.on(signal, () => process.exit(exitCode));
main().then(() => process.exit(0), (error: unknown) => {
  process.stderr.write(`bench:peers: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
