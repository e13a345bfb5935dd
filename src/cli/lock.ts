/** `maekawa lock`, `maekawa steal` and `maekawa elect`: hold a lock while a command runs, or until a signal comes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LockError } from '../errors';
import { permitOf } from '../locks/permit';
import { AT_LEAST_MS_MAX } from '../locks/request-arguments';
import type { HeldLock } from '../locks/types';
import type { RemoteOptions } from '../client/remote-lock';
import type { RemoteLockManager } from '../client/remote';
import { onUnwritten } from '../standard-output';
import { MARK_VARIABLE } from './descendants';
import { DieOf, ENDING, EXIT, EndedForLoss, ExitWith, exitCodeOf } from './exit-codes';
import { findNode, findNodeOptions } from './find-node';
import type { FindNodeOptions, FoundNode } from './find-node';
import { HELD_VARIABLE, heldAround, refuseNested } from './held-locks';
import type { HeldAround } from './held-locks';
import { rawWords } from './inherited';
import type { Word } from './inherited';
import { isHeard, teller } from './lock-report';
import type { Tell, TellerOptions } from './lock-report';
import { withManual } from './manual';
import type { Entry } from './page';
import { NODE_OPTIONS, checkLockNames, configOption, durationOption, tlsOptions } from './options';
import { printText } from './print';
import { ON_LOST, supervise } from './supervise';
import type { OnLost, Supervised } from './supervise';
import { BlockedTeller, WaitingTeller } from './waiting';

/** `steals`: takes the lock from its holder. `leads`: runs the command whenever it has the lock. */
type Manner = 'waits' | 'steals' | 'leads';

/** A command that ends by itself is not started anew sooner than this after it was started. */
const RESTART_MS = 1_000;

interface LockCommandOptions extends FindNodeOptions, TellerOptions {
  readonly also?: readonly string[];
  readonly shared?: true;
  readonly try?: true;
  readonly wait?: number;
  readonly maxHold?: number;
  readonly semaphore?: number;
  readonly name?: string;
  readonly shell?: true;
  readonly atLeast?: number;
  readonly restart?: true;
  readonly keepDaemons?: true;
  readonly onLost: OnLost;
  readonly grace?: number;
  readonly conflictExitCode?: number;
}

const WAITING_OPTIONS = 'Waiting:';
const COMMAND_OPTIONS = 'The command:';
const REPORT_OPTIONS = 'What it reports:';

const LOCK_EXIT_CODES = [
  'command', 'died', 'usage', 'unreachable', 'protocol', 'noQuorum', 'lost', 'closed', 'timeout', 'cannotExecute', 'notFound',
] as const;

const LOCK_ENVIRONMENT: readonly Entry[] = [
  ['MAEKAWA_LOCK', 'for the command: the name of the lock. With --semaphore the name of the permit, such as "-permit 0 of crawlers": a permit is a lock with tokens of its own, so this name and MAEKAWA_TOKEN are the pair to show to the resource'],
  ['MAEKAWA_TOKEN', 'for the command: its fencing token, larger than that of every earlier holder of the lock, or of the permit'],
  ['MAEKAWA_VALID_MS', 'for the command: for how many milliseconds the lock was valid without renewal when the command began'],
  ['MAEKAWA_SEMAPHORE', 'for the command, with --semaphore: the name of the semaphore'],
  [HELD_VARIABLE, 'for a maekawa lock in the command: which locks it runs under. One that would wait for itself is refused (exit code 64)'],
  ['MAEKAWA_TOKENS', 'for the command, with --also: a JSON object with the token of each lock'],
  [MARK_VARIABLE, 'marks every process that the command starts, so that maekawa can end it with the lock even when it leaves the process group (on Linux)'],
];

