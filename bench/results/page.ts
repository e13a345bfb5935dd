/** The page on the benchmark, from its results alone: every table with the losses, and the charts. */
import { DEFAULT_LEASE_MS } from '../peers/subjects';
import { spreadOf, unfairnessOf } from '../peers/statistics';
import { bytes, rounded, seconds, table, withSpread } from './figures';
import { CONTENDED_WARM_UPS, isQuiet, QUIET_CORES_MAX, SUBJECTS, WORKS } from './results';
import type { Results, SubjectId, Throughput, Work } from './results';
import { barChart } from './svg';
import type { Bar } from './svg';

const ORDER = Object.keys(SUBJECTS) as SubjectId[];
/** What others are compared with: the lock that most processes of a fleet would use. */
const YARDSTICK: SubjectId = 'connect';

export function titleOf(subject: SubjectId): string {
  return SUBJECTS[subject].title;
}

export function throughputOf({ throughput }: Results, work: Work): Throughput[] {
  return throughput.filter((each) => each.work === work).sort((a, b) => ORDER.indexOf(a.subject) - ORDER.indexOf(b.subject));
}

export function machineLine({ machine: { cpu, cores, memoryGiB, node, platform }, versions }: Results): string {
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, Node.js ${node.replace(/^v/, '')}, ${platform}; ${versions.join(', ')}`;
}

export function conditionLine(results: Results): string {
  const { otherWorkCores: other } = results;
  if (other === null) return 'Nothing was measured that tells how busy the machine was.';
  const busy = `${rounded(other.median)} of a core at the median, ${rounded(other.max)} at most`;
  return isQuiet(results)
    ? `The machine was quiet: other work, and what its host took, were ${busy}.`
    : `**Measured beside other work:** other work, and what its host took, were ${busy}. From ${QUIET_CORES_MAX} of a core on such figures are not for publication.`;
}

export function pageOf(results: Results): string {
  const { repeats, forMs, warmUpMs, leadInMs, leaseMs, failures, day } = results;
  return [
    '# Benchmarks',
    'Written by `npm run bench:peers` from `results.json` beside it. Do not edit it.',
    `${machineLine(results)}. Measured on ${day}.`,
    conditionLine(results),
    [
      'Everything runs on loopback, so a network would add its own round trips to each, but for entries that cost no message.',
      `All clusters have three members, unless the name says how many, and are as shipped; Redis writes nothing to disk, etcd and ZooKeeper every lock. A lease is ${seconds(leaseMs)} long.`,
      `Each works for ${seconds(forMs)} in its turn, in ${repeats} rounds, after it has warmed up by the same work: for ${seconds(leadInMs)} at the beginning of each turn, and before the first for ${seconds(warmUpMs)}, or for ${seconds(CONTENDED_WARM_UPS * warmUpMs)} where all want one name, and so little is done in a second. Figures are medians, with the least and the largest round behind them. A cycle is to take the lock and to give it back.`,
      'CPU is that of all processes of clients and servers. *Fault tolerant* means: it goes on when one of its servers dies. (A Redis that comes back without its data can let a second holder in.)',
      'Who has to ask again because nobody tells it that the lock is free does so after a millisecond; redlock 5 after its own 200 ms (±100).',
      '*Pipelined* is Redlock without the package, over ioredis with `enableAutoPipelining`.',
    ].join('\n'),
    ...(Object.keys(WORKS) as Work[]).map((work) => throughputPart(results, work)),
    recoveryPart(results),
    memoryPart(results),
    fleetPart(results),
    ...(failures.length > 0 ? [`## What could not be measured\n\n${failures.map((each) => `- ${each}`).join('\n')}`] : []),
    repeatPart(),
  ].filter((part) => part !== '').join('\n\n').concat('\n');
}

function throughputPart(results: Results, work: Work): string {
  const all = throughputOf(results, work);
  if (all.length === 0) return '';
  const base = spreadOf(all.find(({ subject }) => subject === YARDSTICK)?.perSecond ?? [])?.median ?? null;
  const isContended = work === 'contended';
  const rows = all.map(({ subject, perSecond, cpuMs, perWaiter }) => {
    const spread = spreadOf(perSecond);
    const cpu = spreadOf(cpuMs);
    const unfairness = unfairnessOf(perWaiter ?? []);
    return [
      titleOf(subject), SUBJECTS[subject].isFaultTolerant ? 'yes' : 'no', spread === null ? '–' : withSpread(spread),
      spread === null || base === null || base === 0 ? '–' : `${rounded(spread.median / base)} ×`, cpu === null ? '–' : rounded(cpu.median),
      ...(isContended ? [unfairness === null ? '–' : rounded(unfairness)] : []),
    ];
  });
  const head = ['who', 'fault tolerant', 'cycles/s', 'beside `connect`', 'CPU ms a cycle', ...(isContended ? ['most served by least served'] : [])];
  return `## ${capital(WORKS[work])}\n\n![${WORKS[work]}](${work}.svg)\n\n${table([head, ...rows])}`;
}

