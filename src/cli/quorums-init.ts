/** `maekawa quorums init`: writes a configuration to start from. Law: it never overwrites one unless told to. */
import { existsSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { describeFaults, validate } from '../config';
import { LockError } from '../errors';
import { layoutOf, nearestPlaneSizes, planeOrder } from '../quorum';
import type { Family, FamilyLayout, NodeId } from '../quorum';
import { withManual } from './manual';
import { countOf } from './quorums-common';
import type { Output } from './quorums-common';

const FAMILIES: readonly Family[] = ['grid', 'majority', 'plane', 'explicit'];
const LINE_WIDTH_MAX = 100;
const HOST_DEFAULT = '127.0.0.1';

interface InitOptions {
  readonly nodes?: number;
  readonly hosts?: readonly string[];
  readonly family: Family;
  readonly columns?: number;
  readonly out: string;
  readonly force?: true;
  readonly host: string;
  readonly basePort: number;
  readonly cluster?: string;
}

export function initCommand(output: Output): Command {
  const command = new Command('init')
    .description('write a configuration to start from')
    .option('-n, --nodes <count>', 'how many nodes', parseCount)
    .option('--hosts <host,...>', 'the hosts, one node on each; the ids are the first parts of their names (or n1, n2, … where these are no ids of their own)', parseHosts)
    .addOption(new Option('-f, --family <family>', 'how the quorums are made').choices(FAMILIES).default('majority'))
    .option('--columns <count>', 'how many columns the grid has (default: as nearly square as possible)', parseCount)
    .option('-o, --out <file>', 'where to write; - means standard output', 'quorums.json')
    .option('--force', 'overwrite the file if there is one')
    .option('--host <host>', 'host of every node; {id} stands for the id of the node', HOST_DEFAULT)
    .option('--base-port <port>', 'port of the first node; further nodes on the same host take the next ports', parseCount, 7001)
    .option('--cluster <name>', 'name of the cluster; nodes of different clusters refuse each other');
  return withManual(command, {
    description: ['Overwrites no file unless --force is given. The families:'],
    table: [
      ['majority', 'more than half of the nodes; survives the most crashes; the best choice for up to nine nodes'],
      ['grid', 'a row and a column; about 2√N nodes in a quorum'],
      ['plane', 'lines of a projective plane; about √N nodes in a quorum; for 3, 7, 13, 31, 57, … nodes'],
      ['explicit', 'a list of voting sets that you edit'],
    ],
    exitCodes: ['usage'],
    examples: [
      ['maekawa quorums init --nodes 3'],
      ['maekawa quorums init --hosts db1.example.com,db2.example.com,db3.example.com', 'nodes db1, db2 and db3'],
      ['maekawa quorums init --nodes 16 --family grid'],
      ['maekawa quorums init --nodes 12 --family grid --columns 4 --out grid.json'],
      ["maekawa quorums init --nodes 5 --host '{id}.example.com' --base-port 7000"],
    ],
  }).action((options: InitOptions) => run(options, output));
}

function run(options: InitOptions, output: Output): void {
  const { hosts, family, out } = options;
  const count = countOfNodes(options);
  const ids = (hosts === undefined ? null : idsOf(hosts)) ?? Array.from({ length: count }, (_, index) => `n${index + 1}`);
  const file = {
    ...schemaReference(out),
    ...(options.cluster === undefined ? {} : { cluster: options.cluster }),
    nodes: ids.map((id, index) => ({ id, address: addressOf(id, index, options) })),
    quorums: chooseLayout(ids, options),
  };
  const result = validate(file);
  if ('faults' in result) throw new LockError('config', describeFaults('these options make a faulty file', result.faults.slice(0, 1)));
  const text = `${formatJson(file)}\n`;
  if (out === '-') {
    output.write(text);
    return;
  }
  writeOnce(out, text, options.force === true);
  output.write(`wrote ${out}: ${countOf(count, 'node')}, family ${family}\n`);
  const argument = out === 'quorums.json' ? '' : ` ${out}`;
  output.write(`next: maekawa quorums describe${argument}\n`);
}

function chooseLayout(ids: readonly NodeId[], { family, columns }: InitOptions): FamilyLayout {
  if (columns !== undefined && family !== 'grid') throw new LockError('config', `--columns is for --family grid, not ${family}`);
  if (columns !== undefined && columns > ids.length) {
    throw new LockError('config', `--columns ${columns} is more than there are nodes (${ids.length}); give at most ${ids.length}`);
  }
  if (family === 'plane' && planeOrder(ids.length) === null) {
    const sizes = nearestPlaneSizes(ids.length).join(' or ');
    throw new LockError('config', `no projective plane of prime order has ${ids.length} nodes; use --nodes ${sizes}, or another --family`);
  }
  return layoutOf(family, ids, columns);
}

function addressOf(id: NodeId, index: number, { host, hosts, basePort }: InitOptions): string {
  const own = hosts?.[index];
  if (own !== undefined) return `${bracketed(own)}:${basePort}`;
  if (host.includes('{id}')) return `${host.replaceAll('{id}', id)}:${basePort}`;
  return `${bracketed(host)}:${basePort + index}`;
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

function countOfNodes({ nodes, hosts, host }: InitOptions): number {
  if (hosts === undefined && nodes === undefined) throw new LockError('config', 'say how many nodes there are (--nodes 3), or on which hosts they run (--hosts db1,db2,db3)');
  if (hosts !== undefined && nodes !== undefined && nodes !== hosts.length) {
    throw new LockError('config', `--nodes ${nodes} and --hosts with ${hosts.length} hosts contradict each other; leave out --nodes`);
  }
  if (hosts !== undefined && host !== HOST_DEFAULT) throw new LockError('config', '--host and --hosts exclude each other; leave out one of them');
  return hosts?.length ?? nodes ?? 0;
}

/** The first part of each name, or null where that is no id, or not its own. */
function idsOf(hosts: readonly string[]): string[] | null {
  const ids = hosts.map((host) => host.split('.')[0] ?? '');
  const isFit = new Set(ids).size === ids.length && hosts.every((host) => isIP(host) === 0) && ids.every((id) => /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(id));
  return isFit ? ids : null;
}

function parseHosts(text: string): string[] {
  const hosts = text.split(',').map((host) => host.trim().replace(/^\[|\]$/g, ''));
  if (hosts.some((host) => host === '')) throw new InvalidArgumentError('Write host names with commas between them, such as db1.example.com,db2.example.com,db3.example.com.');
  return hosts;
}

/** Tells editors of the schema where it can be seen from the file's folder. */
function schemaReference(out: string): { $schema?: string } {
  const places = ['./quorums.schema.json', './node_modules/maekawa/quorums.schema.json'];
  const found = out === '-' ? undefined : places.find((place) => existsSync(join(dirname(out), place)));
  return found === undefined ? {} : { $schema: found };
}

function writeOnce(path: string, text: string, mayOverwrite: boolean): void {
  try {
    writeFileSync(path, text, { flag: mayOverwrite ? 'w' : 'wx' });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new LockError('config', `${path} exists; write to another file with --out, or overwrite it with --force`, { cause });
    throw new LockError('config', `cannot write ${path}: ${code === 'ENOENT' ? 'there is no such folder' : message}`, { cause });
  }
}

/** Like JSON.stringify, but what fits on a line and holds no further lists or objects stands on one. */
export function formatJson(value: unknown, indent = ''): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  const parts = Object.entries(value).map(([key, each]) => {
    const text = formatJson(each, `${indent}  `);
    return isList ? text : `${JSON.stringify(key)}: ${text}`;
  });
  const isLeaf = Object.values(value).every((each) => typeof each !== 'object');
  const [open, close] = isList ? ['[', ']'] : ['{', '}'];
  const gap = isList ? '' : ' ';
  const line = `${open}${gap}${parts.join(', ')}${gap}${close}`;
  if (isLeaf && indent !== '' && line.length <= LINE_WIDTH_MAX) return line;
  return `${open}\n${parts.map((part) => `${indent}  ${part}`).join(',\n')}\n${indent}${close}`;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 65_535) throw new InvalidArgumentError('Write a whole number from 1 to 65535.');
  return count;
}
