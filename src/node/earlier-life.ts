/**
 * What a node's earlier life means for the one that begins: how long it is silent, above which clock it starts, and whether
 * it may start at all (protocol.md section 16). Pure.
 * Law: no configuration shortens what a vote was lent for under an earlier one, and no node votes under two layouts without
 * the operator's word that the other one is stopped.
 */
import type { Configuration } from '../config';
import { FORMER_SLACK } from '../core';
import type { LamportTime } from '../core';
import { LockError } from '../errors';
import type { DataDirectory, LendingTerms } from '../runtime/data-directory';

export const IGNORED_FIRST_START = 'ignored --first-start (startNode: firstStart): this data directory says that the node ran before, so a vote that it lent may be on loan';

/** How a life begins. */
export interface LifeToCome {
  /** No vote of this node can be on loan, if what it was told is true. */
  readonly firstStart: boolean;
  /** For how long it is silent otherwise. */
  readonly silentMs: number;
  readonly slackBefore: number;
  /** The clock begins above this, whatever the wall clock says; 0 when nothing is known. */
  readonly clockFloor: LamportTime;
  /** What the data directory says until this life lends its vote: no less than what earlier ones did. */
  readonly whileSilent: LendingTerms;
  /** What it says from then on. */
  readonly whenLending: LendingTerms;
  /** What the operator should know; those of weight are warnings. */
  readonly remarks: readonly { readonly level: 'info' | 'warn'; readonly text: string }[];
}

export interface LifeQuestion {
  readonly id: string;
  readonly configuration: Pick<Configuration, 'leaseMs' | 'layout' | 'change'>;
  readonly slack: number;
  readonly directory: Pick<DataDirectory, 'existed' | 'terms'>;
  /** The operator says that no node of this cluster ever ran. */
  readonly firstStart: boolean;
}

/** @throws LockError `config` when the node last lent its vote under another layout, or the operator contradicts the file */
export function lifeToCome({ id, configuration, slack, directory, firstStart }: LifeQuestion): LifeToCome {
  const { leaseMs, layout, change } = configuration;
  const { existed, terms } = directory;
  if (firstStart && change !== undefined) {
    throw new LockError(
      'config',
      `--first-start says that no node of this cluster ever ran, and the configuration says that it took the place of layout ${change.from} (\`change\`). ` +
        'Start it without --first-start (startNode: firstStart)',
    );
  }
  const before = terms?.layout ?? null;
  if (before !== null && before !== layout && before !== change?.from) throw wrongLayout(id, before, configuration);

  const remarks: { level: 'info' | 'warn'; text: string }[] = [];
  if (firstStart && existed) {
    remarks.push({ level: 'warn', text: IGNORED_FIRST_START });
  }
  if (existed && terms === null) {
    remarks.push({
      level: 'warn',
      text: `the data directory was written by a version that did not note the lease and the layout: the node is silent for one lease as configured, ${leaseMs} ms. ` +
        'If it ran under a longer lease, or with other nodes or quorums, that is not enough: stop all nodes, and wait for the longer lease before you start them',
    });
  }
  // Whoever remembers the present layout took part in it since the change, or is not concerned by it.
  const isChanging = change !== undefined && before !== layout;
  const changeMs = isChanging ? change.silentMs : 0;
  const leaseBeforeMs = terms?.leaseMs ?? 0;
  const silentMs = Math.max(leaseMs, leaseBeforeMs, changeMs);
  if (silentMs > leaseMs) {
    const why = leaseBeforeMs >= changeMs ? 'votes of it were lent under a longer lease' : 'the file says that votes may have been lent under a longer lease before the change';
    remarks.push({ level: 'info', text: `silent for ${silentMs} ms, longer than the lease: ${why}` });
  }
  const slackBefore = Math.max(slack, existed ? (terms?.slack ?? FORMER_SLACK) : 0);
  return {
    firstStart: firstStart && !existed,
    silentMs,
    slackBefore,
    clockFloor: isChanging ? change.clock : 0,
    whileSilent: { leaseMs: silentMs, slack: slackBefore, layout: before },
    whenLending: { leaseMs, slack, layout },
    remarks,
  };
}

function wrongLayout(id: string, before: string, { layout, change }: LifeQuestion['configuration']): LockError {
  const both = `node ${id} last lent its vote under layout ${before}, and the configuration is layout ${layout}`;
  if (change !== undefined) {
    return new LockError(
      'config',
      `${both}, which took the place of layout ${change.from}. If this is the wrong file or data directory, start with the right one. ` +
        'If the node was stopped before that change, give it a new, empty data directory: it joins as a new member',
    );
  }
  return new LockError(
    'config',
    `${both}: other nodes, or other quorums. While nodes of the other one run, two callers could hold one lock. If this is the wrong file or data directory, ` +
      'start with the right one. To change nodes or quorums, stop all nodes and run `maekawa quorums change OLD.json NEW.json`',
  );
}
