/**
 * From a state back to the first one, and then forward as a scenario: commands that anyone can read,
 * save and run again (see test/scenarios/README.md). The scenario is run by other code than the search,
 * on nodes that were never put into a snapshot; that it shows the same violation is a proof of its own.
 */
import type { NodeId } from '../../src/core';
import type { Core } from '../core';
import { describeMessage, runScenario } from '../scenario';
import type { Letter } from './bags';
import { Hardware } from './hardware';
import { failureOf } from './machine';
import type { Action, Failure, Machine, Peer } from './machine';
import type { Search, Verdict } from './search';
import type { SeatStep } from './seats';
import { CLOCKS, DRIFT_MAX, LEASE_MS, LOCK, RETRY_MS } from './setup';
import type { Setup } from './setup';
import type { Step, System } from './system';

type Violation = Extract<Verdict, { kind: 'violation' }>;

export interface Conversation {
  /** Commands, and below each what happened. */
  readonly text: string;
  /** Whether the scenario shows the violation by itself; those of liveness it only leads up to. */
  readonly showsIt: boolean;
}

/** The steps from the first state to the violation. */
export function stepsTo(system: System, search: Search, { from, step }: Violation): Step[] {
  const states: Int32Array[] = [];
  for (let id = from; id >= 0; id = search.table.parentOf(id)) {
    const state = new Int32Array(system.width);
    search.table.read(id, state);
    states.unshift(state);
  }
  const steps = states.slice(1).map((next, index) => stepBetween(system, states[index] ?? next, next));
  const last = states.at(-1);
  if (step !== null && last !== undefined) steps.push(stepOf(system, last, (ordinal) => ordinal === step));
  return steps;
}

function stepBetween(system: System, state: Int32Array, next: Int32Array): Step {
  return stepOf(system, state, () => system.failure === null && system.next.every((each, index) => each === next[index]));
}

function stepOf(system: System, state: Int32Array, isIt: (ordinal: number) => boolean): Step {
  let found: Step | null = null;
  let ordinal = 0;
  system.expand(state, () => {
    if (isIt(ordinal++)) found ??= system.describe(state);
  });
  if (found === null) throw new Error('a state is not among the successors of its parent');
  return found;
}

/** The path as a scenario, and what happens when that is run. */
export function asConversation(setup: Setup, core: Core, steps: readonly Step[], failure: Failure): Conversation {
  const commands = new Commands(setup, core);
  for (const step of steps) if (!commands.add(step)) break;
  const heading = `# ${failure.check}: ${failure.detail}`.replaceAll('\n', '\n# ');
  const text = `${heading}\n${commands.paragraphs.join('\n\n')}\n\nstatus\n`;
  // All nodes of a scenario have one clock.
  if (setup.freeClocks) return { text, showsIt: false };
  try {
    const { output, violations } = runScenario(text, { core });
    return { text: output, showsIt: violations.some((violation) => violation.includes(failure.check)) };
  } catch (error) {
    // A changed core may fail in ways that scenarios do not know.
    return { text: `${text}# ${failureOf(error).detail}\n`, showsIt: true };
  }
}

interface InFlight {
  readonly ordinal: number;
  readonly from: NodeId;
  readonly to: NodeId;
  readonly letter: Letter;
}

/** Steps into commands. Machines that step along tell which messages are in flight, and by what number. */
class Commands {
  readonly paragraphs: string[];
  private readonly nodes: readonly NodeId[];
  private readonly hardware: Hardware;
  private readonly machines: readonly Machine[];
  private inFlight: InFlight[] = [];
  private nextOrdinal = 1;

  constructor(private readonly setup: Setup, core: Core) {
    this.hardware = new Hardware(core, setup);
    this.nodes = this.hardware.nodes;
    this.machines = this.hardware.firstMachines();
    this.paragraphs = [[
      `nodes ${setup.nodes} ${setup.family}`, `lease ${LEASE_MS}`, `retry ${RETRY_MS}`, `drift ${DRIFT_MAX}`,
      `slack ${setup.slack}`, `block ${CLOCKS}`, ...(setup.retain ? [] : ['retain off']),
    ].join('\n')];
  }

  /** Returns false when the step breaks a rule that its node can see: then it is the last. */
  add(step: Step): boolean {
    if (step.kind === 'pass') {
      this.say(`advance ${LEASE_MS / this.setup.leaseSteps} late`);
      return this.nodes.every((_, place) => this.act(place, { kind: 'pass' }));
    }
    const { place } = step;
    this.say(...this.words(step, place));
    switch (step.kind) {
      case 'act':
        return this.act(place, step.action) && (step.action.kind !== 'restart' || this.introduce(place, step.action.peers));
      case 'crash':
        return this.act(place, { kind: 'crash' });
      case 'deliver':
      case 'deliver a copy':
        return this.act(place, { kind: 'deliver', ...step.letter });
      case 'lose':
        return true;
    }
  }

