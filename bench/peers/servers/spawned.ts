/**
 * The servers of one run: each a process on loopback in a temporary folder. Law: whatever was started here is ended, and the
 * folder removed, when the run ends, by whatever way it ends short of `kill -9`.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from '../clients/lock-client';

const running = new Set<ChildProcess>();
let folder: string | null = null;

/** What a server printed last, to be shown should it end by itself. */
const OUTPUT_KEPT = 2_000;
const START_MS = 60_000;

export interface Spawned {
  readonly pid: number;
  /** Throws when the process has ended by itself. */
  readonly check: () => void;
  readonly end: (signal?: NodeJS.Signals) => Promise<void>;
}

export interface SpawnSettings {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
}

/** A folder for all of the run, removed at its end. */
export function temporaryFolder(): string {
  folder ??= mkdtempSync(join(tmpdir(), 'maekawa-bench-'));
  return folder;
}

export function spawned(program: string, argv: readonly string[], { env, ...settings }: SpawnSettings): Spawned {
  const child = spawn(program, argv, { ...settings, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-OUTPUT_KEPT)));
  let failure: string | null = null;
  const closed = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      failure = error.message;
      resolve();
    });
    child.once('exit', (code, signal) => {
      failure ??= `it ended with ${signal ?? code}`;
      running.delete(child);
      resolve();
    });
  });
  running.add(child);
  return {
    pid: child.pid ?? 0,
    check: () => {
      if (failure !== null) throw new Error(`${program}: ${failure}; its last words:\n${output}`);
    },
    end: async (signal = 'SIGTERM') => {
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Until somebody listens there. */
export async function untilListening(port: number, { check }: Spawned): Promise<void> {
  await until(() => listens(port), check, `a server to listen on port ${port}`);
}

export async function until(holds: () => Promise<boolean>, check: () => void, what: string): Promise<void> {
  for (const endsAt = performance.now() + START_MS; ; ) {
    check();
    if (await holds()) return;
    if (performance.now() > endsAt) throw new Error(`waited ${START_MS} ms for ${what}`);
    await pause(50);
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (does: boolean): void => {
      socket.destroy();
      resolve(does);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}

/** For every way out. Nothing of a server is needed any more, so none is asked to end in good order. */
export function endAllServers(): void {
  for (const child of running) child.kill('SIGKILL');
  if (folder !== null) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  folder = null;
}
