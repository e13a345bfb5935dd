/**
 * How many clients may be connected at once. Law: what is left of the process's descriptors is enough for its peers, its data
 * directory and the program around it.
 */
import { readFileSync } from 'node:fs';

/** Unless the process may open too few files for them. */
export const connectionsMaxDefault = 10_000;

/** Of the descriptors. */
const SHARE_OF_CLIENTS = 3 / 4;

export interface ConnectionLimit {
  readonly connectionsMax: number;
  /** What an operator should know of it; or null. */
  readonly remark: string | null;
}

/**
 * @param wanted what was asked for, if anything
 * @param descriptors how many files the process may have open; null where that cannot be told
 */
export function connectionLimit(wanted: number | undefined, descriptors: number | null = descriptorsMax()): ConnectionLimit {
  const allowed = descriptors === null ? connectionsMaxDefault : Math.floor(descriptors * SHARE_OF_CLIENTS);
  const limit = `this process may have ${descriptors} files open at once (ulimit -n)`;
  if (wanted !== undefined) {
    const remark = descriptors === null || wanted <= allowed ? null : `up to ${wanted} clients are let in, but ${limit}: with that many, peers and the disk may be left without one`;
    return { connectionsMax: wanted, remark };
  }
  if (allowed >= connectionsMaxDefault) return { connectionsMax: connectionsMaxDefault, remark: null };
  return { connectionsMax: allowed, remark: `up to ${allowed} clients are let in, because ${limit}` };
}

/** Null where there is no limit, or it cannot be told. Node.js raises it as far as the user may. */
function descriptorsMax(): number | null {
  return openFilesLimit('self')?.soft ?? null;
}

/** How many files a process may have open. `hard`: how far it may raise that; null when there is no limit to it. Null where /proc of Linux does not tell. */
export function openFilesLimit(process: number | 'self'): { readonly soft: number; readonly hard: number | null } | null {
  try {
    const [, soft, hard] = /^Max open files +(\d+) +(\d+|unlimited)/m.exec(readFileSync(`/proc/${process}/limits`, 'latin1')) ?? [];
    return soft === undefined ? null : { soft: Number(soft), hard: hard === 'unlimited' ? null : Number(hard) };
  } catch {
    return null;
  }
}
