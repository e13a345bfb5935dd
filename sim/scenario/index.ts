/**
 * Conversations of a few nodes as text: commands, and below each `----` what happened, in the words of
 * the protocol. Pure and deterministic: the same text gives the same output. The language is described
 * in test/scenarios/README.md.
 */
import { buildCoterie, layoutOf } from '../../src/quorum';
import type { FamilyLayout, NodeId } from '../../src/quorum';
import { PRODUCTION_CORE } from '../core';
import type { Core } from '../core';
import { Cluster } from './cluster';
import { ScenarioError, parseCommand } from './commands';
import type { Command, Layout, SettingName } from './commands';

export { ScenarioError } from './commands';
export { describeEffect, describeLock, describeMessage, describeRequest } from './words';
export type { Wording } from './words';

export interface ScenarioOptions {
  /** What errors call the text. Default `scenario`. */
  readonly file?: string;
  /** The core that the nodes run. Default: the one of production. */
  readonly core?: Core;
}

export interface ScenarioRun {
  /** The text again, with what happened below each command. */
  readonly output: string;
  /** Broken invariants, in the order in which they were found. None in a sound core. */
  readonly violations: readonly string[];
}

const SEPARATOR = '----';

/** Small, so that every number can be followed by hand. */
const DEFAULTS: Readonly<Record<SettingName, number>> = {
  lease: 3000, retry: 1000, drift: 0.01, slack: 100, block: 100, retain: 1, clocks: 0, handshakes: 1,
};

/**
 * Run the commands of a scenario. What stands below `----` is not read: compare it with the output.
 * @throws ScenarioError naming file and line, when the scenario itself is wrong
 */
export function runScenario(text: string, { file = 'scenario', core = PRODUCTION_CORE }: ScenarioOptions = {}): ScenarioRun {
  const scenario = new Scenario(core);
  const paragraphs = paragraphsOf(text).map(({ lines, firstLine }) => {
    const end = lines.indexOf(SEPARATOR);
    const commands = end < 0 ? lines : lines.slice(0, end);
    const output = commands.flatMap((line, index) => {
      if (line.startsWith('#')) return [];
      try {
        return scenario.run(parseCommand(line));
      } catch (error) {
        if (!(error instanceof ScenarioError)) throw error;
        throw new ScenarioError(`${file}:${firstLine + index}: ${error.message}`);
      }
    });
    if (commands.every((line) => line.startsWith('#'))) return commands;
    return [...commands, SEPARATOR, ...(output.length === 0 ? ['ok'] : output)];
  });
  return { output: `${paragraphs.map((lines) => lines.join('\n')).join('\n\n')}\n`, violations: scenario.violations };
}

/** The nodes start with the first command that is not about how they are to be set up. */
class Scenario {
  private readonly settings: Record<SettingName, number> = { ...DEFAULTS };
  private layout: { readonly nodes: readonly NodeId[]; readonly of: FamilyLayout } | null = null;
  private readonly absent = new Set<NodeId>();
  private cluster: Cluster | null = null;

  constructor(private readonly core: Core) {}

  get violations(): readonly string[] {
    return this.cluster?.violations ?? [];
  }

  /** What happened, line by line. */
  run(command: Command): string[] {
    if (command.kind === 'nodes' || command.kind === 'setting' || command.kind === 'absent') {
      if (this.cluster !== null) throw new ScenarioError('the nodes run already');
      if (command.kind === 'setting') this.settings[command.name] = command.value;
      else if (command.kind === 'absent') this.absent.add(command.node);
      else this.layout = layOut(command.count, command.layout);
      return [];
    }
    this.cluster ??= this.build();
    perform(this.cluster, command);
    return this.cluster.takeLines();
  }

  private build(): Cluster {
    if (this.layout === null) throw new ScenarioError("begin with 'nodes 3 majority' or the like");
    const { lease, retry, drift, slack, block, retain, clocks, handshakes } = this.settings;
    const unknown = [...this.absent].find((node) => this.layout?.nodes.includes(node) === false);
    if (unknown !== undefined) throw new ScenarioError(`there is no ${unknown}, only ${this.layout.nodes.join(' ')}`);
    return new Cluster(this.core, {
      coterie: buildCoterie(this.layout.nodes, this.layout.of),
      leaseMs: lease, retryMs: retry, driftMax: drift, slack, ceilingBlock: block, retain: retain === 1, clocks: clocks === 1,
      handshakes: handshakes === 1, absent: this.absent,
    });
  }
}

function layOut(count: number, layout: Layout): { nodes: NodeId[]; of: FamilyLayout } {
  if (count === 0) throw new ScenarioError('no nodes, no locks');
  const nodes = Array.from({ length: count }, (_, index) => `n${index + 1}`);
  if (layout.family === 'explicit') {
    if (layout.sets.length !== count) throw new ScenarioError(`${layout.sets.length} sets for ${count} nodes: give each the set that it asks first`);
    return { nodes, of: { family: 'explicit', sets: Object.fromEntries(nodes.map((node, index) => [node, layout.sets[index] ?? []])) } };
  }
  const columns = layout.family === 'grid' && layout.columns !== null ? layout.columns : undefined;
  try {
    return { nodes, of: layoutOf(layout.family, nodes, columns) };
  } catch (error) {
    if (error instanceof RangeError) throw new ScenarioError(error.message);
    throw error;
  }
}

function perform(cluster: Cluster, command: Exclude<Command, { kind: 'nodes' | 'setting' | 'absent' }>): void {
  switch (command.kind) {
    case 'acquire':
      return cluster.acquire(command.node, command.wish, command.name);
    case 'release':
      return cluster.release(command.node, command.lock, command.name);
    case 'deliver':
      return cluster.deliver(command.selection, command.untilQuiet);
    case 'drop':
      return cluster.drop(command.selection);
    case 'duplicate':
      return cluster.duplicate(command.selection);
    case 'advance':
      return cluster.advance(command.ms, command.isLate);
    case 'wake':
      return cluster.wakeUp(command.node);
    case 'start':
      return cluster.startLate(command.node);
    case 'crash':
      return cluster.crash(command.node);
    case 'stop':
      return cluster.stop(command.node);
    case 'restart':
      return cluster.restart(command.node, command.isWiped);
    case 'pause':
      return cluster.pause(command.node);
    case 'resume':
      return cluster.resume(command.node);
    case 'up':
      return cluster.up(command.node, command.at);
    case 'down':
      return cluster.down(command.node, command.at);
    case 'status':
      return cluster.status();
    case 'in flight':
      return cluster.listInFlight();
    case 'messages':
      return cluster.countMessages();
  }
}

function paragraphsOf(text: string): { readonly lines: string[]; readonly firstLine: number }[] {
  const paragraphs: { lines: string[]; firstLine: number }[] = [];
  let current: string[] | null = null;
  for (const [index, line] of text.split(/\r?\n/).map((each) => each.trimEnd()).entries()) {
    if (line === '') {
      current = null;
    } else if (current === null) {
      current = [line];
      paragraphs.push({ lines: current, firstLine: index + 1 });
    } else {
      current.push(line);
    }
  }
  return paragraphs;
}
