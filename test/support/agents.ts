/** Nodes in processes of their own whose `node.locks` a test can use: each call is made over there. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Lock, LockManager, LockManagerSnapshot, LockOptions, StartOptions } from '../../src';
import { track } from './processes';

type Message =
  | { readonly kind: 'granted'; readonly id: number; readonly lock: Lock | null }
  | { readonly kind: 'ended'; readonly id: number; readonly value?: unknown; readonly error?: object };

interface Call {
  readonly callback?: (lock: Lock | null) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class Agent {
  readonly locks = { request: this.request.bind(this), query: () => this.ask('query') as Promise<LockManagerSnapshot> } as LockManager;
  private readonly child: ChildProcess;
  private readonly calls = new Map<number, Call>();
  private nextId = 1;

  private constructor() {
    this.child = track(fork(join(__dirname, 'locks-agent.js'), { serialization: 'advanced', execArgv: [] }));
    this.child.on('message', (message) => this.hear(message as Message));
  }

  static async start(options: StartOptions): Promise<Agent> {
    const agent = new Agent();
    await agent.ask('start', { options });
    return agent;
  }

  isConnected(): Promise<boolean> {
    return this.ask('isConnected') as Promise<boolean>;
  }

  /** Stop the node and end its process. */
  async stop(): Promise<void> {
    await this.ask('stop');
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.disconnect();
    await exited;
  }

  private request(name: string, ...rest: unknown[]): Promise<unknown> {
    const callback = rest.pop() as (lock: Lock | null) => unknown;
    const { signal, ...options } = (rest[0] ?? {}) as LockOptions;
    const id = this.nextId;
    signal?.addEventListener('abort', () => this.child.send({ kind: 'abort', id, reason: signal.reason as unknown }));
    return this.ask('request', { name, options, hasSignal: signal !== undefined }, callback);
  }

  private ask(kind: string, fields: object = {}, callback?: Call['callback']): Promise<unknown> {
    const id = this.nextId++;
    this.child.send({ kind, id, ...fields });
    return new Promise((resolve, reject) => this.calls.set(id, { resolve, reject, ...(callback === undefined ? {} : { callback }) }));
  }

  private hear(message: Message): void {
    const { id } = message;
    const call = this.calls.get(id);
    if (message.kind === 'granted') {
      void (async () => {
        try {
          this.child.send({ kind: 'resolve', id, value: await call?.callback?.(message.lock) });
        } catch (error) {
          this.child.send({ kind: 'reject', id, error });
        }
      })();
      return;
    }
    this.calls.delete(id);
    if (message.error !== undefined) call?.reject(Object.assign(new Error(), message.error));
    else call?.resolve(message.value);
  }
}
