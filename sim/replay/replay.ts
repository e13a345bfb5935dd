/**
 * Feeds the recorded events of real nodes through the core again. The core is deterministic, so it must
 * answer with the same effects; any difference is a bug, or another version of the core.
 */
import { tracedEffect } from '../../src/core';
import type { Effect, LockNode } from '../../src/core';
import { buildCoterie } from '../../src/quorum';
import { PRODUCTION_CORE } from '../core';
import type { Core } from '../core';
import type { TracedLife, TracedStep } from './trace-file';

export interface Difference {
  readonly source: string;
  readonly line: number;
  /** As JSON; null where the core threw. */
  readonly recorded: string | null;
  readonly replayed: string | null;
  /** What the core threw now. */
  readonly thrown?: string;
}

export function startLife({ node, nodes, quorums, settings, birth }: TracedLife, core: Core): LockNode {
  return core.createNode({ ...settings, self: node, coterie: buildCoterie(nodes, quorums) }, birth);
}

/** The differences, at most one for each life: after the first one the states are no longer the same. */
export function replay(lives: readonly TracedLife[], core: Core = PRODUCTION_CORE): Difference[] {
  return lives.flatMap((life) => {
    const node = startLife(life, core);
    for (const step of life.steps) {
      const difference = replayStep(life, step, node, core);
      if (difference !== null) return [difference];
    }
    return [];
  });
}

export function replayStep(life: TracedLife, { event, effects, line }: TracedStep, node: LockNode, core: Core): Difference | null {
  const recorded = asText(effects);
  let replayed: string | null = null;
  let thrown: string | undefined;
  try {
    replayed = asText(core.step(node, event));
  } catch (error) {
    thrown = error instanceof Error ? error.message : String(error);
  }
  if (recorded === replayed) return null;
  return { source: life.source, line, recorded, replayed, ...(thrown === undefined ? {} : { thrown }) };
}

/** Fields in a fixed order, for that of a recorded object need not be that of a new one. */
function asText(effects: readonly Effect[] | null): string | null {
  return effects === null ? null : JSON.stringify(effects.map(tracedEffect), (_, value: unknown) => (
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value
  ));
}

export function describeDifference({ source, line, recorded, replayed, thrown }: Difference): string {
  return [
    `${source}, line ${line}: the core answers otherwise now`,
    `  recorded: ${recorded ?? 'it threw'}`,
    `  replayed: ${replayed ?? `it threw: ${thrown}`}`,
  ].join('\n');
}
