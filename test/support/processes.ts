/** Real processes in tests: the built `maekawa`, and clusters of it. Polls with deadlines; never sleeps blindly. */
import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster, freePorts } from '../../src/cli/demo/cluster';
import { parseConfiguration } from '../../src/config';

export { freePorts };

const ROOT = join(__dirname, '../..');

export const PROGRAM = join(ROOT, 'dist/src/cli/main.js');

if (!existsSync(PROGRAM)) throw new Error('these tests run the built program; `npm test` builds it, `npm run build` does so alone');

/** Those that a failed test left behind would keep the test runner waiting. */
const started = new Set<ChildProcess>();
afterAll(() => {
  for (const child of started) {
    child.kill('SIGKILL');
    // What it started may live on and keep them open.
    for (const stream of child.stdio) stream?.destroy();
  }
});

/** Ends it with the test file at the latest. */
export function track<Child extends ChildProcess>(child: Child): Child {
  started.add(child);
  child.once('close', () => started.delete(child));
  return child;
}

export class Started {
  output = '';
  errors = '';
  readonly child: ChildProcess;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;

  constructor([file, ...args]: readonly [string, ...string[]], options: SpawnOptions = {}) {
    this.child = track(spawn(file, args, { ...options, stdio: 'pipe' }));
    this.child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    // What it does not read any more is no error of the test.
    this.child.stdin?.on('error', () => undefined);
    this.ended = new Promise((resolve) => this.child.once('close', (code, signal) => resolve(signal ?? code ?? -1)));
  }

  /** Resolves when standard output matches. */
  prints(pattern: RegExp): Promise<RegExpExecArray> {
    return until(() => pattern.exec(this.output), () => `${pattern} in:\n${this.output}${this.errors}`);
  }

  complains(pattern: RegExp): Promise<RegExpExecArray> {
    return until(() => pattern.exec(this.errors), () => `${pattern} in:\n${this.errors}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** The built `maekawa`. */
export class Program extends Started {
  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    super([process.execPath, PROGRAM, ...args], { env: { ...process.env, ...env } });
  }
}

/** JavaScript in a process of its own, which may require what this package may; `process.argv[1]` is the first argument. */
export class Script extends Started {
  constructor(source: string, ...args: readonly string[]) {
    super([process.execPath, '-e', source, ...args], { cwd: ROOT });
  }
}

/** Not a zombie that waits for its parent either. */
export function isRunning(pid: number): boolean {
  const state = processState(pid);
  return state !== null && state !== 'Z' && state !== 'X';
}

/** As in /proc: `R`, `S`, `T` (stopped), `Z` …; null for one that is gone. */
export function processState(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').charAt(0);
  } catch {
    if (process.platform === 'linux') return null;
  }
  try {
    process.kill(pid, 0);
    return 'R';
  } catch {
    return null;
  }
}

/** Polls until `find` finds something. */
export async function until<Found>(
  find: () => Found | null | undefined | false | Promise<Found | null | undefined | false>,
  what: string | (() => string),
  withinMs = 30_000,
): Promise<Found> {
  for (const deadline = performance.now() + withinMs; ; ) {
    const found = await find();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain for ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface ClusterOptions {
  readonly nodes?: number;
  readonly leaseMs?: number;
  readonly nodeArguments?: readonly string[];
}

/** A majority cluster of processes, not started yet. */
export function prepareCluster({ nodes = 3, leaseMs = 1_500, nodeArguments = [] }: ClusterOptions = {}): Promise<Cluster> {
  const ids = Array.from({ length: nodes }, (_, index) => `n${index + 1}`);
  const configuration = parseConfiguration(
    {
      cluster: 'test',
      nodes: ids.map((id, index) => ({ id, address: `127.0.0.1:${7101 + index}` })), // the cluster takes free ports
      quorums: { family: 'majority' },
      leaseMs,
    },
    'the test',
  );
  return Cluster.prepare(configuration, nodeArguments, PROGRAM);
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await prepareCluster(options);
  for (const { id } of cluster.configuration.nodes) cluster.start(id, '--first-start');
  await cluster.untilConnected(30_000);
  return cluster;
}
