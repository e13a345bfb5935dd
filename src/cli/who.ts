/** `maekawa who`: who holds a lock and who waits for it, or all locks. */
import { Command } from 'commander';
import type { LockInfo } from '../locks/types';
import { clientsOf, closeAll, inventoryOf, refuseIfNoneAnswers } from './all-nodes';
import type { AllNodesOptions, Inventory } from './all-nodes';
import { EXIT, ExitWith } from './exit-codes';
import { isAbout, lockTitle, printable } from './holders';
import { withManual } from './manual';
import { checkLockNames, configOption, tlsOptions } from './options';
import { printJson, printText } from './print';
import { formatDuration, formatTable } from './table';

const ANSWER_MS = 1_500;

interface WhoOptions extends AllNodesOptions {
  readonly json?: true;
}

export function whoCommand(): Command {
  const command = new Command('who')
    .description('show who holds a lock and who waits for it')
    .argument('[name]', 'the lock or semaphore (default: all that somebody holds or waits for)')
    .option('--json', 'print one JSON object')
    .addOption(configOption());
  for (const option of tlsOptions()) command.addOption(option);
  return withManual(command, {
    description: [
      'Asks every node of the configuration. It names the nodes that do not answer; locks held through them are not shown.',
      'A lock that is done and kept, by `maekawa lock --at-least` or by `once` of the library, shows for how much longer.',
      'A client appears as the node that it asked and the number of its connection there: n1/3. A caller in the process of a node appears as the id of that node. NAME is what it calls itself; by default user, host and process id, as in deploy@web-1 pid 4711.',
    ],
    exitCodes: [['failed', 'nobody is known to hold it'], 'usage', ['unreachable', 'no node answers'], 'protocol'],
    examples: [
      ['maekawa who'],
      ['maekawa who invoices'],
      ["maekawa who invoices --json | jq '.held[0].token'"],
    ],
  }).action(who);
}

async function who(name: string | undefined, options: WhoOptions): Promise<void> {
  if (name !== undefined) checkLockNames([name]);
  const nodes = clientsOf(options);
  const all = await inventoryOf(nodes, ANSWER_MS);
  await closeAll(nodes);
  refuseIfNoneAnswers(nodes, all.unanswered);
  const isMeant = (lock: LockInfo): boolean => name === undefined || isAbout(lock.name, name);
  const { unanswered } = all;
  const shown: Inventory = { held: all.held.filter(isMeant), pending: all.pending.filter(isMeant), unanswered };
  if (options.json === true) printJson({ ...(name === undefined ? {} : { lock: name }), ...shown, unanswered: unanswered.map(({ id }) => id), unansweredWhy: Object.fromEntries(unanswered.map(({ id, reason }) => [id, reason])) });
  else printText(describe(name, shown));
  if (shown.held.length === 0) throw new ExitWith(EXIT.failed);
}

function describe(name: string | undefined, { held, pending, unanswered }: Inventory): string {
  const showsLock = name === undefined || [...held, ...pending].some((lock) => lock.name !== name);
  const row = (state: string) => (lock: LockInfo): string[] => [
    ...(showsLock ? [lockTitle(lock.name)] : []),
    lock.clientId, lock.keptForMs === undefined ? state : `done, kept for ${formatDuration(lock.keptForMs)}`, lock.mode, formatDuration(lock.forMs), lock.token === undefined ? '' : String(lock.token), lock.label ?? '',
  ];
  const rows = [...held.map(row('holds')), ...pending.map(row('waits'))];
  if (showsLock) rows.sort(([a = ''], [b = '']) => (a < b ? -1 : Number(a > b)));
  const header = [...(showsLock ? ['LOCK'] : []), 'CLIENT', 'STATE', 'MODE', 'FOR', 'TOKEN', 'NAME'];
  const use = name === undefined ? 'nobody holds a lock or waits for one' : `nobody holds ${printable(name)} or waits for it`;
  return [
    rows.length > 0 ? formatTable(header, rows) : `${use}${unanswered.length === 0 ? '' : ', as far as the nodes that answer know'}`,
    ...(unanswered.length === 0 ? [] : [`did not answer: ${unanswered.map(({ id, reason }) => `${id} (${reason})`).join(', ')}`]),
  ].join('\n');
}
