/** What the benchmark writes: figures, tables, charts, the page, and the section of README.md. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bytes, rounded, table, withSpread } from '../../bench/results/figures';
import { chartsOf, pageOf } from '../../bench/results/page';
import { BLOCK_BEGINS, BLOCK_ENDS, hasBlock, readmeBlockOf, withBlock } from '../../bench/results/readme';
import { isQuiet, parseResults, withAnew } from '../../bench/results/results';
import type { Results } from '../../bench/results/results';
import { scaleChartsOf, scalePageOf } from '../../bench/results/scale-page';
import { barChart, spreadOut } from '../../bench/results/svg';
import type { Scale } from '../../bench/scale/measure';
import { ROOT } from '../../scripts/report/root';
import { RESULTS } from './results';

describe('figures', () => {
  test('are rounded to what they are worth', () => {
    expect([0, 0.01234, 0.987, 1.234, 12.34, 98.7, 999, 1234, 9876, 123_456].map(rounded))
      .toEqual(['0', '0.0123', '0.99', '1.23', '12.3', '99', '1,000', '1,230', '9,900', '123,000']);
    expect([Infinity, NaN].map(rounded)).toEqual(['∞', '–']);
    expect(withSpread({ median: 1_234, min: 1_111, max: 2_345 })).toBe('1,230 (1,110–2,300)');
    expect([-5, 870, 2_900, 390e6].map(bytes)).toEqual(['–', '870 B', '2.9 kB', '390 MB']);
  });

  test('stand to the right in a table', () => {
    expect(table([['who', 'a'], ['x', '1']])).toBe('| who | a |\n| --- | ---: |\n| x | 1 |');
  });
});

describe('the page', () => {
  const page = pageOf(RESULTS);

  test('has the losses beside the rest, in the order of its subjects', () => {
    expect(page).toContain('| maekawa, `connect` | yes | 1,800 (1,790–1,810) | 1 × | 0.7 |\n| one Redis, ioredis | no | 6,600 (6,500–6,700) | 3.7 × | 0.13 |');
  });

  test('says who got nothing', () => {
    expect(page).toMatch(/^\| maekawa, `connect` \| .* \| 2 \|$/m);
    expect(page).toMatch(/^\| Redlock on 3 Redis, redlock 5 \| .* \| ∞ \|$/m);
  });

  test('says what could not be measured', () => {
    expect(page).toContain('- one PostgreSQL, memory: out of shared memory');
    expect(pageOf({ ...RESULTS, failures: [] })).not.toContain('could not be measured');
  });

  test('marks figures of a machine that had other work', () => {
    expect(page).toContain('The machine was quiet');
    const busy: Results = { ...RESULTS, otherWorkCores: { median: 0.7, min: 0.1, max: 1.4 } };
    expect(isQuiet(busy)).toBe(false);
    expect(pageOf(busy)).toContain('**Measured beside other work:**');
    expect(readmeBlockOf(busy)).toContain('**Measured beside other work:**');
  });

  test('leaves out what was not measured', () => {
    const nothing: Results = { ...RESULTS, throughput: [], recovery: [], memory: [], fleet: {}, failures: [], otherWorkCores: null };
    expect(pageOf(nothing).match(/^## .*/gm)).toEqual(['## Repeat it']);
    expect(chartsOf(nothing)).toEqual({});
  });

  test('shows each of its charts', () => {
    const shown = [...page.matchAll(/\]\((\S+\.svg)\)/g)].map(([, name = '']) => name);
    expect(shown.sort()).toEqual(Object.keys(chartsOf(RESULTS)).sort());
  });
});

