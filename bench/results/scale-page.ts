/** The page on scale, from the figures of the simulator alone. */
import type { Scale } from '../scale/measure';
import { table } from './figures';
import { capital } from './page';
import { lineChart } from './svg';
import type { Line } from './svg';

/** Messages an entry of two algorithms that ask every other node. */
export const ASK_ALL = {
  'Lamport 1978': (nodes: number) => 3 * (nodes - 1),
  'Ricart–Agrawala 1981': (nodes: number) => 2 * (nodes - 1),
} as const;

export function scalePageOf(scales: readonly Scale[]): string {
  const rows = scales.map(({ family, nodes, quorum, alone, inTurns, atOnce, atOnceInquires, handOverDelays }) => [
    capital(family), whole(nodes), tenths(quorum), tenths(3 * (quorum - 1)), tenths(alone), tenths(inTurns),
    tenths(atOnce), (atOnce / (quorum - 1)).toFixed(2), atOnceInquires.toFixed(2),
    ...Object.values(ASK_ALL).map((messages) => whole(messages(nodes))), handOverDelays.toFixed(2),
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
    'K is the size of the quorum with the node itself in it, and a mean where quorums differ in size, as in grids that are not square. Messages of a node to itself do not count.',
    [
      '- *Alone*: nobody else wants the lock, and no votes are retained. Each of the K − 1 others gets a Request and a Release, and sends a Grant: 3(K − 1). (A retained lock that is taken again costs none.)',
      '- *In turns*: up to 24 nodes, drawn from all, want it again and again: each at some time after it has left, before each of the others has had a turn. A request waits at its arbiters while others are inside, and the oldest is served first everywhere, so hardly any vote goes to the wrong one.',
      '- *At once*: these nodes ask within the time of one message, and again when all have been inside. Requests cross each other, and an arbiter may lend its vote to one before an older one comes. Then it asks for the vote back: Inquire, Yield, and later a second Grant to the one who yielded. So each vote that comes back costs three messages, and an entry at most 6(K − 1), if every vote had gone to a younger request first. The first entries of a round pay for that; by the time of the others all requests are in order. An Inquire that comes when its receiver is inside needs no Yield.',
    ].join('\n'),
    `So an entry costs 3(K − 1) messages alone, ${spanOf(scales, ({ inTurns, quorum }) => inTurns / (quorum - 1))} times K − 1 in turns, and ${spanOf(scales, ({ atOnce, quorum }) => atOnce / (quorum - 1))} times K − 1 at once. (Maekawa's paper has 3 to 5 times √N.) Messages of Lamport's and of Ricart and Agrawala's algorithm follow from N alone.`,
    '## Hand-over',
    '![Hand-over by the number of nodes](scale-hand-over.svg)',
    'From the moment in which a node leaves until the next one enters, in the time that one message takes; the mean of some hundred hand-overs *in turns*. The algorithm needs two messages one after the other, Release to an arbiter and Grant from it, or one where the arbiter is the node that leaves or the one that enters. In square grids of nine nodes or more two quorums share several nodes, and a third node is always among them. In planes, where two quorums share just one node, it is one of them in a quarter of the hand-overs here, at any size.',
    '## All figures',
    table([['family', 'nodes N', 'quorum K', '3(K − 1)', 'messages alone', 'in turns', 'at once', 'at once, by K − 1', 'Inquires among them', ...Object.keys(ASK_ALL), 'hand-over in delays'], ...rows]),
  ].join('\n\n').concat('\n');
}

function tenths(value: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

function whole(value: number): string {
  return value.toLocaleString('en-US');
}

function spanOf(scales: readonly Scale[], figure: (scale: Scale) => number): string {
  const figures = scales.map(figure);
  return `${tenths(Math.min(...figures))} to ${tenths(Math.max(...figures))}`;
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
      [...linesOf(', alone', ({ alone }) => alone), ...linesOf(', at once', ({ atOnce }) => atOnce), ...theory], true),
    'scale-hand-over.svg': lineChart('Hand-over under contention by the number of nodes', 'nodes N; logarithmic scale', 'one-way delays from release to the next entry, mean',
      linesOf('', ({ handOverDelays }) => handOverDelays), false),
  };
}
