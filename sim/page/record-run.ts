/** A simulated run as a recording for the page. */
import type { Effect, Event, LockNode, Message, NodeId } from '../../src/core';
import { PRODUCTION_CORE } from '../core';
import type { Core } from '../core';
import { lockNamesOf, nodeNamesOf } from '../plan/layout';
import { DEATHS, describeFault, describeLost } from '../plan/describe';
import type { Fault, LostMachine, Plan } from '../plan/plan';
import { describePlan } from '../outcome/words';
import type { RunReport } from '../outcome/report';
import { runPlan } from '../run';
import type { DropReason, Note, Observer } from '../world/observer';
import { explanationOf } from './explanations';
import { Recorder } from './recorder';
import type { NodeState } from './recorder';
import type { Recording } from './recording';

export interface RecordOptions {
  readonly core?: Core;
  /** Of the page. Default: the seed. */
  readonly title?: string;
  /** A command that repeats the run, or anything else worth knowing. */
  readonly subtitle?: readonly string[];
}

export interface RecordedRun {
  readonly recording: Recording;
  readonly report: RunReport;
}

/** Run a plan once more and record it. */
export function recordRun(plan: Plan, { core = PRODUCTION_CORE, title = `Seed ${plan.seed}`, subtitle = [] }: RecordOptions = {}): RecordedRun {
  const observer = new RunRecorder(plan, core);
  const report = runPlan(plan, { core: observer.watchedCore, observer });
  const { violation } = report;
  if (violation !== null) observer.addFailedStep(violation.atUs);
  const about = { title, subtitle: [...describePlan(plan).split('\n').map((line) => line.trim()), ...subtitle], leaseMs: plan.leaseMs, time: 'true' as const, allWell: 'every check holds' };
  const recording = observer.recorder.finish(
    about,
    violation === null ? null : { check: violation.check, detail: violation.detail, explanation: explanationOf(violation.check) },
  );
  return { recording, report };
}

class RunRecorder implements Observer {
  readonly recorder: Recorder;
  /** The same core; whoever holds it knows the nodes that it made. */
  readonly watchedCore: Core;
  private readonly nodeIds: readonly NodeId[];
  private readonly nodes = new Map<NodeId, LockNode>();
  private readonly messages = new Map<Message, number>();
  /** The same, by link and content. */
  private readonly messagesByText = new Map<string, number>();
  /** What the core is at; null once the observer was told of it. */
  private underWay: { readonly node: NodeId; readonly event: Event } | null = null;

  constructor(plan: Plan, private readonly core: Core) {
    this.nodeIds = nodeNamesOf(plan);
    this.recorder = new Recorder({ nodes: this.nodeIds, locks: lockNamesOf(plan.locks) });
    this.watchedCore = {
      ...core,
      createNode: (settings, birth) => {
        const node = core.createNode(settings, birth);
        this.nodes.set(settings.self, node);
        return node;
      },
      step: (node, event) => {
        this.underWay = { node: core.inspectNode(node).id, event };
        return core.step(node, event);
      },
    };
  }

  stepped(atUs: number, node: NodeId, event: Event, effects: readonly Effect[]): void {
    this.underWay = null;
    const sent: number[] = [];
    for (const effect of effects) {
      if (effect.kind !== 'send') continue;
      const number = this.recorder.addMessage(node, effect.to, effect.message);
      this.messages.set(effect.message, number);
      this.messagesByText.set(textOf(node, effect.to, effect.message), number);
      sent.push(number);
    }
    const received = event.kind === 'message' ? this.messages.get(event.message) : undefined;
    this.recorder.step(atUs, node, event, effects, this.stateOf(node), received ?? null, sent);
  }

  /** An event that the core choked on never came to `stepped`. */
  addFailedStep(atUs: number): void {
    if (this.underWay !== null) this.stepped(atUs, this.underWay.node, this.underWay.event, []);
  }

  /** The network may send something again that is equal, but not the same object: it counts as one more copy. */
  sent(_atUs: number, from: NodeId, to: NodeId, message: Message): void {
    const number = this.messages.get(message) ?? this.messagesByText.get(textOf(from, to, message));
    if (number !== undefined) this.messages.set(message, number);
  }

  dropped(_atUs: number, _from: NodeId, _to: NodeId, message: Message, reason: DropReason): void {
    const number = this.messages.get(message);
    if (number !== undefined) this.recorder.drop(number, reason);
  }

  noted(atUs: number, note: Note): void {
    const { recorder } = this;
    switch (note.kind) {
      case 'fault':
        // A death is noted by itself, should the node be alive.
        return note.fault.kind === 'crash' ? undefined : this.addFault(atUs, note.fault);
      case 'dies': {
        recorder.note(atUs, note.node, 'death', `${note.node} ${DEATHS[note.how]}`);
        return recorder.die(note.node);
      }
      case 'starts':
        return; // Its first event says so.
      case 'healed':
        recorder.healed();
        recorder.note(atUs, null, 'phase', 'all faults end');
        for (const lost of note.lostForEver) this.addLost(atUs, lost);
        return;
      case 'refuses':
        return recorder.note(atUs, note.node, 'fault', `${note.node} does not start: its ceiling file is corrupt`);
      case 'write': {
        const { node, caller, lock, token, isAccepted } = note;
        return recorder.write(atUs, node, { caller, lock, token, isAccepted });
      }
      case 'drained':
        return recorder.note(atUs, null, 'phase', 'nobody asks any more');
    }
  }

  private addLost(atUs: number, lost: LostMachine): void {
    const { machine, how } = lost;
    const text = describeLost(lost, (index) => this.nodeIds[index] ?? '');
    this.recorder.note(atUs, this.nodeIds[machine] ?? null, 'phase', text);
    if (how !== 'dead') this.recorder.fault(how === 'cut' ? 'cut' : 'pause', text, [machine], Infinity);
  }

  private addFault(atUs: number, fault: Exclude<Fault, { kind: 'crash' }>): void {
    const name = (machine: number): NodeId => this.nodeIds[machine] ?? '';
    const text = describeFault(fault, name);
    const nodes = nodesOf(fault);
    this.recorder.note(atUs, nodes.length === 1 ? name(nodes[0] ?? 0) : null, 'fault', text);
    if ('forUs' in fault) this.recorder.fault(fault.kind, text, nodes, atUs + fault.forUs);
  }

  private stateOf(id: NodeId): NodeState {
    const { core } = this;
    const node = this.nodes.get(id);
    if (node === undefined) throw new RangeError(`no node ${id}`);
    return {
      clock: () => core.durableClock(node),
      lockNames: () => core.lockNames(node),
      inspect: (lock) => core.inspectLock(node, lock),
    };
  }
}

function textOf(from: NodeId, to: NodeId, message: Message): string {
  return `${from} ${to} ${JSON.stringify(message)}`;
}

function nodesOf(fault: Exclude<Fault, { kind: 'crash' }>): readonly number[] {
  switch (fault.kind) {
    case 'cut':
      // One side is enough to see where the cut goes.
      return fault.from.length <= fault.to.length ? fault.from : fault.to;
    case 'clog':
    case 'echo':
      return [fault.from];
    default:
      return [fault.machine];
  }
}
