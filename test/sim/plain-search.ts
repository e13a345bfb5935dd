/**
 * The explorer's search as anyone would write it first: a state is the list of steps that leads to it,
 * run from the beginning on nodes that nobody took apart, and known by its text. Slow, and with none of
 * the explorer's machinery (snapshots, memory of steps, numbers, tables), to compare counts with.
 */
import type { Message, NodeId } from '../../src/core';
import { PRODUCTION_CORE } from '../../sim/core';
import { Hardware } from '../../sim/explore/hardware';
import type { Action, Machine, Peer } from '../../sim/explore/machine';
import type { Budgeted, Setup } from '../../sim/explore/setup';

interface InFlight {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

type PlainStep =
  | { readonly kind: 'act' | 'crash'; readonly place: number; readonly action: Action; readonly losesLetters: boolean }
  | { readonly kind: 'deliver' | 'duplicate' | 'loss'; readonly item: number }
  | { readonly kind: 'leaseEnd' }
  | { readonly kind: 'restart' | 'notice'; readonly place: number; readonly peer: number };

/** How many states can be reached. */
export function countPlainly(setup: Setup): number {
  const seen = new Set<string>();
  const ahead: PlainStep[][] = [[]];
  for (let path = ahead.pop(); path !== undefined; path = ahead.pop()) {
    const world = new PlainWorld(setup);
    for (const step of path) world.take(step);
    const { text } = world;
    if (seen.has(text)) continue;
    seen.add(text);
    for (const step of world.steps()) ahead.push([...path, step]);
  }
  return seen.size;
}

class PlainWorld {
  private readonly nodes: readonly NodeId[];
  private readonly hardware: Hardware;
  private readonly machines: Machine[];
  private readonly left: Record<Budgeted, number>;
  private readonly tokens: Record<'exclusive' | 'shared', number> = { exclusive: 0, shared: 0 };
  private inFlight: InFlight[] = [];

  constructor(setup: Setup) {
    this.hardware = new Hardware(PRODUCTION_CORE, setup);
    this.nodes = this.hardware.nodes;
    this.machines = this.hardware.firstMachines();
    this.left = { ...setup.budget };
  }

  get text(): string {
    const letters = this.inFlight.map((each) => JSON.stringify(each)).sort();
    const highest = Math.max(this.tokens.exclusive, this.tokens.shared);
    return [JSON.stringify(this.machines, asText), ...letters, JSON.stringify(this.left), this.tokens.exclusive, highest].join('\n');
  }

  steps(): PlainStep[] {
    return [...this.machines.flatMap((machine, place) => [...this.localSteps(machine, place), ...this.meetings(machine, place)]),
      ...this.deliveries(), ...(this.left.leaseEnd > 0 ? [{ kind: 'leaseEnd' as const }] : [])];
  }

  take(step: PlainStep): void {
    switch (step.kind) {
      case 'act':
      case 'crash':
        if (isBudgeted(step.action)) this.left[step.action.kind]--;
        if (step.losesLetters) this.inFlight = this.inFlight.filter(({ to }) => to !== this.nodes[step.place]);
        return this.act(step.place, step.action);
      case 'loss':
        this.left.loss--;
        this.inFlight.splice(step.item, 1);
        return;
      case 'deliver':
      case 'duplicate': {
        const { from, to, message } = present(this.inFlight[step.item]);
        if (step.kind === 'duplicate') this.left.duplicate--;
        else this.inFlight.splice(step.item, 1);
        return this.act(this.nodes.indexOf(to), { kind: 'deliver', from, message });
      }
      case 'leaseEnd':
        this.left.leaseEnd--;
        return this.machines.forEach((_, place) => this.act(place, { kind: 'pass' }));
      case 'notice':
        return this.act(step.place, { kind: 'notice', peer: this.peer(step.peer) });
      case 'restart': {
        const peers = this.machines.map((machine) => this.hardware.asPeer(machine)).filter(({ life }) => life !== 0);
        this.act(step.place, { kind: 'restart', peers });
        const newcomer = this.peer(step.place);
        for (const { index } of peers) this.act(index, { kind: 'notice', peer: newcomer });
        return;
      }
    }
  }

  private localSteps(machine: Machine, place: number): PlainStep[] {
    const actions = this.hardware.allActions();
    const enabled = this.hardware.enabled(machine, actions);
    return actions
      .filter((action, index) => action.kind !== 'pass' && (enabled & (1 << index)) !== 0 && (!isBudgeted(action) || this.left[action.kind] > 0))
      .flatMap((action): PlainStep[] => {
        if (action.kind !== 'crash') return [{ kind: 'act', place, action, losesLetters: false }];
        return [false, true].map((losesLetters) => ({ kind: 'crash', place, action, losesLetters }));
      });
  }

  private meetings(machine: Machine, place: number): PlainStep[] {
    if (machine.core === null) return [{ kind: 'restart', place, peer: place }];
    return this.machines.flatMap((other, peer): PlainStep[] => {
      const isKnown = peer === place || machine.seenLife[peer] === this.hardware.asPeer(other).life;
      return isKnown ? [] : [{ kind: 'notice', place, peer }];
    });
  }

  private deliveries(): PlainStep[] {
    return this.inFlight.flatMap(({ to }, item): PlainStep[] => {
      if (this.machines[this.nodes.indexOf(to)]?.core === null) return [];
      return [
        { kind: 'deliver', item },
        ...(this.left.duplicate > 0 ? [{ kind: 'duplicate' as const, item }] : []),
        ...(this.left.loss > 0 ? [{ kind: 'loss' as const, item }] : []),
      ];
    });
  }

  private peer(place: number): Peer {
    return this.hardware.asPeer(present(this.machines[place]));
  }

  private act(place: number, action: Action): void {
    const { sent, entries } = this.hardware.act(present(this.machines[place]), action);
    for (const { to, message } of sent) this.inFlight.push({ from: this.nodes[place] ?? '', to, message });
    for (const { mode, token } of entries) this.tokens[mode] = Math.max(this.tokens[mode], token);
  }
}

function isBudgeted(action: Action): action is Action & { kind: 'crash' | 'repeat' | 'cancel' | 'suspect' } {
  return ['crash', 'repeat', 'cancel', 'suspect'].includes(action.kind);
}

/** Without what refers back, or never changes. */
function asText(name: string, value: unknown): unknown {
  if (['context', 'settings', 'heap', 'peers'].includes(name)) return undefined;
  if (value instanceof Map) return [...(value as Map<string, unknown>)].sort(([a], [b]) => (a < b ? -1 : 1));
  if (value instanceof Set) return [...(value as Set<string>)].sort();
  return value === Infinity ? 'Infinity' : value;
}

function present<Item>(item: Item | undefined): Item {
  if (item === undefined) throw new RangeError('no such item');
  return item;
}
