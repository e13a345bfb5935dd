/** `maekawa status`: what every node of the configuration says of itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { readConfiguration } from '../config';
import type { Configuration } from '../config';
import { LockError } from '../errors';
import { NodeConnection, reasonOfSilence } from '../client/node-connection';
import type { CallersStatus, CountMessage, LockStatus, NodeStateMessage, StatusReply } from '../client-protocol/schema';
import { lockNameOf } from '../client-protocol/wire-words';
import { visible } from '../visible';
import { EXIT, ExitWith } from './exit-codes';
import { lockTitle } from './holders';
import { withManual } from './manual';
import { clientTlsOf, configOption, durationOption, tlsOptions, unknownNode } from './options';
import type { TlsOptions } from './options';
import { draw, note, printJson, printText } from './print';
import { formatDuration, formatTable } from './table';

interface StatusOptions extends TlsOptions {
  readonly config: string;
  readonly watch?: true;
  readonly every: number;
  readonly json?: true;
  readonly node?: readonly string[];
  readonly waitReady?: number;
}

/** How long a node may take to answer before it counts as down. */
const ANSWER_MS = 1_500;

/** How often nodes that are not ready are asked again, with --wait-ready. */
const ASK_AGAIN_MS = 250;

type NodeAnswer =
  | { readonly id: string; readonly address: string; readonly up: true; readonly status: StatusReply }
  | { readonly id: string; readonly address: string; readonly up: false; readonly reason: string };

export function statusCommand(): Command {
  const command = new Command('status')
    .description('show what every node holds, wants and lends')
    .addOption(configOption())
    .option('--watch', 'show it again and again')
    .addOption(durationOption('--every <duration>', 'how often to show it, with --watch', '1s'))
    .option('--json', 'print one JSON object each time')
    .option('--node <id>', 'ask this node alone (repeatable; default: all of the configuration)', (id: string, before: readonly string[] = []) => [...before, id])
    .addOption(durationOption('--wait-ready <duration>', 'wait at most so long until each node asked is ready, and then show it').conflicts('watch'));
  for (const option of tlsOptions()) command.addOption(option);
  return withManual(command, {
    description: [
      'Asks every node of the configuration. HELD and WANTED count the locks of its own callers. LENT counts the locks for which it lends its vote, QUEUED the requests that wait for its vote. ENTRIES counts how often a lock was entered through it. The locks in use follow: a `retained` lock was released and keeps its votes until somebody else asks; a `recalled` lock was taken from clients who have not given it back yet. ',
      'STATE is what a node says of itself. `ready`: a lock can be had through it, and it lends its vote. `silent`: it restarted and lends no vote yet. `no quorum`: the nodes that it reaches and that lend their votes contain no quorum, so no lock can be had there. `cannot write`: its data directory cannot be written, and it says nothing until it can. `stopping`: it takes no new request, and waits for what is held. `down`: it does not answer, or is not the node that the configuration means.',
      'Between the two tables stands why a node is not ready, and what it has to tell its operator, such as that nodes with another configuration serve beside it.',
      'With --wait-ready the command waits until every node asked is ready: then the next one may be restarted. While it waits it says on standard error which are not, and why.',
    ],
    exitCodes: ['usage', ['noQuorum', 'no lock can be had through any of the nodes asked'], ['timeout', 'with --wait-ready: a node was not ready in time']],
    examples: [
      ['maekawa status'],
      ['maekawa status --watch'],
      ['maekawa status --wait-ready 60s', 'between two steps of a rolling restart'],
      ["maekawa status --json | jq -r '.nodes[] | select(.up | not) | .id'", 'the nodes that are down'],
    ],
  }).action(run);
}

