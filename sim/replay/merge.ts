/**
 * The events of several nodes in one order: by Lamport clock, and never a message before it was sent.
 * Which message is which is told by what is in it; equal ones are taken in the order of their link.
 */
import type { Message, NodeId } from '../../src/core';
import type { TracedLife, TracedStep } from './trace-file';

export interface MergedStep {
  readonly life: TracedLife;
  readonly step: TracedStep;
  /** Numbers of the messages that it sent, in order of its `send` effects. */
  readonly sent: readonly number[];
  /** The number of the message that it received; null when its sending is not recorded. */
  readonly received: number | null;
}

/** The Lamport clock of a node after a step. */
export type ClockOf = (step: TracedStep) => number;

interface Cursor {
  readonly lives: readonly TracedLife[];
  life: number;
  step: number;
}

/** All steps of all lives; those of one node stay in the order in which they were recorded. */
export function merge(lives: readonly TracedLife[], clockOf: ClockOf): MergedStep[] {
  const cursors = [...groupByNode(lives).values()].map((each): Cursor => ({ lives: each, life: 0, step: 0 }));
  const sentEver = messagesSent(lives);
  const underWay = new Map<string, number[]>();
  const merged: MergedStep[] = [];
  let nextMessage = 0;
  for (;;) {
    const ready = cursors.flatMap((cursor) => {
      const next = peek(cursor);
      return next === null ? [] : [{ cursor, ...next, isReady: isReady(next.life, next.step, underWay, sentEver) }];
    });
    // Should traces contradict each other, the oldest goes first all the same.
    const candidates = ready.some((each) => each.isReady) ? ready.filter((each) => each.isReady) : ready;
    const first = candidates.reduce<(typeof candidates)[number] | null>(
      (best, each) => (best === null || clockOf(each.step) < clockOf(best.step) ? each : best), null,
    );
    if (first === null) return merged;
    const { life, step, cursor } = first;
    const received = step.event.kind === 'message' ? take(underWay, keyOf(step.event.from, life.node, step.event.message)) : null;
    const sent = messagesOf(step).map(({ to, message }) => {
      const number = nextMessage++;
      const key = keyOf(life.node, to, message);
      underWay.set(key, [...(underWay.get(key) ?? []), number]);
      return number;
    });
    merged.push({ life, step, sent, received });
    cursor.step++;
  }
}

function groupByNode(lives: readonly TracedLife[]): Map<NodeId, TracedLife[]> {
  const groups = new Map<NodeId, TracedLife[]>();
  for (const life of lives) groups.set(life.node, [...(groups.get(life.node) ?? []), life]);
  return groups;
}

function peek(cursor: Cursor): { readonly life: TracedLife; readonly step: TracedStep } | null {
  for (let life = cursor.lives[cursor.life]; life !== undefined; life = cursor.lives[++cursor.life]) {
    const step = life.steps[cursor.step];
    if (step !== undefined) return { life, step };
    cursor.step = 0;
  }
  return null;
}

/** A message whose sender was not traced need not wait for it. */
function isReady({ node }: TracedLife, { event }: TracedStep, underWay: ReadonlyMap<string, number[]>, sentEver: ReadonlySet<string>): boolean {
  if (event.kind !== 'message') return true;
  const key = keyOf(event.from, node, event.message);
  return (underWay.get(key)?.length ?? 0) > 0 || !sentEver.has(key);
}

function messagesSent(lives: readonly TracedLife[]): Set<string> {
  return new Set(lives.flatMap((life) => life.steps.flatMap((step) => messagesOf(step).map(({ to, message }) => keyOf(life.node, to, message)))));
}

function messagesOf({ effects }: TracedStep): { readonly to: NodeId; readonly message: Message }[] {
  return (effects ?? []).flatMap((effect) => (effect.kind === 'send' ? [effect] : []));
}

function take(underWay: Map<string, number[]>, key: string): number | null {
  return underWay.get(key)?.shift() ?? null;
}

function keyOf(from: NodeId, to: NodeId, message: Message): string {
  return `${from} ${to} ${JSON.stringify(Object.entries(message).sort(([a], [b]) => (a < b ? -1 : 1)))}`;
}
