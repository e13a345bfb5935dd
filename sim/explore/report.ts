/** What the explorer says of a search. */
import { coterieOf, nodeIds } from './setup';
import type { Setup } from './setup';
import { BUDGETED } from './setup';
import type { Progress } from './search';
import type { System } from './system';

const NAMES = {
  loss: 'lost messages', duplicate: 'doubled messages', crash: 'crashes', leaseEnd: 'lease ends', repeat: 'repeats', cancel: 'cancels', suspect: 'false suspicions',
} as const;

export function describeSetup(setup: Setup): string {
  const coterie = coterieOf(setup);
  const sets = nodeIds(setup).map((node) => `{${coterie.votingSet(node).join()}}`);
  const callers = setup.callers.map(({ node, mode, steals, remote }) => [`n${node + 1}`, ...(mode === 'shared' ? [mode] : []), ...(steals ? ['steals'] : []), ...(remote ? ['remote'] : [])].join(' '));
  const faults = BUDGETED.filter((each) => setup.budget[each] > 0).map((each) => `${setup.budget[each]} ${NAMES[each]}`);
  return [
    `${setup.nodes} nodes, ${setup.family}: ${sets.join(' ')}`,
    `callers at ${callers.join(', ')}; up to ${faults.join(', ') || 'no faults'}${setup.leaseSteps > 1 ? `, ${setup.leaseSteps} to a lease` : ''}${setup.freeClocks ? ', each by the clock of one node alone' : ''}`,
  ].join('\n');
}

export function describeProgress({ states, transitions, depth, quiet }: Progress, seconds: number): string {
  const rate = Math.round(states / Math.max(seconds, 0.001));
  return `${count(states)} states, ${count(transitions)} transitions, depth ${depth}, ${count(quiet)} quiet; ${count(rate)} states/s, ${seconds.toFixed(1)} s`;
}

/** What the search came across: one that never saw a Yield proves nothing about it. */
export function describeReach({ machines, seats, setup, overtakenMax }: System): string {
  const seen = [...machines.hardware.seen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, times]) => `  ${what}: ${count(times)}`);
  return [
    `${count(machines.size)} states of a node, ${count(seats.size)} with their messages; the core ran ${count(machines.runs)} times. In these:`,
    ...seen,
    ...(setup.countsOvertaking ? [`An older request that had reached its whole voting set was overtaken ${overtakenMax} times at most.`] : []),
  ].join('\n');
}

function count(value: number): string {
  return value.toLocaleString('en');
}