/** How the command is run: the same for `lock` and `steal`. */
const COMMAND_DESCRIPTION = [
  'maekawa executes the command directly, without a shell, in a process group and session of its own, so a program that asks for a password on the terminal finds no terminal. Else it finds what it would find without maekawa: arguments and variables byte for byte, standard input, output and error, and on Linux further descriptors and the limit of open files. maekawa passes the signals INT, TERM, HUP, QUIT, USR1, USR2 and WINCH on to its group. Ctrl-Z stops the command too; it is ended if it does not go on before the lease ends. To outlive the terminal, start maekawa with setsid(1), or put nohup(1) before the command; before maekawa it has no effect.',
  'If the lock cannot be renewed (no quorum answers, or the node is gone), the command gets SIGTERM some time before the lease ends (see --grace), and SIGKILL before the lease ends. The same happens when maekawa itself is killed with SIGKILL or stopped. A frozen machine cannot do this, so let the resource check the token where it matters.',
  'If the node does not answer when the command has ended, maekawa waits until the lease ends or a signal comes. Its exit code is still that of the command.',
  'maekawa ends every process that the command leaves running before it gives the lock back, daemons included (on Linux). To let a daemon outlive the lock, start it with `env -u MAEKAWA_HOLD`, or use --keep-daemons.',
];

export function lockCommand(): Command {
  const command = new Command('lock')
    .description('run a command while holding a lock')
    .usage('[options] <name> [--] [<command> [<argument>...]]')
    .argument('<name>', 'the lock: any text that does not begin with -. A script that is given the name writes maekawa lock -- "$NAME" -- COMMAND')
    .argument('[command...]', 'what to run, and its arguments; without it maekawa prints the token (with --semaphore also the name of the permit) and holds the lock until a signal comes')
    .optionsGroup('Which lock:')
    .option('-a, --also <lock>', 'hold this lock too (repeatable): all of them or none, without deadlock', (name: string, before: string[] = []) => [...before, name])
    .option('-s, --shared', 'hold it together with other shared holders')
    .option('--semaphore <permits>', 'let in so many holders at a time (1 to 64); everybody must give the same number', parsePermits)
    .optionsGroup(WAITING_OPTIONS)
    .option('-n, --try', 'give up unless the lock is free; the answer takes about one round trip')
    .addOption(durationOption('-w, --wait <duration>', 'give up after this time, such as 500ms, 10s or 5m; 0s means --try (default: wait for ever). A node may come up meanwhile; without --wait one must answer at once'))
    .addOption(durationOption('--at-least <duration>', 'for a job of every machine\'s schedule, such as 30s: keep the lock so long from when the command began, though it was quicker or failed, so that a machine whose clock is behind does not run it again. At most 24h; means --try, unless --wait is given'))
    .option('-E, --conflict-exit-code <code>', 'exit with this code, and not with 124, when the lock is not free or does not become free in time', parseExitCode);
  return withManual(withCommonOptions(command), {
    description: [
      'Asks a node for the lock, waits in line with all who asked, runs the command while it holds the lock, and gives the lock back. A signal that comes while it waits makes it give up at once.',
      'With --at-least the node keeps the lock when the command has ended, and `maekawa who` shows it as done. If that node dies or stops, the lock ends with its lease, and a machine that comes later runs the command again, as one does that comes later than --at-least. `maekawa steal` frees the lock.',
      ...COMMAND_DESCRIPTION,
    ],
    environment: LOCK_ENVIRONMENT,
    exitCodes: LOCK_EXIT_CODES,
    examples: [
      ['maekawa lock invoices -- ./job.sh --month 11'],
      ['maekawa lock invoices --try -- ./job.sh', 'exit code 124 if somebody else holds it'],
      ['maekawa lock nightly --at-least 1m -E 0 -- ./job.sh', 'for cron: one machine runs it, and no other complains'],
      ['maekawa lock invoices --wait 10s -- ./job.sh'],
      ['maekawa lock invoices --max-hold 10m -- ./job.sh', 'if it hangs, others get the lock after ten minutes'],
      ['maekawa lock reports --shared -- ./read.sh'],
      ['maekawa lock from --also to -- ./transfer.sh', 'both or none'],
      ['maekawa lock crawlers --semaphore 3 -- ./crawl', 'at most three at a time, on all machines'],
      ["maekawa lock deploy --shell -- 'make && make install'"],
      ['maekawa lock maintenance', 'print the token, hold the lock until Ctrl-C'],
    ],
  }).action((name: string, args: string[], options: LockCommandOptions) => run(name, args, options, 'waits'));
}

