/**
 * Reads what `maekawa node --trace` wrote: one JSON line for each event of a core, with its effects,
 * behind a line that says what the core was made from. A file holds all lives that were recorded to it.
 */
import { effectOf, eventOf } from '../../src/core';
import type { Birth, CoreSettings, Effect, Event, NodeId, TracedEffect, TracedEvent } from '../../src/core';
import type { FamilyLayout } from '../../src/quorum';

const FORMAT = 'maekawa 1';

export interface TracedStep {
  readonly event: Event;
  /** Null when the core threw. */
  readonly effects: readonly Effect[] | null;
  /** Where it stands in its file, from 1. */
  readonly line: number;
}

export interface TracedLife {
  /** For messages: the file's name. */
  readonly source: string;
  readonly node: NodeId;
  readonly nodes: readonly NodeId[];
  readonly quorums: FamilyLayout;
  readonly settings: Omit<CoreSettings, 'self' | 'coterie'>;
  readonly birth: Birth;
  /** The node's own time when the wall clock of its birth was read. */
  readonly nowMs: number;
  readonly steps: readonly TracedStep[];
}

interface FirstLine extends Omit<TracedLife, 'source' | 'steps'> {
  readonly trace: string;
}

interface StepLine {
  readonly event: TracedEvent;
  readonly effects: readonly TracedEffect[] | null;
}

export function isTraceFile(text: string): boolean {
  return text.slice(0, 200).includes('"trace":"maekawa ');
}

/**
 * The lives in a trace, in order. The last line of a node that was killed may be cut off; it is left out.
 * @throws RangeError when a line is not what it should be
 */
export function readTrace(text: string, source: string): TracedLife[] {
  const lives: (TracedLife & { readonly steps: TracedStep[] })[] = [];
  const lines = text.split('\n');
  lines.forEach((line, index) => {
    if (line.trim() === '') return;
    const value = parse(line);
    if (value === null && isLastOfLife(lines, index)) return;
    if (isFirstLine(value)) {
      const { node, nodes, quorums, settings, birth, nowMs } = value;
      lives.push({ source, node, nodes, quorums, settings, birth, nowMs, steps: [] });
    } else if (isStepLine(value) && lives.length > 0) {
      lives.at(-1)?.steps.push({ event: eventOf(value.event), effects: value.effects === null ? null : value.effects.map(effectOf), line: index + 1 });
    } else {
      throw new RangeError(`${source}, line ${index + 1}: this is no line of a trace in the format "${FORMAT}"`);
    }
  });
  return lives;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** Whether nothing of the same life comes after this line. */
function isLastOfLife(lines: readonly string[], index: number): boolean {
  const next = lines.slice(index + 1).find((line) => line.trim() !== '');
  return next === undefined || isFirstLine(parse(next));
}

function isFirstLine(value: unknown): value is FirstLine {
  return typeof value === 'object' && value !== null && 'trace' in value && value.trace === FORMAT;
}

function isStepLine(value: unknown): value is StepLine {
  return typeof value === 'object' && value !== null && 'event' in value && 'effects' in value;
}
