/**
 * A seat is one machine in one state, together with the letters on their way to it. It goes by a number,
 * and a state of the whole system is a seat for each node and a tally. What may happen at a seat, and
 * what it does to the others, is kept as rows of integers, so a step of the search is a few look-ups.
 * Law: a memory of `Machines`; it decides nothing but what a network may do with a letter.
 */
import type { Letter } from './bags';
import { EMPTY_BAG } from './bags';
import { CRASH, EFFECT } from './machines';
import type { Machines } from './machines';
import type { Action } from './machine';
import type { Setup } from './setup';
import { IntVector, PairMap } from './tables';
import { COST, FREE } from './tally';

/** What may happen at one seat without the others. */
export type SeatStep =
  | { readonly kind: 'act'; readonly action: Action }
  | { readonly kind: 'deliver' | 'deliver a copy' | 'lose'; readonly letter: Letter }
  /** The letters on their way to a node that dies may arrive after its restart, or be lost with it. */
  | { readonly kind: 'crash'; readonly losesLetters: boolean };

/** A step of a seat as a row of integers; by the place in the row. */
export const ROW = {
  /** What it is counted as; `FREE` for none. */
  cost: 0,
  /** The seat that comes of it. */
  seat: 1,
  /** From here on as in `EFFECT`. */
  outcome: 2,
  receivers: 4,
  /** Without what is sent. */
  length: 5,
} as const;

export class Seats {
  /** The steps of all seats: for each its number of rows, then the rows. */
  readonly rows = new IntVector();

  private readonly ids = new PairMap();
  private readonly machines_ = new IntVector();
  private readonly bags_ = new IntVector();
  private readonly firstRows = new IntVector();
  private readonly grown = new PairMap();
  /** Rows are put together here first: making one may make another seat, but never another row. */
  private readonly draft = new IntVector();

  constructor(
    private readonly machines: Machines,
    private readonly setup: Setup,
  ) {}

  get size(): number {
    return this.machines_.length;
  }

  get bytes(): number {
    return this.rows.bytes + this.ids.bytes + 3 * this.machines_.bytes + this.grown.bytes;
  }

  idOf(machine: number, bag: number): number {
    let id = this.ids.get(machine, bag);
    if (id < 0) {
      id = this.machines_.length;
      this.machines_.push(machine);
      this.bags_.push(bag);
      this.firstRows.push(-1);
      this.ids.set(machine, bag, id);
    }
    return id;
  }

  machineOf(seat: number): number {
    return this.machines_.at(seat);
  }

  bagOf(seat: number): number {
    return this.bags_.at(seat);
  }

  /** The seat when these letters are sent to it. */
  withLetters(seat: number, bag: number): number {
    let id = this.grown.get(seat, bag);
    if (id < 0) {
      id = this.idOf(this.machineOf(seat), this.machines.bags.join(this.bagOf(seat), bag));
      this.grown.set(seat, bag, id);
    }
    return id;
  }

  /** Where its rows begin. */
  rowsOf(seat: number): number {
    let first = this.firstRows.at(seat);
    if (first < 0) {
      first = this.rows.length;
      const steps = this.compile(seat);
      this.rows.push(steps);
      for (let i = 0; i < this.draft.length; i++) this.rows.push(this.draft.at(i));
      this.firstRows.set(seat, first);
    }
    return first;
  }

  /** They are put together again when they are needed again. */
  forgetRows(): void {
    this.rows.length = 0;
    this.firstRows.fill(-1);
  }

  /** What the row of that number is, in words. */
  describe(seat: number, row: number): SeatStep {
    let count = 0;
    let found: SeatStep | undefined;
    this.forEachStep(seat, (step) => {
      if (count++ === row) found = step();
    });
    if (found === undefined) throw new RangeError(`no row ${row}`);
    return found;
  }

  private compile(seat: number): number {
    this.draft.length = 0;
    let count = 0;
    this.forEachStep(seat, (_step, cost, effects, bag) => {
      count++;
      this.addRow(cost, effects, bag, seat);
    });
    return count;
  }

  /** `effects` is -1 where only the letters change. */
  private forEachStep(seat: number, tell: (step: () => SeatStep, cost: number, effects: number, bag: number) => void): void {
    const { machines } = this;
    const { budget, freeClocks } = this.setup;
    const { bags } = machines;
    const machine = this.machineOf(seat);
    const bag = this.bagOf(seat);
    machines.actions.forEach((action, index) => {
      const cost = costOf(action, freeClocks);
      if (!machines.isEnabled(machine, index) || cost === null || (cost !== FREE && budget[cost] === 0)) return;
      const effects = machines.afterAction(machine, index);
      if (index !== CRASH) return tell(() => ({ kind: 'act', action }), cost === FREE ? FREE : COST[cost], effects, bag);
      tell(() => ({ kind: 'crash', losesLetters: false }), COST.crash, effects, bag);
      if (bag !== EMPTY_BAG) tell(() => ({ kind: 'crash', losesLetters: true }), COST.crash, effects, EMPTY_BAG);
    });
    // Nobody is there to take a letter.
    if (machines.life(machine) === 0) return;
    let last = -1;
    for (const letter of bags.lettersIn(bag).slice()) {
      if (letter === last) continue;
      last = letter;
      const effects = machines.afterLetter(machine, letter);
      const rest = bags.without(bag, letter);
      tell(() => ({ kind: 'deliver', letter: bags.letter(letter) }), FREE, effects, rest);
      if (budget.duplicate > 0) tell(() => ({ kind: 'deliver a copy', letter: bags.letter(letter) }), COST.duplicate, effects, bag);
      if (budget.loss > 0) tell(() => ({ kind: 'lose', letter: bags.letter(letter) }), COST.loss, -1, rest);
    }
  }

  private addRow(cost: number, effects: number, bag: number, seat: number): void {
    const { draft } = this;
    const from = this.machines.effects;
    draft.push(cost);
    if (effects < 0) {
      draft.push(this.idOf(this.machineOf(seat), bag));
      for (let i = 0; i < 3; i++) draft.push(0);
      return;
    }
    draft.push(this.idOf(from.at(effects + EFFECT.machine), bag));
    const receivers = from.at(effects + EFFECT.receivers);
    const end = effects + EFFECT.receivers + 1 + 2 * receivers;
    for (let i = effects + EFFECT.outcome; i < end; i++) draft.push(from.at(i));
  }
}

/** What an action is counted as; null for one that no seat takes by itself. */
function costOf(action: Action, freeClocks: boolean): keyof typeof COST | typeof FREE | null {
  switch (action.kind) {
    case 'acquire':
    case 'leave':
    case 'wake':
      return FREE;
    case 'crash':
    case 'repeat':
    case 'cancel':
    case 'suspect':
      return action.kind;
    case 'pass':
      return freeClocks ? 'leaseEnd' : null;
    case 'deliver':
    case 'restart':
    case 'notice':
      return null;
  }
}
