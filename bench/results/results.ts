/**
 * What `npm run bench:peers` found on one machine in one run, as it is kept in `docs/benchmarks/results.json`. Page, charts and the
 * README are written from this alone.
 */
import type { Spread } from '../peers/statistics';

/** The parts of a run. */
export const SECTIONS = ['throughput', 'recovery', 'memory', 'fleet'] as const;
export type Section = (typeof SECTIONS)[number];

export const WORKS = {
  'one-request': 'one caller, one name; the release is awaited',
  'one-acquire': 'one caller, one name; the release is not awaited',
  names: '64 names at once from one process',
  contended: 'one name, 4 callers in each of 3 processes',
} as const;
export type Work = keyof typeof WORKS;

export interface Throughput {
  readonly work: Work;
  readonly subject: SubjectId;
  /** Of each repeat: acquire and release, once around. */
  readonly perSecond: readonly number[];
  /** Of each repeat, over all processes of clients and servers. */
  readonly cpuMs: readonly number[];
  /** Of each waiter, over all repeats; of `contended` alone. */
  readonly perWaiter?: readonly number[];
}

export interface Recovery {
  readonly subject: SubjectId;
  /** `short`: 2 s asked for; `default`: what its package or server takes when nothing is said. */
  readonly lease: 'short' | 'default';
  /** Null where there is none. */
  readonly leaseMs: number | null;
  /** Of each repeat: from `kill -9` of the holder until the next one was inside. */
  readonly ms: readonly number[];
}

export interface HeldMemory {
  readonly subject: SubjectId;
  readonly locks: number;
  readonly connections: number;
  /** For each lock, in all servers together. */
  readonly serverBytes: number;
  /** Of that in the server that the clients ask, where the others have less. */
  readonly homeBytes?: number;
  /** For each lock, in the processes of the clients. */
  readonly clientBytes: number;
}

/** Many clients of our nodes. */
export interface Fleet {
  readonly crowd?: {
    readonly clients: number;
    readonly leaseMs: number;
    /** Share of one core that the node takes while all hold. */
    readonly nodeCores: number;
    readonly nodeBytes: number;
    /** Of each newcomer: connect and acquire. */
    readonly newcomerMs: readonly number[];
  };
  readonly death?: {
    readonly clients: number;
    readonly leaseMs: number;
    /** Of each repeat: from the death of their node until all had had the lock. */
    readonly allServedMs: readonly number[];
  };
}

export const SUBJECTS = {
  'node-cold': { title: 'maekawa, a node itself, votes given back', service: 'maekawa', isFaultTolerant: true },
  'node-retained': { title: 'maekawa, a node itself, votes retained', service: 'maekawa', isFaultTolerant: true },
  connect: { title: 'maekawa, `connect`', service: 'maekawa', isFaultTolerant: true },
  'connect-keep': { title: 'maekawa, `connect`, locks kept', service: 'maekawa', isFaultTolerant: true },
  redis: { title: 'one Redis, ioredis', service: 'redis', isFaultTolerant: false },
  'redlock-1': { title: 'Redlock on 1 Redis, redlock 5', service: 'redis', isFaultTolerant: false },
  'redlock-3': { title: 'Redlock on 3 Redis, redlock 5', service: 'redis', isFaultTolerant: true },
  'redlock-5': { title: 'Redlock on 5 Redis, redlock 5', service: 'redis', isFaultTolerant: true },
  'pipelined-1': { title: 'Redlock on 1 Redis, pipelined', service: 'redis', isFaultTolerant: false },
  'pipelined-3': { title: 'Redlock on 3 Redis, pipelined', service: 'redis', isFaultTolerant: true },
  'pipelined-5': { title: 'Redlock on 5 Redis, pipelined', service: 'redis', isFaultTolerant: true },
  etcd3: { title: 'etcd, lock of etcd3', service: 'etcd', isFaultTolerant: true },
  'etcd-lock': { title: 'etcd, its lock service', service: 'etcd', isFaultTolerant: true },
  zookeeper: { title: 'ZooKeeper, recipe', service: 'zookeeper', isFaultTolerant: true },
  postgres: { title: 'one PostgreSQL, advisory lock', service: 'postgres', isFaultTolerant: false },
  'bare-stream': { title: 'bare stream of grpc-js, no lock', service: 'maekawa', isFaultTolerant: false },
} as const;
export type SubjectId = keyof typeof SUBJECTS;

export const SERVICES = ['maekawa', 'redis', 'etcd', 'zookeeper', 'postgres'] as const;
export type ServiceId = (typeof SERVICES)[number];

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly platform: string;
}

/** Where all want one name so little is done in a second that it takes longer until what runs is compiled for good. */
export const CONTENDED_WARM_UPS = 3;

export interface Results {
  readonly format: 1;
  /** Such as 2026-11-30. */
  readonly day: string;
  readonly machine: Machine;
  /** Of services and client libraries, as a reader knows them. */
  readonly versions: readonly string[];
  readonly forMs: number;
  /** For how long each did the same work before its first turn that counts; `CONTENDED_WARM_UPS` times as long where all want one name. */
  readonly warmUpMs: number;
  /** And for how long at the beginning of each turn: what nobody used meanwhile is compiled anew. */
  readonly leadInMs: number;
  readonly repeats: number;
  readonly leaseMs: number;
  /** How many cores were busy with work that was not the benchmark's, or were taken by the host, over the repeats. */
  readonly otherWorkCores: Spread | null;
  readonly throughput: readonly Throughput[];
  readonly recovery: readonly Recovery[];
  readonly memory: readonly HeldMemory[];
  readonly fleet: Fleet;
  /** What could not be measured, and why. */
  readonly failures: readonly string[];
}

/** `before`, with these parts of it measured anew, on the same machine and in the same manner. @throws Error when it was another */
export function withAnew(before: Results, anew: Results, sections: readonly Section[]): Results {
  const manner = ({ machine, forMs, warmUpMs, leadInMs, repeats, leaseMs }: Results): string => JSON.stringify({ machine, forMs, warmUpMs, leadInMs, repeats, leaseMs });
  if (manner(before) !== manner(anew)) throw new Error('what is recorded was measured on another machine, or in another manner: measure everything anew, without --only');
  const parts = Object.fromEntries(sections.map((section) => [section, anew[section]]));
  const otherWorkCores = sections.includes('throughput') ? anew.otherWorkCores : before.otherWorkCores;
  return { ...before, ...parts, otherWorkCores, failures: [...before.failures, ...anew.failures] };
}

/** Figures of a machine that had more to do than this beside the benchmark say little of the locks. */
export const QUIET_CORES_MAX = 0.1;

export function isQuiet({ otherWorkCores }: Results): boolean {
  return otherWorkCores !== null && otherWorkCores.median <= QUIET_CORES_MAX;
}

/** @throws Error for a text that no run wrote */
export function parseResults(text: string): Results {
  const value = JSON.parse(text) as Partial<Results> | null;
  const isWhole = value !== null && typeof value === 'object' && value.format === 1 && value.machine !== undefined && value.fleet !== undefined
    && [value.throughput, value.recovery, value.memory, value.versions, value.failures].every(Array.isArray);
  if (!isWhole) throw new Error('these are no results of `npm run bench:peers`, or of another version of it: run it again');
  const unknown = [...(value.throughput ?? []), ...(value.recovery ?? []), ...(value.memory ?? [])].find(({ subject }) => !Object.hasOwn(SUBJECTS, subject));
  if (unknown !== undefined) throw new Error(`the results name a subject that there is not: ${JSON.stringify(unknown.subject)}`);
  return value as Results;
}
