/** Many seeds of clients: what failed, and in how many seeds each situation came up. A check says nothing about one that never did. */
import type { ClientsReport } from './run';

/** Each must come up somewhere in a sweep of so many seeds with nothing fixed. */
const SEEDS_FOR_ALL = 5_000;

export const SITUATIONS: readonly string[] = [
  'believes', 'words that prolong', 'told that they wait', 'told that a request is unknown', 'sessions that came back', 'nodes that restarted',
  'clients that vanished', 'leases that ended unreleased', 'locks that a node lost', 'lost: stolen', 'lost: ran out', 'lost: late', 'lost: unreachable',
  'ended: no answer', 'ended: refused', 'ended: stops', 'ended: stops, held', 'ended: unknown', 'frames lost in a break', 'frames into a broken stream',
  'frames that came over an older stream to a client', 'frames that came over an older stream to a node',
  'lent beside other readers', 'several readers robbed at once', 'refused as not free', 'ended: not free', 'locks entered again by clients', 'locks passed on by clients',
  'streams dropped: older', 'streams dropped: replaced', 'streams dropped: silent',
];

export interface ClientsTotals {
  seeds: number;
  events: number;
  readonly failures: ClientsReport[];
  add(report: ClientsReport): void;
  /** In how many seeds each came up. */
  situations(): [situation: string, seeds: number][];
  /** Those that never did, when there were enough seeds for all. */
  uncovered(isFree: boolean): string[];
}

export function newClientsTotals(): ClientsTotals {
  const seedsWith = new Map<string, number>();
  const totals: ClientsTotals = {
    seeds: 0,
    events: 0,
    failures: [],
    add: (report) => {
      totals.seeds++;
      totals.events += report.events;
      for (const situation of report.counts.keys()) seedsWith.set(situation, (seedsWith.get(situation) ?? 0) + 1);
      if (report.violation !== null) totals.failures.push(report);
    },
    situations: () => SITUATIONS.map((situation) => [situation, seedsWith.get(situation) ?? 0]),
    uncovered: (isFree) => (isFree && totals.seeds >= SEEDS_FOR_ALL ? SITUATIONS.filter((situation) => !seedsWith.has(situation)) : []),
  };
  return totals;
}
