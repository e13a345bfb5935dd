/**
 * What is measured, from the inside of one node's process. Each scenario runs for a given time and
 * returns plain figures; `main.ts` decides on which nodes it runs and prints.
 */
import type { MaekawaNode } from '../src';

export interface Measured {
  /** How often a lock was entered. */
  readonly entries: number;
  readonly elapsedMs: number;
  /** Microseconds from asking to being inside, sorted; only where latency is asked for. */
  readonly latenciesUs: readonly number[];
}

export type Scenario =
  /** `callers` loops of acquire and release, each with a name of its own or all with one. */
  | { readonly kind: 'loop'; readonly callers: number; readonly sameName: boolean; readonly forMs: number }
  /** One acquire after the other, each timed. */
  | { readonly kind: 'latency'; readonly forMs: number };

export async function run(node: MaekawaNode, scenario: Scenario): Promise<Measured> {
  const startedAt = performance.now();
  const endsAt = startedAt + scenario.forMs;
  const latenciesUs: number[] = [];
  let entries = 0;

  async function loop(name: string): Promise<void> {
    while (performance.now() < endsAt) {
      const lock = await node.locks.acquire(name);
      entries++;
      lock.release();
    }
  }

  async function timed(name: string): Promise<void> {
    while (performance.now() < endsAt) {
      const askedAt = performance.now();
      const lock = await node.locks.acquire(name);
      latenciesUs.push((performance.now() - askedAt) * 1000);
      entries++;
      lock.release();
      await idle();
    }
  }

  if (scenario.kind === 'latency') {
    await timed('latency');
  } else {
    const names = Array.from({ length: scenario.callers }, (_, i) => (scenario.sameName ? 'shared-name' : `name-${i}`));
    await Promise.all(names.map(loop));
  }
  return { entries, elapsedMs: performance.now() - startedAt, latenciesUs: latenciesUs.sort((a, b) => a - b) };
}

/** Until the Release is out and handled, so that what is timed next meets idle nodes. */
export function idle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
