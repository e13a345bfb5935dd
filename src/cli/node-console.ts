/** The prompt of a node that runs on a terminal. */
import type { Interface } from 'node:readline';
import { LockError } from '../errors';
import type { HeldLock } from '../locks/types';
import type { MaekawaNode } from '../node/start';
import { visible } from '../visible';
import { lockTitle } from './holders';
import { draw, printText } from './print';

const HELP = `  lock NAME [shared]   take a lock and keep it
  unlock NAME          give it back, or stop waiting for it
  status               show what this node knows
  quit                 stop the node (as Ctrl-C does)
  help                 show this list`;

interface TypedLock {
  readonly giveUp: AbortController;
  held: HeldLock | null;
}

export class NodeConsole {
  private readonly locks = new Map<string, TypedLock>();

  constructor(
    private readonly node: MaekawaNode,
    private readonly terminal: Interface,
    private readonly quit: () => void,
  ) {}

  start(): void {
    this.terminal.on('line', (line) => {
      this.obey(line.trim());
      if (!this.node.signal.aborted) this.terminal.prompt();
    });
    this.say('Type help to see the commands.');
  }

  /** Every lock that was taken here, and every request for one. */
  giveBack(): void {
    for (const [name, typed] of this.locks) {
      this.locks.delete(name);
      if (typed.held === null) typed.giveUp.abort(new LockError('aborted', `no longer waiting for ${name}`));
      else typed.held.release();
    }
  }

  private obey(line: string): void {
    const [word = '', name, mode] = line.split(/\s+/);
    switch (word) {
      case '':
        return;
      case 'lock':
        return name === undefined ? this.say('lock what? Give a name: lock invoices') : this.lock(name, mode);
      case 'unlock':
        return name === undefined ? this.say('unlock what? Give a name: unlock invoices') : this.unlock(name);
      case 'status':
        return this.status();
      case 'help':
        return this.say(HELP);
      case 'quit':
      case 'exit':
        return this.quit();
      default:
        return this.say(`there is no command ${word}. The commands are:\n${HELP}`);
    }
  }

  private lock(name: string, mode: string | undefined): void {
    if (this.locks.has(name)) return this.say(`you hold ${name} or wait for it already; unlock it first`);
    if (mode !== undefined && mode !== 'shared') return this.say(`write shared or nothing after the name, not ${mode}`);
    const typed: TypedLock = { giveUp: new AbortController(), held: null };
    this.locks.set(name, typed);
    const askedAt = performance.now();
    const waiting = setTimeout(() => this.say(`waiting for ${name} …`), 300);
    this.node.locks
      .acquire(name, { mode: mode ?? 'exclusive', signal: typed.giveUp.signal })
      .finally(() => clearTimeout(waiting))
      .then(
        (held) => {
          typed.held = held;
          held.signal.addEventListener('abort', () => {
            this.locks.delete(name);
            held.release(); // The person at the prompt is told below.
            if (!this.node.signal.aborted) this.say(String((held.signal.reason as Error).message));
          });
          this.say(`you hold ${name}, token ${held.token} (after ${Math.round(performance.now() - askedAt)} ms)`);
        },
        (error: unknown) => {
          this.locks.delete(name);
          if (!this.node.signal.aborted) this.say(error instanceof Error ? error.message : String(error));
        },
      );
  }

  private unlock(name: string): void {
    const typed = this.locks.get(name);
    if (typed === undefined) return this.say(`you neither hold ${name} nor wait for it`);
    this.locks.delete(name);
    if (typed.held === null) {
      typed.giveUp.abort(new LockError('aborted', `no longer waiting for ${name}`));
    } else {
      typed.held.release();
      this.say(`gave ${name} back`);
    }
  }

  private status(): void {
    const { cluster, uptimeMs, clock, peers, locks, entries, state, notices } = this.node.status();
    const lines = [`${this.node.id} of cluster ${cluster}, up ${Math.round(uptimeMs / 1000)} s, Lamport time ${clock}, ${entries} ${entries === 1 ? 'entry' : 'entries'}`];
    lines.push(...[state.text, ...notices].map((text) => `  ${visible(text)}`));
    for (const peer of peers) lines.push(`  ${peer.id} at ${peer.address}: ${peer.up ? 'up' : `down (${visible(peer.reason ?? 'unknown')})`}`);
    if (locks.length === 0) lines.push('  no lock in use');
    for (const { name, grants, queue, callers } of locks) {
      const lent = grants.map(({ node, mode }) => `${node} (${mode})`).join(', ') || 'nobody';
      const own = callers === null || callers.state === 'idle' ? '' : `; own request: ${callers.state}`;
      lines.push(`  ${lockTitle(name)}: vote lent to ${lent}, ${queue.length} waiting${own}`);
    }
    this.say(lines.join('\n'));
  }

  private say(text: string): void {
    draw('\r\x1b[K');
    printText(text);
    this.terminal.prompt(true);
  }
}
