/** Charts as SVG, in black on white so that they can be read on any page: bars on a logarithmic scale, and lines over two such scales. */
import { rounded } from './figures';
import type { Spread } from '../peers/statistics';

export interface Bar {
  readonly label: string;
  readonly value: Spread;
  /** Ours are set off from those of others. */
  readonly isOurs: boolean;
}

export interface Line {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Theory is dashed, what was measured has dots. */
  readonly isMeasured: boolean;
}

const OURS = '#1f6feb';
const OTHERS = '#8b949e';
const INK = '#24292f';
const RULE = '#d0d7de';
const COLOURS = ['#1f6feb', '#cf222e', '#1a7f37', '#9a6700', '#8250df', '#57606a', '#bf3989'];
const FONT = 'font-family="system-ui, sans-serif"';

const BAR = { width: 860, labels: 300, plot: 430, row: 24, top: 56, bottom: 40 };

/** Bars from a power of ten below the least value. A thin line shows the least and the largest of the repeats. */
export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const height = BAR.top + bars.length * BAR.row + BAR.bottom;
  const lowest = Math.floor(Math.log10(Math.min(...bars.map(({ value }) => value.min).filter((value) => value > 0))));
  const highest = Math.ceil(Math.log10(Math.max(...bars.map(({ value }) => value.max))));
  const decades = Math.max(1, highest - lowest);
  const at = (value: number): number => BAR.labels + (BAR.plot * (Math.log10(Math.max(value, 10 ** lowest)) - lowest)) / decades;
  const bottom = BAR.top + bars.length * BAR.row;
  const rules = Array.from({ length: decades + 1 }, (_, index) => {
    const x = fixed(at(10 ** (lowest + index)));
    return `<line x1="${x}" y1="${BAR.top - 6}" x2="${x}" y2="${bottom}" stroke="${RULE}"/>${text(Number(x), bottom + 16, rounded(10 ** (lowest + index)), 'middle')}`;
  });
  const rows = bars.map(({ label, value, isOurs }, index) => {
    const y = BAR.top + index * BAR.row;
    const [least, median, most] = [value.min, value.median, value.max].map((each) => fixed(at(each)));
    return [
      text(BAR.labels - 8, y + 13, label, 'end'),
      `<rect x="${BAR.labels}" y="${y}" width="${fixed(Math.max(1, Number(median) - BAR.labels))}" height="${BAR.row - 8}" fill="${isOurs ? OURS : OTHERS}"/>`,
      `<line x1="${least}" y1="${y + 8}" x2="${most}" y2="${y + 8}" stroke="${INK}" stroke-width="1.5"/>`,
      text(Math.max(Number(median), Number(most)) + 6, y + 13, rounded(value.median), 'start'),
    ].join('\n');
  });
  return picture(BAR.width, height, title, [
    heading(title), text(16, 40, `${unit}; logarithmic scale; blue: maekawa; thin lines: least and largest of the repeats`, 'start', 11),
    ...rules, ...rows,
  ]);
}

const PLOT = { width: 860, height: 480, left: 70, right: 250, top: 56, bottom: 50 };

/** @param isLogarithmic whether the upright scale is; the one across always is */
export function lineChart(title: string, across: string, upright: string, lines: readonly Line[], isLogarithmic: boolean): string {
  const all = lines.flatMap(({ points }) => points);
  const [left, right] = [Math.log10(Math.min(...all.map(([x]) => x))), Math.log10(Math.max(...all.map(([x]) => x)))];
  const highest = Math.max(...all.map(([, y]) => y));
  const scale = (y: number): number => (isLogarithmic ? Math.log10(Math.max(y, 1)) / Math.ceil(Math.log10(highest)) : y / Math.ceil(highest));
  const [width, height] = [PLOT.width - PLOT.left - PLOT.right, PLOT.height - PLOT.top - PLOT.bottom];
  const atX = (x: number): number => PLOT.left + (width * (Math.log10(x) - left)) / (right - left);
  const atY = (y: number): number => PLOT.top + height * (1 - scale(y));
  const ticksX = [1, 3, 10, 30, 100, 300, 1_000].filter((x) => Math.log10(x) >= left - 1e-9 && Math.log10(x) <= right + 1e-9);
  const ticksY = isLogarithmic ? Array.from({ length: Math.ceil(Math.log10(highest)) + 1 }, (_, index) => 10 ** index) : Array.from({ length: Math.ceil(highest) * 2 + 1 }, (_, index) => index / 2);
  const ends = spreadOut(lines.map(({ points }) => atY(points.at(-1)?.[1] ?? 0)));
  return picture(PLOT.width, PLOT.height, title, [
    heading(title), text(16, 40, upright, 'start', 11),
    ...ticksX.map((x) => `<line x1="${fixed(atX(x))}" y1="${PLOT.top}" x2="${fixed(atX(x))}" y2="${PLOT.top + height}" stroke="${RULE}"/>${text(atX(x), PLOT.top + height + 18, rounded(x), 'middle')}`),
    ...ticksY.map((y) => `<line x1="${PLOT.left}" y1="${fixed(atY(y))}" x2="${PLOT.left + width}" y2="${fixed(atY(y))}" stroke="${RULE}"/>${text(PLOT.left - 8, atY(y) + 4, rounded(y), 'end')}`),
    text(PLOT.left + width / 2, PLOT.height - 12, across, 'middle', 12),
    ...lines.map(({ points, label, isMeasured }, index) => {
      const colour = COLOURS[index % COLOURS.length] ?? INK;
      const path = points.map(([x, y]) => `${fixed(atX(x))},${fixed(atY(y))}`).join(' ');
      const last = points.at(-1) ?? [1, 1];
      return [
        `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${isMeasured ? '' : ' stroke-dasharray="6 4"'}/>`,
        ...(isMeasured ? points.map(([x, y]) => `<circle cx="${fixed(atX(x))}" cy="${fixed(atY(y))}" r="3" fill="${colour}"/>`) : []),
        `<line x1="${fixed(atX(last[0]))}" y1="${fixed(atY(last[1]))}" x2="${fixed(PLOT.left + width + 8)}" y2="${fixed(ends[index] ?? 0)}" stroke="${colour}" stroke-width="0.7"/>`,
        text(PLOT.left + width + 12, (ends[index] ?? 0) + 4, label, 'start', 12, colour),
      ].join('\n');
    }),
  ]);
}

/** Labels keep a distance from each other, in the order in which they stand. */
export function spreadOut(heights: readonly number[], distance = 16): number[] {
  const order = heights.map((height, index) => ({ height, index })).sort((a, b) => b.height - a.height);
  const placed: number[] = [];
  let below = Infinity;
  for (const { height, index } of order) {
    below = Math.min(height, below - distance);
    placed[index] = below;
  }
  return placed;
}

function picture(width: number, height: number, title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function heading(title: string): string {
  return `<text x="16" y="24" ${FONT} font-size="15" font-weight="600" fill="${INK}">${escaped(title)}</text>`;
}

function text(x: number, y: number, what: string, anchor: 'start' | 'middle' | 'end', size = 12, colour = INK): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" ${FONT} font-size="${size}" text-anchor="${anchor}" fill="${colour}">${escaped(what)}</text>`;
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(what: string): string {
  return what.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
