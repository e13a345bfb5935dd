/**
 * Explains every fault of a parsed `quorums.json`: where it is, what is wrong, how to mend it.
 * Law: what it lets through has quorums that all intersect and a lease long enough to be renewed.
 */
import { describeSet, disjointPairs } from '../quorum/check';
import { nearestPlaneSizes, planeOrder } from '../quorum';
import type { FamilyLayout, NodeId } from '../quorum';

/** One thing that is wrong. */
export interface Fault {
  /** Where, as in `quorums.columns[1][0]`; empty for the file as a whole. */
  readonly path: string;
  readonly problem: string;
  /** How to mend it. */
  readonly remedy: string;
}

/** A node and where it listens. */
export interface NodeAddress {
  readonly id: NodeId;
  /** `host:port`; the host may be a DNS name. */
  readonly address: string;
}

/**
 * The act by which another layout takes the place of one that ran (protocol.md section 16.2): whoever wrote it states that
 * every node of the old one is stopped. `maekawa quorums change` writes it.
 */
export interface LayoutChange {
  /** The layout that ran before. */
  readonly from: string;
  /** For how long a vote lent under it may be on loan: a new member is silent that long. */
  readonly silentMs: number;
  /** A Lamport time that is above all those used under it. */
  readonly clock: number;
}

/** The content of a file without faults, defaults filled in. */
export interface ConfigurationFile {
  readonly cluster: string;
  readonly nodes: readonly NodeAddress[];
  readonly quorums: FamilyLayout;
  readonly leaseMs: number;
  readonly retryMs: number;
  readonly driftMax: number;
  readonly change?: LayoutChange;
}

export const DEFAULT_LEASE_MS = 5_000;
export const DEFAULT_DRIFT_MAX = 0.01;

const LEASE_MS_MIN = 50;
const MS_MAX = 86_400_000;
/** Twice the clock that a node may begin with, and as far below what a peer accepts. */
const CHANGE_CLOCK_MAX = 2 ** 53 - 2 ** 41;
/** It goes into every handshake. */
const CLUSTER_NAME_LENGTH_MAX = 200;
const DRIFT_MAX_MAX = 0.2;
/** A remedy names no more nodes than this. */
const IDS_NAMED_MAX = 12;

/** A small file can have very many: each two of its voting sets may share no node. */
export const FAULTS_FOUND_MAX = 100;

const KEYS = ['$schema', 'cluster', 'nodes', 'quorums', 'leaseMs', 'retryMs', 'driftMax', 'change'];
const NODE_KEYS = ['id', 'address'];
const CHANGE_KEYS = ['from', 'silentMs', 'clock'];
const QUORUM_KEYS = { grid: ['family', 'columns'], majority: ['family'], plane: ['family'], explicit: ['family', 'sets'] };
const FAMILIES = Object.keys(QUORUM_KEYS);

const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const LAYOUT_PATTERN = /^[0-9a-f]{16}$/;
const ADDRESS_PATTERN = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/;

/** The configuration, or everything that is wrong with it. */
export function validate(value: unknown): { readonly file: ConfigurationFile } | { readonly faults: readonly Fault[] } {
  const faults: Fault[] = [];
  const fault: Report = (path, problem, remedy) => {
    if (faults.length < FAULTS_FOUND_MAX) faults.push({ path, problem, remedy: typeof remedy === 'string' ? remedy : remedy() });
  };
  if (!isJsonObject(value)) {
    fault('', `is ${kindOf(value)}, not an object`, 'write { "nodes": […], "quorums": { "family": … } }; `maekawa quorums init` makes one');
    return { faults };
  }
  checkKeys(value, '', KEYS, fault);
  const { cluster = 'default' } = value;
  const isNamed = typeof cluster === 'string' && cluster !== '';
  if (isNamed && cluster.length > CLUSTER_NAME_LENGTH_MAX) {
    fault('cluster', `is ${cluster.length} characters long`, `give the cluster a name of at most ${CLUSTER_NAME_LENGTH_MAX}`);
  }
  if (!isNamed) fault('cluster', cluster === '' ? 'is empty' : `is ${kindOf(cluster)}`, 'give the cluster a name, or leave it out');
  const nodes = checkNodes(value['nodes'], fault);
  const quorums = checkQuorums(value['quorums'], nodes.map((node) => node.id), fault);
  const times = checkTimes(value, fault);
  const change = value['change'] === undefined ? undefined : checkChange(value['change'], fault);
  if (faults.length > 0 || !isNamed || quorums === null || times === null || change === null) return { faults };
  return { file: { cluster, nodes, quorums, ...times, ...(change === undefined ? {} : { change }) } };
}

