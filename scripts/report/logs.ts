/**
 * What the nodes recorded, as one story: the events of all nodes of a cluster in an order that no message contradicts. Each
 * event carries the node's Lamport time after it, which the core itself tells when it is fed the same events again.
 * Law: what the core answers now must be what the log says that it answered then.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Effect, Event, NodeId } from '../../src/core';
import type { FamilyLayout } from '../../src/quorum';
import { PRODUCTION_CORE } from '../../sim/core';
import { merge } from '../../sim/replay/merge';
import type { MergedStep } from '../../sim/replay/merge';
import { describeDifference, replayStep, startLife } from '../../sim/replay/replay';
import { readTrace } from '../../sim/replay/trace-file';
import type { TracedLife, TracedStep } from '../../sim/replay/trace-file';

/** What the logs of the nodes cannot say, for a killed node writes nothing. */
export interface Facts {
  readonly killed: { readonly node: NodeId; readonly atMs: number };
}

/** The logs are no run that a report could be made from; the message says what is missing. */
export class ReportError extends Error {}

export interface LoggedStep {
  readonly node: NodeId;
  /** Which life of its node, from 0. */
  readonly life: number;
  /** In milliseconds since 1970, set against the other nodes' by their messages. */
  readonly atMs: number;
  /** The node's Lamport clock after this event. */
  readonly clock: number;
  readonly event: Event;
  readonly effects: readonly Effect[];
  /** Numbers of the messages sent, in the order of the `send` effects. */
  readonly sent: readonly number[];
  /** The number of the message received. */
  readonly received: number | null;
}

export interface Log {
  readonly nodes: readonly NodeId[];
  readonly quorums: FamilyLayout;
  readonly leaseMs: number;
  /** When the first of its events was, in milliseconds since 1970. */
  readonly startMs: number;
  readonly steps: readonly LoggedStep[];
}

export interface Run {
  readonly majority: Log;
  readonly grid: Log;
  readonly killed: Facts['killed'];
}

/** @throws ReportError when logs are missing, or the core does not answer as they say */
export function readRun(directory: string): Run {
  const path = join(directory, 'facts.json');
  if (!existsSync(path)) throw new ReportError(`${path} is missing: the run did not come to its end. Run it again`);
  const { killed } = JSON.parse(readFileSync(path, 'utf8')) as Facts;
  return { majority: readLog(join(directory, 'majority')), grid: readLog(join(directory, 'grid')), killed };
}

function readLog(directory: string): Log {
  const files = existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith('.trace')).sort() : [];
  const lives = files.flatMap((name) => readTrace(readFileSync(join(directory, name), 'utf8'), name));
  const [first] = lives;
  if (first === undefined) throw new ReportError(`${directory} holds no log of any node`);
  const untold = first.nodes.filter((node) => !lives.some((life) => life.node === node));
  if (untold.length > 0) throw new ReportError(`${directory} holds no log of ${untold.join(', ')}`);
  const clocks = clocksOf(lives);
  const told = new Map(lives.flatMap(({ birth, nowMs, steps }) => steps.map((step) => [step, Math.round(birth.wallClockUs / 1000) + step.event.nowMs - nowMs])));
  const offsets = offsetsOf(lives, merge(lives, (step) => clocks.get(step) ?? 0), told);
  const times = new Map(lives.flatMap((life) => life.steps.map((step) => [step, (told.get(step) ?? 0) + (offsets.get(life) ?? 0)])));
  // Where a millisecond is too coarse, no message comes before it was sent.
  const steps = merge(lives, (step) => times.get(step) ?? 0).map(({ life, step, sent, received }): LoggedStep => ({
    node: life.node,
    life: lives.filter(({ node }) => node === life.node).indexOf(life),
    atMs: times.get(step) ?? 0,
    clock: clocks.get(step) ?? 0,
    event: step.event,
    effects: step.effects ?? [],
    sent,
    received,
  }));
  return { nodes: first.nodes, quorums: first.quorums, leaseMs: first.settings.leaseMs, startMs: Math.min(...times.values()), steps };
}

/**
 * What to add to the times of each life, in milliseconds. A node reads its wall clock once, at its birth, and is some milliseconds off by
 * that. As in NTP, the fastest message in each direction is taken to have been under way for as long.
 */
function offsetsOf(lives: readonly TracedLife[], merged: readonly MergedStep[], told: ReadonlyMap<TracedStep, number>): Map<TracedLife, number> {
  const senders = new Map(merged.flatMap((each) => each.sent.map((number) => [number, each])));
  const fastest = new Map<TracedLife, Map<TracedLife, number>>(lives.map((life) => [life, new Map<TracedLife, number>()]));
  for (const { life, step, received } of merged) {
    const sender = received === null ? undefined : senders.get(received);
    if (sender === undefined) continue;
    const delay = (told.get(step) ?? 0) - (told.get(sender.step) ?? 0);
    const known = fastest.get(sender.life);
    known?.set(life, Math.min(delay, known.get(life) ?? Infinity));
  }
  const offsets = new Map<TracedLife, number>();
  for (const first of lives) {
    // A life that nobody exchanged messages with stands by its own clock.
    if (offsets.has(first)) continue;
    offsets.set(first, 0);
    const reached = [first];
    for (const from of reached) {
      for (const to of lives) {
        const there = fastest.get(from)?.get(to);
        const back = fastest.get(to)?.get(from);
        if (offsets.has(to) || there === undefined || back === undefined) continue;
        offsets.set(to, (offsets.get(from) ?? 0) + Math.round((back - there) / 2));
        reached.push(to);
      }
    }
  }
  return offsets;
}

function clocksOf(lives: readonly TracedLife[]): Map<TracedStep, number> {
  const clocks = new Map<TracedStep, number>();
  for (const life of lives) {
    const node = startLife(life, PRODUCTION_CORE);
    for (const step of life.steps) {
      const difference = replayStep(life, step, node, PRODUCTION_CORE);
      if (difference !== null) throw new ReportError(`the core of this version answers differently from what the log says, so record a new one. ${describeDifference(difference)}`);
      clocks.set(step, PRODUCTION_CORE.inspectNode(node).clock);
    }
  }
  return clocks;
}
