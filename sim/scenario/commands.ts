/**
 * The language of scenarios: a line of text to a command. The grammar is described in
 * test/scenarios/README.md; whatever does not fit it is refused with a sentence that says what would.
 */
import type { LockName, MessageKind, Mode, NodeId } from '../../src/core';

/** A mistake in a scenario, not in what it tests. The runner puts file and line before it. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** Which messages in flight. Null: any. */
export interface Selector {
  /** The number in `m7`. */
  readonly ordinal: number | null;
  readonly kind: MessageKind | null;
  readonly from: NodeId | null;
  readonly to: NodeId | null;
  /** Sent by this node or to it. */
  readonly at: NodeId | null;
}

export interface Selection {
  readonly of: Selector;
  readonly but: readonly Selector[];
}

export type Layout =
  | { readonly family: 'majority' | 'plane' }
  | { readonly family: 'grid'; readonly columns: number | null }
  | { readonly family: 'explicit'; readonly sets: readonly (readonly NodeId[])[] };

/** Settings of the cluster, as numbers: milliseconds, Lamport times, a ratio; those that are on or off are 1 or 0. */
export type SettingName = 'lease' | 'retry' | 'drift' | 'slack' | 'block' | 'retain' | 'clocks' | 'handshakes';

export interface Wish {
  readonly lock: LockName;
  readonly mode: Mode;
  readonly steals?: true;
  /** For somebody in another process. */
  readonly remote?: true;
}

export type Command =
  | { readonly kind: 'nodes'; readonly count: number; readonly layout: Layout }
  | { readonly kind: 'setting'; readonly name: SettingName; readonly value: number }
  | { readonly kind: 'absent'; readonly node: NodeId }
  | { readonly kind: 'acquire'; readonly node: NodeId; readonly wish: Wish; readonly name: string | null }
  | { readonly kind: 'release'; readonly node: NodeId; readonly lock: LockName; readonly name: string | null }
  | { readonly kind: 'deliver'; readonly untilQuiet: boolean; readonly selection: Selection }
  | { readonly kind: 'drop' | 'duplicate'; readonly selection: Selection }
  /** `isLate`: the timers are, so nobody wakes. */
  | { readonly kind: 'advance'; readonly ms: number; readonly isLate: boolean }
  | { readonly kind: 'start' | 'crash' | 'stop' | 'pause' | 'resume' | 'wake'; readonly node: NodeId }
  | { readonly kind: 'restart'; readonly node: NodeId; readonly isWiped: boolean }
  | { readonly kind: 'up' | 'down'; readonly node: NodeId; readonly at: NodeId | null }
  | { readonly kind: 'status' | 'in flight' | 'messages' };

const MESSAGE_KINDS: ReadonlyMap<string, MessageKind> = new Map([
  ['Request', 'request'], ['Grant', 'grant'], ['Release', 'release'], ['Inquire', 'inquire'], ['Yield', 'yield'],
]);

/** @throws ScenarioError */
export function parseCommand(line: string): Command {
  const words = new Words(line.replaceAll('→', '->').trim().split(/\s+/));
  const command = parse(words);
  words.end();
  return command;
}

function parse(words: Words): Command {
  const first = words.next('a command');
  switch (first) {
    case 'nodes':
      return { kind: 'nodes', count: words.number('how many nodes'), layout: parseLayout(words) };
    case 'lease':
    case 'retry':
    case 'slack':
    case 'block':
      return { kind: 'setting', name: first, value: words.number('a whole number') };
    case 'drift':
      return { kind: 'setting', name: first, value: words.ratio() };
    case 'retain':
    case 'clocks':
    case 'handshakes':
      return { kind: 'setting', name: first, value: words.oneOf(['on', 'off']) === 'on' ? 1 : 0 };
    case 'deliver':
      return { kind: 'deliver', untilQuiet: words.take('all'), selection: parseSelection(words) };
    case 'drop':
    case 'duplicate':
      words.take('all');
      return { kind: first, selection: parseSelection(words) };
    case 'advance':
      return { kind: 'advance', ms: words.number('milliseconds'), isLate: words.take('late') };
    case 'absent':
    case 'start':
    case 'crash':
    case 'stop':
    case 'pause':
    case 'resume':
    case 'wake':
      return { kind: first, node: words.node() };
    case 'restart':
      return { kind: 'restart', node: words.node(), isWiped: words.take('wiped') };
    case 'up':
    case 'down':
      return { kind: first, node: words.node(), at: words.take('at') ? words.node() : null };
    case 'status':
    case 'messages':
      return { kind: first };
    case 'in':
      words.oneOf(['flight']);
      return { kind: 'in flight' };
    default:
      if (!isNode(first)) throw new ScenarioError(`'${first}' is no command`);
      return parseWish(first, words);
  }
}

