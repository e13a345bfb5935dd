/**
 * `npm run bench`: what this machine does, measured with real processes on loopback, printed as it is
 * published in the README. Figures that are compared are measured in turns within one run.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { program } from 'commander';
import { wholeNumber } from '../sim/options';
import { runSeed } from '../sim/run';
import { freePorts } from '../src/cli/demo/cluster';
import { endUnlessWritten } from '../src/standard-output';
import type { Answer, Command } from './worker';
import type { Measured, Scenario } from './scenarios';

const { forMs: FOR_MS } = program
  .name('bench')
  .description('Measures what this machine does with locks, in real processes on loopback.')
  .option('--for-ms <number>', 'for how many milliseconds each figure is measured', wholeNumber(100, 600_000), 3_000)
  .allowExcessArguments(false)
  .parse()
  .opts<{ readonly forMs: number }>();
const NODES = ['n1', 'n2', 'n3'] as const;

class Worker {
  private readonly process: ChildProcess = fork(join(__dirname, 'worker.js'));
  private readonly answers: ((answer: Answer) => void)[] = [];

  constructor() {
    this.process.on('message', (answer: Answer) => this.answers.shift()?.(answer));
    this.process.on('exit', (code) => {
      if (code !== 0) for (const answer of this.answers) answer({ kind: 'failed', message: `a process ended with ${code}` });
    });
  }

  async ask(command: Command): Promise<Answer> {
    const answer = await new Promise<Answer>((resolve) => {
      this.answers.push(resolve);
      this.process.send(command);
    });
    if (answer.kind === 'failed') throw new Error(`${command.kind}: ${answer.message}`);
    return answer;
  }

  async measure(command: Command): Promise<Measured> {
    const answer = await this.ask(command);
    if (answer.kind !== 'measured') throw new Error(`${command.kind} was answered with ${answer.kind}`);
    return answer.measured;
  }

  async messagesSent(): Promise<number> {
    const answer = await this.ask({ kind: 'messagesSent' });
    return answer.kind === 'messagesSent' ? answer.count : NaN;
  }
}

async function startCluster(retain: boolean): Promise<Worker[]> {
  const ports = await freePorts(NODES.length);
  const nodes = NODES.map((id, index) => ({ id, address: `127.0.0.1:${ports[index] ?? 0}` }));
  const config = { nodes, quorums: { family: 'majority' }, leaseMs: 5_000 };
  const workers = NODES.map(() => new Worker());
  await Promise.all(workers.map((worker, index) =>
    worker.ask({ kind: 'start', options: { id: NODES[index] ?? '', config, ephemeral: true, firstStart: true, retain } })));
  await Promise.all(workers.map((worker) => worker.ask({ kind: 'ready' })));
  return workers;
}

async function startEchoes(): Promise<[Worker, Worker]> {
  const [portA = 0, portB = 0] = await freePorts(2);
  const a = new Worker();
  const b = new Worker();
  await a.ask({ kind: 'startEcho', end: { self: 'a', listenAt: `127.0.0.1:${portA}`, peers: { b: `127.0.0.1:${portB}` } } });
  await b.ask({ kind: 'startEcho', end: { self: 'b', listenAt: `127.0.0.1:${portB}`, peers: { a: `127.0.0.1:${portA}` } } });
  await Promise.all([a, b].map((worker) => worker.ask({ kind: 'ready' })));
  return [a, b];
}

/** Scenarios on some nodes of a cluster at once, after a warm-up. */
async function measureOn(workers: readonly Worker[], scenario: Scenario): Promise<{ perSecond: number; messagesPerEntry: number }> {
  await Promise.all(workers.map((worker) => worker.measure({ kind: 'run', scenario: { ...scenario, forMs: FOR_MS / 3 } })));
  const sentBefore = await sum(workers.map((worker) => worker.messagesSent()));
  const measured = await Promise.all(workers.map((worker) => worker.measure({ kind: 'run', scenario })));
  const sent = (await sum(workers.map((worker) => worker.messagesSent()))) - sentBefore;
  const entries = measured.reduce((total, each) => total + each.entries, 0);
  const elapsedMs = Math.max(...measured.map((each) => each.elapsedMs));
  return { perSecond: (entries / elapsedMs) * 1000, messagesPerEntry: sent / entries };
}

