/**
 * `maekawa quorums change`: the act by which other nodes or quorums take the place of those that ran (protocol.md section 16.2).
 * Law: it writes nothing while a node of the old ones answers; what it cannot see it makes the operator state.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { describeFaults, readConfiguration, readJson, validate } from '../config';
import type { Configuration, LayoutChange } from '../config';
import { layoutActOf, slackOf } from '../core';
import type { LamportTime } from '../core';
import { LockError } from '../errors';
import { reasonOfSilence } from '../client/node-connection';
import type { NodeConnection } from '../client/node-connection';
import { clientsFor, closeAll } from './all-nodes';
import { withManual } from './manual';
import { clientTlsOf, durationOption, tlsOptions } from './options';
import type { TlsOptions } from './options';
import { formatJson } from './quorums-init';
import type { Output } from './quorums-common';

/** How long a node may take to answer before it counts as stopped. */
const ANSWER_MS = 1_500;
const POLL_MS = 250;

interface ChangeOptions extends TlsOptions {
  readonly stopped?: true;
  readonly timeout: number;
}

export function changeCommand(output: Output): Command {
  const command = new Command('change')
    .description('let other nodes or quorums take the place of those that ran')
    .argument('<old>', 'the configuration that ran')
    .argument('<new>', 'the one to come; `change` is written into it')
    .option('--stopped', 'state that every node of the old one is stopped, without asking them')
    .addOption(durationOption('--timeout <duration>', 'how long to wait for the old nodes to stop', '10m'));
  for (const option of tlsOptions()) command.addOption(option);
  return withManual(command, {
    description: [
      'Under two sets of quorums two callers may hold one lock, so a node refuses to start with other nodes or quorums than it last ran with, until this command has been run. It asks each node of the old configuration for its clock, says which of them to stop, waits until none answers, and writes `change` into the new file.',
      'With that you state: every node of the old configuration is stopped, also those that this command could not reach, and none is started again with the old file. Nothing can check this for you.',
      'Then give all nodes the new file and start them, without --first-start. Each is silent for the longer of the two leases, for votes lent before may be in use that long. Another lease, drift bound or address alone needs no such act.',
    ],
    exitCodes: [
      ['usage', 'a file is wrong, a node runs with another configuration than the old file, or nothing changes'],
      ['timeout', 'a node of the old configuration still answers'],
    ],
    examples: [
      ['maekawa quorums change quorums.json seven.json', 'then stop the old nodes; it waits for them'],
      ['maekawa quorums change --stopped quorums.json seven.json', 'their machines are gone'],
    ],
  }).action((oldFile: string, newFile: string, options: ChangeOptions) => run(oldFile, newFile, options, output));
}

async function run(oldFile: string, newFile: string, options: ChangeOptions, output: Output): Promise<void> {
  const old = readConfiguration(oldFile);
  const next = readConfiguration(newFile);
  if (old.cluster !== next.cluster) {
    throw new LockError('config', `${oldFile} is of cluster ${JSON.stringify(old.cluster)}, ${newFile} of ${JSON.stringify(next.cluster)}: that is no change but another cluster`);
  }
  if (old.layout === next.layout) {
    throw new LockError('config', `${oldFile} and ${newFile} have the same nodes and quorums: nothing is to be stated. Another lease, drift bound or address needs no such act`);
  }
  const clocks = options.stopped === true ? new Map<string, LamportTime>() : await untilStopped(old, oldFile, options, output);
  const change: LayoutChange = layoutActOf({
    from: old.layout,
    leaseBeforeMs: old.leaseMs,
    leaseMs: next.leaseMs,
    slack: slackOf(Math.max(old.leaseMs, next.leaseMs)),
    clocks: [...clocks.values()],
    wallClockUs: Date.now() * 1_000,
  });
  const { silentMs } = change;
  writeChange(newFile, change);
  const unseen = old.nodes.filter(({ id }) => !clocks.has(id)).map(({ id }) => id);
  output.write(`wrote \`change\` into ${newFile}: from layout ${old.layout} to ${next.layout}\n`);
  if (unseen.length > 0) {
    output.write(`you state that ${unseen.join(', ')} ${unseen.length === 1 ? 'is' : 'are'} stopped; of the clocks there nothing is known, so that tokens rise only if the wall clock is ahead of them\n`);
  }
  output.write(`by this you state that no node of ${oldFile} runs, and that none is started with that file again\n`);
  output.write(`next: give ${newFile} to all nodes and start them without --first-start; each is silent for ${silentMs} ms\n`);
}

/** The highest clock seen of each node. @throws LockError `timeout` when one still answers, `config` when it runs with another file */
async function untilStopped(old: Configuration, oldFile: string, options: ChangeOptions, output: Output): Promise<Map<string, LamportTime>> {
  const nodes = clientsFor(old, clientTlsOf(options));
  const clocks = new Map<string, LamportTime>();
  const untilMs = performance.now() + options.timeout;
  let shown = '';
  try {
    for (;;) {
      const answers = await Promise.all(nodes.map(async ({ id, client }) => ({ id, address: client.address, clock: await clockOf(id, client, old, oldFile) })));
      const running = answers.filter(({ clock }) => clock !== null);
      for (const { id, clock } of running) clocks.set(id, Math.max(clock ?? 0, clocks.get(id) ?? 0));
      if (running.length === 0) return clocks;
      const list = running.map(({ id, address }) => `${id} (${address})`).join(', ');
      if (list !== shown) output.write(`stop ${list}: waiting until none answers\n`);
      shown = list;
      if (performance.now() > untilMs) {
        throw new LockError('timeout', `${list} still answer${running.length === 1 ? 's' : ''}; nothing was written. Stop every node of ${oldFile}, and run this again`);
      }
      await sleep(POLL_MS);
    }
  } finally {
    await closeAll(nodes);
  }
}

/** Null when no node of the old configuration answers there. */
async function clockOf(id: string, client: NodeConnection, { digest }: Configuration, oldFile: string): Promise<LamportTime | null> {
  let status;
  try {
    status = await client.status(ANSWER_MS);
  } catch (error) {
    if (!(error instanceof LockError)) throw error;
    const reason = reasonOfSilence(error);
    // Somebody is there: it may be the node, which would be taken for stopped.
    if (reason !== null && error.code === 'protocol') {
      throw new LockError('protocol', `whether node ${id} has stopped cannot be told, for at ${client.address} ${reason}. Nothing was written`, { cause: error });
    }
    // Nobody, or a node of another cluster.
    if (error.code === 'unreachable' || error.code === 'protocol') return null;
    throw error;
  }
  if (status.node !== id) return null;
  if (status.digest !== digest) {
    throw new LockError('config', `node ${id} runs with another configuration than ${oldFile} (digest ${status.digest}, there ${digest}). Name the file that it runs with`);
  }
  return status.clock;
}

/** The file is the old one or the new one, whatever happens meanwhile. */
function writeChange(path: string, change: LayoutChange): void {
  const file = { ...(readJson(path) as object), change };
  const result = validate(file);
  if ('faults' in result) throw new LockError('config', describeFaults(path, result.faults));
  try {
    writeFileSync(`${path}.new`, `${formatJson(file)}\n`);
    renameSync(`${path}.new`, path);
  } catch (cause) {
    throw new LockError('config', `cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}