/** A remedy that takes work to find is found only for a fault that is told. */
type Report = (path: string, problem: string, remedy: string | (() => string)) => void;

function checkTimes(value: Record<string, unknown>, fault: Report): Pick<ConfigurationFile, 'leaseMs' | 'retryMs' | 'driftMax'> | null {
  const { leaseMs = DEFAULT_LEASE_MS, driftMax = DEFAULT_DRIFT_MAX } = value;
  const isDrift = typeof driftMax === 'number' && driftMax >= 0 && driftMax <= DRIFT_MAX_MAX;
  if (!isDrift) fault('driftMax', `is ${show(driftMax)}`, `give a ratio from 0 to ${DRIFT_MAX_MAX}, such as 0.01 for one per cent`);
  const isLease = isWholeMs(leaseMs, LEASE_MS_MIN);
  if (!isLease) fault('leaseMs', `is ${show(leaseMs)}`, `give whole milliseconds from ${LEASE_MS_MIN} to ${MS_MAX}, such as ${DEFAULT_LEASE_MS}`);
  const thirdMs = Math.round((isLease ? leaseMs : DEFAULT_LEASE_MS) / 3);
  const { retryMs = thirdMs } = value;
  const isRetry = isWholeMs(retryMs, 1);
  if (!isRetry) fault('retryMs', `is ${show(retryMs)}`, `give whole milliseconds, such as ${thirdMs}, a third of the lease`);
  if (!isDrift || !isLease || !isRetry) return null;
  const usableMs = Math.floor(leaseMs * (1 - driftMax)) - 2;
  if (2 * retryMs >= usableMs) {
    fault('leaseMs', `of ${leaseMs} ms is too short to be renewed every ${retryMs} ms: one lost message would lose the lock`,
      `make leaseMs at least ${Math.max(LEASE_MS_MIN, 3 * retryMs)}, or retryMs at most ${Math.floor(leaseMs / 3)}`);
  }
  return { leaseMs, retryMs, driftMax };
}

function checkChange(value: unknown, fault: Report): LayoutChange | null {
  const remedy = 'let `maekawa quorums change OLD.json NEW.json` write it, or leave it out';
  if (!isJsonObject(value)) {
    fault('change', `is ${kindOf(value)}`, remedy);
    return null;
  }
  checkKeys(value, 'change', CHANGE_KEYS, fault);
  const { from, silentMs, clock } = value;
  const isLayout = typeof from === 'string' && LAYOUT_PATTERN.test(from);
  if (!isLayout) fault('change.from', from === undefined ? 'is missing' : `is ${show(from)}`, remedy);
  const isSilence = isWholeMs(silentMs, LEASE_MS_MIN);
  if (!isSilence) fault('change.silentMs', silentMs === undefined ? 'is missing' : `is ${show(silentMs)}`, remedy);
  const isClock = Number.isSafeInteger(clock) && (clock as number) >= 1 && (clock as number) <= CHANGE_CLOCK_MAX;
  if (!isClock) fault('change.clock', clock === undefined ? 'is missing' : `is ${show(clock)}`, remedy);
  return isLayout && isSilence && isClock ? { from, silentMs, clock: clock as number } : null;
}

