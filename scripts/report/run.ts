/**
 * The run that the report is about: real nodes, each a process of its own, first three of a majority and then a grid of two by
 * two of which one is killed. What they record goes to a directory: `majority/n1.trace` … `grid/n4.trace`, and `facts.json`
 * with what only the driver knows.
 * Law: it makes things happen and judges nothing.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from '../../src/cli/demo/cluster';
import { connect } from '../../src/client/connect';
import type { RemoteLocks } from '../../src/client/connect';
import { parseConfiguration } from '../../src/config';
import type { Configuration } from '../../src/config';
import type { NodeId } from '../../src/core';
import type { Facts } from './logs';
import { ROOT } from './root';

export interface RunOptions {
  readonly leaseMs: number;
  /** Rounds in which all nodes ask at once: at least so many … */
  readonly roundsMin: number;
  /** … and no more, though no node has yielded yet. */
  readonly roundsMax: number;
}

export const RUN_DEFAULTS: RunOptions = { leaseMs: 2_000, roundsMin: 4, roundsMax: 60 };

const CONNECT_MS = 60_000;
/** For all that happens in one cluster. */
const PATIENCE_MS = 120_000;
const INSIDE_MS = 10;
/** A node writes its trace ten times a second, and what a killed one had not written is lost. */
const WRITTEN_MS = 150;

/**
 * Ends with no node left running, also when `interrupted` is aborted.
 * @throws LockError or an `AbortError` when a node ends by itself or a lock is not had in time; the reason of `interrupted`
 */
export async function runClusters(directory: string, options: RunOptions = RUN_DEFAULTS, interrupted: AbortSignal = new AbortController().signal): Promise<void> {
  await inCluster(interrupted, join(directory, 'majority'), majority(options), ['--no-retain'], (cluster) => compete(cluster, options));
  const killed = await inCluster(interrupted, join(directory, 'grid'), grid(options), [], async (running) => {
    for (const id of running.ids) await running.enter(id, `alone-${id}`);
    await competeUntilYield(running, options);
    return killHolder(running);
  });
  const facts: Facts = { killed };
  writeFileSync(join(directory, 'facts.json'), `${JSON.stringify(facts)}\n`);
}

const nodesOf = (count: number): object[] => Array.from({ length: count }, (_, index) => ({ id: `n${index + 1}`, address: `127.0.0.1:${7001 + index}` }));

function majority({ leaseMs }: RunOptions): Configuration {
  return parseConfiguration({ cluster: 'report-majority', nodes: nodesOf(3), quorums: { family: 'majority' }, leaseMs }, 'the configuration of the run');
}

function grid({ leaseMs }: RunOptions): Configuration {
  return parseConfiguration({ cluster: 'report-grid', nodes: nodesOf(4), quorums: { family: 'grid', columns: [['n1', 'n2'], ['n3', 'n4']] }, leaseMs }, 'the configuration of the run');
}

class Running {
  readonly signal: AbortSignal;
  private readonly clients = new Map<NodeId, RemoteLocks>();

  constructor(readonly cluster: Cluster, readonly directory: string, interrupted: AbortSignal) {
    this.signal = AbortSignal.any([AbortSignal.timeout(PATIENCE_MS), interrupted]);
  }

  get ids(): NodeId[] {
    return this.cluster.configuration.nodes.map(({ id }) => id);
  }

  start(id: NodeId, ...extraArguments: string[]): void {
    this.signal.throwIfAborted();
    this.cluster.start(id, '--trace', this.traceOf(id), ...extraArguments);
  }

  traceOf(id: NodeId): string {
    return join(this.directory, `${id}.trace`);
  }

  client(id: NodeId): RemoteLocks {
    const client = this.clients.get(id) ?? connect({ addresses: [this.cluster.addressOf(id)] });
    this.clients.set(id, client);
    return client;
  }

  /** A caller of this node enters, stays a moment and leaves. */
  async enter(id: NodeId, lock: string): Promise<void> {
    await this.client(id).locks.request(lock, { signal: this.signal }, () => sleep(INSIDE_MS));
  }

  async close(): Promise<void> {
    await Promise.all([...this.clients.values()].map((client) => client.close()));
  }
}

async function inCluster<Result>(
  interrupted: AbortSignal, directory: string, configuration: Configuration, nodeArguments: readonly string[], act: (running: Running) => Promise<Result>,
): Promise<Result> {
  interrupted.throwIfAborted();
  mkdirSync(directory, { recursive: true });
  const cluster = await Cluster.prepare(configuration, ['--log-level', 'warn', ...nodeArguments], join(ROOT, 'dist/src/cli/main.js'));
  const running = new Running(cluster, directory, interrupted);
  const play = async (): Promise<Result> => {
    for (const id of running.ids) running.start(id, '--first-start');
    await cluster.untilConnected(CONNECT_MS);
    return act(running);
  };
  try {
    const result = await Promise.race([play(), new Promise<never>((_, reject) => interrupted.addEventListener('abort', () => reject(interrupted.reason as Error)))]);
    await running.close();
    await cluster.stop();
    return result;
  } finally {
    await running.close();
    await cluster.remove();
  }
}

/** Each node enters a lock of its own, which nobody else wants; then all ask for one lock at once, a few times. */
async function compete(running: Running, { roundsMin }: RunOptions): Promise<void> {
  for (const id of running.ids) await running.enter(id, `alone-${id}`);
  for (let round = 1; round <= roundsMin; round++) await allEnter(running, round);
}

/** All ask at once until some node has yielded. */
async function competeUntilYield(running: Running, { roundsMin, roundsMax }: RunOptions): Promise<void> {
  for (let round = 1; round <= roundsMax; round++) {
    await allEnter(running, round);
    await sleep(WRITTEN_MS);
    if (round >= roundsMin && running.ids.some((id) => readFileSync(running.traceOf(id), 'utf8').includes('"kind":"yield"'))) return;
  }
}

async function allEnter(running: Running, round: number): Promise<void> {
  await Promise.all(running.ids.map((id) => running.enter(id, `shared-${round}`)));
}

/**
 * One node enters a lock twice and keeps its votes meanwhile. It is killed inside another lock that somebody waits for, starts
 * again, and enters that lock once more.
 */
async function killHolder(running: Running): Promise<Facts['killed']> {
  const { cluster, signal } = running;
  const [holder, waiter] = ['n1', 'n4'];
  await running.enter(holder, 'again');
  await running.enter(holder, 'again');

  await running.client(holder).locks.acquire('killed', { signal });
  const waits = running.enter(waiter, 'killed');
  await sleep(2 * WRITTEN_MS);
  const atMs = Date.now();
  cluster.signal(holder, 'SIGKILL');
  await cluster.exited(holder);
  await waits;
  running.start(holder);
  await cluster.untilConnected(CONNECT_MS);
  await running.enter(holder, 'killed');
  return { node: holder, atMs };
}
