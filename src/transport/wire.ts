/**
 * The primitives of the protobuf wire format that the peer protocol needs. Written by hand, because
 * the writer of a general library takes nine times as long and this is on the path of every lock.
 * Knows bytes, not messages. Law: a reader never looks outside its buffer; what breaks the format
 * throws `WireFault`.
 */
import { NameCache, writeWtf8 } from '../lock-name';

/** The bytes are not what they should be; the message says why. */
export class WireFault extends Error {}

const twoTo32 = 2 ** 32;

/** Grows as needed, but only in `reserve`: the other methods write without looking. */
export class WireWriter {
  private bytes = Buffer.allocUnsafeSlow(1024);
  private at = 0;

  get byteLength(): number {
    return this.at;
  }

  /** Make room for that many bytes. */
  reserve(room: number): void {
    if (this.at + room <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.at + room));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }

  varint(tag: number, value: number): void {
    this.bytes[this.at++] = tag;
    this.bareVarint(value);
  }

  fixed64(tag: number, value: number): void {
    const { bytes, at } = this;
    const low = value >>> 0; // modulo 2^32, for any safe integer
    const high = (value / twoTo32) >>> 0;
    bytes[at] = tag;
    bytes[at + 1] = low;
    bytes[at + 2] = low >>> 8;
    bytes[at + 3] = low >>> 16;
    bytes[at + 4] = low >>> 24;
    bytes[at + 5] = high;
    bytes[at + 6] = high >>> 8;
    bytes[at + 7] = high >>> 16;
    bytes[at + 8] = high >>> 24;
    this.at = at + 9;
  }

  text(tag: number, value: string): void {
    const start = this.begin(tag);
    this.at = writeWtf8(this.bytes, this.at, value);
    this.end(start);
  }

  /** Begin something whose length comes first and is not known yet. Ends with `end` of what this returns. */
  begin(tag: number): number {
    this.bytes[this.at] = tag;
    this.at += 2;
    return this.at;
  }

  end(start: number): void {
    const length = this.at - start;
    if (length < 0x80) {
      this.bytes[start - 1] = length;
      return;
    }
    // Only long names: the length needs two bytes, so what follows it moves up.
    this.bytes.copyWithin(start + 1, start, this.at);
    this.at = start - 1;
    this.bareVarint(length);
    this.at += length;
  }

  /** A copy of what was written. The writer begins anew. */
  take(): Buffer {
    const taken = Buffer.from(this.bytes.subarray(0, this.at));
    this.at = 0;
    return taken;
  }

  private bareVarint(value: number): void {
    while (value >= 0x80) {
      this.bytes[this.at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    this.bytes[this.at++] = value;
  }
}

export class WireReader {
  private readonly names = new NameCache();
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;

  open(bytes: Buffer): void {
    this.bytes = bytes;
    this.at = 0;
  }

  get position(): number {
    return this.at;
  }

  tag(): number {
    return this.varint();
  }

  /** Unsigned, below 2^32. */
  varint(): number {
    const first = this.next();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let scale = 0x80; scale <= 2 ** 28; scale *= 0x80) {
      const byte = this.next();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80 && value < twoTo32) return value;
    }
    throw new WireFault('a varint is above 2^32 - 1');
  }

  /** Exact below 2^53; above, it is above. */
  fixed64(): number {
    const { bytes, at } = this;
    if (at + 8 > bytes.length) throw cutOff();
    this.at = at + 8;
    return bytes.readUInt32LE(at + 4) * twoTo32 + bytes.readUInt32LE(at);
  }

  /** Read a length; where the thing of this length ends. */
  end(): number {
    const length = this.varint();
    const end = this.at + length;
    if (end > this.bytes.length) throw cutOff();
    return end;
  }

  /** @param what how a fault calls it */
  text(what: string, bytesMax: number): string {
    const end = this.end();
    if (end - this.at > bytesMax) throw new WireFault(`${what} is longer than ${bytesMax} bytes`);
    const text = this.names.read(this.bytes, this.at, end);
    if (text === null) throw new WireFault(`${what} is not valid UTF-8`);
    this.at = end;
    return text;
  }

  /** Pass over the value of a field whose meaning is not known. */
  skip(wireType: number): void {
    switch (wireType) {
      case 0:
        while (this.next() >= 0x80);
        return;
      case 1:
        return this.advance(8);
      case 2:
        this.at = this.end();
        return;
      case 5:
        return this.advance(4);
      default:
        throw new WireFault(`wire type ${wireType} does not exist`);
    }
  }

  private next(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw cutOff();
    this.at++;
    return byte;
  }

  private advance(count: number): void {
    this.at += count;
    if (this.at > this.bytes.length) throw cutOff();
  }
}

function cutOff(): WireFault {
  return new WireFault('the frame is cut off');
}
