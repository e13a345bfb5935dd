/**
 * What an operator must know now: another configuration is served beside this node's, another process has its id, or it was told
 * what is not true.
 * Law: each notice names who, and what to do; it is in the log when it begins, and while two may hold one lock, every minute.
 */
import type { Candidacy, NodeId, RivalView } from '../core';
import type { Logger } from '../log';
import { IGNORED_FIRST_START } from './earlier-life';
import type { TlsStore } from '../transport/tls-store';

/** How often the log repeats what must not go on. */
const REPEAT_MS = 60_000;
const REPEAT_EXPIRY_MS = 86_400_000;

export interface Notice {
  /** The log repeats none of a kind within a minute. */
  readonly kind: 'two served' | 'other served' | 'both wait' | 'no first start' | 'namesake' | 'certificate ends' | 'certificate kept';
  readonly level: 'warn' | 'error';
  readonly text: string;
}

export function noticesOf(layout: string, candidacy: Candidacy): Notice[] {
  const notices: Notice[] = [];
  const serving = candidacy.rivalViews.filter(({ standing }) => standing === 'serves');
  const wishing = candidacy.rivalViews.filter(({ standing }) => standing === 'wishes');
  if (serving.length > 0 && candidacy.standing === 'serves') {
    notices.push({
      kind: 'two served',
      level: 'error',
      text: `two configurations are served at once: ${described(serving, layout)}, and this node under its own. Two callers may hold one lock: stop the nodes of one of the two`,
    });
  } else if (serving.length > 0) {
    notices.push({
      kind: 'other served',
      level: 'error',
      text: `this node lends no vote while another configuration is served: ${described(serving, layout)}. If that is the right one, start this node with it. ` +
        'If this is, stop all nodes of the other one (to change nodes or quorums, `maekawa quorums change`)',
    });
  } else if (wishing.length > 0 && !candidacy.hasBegun) {
    notices.push({
      kind: 'both wait',
      level: 'error',
      text: `two configurations wait for each other, and nobody lends a vote: ${described(wishing, layout)}, and this node under its own. Stop the nodes of one of the two`,
    });
  }
  const { contradiction } = candidacy;
  if (contradiction !== null) {
    const lent = contradiction.hasLent
      ? 'This node may have lent its vote before it heard that: for one lease after its start, two callers may have held one lock'
      : 'It is silent for one lease as any other';
    notices.push({
      kind: 'no first start',
      level: contradiction.hasLent ? 'error' : 'warn',
      text: `--first-start is not true: ${contradiction.peer} knows of an earlier life of this cluster. ${lent}. Start nodes without --first-start`,
    });
  }
  return notices;
}

export interface Standing {
  /** It was told `--first-start`, and its data directory remembers a life. */
  readonly ignoresFirstStart: boolean;
  readonly restsOnWallClocks: boolean;
  /** Why the data directory cannot be written, while that is of no effect yet; null when it can. */
  readonly storageFault: string | null;
}

/** What was logged once, and stays so: for status. */
export function standingNotices({ ignoresFirstStart, restsOnWallClocks, storageFault }: Standing): string[] {
  return [
    ...(storageFault === null ? [] : [`the data directory cannot be written; when the clock values reserved there are used up, this node lends no vote. Mend the disk: ${storageFault}`]),
    ...(restsOnWallClocks ? ["tokens exceed earlier ones only if the machines' wall clocks agree to within a lease: this node lost its memory, and could hear too few peers that remember"] : []),
    ...(ignoresFirstStart ? [`${IGNORED_FIRST_START}. Start it without --first-start`] : []),
  ];
}

/** @param at the peers that are connected to another process of this node's id */
export function namesakeNotices(id: NodeId, at: readonly NodeId[], standsApart: boolean): Notice[] {
  if (!standsApart) return [];
  const why = at.length > 0
    ? `another process is connected to ${[...at].sort().join(', ')} as ${id}. Stop one of the two, or give it an id of its own`
    : `another process ran as ${id} until a moment ago; it takes part again within a lease`;
  return [{ kind: 'namesake', level: at.length > 0 ? 'error' : 'warn', text: `this node lends and asks nothing: ${why}` }];
}

function described(rivals: readonly RivalView[], layout: string): string {
  const [first] = rivals;
  if (first === undefined) return '';
  const names = rivals.map(({ peer }) => peer).sort().join(', ');
  const what = first.layout === layout ? 'with the same nodes and quorums but another lease, drift bound or change' : `under layout ${first.layout}, not ${layout}`;
  return `by ${names} ${what}`;
}

/** The certificate ends soon, or has ended; new files could not be used. */
export function certificateNotices(store: Pick<TlsStore, 'expiry' | 'kept'>, nowMs: number): Notice[] {
  const ends = store.expiry(nowMs);
  const { kept } = store;
  return [
    ...(ends === null ? [] : [{ kind: 'certificate ends', level: 'warn', text: ends } as const]),
    ...(kept === null ? [] : [{ kind: 'certificate kept', level: 'warn', text: kept } as const]),
  ];
}

/** Writes notices to the log: each kind when it begins, those of level `error` again every minute, of a certificate that ends every day. */
export class NoticeLog {
  private readonly loggedAtMs = new Map<Notice['kind'], number>();

  constructor(private readonly log: Logger) {}

  write(notices: readonly Notice[], nowMs: number): void {
    for (const { kind, level, text } of notices) {
      const loggedAtMs = this.loggedAtMs.get(kind);
      if (loggedAtMs !== undefined && nowMs - loggedAtMs < repeatMs({ kind, level })) continue;
      this.loggedAtMs.set(kind, nowMs);
      this.log[level](text);
    }
  }
}

function repeatMs({ kind, level }: Pick<Notice, 'kind' | 'level'>): number {
  if (kind === 'certificate ends') return REPEAT_EXPIRY_MS;
  return level === 'warn' ? Infinity : REPEAT_MS;
}
