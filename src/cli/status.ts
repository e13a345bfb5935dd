/** `maekawa status`: what every node of the configuration says of itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { readConfiguration } from '../config';
import type { Configuration } from '../config';
import { LockError } from '../errors';
import { NodeConnection } from '../client/node-connection';
import type { CallersStatus, CountMessage, LockStatus, StatusReply } from '../client-protocol/schema';
import { lockNameOf } from '../client-protocol/wire-words';
import { EXIT, ExitWith } from './exit-codes';
import { lockTitle } from './holders';
import { withManual } from './manual';
import { clientTlsOf, configOption, durationOption, tlsOptions } from './options';
import type { TlsOptions } from './options';
import { formatDuration, formatTable } from './table';

interface StatusOptions extends TlsOptions {
  readonly config: string;
  readonly watch?: true;
  readonly every: number;
  readonly json?: true;
}

/** How long a node may take to answer before it counts as down. */
const ANSWER_MS = 1_500;

type NodeAnswer =
  | { readonly id: string; readonly address: string; readonly up: true; readonly status: StatusReply }
  | { readonly id: string; readonly address: string; readonly up: false; readonly reason: string };

export function statusCommand(): Command {
  const command = new Command('status')
    .description('show what every node holds, wants and lends')
    .addOption(configOption())
    .option('--watch', 'show it again and again')
    .addOption(durationOption('--every <duration>', 'how often to show it, with --watch', '1s'))
    .option('--json', 'print one JSON object each time');
  for (const option of tlsOptions()) command.addOption(option);
  return withManual(command, {
    description: [
      'Asks every node of the configuration. HELD and WANTED count the locks of its own callers. LENT counts the locks for which it lends its vote, QUEUED the requests that wait for its vote. ENTRIES counts how often a lock was entered through it. The locks in use follow: a `retained` lock was released and keeps its votes until somebody else asks; a `recalled` lock was taken from clients who have not given it back yet. A node that is up may still be unable to lend its vote, if it cannot write its data directory: see its log.',
      'Between the two tables stands what a node has to tell its operator, such as that nodes with another configuration serve beside it.',
    ],
    exitCodes: ['usage', ['noQuorum', 'the nodes that are up contain no quorum']],
    examples: [
      ['maekawa status'],
      ['maekawa status --watch'],
      ["maekawa status --json | jq -r '.nodes[] | select(.up | not) | .id'", 'the nodes that are down'],
    ],
  }).action(run);
}

async function run(options: StatusOptions): Promise<void> {
  const configuration = readConfiguration(options.config);
  const tls = clientTlsOf(options);
  const clients = configuration.nodes.map(({ id, address }) => ({ id, client: new NodeConnection(address, { tls }) }));
  try {
    for (;;) {
      const answers = await Promise.all(clients.map(({ id, client }) => ask(id, client, configuration)));
      const isTerminal = process.stdout.isTTY && options.watch === true && options.json !== true;
      const text = options.json === true ? JSON.stringify(toJson(configuration, answers)) : describe(configuration, answers);
      process.stdout.write(`${isTerminal ? '\x1b[H\x1b[J' : ''}${text}\n`);
      if (options.watch !== true) {
        if (!hasQuorum(configuration, answers)) throw new ExitWith(EXIT.noQuorum);
        return;
      }
      await sleep(options.every);
    }
  } finally {
    for (const { client } of clients) void client.close();
  }
}

async function ask(id: string, client: NodeConnection, configuration: Configuration): Promise<NodeAnswer> {
  const { address } = client;
  try {
    const status = await client.status(ANSWER_MS);
    const foreign = foreignness(id, status, configuration);
    return foreign === null ? { id, address, up: true, status } : { id, address, up: false, reason: foreign };
  } catch (error) {
    if (!(error instanceof LockError)) throw error;
    return { id, address, up: false, reason: error.code === 'unreachable' ? 'does not answer' : error.message };
  }
}

/** Why what answers is not the node of this configuration; or null. */
function foreignness(id: string, status: StatusReply, { cluster, digest }: Configuration): string | null {
  if (status.cluster !== cluster) return `belongs to cluster ${status.cluster}, not ${cluster}`;
  if (status.node !== id) return `is node ${status.node}, not ${id}`;
  if (status.digest !== digest) return `runs with another configuration (digest ${status.digest}, here ${digest})`;
  return null;
}

