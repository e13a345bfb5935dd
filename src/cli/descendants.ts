/**
 * The processes that a command started: its process group, and on Linux also those that left the group
 * (daemons), known by a mark in their environment. Signals reach all of them.
 */
import type { ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { readProc } from './proc';

/** Carries the mark. A process started without this variable is not ended with the lock. */
export const MARK_VARIABLE = 'MAEKAWA_HOLD';

/** The environment that marks a command and everything that it starts. One lock may be held within another. */
export function markedEnvironment(environment: NodeJS.ProcessEnv, mark: string): NodeJS.ProcessEnv {
  const outer = environment[MARK_VARIABLE];
  return { ...environment, [MARK_VARIABLE]: outer === undefined ? mark : `${outer} ${mark}` };
}

export class Descendants {
  /**
   * @param leader a child that leads a process group of its own
   * @param mark what the environment of all of them contains; null to leave alone those that left the group
   */
  constructor(
    private readonly leader: ChildProcess,
    private readonly mark: string | null,
  ) {}

  /** To everything that is alive. */
  signal(signal: NodeJS.Signals): void {
    this.signalGroup(signal);
    const all = this.daemons();
    // Whoever keeps a lock within this one passes SIGTERM on, and a second one might be taken for impatience.
    const own = signal === 'SIGTERM' ? all.filter((pid) => !readProc(pid, 'environ').includes(`${this.mark} `)) : all;
    const isPassedOn = own.length < all.length && (own.length > 0 || this.groupLives());
    for (const pid of isPassedOn ? own : all) send(pid, signal);
  }

  /** To the process group alone: for signals that are passed on. */
  signalGroup(signal: NodeJS.Signals): void {
    if (this.leader.pid !== undefined) send(-this.leader.pid, signal);
  }

  /** What is left of the group, the leader included: whether anything runs. */
  groupLives(): boolean {
    const { pid: group } = this.leader;
    if (group === undefined || !send(-group, 0)) return false;
    // Where nobody reaps orphans (as in many containers) the dead stay in their group for ever.
    const pids = allPids();
    return pids.length === 0 || pids.some((pid) => groupOf(pid) === group);
  }

  /** Processes that left the group and are alive. */
  daemons(): number[] {
    const { mark } = this;
    const group = this.leader.pid;
    if (mark === null || group === undefined) return [];
    return allPids().filter((pid) => {
      if (!readProc(pid, 'environ').includes(mark)) return false;
      const itsGroup = groupOf(pid);
      return itsGroup !== null && itsGroup !== group; // it may have ended since its environment was read
    });
  }
}

/** Whether there was anybody to send it to. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Empty where there is no /proc as on Linux. */
function allPids(): number[] {
  if (process.platform !== 'linux') return [];
  try {
    return readdirSync('/proc').map(Number).filter((pid) => pid > 0);
  } catch {
    return [];
  }
}

/** The process group of one that is alive. */
function groupOf(pid: number): number | null {
  // The name of the program, in parentheses, may contain anything.
  const [state, , group] = readProc(pid, 'stat').toString('latin1').replace(/^.*\) /s, '').split(' ');
  return group === undefined || state === 'Z' || state === 'X' ? null : Number(group);
}
