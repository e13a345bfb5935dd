/**
 * Runs a command in a process group of its own while a lock is held. Law: nothing that the command
 * started is left alive when the lock is given back, and (unless told to ignore it) nothing when the
 * lock's lease ends.
 */
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { LockError } from '../errors';
import type { Lock } from '../locks/types';
import { TimeWithSleep } from '../runtime/monotonic-time';
import { Descendants, markedEnvironment } from './descendants';
import { DieOf, EXIT, EndedForLoss, ExitWith } from './exit-codes';
import { Guardian } from './guardian';
import { textOf } from './inherited';
import type { Word } from './inherited';
import { launch } from './launch';

export const ON_LOST = ['term', 'kill', 'ignore'] as const;
export type OnLost = (typeof ON_LOST)[number];

/** One lock, or several. */
export type Supervised = Pick<Lock, 'signal' | 'validForMs'>;

export interface SuperviseOptions {
  readonly command: readonly [Word, ...Word[]];
  readonly env: NodeJS.ProcessEnv;
  readonly onLost: OnLost;
  /** How long before the lease ends the command is asked to end. Default: a quarter of the lease; at most half of it. */
  readonly graceMs?: number;
  /** The lock may be held for no longer. */
  readonly maxHoldMs?: number;
  /** Leave alone what left the process group. Default false. */
  readonly keepDaemons?: boolean;
  readonly warn: (text: string) => void;
  readonly onStarted?: (pid: number) => void;
}

/** Signals that are passed on to the command. The others keep their meaning. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;

/** Signals by which a terminal stops a job: Ctrl-Z, and reading or writing in the background. */
const STOPPING = ['SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const;

const GRACE_SHARE = 0.25;
const GRACE_SHARE_MAX = 0.5;

/** SIGKILL comes this share of the grace before the end, so that the kernel has done it by then. */
const KILL_SHARE = 0.25;

/** How often the lease is looked at; several times within a short one. A machine that slept is noticed as fast. */
const LOOK_MS_MAX = 250;
const LOOKS_PER_LEASE = 20;

/** The guardian hears that the lock was renewed when so much of the lease has come to it. */
const TOLD_SHARE = 0.1;
/** A client counts from a sign of life up to a quarter of a lease before the grant, and a command takes time to start. */
const EARLY_SHARE = 0.35;

/** How long processes that outlive the command get to end. */
const STRAGGLERS_MS = 1_000;

/** Resolves with how to end, when nothing of the command is left. The lock is not released here. */
export async function supervise(lock: Supervised, options: SuperviseOptions): Promise<ExitWith> {
  const { command, env, onLost } = options;
  const file = textOf(command[0]);
  const mark = randomUUID();
  const keepsDaemons = options.keepDaemons === true;
  const guardian = onLost === 'ignore'
    ? null
    : new Guardian(onLost === 'kill' ? 'KILL' : 'TERM', mark, keepsDaemons ? 'group' : 'all');
  // From before the command runs: it may tell somebody who sends a signal at once. They are heard in a later turn.
  const forward = onceATurn((signal) => descendants.signalGroup(signal));
  const suspend = (): void => suspendWith(descendants);
  const resume = (): void => {
    guard.look();
    descendants.signal('SIGCONT');
  };
  const standDown = (): void => {
    guardian?.dismiss();
    for (const signal of FORWARDED) process.off(signal, forward);
    for (const signal of STOPPING) process.off(signal, suspend);
    process.off('SIGCONT', resume);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  for (const signal of STOPPING) process.on(signal, suspend);
  process.on('SIGCONT', resume);
  /** A terminal that stops who writes to it in the background (`stty tostop`) would stop us again and again here. The guardian sees to the command. */
  const write = (what: () => void): void => {
    const listens = process.listeners('SIGTTOU').includes(suspend);
    process.off('SIGTTOU', suspend);
    what();
    if (listens) process.on('SIGTTOU', suspend);
  };
  const warn = (text: string): void => write(() => options.warn(text));
  // Before the command: this process may be stopped in the moment when it starts it.
  const validForMs = lock.validForMs();
  guardian?.validFor(validForMs, graceOf(validForMs, options.graceMs), KILL_SHARE);
  let child: ChildProcess;
  try {
    child = launch(command, markedEnvironment(env, mark));
  } catch (error) {
    // At once, for arguments that are too long or a machine without memory; all else comes as an event.
    standDown();
    return notStarted(error, file, warn);
  }
  guardian?.watch(child.pid);
  const { pid } = child;
  if (pid !== undefined) write(() => options.onStarted?.(pid));
  const descendants = new Descendants(child, keepsDaemons ? null : mark);
  const guard = new LeaseGuard(lock, descendants, guardian, { ...options, warn });
  try {
    const end = await endOf(child, file, warn);
    // What the guardian said before it did anything is read in this turn.
    await setImmediate();
    guard.onEnded();
    await endStragglers(descendants, warn);
    return guard.hasEnded ? new EndedForLoss(guard.exitCode) : end;
  } finally {
    guard.stop();
    standDown();
  }
}

function endOf(child: ChildProcess, file: string, warn: (text: string) => void): Promise<ExitWith> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(notStarted(error, file, warn)));
    child.once('exit', (code, signal) => resolve(signal === null ? new ExitWith(code ?? EXIT.bug) : new DieOf(signal)));
  });
}

function notStarted(error: unknown, file: string, warn: (text: string) => void): ExitWith {
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  warn(isMissing ? `there is no command ${file}; check its name and your PATH` : `cannot execute ${file}: ${error instanceof Error ? error.message : String(error)}`);
  return new ExitWith(isMissing ? EXIT.notFound : EXIT.cannotExecute);
}

