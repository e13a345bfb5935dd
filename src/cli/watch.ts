/** `maekawa watch`: a line for each change of who holds a lock, and for each node that comes or goes meanwhile. */
import { Command } from 'commander';
import type { NodeId } from '../core';
import type { LockError } from '../errors';
import { holderTitle } from '../locks/holder-title';
import type { LockChange, LockInfo } from '../locks/types';
import { visible } from '../visible';
import { reasonOfSilence } from '../client/node-connection';
import { clientsOf, inventoryOf } from './all-nodes';
import type { AllNodesOptions, NodeClient } from './all-nodes';
import { isAbout, lockTitle, printable } from './holders';
import { withManual } from './manual';
import { checkLockNames, configOption, tlsOptions } from './options';
import { printJson, printText } from './print';
import { formatDuration } from './table';

const ANSWER_MS = 1_500;
/** A node that does not answer is asked again after so long. */
const AGAIN_MS = 1_000;

interface WatchOptions extends AllNodesOptions {
  readonly json?: true;
}

/** What a line is about. Nobody knows whether a silent node still holds what it held. */
type Line = LockChange | { readonly change: 'nobody' } | { readonly change: 'silent' | 'back' | 'missed'; readonly node: NodeId; readonly held?: LockInfo; readonly reason?: string };

export function watchCommand(): Command {
  const command = new Command('watch')
    .description('print a line for each change of who holds a lock')
    .argument('<name>', 'the lock or semaphore')
    .option('--json', 'print JSON lines')
    .addOption(configOption());
  for (const option of tlsOptions()) command.addOption(option);
  return withManual(command, {
    description: [
      'Asks every node of the configuration. It begins with the holders and the nodes that do not answer, and goes on until a signal comes. It asks a silent node again every second, and misses what changes through that node until it answers.',
    ],
    exitCodes: ['usage'],
    examples: [['maekawa watch invoices'], ["maekawa watch invoices --json | jq -r 'select(.change == \"held\").lock.clientId'"]],
  }).action(watch);
}

async function watch(name: string, options: WatchOptions): Promise<void> {
  checkLockNames([name]);
  const nodes = clientsOf(options);
  const print = (line: Line): void => {
    if (options.json === true) printJson({ at: new Date().toISOString(), ...line });
    else printText(visible(describe(name, line)));
  };
  const followed = nodes.map((node) => new FollowedNode(node, name, print));
  const ended = new Promise<void>((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
  const { held, unanswered } = await inventoryOf(nodes, ANSWER_MS);
  for (const each of followed) {
    const silence = unanswered.find(({ id }) => id === each.id);
    if (silence !== undefined) each.onSilent(silence.reason);
  }
  if (!held.some((lock) => isAbout(lock.name, name))) print({ change: 'nobody' });
  for (const each of followed) each.follow();
  await ended;
  for (const each of followed) each.stop();
}

class FollowedNode {
  private stopStream: () => void = () => undefined;
  /** Counts the streams, and their ends. */
  private begun = 0;
  private again: NodeJS.Timeout | undefined;
  private askAgain: NodeJS.Timeout | undefined;
  private isSilent = false;
  private isOver = false;
  /** By token: what it held when it was last heard of. */
  private readonly held = new Map<number, LockInfo>();

  constructor(
    private readonly node: NodeClient,
    private readonly name: string,
    private readonly print: (line: Line) => void,
  ) {}

  get id(): NodeId {
    return this.node.id;
  }

  follow(): void {
    const number = ++this.begun;
    this.stopStream = this.node.client.watch(this.name, (change) => this.onChange(change), (error) => this.onEnd(error));
    this.askWhileSilent(number);
  }

  onSilent(reason: string): void {
    if (this.isSilent) return;
    this.isSilent = true;
    const [lock] = this.held.values();
    this.print({ change: 'silent', node: this.id, reason, ...(lock === undefined ? {} : { held: lock }) });
  }

  /** Asks, because the stream of a node that is back says nothing until something changes. */
  private askWhileSilent(stream: number): void {
    if (!this.isSilent || this.isOver || stream !== this.begun) return;
    this.node.client.query(ANSWER_MS).then(() => this.onAnswer(), () => {
      if (!this.isOver) this.askAgain = setTimeout(() => this.askWhileSilent(stream), AGAIN_MS);
    });
  }

  stop(): void {
    this.isOver = true;
    clearTimeout(this.askAgain);
    clearTimeout(this.again);
    this.stopStream();
    void this.node.client.close();
  }

  private onChange(change: LockChange | { readonly change: 'missed' }): void {
    this.onAnswer();
    if (change.change === 'missed') return this.onMissed();
    const { token = 0 } = change.lock;
    if (change.change === 'held') this.held.set(token, change.lock);
    else this.held.delete(token);
    this.print(change);
  }

  private onMissed(): void {
    this.print({ change: 'missed', node: this.id });
    this.held.clear();
  }

  private onAnswer(): void {
    if (this.isSilent && !this.isOver) this.print({ change: 'back', node: this.id });
    this.isSilent = false;
  }

  private onEnd(error: LockError): void {
    if (this.isOver) return;
    const reason = reasonOfSilence(error);
    if (reason === null) {
      // It answers, and would not wait for this process.
      this.isSilent = false;
      this.onMissed();
    } else {
      this.onSilent(reason);
      this.held.clear();
    }
    this.begun++; // Nobody asks for the sake of this stream any more.
    this.again = setTimeout(() => this.follow(), AGAIN_MS);
  }
}

function describe(name: string, line: Line): string {
  const time = new Date().toTimeString().slice(0, 8);
  const lock = 'lock' in line ? lockTitle(line.lock.name) : printable(name);
  switch (line.change) {
    case 'nobody':
      return `${time}  nobody is known to hold ${lock}`;
    case 'silent':
      return `${time}  ${line.node} does not answer (${line.reason ?? ''})${line.held === undefined ? '' : `; it held ${lockTitle(line.held.name)}, which it keeps for one lease at most`}`;
    case 'missed':
      return `${time}  missed changes through ${line.node}, which came faster than they were read; the present holder follows`;
    case 'back':
      return `${time}  ${line.node} answers again`;
    case 'held':
      return `${time}  ${holderTitle(line.lock)} holds ${lock}${line.lock.mode === 'shared' ? ', shared' : ''}, token ${line.lock.token ?? 0}`;
    case 'released':
      return `${time}  ${holderTitle(line.lock)} gave ${lock} back after ${formatDuration(line.lock.forMs)}`;
    case 'lost':
      return `${time}  ${holderTitle(line.lock)} lost ${lock} after ${formatDuration(line.lock.forMs)}`;
  }
}
