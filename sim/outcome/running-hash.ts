/** 64 bits over all that was added, in two lanes of 32 bits. */
export class RunningHash {
  private low = 0x243f6a88;
  private high = 0x13198a2e;

  /** A whole number below 2^32 in magnitude. */
  add(value: number): void {
    const low = Math.imul(this.low ^ value, 0x9e3779b1);
    this.low = (low << 15) | (low >>> 17);
    const high = Math.imul(this.high ^ value, 0x85ebca77);
    this.high = ((high << 13) | (high >>> 19)) + this.low;
  }

  /** Any safe integer. */
  addWide(value: number): void {
    this.add(value | 0);
    this.add(Math.floor(value / 2 ** 32));
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    return hex(this.high) + hex(this.low);
  }
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0');
}
