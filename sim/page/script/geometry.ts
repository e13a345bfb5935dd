/** Where each row is: rows that the filter lets through have a place and a height; all others have the place of the next. */
import type { Model } from './model';

export type Axis = 'order' | 'time';

export const ROW_HEIGHT_MIN = 3;
export const ROW_HEIGHT_MAX = 64;
const PADDING = 28;

export class Geometry {
  /** Rows that are shown, in order. */
  readonly shown: readonly number[];
  /** Per row: its place among those shown, or that of the next one shown. */
  private readonly places: readonly number[];
  private readonly ys: Float64Array;
  readonly height: number;

  constructor(model: Model, isShown: (row: number) => boolean, axis: Axis, rowHeight: number) {
    const { rows } = model.recording;
    const shown: number[] = [];
    this.places = rows.map((_, row) => {
      const place = shown.length;
      if (isShown(row)) shown.push(row);
      return place;
    });
    this.shown = shown;
    this.ys = axis === 'order' ? byOrder(shown, rowHeight) : byTime(shown, rows.map((row) => row.atUs), rowHeight);
    this.height = (this.ys.at(-1) ?? 0) + PADDING + Math.max(rowHeight, 16);
  }

  placeOf(row: number): number {
    return this.places[row] ?? this.shown.length;
  }

  isShown(row: number): boolean {
    return this.shown[this.placeOf(row)] === row;
  }

  /** The middle of the row. Hidden rows are where the next one is. */
  yOf(row: number): number {
    return this.yOfPlace(this.placeOf(row));
  }

  yOfPlace(place: number): number {
    return place < this.ys.length ? (this.ys[place] ?? 0) : this.height - PADDING / 2;
  }

  /** The first place at or below y. */
  placeAt(y: number): number {
    let low = 0;
    let high = this.ys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ys[middle] ?? Infinity) < y) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The shown row that is nearest to y, or -1 when none is shown. */
  nearest(y: number): number {
    const below = Math.min(this.placeAt(y), this.shown.length - 1);
    const above = Math.max(0, below - 1);
    const place = y - this.yOfPlace(above) < this.yOfPlace(below) - y ? above : below;
    return this.shown[place] ?? -1;
  }
}

function byOrder(shown: readonly number[], rowHeight: number): Float64Array {
  return Float64Array.from(shown, (_, place) => PADDING + place * rowHeight);
}

/** So many times the height of the same rows in order; nothing goes up, even where clocks are apart. */
function byTime(shown: readonly number[], timesUs: readonly number[], rowHeight: number): Float64Array {
  const startUs = timesUs[shown[0] ?? 0] ?? 0;
  const spanUs = Math.max(1, ...lastOf(shown, timesUs, startUs));
  const scale = (shown.length * rowHeight) / spanUs;
  let lowest = 0;
  return Float64Array.from(shown, (row) => {
    lowest = Math.max(lowest, ((timesUs[row] ?? 0) - startUs) * scale);
    return PADDING + lowest;
  });
}

function lastOf(shown: readonly number[], timesUs: readonly number[], startUs: number): number[] {
  const last = shown.at(-1);
  return last === undefined ? [] : [(timesUs[last] ?? 0) - startUs];
}
