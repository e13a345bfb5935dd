/**
 * One process of a benchmark: a node that runs scenarios when it is told to, or an end of a bare
 * stream that answers each message with one message and nothing else.
 */
import { startNode } from '../src';
import type { MaekawaNode, StartOptions } from '../src';
import { Echo } from './echo';
import type { EchoEnd } from './echo';
import { run } from './scenarios';
import type { Measured, Scenario } from './scenarios';

export type Command =
  | { readonly kind: 'start'; readonly options: StartOptions }
  | { readonly kind: 'startEcho'; readonly end: EchoEnd }
  /** Answered when every peer is connected. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'run'; readonly scenario: Scenario }
  | { readonly kind: 'roundTrips'; readonly to: string; readonly forMs: number }
  | { readonly kind: 'messagesSent' }
  | { readonly kind: 'stop' };

export type Answer =
  | { readonly kind: 'done' }
  | { readonly kind: 'measured'; readonly measured: Measured }
  | { readonly kind: 'messagesSent'; readonly count: number }
  | { readonly kind: 'failed'; readonly message: string };

let node: MaekawaNode | undefined;
let echo: Echo | undefined;

async function obey(command: Command): Promise<Answer> {
  switch (command.kind) {
    case 'start':
      node = await startNode(command.options);
      return { kind: 'done' };
    case 'startEcho':
      echo = new Echo(command.end);
      await echo.start();
      return { kind: 'done' };
    case 'ready':
      await echo?.ready();
      while (node?.status().peers.some((peer) => !peer.up) === true) await new Promise((resolve) => setTimeout(resolve, 20));
      return { kind: 'done' };
    case 'run':
      return { kind: 'measured', measured: await run(started(node), command.scenario) };
    case 'roundTrips': {
      const startedAt = performance.now();
      const latenciesUs = await started(echo).roundTrips(command.to, command.forMs);
      return { kind: 'measured', measured: { entries: latenciesUs.length, elapsedMs: performance.now() - startedAt, latenciesUs } };
    }
    case 'messagesSent':
      return { kind: 'messagesSent', count: Object.values(started(node).status().messages.sent).reduce((a, b) => a + b, 0) };
    case 'stop':
      await Promise.all([node?.stop(), echo?.stop()]);
      return { kind: 'done' };
  }
}

function started<Thing>(thing: Thing | undefined): Thing {
  if (thing === undefined) throw new Error('not started yet');
  return thing;
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