  private words(step: SeatStep, place: number): string[] {
    const node = this.nodes[place] ?? '';
    switch (step.kind) {
      case 'act':
        return this.wordsFor(step.action, place, node);
      case 'deliver':
        return [`deliver ${this.takeOut(step.letter, node)}`];
      case 'deliver a copy': {
        const name = this.takeOut(step.letter, node);
        this.inFlight.push({ ordinal: this.nextOrdinal++, from: step.letter.from, to: node, letter: step.letter });
        return [`duplicate ${name}`, `deliver ${name}`];
      }
      case 'lose':
        return [`drop ${this.takeOut(step.letter, node)}`];
      case 'crash': {
        if (!step.losesLetters) return [`crash ${node}`];
        this.inFlight = this.inFlight.filter((each) => each.to !== node);
        return [`crash ${node}`, `drop to ${node}`];
      }
    }
  }

  private wordsFor(action: Action, place: number, node: NodeId): string[] {
    switch (action.kind) {
      case 'acquire': {
        const caller = this.machines[place]?.callers[action.caller];
        const words = [caller?.steals === true ? 'steals' : 'acquires', LOCK, ...(caller?.mode === 'shared' ? ['shared'] : []), ...(caller?.remote === true ? ['remote'] : [])];
        return [`${node} ${words.join(' ')}${this.nameOf(place, action.caller)}`];
      }
      case 'leave':
      case 'cancel':
        return [`${node} releases ${LOCK}${this.nameOf(place, action.caller)}`];
      case 'wake':
        return [`wake ${node}`];
      case 'repeat':
        return [`advance ${RETRY_MS} late`, `wake ${node}`];
      case 'restart':
        return [`restart ${node}`, ...action.peers.map((peer) => `up ${this.nodes[peer.index]} at ${node}`)];
      case 'suspect':
        return [`down ${this.nodes[action.peer]} at ${node}`];
      case 'notice': {
        const peer = this.nodes[action.peer.index] ?? '';
        const wasUp = this.machines[place]?.seenLife[action.peer.index] !== 0;
        return [...(wasUp ? [`down ${peer} at ${node}`] : []), ...(action.peer.life === 0 ? [] : [`up ${peer} at ${node}`])];
      }
      case 'pass':
        return [`# Time passes for ${node} alone: ${LEASE_MS / this.setup.leaseSteps} ms.`];
      case 'crash':
      case 'deliver':
        throw new Error(`${action.kind} has words of its own`);
    }
  }

  private noticing(place: number, { index, life }: Peer): string[] {
    const node = this.nodes[place] ?? '';
    const peer = this.nodes[index] ?? '';
    const wasUp = this.machines[place]?.seenLife[index] !== 0;
    return [...(wasUp ? [`down ${peer} at ${node}`] : []), ...(life === 0 ? [] : [`up ${peer} at ${node}`])];
  }

  /** All that live find out that the node there is back. */
  private introduce(newcomer: number, others: readonly Peer[]): boolean {
    const machine = this.machines[newcomer];
    if (machine === undefined || this.setup.handshakesApart) return true;
    const peer = this.hardware.asPeer(machine);
    return others.every(({ index }) => {
      this.paragraphs.push(this.noticing(index, peer).join('\n'));
      return this.act(index, { kind: 'notice', peer });
    });
  }

  private act(place: number, action: Action): boolean {
    const machine = this.machines[place];
    if (machine === undefined) throw new RangeError(`no machine ${place}`);
    try {
      const from = this.nodes[place] ?? '';
      for (const { to, message } of this.hardware.act(machine, action).sent) {
        this.inFlight.push({ ordinal: this.nextOrdinal++, from, to, letter: { from, message } });
      }
      return true;
    } catch {
      return false;
    }
  }

  /** Takes it out of what is in flight, and says how to name it: by kind and way, or by number where there are several. */
  private takeOut(letter: Letter, to: NodeId): string {
    const { kind } = letter.message;
    const { from } = letter;
    const alike = this.inFlight.filter((each) => each.to === to && each.from === from && each.letter.message.kind === kind);
    const key = JSON.stringify(letter.message);
    const item = alike.find((each) => JSON.stringify(each.letter.message) === key);
    if (item === undefined) throw new Error('a message is delivered that was never sent');
    this.inFlight.splice(this.inFlight.indexOf(item), 1);
    return alike.length === 1 ? `${describeMessage(letter.message).split(' ', 1)[0]} ${from} -> ${to}` : `m${item.ordinal}`;
  }

  private nameOf(place: number, caller: number): string {
    const several = (this.machines[place]?.callers.length ?? 0) > 1;
    return several ? ` as c${caller + 1}` : '';
  }

  private say(...commands: string[]): void {
    this.paragraphs.push(commands.join('\n'));
  }
}