export function stealCommand(): Command {
  const command = new Command('steal')
    .description('take a lock from its holder')
    .usage('[options] <name> [--] [<command> [<argument>...]]')
    .argument('<name>', 'the lock')
    .argument('[command...]', 'what to run while holding it, and its arguments; without it maekawa gives the lock back at once')
    .optionsGroup(WAITING_OPTIONS)
    .addOption(durationOption('-w, --wait <duration>', 'give up after this time (default: wait for ever)'));
  return withManual(withCommonOptions(command), {
    description: [
      'Goes before all who wait, and tells the holder that its lock was stolen. `maekawa lock` then ends its command with SIGTERM and SIGKILL; in a program that uses the library, the signal of the lock aborts. The lock is free when the holder has given it back, or when its lease ends, as it does if the holder cannot be reached. A program that is a node itself loses the lock at once. Nothing forces that program to stop, so let the resource check the token: it refuses the old holder.',
      ...COMMAND_DESCRIPTION,
    ],
    environment: LOCK_ENVIRONMENT,
    exitCodes: LOCK_EXIT_CODES,
    examples: [
      ['maekawa steal invoices', 'break a lock that is stuck'],
      ['maekawa steal invoices -- ./repair.sh'],
    ],
  }).action((name: string, args: string[], options: LockCommandOptions) => run(name, args, options, 'steals'));
}

export function electCommand(): Command {
  const command = new Command('elect')
    .description('run a command while this machine leads')
    .usage('[options] <name> [--] <command> [<argument>...]')
    .argument('<name>', 'the election, which is the lock of that name')
    .argument('<command...>', 'what the leader runs, and its arguments')
    .optionsGroup(COMMAND_OPTIONS)
    .option('--restart', 'when the command ends by itself, whatever its exit code, give the lock back, stand again, and start it anew, a second after its last start at the earliest');
  return withManual(withCommonOptions(command), {
    description: [
      'Stands in line for the lock of that name, and runs the command whenever it has the lock: it is the leader. When the lock is lost or stolen, has been held for --max-hold, or its node stops, maekawa ends the command, stands in line again, through another node if need be, and starts the command anew with the next term. If no node answers, it waits until one does, and says why.',
      'When the command ends by itself, maekawa gives the lock back and ends with the exit code of the command, unless --restart is given. When SIGINT, SIGTERM, SIGHUP or SIGQUIT comes, maekawa passes it on to the command and ends as the command does.',
      ...COMMAND_DESCRIPTION,
    ],
    environment: LOCK_ENVIRONMENT.filter(([name]) => name !== 'MAEKAWA_SEMAPHORE' && name !== 'MAEKAWA_TOKENS'),
    exitCodes: ['command', 'died', 'usage', 'protocol', 'cannotExecute', 'notFound'],
    examples: [
      ['maekawa elect scheduler -- ./scheduler.sh'],
      ['maekawa elect scheduler --restart -- ./scheduler.sh', 'start it anew when it crashes, here or on another machine'],
      ['maekawa who scheduler', 'who leads'],
      ['maekawa steal scheduler', 'depose the leader'],
    ],
  }).action((name: string, args: string[], options: LockCommandOptions) => run(name, args, options, 'leads'));
}

