/**
 * One process of the benchmark: a node, or clients of some lock service, or an end of a bare stream. It does what it is told,
 * one command at a time, and ends when the benchmark does.
 */
import { connect, startNode } from '../../src';
import type { RemoteLocks, StartOptions } from '../../src';
import { assertNever } from '../../src/core';
import type { ClientSpec, LockClient, Release } from './clients/lock-client';
import { pause } from './clients/lock-client';
import { overLocks } from './clients/maekawa';
import { openClient } from './clients/open';
import { loop } from './loops';
import type { Loop, Looped } from './loops';
import { sharedNowMs } from './shared-clock';
import { EchoStream, serveEcho } from './stream';

export type Command =
  | { readonly kind: 'startNode'; readonly options: StartOptions }
  /** Answered when every peer is connected. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'open'; readonly spec: ClientSpec }
  | { readonly kind: 'loop'; readonly loop: Loop }
  /** Takes `count` locks whose names begin with `prefix`, one after the other by each of `callers`, and keeps them. */
  | { readonly kind: 'hold'; readonly prefix: string; readonly count: number; readonly callers: number }
  | { readonly kind: 'letGo' }
  /** Takes one lock, says when it was inside, and gives it back. */
  | { readonly kind: 'enter'; readonly name: string }
  /** `count` clients that each have a connection of their own and hold a lock of their own. */
  | { readonly kind: 'crowdHolds'; readonly addresses: readonly string[]; readonly count: number }
  /** `count` clients that each have a connection of their own and want `name` once. Answered when all of them have had it. */
  | { readonly kind: 'crowdWaits'; readonly addresses: readonly string[]; readonly count: number; readonly name: string }
  /** So many clients one after the other: connect, take a lock of their own, and leave. */
  | { readonly kind: 'newcomers'; readonly addresses: readonly string[]; readonly count: number }
  | { readonly kind: 'serveEcho' }
  | { readonly kind: 'openEcho'; readonly port: number }
  | { readonly kind: 'roundTrips'; readonly inFlight: number; readonly forMs: number }
  | { readonly kind: 'collectGarbage' }
  | { readonly kind: 'stop' };

export type Answer =
  | { readonly kind: 'done' }
  | { readonly kind: 'looped'; readonly looped: Looped }
  /** By the monotonic clock that all processes of this machine share. */
  | { readonly kind: 'entered'; readonly atMs: readonly number[] }
  | { readonly kind: 'took'; readonly ms: readonly number[] }
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string };

let client: LockClient | null = null;
let node: Awaited<ReturnType<typeof startNode>> | null = null;
let echo: EchoStream | null = null;
let held: Release[] = [];
let crowd: RemoteLocks[] = [];

async function obey(command: Command): Promise<Answer> {
  switch (command.kind) {
    case 'startNode': {
      const started = await startNode(command.options);
      node = started;
      client = overLocks(started.locks, () => started.stop());
      return { kind: 'done' };
    }
    case 'ready':
      while (node?.status().peers.some((peer) => !peer.up) === true) await pause(20);
      return { kind: 'done' };
    case 'open':
      client = await openClient(command.spec);
      return { kind: 'done' };
    case 'loop':
      return { kind: 'looped', looped: await loop(opened(client), command.loop) };
    case 'hold':
      await hold(opened(client), command);
      return { kind: 'done' };
    case 'letGo':
      await Promise.all(held.map((release) => release()));
      held = [];
      return { kind: 'done' };
    case 'enter': {
      const release = await opened(client).acquire(command.name, 0);
      const atMs = sharedNowMs();
      await release();
      return { kind: 'entered', atMs: [atMs] };
    }
    case 'crowdHolds': {
      const { count, addresses } = command;
      crowd = Array.from({ length: count }, () => connect({ addresses }));
      await atATime(50, crowd, async ({ locks }, index) => {
        const lock = await locks.acquire(`crowd-${process.pid}-${index}`);
        held.push(() => lock.release());
      });
      return { kind: 'done' };
    }
    case 'crowdWaits': {
      const { count, addresses, name } = command;
      crowd = Array.from({ length: count }, () => connect({ addresses }));
      const atMs = await Promise.all(crowd.map(async ({ locks }) => {
        const lock = await locks.acquire(name);
        const enteredAtMs = sharedNowMs();
        await lock.release();
        return enteredAtMs;
      }));
      await Promise.all(crowd.map(({ close }) => close()));
      return { kind: 'entered', atMs };
    }
    case 'newcomers': {
      const ms: number[] = [];
      for (let index = 0; index < command.count; index++) {
        const askedAtMs = performance.now();
        const { locks, close } = connect({ addresses: command.addresses });
        const lock = await locks.acquire(`newcomer-${process.pid}-${index}`);
        ms.push(performance.now() - askedAtMs);
        await lock.release();
        await close();
      }
      return { kind: 'took', ms };
    }
    case 'serveEcho':
      return { kind: 'port', port: await serveEcho() };
    case 'openEcho':
      echo = new EchoStream(command.port);
      return { kind: 'done' };
    case 'roundTrips': {
      const count = await opened(echo).roundTrips(command.inFlight, command.forMs);
      return { kind: 'looped', looped: { entries: [count], cycles: count } };
    }
    case 'collectGarbage':
      for (let time = 0; time < 3; time++) global.gc?.();
      return { kind: 'done' };
    case 'stop':
      echo?.close();
      await Promise.all([client?.close(), ...crowd.map(({ close }) => close())]);
      return { kind: 'done' };
    default:
      return assertNever(command);
  }
}

async function hold(by: LockClient, { prefix, count, callers }: Extract<Command, { kind: 'hold' }>): Promise<void> {
  await atATime(callers, Array.from({ length: count }), async (_, index, caller) => {
    held.push(await by.acquire(`${prefix}${index}`, caller));
  });
}

/** Each item, by so many callers at once. */
async function atATime<Item>(callers: number, items: readonly Item[], work: (item: Item, index: number, caller: number) => Promise<void>): Promise<void> {
  const rest = items.entries();
  await Promise.all(Array.from({ length: callers }, async (_, caller) => {
    for (const [index, item] of rest) await work(item, index, caller);
  }));
}

function opened<Thing>(thing: Thing | null): Thing {
  if (thing === null) throw new Error('nothing was opened yet');
  return thing;
}

process.on('message', (command: Command) => {
  obey(command).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ kind: 'failed', message: error instanceof Error ? error.message : String(error) } satisfies Answer),
  );
});
// Ctrl-C reaches every process of a terminal: the benchmark ends its own.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());
