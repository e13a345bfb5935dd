/** `maekawa lock`: holds a lock while a command runs, or until a signal comes. */
import { constants } from 'node:os';
import { Command, Option } from 'commander';
import { LockError } from '../errors';
import type { HeldLock } from '../locks/types';
import type { LocksClient } from '../service/client';
import { EXIT_CODE_HELP, ExitWith } from './exit-codes';
import { findNode, findNodeOptions } from './find-node';
import type { FindNodeOptions } from './find-node';
import { configOption, parseDurationMs, tlsOptions } from './options';
import { ON_LOST, supervise } from './supervise';
import type { OnLost } from './supervise';

/** What `--try` allows for the votes to travel; a lock that is free takes a few milliseconds. */
const TRY_MS = 500;
const WAITING_TOLD_MS = 200;

interface LockCommandOptions extends FindNodeOptions {
  readonly shared?: true;
  readonly try?: true;
  readonly wait?: number;
  readonly shell?: true;
  readonly onLost: OnLost;
  readonly grace?: number;
  readonly json?: true;
  readonly verbose?: true;
}

export function lockCommand(): Command {
  const command = new Command('lock')
    .description('run a command while holding a lock')
    .argument('<name>', 'the lock')
    .argument('[command...]', 'after --: what to run; without it the lock is held until a signal comes')
    .option('-s, --shared', 'hold it together with other shared holders')
    .option('-n, --try', 'give up unless it is free')
    .option('-w, --wait <duration>', 'give up after so long (default: wait for ever)', parseDurationMs)
    .option('--shell', 'run the command by sh -c')
    .addOption(new Option('--on-lost <what>', 'when the lock cannot be renewed: SIGTERM and then SIGKILL, SIGKILL, or nothing').choices(ON_LOST).default('term'))
    .option('--grace <duration>', 'how long before the lease ends the command gets its SIGTERM (default: a third of the lease)', parseDurationMs)
    .option('--json', 'tell what happens as JSON lines')
    .option('-v, --verbose', 'tell what happens even if nobody watches the terminal')
    .addOption(configOption());
  for (const option of [...findNodeOptions(), ...tlsOptions()]) command.addOption(option);
  return command
    .addHelpText('after', `
Asks a node on this machine (or the one named) for the lock. The command sees MAEKAWA_LOCK,
MAEKAWA_TOKEN (the fencing token) and MAEKAWA_VALID_MS. It runs in a process group of its own; INT,
TERM, HUP and QUIT are passed on to it. Nothing of it is left running when the lock is given back.

Examples:
  maekawa lock invoices -- ./job.sh --month 11
  maekawa lock invoices --try -- ./job.sh          exit code 124 if somebody else holds it
  maekawa lock invoices --wait 10s -- ./job.sh
  maekawa lock reports --shared -- ./read.sh
  maekawa lock deploy --shell -- 'make && make install'
  maekawa lock maintenance                         hold it until Ctrl-C

${EXIT_CODE_HELP}`)
    .action(run);
}

async function run(name: string, command: string[], options: LockCommandOptions): Promise<void> {
  if (options.try === true && options.wait !== undefined) {
    throw new LockError('config', '--try and --wait exclude each other: --try gives up at once, --wait after a while');
  }
  const tell = teller(name, options);
  const signals = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => signals.abort(new ExitWith(128 + constants.signals[signal]));
  const watched = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
  for (const signal of watched) process.on(signal, onSignal);

  const client = await findNode(options);
  try {
    const lock = await acquire(client, name, options, signals.signal, tell);
    try {
      signals.signal.throwIfAborted();
      const [file, ...args] = options.shell === true ? ['sh', '-c', command.join(' ')] : command;
      if (file === undefined || command.length === 0) return await holdUntilSignal(lock, signals.signal);
      for (const signal of watched) process.off(signal, onSignal);
      const code = await supervise(lock, {
        command: [file, ...args],
        env: {
          ...process.env,
          MAEKAWA_LOCK: name,
          MAEKAWA_TOKEN: String(lock.token),
          MAEKAWA_VALID_MS: String(Math.floor(lock.validForMs())),
        },
        onLost: options.onLost,
        ...(options.grace === undefined ? {} : { graceMs: options.grace }),
        warn: (text) => tell({ event: 'warning', text }),
      });
      if (code !== 0) throw new ExitWith(code);
    } finally {
      await lock[Symbol.asyncDispose]();
      tell({ event: 'released' });
    }
  } finally {
    client.close();
  }
}

function acquire(client: LocksClient, name: string, options: LockCommandOptions, signal: AbortSignal, tell: Tell): Promise<HeldLock> {
  const waitMs = options.try === true ? TRY_MS : options.wait;
  let waiting: NodeJS.Timeout | undefined;
  return client
    .acquire(name, {
      mode: options.shared === true ? 'shared' : 'exclusive',
      signal,
      onQueued: (ahead) => {
        // A free lock is there in a moment.
        waiting = setTimeout(() => tell({ event: 'waiting', ahead }), WAITING_TOLD_MS);
      },
      ...(waitMs === undefined ? {} : { waitMs }),
    })
    .then((lock) => {
      tell({ event: 'held', token: lock.token, validForMs: Math.floor(lock.validForMs()) });
      return lock;
    })
    .finally(() => clearTimeout(waiting));
}

/** For scripts: the token on standard output says that the lock is held; a signal ends it in good order. */
async function holdUntilSignal(lock: HeldLock, signal: AbortSignal): Promise<void> {
  process.stdout.write(`${lock.token}\n`);
  await new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => resolve());
    if (signal.aborted) resolve();
    lock.signal.addEventListener('abort', () => reject(lock.signal.reason as Error));
    if (lock.signal.aborted) reject(lock.signal.reason as Error);
  });
}

type Happening =
  | { readonly event: 'waiting'; readonly ahead: readonly string[] }
  | { readonly event: 'held'; readonly token: number; readonly validForMs: number }
  | { readonly event: 'warning'; readonly text: string }
  | { readonly event: 'released' };
type Tell = (happening: Happening) => void;

/** On standard error: standard output is the command's. */
function teller(name: string, { json, verbose }: LockCommandOptions): Tell {
  if (json === true) {
    return (happening) => process.stderr.write(`${JSON.stringify({ lock: name, ...happening })}\n`);
  }
  const isChatty = verbose === true || process.stderr.isTTY;
  const say = (text: string): unknown => process.stderr.write(`maekawa: ${text}\n`);
  return (happening) => {
    switch (happening.event) {
      case 'waiting':
        if (isChatty) say(`waiting for ${name}${happening.ahead.length === 0 ? '' : `; before this: ${happening.ahead.join(', ')}`}`);
        return;
      case 'held':
        if (verbose === true) say(`holding ${name}, token ${happening.token}`);
        return;
      case 'warning':
        say(happening.text);
        return;
      case 'released':
        if (verbose === true) say(`gave ${name} back`);
        return;
    }
  };
}
