/** `maekawa lock` and `maekawa steal`: hold a lock while a command runs, or until a signal comes. */
import { constants } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LockError } from '../errors';
import type { HeldLock } from '../locks/types';
import type { RemoteOptions } from '../service/client';
import type { RemoteLockManager } from '../service/remote';
import { EXIT_CODE_HELP, ExitWith } from './exit-codes';
import { findNode, findNodeOptions } from './find-node';
import type { FindNodeOptions } from './find-node';
import { configOption, parseDurationMs, tlsOptions } from './options';
import { ON_LOST, supervise } from './supervise';
import type { OnLost, Supervised } from './supervise';

const WAITING_TOLD_MS = 200;

const WATCHED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

interface LockCommandOptions extends FindNodeOptions {
  readonly also?: readonly string[];
  readonly shared?: true;
  readonly try?: true;
  readonly wait?: number;
  readonly semaphore?: number;
  readonly name?: string;
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
    .option('-a, --also <name>', 'hold this lock too (repeatable); all or none, and never a deadlock', (name: string, before: string[] = []) => [...before, name])
    .option('-s, --shared', 'hold it together with other shared holders')
    .option('-n, --try', 'give up unless it is free')
    .option('-w, --wait <duration>', 'give up after so long (default: wait for ever)', parseDurationMs)
    .option('--semaphore <permits>', 'let in so many holders at a time', parsePermits);
  return withCommonOptions(command)
    .addHelpText('after', `
Asks a node on this machine (or the one named) for the lock. The command sees MAEKAWA_LOCK,
MAEKAWA_TOKEN (the fencing token), MAEKAWA_VALID_MS, and with several locks MAEKAWA_TOKENS (JSON). It
runs in a process group of its own; INT, TERM, HUP and QUIT are passed on to it. When the lock cannot be
renewed it gets SIGTERM a grace before the lease ends, and SIGKILL in time. Nothing of it is left running
when the lock is given back.

Examples:
  maekawa lock invoices -- ./job.sh --month 11
  maekawa lock invoices --try -- ./job.sh          exit code 124 if somebody else holds it
  maekawa lock invoices --wait 10s -- ./job.sh
  maekawa lock reports --shared -- ./read.sh
  maekawa lock from --also to -- ./transfer.sh     both, or none
  maekawa lock crawlers --semaphore 3 -- ./crawl   at most three at a time, on all machines
  maekawa lock deploy --shell -- 'make && make install'
  maekawa lock maintenance                         print the token, hold it until Ctrl-C

${EXIT_CODE_HELP}`)
    .action((name: string, args: string[], options: LockCommandOptions) => run(name, args, options, false));
}

export function stealCommand(): Command {
  const command = new Command('steal')
    .description('take a lock from whoever holds it')
    .argument('<name>', 'the lock')
    .argument('[command...]', 'after --: what to run while holding it; without it the lock is given back at once')
    .option('-w, --wait <duration>', 'give up after so long (default: wait for ever)', parseDurationMs);
  return withCommonOptions(command)
    .addHelpText('after', `
Whoever holds the lock is told that it was stolen: \`maekawa lock\` ends its command with SIGTERM. A holder
that cannot be reached keeps the lock until its lease ends. Goes before all who wait.

Examples:
  maekawa steal invoices                  break a lock that is stuck
  maekawa steal invoices -- ./repair.sh

${EXIT_CODE_HELP}`)
    .action((name: string, args: string[], options: LockCommandOptions) => run(name, args, options, true));
}

function withCommonOptions(command: Command): Command {
  command
    .option('--name <text>', 'who you are and what for, shown to others by `maekawa who`')
    .option('--shell', 'run the command by sh -c')
    .addOption(new Option('--on-lost <what>', 'when the lock cannot be renewed: SIGTERM and then SIGKILL, SIGKILL, or nothing').choices(ON_LOST).default('term'))
    .option('--grace <duration>', 'how long before the lease ends the command gets its SIGTERM (default: a third of the lease)', parseDurationMs)
    .option('--json', 'tell what happens as JSON lines on standard error')
    .option('-v, --verbose', 'tell what happens even if nobody watches the terminal')
    .addOption(configOption());
  for (const option of [...findNodeOptions(), ...tlsOptions()]) command.addOption(option);
  return command;
}

function parsePermits(text: string): number {
  if (!/^[1-9]\d?$/.test(text) || Number(text) > 64) throw new InvalidArgumentError('Write a whole number from 1 to 64.');
  return Number(text);
}

