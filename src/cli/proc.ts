/** What /proc of Linux tells of processes. Law: empty where there is none, or where a process is gone or not ours; it never throws. */
import { readFileSync } from 'node:fs';

export function readProc(process: number | 'self', file: 'cmdline' | 'environ' | 'stat'): Buffer {
  try {
    return readFileSync(`/proc/${process}/${file}`);
  } catch {
    return Buffer.alloc(0);
  }
}
