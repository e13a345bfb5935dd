/**
 * What the earlier life of a node means for the one that begins, and what an operator's act says to it: how long the node is silent, above
 * which clock it starts, and whether it may start at all.
 * Law: no configuration shortens what a vote was lent for under an earlier one, no node votes under two layouts without the operator's word
 * that the other one is stopped, and no token of a new layout is below one of the old.
 * Source: protocol.md section 16.
 */
import { FORMER_SLACK } from './clock';
import type { LamportTime } from './messages';

/** Under which terms a node lent its vote, as its data directory remembers. */
export interface LendingTerms {
  readonly leaseMs: number;
  readonly slack: number;
  /** Null before it has lent its vote. */
  readonly layout: string | null;
  /** The clock of the act under which it lent its vote, which no other act has; null if its configuration had none. */
  readonly act: LamportTime | null;
}

/** The act by which another layout takes the place of the one that ran. It is in the configuration. */
export interface LayoutAct {
  /** The layout that ran. */
  readonly from: string;
  readonly silentMs: number;
  readonly clock: LamportTime;
}

export interface LifeSettings {
  readonly leaseMs: number;
  readonly slack: number;
  readonly layout: string;
  readonly change?: LayoutAct | undefined;
  /** What the data directory remembers; terms are null where it does not say. */
  readonly existed: boolean;
  readonly terms: LendingTerms | null;
}

/** How a life begins. */
export interface LifeTerms {
  readonly silentMs: number;
  readonly slackBefore: number;
  /** The clock begins above this, whatever the wall clock says; 0 when nothing is known. */
  readonly clockFloor: LamportTime;
  /** What the data directory says until this life lends its vote: no less than what earlier ones did. */
  readonly whileSilent: LendingTerms;
  /** What it says from then on. */
  readonly whenLending: LendingTerms;
}

/** Whether a node that remembers these terms may start under that layout. */
export function mayStartUnder({ layout, change, terms }: Pick<LifeSettings, 'layout' | 'change' | 'terms'>): boolean {
  const before = terms?.layout ?? null;
  return before === null || before === layout || before === change?.from;
}

export function termsOfLife({ leaseMs, slack, layout, change, existed, terms }: LifeSettings): LifeTerms {
  const before = terms?.layout ?? null;
  // Only this very act says that it took part since the change. It may remember the present layout from before the one that ran last.
  const isChanging = change !== undefined && (before !== layout || terms?.act !== change.clock);
  const silentMs = Math.max(leaseMs, terms?.leaseMs ?? 0, isChanging ? change.silentMs : 0);
  const slackBefore = Math.max(slack, existed ? (terms?.slack ?? FORMER_SLACK) : 0);
  return {
    silentMs,
    slackBefore,
    clockFloor: isChanging ? change.clock : 0,
    whileSilent: { leaseMs: silentMs, slack: slackBefore, layout: before, act: terms?.act ?? null },
    whenLending: { leaseMs, slack, layout, act: change?.clock ?? null },
  };
}

/** What the operator's command saw of the layout that ran. */
export interface ActSettings {
  readonly from: string;
  readonly leaseBeforeMs: number;
  readonly leaseMs: number;
  /** The larger one of the two layouts. */
  readonly slack: number;
  /** The highest clock of each node that answered. */
  readonly clocks: readonly LamportTime[];
  readonly wallClockUs: number;
}

export function layoutActOf({ from, leaseBeforeMs, leaseMs, slack, clocks, wallClockUs }: ActSettings): LayoutAct {
  const silentMs = Math.max(leaseBeforeMs, leaseMs);
  const observed = Math.max(0, ...clocks);
  // A clock that was seen may have risen since, and tokens are above it, by SLACK at most; then as a new life begins.
  return { from, silentMs, clock: Math.max(observed + slack, wallClockUs) + slack + silentMs * 1_000 };
}
