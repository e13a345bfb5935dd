/**
 * A node that wants one lock again and again, and writes down when it was inside: what `maekawa node
 * --every` does, and what the demo is made of. The file is the judge: it is shared by all nodes, so
 * its lines are in the order in which things happened.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Mode, NodeId, Token } from '../core';
import { LockError } from '../errors';
import type { Lock } from '../locks/types';
import type { Logger } from '../log';
import type { MaekawaNode } from '../node/start';

export interface Workload {
  readonly lock: string;
  readonly mode: Mode;
  /** Pause between leaving and asking again. */
  readonly everyMs: number;
  /** How long the critical section takes. */
  readonly workMs: number;
  /** Where enter and leave lines are appended; nowhere if absent. */
  readonly file?: string;
}

/** One line of the file, as JSON. */
export interface WorkloadLine {
  readonly event: 'enter' | 'leave' | 'lost';
  readonly node: NodeId;
  readonly lock: string;
  readonly mode: Mode;
  readonly token: Token;
  /** Wall clock of the machine. */
  readonly atMs: number;
}

/** Runs until the node stops. */
export async function runWorkload(node: MaekawaNode, workload: Workload, log: Logger): Promise<void> {
  const { lock: name, mode, everyMs, workMs } = workload;
  while (!node.signal.aborted) {
    try {
      await node.locks.request(name, { mode }, async (lock) => {
        log.info(`entered ${quote(name)}, token ${lock.token}`);
        write(node.id, 'enter', lock, workload);
        try {
          await sleep(workMs, undefined, { signal: lock.signal });
        } finally {
          // Also when the node stops meanwhile: the next to enter must find that this one has left. And a
          // process that was frozen may come here before it hears of the loss.
          write(node.id, lock.validForMs() > 0 ? 'leave' : 'lost', lock, workload);
          log.info(`left ${quote(name)}`);
        }
      });
    } catch (error) {
      if (node.signal.aborted) return;
      if (!(error instanceof LockError) || error.code === 'config') throw error; // such as a file that cannot be written
      log.warn(error.message);
    }
    await sleep(everyMs, undefined, { signal: node.signal }).catch(() => undefined); // the node stops
  }
}

function write(node: NodeId, event: WorkloadLine['event'], lock: Lock, { file }: Workload): void {
  if (file === undefined) return;
  const line: WorkloadLine = { event, node, lock: lock.name, mode: lock.mode, token: lock.token, atMs: Date.now() };
  try {
    appendFileSync(file, `${JSON.stringify(line)}\n`);
  } catch (cause) {
    throw new LockError('config', `cannot write ${file}: ${(cause as Error).message}`, { cause });
  }
}

function quote(name: string): string {
  return JSON.stringify(name);
}
