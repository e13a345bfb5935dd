/** What Linux tells in /proc of the time and memory that processes took. Law: a process that is gone counts as nothing. */
import { readdirSync, readFileSync } from 'node:fs';

/** The unit of times in /proc/PID/stat: USER_HZ is 100 on every platform that Node.js runs on. */
const TICK_MS = 10;

export interface ProcessTimes {
  readonly parent: number;
  /** In user and kernel mode, with that of children that have ended and were waited for. */
  readonly cpuMs: number;
}

/** One line of /proc/PID/stat. The name of the program may hold spaces and parentheses. */
export function timesIn(stat: string): ProcessTimes {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
  const [user = 0, kernel = 0, childrenUser = 0, childrenKernel = 0] = fields.slice(11, 15); // From the third field on: state, parent, …
  return { parent: fields[1] ?? 0, cpuMs: (user + kernel + childrenUser + childrenKernel) * TICK_MS };
}

/** The proportional share of memory in bytes, from /proc/PID/smaps_rollup: pages that several processes share are divided among them. */
export function shareOfMemoryIn(rollup: string): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
}

/** From the first line of /proc/stat: the time that all cores were busy, and that which the host took from this machine. */
export function machineBusyMsIn(stat: string): { readonly busyMs: number; readonly stolenMs: number } {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? '').split(' ').map(Number);
  return { busyMs: (user + nice + system + irq + softIrq) * TICK_MS, stolenMs: steal * TICK_MS };
}

/** These processes and all that descend from them. */
export function familyOf(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const { parent } = timesOf(pid);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const family = [...roots];
  for (const pid of family) family.push(...(children.get(pid) ?? []));
  return family;
}

export function cpuMsOf(roots: readonly number[]): number {
  return familyOf(roots).reduce((sum, pid) => sum + timesOf(pid).cpuMs, 0);
}

export function memoryOf(roots: readonly number[]): number {
  return familyOf(roots).reduce((sum, pid) => sum + shareOfMemoryIn(read(`/proc/${pid}/smaps_rollup`)), 0);
}

export function machineBusyMs(): { readonly busyMs: number; readonly stolenMs: number } {
  return machineBusyMsIn(read('/proc/stat'));
}

function timesOf(pid: number): ProcessTimes {
  const stat = read(`/proc/${pid}/stat`);
  return stat === '' ? { parent: 0, cpuMs: 0 } : timesIn(stat);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
