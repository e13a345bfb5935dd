/** `maekawa quorums describe`: rates the quorums of a configuration in words and numbers. */
import { Command } from 'commander';
import { readConfiguration } from '../config';
import { describeQuorums } from '../quorum';
import type { Advice, Availability, FamilyLayout, QuorumDescription, Range } from '../quorum';
import { withManual } from './manual';
import { countOf, fileArgument } from './quorums-common';
import type { Output } from './quorums-common';
import { formatDuration, formatTable } from './table';

const MS_PER_YEAR = 365.25 * 24 * 3_600_000;
/** Less than this missing is not told apart: nodes do not fail that independently. */
const MISSING_MIN = 1e-12;
const ADVICE_TITLES = { better: 'Better is', smaller: 'Cheaper is', tougher: 'Tougher is' } as const;

export function describeCommand(output: Output): Command {
  const command = new Command('describe')
    .description('rate the quorums: size, load, crashes survived, availability')
    .addArgument(fileArgument())
    .option('--json', 'print one JSON object');
  return withManual(command, {
    description: [
      'Quorum size (K) counts the nodes that an entry asks, including the node that enters. Load is the share of all entries that ask a node, if all nodes are up and enter equally often. Availability assumes that nodes fail independently of each other. It is exact, or sampled with the error shown (95 % confidence).',
    ],
    exitCodes: ['usage'],
    examples: [
      ['maekawa quorums describe'],
      ['maekawa quorums describe grid.json --json | jq .crashes'],
      ['maekawa quorums init --nodes 13 --family plane --out plane.json && maekawa quorums describe plane.json'],
    ],
  }).action((file: string, { json }: { json?: true }) => {
    const { nodes, quorums } = readConfiguration(file);
    const description = describeQuorums(nodes.map(({ id }) => id), quorums);
    output.write(json === true ? `${JSON.stringify({ file, ...description }, null, 2)}\n` : formatDescription(file, quorums, description));
  });
}

function formatDescription(file: string, layout: FamilyLayout, description: QuorumDescription): string {
  const { nodes, quorumSize, load, messagesPerEntry, availability, advice } = description;
  const size = ['quorum size', `${formatRange(quorumSize, formatNumber)} of ${countOf(nodes, 'node')}`];
  const rows = [
    ['load', `${formatRange(load, (share) => formatShare(share, nodes))} of all entries ask a node`],
    ['messages per entry', `${formatRange(messagesPerEntry, formatNumber)} between nodes, when nobody else wants the lock`],
    ['crashes survived', formatCrashes(description)],
    ...availability.map((each, index) => [index === 0 ? 'availability' : '', formatAvailability(each)]),
  ];
  const remarks = [...warnOfIndispensable(description), ...advice.map((each) => formatAdvice(each, description))];
  return [`${file}: ${formatLayout(layout)}`, '', formatTable(size, rows), ...(remarks.length === 0 ? [] : ['', ...remarks]), ''].join('\n');
}

function formatLayout(layout: FamilyLayout): string {
  if (layout.family !== 'grid') return `family ${layout.family}`;
  return `family grid, columns of ${layout.columns.map((column) => column.length).join(', ')}`;
}

function formatRange({ min, max, mean }: Range, format: (value: number) => string): string {
  return min === max ? format(max) : `${format(min)} to ${format(max)}, ${format(mean)} on average,`;
}

function formatNumber(value: number): string {
  return String(Math.round(10 * value) / 10);
}

/** `5/9 (56 %)` */
function formatShare(share: number, of: number): string {
  return `${formatNumber(share * of)}/${of} (${Math.round(100 * share)} %)`;
}

function formatCrashes({ crashes: { anyCase, anyCaseIsExact, bestCase }, nodes }: QuorumDescription): string {
  if (bestCase === 0) return 'none';
  if (anyCase === bestCase) return `any ${anyCase} of ${nodes}`;
  const worst = anyCase === 0 ? 'none in the worst case' : `any ${anyCase}`;
  return `${worst}${anyCaseIsExact ? '' : ' at least'}; up to ${bestCase} if they are the right ones`;
}

function formatAvailability(availability: Availability): string {
  return `${formatChance(availability)} when each node is up ${100 * availability.nodeAvailability} % of the time${formatDowntime(availability)}`;
}

function formatChance({ unavailability, error }: Availability): string {
  if (unavailability + error < MISSING_MIN) return `more than ${formatWithout(MISSING_MIN)} %`;
  if (error === 0) return `${formatWithout(unavailability)} %`;
  // Too few of the samples were blocked to say more.
  if (2 * error > unavailability) return `at least ${formatWithout(unavailability + error)} %`;
  return `${formatWithout(unavailability)} ± ${(100 * error).toFixed(decimalsFor(error) - 1)} %`;
}

/** `99.9971`: 100 % without what is missing. */
function formatWithout(missing: number): string {
  return (100 * (1 - missing)).toFixed(decimalsFor(missing));
}

/** Decimals of a per cent that show two digits of a small share. */
function decimalsFor(share: number): number {
  return Math.max(1, Math.ceil(-Math.log10(100 * share)) + 1);
}

function formatDowntime({ unavailability, error }: Availability): string {
  const downMs = unavailability * MS_PER_YEAR;
  return downMs < 1 || 2 * error > unavailability ? '' : `, down ${formatDuration(downMs)} a year`;
}

function warnOfIndispensable({ indispensable, nodes }: QuorumDescription): string[] {
  if (indispensable.length === 0 || nodes === 1) return [];
  return [`Every quorum needs ${indispensable.join(', ')}: with ${indispensable.length === 1 ? 'it' : 'one of them'} down, no lock can be taken.`];
}

/** Names what would be different. */
function formatAdvice({ kind, family, columns, quorumSizeMax, messagesPerEntryMax, crashesAnyCase }: Advice, own: QuorumDescription): string {
  const differences: [name: string, there: number, here: number][] = [
    ['quorums of', quorumSizeMax, own.quorumSize.max],
    ['messages per entry', messagesPerEntryMax, own.messagesPerEntry.max],
    ['crashes survived in any case', crashesAnyCase, own.crashes.anyCase],
  ];
  const worth = differences.filter(([, there, here]) => there !== here).map(([name, there, here]) => `${name} ${there} instead of ${here}`);
  return `${ADVICE_TITLES[kind]} ${family === 'grid' ? `a grid of ${columns} columns` : `family ${family}`}: ${worth.join(', ')}.`;
}
