/**
 * The protobuf wire format in general, for the messages of the client service; `transport/wire.ts` is for the peers' alone. Knows
 * bytes, not messages. Law: a reader never looks outside its buffer; bytes that break the format throw.
 */

const TWO_TO_32 = 2 ** 32;
/** So many bytes hold any 64-bit varint. */
const VARINT_BYTES_MAX = 10;
/** A large message must not keep its memory for ever. */
const KEPT_BYTES_MAX = 256 * 1024;

export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

export class MessageWriter {
  private bytes = Buffer.allocUnsafeSlow(1024);
  private at = 0;

  /** An integer from 0 to 2^53, or a negative one of 32 bits. */
  varint(value: number): void {
    this.reserve(VARINT_BYTES_MAX);
    if (value < 0) return this.negative(value);
    while (value >= 0x80) {
      this.bytes[this.at++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.bytes[this.at++] = value;
  }

  double(value: number): void {
    this.reserve(8);
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.reserve(length);
    this.at += this.bytes.write(value, this.at);
  }

  block(value: Uint8Array): void {
    this.varint(value.length);
    this.reserve(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  /** Begin something whose length comes first and is not known yet. Ends with `end` of what this returns. */
  begin(): number {
    this.reserve(1);
    return ++this.at;
  }

  end(start: number): void {
    const length = this.at - start;
    if (length < 0x80) {
      this.bytes[start - 1] = length;
      return;
    }
    // The length needs more than the byte that is there, so what follows moves up.
    this.reserve(VARINT_BYTES_MAX);
    this.at = start - 1;
    const content = Buffer.from(this.bytes.subarray(start, start + length));
    this.varint(length);
    this.bytes.set(content, this.at);
    this.at += length;
  }

  /** A copy of what was written. The writer begins anew. */
  take(): Buffer {
    const taken = Buffer.from(this.bytes.subarray(0, this.at));
    this.clear();
    return taken;
  }

  clear(): void {
    this.at = 0;
    if (this.bytes.length > KEPT_BYTES_MAX) this.bytes = Buffer.allocUnsafeSlow(1024);
  }

  /** As protobuf has it: with the sign in all of the 64 bits. */
  private negative(value: number): void {
    let low = value | 0;
    for (let i = 0; i < 4; i++, low >>= 7) this.bytes[this.at++] = (low & 0x7f) | 0x80;
    this.bytes[this.at++] = (low & 0x7f) | 0x80; // four bits of the value, and the sign
    for (let i = 0; i < 4; i++) this.bytes[this.at++] = 0xff;
    this.bytes[this.at++] = 1;
  }

  private reserve(room: number): void {
    if (this.at + room <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.at + room));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }
}

export class MessageReader {
  private at = 0;
  private low = 0;
  private high = 0;

  constructor(private readonly bytes: Buffer) {}

  get position(): number {
    return this.at;
  }

  uint32(): number {
    this.varint();
    return this.low >>> 0;
  }

  int32(): number {
    this.varint();
    return this.low | 0;
  }

  /** Exact up to 2^53; above, it is above. */
  uint64(): number {
    this.varint();
    return (this.high >>> 0) * TWO_TO_32 + (this.low >>> 0);
  }

  bool(): boolean {
    this.varint();
    return (this.low | this.high) !== 0;
  }

  double(): number {
    const at = this.at;
    this.advance(8);
    return this.bytes.readDoubleLE(at);
  }

  text(): string {
    const start = this.begin();
    return this.bytes.toString('utf8', start, this.at);
  }

  /** A copy, so that what is kept of a message does not keep all of it. */
  block(): Buffer {
    const start = this.begin();
    return Buffer.from(this.bytes.subarray(start, this.at));
  }

  /** Read a length; where the thing of this length ends. */
  end(within: number): number {
    const length = this.uint32();
    const end = this.at + length;
    if (end > within) throw cutOff();
    return end;
  }

  /** Pass over a value whose meaning is not known. */
  skip(wireType: number): void {
    switch (wireType) {
      case VARINT:
        return this.varint();
      case FIXED64:
        return this.advance(8);
      case LENGTH_DELIMITED:
        this.begin();
        return;
      case FIXED32:
        return this.advance(4);
      default:
        throw new Error(`wire type ${wireType} is not used`);
    }
  }

  /** Passes over a length and what is that long; where it begins. */
  private begin(): number {
    const length = this.uint32();
    const start = this.at;
    this.advance(length);
    return start;
  }

  private varint(): void {
    this.low = this.high = 0;
    for (let shift = 0; shift < VARINT_BYTES_MAX * 7; shift += 7) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw cutOff();
      const bits = byte & 0x7f;
      if (shift < 32) this.low |= bits << shift;
      if (shift === 28) this.high = bits >>> 4;
      else if (shift > 28) this.high |= bits << (shift - 32);
      if (byte < 0x80) return;
    }
    throw new Error('a varint is longer than 10 bytes');
  }

  private advance(count: number): void {
    this.at += count;
    if (this.at > this.bytes.length) throw cutOff();
  }
}

function cutOff(): Error {
  return new Error('the message is cut off');
}
