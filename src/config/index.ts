/**
 * From `quorums.json` to what a node needs: who the nodes are, which sets of them are quorums, how long
 * a lease is. Law: a configuration that could let two holders in at once is refused, with the reason.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { LockError } from '../errors';
import { buildCoterie } from '../quorum';
import type { Coterie, FamilyLayout } from '../quorum';
import { visible } from '../visible';
import { describeJsonFault } from './json';
import { FAULTS_FOUND_MAX, validate } from './validate';
import type { ConfigurationFile, Fault, LayoutChange, NodeAddress } from './validate';

export { DEFAULT_DRIFT_MAX, DEFAULT_LEASE_MS, validate } from './validate';
export type { ConfigurationFile, Fault, LayoutChange, NodeAddress } from './validate';

/** A configuration without faults: who the nodes are, which sets of them are quorums, how long a lease is. */
export interface Configuration {
  /** Nodes of another cluster are refused. Default `default`. */
  readonly cluster: string;
  readonly nodes: readonly NodeAddress[];
  readonly quorums: FamilyLayout;
  readonly coterie: Coterie;
  /** How long a grant lasts unless renewed. Default 5000. */
  readonly leaseMs: number;
  /** How often a request is repeated and a held lock renewed. Default a third of the lease. */
  readonly retryMs: number;
  /** By which ratio the rates of local clocks may differ. Default 0.01. */
  readonly driftMax: number;
  /** By which act this layout took the place of another one, if it did. */
  readonly change?: LayoutChange;
  /** Equal on two nodes if and only if they agree on all that must agree: ids, quorums, lease, drift and change. */
  readonly digest: string;
  /** Equal for two configurations if and only if they have the same node ids and quorums. Under two layouts, two may hold one lock. */
  readonly layout: string;
}

const built = new WeakSet<object>();

/** Whether this came from `parseConfiguration` or `readConfiguration`. */
export function isConfiguration(value: object): value is Configuration {
  return built.has(value);
}

/**
 * @param config path of a `quorums.json`, its parsed content, or a configuration
 * @throws LockError `config` with every fault, when the file is missing, not JSON, or wrong
 */
export function configurationOf(config: string | object): Configuration {
  if (typeof config === 'string') return readConfiguration(config);
  return isConfiguration(config) ? config : parseConfiguration(config, 'the configuration');
}

/** @throws LockError `config` with every fault, when the file is missing, not JSON, or wrong. */
export function readConfiguration(path: string): Configuration {
  return parseConfiguration(readJson(path), path);
}

/** @throws LockError `config` when there is no such file, it cannot be read, or it is not JSON. */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readText(path);
  } catch (cause) {
    if (cause instanceof LockError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const [reason, remedy] = code === 'ENOENT' ? ['there is no such file', 'Make one with `maekawa quorums init`, or name another file']
      : code === 'EISDIR' ? ['it is a folder', 'Name the file in it']
      : code === 'EACCES' ? ['this user may not read it', 'Mend its permissions, or name another file']
      : [message, 'Mend that, or name another file'];
    throw new LockError('config', `cannot read ${path}: ${reason}. ${remedy}`, { cause });
  }
  const json = text.replace(/^\uFEFF/, '');
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new LockError('config', `${path} is not JSON: ${describeJsonFault(json) ?? (cause as Error).message}`, { cause });
  }
}

/** Far more than thousands of nodes need. A file that never ends, such as a device, must not fill the memory. */
const FILE_BYTES_MAX = 2 ** 22;

/** What a file or a pipe holds. */
function readText(path: string): string {
  const chunks: Buffer[] = [];
  const file = openSync(path, 'r');
  try {
    for (let left = FILE_BYTES_MAX; ;) {
      const chunk = Buffer.allocUnsafe(2 ** 16);
      const read = readSync(file, chunk);
      if (read === 0) return Buffer.concat(chunks).toString('utf8');
      left -= read;
      if (left < 0) throw new LockError('config', `${path} has more than ${FILE_BYTES_MAX / 2 ** 20} MiB, so it is hardly a configuration. Name another file`);
      chunks.push(chunk.subarray(0, read));
    }
  } finally {
    closeSync(file);
  }
}

/**
 * @param source what to call it in messages, such as the file's path
 * @throws LockError `config` with every fault found
 */
export function parseConfiguration(value: unknown, source: string): Configuration {
  const result = validate(value);
  if ('faults' in result) throw new LockError('config', describeFaults(source, result.faults));
  const { file } = result;
  const coterie = buildCoterie(file.nodes.map((node) => node.id), file.quorums);
  const configuration: Configuration = { ...file, coterie, digest: digestOf(file), layout: layoutOf(file) };
  built.add(configuration);
  return configuration;
}

/** What a terminal has room for. */
const FAULTS_TOLD_MAX = 20;
const FAULT_LENGTH_MAX = 300;

/** One line for each fault, as far as a reader can follow. */
export function describeFaults(source: string, faults: readonly Fault[]): string {
  const lines = faults.slice(0, FAULTS_TOLD_MAX).map(({ path, problem, remedy }) => visible(`${clipped(path === '' ? 'the file' : path)} ${clipped(problem)}: ${remedy}`));
  if (lines.length === 1) return `${visible(source)}: ${lines[0]}`;
  const count = faults.length < FAULTS_FOUND_MAX ? String(faults.length) : `${FAULTS_FOUND_MAX} or more`;
  const rest = faults.length > lines.length ? [`the first ${lines.length} are shown; mend them and check again`] : [];
  return [`${visible(source)} has ${count} faults:`, ...[...lines, ...rest].map((line) => `  ${line}`)].join('\n');
}

function clipped(text: string): string {
  return text.length <= FAULT_LENGTH_MAX ? text : `${text.slice(0, FAULT_LENGTH_MAX)}…`;
}

/** Only what nodes must agree on: addresses may differ with the network they are seen from. */
function digestOf({ nodes, quorums, leaseMs, driftMax, change }: ConfigurationFile): string {
  const act = change === undefined ? [] : [[change.from, change.silentMs, change.clock]];
  return hashOf([nodes.map((node) => node.id), ordered(quorums), leaseMs, driftMax, ...act]);
}

/** Which sets of nodes are quorums. In a plane that depends on the order of the nodes, elsewhere it does not. */
function layoutOf({ nodes, quorums }: ConfigurationFile): string {
  const ids = nodes.map((node) => node.id);
  return hashOf([quorums.family === 'plane' ? ids : ids.sort(), ordered(quorums)]);
}

/** The same whatever the order in which a file names its parts. */
function ordered(quorums: FamilyLayout): unknown {
  const layout = quorums.family === 'explicit'
    ? { ...quorums, sets: Object.entries(quorums.sets).sort(([a], [b]) => (a < b ? -1 : 1)) }
    : quorums;
  return Object.entries(layout).sort();
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}
