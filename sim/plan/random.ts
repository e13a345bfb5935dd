/**
 * The simulator's only source of chance: sfc32, integers alone, so that one seed means the same run on
 * any machine. Each use takes a stream of its own by name, so that one more draw in one place shifts
 * nothing elsewhere.
 */

/** Shares and probabilities are whole parts per million. */
export const MILLION = 1_000_000;

/** FNV-1a: turns the name of a stream into a number. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The finaliser of MurmurHash3: every bit of the input reaches every bit of the output. */
function scramble(value: number): number {
  let z = value | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return z ^ (z >>> 16);
}

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /** `seed` is a safe integer, 0 or more; `index` tells apart streams of one name, such as those of links. */
  constructor(seed: number, stream: string, index = 0) {
    this.a = scramble(seed ^ hashText(stream));
    this.b = scramble(Math.floor(seed / 2 ** 32) ^ 0x9e3779b9);
    this.c = scramble(Math.imul(index + 1, 0x9e3779b1) ^ this.a);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** 32 random bits, as a number from 0 to 2^32 - 1. */
  next(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** From 0 to `n - 1`; 0 when `n` is 0. Exact: no product here exceeds 2^53. */
  below(n: number): number {
    if (n <= 1) return 0;
    if (n <= 2 ** 21) return Math.floor((this.next() * n) / 2 ** 32);
    return (this.next() * 2 ** 21 + (this.next() >>> 11)) % n;
  }

  /** From `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with a probability of so many parts per million. */
  chance(ppm: number): boolean {
    return this.below(MILLION) < ppm;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  /** Draws once for each. */
  inSomeOrder<Item>(items: readonly Item[]): Item[] {
    return items.map((item) => ({ item, place: this.next() })).sort((a, b) => a.place - b.place).map(({ item }) => item);
  }
}
