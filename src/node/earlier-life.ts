/**
 * What a node's earlier life means for the one that begins, in words that an operator reads (protocol.md section 16). Pure.
 * Law: the core decides how long the node is silent, above which clock it starts, and whether it may start at all; here it is said.
 */
import type { Configuration } from '../config';
import { mayStartUnder, termsOfLife } from '../core';
import type { LifeTerms } from '../core';
import { LockError } from '../errors';
import type { DataDirectory } from '../runtime/data-directory';

export const IGNORED_FIRST_START = 'ignored --first-start (startNode: firstStart): this data directory says that the node ran before, so a vote that it lent may be on loan';

/** How a life begins. */
export interface LifeToCome extends LifeTerms {
  /** No vote of this node can be on loan, if what it was told is true. */
  readonly firstStart: boolean;
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
  if (!mayStartUnder({ layout, change, terms })) throw wrongLayout(id, terms?.layout ?? '', configuration);

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
  const life = termsOfLife({ leaseMs, slack, layout, change, existed, terms });
  const { silentMs } = life;
  if (silentMs > leaseMs) {
    const why = terms !== null && terms.leaseMs === silentMs ? 'votes of it were lent under a longer lease' : 'the file says that votes may have been lent under a longer lease before the change';
    remarks.push({ level: 'info', text: `silent for ${silentMs} ms, longer than the lease: ${why}` });
  }
  return { ...life, firstStart: firstStart && !existed, remarks };
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
