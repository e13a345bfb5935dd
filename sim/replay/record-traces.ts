/** Traces of real nodes as one recording for the page, in the order of their Lamport clocks. */
import type { LockNode } from '../../src/core';
import { PRODUCTION_CORE } from '../core';
import type { Core } from '../core';
import { explanationOf } from '../page/explanations';
import { Recorder } from '../page/recorder';
import type { FoundViolation } from '../page/recorder';
import type { Recording } from '../page/recording';
import { merge } from './merge';
import type { MergedStep } from './merge';
import { describeDifference, replayStep, startLife } from './replay';
import type { TracedLife, TracedStep } from './trace-file';

/** @throws RangeError when the traces are of different clusters, or there is none */
export function recordTraces(lives: readonly TracedLife[], core: Core = PRODUCTION_CORE): Recording {
  const [first] = lives;
  if (first === undefined) throw new RangeError('there is no trace of any node in these files');
  const other = lives.find((life) => JSON.stringify([life.nodes, life.quorums]) !== JSON.stringify([first.nodes, first.quorums]));
  if (other !== undefined) throw new RangeError(`${first.source} and ${other.source} are traces of different clusters`);

  const clocks = clocksOf(lives, core);
  const recording = new TraceRecording(first, lives, core);
  const merged = merge(lives, (step) => clocks.get(step) ?? 0);
  for (const each of merged) recording.add(each);
  const sources = [...new Set(lives.map((life) => life.source))];
  return recording.recorder.finish({
    title: `Trace of ${[...new Set(lives.map((life) => life.node))].join(', ')}`,
    subtitle: [
      `${first.nodes.length} nodes (${first.quorums.family}), lease ${first.settings.leaseMs} ms, ${merged.length} events`,
      `from ${sources.join(', ')}; times are those of each node's own wall clock`,
    ],
    leaseMs: first.settings.leaseMs,
    time: 'wall',
    allWell: 'the core answers the same',
  }, recording.difference);
}

/** Each node's Lamport clock after each step, found by replaying it. */
function clocksOf(lives: readonly TracedLife[], core: Core): Map<TracedStep, number> {
  const clocks = new Map<TracedStep, number>();
  for (const life of lives) {
    const node = startLife(life, core);
    for (const step of life.steps) {
      replayStep(life, step, node, core);
      clocks.set(step, core.durableClock(node));
    }
  }
  return clocks;
}

class TraceRecording {
  readonly recorder: Recorder;
  difference: FoundViolation | null = null;
  private readonly nodes = new Map<TracedLife, LockNode>();
  private readonly traced: ReadonlySet<string>;
  /** By their numbers in the merged order: the messages of the recording. */
  private readonly messages = new Map<number, number>();
  private readonly originUs: number;

  constructor(first: TracedLife, private readonly lives: readonly TracedLife[], private readonly core: Core) {
    this.recorder = new Recorder({ nodes: first.nodes });
    this.traced = new Set(lives.map((life) => life.node));
    this.originUs = Math.min(...lives.map((life) => life.birth.wallClockUs));
  }

  add({ life, step, sent, received }: MergedStep): void {
    const { recorder, core } = this;
    const { event } = step;
    const effects = step.effects ?? [];
    const node = this.nodeOf(life);
    const difference = replayStep(life, step, node, core);
    if (difference !== null) {
      this.difference ??= { check: 'replay', detail: describeDifference(difference), explanation: explanationOf('replay'), row: recorder.nextRow };
    }
    const message = event.kind !== 'message' ? null
      : received === null ? recorder.addMessage(event.from, life.node, event.message, -1) : (this.messages.get(received) ?? null);
    const numbers = effects.flatMap((effect) => (effect.kind === 'send' ? [recorder.addMessage(life.node, effect.to, effect.message)] : []));
    sent.forEach((number, place) => this.messages.set(number, numbers[place] ?? -1));
    effects.flatMap((effect) => (effect.kind === 'send' ? [effect.to] : [])).forEach((to, place) => {
      if (!this.traced.has(to)) recorder.drop(numbers[place] ?? -1, `${to} was not traced`);
    });
    const state = {
      clock: () => core.durableClock(node),
      lockNames: () => core.lockNames(node),
      inspect: (lock: string) => core.inspectLock(node, lock),
    };
    const atUs = this.wallUs(life, step);
    recorder.step(atUs, life.node, event, effects, state, message, numbers);
    if (step === life.steps.at(-1)) this.endLife(life, step, atUs);
  }

  private nodeOf(life: TracedLife): LockNode {
    const node = this.nodes.get(life) ?? startLife(life, this.core);
    this.nodes.set(life, node);
    return node;
  }

  private endLife(life: TracedLife, { event }: TracedStep, atUs: number): void {
    const isLast = this.lives.findLast((each) => each.node === life.node) === life;
    if (event.kind !== 'stop' && isLast) return; // Only its trace ends here.
    if (event.kind !== 'stop') this.recorder.note(atUs, life.node, 'death', `${life.node} is gone: nothing more of this life is recorded`);
    this.recorder.die(life.node);
  }

  private wallUs({ birth, nowMs }: TracedLife, { event }: TracedStep): number {
    return birth.wallClockUs - this.originUs + (event.nowMs - nowMs) * 1000;
  }
}