function withCommonOptions(command: Command): Command {
  command
    .optionsGroup(COMMAND_OPTIONS)
    .option('--shell', 'run the command with sh -c')
    .addOption(new Option('--on-lost <what>', 'what to do when the lock cannot be renewed: SIGTERM and then SIGKILL, SIGKILL at once, or nothing').choices(ON_LOST).default('term'))
    .addOption(durationOption('--grace <duration>', 'how long before the end of the lease the command gets SIGTERM; at most half of the lease (default: a quarter)'))
    .addOption(durationOption('--max-hold <duration>', 'end the command, and hold the lock no longer, after this time, such as 30s or 10m, however alive the command is; SIGTERM comes as long before as --grace says (default: as long as the command runs)'))
    .option('--keep-daemons', 'do not end processes that left the process group of the command')
    .optionsGroup(REPORT_OPTIONS)
    .option('--name <text>', 'who you are and what you do; `maekawa who` shows it (default: user, host and process id)')
    .option('--json', 'report what happens, as JSON lines on standard error')
    .option('-v, --verbose', 'report what happens, and who holds the lock while you wait, even if standard error is no terminal')
    .optionsGroup(NODE_OPTIONS)
    .addOption(configOption());
  for (const option of [...findNodeOptions(), ...tlsOptions()]) command.addOption(option);
  return command;
}

function parseExitCode(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) > 255) throw new InvalidArgumentError('Write a whole number from 0 to 255.');
  return Number(text);
}

function parsePermits(text: string): number {
  if (!/^[1-9]\d?$/.test(text) || Number(text) > 64) throw new InvalidArgumentError('Write a whole number from 1 to 64.');
  return Number(text);
}

async function run(name: string, command: readonly string[], options: LockCommandOptions, manner: Manner): Promise<void> {
  const fault = optionsFault(command, options, manner);
  if (fault !== null) throw new LockError('config', fault);
  checkLockNames([name, ...(options.also ?? [])]);
  const tell = teller(name, options);
  const interrupted = new AbortController();
  // Once the command runs, it gets the signals, and this process ends when the command does.
  for (const signal of ENDING) process.on(signal, () => interrupted.abort(new DieOf(signal)));
  const blocked = new BlockedTeller(tell);
  try {
    const askedMs = performance.now();
    const found = await findNode(options, { waitMs: options.wait ?? (manner === 'leads' ? Infinity : 0), onNone: (why) => blocked.saw(why) }, interrupted.signal);
    const { manager } = found;
    try {
      await refuseWaitingForItself(found, name, options, manner);
      const leftMs = blocked.hasSeen && options.wait !== undefined ? Math.max(1, options.wait - Math.round(performance.now() - askedMs)) : options.wait;
      const end = manner === 'leads'
        ? await lead(found, name, command, options, interrupted.signal, tell)
        : await hold(found, name, command, { ...options, ...(leftMs === undefined ? {} : { wait: leftMs }) }, manner === 'steals', interrupted.signal, tell);
      if (end.exitCode !== 0) throw end;
    } finally {
      await manager.close();
    }
  } catch (error) {
    if (!(error instanceof LockError)) throw error;
    const exitCode = error.code === 'timeout' ? (options.conflictExitCode ?? EXIT.timeout) : exitCodeOf(error);
    tell({ event: 'failed', code: error.code, text: error.message, exitCode });
    throw new ExitWith(exitCode);
  }
}

/** It could never have it. With --try or --wait 0s the answer comes by itself; a thief takes it even so. */
async function refuseWaitingForItself({ manager, cluster }: FoundNode, name: string, options: LockCommandOptions, manner: Manner): Promise<void> {
  const around = heldAround(process.env);
  if (around.length === 0 || manner === 'steals' || triesOnly(options)) return;
  const { also = [], shared, semaphore } = options;
  const { held } = await manager.query();
  refuseNested({ cluster, names: [name, ...also], mode: shared === true ? 'shared' : 'exclusive', ...(semaphore === undefined ? {} : { permits: semaphore }) }, around, held);
}

function triesOnly({ try: tries, wait, atLeast }: LockCommandOptions): boolean {
  return tries === true || wait === 0 || (atLeast !== undefined && wait === undefined);
}

