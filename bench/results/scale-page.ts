/** The page on scale, from the figures of the simulator alone. */
import type { Scale } from '../scale/measure';
import { rounded, table } from './figures';
import { capital } from './page';
import { lineChart } from './svg';
import type { Line } from './svg';

/** Messages an entry of two algorithms that ask every other node. */
export const ASK_ALL = {
  'Lamport 1978': (nodes: number) => 3 * (nodes - 1),
  'Ricart–Agrawala 1981': (nodes: number) => 2 * (nodes - 1),
} as const;

export function scalePageOf(scales: readonly Scale[]): string {
  const rows = scales.map(({ family, nodes, quorum, alone, contended, handOverDelays }) => [
    capital(family), rounded(nodes), quorum.toFixed(1), (3 * (quorum - 1)).toFixed(1), alone.toFixed(1), contended.toFixed(1),
    ...Object.values(ASK_ALL).map((messages) => messages(nodes).toLocaleString('en-US')), handOverDelays.toFixed(2),
  ]);
  return [
    '# Scale, in the simulator',
    'Written by `npm run bench:scale` from `scale.json` beside it. Do not edit it.',
    [
      'The production core runs in the simulator, on a network that delays each message by the same time and loses none. So these figures are exact, and the same on any machine. They say nothing of processors: a message to 500 nodes costs 500 messages\' work.',
      'maekawa is made for tens of nodes. The figures for more show how the families of quorums grow.',
    ].join('\n'),
    '## Messages an entry',
    '![Messages an entry by the number of nodes](scale-messages.svg)',
    '*Alone*: nobody else wants the lock, and no votes are retained. That costs 3(K − 1) messages, where K is the size of the quorum with the node itself in it. (K is a mean where quorums differ in size, as in grids that are not square. A retained lock that is taken again costs none.) *Contended*: up to 24 nodes all over the cluster (6 of more than 200) want it all the time.',
    '## Hand-over',
    '![Hand-over by the number of nodes](scale-hand-over.svg)',
    'From the moment in which a node leaves until the next one enters, in the time that one message takes; the mean of some hundred hand-overs under contention. The algorithm needs two messages one after the other, Release to an arbiter and Grant from it, or one where the arbiter is the node that leaves or the one that enters.',
    '## All figures',
    table([['family', 'nodes N', 'quorum K', '3(K − 1)', 'messages alone', 'contended', ...Object.keys(ASK_ALL), 'hand-over in delays'], ...rows]),
  ].join('\n\n').concat('\n');
}

export function scaleChartsOf(scales: readonly Scale[]): Record<string, string> {
  const families = [...new Set(scales.map(({ family }) => family))];
  const sizes = [...new Set(scales.map(({ nodes }) => nodes))].sort((a, b) => a - b);
  const linesOf = (what: string, figure: (scale: Scale) => number): Line[] => families.map((family) => ({
    label: `${capital(family)}${what}`, isMeasured: true, points: scales.filter((scale) => scale.family === family).map((scale) => [scale.nodes, figure(scale)] as const),
  }));
  const theory = Object.entries(ASK_ALL).map(([label, messages]): Line => ({ label: `${label}`, isMeasured: false, points: sizes.map((nodes) => [nodes, messages(nodes)] as const) }));
  return {
    'scale-messages.svg': lineChart('Messages an entry by the number of nodes', 'nodes N; logarithmic scale', 'messages an entry; logarithmic scale; dashed: theory',
      [...linesOf(', alone', ({ alone }) => alone), ...linesOf(', contended', ({ contended }) => contended), ...theory], true),
    'scale-hand-over.svg': lineChart('Hand-over under contention by the number of nodes', 'nodes N; logarithmic scale', 'one-way delays from release to the next entry, mean',
      linesOf('', ({ handOverDelays }) => handOverDelays), false),
  };
}
