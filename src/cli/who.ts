/** `maekawa who` and `maekawa watch`: who holds a lock, now and from now on. */
import { Command } from 'commander';
import { readConfiguration } from '../config';
import type { LockChange, LockInfo } from '../locks/types';
import { LocksClient } from '../service/client';
import { loadClientTls } from '../transport/tls';
import { EXIT, ExitWith } from './exit-codes';
import { configOption, tlsFilesOf, tlsOptions } from './options';
import type { TlsOptions } from './options';
import { formatDuration, formatTable } from './table';

const ANSWER_MS = 1_500;
/** A node that does not answer is asked again after so long. */
const AGAIN_MS = 1_000;

interface WhoOptions extends TlsOptions {
  readonly config: string;
  readonly json?: true;
}

export function whoCommand(): Command {
  const command = new Command('who')
    .description('show who holds a lock and who waits for it')
    .argument('<name>', 'the lock')
    .option('--json', 'as one JSON object');
  return withOptions(command)
    .addHelpText('after', `
Asks every node of the configuration. Ends with exit code 1 when nobody holds the lock.

Examples:
  maekawa who invoices
  maekawa who invoices --json | jq '.held[0].token'`)
    .action(who);
}

export function watchCommand(): Command {
  const command = new Command('watch')
    .description('print a line for each change of who holds a lock')
    .argument('<name>', 'the lock')
    .option('--json', 'as JSON lines');
  return withOptions(command)
    .addHelpText('after', `
Examples:
  maekawa watch invoices
  maekawa watch invoices --json`)
    .action(watch);
}

function withOptions(command: Command): Command {
  command.addOption(configOption());
  for (const option of tlsOptions()) command.addOption(option);
  return command;
}

function clientsOf(options: WhoOptions): { readonly id: string; readonly client: LocksClient }[] {
  const files = tlsFilesOf(options);
  const tls = files === undefined ? undefined : loadClientTls(files);
  return readConfiguration(options.config).nodes.map(({ id, address }) => ({ id, client: new LocksClient(address, tls) }));
}

async function who(name: string, options: WhoOptions): Promise<void> {
  const clients = clientsOf(options);
  const answers = await Promise.all(clients.map(async ({ id, client }) => ({ id, snapshot: await client.query(ANSWER_MS).catch(() => null) })));
  for (const { client } of clients) void client.close();
  const pick = (which: 'held' | 'pending'): LockInfo[] =>
    answers.flatMap(({ snapshot }) => snapshot?.[which] ?? []).filter((lock) => lock.name === name);
  const held = pick('held');
  const pending = pick('pending').sort((a, b) => b.forMs - a.forMs);
  const unanswered = answers.filter(({ snapshot }) => snapshot === null).map(({ id }) => id);
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ lock: name, held, pending, unanswered })}\n`);
  } else {
    const row = (state: string) => (lock: LockInfo): string[] =>
      [lock.clientId, state, lock.mode, formatDuration(lock.forMs), lock.token === undefined ? '' : String(lock.token), lock.label ?? ''];
    const rows = [...held.map(row('holds')), ...pending.map(row('waits'))];
    process.stdout.write(rows.length === 0 ? `nobody holds ${name} or waits for it\n` : `${formatTable(['NODE', 'STATE', 'MODE', 'FOR', 'TOKEN', 'NAME'], rows)}\n`);
    if (unanswered.length > 0) process.stdout.write(`did not answer: ${unanswered.join(', ')}\n`);
  }
  if (held.length === 0) throw new ExitWith(EXIT.failed);
}

async function watch(name: string, options: WhoOptions): Promise<void> {
  const clients = clientsOf(options);
  const print = (change: LockChange): void => {
    process.stdout.write(`${options.json === true ? JSON.stringify({ at: new Date().toISOString(), ...change }) : describe(change)}\n`);
  };
  const stops = new Map<string, () => void>();
  let isOver = false;
  const follow = (id: string, client: LocksClient): void => {
    stops.set(id, client.watch(name, print, () => {
      if (!isOver) setTimeout(() => follow(id, client), AGAIN_MS).unref();
    }));
  };
  for (const { id, client } of clients) follow(id, client);
  // The timer keeps the process while no node answers.
  const alive = setInterval(() => undefined, AGAIN_MS);
  await new Promise<void>((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
  clearInterval(alive);
  isOver = true;
  for (const stop of stops.values()) stop();
  for (const { client } of clients) void client.close();
}

function describe({ change, lock }: LockChange): string {
  const { clientId, name, mode, label, token, forMs } = lock;
  const time = new Date().toTimeString().slice(0, 8);
  const who = `${clientId}${label === undefined ? '' : ` (${label})`}`;
  switch (change) {
    case 'held':
      return `${time}  ${who} holds ${name}${mode === 'shared' ? ', shared' : ''}, token ${token ?? 0}`;
    case 'released':
      return `${time}  ${who} gave ${name} back after ${formatDuration(forMs)}`;
    case 'lost':
      return `${time}  ${who} lost ${name} after ${formatDuration(forMs)}`;
  }
}
