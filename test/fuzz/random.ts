/** Where the bytes of a fuzzer come from: a seed, and nothing else. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** In [0, 2^32), by mulberry32. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** In [0, bound). */
  below(bound: number): number {
    return Math.floor((this.next() / 2 ** 32) * bound);
  }

  oneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }

  /** The same bytes with a few faults: flipped, cut off, doubled, put in. */
  mutated(bytes: Buffer): Buffer {
    let result = Buffer.from(bytes);
    for (let faults = 1 + this.below(4); faults > 0; faults--) {
      const at = this.below(result.length + 1);
      switch (this.below(6)) {
        case 0:
          if (at < result.length) result[at] = (result[at] ?? 0) ^ (1 << this.below(8));
          break;
        case 1:
          if (at < result.length) result[at] = this.pick([0, 1, 0x7f, 0x80, 0xff]);
          break;
        case 2:
          result = result.subarray(0, at);
          break;
        case 3:
          result = Buffer.concat([result.subarray(0, at), this.bytes(1 + this.below(12)), result.subarray(at)]);
          break;
        case 4:
          result = Buffer.concat([result.subarray(0, at), result.subarray(this.below(result.length + 1))]);
          break;
        default:
          result = Buffer.concat([result, result.subarray(at)]);
      }
      result = Buffer.from(result.subarray(0, 100_000));
    }
    return result;
  }
}