/** Term after term, until the command ends by itself or a signal comes. */
async function lead(found: FoundNode, name: string, command: readonly string[], options: LockCommandOptions, interrupted: AbortSignal, tell: Tell): Promise<ExitWith> {
  for (;;) {
    let startedMs = -Infinity;
    const end = await hold(found, name, command, options, false, interrupted, (happening) => {
      // One that cannot be started is told of as held alone.
      if (happening.event === 'held' || happening.event === 'started') startedMs = performance.now();
      tell(happening);
    });
    const isLost = end instanceof EndedForLoss;
    if (!isLost && (options.restart !== true || interrupted.aborted)) return end;
    // A signal that came for the command was for this process too.
    interrupted.throwIfAborted();
    await sleep(isLost ? 0 : Math.max(0, startedMs + RESTART_MS - performance.now()), undefined, { signal: interrupted }).catch(() => interrupted.throwIfAborted());
  }
}

async function hold(
  found: FoundNode, name: string, command: readonly string[], options: LockCommandOptions, steals: boolean, interrupted: AbortSignal, tell: Tell,
): Promise<ExitWith> {
  const { manager, cluster } = found;
  const held = await acquire(found, name, options, steals, interrupted, tell);
  try {
    interrupted.throwIfAborted();
    const words = rawWords(command);
    const [file, ...args] = options.shell === true ? ['sh', '-c', joined(words)] : words;
    if (file === undefined) {
      await printToken(held);
      if (!steals) await untilSignal(held, interrupted);
      return new ExitWith(EXIT.ok);
    }
    const end = await supervise(held, {
      command: [file, ...args],
      env: { ...process.env, ...environment(name, held, cluster) },
      onLost: options.onLost,
      ...(options.maxHold === undefined ? {} : { maxHoldMs: options.maxHold }),
      keepDaemons: options.keepDaemons === true,
      ...(options.grace === undefined ? {} : { graceMs: options.grace }),
      warn: (text) => tell({ event: 'warning', text }),
      onStarted: (pid) => tell({ event: 'started', pid }),
    });
    tell({ event: 'ended', exitCode: end.exitCode });
    return end;
  } finally {
    await giveBack(manager, held, tell);
  }
}

/** With spaces between them, as `sh -c` is to read them. */
function joined(words: readonly Word[]): Word {
  const text = words.filter((word) => typeof word === 'string');
  return text.length === words.length ? text.join(' ') : Buffer.concat(words.flatMap((word, i) => [Buffer.from(i === 0 ? '' : ' '), Buffer.from(word)]));
}

/** Waits until the node knows, or the lock has run out, or an ending signal comes. The command has ended, so the signal is for this process. */
async function giveBack(manager: RemoteLockManager, held: Held, tell: Tell): Promise<void> {
  const unheard = new Set(held.locks.map((lock) => lock.name));
  manager.onHeard((name) => unheard.delete(name));
  let hurry: () => void = () => undefined;
  const hurried = new Promise<void>((resolve) => (hurry = resolve));
  for (const signal of ENDING) process.on(signal, hurry);
  await Promise.race([hurried, Promise.all(held.locks.map((lock) => lock.release()))]);
  for (const signal of ENDING) process.off(signal, hurry);
  // A lock that has run out need not be given back.
  if (held.signal.reason instanceof LockError && ['lost', 'expired'].includes(held.signal.reason.code)) return;
  tell({ event: unheard.size === 0 ? 'released' : 'unanswered' });
}

