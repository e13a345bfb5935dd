/** What every fenced resource must do, said without looking into any: judges a history of writes. */
import fc from 'fast-check';
import { testCluster } from '../../src/testing';
import { fence } from '../../src';
import type { FencedBy, FenceStore, FencingToken } from '../../src';

export interface Attempt {
  readonly id: number;
  readonly tokens: readonly FencingToken[];
}

/** Writes under one or two of three locks, with few tokens, so that they often collide. */
export const attempts = (count: number): fc.Arbitrary<Attempt[]> =>
  fc.array(
    fc.uniqueArray(
      fc.record({ name: fc.constantFrom('', 'a', 'b'), token: fc.integer({ min: 1, max: 6 }), mode: fc.constantFrom('exclusive', 'shared') }),
      { minLength: 1, maxLength: 2, selector: ({ name }) => name },
    ),
    { minLength: 1, maxLength: count, size: 'max' },
  ).map((all) => all.map((tokens, id) => ({ id, tokens })));

/** Whether a holder that was here makes another one stale. */
function outdates(earlier: Attempt, later: Attempt): boolean {
  return earlier.tokens.some((theirs) => later.tokens.some((ours) =>
    theirs.name === ours.name && theirs.token > ours.token && (theirs.mode !== 'shared' || ours.mode !== 'shared')));
}

/** Throws unless the writes accepted, in the order in which they took effect, and those refused are what a fence allows. */
export function judge(accepted: readonly Attempt[], refused: readonly Attempt[]): void {
  for (const [place, later] of accepted.entries()) {
    const better = accepted.slice(0, place).find((earlier) => outdates(earlier, later));
    if (better !== undefined) throw new Error(`accepted ${JSON.stringify(later)} after ${JSON.stringify(better)}`);
  }
  for (const attempt of refused) {
    if (!accepted.some((each) => outdates(each, attempt))) throw new Error(`refused ${JSON.stringify(attempt)} without a reason`);
  }
}

/**
 * A node is cut off while it holds a lock, as it would be by a long pause; another one follows and writes;
 * then the first one writes. Rejects as that late write does.
 */
export async function writeLate<Resource>(store: FenceStore<Resource>, write: (resource: Resource, text: string) => unknown): Promise<void> {
  const cluster = await testCluster({ nodes: 3, leaseMs: 5_000 });
  const fenced = fence(store);
  const put = (locks: FencedBy, text: string): Promise<unknown> => fenced.write(locks, (resource) => write(resource, text));
  try {
    const paused = await cluster.node('n1').locks.acquire('invoices');
    await put(paused, 'in time');
    await put(paused, 'in time, again');
    cluster.isolate('n1');
    await cluster.advance(5_000);
    const next = await cluster.node('n2').locks.acquire('invoices');
    await put(next, 'by the next holder');
    await put(paused, 'late');
  } finally {
    await cluster.stop();
  }
}
