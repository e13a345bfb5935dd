/**
 * Runs a command in a process group of its own while a lock is held. Law: nothing of the group is left
 * alive when the lock is given back, and (unless told to ignore it) none when the lock's lease ends.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockError } from '../errors';
import type { Lock } from '../locks/types';
import { EXIT } from './exit-codes';

export const ON_LOST = ['term', 'kill', 'ignore'] as const;
export type OnLost = (typeof ON_LOST)[number];

/** One lock, or several. */
export type Supervised = Pick<Lock, 'signal' | 'validForMs'>;

export interface SuperviseOptions {
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  readonly onLost: OnLost;
  /** How long before the lease ends the command is asked to end. Default: a third of what is left at the start. */
  readonly graceMs?: number;
  readonly warn: (text: string) => void;
}

/** These are handed on to the command. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** SIGKILL comes this share of the grace before the end, so that the kernel has done it by then. */
const KILL_SHARE = 0.25;

/** How long processes that outlive the command get to end. */
const STRAGGLERS_MS = 1_000;

/** Resolves with the exit code to end with, when no process of the group is left. The lock is not released here. */
export async function supervise(lock: Supervised, options: SuperviseOptions): Promise<number> {
  const { command: [file, ...args], env, warn } = options;
  const child = spawn(file, args, { stdio: 'inherit', detached: true, env });
  const forward = (signal: NodeJS.Signals): void => signalGroup(child, signal);
  for (const signal of FORWARDED) process.on(signal, forward);
  const guard = new LeaseGuard(lock, child, options);
  try {
    const code = await exitCodeOf(child, file, warn);
    await endStragglers(child, warn);
    return guard.hasEnded ? guard.exitCode : code;
  } finally {
    guard.stop();
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}

function exitCodeOf(child: ChildProcess, file: string, warn: (text: string) => void): Promise<number> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT';
      warn(isMissing ? `there is no command ${file}` : `cannot execute ${file}: ${error.message}`);
      resolve(isMissing ? EXIT.notFound : EXIT.cannotExecute);
    });
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? EXIT.bug) : 128 + constants.signals[signal]));
  });
}

/** Ends the command in time when the lock cannot be renewed. */
class LeaseGuard {
  hasEnded = false;
  private untilMs: number;
  private readonly graceMs: number;
  private timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly lock: Supervised,
    private readonly child: ChildProcess,
    private readonly options: SuperviseOptions,
  ) {
    const validForMs = lock.validForMs();
    this.untilMs = performance.now() + validForMs;
    this.graceMs = Math.min(options.graceMs ?? validForMs / 3, validForMs / 2);
    lock.signal.addEventListener('abort', () => this.onLost());
    if (lock.signal.aborted) this.onLost();
    else this.look();
  }

  /** What the end of the command is to be reported as, once this ended it. */
  get exitCode(): number {
    const reason: unknown = this.lock.signal.reason;
    return reason instanceof LockError && reason.code === 'closed' ? EXIT.closed : EXIT.lost;
  }

  stop(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers = [];
  }

  /** Renewed in time, it is looked at again when the next renewal is due; else the command has to end. */
  private look(): void {
    const validForMs = this.lock.validForMs();
    this.untilMs = performance.now() + validForMs;
    if (validForMs <= this.graceMs) return this.end('the lock cannot be renewed');
    this.timers = [setTimeout(() => this.look(), validForMs - this.graceMs)];
  }

  /** The lock is lost, or will be at `untilMs` because nothing renews it any more. */
  private onLost(): void {
    const reason: unknown = this.lock.signal.reason;
    this.end(reason instanceof Error ? reason.message : 'the lock is lost');
  }

  private end(why: string): void {
    if (this.hasEnded) return;
    const { onLost, warn } = this.options;
    this.stop();
    const leftMs = this.untilMs - performance.now();
    if (onLost === 'ignore') return warn(`${why}; the command goes on, as told by --on-lost ignore`);
    this.hasEnded = true;
    if (onLost === 'kill' || leftMs <= 0) {
      warn(`${why}; killing the command`);
      return signalGroup(this.child, 'SIGKILL');
    }
    warn(`${why}; ending the command`);
    signalGroup(this.child, 'SIGTERM');
    this.timers.push(setTimeout(() => signalGroup(this.child, 'SIGKILL'), leftMs - this.graceMs * KILL_SHARE));
  }
}

/** What the command left running in its group must not go on without the lock. */
async function endStragglers(child: ChildProcess, warn: (text: string) => void): Promise<void> {
  if (!groupLives(child)) return;
  warn('the command left processes running; ending them before the lock is given back');
  signalGroup(child, 'SIGTERM');
  const killAtMs = performance.now() + STRAGGLERS_MS;
  while (groupLives(child)) {
    if (performance.now() > killAtMs) signalGroup(child, 'SIGKILL');
    await sleep(10);
  }
}

function groupLives({ pid }: ChildProcess): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(-pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone already.
  }
}