function hasQuorum({ coterie }: Configuration, answers: readonly NodeAnswer[]): boolean {
  return coterie.containsQuorum(new Set(answers.filter((each) => each.up).map((each) => each.id)));
}

function describe(configuration: Configuration, answers: readonly NodeAnswer[]): string {
  const up = answers.filter((each) => each.up).length;
  const quorum = hasQuorum(configuration, answers) ? 'they contain a quorum' : 'they contain NO quorum, so no lock can be taken';
  const rows = answers.map((answer) => {
    if (!answer.up) return [answer.id, 'down', '', '', '', '', '', '', answer.reason];
    const { status } = answer;
    const callers = status.locks.flatMap((each) => each.callers ?? []);
    return [
      answer.id,
      'up',
      formatDuration(status.uptimeMs),
      String(callers.reduce((sum, each) => sum + each.inside, 0)),
      String(callers.reduce((sum, each) => sum + each.waiting, 0)),
      String(status.locks.reduce((sum, each) => sum + each.grants.length, 0)),
      String(status.locks.reduce((sum, each) => sum + each.queue.length, 0)),
      String(status.entries),
      `${countsByKind(status.sent)}${unreachable(status)}`,
    ];
  });
  const nodes = formatTable(['NODE', 'STATE', 'UP FOR', 'HELD', 'WANTED', 'LENT', 'QUEUED', 'ENTRIES', 'MESSAGES SENT'], rows);
  const locks = lockRows(answers);
  return [
    `cluster ${configuration.cluster}: ${up} of ${answers.length} nodes are up; ${quorum}`,
    nodes,
    ...answers.flatMap((each) => (each.up ? each.status.notices.map((notice) => `${each.id}: ${notice}`) : [])),
    ...(locks.length === 0 ? [] : ['', formatTable(['LOCK', 'NODE', 'STATE', 'TOKEN', 'INSIDE', 'WAITING', 'VALID FOR'], locks)]),
  ].join('\n');
}

function unreachable(status: StatusReply): string {
  const missing = status.peers.filter((peer) => !peer.up).map((peer) => peer.node);
  return missing.length === 0 ? '' : `; does not reach ${missing.join(', ')}`;
}

function countsByKind(sent: readonly CountMessage[]): string {
  const counts = sent.filter(({ count }) => count > 0);
  return counts.length === 0 ? 'none' : counts.map(({ of: kind, count }) => `${count} ${kind}`).join(', ');
}

function lockRows(answers: readonly NodeAnswer[]): string[][] {
  const rows: string[][] = [];
  for (const answer of answers) {
    if (!answer.up) continue;
    for (const lock of answer.status.locks) {
      if (lock.callers === null || lock.callers.state === 'STATE_IDLE') continue;
      const { token, inside, waiting, validForMs } = lock.callers;
      rows.push([
        lockTitle(lockName(lock)), answer.id, stateWord(lock.callers), token === 0 ? '' : String(token), String(inside), String(waiting),
        validForMs === 0 ? '' : formatDuration(validForMs),
      ]);
    }
  }
  return rows.sort((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1));
}

function stateWord({ state }: CallersStatus): string {
  return state.slice('STATE_'.length).toLowerCase();
}

function lockName({ lock }: LockStatus): string {
  return lockNameOf(lock);
}

function toJson({ cluster, digest }: Configuration, answers: readonly NodeAnswer[]): object {
  return {
    cluster,
    digest,
    nodes: answers.map((answer) =>
      answer.up
        ? { id: answer.id, address: answer.address, up: true, ...statusJson(answer.status) }
        : answer,
    ),
  };
}

function statusJson(status: StatusReply): object {
  const { sent, received, ignored, locks } = status;
  return { ...status, sent: countsJson(sent), received: countsJson(received), ignored: countsJson(ignored), locks: locks.map(lockJson) };
}

function countsJson(counts: readonly CountMessage[]): Record<string, number> {
  return Object.fromEntries(counts.map(({ of, count }) => [of, count]));
}

function lockJson(status: LockStatus): object {
  const { callers } = status;
  return { ...status, lock: lockName(status), callers: callers === null ? null : { ...callers, state: stateWord(callers) } };
}
