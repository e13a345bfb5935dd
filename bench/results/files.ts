/** Reads and writes what is kept of a run. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../scripts/report/root';
import { chartsOf, pageOf } from './page';
import { readmeBlockOf, withBlock } from './readme';
import { parseResults } from './results';
import type { Results } from './results';

export function readResults(folder: string): Results {
  return parseResults(readFileSync(join(folder, 'results.json'), 'utf8'));
}

/** Figures to four digits: more would be noise. */
export function writeResults(folder: string, results: Results): void {
  const text = JSON.stringify(results, (_, value: unknown) => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value), 1);
  // A list of figures on one line.
  writeFileSync(join(folder, 'results.json'), `${text.replace(/\[\s+([\d.,\s-]+?)\s+\]/g, (_, figures: string) => `[${figures.replace(/\s+/g, ' ')}]`)}\n`);
}

export function writePages(folder: string, results: Results): void {
  writeFileSync(join(folder, 'README.md'), pageOf(results));
  for (const [name, chart] of Object.entries(chartsOf(results))) writeFileSync(join(folder, name), chart);
}

export function writeReadme(results: Results): void {
  const path = join(ROOT, 'README.md');
  writeFileSync(path, withBlock(readFileSync(path, 'utf8'), readmeBlockOf(results)));
}
