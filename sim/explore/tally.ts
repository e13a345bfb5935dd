/**
 * What belongs to no node: how much of each fault is left, and the highest tokens so far, which
 * `token-rises` needs to know of the past. A tally goes by a number.
 */
import type { Mode, Token } from '../../src/core';
import type { Budget, Budgeted } from './setup';
import { BUDGETED } from './setup';
import { PairMap } from './tables';

/** A step that costs nothing: one that a live system makes by itself. */
export const FREE = 0;

/** What a step of this kind is counted as. */
export const COST = Object.fromEntries(BUDGETED.map((each, index) => [each, index + 1])) as Readonly<Record<Budgeted, number>>;

interface Tally {
  /** In the order of `BUDGETED`. */
  readonly left: readonly number[];
  readonly highest: Token;
  readonly highestExclusive: Token;
  /** By place, how often one who waits there was overtaken so far; empty when that is not counted. */
  readonly overtaken: readonly number[];
}

export interface Entry {
  readonly mode: Mode;
  readonly token: Token;
}

/** Instead of a tally. */
export const NOTHING_LEFT = -2;
export const TOKEN_TOO_LOW = -3;

export class Tallies {
  private readonly tallies: Tally[] = [];
  private readonly ids = new Map<string, number>();
  private readonly spent = new PairMap();
  private readonly entered = new PairMap();
  private readonly enteredUnchecked = new PairMap();
  private readonly entries: (readonly Entry[])[] = [[]];
  private readonly entryIds = new Map<string, number>();

  first(budget: Budget): number {
    return this.idOf({ left: BUDGETED.map((each) => budget[each]), highest: 0, highestExclusive: 0, overtaken: [] });
  }

  /** The entries of one step, as a number; 0 for none. */
  entriesId(entries: readonly Entry[]): number {
    if (entries.length === 0) return 0;
    const key = entries.map(({ mode, token }) => `${mode} ${token}`).join();
    let id = this.entryIds.get(key);
    if (id === undefined) {
      id = this.entries.push(entries) - 1;
      this.entryIds.set(key, id);
    }
    return id;
  }

  entriesOf(id: number): readonly Entry[] {
    return this.entries[id] ?? [];
  }

  /** The tally after such a step, or `NOTHING_LEFT`. */
  spend(tally: number, cost: number): number {
    let next = this.spent.get(tally, cost);
    if (next === -1) {
      const before = this.of(tally);
      const rest = (before.left[cost - 1] ?? 0) - 1;
      next = rest < 0 ? NOTHING_LEFT : this.idOf({ ...before, left: before.left.with(cost - 1, rest) });
      this.spent.set(tally, cost, next);
    }
    return next;
  }

  /** The tally after these entries, or `TOKEN_TOO_LOW` (token-rises, protocol.md section 10). */
  enter(tally: number, entries: number): number {
    let next = this.entered.get(tally, entries);
    if (next === -1) {
      next = this.rises(this.of(tally), this.entriesOf(entries)) ? this.enterUnchecked(tally, entries) : TOKEN_TOO_LOW;
      this.entered.set(tally, entries, next);
    }
    return next;
  }

  /** The tally after entries whose tokens are not compared. */
  enterUnchecked(tally: number, entries: number): number {
    let next = this.enteredUnchecked.get(tally, entries);
    if (next === -1) {
      const before = this.of(tally);
      const { highest, highestExclusive } = before;
      next = this.idOf({
        ...before,
        highest: highestOf(highest, this.entriesOf(entries)),
        highestExclusive: highestOf(highestExclusive, this.entriesOf(entries).filter(({ mode }) => mode === 'exclusive')),
      });
      this.enteredUnchecked.set(tally, entries, next);
    }
    return next;
  }

  /** The tally after one at `place` entered, and overtook those at the places in `others`. */
  overtake(tally: number, place: number, others: readonly number[]): number {
    const before = this.of(tally);
    const overtaken = [...before.overtaken];
    for (const other of others) overtaken[other] = (overtaken[other] ?? 0) + 1;
    overtaken[place] = 0;
    return this.idOf({ ...before, overtaken: Array.from(overtaken, (count) => count ?? 0) });
  }

  /** How often the one at that place was overtaken so far. */
  overtaken(tally: number, place: number): number {
    return this.of(tally).overtaken[place] ?? 0;
  }

  /** How much of its budget the tally has used. */
  used(tally: number, budget: Budget): Budget {
    const { left } = this.of(tally);
    return Object.fromEntries(BUDGETED.map((each, index) => [each, budget[each] - (left[index] ?? budget[each])])) as Record<Budgeted, number>;
  }

  highest(tally: number): Token {
    return this.of(tally).highest;
  }

  /** The same tokens, and no faults any more. */
  withoutFaults(tally: number): number {
    return this.idOf({ ...this.of(tally), left: [] });
  }

  private rises({ highest, highestExclusive }: Tally, entries: readonly Entry[]): boolean {
    let [all, exclusive] = [highest, highestExclusive];
    return entries.every(({ mode, token }) => {
      const isHigher = token > (mode === 'exclusive' ? all : exclusive);
      all = Math.max(all, token);
      if (mode === 'exclusive') exclusive = token;
      return isHigher;
    });
  }

  private of(tally: number): Tally {
    const found = this.tallies[tally];
    if (found === undefined) throw new RangeError(`no tally ${tally}`);
    return found;
  }

  private idOf(tally: Tally): number {
    const key = `${tally.left.join()};${tally.highest};${tally.highestExclusive};${tally.overtaken.join()}`;
    let id = this.ids.get(key);
    if (id === undefined) {
      id = this.tallies.push(tally) - 1;
      this.ids.set(key, id);
    }
    return id;
  }
}

function highestOf(before: Token, entries: readonly Entry[]): Token {
  return entries.reduce((highest, { token }) => Math.max(highest, token), before);
}