async function run(name: string, command: readonly string[], options: LockCommandOptions, steals: boolean): Promise<void> {
  const fault = optionsFault(options);
  if (fault !== null) throw new LockError('config', fault);
  const tell = teller(name, options);
  const signals = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => signals.abort(new ExitWith(128 + constants.signals[signal]));
  for (const signal of WATCHED) process.on(signal, onSignal);

  const manager = await findNode(options);
  try {
    const held = await acquire(manager, name, options, steals, signals.signal, tell);
    try {
      signals.signal.throwIfAborted();
      const [file, ...args] = options.shell === true && command.length > 0 ? ['sh', '-c', command.join(' ')] : command;
      if (file === undefined) {
        process.stdout.write(`${held.locks[0]?.token ?? 0}\n`);
        if (!steals) await untilSignal(held, signals.signal);
        return;
      }
      for (const signal of WATCHED) process.off(signal, onSignal);
      const code = await supervise(held, {
        command: [file, ...args],
        env: { ...process.env, ...environment(name, held) },
        onLost: options.onLost,
        ...(options.grace === undefined ? {} : { graceMs: options.grace }),
        warn: (text) => tell({ event: 'warning', text }),
      });
      if (code !== 0) throw new ExitWith(code);
    } finally {
      await Promise.all(held.locks.map((lock) => lock[Symbol.asyncDispose]()));
      tell({ event: 'released' });
    }
  } finally {
    await manager.close();
  }
}

function optionsFault(options: LockCommandOptions): string | null {
  const { also, semaphore, shared, wait } = options;
  if (options.try === true && wait !== undefined) return '--try and --wait exclude each other: --try gives up at once, --wait after a while';
  if (semaphore !== undefined && also !== undefined) return '--semaphore and --also exclude each other; run one `maekawa lock` within the other';
  if (semaphore !== undefined && shared === true) return '--semaphore and --shared exclude each other';
  return null;
}

interface Held extends Supervised {
  /** The one that was named first comes first. */
  readonly locks: readonly HeldLock[];
}

async function acquire(
  manager: RemoteLockManager, name: string, options: LockCommandOptions, steals: boolean, signal: AbortSignal, tell: Tell,
): Promise<Held> {
  let waiting: NodeJS.Timeout | undefined;
  const wish: RemoteOptions = {
    signal,
    mode: options.shared === true ? 'shared' : 'exclusive',
    ...(steals ? { steal: true } : {}),
    ...(options.name === undefined ? {} : { label: options.name }),
    ...(options.try === true ? { ifAvailable: true } : {}),
    ...(options.wait === undefined ? {} : { waitMs: options.wait }),
    onQueued: (ahead) => {
      clearTimeout(waiting);
      // A free lock is there in a moment.
      waiting = setTimeout(() => tell({ event: 'waiting', ahead }), WAITING_TOLD_MS);
    },
  };
  try {
    const held = await take(manager, name, options, wish);
    const first = held.locks[0];
    if (first !== undefined) tell({ event: 'held', token: first.token, validForMs: Math.floor(held.validForMs()) });
    return held;
  } finally {
    clearTimeout(waiting);
  }
}

async function take(manager: RemoteLockManager, name: string, { also, semaphore }: LockCommandOptions, wish: RemoteOptions): Promise<Held> {
  if (also !== undefined) {
    const all = await manager.acquireAll([name, ...also], wish);
    const locks = [...all.locks].sort((a, b) => Number(b.name === name) - Number(a.name === name));
    return { locks, signal: all.signal, validForMs: () => all.validForMs() };
  }
  const lock = semaphore === undefined ? await manager.acquire(name, wish) : await manager.semaphore(name, semaphore).acquire(wish);
  return { locks: [lock], signal: lock.signal, validForMs: () => lock.validForMs() };
}

function environment(name: string, { locks, validForMs }: Held): NodeJS.ProcessEnv {
  return {
    MAEKAWA_LOCK: name,
    MAEKAWA_TOKEN: String(locks[0]?.token ?? 0),
    MAEKAWA_VALID_MS: String(Math.floor(validForMs())),
    ...(locks.length < 2 ? {} : { MAEKAWA_TOKENS: JSON.stringify(Object.fromEntries(locks.map((lock) => [lock.name, lock.token]))) }),
  };
}

/** For scripts: the token on standard output says that the lock is held; a signal ends it in good order. */
async function untilSignal(held: Held, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => resolve());
    if (signal.aborted) resolve();
    held.signal.addEventListener('abort', () => reject(held.signal.reason as Error));
    if (held.signal.aborted) reject(held.signal.reason as Error);
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