async function run(options: StatusOptions): Promise<void> {
  const configuration = readConfiguration(options.config);
  const unknown = options.node?.find((id) => !configuration.nodes.some((each) => each.id === id));
  if (unknown !== undefined) throw unknownNode(options.config, unknown, configuration.nodes);
  const asked = configuration.nodes.filter(({ id }) => options.node?.includes(id) ?? true);
  const tls = clientTlsOf(options);
  const clients = asked.map(({ id, address }) => ({ id, client: new NodeConnection(address, { tls, node: id }) }));
  const askAll = (): Promise<NodeAnswer[]> => Promise.all(clients.map(({ id, client }) => ask(id, client, configuration)));
  try {
    for (;;) {
      const answers = options.waitReady === undefined ? await askAll() : await untilReady(askAll, options.waitReady);
      const isTerminal = process.stdout.isTTY && options.watch === true && options.json !== true;
      if (isTerminal) draw('\x1b[H\x1b[J');
      if (options.json === true) printJson(toJson(configuration, answers));
      else printText(describe(configuration, answers));
      if (options.watch !== true) {
        if (options.waitReady !== undefined && !answers.every(isReady)) throw new ExitWith(EXIT.timeout);
        if (!answers.some(servesLocks)) throw new ExitWith(EXIT.noQuorum);
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
    return { id, address, up: false, reason: reasonOfSilence(error) ?? error.message };
  }
}

/** Why what answers is not the node of this configuration; or null. */
function foreignness(id: string, status: StatusReply, { cluster, digest }: Configuration): string | null {
  if (status.cluster !== cluster) return `belongs to cluster ${status.cluster}, not ${cluster}`;
  if (status.node !== id) return `is node ${status.node}, not ${id}`;
  if (status.digest !== digest) return `runs with another configuration (digest ${status.digest}, here ${digest})`;
  return null;
}

/** Asks again and again, and tells what is not ready and why, each time that this has changed. */
async function untilReady(askAll: () => Promise<NodeAnswer[]>, withinMs: number): Promise<NodeAnswer[]> {
  const untilMs = performance.now() + withinMs;
  for (let told = ''; ; ) {
    const answers = await askAll();
    const waiting = answers.filter((each) => !isReady(each));
    if (waiting.length === 0 || performance.now() > untilMs) return answers;
    const states = waiting.map((each) => `${each.id} ${stateOf(each)}`).join();
    if (states !== told) note(visible(`waiting for ${waiting.map((each) => `${each.id} (${inShort(each)})`).join(', ')}`));
    told = states;
    await sleep(ASK_AGAIN_MS);
  }
}

function isReady(answer: NodeAnswer): boolean {
  return answer.up && answer.status.state?.kind === 'KIND_READY';
}

function servesLocks(answer: NodeAnswer): boolean {
  return answer.up && answer.status.state?.servesLocks === true;
}

function reasonOf({ state }: StatusReply): string {
  return state?.text ?? 'it does not say whether it is ready; it may run another version';
}

/** `down: does not answer`, `silent for 3 s more`. */
function inShort(answer: NodeAnswer): string {
  const forMs = answer.up ? (answer.status.state?.forMs ?? 0) : 0;
  return `${stateOf(answer)}${answer.up ? '' : `: ${answer.reason}`}${forMs === 0 ? '' : ` for ${formatDuration(forMs)} more`}`;
}

/** As people read it: `ready`, `no quorum`. */
function stateOf(answer: NodeAnswer): string {
  if (!answer.up) return 'down';
  const { state } = answer.status;
  return state === null ? 'up' : kindOf(state).replaceAll('-', ' ');
}

/** As the library has it: `no-quorum`. */
function kindOf({ kind }: NodeStateMessage): string {
  return kind.slice('KIND_'.length).toLowerCase().replaceAll('_', '-');
}

function describe(configuration: Configuration, answers: readonly NodeAnswer[]): string {
  const count = (is: (answer: NodeAnswer) => boolean): number => answers.filter(is).length;
  const serving = count(servesLocks);
  const use = serving === 0 ? 'NO lock can be had' : `a lock can be had through ${serving === answers.length ? 'each of them' : answers.filter(servesLocks).map(({ id }) => id).join(', ')}`;
  const rows = answers.map((answer) => {
    if (!answer.up) return [answer.id, 'down', '', '', '', '', '', '', '', answer.reason];
    const { status } = answer;
    const callers = status.locks.flatMap((each) => each.callers ?? []);
    return [
      answer.id,
      stateOf(answer),
      formatDuration(status.uptimeMs),
      String(callers.reduce((sum, each) => sum + each.inside, 0)),
      String(callers.reduce((sum, each) => sum + each.waiting, 0)),
      String(status.locks.reduce((sum, each) => sum + each.grants.length + each.moreGrants, 0)),
      String(status.locks.reduce((sum, each) => sum + each.queue.length + each.moreQueue, 0)),
      String(status.entries),
      status.version,
      `${countsByKind(status.sent)}${unreachable(status)}`,
    ];
  });
  const nodes = formatTable(['NODE', 'STATE', 'UP FOR', 'HELD', 'WANTED', 'LENT', 'QUEUED', 'ENTRIES', 'VERSION', 'MESSAGES SENT'], rows);
  const locks = lockRows(answers);
  return [
    `cluster ${visible(configuration.cluster)}: ${count((each) => each.up)} of ${answers.length} nodes are up, ${count(isReady)} of them ready; ${use}`,
    nodes,
    ...answers.flatMap((each) => (each.up ? notesOf(each.status, isReady(each)).map((note) => visible(`${each.id}: ${note}`)) : [])),
    ...(locks.length === 0 ? [] : ['', formatTable(['LOCK', 'NODE', 'STATE', 'TOKEN', 'INSIDE', 'WAITING', 'VALID FOR'], locks)]),
  ].join('\n');
}

function notesOf(status: StatusReply, isReady: boolean): string[] {
  return [...(isReady ? [] : [reasonOf(status)]), ...status.notices];
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
  const { sent, received, ignored, locks, state } = status;
  const stateJson = state === null ? null : { ...state, kind: kindOf(state) };
  // All pages were read.
  return {
    ...status, nextPageToken: undefined, state: stateJson,
    sent: countsJson(sent), received: countsJson(received), ignored: countsJson(ignored), locks: locks.map(lockJson),
  };
}

function countsJson(counts: readonly CountMessage[]): Record<string, number> {
  return Object.fromEntries(counts.map(({ of, count }) => [of, count]));
}

function lockJson(status: LockStatus): object {
  const { callers } = status;
  return { ...status, lock: lockName(status), callers: callers === null ? null : { ...callers, state: stateWord(callers) } };
}