function checkNodes(value: unknown, fault: Report): NodeAddress[] {
  if (!Array.isArray(value) || value.length === 0) {
    fault('nodes', value === undefined ? 'is missing' : `is ${kindOf(value)}`, 'list the nodes: [{ "id": "n1", "address": "127.0.0.1:7001" }, …]');
    return [];
  }
  const nodes: NodeAddress[] = [];
  const placeOfId = new Map<string, string>();
  const placeOfAddress = new Map<string, string>();
  for (const [index, node] of (value as unknown[]).entries()) {
    const path = `nodes[${index}]`;
    if (!isJsonObject(node)) {
      fault(path, `is ${kindOf(node)}`, 'write { "id": "n1", "address": "127.0.0.1:7001" }');
      continue;
    }
    checkKeys(node, path, NODE_KEYS, fault);
    const { id, address } = node;
    checkAddress(address, path, placeOfAddress, fault);
    if (typeof id !== 'string' || !ID_PATTERN.test(id)) {
      fault(`${path}.id`, id === undefined ? 'is missing' : `is ${show(id)}`, 'use letters, digits, dots, dashes and underscores, at most 63');
      continue;
    }
    const other = placeOfId.get(id);
    if (other !== undefined) fault(`${path}.id`, `${show(id)} is the id of ${other} too`, 'give each node an id of its own');
    else placeOfId.set(id, path);
    if (other === undefined) nodes.push({ id, address: typeof address === 'string' ? address : '' });
  }
  return nodes;
}

function checkAddress(address: unknown, path: string, placeOf: Map<string, string>, fault: Report): void {
  const match = typeof address === 'string' ? ADDRESS_PATTERN.exec(address) : null;
  if (match === null) {
    fault(`${path}.address`, address === undefined ? 'is missing' : `${show(address)} is not host:port`, 'write host:port, such as "127.0.0.1:7001" or "[::1]:7001"');
    return;
  }
  const [host, port] = [match[1]?.toLowerCase(), Number(match[2])];
  if (port < 1 || port > 65_535) {
    fault(`${path}.address`, `${show(address)} has an impossible port`, 'give a port from 1 to 65535');
    return;
  }
  const other = placeOf.get(`${host}:${port}`);
  if (other !== undefined) fault(`${path}.address`, `${show(address)} is the address of ${other} too`, 'give each node an address of its own');
  else placeOf.set(`${host}:${port}`, path);
}

function checkQuorums(value: unknown, ids: readonly NodeId[], fault: Report): FamilyLayout | null {
  if (!isJsonObject(value)) {
    fault('quorums', value === undefined ? 'is missing' : `is ${kindOf(value)}`, 'write { "family": "majority" }, or another family');
    return null;
  }
  const family = value['family'];
  if (family !== 'grid' && family !== 'majority' && family !== 'plane' && family !== 'explicit') {
    fault('quorums.family', family === undefined ? 'is missing' : `is ${show(family)}`, `choose one of ${FAMILIES.join(', ')}`);
    return null;
  }
  checkKeys(value, 'quorums', QUORUM_KEYS[family], fault);
  if (ids.length === 0) return null;
  switch (family) {
    case 'majority':
      return { family };
    case 'plane':
      if (planeOrder(ids.length) === null) {
        fault('quorums.family', `there is no projective plane of prime order with ${ids.length} nodes`, `use ${nearestPlaneSizes(ids.length).join(' or ')} nodes, or family "majority" or "grid"`);
        return null;
      }
      return { family };
    case 'grid':
      return checkColumns(value['columns'], ids, fault);
    case 'explicit':
      return checkSets(value['sets'], ids, fault);
  }
}

function checkColumns(value: unknown, ids: readonly NodeId[], fault: Report): FamilyLayout | null {
  if (!Array.isArray(value) || value.length === 0) {
    fault('quorums.columns', value === undefined ? 'is missing' : `is ${kindOf(value)}`, 'list the columns of the grid, each a list of node ids: [["n1","n2"],["n3","n4"]]');
    return null;
  }
  const columns: NodeId[][] = [];
  const placeOf = new Map<NodeId, string>();
  let isSound = true;
  for (const [index, column] of (value as unknown[]).entries()) {
    const path = `quorums.columns[${index}]`;
    const members = checkMembers(column, path, ids, fault);
    if (members === null) {
      isSound = false;
      continue;
    }
    for (const id of members) {
      const place = `${path}[${(column as unknown[]).indexOf(id)}]`;
      const other = placeOf.get(id);
      if (other !== undefined) fault(place, `${show(id)} stands at ${other} too`, 'place each node once');
      else placeOf.set(id, place);
    }
    columns.push(members);
  }
  for (const id of ids) {
    if (isSound && !placeOf.has(id)) fault('quorums.columns', `node ${show(id)} stands in no column`, 'add it to one; columns may be of different heights');
  }
  return isSound ? { family: 'grid', columns } : null;
}

