/** How figures are written, on the page, in charts and in the README: rounded to what they are worth. */
import type { Spread } from '../peers/statistics';

/** To two digits, or three where the first one is a 1; with commas between thousands. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return value === Infinity ? '∞' : '–';
  if (value === 0) return '0';
  const digits = value.toExponential(15).startsWith('1') ? 3 : 2;
  return Number(value.toPrecision(digits)).toLocaleString('en-US', { maximumFractionDigits: 6 });
}

/** Such as `1,230 (1,150–1,280)`. */
export function withSpread({ median, min, max }: Spread): string {
  return `${rounded(median)} (${rounded(min)}–${rounded(max)})`;
}

export function seconds(ms: number): string {
  return `${rounded(ms / 1000)} s`;
}

/** Less than nothing is nothing that could be measured. */
export function bytes(count: number): string {
  if (count < 0) return '–';
  if (count < 1_000) return `${rounded(count)} B`;
  return count < 1e6 ? `${rounded(count / 1e3)} kB` : `${rounded(count / 1e6)} MB`;
}

/** A table in Markdown. The first row is its head; all columns but the first are set to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...body.map(line)].join('\n');
}