function parseWish(node: NodeId, words: Words): Command {
  const verb = words.oneOf(['acquires', 'steals', 'releases']);
  const lock = words.next('the name of a lock');
  const mode = verb === 'acquires' && words.take('shared') ? 'shared' : 'exclusive';
  const isRemote = verb !== 'releases' && words.take('remote');
  const name = words.take('as') ? words.next('the name of the caller') : null;
  if (verb === 'releases') return { kind: 'release', node, lock, name };
  return { kind: 'acquire', node, wish: { lock, mode, ...(verb === 'steals' ? { steals: true } : {}), ...(isRemote ? { remote: true } : {}) }, name };
}

function parseLayout(words: Words): Layout {
  const family = words.oneOf(['majority', 'grid', 'plane', 'explicit']);
  switch (family) {
    case 'majority':
    case 'plane':
      return { family };
    case 'grid': {
      if (words.isAtEnd) return { family, columns: null };
      const columns = words.number('how many columns');
      words.oneOf(['columns']);
      return { family, columns };
    }
    case 'explicit': {
      const sets: NodeId[][] = [];
      while (!words.isAtEnd) {
        const set = words.next('a set');
        if (!/^\{n\d+(,n\d+)*\}$/.test(set)) throw new ScenarioError(`'${set}' is no set of nodes such as {n1,n2}`);
        sets.push(set.slice(1, -1).split(','));
      }
      return { family, sets };
    }
  }
}

/** `[SELECTOR] [but SELECTOR [and SELECTOR …]]` */
function parseSelection(words: Words): Selection {
  const of = parseSelector(words);
  const but: Selector[] = [];
  if (words.take('but')) do but.push(parseSelector(words)); while (words.take('and'));
  return { of, but };
}

/** `m7`, or `[Kind] [n1 -> n2 | from n1 | to n2 | n1]` */
function parseSelector(words: Words): Selector {
  const any: Selector = { ordinal: null, kind: null, from: null, to: null, at: null };
  const ordinal = words.takeIf((word) => /^m\d+$/.test(word));
  if (ordinal !== null) return { ...any, ordinal: Number(ordinal.slice(1)) };
  const kind = MESSAGE_KINDS.get(words.takeIf((word) => MESSAGE_KINDS.has(word)) ?? '') ?? null;
  if (words.take('from')) return { ...any, kind, from: words.node() };
  if (words.take('to')) return { ...any, kind, to: words.node() };
  const node = words.takeIf(isNode);
  if (node === null) return { ...any, kind };
  return words.take('->') ? { ...any, kind, from: node, to: words.node() } : { ...any, kind, at: node };
}

function isNode(word: string): boolean {
  return /^n\d+$/.test(word);
}

/** The words of one line, read from left to right. */
class Words {
  private place = 0;

  constructor(private readonly words: readonly string[]) {}

  get isAtEnd(): boolean {
    return this.place === this.words.length;
  }

  next(what: string): string {
    const word = this.words[this.place];
    if (word === undefined) throw new ScenarioError(`${what} is missing at the end`);
    this.place++;
    return word;
  }

  /** Step over the word if it is this one. */
  take(word: string): boolean {
    return this.takeIf((next) => next === word) !== null;
  }

  takeIf(fits: (word: string) => boolean): string | null {
    const word = this.words[this.place];
    if (word === undefined || !fits(word)) return null;
    this.place++;
    return word;
  }

  oneOf<Word extends string>(choices: readonly Word[]): Word {
    const word = this.next(choices.join(' or '));
    const choice = choices.find((each) => each === word);
    if (choice === undefined) throw new ScenarioError(`'${word}' where ${choices.join(' or ')} was expected`);
    return choice;
  }

  /** A whole number, 0 or more. */
  number(what: string): number {
    const word = this.next(what);
    if (!/^\d+$/.test(word)) throw new ScenarioError(`'${word}' where ${what} was expected`);
    return Number(word);
  }

  /** Less than 1. */
  ratio(): number {
    const word = this.next('a ratio');
    if (!/^0(\.\d+)?$/.test(word)) throw new ScenarioError(`'${word}' where a ratio such as 0.01 was expected`);
    return Number(word);
  }

  node(): NodeId {
    const word = this.next('a node');
    if (!isNode(word)) throw new ScenarioError(`'${word}' where a node such as n1 was expected`);
    return word;
  }

  end(): void {
    const rest = this.words.slice(this.place).join(' ');
    if (rest !== '') throw new ScenarioError(`'${rest}' is too much`);
  }
}