function graceOf(leaseMs: number, wantedMs: number | undefined): number {
  return Math.min(wantedMs ?? leaseMs * GRACE_SHARE, leaseMs * GRACE_SHARE_MAX);
}

/** Ends the command in time when the lock cannot be renewed. */
class LeaseGuard {
  hasEnded = false;
  private readonly time = new TimeWithSleep();
  private readonly sinceMs = this.time.nowMs();
  /** In its time. */
  private untilMs = 0;
  /** What the guardian knows of it. */
  private toldUntilMs = 0;
  /** The longest that the lock was ever valid for: nearly a lease, once it was renewed. */
  private longestMs = 0;
  private next: NodeJS.Timeout | undefined;
  private hasWarned = false;

  constructor(
    private readonly lock: Supervised,
    private readonly descendants: Descendants,
    private readonly guardian: Guardian | null,
    private readonly options: SuperviseOptions,
  ) {
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
    clearTimeout(this.next);
  }

  look(): void {
    if (this.hasEnded || this.lock.signal.aborted) return;
    const validForMs = this.lock.validForMs();
    this.untilMs = this.time.nowMs() + validForMs;
    this.longestMs = Math.max(this.longestMs, validForMs);
    if (validForMs <= this.graceMs) return this.end(this.whyItEnds(validForMs));
    if (this.untilMs - this.toldUntilMs > this.longestMs * TOLD_SHARE) {
      this.toldUntilMs = this.untilMs;
      this.guardian?.validFor(validForMs, this.graceMs, KILL_SHARE);
    }
    clearTimeout(this.next);
    this.next = setTimeout(() => this.look(), Math.min(LOOK_MS_MAX, validForMs / LOOKS_PER_LEASE, validForMs - this.graceMs));
  }

  /** The command has ended. */
  onEnded(): void {
    if (this.hasEnded || this.guardian?.hasActed !== true) return;
    this.hasEnded = true;
    this.options.warn('maekawa could not run while the lock had to be renewed; its guardian ended the command');
  }

  private whyItEnds(validForMs: number): string {
    const { maxHoldMs } = this.options;
    if (maxHoldMs !== undefined && this.untilMs - this.sinceMs >= maxHoldMs - this.longestMs * EARLY_SHARE) return 'the lock is held for as long as --max-hold allows';
    return validForMs > 0 ? 'the lock cannot be renewed' : 'the lock has run out';
  }

  private get graceMs(): number {
    return graceOf(this.longestMs, this.options.graceMs);
  }

  /** The lock is lost, or will be at `untilMs` because nothing renews it any more. */
  private onLost(): void {
    const reason: unknown = this.lock.signal.reason;
    this.end(reason instanceof Error ? reason.message : 'the lock is lost');
  }

  private end(why: string): void {
    if (this.hasEnded) return;
    const { descendants, options: { onLost, warn } } = this;
    this.stop();
    if (onLost === 'ignore') {
      if (!this.hasWarned) warn(`${why}; the command goes on, because of --on-lost ignore`);
      this.hasWarned = true;
      return;
    }
    this.hasEnded = true;
    const leftMs = this.leftMs();
    this.guardian?.allowNoGrace(leftMs - (this.graceMs * KILL_SHARE) / 2);
    if (onLost === 'kill' || leftMs <= 0) {
      warn(`${why}; killing the command`);
      return descendants.signal('SIGKILL');
    }
    warn(`${why}; ending the command`);
    // Before the look at all processes, which takes its time on a busy machine.
    this.next = setTimeout(() => descendants.signal('SIGKILL'), leftMs - this.graceMs * KILL_SHARE);
    if (this.guardian?.hasActed !== true) descendants.signal('SIGTERM');
  }

  /** For how much longer nobody else can have the lock, whatever became of it: it is not given back before the command has ended. */
  private leftMs(): number {
    const leftMs = this.untilMs - this.time.nowMs();
    const reason: unknown = this.lock.signal.reason;
    // Somebody waits for it.
    return reason instanceof LockError && reason.code === 'stolen' ? Math.min(leftMs, this.graceMs) : leftMs;
  }
}

/** The same signal twice in one turn is one: to this process and to its group, as timeout(1) sends it. The kernel takes it so too. */
function onceATurn(act: (signal: NodeJS.Signals) => void): (signal: NodeJS.Signals) => void {
  const came = new Set<NodeJS.Signals>();
  return (signal) => {
    if (came.size === 0) {
      void setImmediate().then(() => {
        for (const each of came) act(each);
        came.clear();
      });
    }
    came.add(signal);
  };
}

/**
 * Ctrl-Z stops the command and then this process, which cannot renew the lock while it is stopped. When
 * it goes on, the command does only if the lock is still held.
 */
function suspendWith(descendants: Descendants): void {
  descendants.signal('SIGSTOP');
  process.kill(process.pid, 'SIGSTOP');
}

/** What the command left running must not go on without the lock. */
async function endStragglers(descendants: Descendants, warn: (text: string) => void): Promise<void> {
  const daemons = descendants.daemons();
  if (daemons.length === 0 && !descendants.groupLives()) return;
  const which = daemons.length === 0 ? '' : ` in a session of their own (${daemons.join(', ')})`;
  warn(`the command left processes running${which}; ending them before the lock is given back`);
  descendants.signal('SIGTERM');
  const killAtMs = performance.now() + STRAGGLERS_MS;
  for (let waitMs = 5; descendants.groupLives() || descendants.daemons().length > 0; waitMs = Math.min(2 * waitMs, 50)) {
    if (performance.now() > killAtMs) descendants.signal('SIGKILL');
    await sleep(waitMs);
  }
}
