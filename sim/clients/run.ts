/** One run of clients and their nodes, as a function: a plan to a report. */
import { MachineClock } from '../world/machine-clock';
import { ClientCheckError, violated } from './check';
import { Client } from './client';
import { drawClientsPlan, KEEPALIVE_LEASES } from './draw';
import type { ClientsOptions } from './draw';
import { Faults } from './faults';
import { PRODUCTION_MACHINES } from './machines';
import type { Machines } from './machines';
import { Network } from './network';
import { ServingNode } from './node';
import type { ClientsPlan } from './plan';
import { Quorum } from './quorum';
import { Stage } from './stage';
import { Truth } from './truth';

export interface ClientsReport {
  readonly plan: ClientsPlan;
  /** 16 hexadecimal digits over everything that happened. */
  readonly hash: string;
  readonly events: number;
  readonly virtualUs: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly violation: { readonly check: string; readonly detail: string; readonly atUs: number } | null;
}

export interface ClientsTools {
  readonly machines?: Machines;
  /** Is handed each line of the trace. */
  readonly trace?: (line: string) => void;
}

export function runClientsSeed(seed: number, options: ClientsOptions = {}, tools: ClientsTools = {}): ClientsReport {
  return runClientsPlan(drawClientsPlan(seed, options), tools);
}

/** Never throws for a violation: it is in the report. */
export function runClientsPlan(plan: ClientsPlan, { machines = PRODUCTION_MACHINES, trace }: ClientsTools = {}): ClientsReport {
  const stage = new Stage(plan.seed, trace ?? null);
  let violation: ClientsReport['violation'] = null;
  try {
    play(stage, plan, machines);
  } catch (error) {
    if (error instanceof ClientCheckError) violation = { check: error.check, detail: error.message, atUs: stage.nowUs };
    else violation = { check: 'exception', detail: error instanceof Error ? error.stack ?? error.message : String(error), atUs: stage.nowUs };
  }
  return { plan, hash: stage.digest(), events: stage.events, virtualUs: stage.nowUs, counts: stage.counts, violation };
}

function play(stage: Stage, plan: ClientsPlan, machines: Machines): void {
  const truth = new Truth(stage, plan.profile !== 'swarm', plan.profile === 'calm' ? 4 * (plan.delayMaxUs + plan.turnMaxUs) + 1_000 : null);
  const quorum = new Quorum(stage, new MachineClock(plan.quorumRatePpm), plan.leaseMs, truth);
  truth.watch(quorum);
  const nodes: ServingNode[] = plan.nodeRatesPpm.map((_, index) => new ServingNode(stage, plan, index, machines, quorum, () => network, truth));
  const attempts = { next: 1 };
  const isLent = (attempt: number, lock: number): boolean => quorum.lentTo(lock, attempt) !== null;
  const isKept = (node: number, attempt: number): boolean => nodes[node]?.keeps(attempt) === true;
  const hasFrozen = (node: number, sinceUs: number): boolean => nodes[node]?.frozeSince(sinceUs) === true;
  const clients: Client[] = plan.clientRatesPpm.map((_, index) => new Client(stage, plan, index, machines, () => network, truth, attempts, isLent, isKept, hasFrozen));
  const faults = new Faults(stage, plan, { network: () => network, nodes, clients, quorum });
  const network: Network = new Network(stage, plan.delayMaxUs, plan.leaseMs * 1_000, {
    lifeOf: (node) => nodes[node]?.life ?? 0,
    isTaking: (node) => nodes[node]?.isTaking === true,
    nodeHears: (stream, frame) => nodes[stream.node]?.hears(stream, frame),
    clientHears: (stream, frame) => clients[stream.client]?.hears(stream, frame),
    brokeAtNode: (stream) => nodes[stream.node]?.streamBroke(stream),
    brokeAtClient: (stream, isReached) => clients[stream.client]?.streamBroke(stream, isReached),
  }, (stream, way, count) => faults.onFrame(stream, way, count));

  const leaseUs = plan.leaseMs * 1_000;
  stage.runUntil(plan.healAtUs);
  const byUs = plan.healAtUs + progressWithinUs(plan);
  while (!clients.every(({ isDone }) => isDone)) {
    if (stage.nowUs > byUs) violated('progress', `nothing breaks any more since ${(stage.nowUs - plan.healAtUs) / 1_000} ms, and still ${clients.map((each) => each.describeOpen()).filter((text) => text !== '').join(', ')}`);
    stage.runUntil(stage.nowUs + leaseUs);
  }
  stage.runUntil(stage.nowUs + forgottenWithinUs(plan));
  const left = [
    ...clients.map(({ index, size }) => ({ who: `c${index}`, size })), ...nodes.map(({ index, size }) => ({ who: `n${index}`, size })), { who: 'the quorum', size: quorum.inUse },
  ].filter(({ size }) => size > 0);
  if (left.length > 0) violated('no-residue', `nobody wants anything since ${forgottenWithinUs(plan) / 1_000} ms, and something is left at ${left.map(({ who }) => who).join(', ')}`);
}

/** Each who asks may follow all others, some of whom vanished: their leases end first. */
function progressWithinUs({ wishes, leaseMs, answerMs, locks }: ClientsPlan): number {
  const crowd = locks > 100 ? 0 : wishes.length;
  return wishes.reduce((sum, { holdUs, atLeastMs }) => sum + holdUs + atLeastMs * 1_000, 0) + (10 * leaseMs + 2 * answerMs + 2 * crowd * leaseMs) * 1_000;
}

/** Broken streams are found out, what a client may still believe runs out, and then the lease of the quorum. */
function forgottenWithinUs({ leaseMs, idleMs, answerMs }: ClientsPlan): number {
  return ((KEEPALIVE_LEASES + 8) * leaseMs + idleMs + answerMs + 2_000) * 1_000;
}