function optionsFault(command: readonly string[], options: LockCommandOptions, manner: Manner): string | null {
  const { also, semaphore, shared, shell, wait } = options;
  if (options.try === true && wait !== undefined) return '--try and --wait exclude each other: --try gives up at once, --wait after a time; give one of them';
  if (semaphore !== undefined && also !== undefined) return '--semaphore and --also exclude each other; run one `maekawa lock` inside the other';
  if (semaphore !== undefined && shared === true) return '--semaphore and --shared exclude each other; leave out one of them';
  if (options.maxHold === 0) return '--max-hold 0s would end the lock before anything could run; give a longer time, or leave it out';
  if (manner === 'leads' && options.onLost === 'ignore') return '--on-lost ignore would leave a command running that leads no more, beside that of the next leader; leave it out';
  if (options.atLeast !== undefined) {
    if (options.atLeast > AT_LEAST_MS_MAX) return '--at-least is a day (24h) at most';
    if (options.maxHold !== undefined && options.maxHold < options.atLeast) return '--max-hold is shorter than --at-least, and would free the lock before; give a longer one, or leave it out';
    if (also !== undefined || semaphore !== undefined || shared === true) return '--at-least is for one exclusive lock; leave out --also, --semaphore and --shared';
  }
  if (shell === true && command.length === 0) return '--shell needs a command; write it after --';
  return null;
}

interface Held extends Supervised {
  /** The one that was named first comes first. */
  readonly locks: readonly HeldLock[];
}

async function acquire(
  { manager, whyNone }: FoundNode, name: string, options: LockCommandOptions, steals: boolean, signal: AbortSignal, tell: Tell,
): Promise<Held> {
  const waiting = isHeard(options) ? new WaitingTeller(manager, tell, name) : null;
  const blocked = new BlockedTeller(tell);
  blocked.watch(whyNone);
  const wish: RemoteOptions = {
    signal,
    mode: options.shared === true ? 'shared' : 'exclusive',
    ...(steals ? { steal: true } : {}),
    ...(options.name === undefined ? {} : { label: options.name }),
    ...(triesOnly(options) ? { ifAvailable: true } : {}),
    ...(options.atLeast === undefined ? {} : { atLeastMs: options.atLeast }),
    ...(options.wait === undefined || options.wait === 0 ? {} : { waitMs: options.wait }),
    ...(options.maxHold === undefined ? {} : { maxHoldMs: options.maxHold }),
    onQueued: (lock, ahead) => waiting?.queued(lock, ahead),
  };
  try {
    const held = await take(manager, name, options, wish);
    tell({ event: 'held', ...tokenOf(held), validForMs: Math.floor(held.validForMs()) });
    return held;
  } finally {
    blocked.end();
    waiting?.end();
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

/** Name and token are a pair: of a semaphore those of the permit, for the tokens of different permits do not compare. */
function environment(name: string, { locks, validForMs }: Held, cluster: string): NodeJS.ProcessEnv {
  const { name: lock, token } = locks[0] ?? { name, token: 0 };
  const around: HeldAround[] = [...heldAround(process.env), ...locks.map((each) => ({ cluster, lock: each.name, mode: each.mode, token: each.token }))];
  return {
    MAEKAWA_LOCK: lock,
    MAEKAWA_TOKEN: String(token),
    MAEKAWA_VALID_MS: String(Math.floor(validForMs())),
    [HELD_VARIABLE]: JSON.stringify(around),
    ...(permitOf(lock) === null ? {} : { MAEKAWA_SEMAPHORE: name }),
    ...(locks.length < 2 ? {} : { MAEKAWA_TOKENS: JSON.stringify(Object.fromEntries(locks.map((each) => [each.name, each.token]))) }),
  };
}

function tokenOf({ locks: [lock] }: Held): { readonly token: number; readonly permit?: string } {
  if (lock === undefined) return { token: 0 };
  return { token: lock.token, ...(permitOf(lock.name) === null ? {} : { permit: lock.name }) };
}

/** Rejects when nobody reads it any more: then the lock is given back before the program ends. */
function printToken(held: Held): Promise<void> {
  const { token, permit } = tokenOf(held);
  const line = permit === undefined ? `${token}` : `${token} ${permit}`;
  return new Promise((resolve, reject) => {
    onUnwritten((exitCode) => reject(new ExitWith(exitCode)));
    printText(line, (error) => {
      if (!error) resolve();
    });
  });
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
