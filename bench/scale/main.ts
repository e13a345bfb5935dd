/**
 * `npm run bench:scale`: messages an entry and hand-over for 3 to 1,000 nodes, in the simulator, beside the algorithms that ask
 * everybody. Writes table and charts to docs/benchmarks.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { program } from 'commander';
import { ROOT } from '../../scripts/report/root';
import { wholeNumber } from '../../sim/options';
import { endUnlessWritten } from '../../src/standard-output';
import { scaleChartsOf, scalePageOf } from '../results/scale-page';
import { measureScale } from './measure';
import type { Scale } from './measure';
import { sizesUpTo } from './sizes';

const DOCS = join(ROOT, 'docs/benchmarks');
const NODES_MAX = 1_000;

const { nodesMax, render } = program
  .name('bench:scale')
  .description('Counts messages an entry and the delay of a hand-over for clusters of up to 1,000 nodes, in the simulator, and writes docs/benchmarks/scale.md with its charts. The same on any machine.')
  .option('--nodes-max <number>', 'the largest cluster. Below 1,000 the figures are only printed', wholeNumber(3, NODES_MAX), NODES_MAX)
  .option('--render', 'measure nothing: write page and charts anew from docs/benchmarks/scale.json')
  .allowExcessArguments(false)
  .parse()
  .opts<{ readonly nodesMax: number; readonly render?: true }>();

function measure(): Scale[] {
  return sizesUpTo(nodesMax).map(({ family, nodes }) => {
    const scale = measureScale(family, nodes);
    process.stdout.write(`${family} ${nodes}: ${scale.alone.toFixed(2)} messages alone, ${scale.inTurns.toFixed(2)} in turns, ${scale.atOnce.toFixed(2)} at once, hand-over ${scale.handOverDelays.toFixed(2)}\n`);
    return scale;
  });
}

endUnlessWritten();
const scales = render === true ? (JSON.parse(readFileSync(join(DOCS, 'scale.json'), 'utf8')) as Scale[]) : measure();
if (nodesMax === NODES_MAX) {
  const rows = scales.map((scale) => JSON.stringify(scale, (_, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(5)) : value)));
  writeFileSync(join(DOCS, 'scale.json'), `[\n${rows.join(',\n')}\n]\n`);
  const kept = JSON.parse(readFileSync(join(DOCS, 'scale.json'), 'utf8')) as Scale[];
  writeFileSync(join(DOCS, 'scale.md'), scalePageOf(kept));
  for (const [name, chart] of Object.entries(scaleChartsOf(kept))) writeFileSync(join(DOCS, name), chart);
}
