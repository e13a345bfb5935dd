/** Real nodes of one configuration, each a process of its own, on free ports of this machine and in a temporary place. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Configuration } from '../../config';
import type { NodeId } from '../../core';
import { LockError } from '../../errors';
import { NodeConnection } from '../../client/node-connection';
import type { StatusReply } from '../../client-protocol/schema';

/** Output of a node that is kept, to be shown should it end by itself. */
const OUTPUT_KEPT = 2_000;

interface Running {
  readonly process: ChildProcess;
  readonly client: NodeConnection;
  readonly exited: Promise<number | NodeJS.Signals>;
  output: string;
}

export class Cluster {
  readonly directory = mkdtempSync(join(tmpdir(), 'maekawa-'));
  private readonly running = new Map<NodeId, Running>();

  private constructor(
    readonly configuration: Configuration,
    private readonly addresses: ReadonlyMap<NodeId, string>,
    private readonly nodeArguments: readonly string[],
    private readonly program: string,
  ) {
    const { cluster, quorums, leaseMs, retryMs, driftMax } = configuration;
    const nodes = [...addresses].map(([id, address]) => ({ id, address }));
    writeFileSync(this.configFile, JSON.stringify({ cluster, nodes, quorums, leaseMs, retryMs, driftMax }, null, 2));
  }

  /**
   * @param nodeArguments further arguments of `maekawa node` for each node
   * @param program the JavaScript file that is `maekawa`. Default: what this process runs
   */
  static async prepare(
    configuration: Configuration,
    nodeArguments: readonly string[] = [],
    program = process.argv[1] ?? '',
  ): Promise<Cluster> {
    const ports = await freePorts(configuration.nodes.length);
    const addresses = new Map(configuration.nodes.map(({ id }, index) => [id, `127.0.0.1:${ports[index] ?? 0}`]));
    return new Cluster(configuration, addresses, nodeArguments, program);
  }

  get configFile(): string {
    return join(this.directory, 'quorums.json');
  }

  addressOf(id: NodeId): string {
    return this.addresses.get(id) ?? '';
  }

  start(id: NodeId, ...extraArguments: string[]): void {
    const dataDir = join(this.directory, id);
    const child = spawn(
      process.execPath,
      [this.program, 'node', '--id', id, '--config', this.configFile, '--data-dir', dataDir, ...this.nodeArguments, ...extraArguments],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const exited = new Promise<number | NodeJS.Signals>((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code ?? 0)));
    const running: Running = { process: child, exited, output: '', client: new NodeConnection(this.addressOf(id)) };
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        running.output = (running.output + chunk.toString()).slice(-OUTPUT_KEPT);
      });
    }
    this.running.set(id, running);
  }

  /** The end of what a node printed. */
  outputOf(id: NodeId): string {
    return this.running.get(id)?.output ?? '';
  }

  isRunning(id: NodeId): boolean {
    const child = this.running.get(id)?.process;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  signal(id: NodeId, signal: NodeJS.Signals): void {
    this.running.get(id)?.process.kill(signal);
  }

  /** The exit code or the signal that ended the node. */
  async exited(id: NodeId): Promise<number | NodeJS.Signals> {
    return (await this.running.get(id)?.exited) ?? 0;
  }

  /** Null when the node does not answer. */
  async status(id: NodeId): Promise<StatusReply | null> {
    return (await this.running.get(id)?.client.status(1_000).catch(() => null)) ?? null;
  }

  /** Until every node that runs reaches every other. @throws LockError `unreachable` */
  async untilConnected(withinMs: number): Promise<void> {
    const untilMs = performance.now() + withinMs;
    for (const id of this.running.keys()) {
      for (;;) {
        if (!this.isRunning(id)) throw new LockError('unreachable', `node ${id} ended by itself; its last words:\n${this.outputOf(id)}`);
        const status = await this.status(id);
        if (status?.peers.every((peer) => peer.up || !this.isRunning(peer.node)) === true) break;
        if (performance.now() > untilMs) throw new LockError('unreachable', `node ${id} is not connected after ${withinMs} ms; its last words:\n${this.outputOf(id)}`);
        await sleep(50);
      }
    }
  }

  /** Ask every node to stop; those that do not are killed. Returns how each of the nodes asked ended. */
  async stop(withinMs = 2_000): Promise<Map<NodeId, number | NodeJS.Signals>> {
    const ends = new Map<NodeId, number | NodeJS.Signals>();
    await Promise.all(
      [...this.running].filter(([id]) => this.isRunning(id)).map(async ([id, { process: child, exited }]) => {
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
        ends.set(id, await exited);
        clearTimeout(timer);
      }),
    );
    return ends;
  }

  /** Kill what still runs and delete everything. */
  async remove(): Promise<void> {
    await Promise.all([...this.running.values()].map(({ process: child, exited, client }) => {
      child.kill('SIGKILL');
      void client.close();
      return exited;
    }));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The system gives ports from 32768 or above to whoever connects: one of those could be taken before a node listens on it. */
const PORTS = { from: 10_000, to: 32_000 };

/** Ports of this machine that nobody uses at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  while (servers.length < count) {
    const server = createServer();
    const listens = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(randomInt(PORTS.from, PORTS.to), '127.0.0.1', () => resolve(true));
    });
    if (listens) servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