function recoveryPart({ recovery }: Results): string {
  if (recovery.length === 0) return '';
  const rows = recovery.map(({ subject, lease, leaseMs, ms }) => {
    const spread = spreadOf(ms.map((each) => each / 1000));
    const source = lease === 'short' ? 'asked for' : (DEFAULT_LEASE_MS[subject]?.source ?? '');
    return [titleOf(subject), leaseMs === null ? 'none' : seconds(leaseMs), leaseMs === null ? 'ends with the connection' : source, spread === null ? '–' : withSpread(spread)];
  });
  return [
    '## The holder dies',
    'From `kill -9` of the process that holds the lock until the next one is inside. The system closes the connections of a process that is killed; where that alone ends a lock, a machine that loses power keeps it for as long as nobody notices, which with the default of TCP keepalive is two hours. Redis has no default lease.',
    '![seconds until the next one is inside](recovery.svg)',
    table([['who', 'lease', 'from', 'seconds'], ...rows]),
  ].join('\n\n');
}

function memoryPart({ memory }: Results): string {
  if (memory.length === 0) return '';
  const rows = memory.map(({ subject, locks, connections, serverBytes, homeBytes, clientBytes }) =>
    [titleOf(subject), rounded(locks), rounded(connections), homeBytes === undefined ? bytes(serverBytes) : `${bytes(serverBytes)}, of that ${bytes(homeBytes)} in the node of the clients`, bytes(clientBytes)]);
  return [
    '## Memory of a held lock',
    'What the proportional share of memory (PSS) grew by, divided by the locks: all servers together, and all clients together. Where a lock of ours is held, three nodes may know of it. Java and PostgreSQL take much of their memory in advance.',
    table([['who', 'locks held', 'connections', 'servers', 'clients'], ...rows]),
  ].join('\n\n');
}

/** Null: none of it was measured. */
export function fleetTableOf({ fleet: { crowd, death } }: Results): string | null {
  const rows: string[][] = [];
  if (crowd !== undefined) {
    const newcomer = spreadOf(crowd.newcomerMs);
    rows.push(
      [`${rounded(crowd.clients)} clients at one node, each with a connection and a lock, lease ${seconds(crowd.leaseMs)}: the node`, `${rounded(crowd.nodeCores)} of a core, ${bytes(crowd.nodeBytes)}`],
      ['the same: a newcomer connects and takes a lock', newcomer === null ? '–' : `${rounded(newcomer.median)} ms at the median, ${rounded(newcomer.max)} at most`],
    );
  }
  if (death !== undefined) {
    const served = spreadOf(death.allServedMs.map((ms) => ms / 1000));
    rows.push([`${rounded(death.clients)} clients wait for one name at one node, which dies, lease ${seconds(death.leaseMs)}: all have had the lock`, served === null ? '–' : `after ${withSpread(served)} s`]);
  }
  return rows.length === 0 ? null : table([['a fleet of clients', 'figure'], ...rows]);
}

function fleetPart(results: Results): string {
  const fleet = fleetTableOf(results);
  return fleet === null ? '' : `## A fleet of clients\n\n${fleet}`;
}

function repeatPart(): string {
  return [
    '## Repeat it',
    'On Linux, with nothing else to do:',
    '```sh\nnpm ci\nnpm run bench:peers                 # half an hour; says which command brings what is missing\nnpm run bench:peers -- --install    # or lets it bring that itself: Debian packages, and client libraries in bench/peers\nnpm run bench:peers -- --quick --only throughput,redis,maekawa\nnpm run bench:peers -- --readme     # and writes the section on speed of README.md\n```',
    'The packages of Debian start servers of their own, which take no part; stop them. The servers that are measured get free ports and a temporary folder, and end with the run. [Scale](scale.md) has messages and hand-over for up to 1,000 nodes, in the simulator (`npm run bench:scale`, a minute).',
  ].join('\n\n');
}

/** By file name. */
export function chartsOf(results: Results): Record<string, string> {
  const charts: Record<string, string> = {};
  for (const work of Object.keys(WORKS) as Work[]) {
    const bars = throughputOf(results, work).flatMap(({ subject, perSecond }) => barOf(subject, titleOf(subject), perSecond));
    if (bars.length > 0) charts[`${work}.svg`] = barChart(capital(WORKS[work]), 'cycles of acquire and release a second', bars);
  }
  const recoveries = results.recovery.flatMap(({ subject, leaseMs, ms }) =>
    barOf(subject, `${titleOf(subject)}, ${leaseMs === null ? 'no lease' : `lease ${seconds(leaseMs)}`}`, ms.map((each) => each / 1000)));
  if (recoveries.length > 0) charts['recovery.svg'] = barChart('kill -9 of the holder: until the next one is inside', 'seconds', recoveries);
  return charts;
}

function barOf(subject: SubjectId, label: string, values: readonly number[]): Bar[] {
  const value = spreadOf(values);
  return value === null || value.max === 0 ? [] : [{ label: label.replaceAll('`', ''), value, isOurs: SUBJECTS[subject].service === 'maekawa' && subject !== 'bare-stream' }];
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
