/**
 * The compact storage of the explorer: everything that there are millions of lives in typed arrays, and
 * goes by a small whole number from there on. Law: exact. Keys are compared in full, so two different
 * states are never taken for one.
 */

/** Looked up once: in the sandbox of a test runner each look at a global is slow. */
const { imul } = Math;

/** Slots of an index may be so full before it doubles. */
const FILL_MAX = 0.6;

/** A growing array of 32-bit integers. */
export class IntVector {
  length = 0;
  private items = new Int32Array(1024);

  push(value: number): void {
    if (this.length === this.items.length) this.items = grown(this.items);
    this.items[this.length++] = value;
  }

  at(index: number): number {
    return this.items[index] ?? 0;
  }

  set(index: number, value: number): void {
    this.items[index] = value;
  }

  fill(value: number): void {
    this.items.fill(value, 0, this.length);
  }

  get bytes(): number {
    return this.items.byteLength;
  }
}

/** From two whole numbers below 2^31 to a third. */
export class PairMap {
  private size = 0;
  private slots = new Int32Array(3 * 1024);
  private mask = 1023;

  /** The value, or -1. */
  get(a: number, b: number): number {
    const { slots, mask } = this;
    for (let slot = mix(a, b) & mask; ; slot = (slot + 1) & mask) {
      const value = slots[3 * slot] ?? 0;
      if (value === 0) return -1;
      if (slots[3 * slot + 1] === a && slots[3 * slot + 2] === b) return value - 1;
    }
  }

  /** `a` and `b` must not be there yet. */
  set(a: number, b: number, value: number): void {
    if (++this.size > FILL_MAX * (this.mask + 1)) this.double();
    this.put(a, b, value + 1);
  }

  get bytes(): number {
    return this.slots.byteLength;
  }

  private put(a: number, b: number, stored: number): void {
    const { slots, mask } = this;
    let slot = mix(a, b) & mask;
    while (slots[3 * slot] !== 0) slot = (slot + 1) & mask;
    slots[3 * slot] = stored;
    slots[3 * slot + 1] = a;
    slots[3 * slot + 2] = b;
  }

  private double(): void {
    const old = this.slots;
    this.slots = new Int32Array(2 * old.length);
    this.mask = 2 * this.mask + 1;
    for (let at = 0; at < old.length; at += 3) {
      if (old[at] !== 0) this.put(old[at + 1] ?? 0, old[at + 2] ?? 0, old[at] ?? 0);
    }
  }
}

/** Gives each distinct string of bytes a number, from 0 on. */
export class ByteStrings {
  private readonly starts = new IntVector();
  private arena = new Uint8Array(1 << 16);
  private end = 0;
  private slots = new Int32Array(1024);

  get size(): number {
    return this.starts.length;
  }

  get bytes(): number {
    return this.arena.byteLength + this.slots.byteLength + this.starts.bytes;
  }

  /** The bytes of `scratch` up to `length`. They are copied. */
  idOf(scratch: Uint8Array, length: number): number {
    const mask = this.slots.length - 1;
    let slot = hashBytes(scratch, 0, length) & mask;
    for (; ; slot = (slot + 1) & mask) {
      const id = (this.slots[slot] ?? 0) - 1;
      if (id < 0) break;
      if (this.equals(id, scratch, length)) return id;
    }
    return this.add(slot, scratch, length);
  }

  read(id: number): Uint8Array {
    return this.arena.subarray(this.starts.at(id), this.endOf(id));
  }

  private endOf(id: number): number {
    return id + 1 < this.starts.length ? this.starts.at(id + 1) : this.end;
  }

  private equals(id: number, other: Uint8Array, length: number): boolean {
    const start = this.starts.at(id);
    if (this.endOf(id) - start !== length) return false;
    for (let i = 0; i < length; i++) if (this.arena[start + i] !== other[i]) return false;
    return true;
  }

  private add(slot: number, scratch: Uint8Array, length: number): number {
    const id = this.starts.length;
    // Starts are 32-bit integers.
    if (this.end + length > 2 ** 31 - 1) throw new RangeError('more than 2 GiB of distinct node states');
    while (this.end + length > this.arena.length) this.arena = grown(this.arena);
    this.arena.set(scratch.subarray(0, length), this.end);
    this.starts.push(this.end);
    this.end += length;
    this.slots[slot] = id + 1;
    if (this.starts.length > FILL_MAX * this.slots.length) this.double();
    return id;
  }

