/**
 * Breadth-first search through every state that can be reached, so that whatever is found is found on a
 * shortest path. The table of states is the queue.
 */
import type { Failure } from './machine';
import { Settler } from './settle';
import type { System } from './system';
import { StateTable } from './tables';

export interface Limits {
  /** Of all tables together. */
  readonly bytesMax: number;
  readonly statesMax: number;
}

/** How far the search is. */
export interface Progress {
  readonly states: number;
  readonly transitions: number;
  /** Steps to the states that are being expanded; in the end, to the farthest. */
  readonly depth: number;
  /** States without a step that a live system makes by itself. */
  readonly quiet: number;
  /** States found and not yet expanded. */
  readonly ahead: number;
}

export type Verdict =
  | { readonly kind: 'clean' }
  /** The limit came first; nothing wrong so far. */
  | { readonly kind: 'limit'; readonly what: 'memory' | 'states' }
  /** `from`: the state whose step, or whose end, breaks the rule. `step`: which, or null for its end. */
  | { readonly kind: 'violation'; readonly failure: Failure; readonly from: number; readonly step: number | null };

/** So many states are expanded between two looks at the memory, and at the clock of whoever watches. */
const STATES_A_LOOK = 1 << 14;

/** How much of the memory the rows of seats may take before they are forgotten. */
const ROWS_SHARE = 1 / 8;

export class Search {
  readonly table: StateTable;
  private readonly settler: Settler;
  private readonly state: Int32Array;
  private transitions = 0;
  private depth = 0;
  private quiet = 0;
  private current = 0;
  private verdict: Verdict | null = null;
  private step = 0;

  constructor(private readonly system: System) {
    this.table = new StateTable(system.width);
    this.settler = new Settler(system);
    this.state = new Int32Array(system.width);
    this.table.add(system.first(), -1);
  }

  get progress(): Progress {
    const { transitions, depth, quiet, current, table } = this;
    return { states: table.size, transitions, depth, quiet, ahead: table.size - current };
  }

  get bytes(): number {
    return this.table.bytesNext + this.system.bytes + this.settler.bytes;
  }

  run(limits: Limits, watch: (progress: Progress) => void): Verdict {
    const { table, system, state } = this;
    let levelEnd = 1;
    const reach = (): void => this.reach();
    for (this.current = 0; this.current < table.size; this.current++) {
      if (this.current === levelEnd) {
        levelEnd = table.size;
        this.depth++;
      }
      if (this.current % STATES_A_LOOK === 0) {
        watch(this.progress);
        if (4 * system.seats.rows.length > ROWS_SHARE * limits.bytesMax) system.seats.forgetRows();
        if (this.bytes > limits.bytesMax) return { kind: 'limit', what: 'memory' };
      }
      if (table.size >= limits.statesMax) return { kind: 'limit', what: 'states' };
      table.read(this.current, state);
      this.step = 0;
      const free = system.expand(state, reach);
      if (free === 0) this.atRest();
      if (this.verdict !== null) return this.verdict;
    }
    return { kind: 'clean' };
  }

  private reach(): void {
    this.transitions++;
    const { failure } = this.system;
    if (failure === null) this.table.add(this.system.next, this.current);
    else this.verdict ??= { kind: 'violation', failure, from: this.current, step: this.step };
    this.step++;
  }

  private atRest(): void {
    this.quiet++;
    const failure = this.settler.check(this.state);
    if (failure !== null) this.verdict ??= { kind: 'violation', failure, from: this.current, step: null };
  }
}