describe('charts', () => {
  test('are XML, with whatever names', () => {
    const chart = barChart('a <b> & "c"', 'things', [{ label: '<x>', value: { median: 5, min: 1, max: 9 }, isOurs: true }]);
    expect(chart).toContain('<title>a &lt;b&gt; &amp; &quot;c&quot;</title>');
    expect(isWellFormed(chart)).toBe(true);
  });

  test('have longer bars for larger figures, and show the spread', () => {
    const value = (median: number): { median: number; min: number; max: number } => ({ median, min: median / 2, max: median * 2 });
    const chart = barChart('t', 'u', [10, 1_000, 100].map((median) => ({ label: String(median), value: value(median), isOurs: false })));
    const [ten = 0, thousand = 0, hundred = 0] = [...chart.matchAll(/<rect x="300" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect([ten < hundred, hundred < thousand]).toEqual([true, true]);
    expect(thousand - hundred).toBeCloseTo(hundred - ten, 0); // A decade is a decade.
    expect(chart.match(/stroke-width="1.5"/g)).toHaveLength(3);
  });

  test('keep their labels apart, and in order', () => {
    const placed = spreadOut([100, 101, 40]);
    expect(placed).toEqual([85, 101, 40]);
  });
});

describe('the block of README.md', () => {
  test('takes the place of the one that is there, and of nothing else', () => {
    const block = readmeBlockOf(RESULTS);
    expect(withBlock(`before\n${BLOCK_BEGINS}\nold\n${BLOCK_ENDS}\nafter\n`, block)).toBe(`before\n${block}\nafter\n`);
  });

  test('stands at the end of the section on speed where there was none', () => {
    const block = readmeBlockOf(RESULTS);
    expect(withBlock('# a\n\n## Speed\n\nText.\n\n## More\n\nx\n', block)).toBe(`# a\n\n## Speed\n\nText.\n\n${block}\n\n## More\n\nx\n`);
    expect(withBlock('## Speed\n\nText.\n', block)).toBe(`## Speed\n\nText.\n\n${block}\n`);
    expect(() => withBlock('no such section\n', block)).toThrow('no section ## Speed');
  });

  test('has a row for each that was measured', () => {
    expect(readmeBlockOf(RESULTS)).toMatch(/^\| one Redis, ioredis \| no \| 6,600 \| – \| – \| – \|$/m);
    expect(readmeBlockOf(RESULTS)).toMatch(/^\| maekawa, `connect` \| yes \| 1,800 \| – \| 490 \| 1.5 s \|$/m);
  });
});

describe('results', () => {
  test('are read as they were written', () => {
    expect(parseResults(JSON.stringify(RESULTS))).toEqual(RESULTS);
  });

  test.each(['null', '{}', '{"format":2}', JSON.stringify({ ...RESULTS, throughput: 1 })])('what no run wrote is refused, %#', (text) => {
    expect(() => parseResults(text)).toThrow('run it again');
  });

  test('a subject that there is not is named', () => {
    expect(() => parseResults(JSON.stringify({ ...RESULTS, memory: [{ subject: 'chubby' }] }))).toThrow('"chubby"');
  });
});

test('parts that are measured anew take the place of those that are recorded, if all else was the same', () => {
  const anew: Results = { ...RESULTS, throughput: [], recovery: [], memory: [], otherWorkCores: null, fleet: {}, failures: ['a fleet: no'] };
  expect(withAnew(RESULTS, anew, ['fleet'])).toEqual({ ...RESULTS, fleet: {}, failures: [...RESULTS.failures, 'a fleet: no'] });
  expect(withAnew(RESULTS, anew, ['throughput']).otherWorkCores).toBeNull();
  expect(() => withAnew({ ...RESULTS, repeats: 7 }, anew, ['fleet'])).toThrow('in another manner');
});

describe('what docs/benchmarks has', () => {
  const folder = join(ROOT, 'docs/benchmarks');
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const charts = new Set<string>();

  /** A test of what was recorded; where it was not, the name says why nothing is compared. */
  function whenRecorded(file: string, name: string, compare: () => void): void {
    if (existsSync(join(folder, file))) test(name, compare);
    else test.skip(`${name} (NOT COMPARED: nothing is recorded here, there is no docs/benchmarks/${file})`, compare);
  }

  whenRecorded('scale.json', 'follows from the recorded scale: npm run bench:scale -- --render', () => {
    const scales = JSON.parse(read('scale.json')) as Scale[];
    expect(read('scale.md')).toBe(scalePageOf(scales));
    for (const [name, chart] of Object.entries(scaleChartsOf(scales))) {
      charts.add(name);
      expect(read(name)).toBe(chart);
      expect(isWellFormed(chart)).toBe(true);
    }
  });

  whenRecorded('results.json', 'follows from the recorded results: npm run bench:peers -- --render --readme', () => {
    const results = parseResults(read('results.json'));
    expect(read('README.md')).toBe(pageOf(results));
    for (const [name, chart] of Object.entries(chartsOf(results))) {
      charts.add(name);
      expect(read(name)).toBe(chart);
      expect(isWellFormed(chart)).toBe(true);
    }
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    expect(hasBlock(readme)).toBe(true);
    expect(readme).toBe(withBlock(readme, readmeBlockOf(results)));
  });

  whenRecorded('results.json', 'has no other charts', () => {
    expect(readdirSync(folder).filter((name) => name.endsWith('.svg')).sort()).toEqual([...charts].sort());
  });
});

/** Tags are closed in order, and no bare ampersand is in the text. */
function isWellFormed(xml: string): boolean {
  const open: string[] = [];
  for (const [, closes, name = '', closed] of xml.matchAll(/<(\/?)([a-z]+)(?:\s+[\w:-]+="[^"<]*")*\s*(\/?)>/g)) {
    if (closes === '/') {
      if (open.pop() !== name) return false;
    } else if (closed !== '/') {
      open.push(name);
    }
  }
  const text = xml.replace(/<[^>]*>/g, '');
  return open.length === 0 && !/&(?!amp;|lt;|gt;|quot;)/.test(text) && !/[<>]/.test(text);
}
