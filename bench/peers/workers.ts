/** The processes that do what is measured, from the side of the benchmark. Law: each is ended when the run ends. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Answer, Command } from './worker';
import type { Looped } from './loops';

const running = new Set<Worker>();
/** On a machine that has nothing else to do, nothing that is measured takes so long. */
const ANSWER_MS = 180_000;

export class Worker {
  private readonly process: ChildProcess = fork(join(__dirname, 'worker.js'), { execArgv: ['--expose-gc'] });
  private readonly answers: ((answer: Answer) => void)[] = [];
  readonly exited: Promise<void>;

  constructor() {
    running.add(this);
    this.process.on('message', (answer: Answer) => this.answers.shift()?.(answer));
    this.exited = new Promise((resolve) => this.process.once('exit', (code, signal) => {
      running.delete(this);
      for (const answer of this.answers.splice(0)) answer({ kind: 'failed', message: `its process ended with ${signal ?? code}` });
      resolve();
    }));
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** @throws Error when the process could not do it, has ended, or takes too long */
  async ask(command: Command, withinMs = ANSWER_MS): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined;
    const answer = await new Promise<Answer>((resolve) => {
      this.answers.push(resolve);
      timer = setTimeout(() => resolve({ kind: 'failed', message: `no answer in ${withinMs} ms` }), withinMs);
      this.process.send(command, (error) => error !== null && resolve({ kind: 'failed', message: error.message }));
    });
    clearTimeout(timer);
    if (answer.kind === 'failed') throw new Error(`${command.kind}: ${answer.message}`);
    return answer;
  }

  async looped(command: Command): Promise<Looped> {
    const answer = await this.ask(command);
    if (answer.kind !== 'looped') throw new Error(`${command.kind} was answered with ${answer.kind}`);
    return answer.looped;
  }

  async numbers(command: Command): Promise<readonly number[]> {
    const answer = await this.ask(command);
    switch (answer.kind) {
      case 'entered':
        return answer.atMs;
      case 'took':
        return answer.ms;
      case 'port':
        return [answer.port];
      default:
        throw new Error(`${command.kind} was answered with ${answer.kind}`);
    }
  }

  /** As a machine that loses power, as far as its process is concerned. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.exited;
  }

  /** In good order, or after a second without it. */
  async stop(): Promise<void> {
    await this.ask({ kind: 'stop' }, 1_000).catch(() => undefined);
    await this.kill();
  }
}

export function endAllWorkers(): void {
  for (const worker of running) void worker.kill();
}
