/**
 * `maekawa demo`: real nodes share a lock, one is killed while it holds the lock, the others go on, and the killed
 * one comes back. Then the demo judges the file that all of them wrote. Ends with 1 if any check fails.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { readConfiguration } from '../../config';
import type { Configuration } from '../../config';
import type { NodeId, Token } from '../../core';
import { LockError } from '../../errors';
import type { StatusReply } from '../../client-protocol/schema';
import { onUnwritten } from '../../standard-output';
import { visible } from '../../visible';
import { DieOf, EXIT, ExitWith } from '../exit-codes';
import { withManual } from '../manual';
import { configOption, durationOption } from '../options';
import { printText } from '../print';
import { formatTable } from '../table';
import type { WorkloadLine } from '../workload';
import { Cluster } from './cluster';
import { judge } from './judge';
import { createView } from './view';
import type { DemoView } from './view';

const LOCK = 'demo';
const WORK_MS = 150;
const EVERY_MS = 200;
/** How often the shared file is looked at. */
const LOOK_MS = 10;
const CONNECT_MS = 15_000;

interface DemoOptions {
  readonly config: string;
  readonly compete: number;
}

export function demoCommand(): Command {
  const command = new Command('demo')
    .description('watch nodes share a lock, lose one of them, and go on')
    .addOption(configOption())
    .addOption(durationOption('--compete <duration>', 'how long the nodes compete before the crash; half as long after it', '5s'));
  return withManual(command, {
    description: [
      'Starts every node of the configuration as a process of its own, on free ports of this machine and in a temporary directory. It disturbs no other process and removes the directory at the end. It kills the node that holds the lock, waits until another node enters, and starts the killed one again. Then it judges the file that all of them wrote. Takes about 20 seconds.',
    ],
    exitCodes: ['usage', ['failed', 'a check failed']],
    examples: [['maekawa demo'], ['maekawa demo --config my-quorums.json --compete 30s']],
  }).action(run);
}

async function run({ config, compete }: DemoOptions): Promise<void> {
  const configuration = readConfiguration(config);
  const cluster = await Cluster.prepare(configuration, ['--log-level', 'warn', '--lock', LOCK, '--every', `${EVERY_MS}ms`, '--work', `${WORK_MS}ms`]);
  const interrupted = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => interrupted.abort(new DieOf(signal));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  // The nodes would go on without it.
  onUnwritten((exitCode) => interrupted.abort(new ExitWith(exitCode)));
  const demo = new Demo(cluster, configuration, compete);
  try {
    const failures = await Promise.race([
      demo.play(),
      new Promise<never>((_, reject) => interrupted.signal.addEventListener('abort', () => reject(interrupted.signal.reason as Error))),
    ]);
    if (failures.length > 0) {
      printText(`\nFAILED:\n${failures.map((each) => `  ${visible(each)}`).join('\n')}`);
      throw new ExitWith(EXIT.failed);
    }
    printText('\nAll checks passed.');
  } finally {
    demo.end();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await cluster.remove();
  }
}

