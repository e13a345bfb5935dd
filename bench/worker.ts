/**
 * One process of a benchmark: a node that runs scenarios when it is told to, or an end of a bare
 * stream that answers each message with one message and nothing else.
 */
import { startNode } from '../src';
import type { MaekawaNode, StartOptions } from '../src';
import { run } from './scenarios';
import type { Measured, Scenario } from './scenarios';

export type Command =
  | { readonly kind: 'start'; readonly options: StartOptions }
  | { readonly kind: 'ready' }
  | { readonly kind: 'run'; readonly scenario: Scenario }
  | { readonly kind: 'messagesSent' }
  | { readonly kind: 'stop' };

export type Answer =
  | { readonly kind: 'done' }
  | { readonly kind: 'measured'; readonly measured: Measured }
  | { readonly kind: 'messagesSent'; readonly count: number }
  | { readonly kind: 'failed'; readonly message: string };

let node: MaekawaNode | undefined;

async function obey(command: Command): Promise<Answer> {
  if (command.kind === 'start') {
    node = await startNode(command.options);
    return { kind: 'done' };
  }
  if (node === undefined) throw new Error(`${command.kind} before start`);
  switch (command.kind) {
    case 'ready':
      while (node.status().peers.some((peer) => !peer.up)) await new Promise((resolve) => setTimeout(resolve, 20));
      return { kind: 'done' };
    case 'run':
      return { kind: 'measured', measured: await run(node, command.scenario) };
    case 'messagesSent':
      return { kind: 'messagesSent', count: Object.values(node.status().messages.sent).reduce((a, b) => a + b, 0) };
    case 'stop':
      await node.stop();
      return { kind: 'done' };
  }
}

process.on('message', (command: Command) => {
  obey(command).then(
    (answer) => {
      process.send?.(answer);
      if (command.kind === 'stop') process.disconnect();
    },
    (error: unknown) => process.send?.({ kind: 'failed', message: String(error) } satisfies Answer),
  );
});