  private double(): void {
    this.slots = new Int32Array(2 * this.slots.length);
    const mask = this.slots.length - 1;
    for (let id = 0; id < this.starts.length; id++) {
      let slot = hashBytes(this.arena, this.starts.at(id), this.endOf(id)) & mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = id + 1;
    }
  }
}

const CHUNK_BITS = 16;
const CHUNK_STATES = 1 << CHUNK_BITS;

/**
 * The set of states seen, each a tuple of `width` integers, in the order of their discovery: which is
 * also the queue of a breadth-first search. Each knows the state that it was discovered from.
 */
export class StateTable {
  size = 0;
  private readonly chunks: Int32Array[] = [];
  private readonly parents: Int32Array[] = [];
  private slots = new Int32Array(1 << 12);

  constructor(private readonly width: number) {}

  /** What the table takes when one more state is added; it doubles its index now and then. */
  get bytesNext(): number {
    const chunks = this.chunks.length + (this.size === this.chunks.length << CHUNK_BITS ? 1 : 0);
    const index = this.isFull() ? 3 * this.slots.byteLength : this.slots.byteLength;
    return chunks * CHUNK_STATES * 4 * (this.width + 1) + index;
  }

  has(state: Int32Array): boolean {
    return (this.slots[this.slotOf(state)] ?? 0) !== 0;
  }

  /** Whether the state is new. */
  add(state: Int32Array, parent: number): boolean {
    if (this.isFull()) this.double();
    const slot = this.slotOf(state);
    if (this.slots[slot] !== 0) return false;
    const id = this.size++;
    const at = id & (CHUNK_STATES - 1);
    if (at === 0) {
      this.chunks.push(new Int32Array(CHUNK_STATES * this.width));
      this.parents.push(new Int32Array(CHUNK_STATES));
    }
    this.chunks[id >>> CHUNK_BITS]?.set(state, at * this.width);
    this.parents[id >>> CHUNK_BITS]?.fill(parent, at, at + 1);
    this.slots[slot] = id + 1;
    return true;
  }

  /** Where the state is in the index, or would be. */
  private slotOf(state: Int32Array): number {
    const { width, slots, chunks } = this;
    const mask = slots.length - 1;
    for (let slot = hashInts(state, 0, width) & mask; ; slot = (slot + 1) & mask) {
      const id = (slots[slot] ?? 0) - 1;
      if (id < 0) return slot;
      const chunk = chunks[id >>> CHUNK_BITS];
      const start = (id & (CHUNK_STATES - 1)) * width;
      let i = 0;
      while (i < width && chunk?.[start + i] === state[i]) i++;
      if (i === width) return slot;
    }
  }

  read(id: number, into: Int32Array): void {
    const chunk = this.chunks[id >>> CHUNK_BITS];
    const start = (id & (CHUNK_STATES - 1)) * this.width;
    for (let i = 0; i < this.width; i++) into[i] = chunk?.[start + i] ?? 0;
  }

  /** The state from which it was discovered; -1 for the first. */
  parentOf(id: number): number {
    return this.parents[id >>> CHUNK_BITS]?.[id & (CHUNK_STATES - 1)] ?? -1;
  }

  private isFull(): boolean {
    return this.size >= FILL_MAX * this.slots.length;
  }

  private double(): void {
    const { width } = this;
    this.slots = new Int32Array(2 * this.slots.length);
    const mask = this.slots.length - 1;
    for (let id = 0; id < this.size; id++) {
      const chunk = this.chunks[id >>> CHUNK_BITS];
      if (chunk === undefined) return;
      let slot = hashInts(chunk, (id & (CHUNK_STATES - 1)) * width, width) & mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = id + 1;
    }
  }
}

function grown<Items extends Int32Array | Uint8Array>(items: Items): Items {
  const larger = new (items.constructor as new (length: number) => Items)(2 * items.length);
  larger.set(items);
  return larger;
}

// Murmur3's rounds and finish: every bit of the input moves the low bits, which choose the slot.

function round(hash: number, value: number): number {
  let k = imul(value, 0xcc9e2d51);
  k = imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let h = hash;
  h = imul(h ^ (h >>> 16), 0x85ebca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function mix(a: number, b: number): number {
  return finish(round(round(0, a), b));
}

function hashInts(items: Int32Array, start: number, length: number): number {
  let hash = 0;
  for (let i = start; i < start + length; i++) hash = round(hash, items[i] ?? 0);
  return finish(hash);
}

function hashBytes(items: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let i = start; i < end; i++) hash = round(hash, items[i] ?? 0);
  return finish(hash);
}