function checkSets(value: unknown, ids: readonly NodeId[], fault: Report): FamilyLayout | null {
  if (!isJsonObject(value)) {
    fault('quorums.sets', value === undefined ? 'is missing' : `is ${kindOf(value)}`, 'list a voting set for each node: { "n1": ["n1","n2"], … }');
    return null;
  }
  const sets: Record<NodeId, NodeId[]> = {};
  const used = new Set<NodeId>();
  let isSound = true;
  for (const [owner, list] of Object.entries(value)) {
    const path = `quorums.sets.${owner}`;
    if (!ids.includes(owner)) fault(path, `there is no node ${show(owner)}`, knownIds(ids, owner));
    const members = checkMembers(list, path, ids, fault);
    if (members === null) {
      isSound = false;
      continue;
    }
    sets[owner] = members;
    for (const id of members) used.add(id);
  }
  if (!isSound) return null;
  for (const id of ids) {
    if (!Object.hasOwn(sets, id)) fault(`quorums.sets.${id}`, 'is missing', `list the nodes that ${id} asks`);
    if (!used.has(id)) fault('quorums.sets', `node ${show(id)} is in no voting set`, 'add it to one, or take it out of nodes');
  }
  for (const [a, b] of disjointPairs(Object.entries(sets).map(([name, members]) => ({ name, members })), FAULTS_FOUND_MAX)) {
    fault('quorums.sets', `voting sets of ${a.name} ${describeSet(a.members)} and ${b.name} ${describeSet(b.members)} share no node`,
      'add a node of one to the other: any two voting sets must share a node, or both could hold a lock at once');
  }
  return { family: 'explicit', sets };
}

function checkMembers(value: unknown, path: string, ids: readonly NodeId[], fault: Report): NodeId[] | null {
  if (!Array.isArray(value) || value.length === 0) {
    fault(path, `is ${kindOf(value)}`, 'list node ids: ["n1", "n2"]');
    return null;
  }
  const members: NodeId[] = [];
  let isSound = true;
  for (const [index, id] of (value as unknown[]).entries()) {
    if (typeof id !== 'string' || !ids.includes(id)) {
      fault(`${path}[${index}]`, `there is no node ${show(id)}`, () => knownIds(ids, typeof id === 'string' ? id : show(id)));
      isSound = false;
    } else if (members.includes(id)) {
      fault(`${path}[${index}]`, `${show(id)} is listed twice`, 'list it once');
    } else {
      members.push(id);
    }
  }
  return isSound ? members : null;
}

function checkKeys(value: object, path: string, known: readonly string[], fault: Report): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    fault(path === '' ? key : `${path}.${key}`, 'is not a setting', () => {
      const near = nearest(key, known);
      return near === null ? `known are ${known.join(', ')}` : `did you mean ${near}?`;
    });
  }
}

function knownIds(ids: readonly NodeId[], wrong: string): string {
  const near = nearest(wrong, ids);
  if (near !== null) return `did you mean ${near}?`;
  const named = ids.length <= IDS_NAMED_MAX ? ids : [...ids.slice(0, IDS_NAMED_MAX - 1), `… ${ids.at(-1)}`];
  return `the nodes are ${named.join(', ')}`;
}

/** The candidate that differs from a word by at most two edits, if any. */
function nearest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.min(2, Math.floor(word.length / 2)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWholeMs(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= MS_MAX;
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? 'undefined';
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return typeof value === 'object' ? 'an object' : typeof value === 'string' ? 'a text' : `a ${typeof value}`;
}