async function main(): Promise<void> {
  const cpu = cpus()[0]?.model ?? 'unknown CPU';
  print(`${cpu}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node.js ${process.version}, ${process.platform}`);
  print('3 nodes, one process each, majority (K = 2), loopback\n');

  const retaining = await startCluster(true);
  const [first, ...others] = retaining as [Worker, ...Worker[]];
  const one = await measureOn([first], { kind: 'loop', callers: 1, sameName: false, forMs: FOR_MS });
  print(row('one caller, one name, votes retained', `${whole(one.perSecond)} entries/s`));
  const contended = await measureOn([first, ...others], { kind: 'loop', callers: 4, sameName: true, forMs: FOR_MS });
  print(row('3 nodes × 4 callers, one name', `${whole(contended.perSecond)} entries/s, ${contended.messagesPerEntry.toFixed(2)} messages each`));
  await stop(retaining);

  const plain = await startCluster(false);
  const [lone] = plain as [Worker];
  const many = await measureOn([lone], { kind: 'loop', callers: 64, sameName: false, forMs: FOR_MS });
  print(row('64 names at once from one node, nothing retained', `${whole(many.perSecond)} entries/s`));
  await latency(lone);
  const before = await sum(plain.map((worker) => worker.messagesSent()));
  const counted = await lone.measure({ kind: 'run', scenario: { kind: 'latency', forMs: FOR_MS / 3 } });
  const messages = (await sum(plain.map((worker) => worker.messagesSent()))) - before;
  print(row('messages per uncontended entry', `${(messages / counted.entries).toFixed(2)}, where 3(K - 1) = 3`));
  await stop(plain);

  simulator();
}

/** Acquire and bare round trip in turns, so that both meet the same machine. */
async function latency(node: Worker): Promise<void> {
  const [a, b] = await startEchoes();
  const acquires: number[] = [];
  const roundTrips: number[] = [];
  for (let turn = 0; turn < 6; turn++) {
    const acquire = await node.measure({ kind: 'run', scenario: { kind: 'latency', forMs: FOR_MS / 3 } });
    const bare = await a.measure({ kind: 'roundTrips', to: 'b', forMs: FOR_MS / 3 });
    if (turn === 0) continue; // warm-up
    acquires.push(...acquire.latenciesUs);
    roundTrips.push(...bare.latenciesUs);
  }
  await stop([a, b]);
  const acquire = percentiles(acquires);
  const bare = percentiles(roundTrips);
  print(row('one acquire, uncontended', `${acquire.p50} µs median, ${acquire.p99} µs p99`));
  print(row('bare round trip over the same kind of stream', `${bare.p50} µs median, ${bare.p99} µs p99`));
  print(row('ratio of the medians', (acquire.p50 / bare.p50).toFixed(2)));
}

function simulator(): void {
  let events = 0;
  let entries = 0;
  let virtualUs = 0;
  for (let seed = 1; seed <= 50; seed++) runSeed(seed);
  const startedAt = performance.now();
  for (let seed = 1; performance.now() - startedAt < FOR_MS; seed++) {
    const report = runSeed(seed);
    events += report.events;
    entries += report.counts.entries;
    virtualUs += report.virtualUs;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  print(row('simulator, one process, every check on', `${whole(events / seconds)} events/s, ${(entries / (virtualUs / 1e6)).toFixed(1)} entries a virtual second`));
}

function percentiles(values: readonly number[]): { p50: number; p99: number } {
  const sorted = [...values].sort((x, y) => x - y);
  const at = (share: number): number => Math.round(sorted[Math.floor(sorted.length * share)] ?? NaN);
  return { p50: at(0.5), p99: at(0.99) };
}

async function stop(workers: readonly Worker[]): Promise<void> {
  await Promise.all(workers.map((worker) => worker.ask({ kind: 'stop' })));
}

async function sum(counts: readonly Promise<number>[]): Promise<number> {
  return (await Promise.all(counts)).reduce((total, each) => total + each, 0);
}

function row(what: string, figure: string): string {
  return `${what.padEnd(52)}${figure}`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

endUnlessWritten();
void main();