class Demo {
  private readonly file: string;
  private readonly view: DemoView;
  private readonly lines: WorkloadLine[] = [];
  private readonly follower: NodeJS.Timeout;
  private readonly startedAtMs = performance.now();
  /** Tokens of holders that were killed while inside. */
  private readonly died = new Set<Token>();
  /** What nodes counted in lives that are over. */
  private readonly counted: StatusReply[] = [];
  private unread = '';
  private readAt = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly configuration: Configuration,
    private readonly competeMs: number,
  ) {
    this.file = join(cluster.directory, 'shared.log');
    closeSync(openSync(this.file, 'a'));
    this.view = createView(this.ids, this.startedAtMs);
    this.follower = setInterval(() => this.look(), LOOK_MS);
  }

  private get ids(): NodeId[] {
    return this.configuration.nodes.map((node) => node.id);
  }

  /** Returns what failed. */
  async play(): Promise<string[]> {
    const { view, cluster } = this;
    const failures: string[] = [];
    view.say(`starting ${this.ids.length} nodes; a lease is ${this.configuration.leaseMs} ms`);
    for (const id of this.ids) cluster.start(id, '--first-start', '--file', this.file);
    await cluster.untilConnected(CONNECT_MS);
    view.say('all are connected and compete for the lock');
    await sleep(this.competeMs);

    const killed = await this.killHolder();
    view.say(`killed ${killed.node} (kill -9) while it held the lock with token ${killed.token}`);
    failures.push(...(await this.waitForSuccessor(killed)));
    await sleep(this.competeMs / 2);

    view.say(`restarting ${killed.node}; it lends no vote for one lease`);
    cluster.start(killed.node, '--file', this.file);
    await cluster.untilConnected(CONNECT_MS);
    view.up(killed.node);
    failures.push(...(await this.waitForEntryOf(killed.node)));
    await sleep(this.competeMs / 2);

    for (const id of this.ids) this.remember(await cluster.status(id));
    view.say('stopping all nodes (SIGTERM)');
    for (const [id, how] of await cluster.stop()) if (how !== 0) failures.push(`node ${id} did not stop in good order: ${how}`);
    this.look();
    this.end();
    return [...failures, ...this.report()];
  }

  end(): void {
    clearInterval(this.follower);
    this.view.end();
  }

  /** Kill whoever is inside. It is the holder only if it did not leave in the moment before. */
  private async killHolder(): Promise<WorkloadLine> {
    for (const untilMs = performance.now() + 10_000; performance.now() < untilMs; await sleep(LOOK_MS)) {
      const holder = this.lines.at(-1);
      if (holder?.event !== 'enter') continue;
      const status = await this.cluster.status(holder.node);
      if (this.lines.at(-1) !== holder) continue;
      this.cluster.signal(holder.node, 'SIGKILL');
      await this.cluster.exited(holder.node);
      this.look();
      this.view.down(holder.node);
      this.remember(status);
      if (this.lines.some((line) => line.event === 'leave' && line.token === holder.token)) {
        // It left in the last moment: bring it back and try again.
        this.cluster.start(holder.node, '--file', this.file);
        this.view.up(holder.node);
        continue;
      }
      this.died.add(holder.token);
      return holder;
    }
    throw new LockError('timeout', 'no node entered within 10 s');
  }

  private async waitForSuccessor(killed: WorkloadLine): Promise<string[]> {
    const killedAtMs = performance.now();
    const boundMs = this.configuration.leaseMs + 1_000;
    const next = await this.waitForLine((line) => line.event === 'enter' && line !== killed, boundMs + 5_000, this.lines.indexOf(killed) + 1);
    const tookMs = Math.round(performance.now() - killedAtMs);
    if (next === null) return [`nobody entered within ${boundMs + 5_000} ms after the holder was killed`];
    this.view.say(`${next.node} entered ${tookMs} ms after the kill, with the larger token ${next.token}`);
    return tookMs <= boundMs ? [] : [`the next entry after the kill took ${tookMs} ms; at most a lease and 1 s (${boundMs} ms) are allowed`];
  }

  private async waitForEntryOf(node: NodeId): Promise<string[]> {
    const boundMs = 3 * this.configuration.leaseMs + 5_000;
    const line = await this.waitForLine((each) => each.event === 'enter' && each.node === node, boundMs, this.lines.length);
    if (line === null) return [`${node} did not enter within ${boundMs} ms after its restart`];
    this.view.say(`${node} is back: it entered with token ${line.token}`);
    return [];
  }

  private async waitForLine(matches: (line: WorkloadLine) => boolean, withinMs: number, from: number): Promise<WorkloadLine | null> {
    for (const untilMs = performance.now() + withinMs; performance.now() < untilMs; await sleep(LOOK_MS)) {
      const found = this.lines.slice(from).find(matches);
      if (found !== undefined) return found;
    }
    return null;
  }

  /** Read what was appended to the shared file. */
  private look(): void {
    const file = openSync(this.file, 'r');
    const chunk = Buffer.alloc(65_536);
    const length = readSync(file, chunk, 0, chunk.length, this.readAt);
    closeSync(file);
    this.readAt += length;
    const parts = (this.unread + chunk.toString('utf8', 0, length)).split('\n');
    this.unread = parts.pop() ?? '';
    for (const part of parts) {
      const line = JSON.parse(part) as WorkloadLine;
      this.lines.push(line);
      this.view.happened(line);
    }
  }

  private remember(status: StatusReply | null): void {
    if (status !== null) this.counted.push(status);
  }

  private report(): string[] {
    const { entries, overlaps, tokenFaults } = judge(this.lines, this.died);
    const { coterie } = this.configuration;
    const sent = this.counted.flatMap((status) => status.sent).reduce((sum, { count }) => sum + count, 0);
    const counted = this.counted.reduce((sum, status) => sum + status.entries, 0);
    const quorumSize = this.ids.reduce((sum, id) => sum + coterie.votingSet(id).length, 0) / this.ids.length;
    const total = [...entries.values()].reduce((a, b) => a + b, 0);
    const rows = this.ids.map((id) => [id, String(entries.get(id) ?? 0)]);
    printText(`\n${formatTable(['NODE', 'ENTRIES'], rows)}\n
entries            ${total}
overlaps           ${overlaps.length}
tokens             ${tokenFaults.length === 0 ? 'each larger than all before' : `${tokenFaults.length} out of order`}
messages per entry ${(sent / counted).toFixed(2)}, repeats after the crash included; without contention 3(K - 1) = ${(3 * (quorumSize - 1)).toFixed(2)}`);
    const idle = this.ids.filter((id) => !entries.has(id)).map((id) => `node ${id} never entered`);
    return [...overlaps, ...tokenFaults, ...idle];
  }
}
