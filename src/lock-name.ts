/**
 * Lock names as bytes. A lock name is any JavaScript string, so it may hold a lone surrogate, which
 * UTF-8 cannot express: the wire carries WTF-8, UTF-8 in which a lone surrogate takes three bytes.
 * Law: every string has exactly one byte form, and no other bytes are accepted; two nodes can never
 * mean different locks by the same bytes. Source: the WTF-8 encoding, simonsapin.github.io/wtf-8.
 */
import type { LockName } from './core/messages';

/** The longest lock name, in bytes on the wire. */
export const lockNameBytesMax = 4096;

/** Why this string cannot be a lock name; or null. */
export function lockNameFault(name: LockName): string | null {
  if (name.length * 3 <= lockNameBytesMax) return null;
  const length = Buffer.byteLength(name); // counts three bytes for a lone surrogate, as WTF-8 does
  if (length <= lockNameBytesMax) return null;
  return `the lock name is ${length} bytes long; at most ${lockNameBytesMax} are allowed`;
}

/** Write `text` as WTF-8 at `at`, where three bytes for each UTF-16 unit must be free. Returns the end. */
export function writeWtf8(bytes: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      bytes[at++] = unit;
    } else if (unit < 0x800) {
      bytes[at++] = 0xc0 | (unit >> 6);
      bytes[at++] = 0x80 | (unit & 0x3f);
    } else if ((unit & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      const point = 0x10000 + ((unit & 0x3ff) << 10) + (text.charCodeAt(++i) & 0x3ff);
      bytes[at++] = 0xf0 | (point >> 18);
      bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[at++] = 0x80 | (point & 0x3f);
    } else {
      bytes[at++] = 0xe0 | (unit >> 12);
      bytes[at++] = 0x80 | ((unit >> 6) & 0x3f);
      bytes[at++] = 0x80 | (unit & 0x3f);
    }
  }
  return at;
}

/** The string whose byte form this is; null if it is no string's. */
export function readWtf8(bytes: Uint8Array): string | null {
  // Decode without a single check, then see whether the result is written in the same way: overlong
  // forms, split pairs, stray and missing bytes all come out different.
  const units: number[] = [];
  let at = 0;
  const next = (): number => (bytes[at++] ?? 0) & 0x3f;
  while (at < bytes.length) {
    const lead = bytes[at++] ?? 0;
    if (lead < 0x80) {
      units.push(lead);
    } else if (lead < 0xe0) {
      units.push(((lead & 0x1f) << 6) | next());
    } else if (lead < 0xf0) {
      units.push(((lead & 0x0f) << 12) | (next() << 6) | next());
    } else {
      const point = (((lead & 0x07) << 18) | (next() << 12) | (next() << 6) | next()) - 0x10000;
      units.push(0xd800 | ((point >> 10) & 0x3ff), 0xdc00 | (point & 0x3ff));
    }
  }
  const text = Buffer.from(Uint16Array.from(units).buffer).toString('utf16le');
  const again = new Uint8Array(text.length * 3);
  return Buffer.compare(again.subarray(0, writeWtf8(again, 0, text)), bytes) === 0 ? text : null;
}

const nameCachePlaces = 1024; // a power of two
const cachedNameBytesMax = 128;

/**
 * Remembers the strings of short names seen before, so that the names of busy locks cost no
 * allocation and keep the hash that maps need. Bounded: a name that falls into the same place as
 * another replaces it.
 */
export class NameCache {
  private readonly entries = new Array<{ readonly bytes: Uint8Array; readonly name: string } | null>(nameCachePlaces).fill(null);

  /** The string in `bytes[start, end)`; null if it is not WTF-8. */
  read(bytes: Buffer, start: number, end: number): string | null {
    const length = end - start;
    if (length > cachedNameBytesMax) return readWtf8(bytes.subarray(start, end));
    let hash = length;
    let union = 0;
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number; // inside: i < end
      hash = (hash * 31 + byte) | 0;
      union |= byte;
    }
    const place = (hash ^ (hash >>> 12)) & (nameCachePlaces - 1);
    const entry = this.entries[place];
    if (entry && entry.bytes.length === length && sameBytes(entry.bytes, bytes, start)) return entry.name;
    const name = union < 0x80 ? bytes.toString('latin1', start, end) : readWtf8(bytes.subarray(start, end));
    // A copy: `slice` of a Buffer would be a view, and keep the whole frame in memory.
    if (name !== null) this.entries[place] = { bytes: new Uint8Array(bytes.subarray(start, end)), name };
    return name;
  }
}

function sameBytes(left: Uint8Array, right: Uint8Array, start: number): boolean {
  for (let i = 0; i < left.length; i++) if (left[i] !== right[start + i]) return false;
  return true;
}
