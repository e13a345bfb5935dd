/**
 * What is still to happen, in order of true time; first in, first out within one microsecond.
 * A 4-ary heap over flat arrays: an item is a handful of numbers and at most one reference, and no
 * object is made for it.
 */

/** True times are whole microseconds below this, so that time and order fit one exact number. */
export const TIME_US_MAX = 2 ** 37;

const ORDER_SPAN = 2 ** 16;

const LENGTH_AT_FIRST = 256;

export class Agenda {
  /** The item that `next` took out. */
  atUs = 0;
  kind = 0;
  a = 0;
  b = 0;
  payload: unknown = null;

  private size = 0;
  private order = 0;
  /** Time and order of arrival in one number, by place in the heap. */
  private keys = new Float64Array(LENGTH_AT_FIRST);
  /** Where the rest of the item is, by place in the heap; behind the heap's end, the free places. */
  private slots = countUp(new Int32Array(LENGTH_AT_FIRST), 0);
  private kinds = new Uint8Array(LENGTH_AT_FIRST);
  private as = new Int32Array(LENGTH_AT_FIRST);
  private bs = new Int32Array(LENGTH_AT_FIRST);
  private readonly payloads: unknown[] = new Array<unknown>(LENGTH_AT_FIRST).fill(null);

  get length(): number {
    return this.size;
  }

  push(atUs: number, kind: number, a: number, b: number, payload: unknown = null): void {
    if (!(atUs < TIME_US_MAX)) throw new RangeError(`true time ${atUs} is too large`);
    if (this.size === this.keys.length) this.grow();
    this.order = (this.order + 1) % ORDER_SPAN;
    const key = atUs * ORDER_SPAN + this.order;
    const slot = at(this.slots, this.size);
    this.kinds[slot] = kind;
    this.as[slot] = a;
    this.bs[slot] = b;
    this.payloads[slot] = payload;

    const { keys, slots } = this;
    let place = this.size++;
    while (place > 0) {
      const parent = (place - 1) >> 2;
      if (at(keys, parent) <= key) break;
      keys[place] = at(keys, parent);
      slots[place] = at(slots, parent);
      place = parent;
    }
    keys[place] = key;
    slots[place] = slot;
  }

  /** Take out the earliest item; false when there is none. */
  next(): boolean {
    if (this.size === 0) return false;
    const { keys, slots } = this;
    const slot = at(slots, 0);
    this.atUs = Math.floor(at(keys, 0) / ORDER_SPAN);
    this.kind = at(this.kinds, slot);
    this.a = at(this.as, slot);
    this.b = at(this.bs, slot);
    this.payload = this.payloads[slot];
    this.payloads[slot] = null;

    const size = --this.size;
    const key = at(keys, size);
    const last = at(slots, size);
    let place = 0;
    for (;;) {
      let child = place * 4 + 1;
      if (child >= size) break;
      const end = Math.min(child + 4, size);
      for (let other = child + 1; other < end; other++) if (at(keys, other) < at(keys, child)) child = other;
      if (at(keys, child) >= key) break;
      keys[place] = at(keys, child);
      slots[place] = at(slots, child);
      place = child;
    }
    keys[place] = key;
    slots[place] = last;
    slots[size] = slot;
    return true;
  }

  private grow(): void {
    const length = this.keys.length * 2;
    const keys = new Float64Array(length);
    keys.set(this.keys);
    this.keys = keys;
    this.slots = countUp(grown(this.slots, length), this.slots.length);
    const kinds = new Uint8Array(length);
    kinds.set(this.kinds);
    this.kinds = kinds;
    this.as = grown(this.as, length);
    this.bs = grown(this.bs, length);
  }
}

/** From `start` on each place gets its own number. */
function countUp(array: Int32Array<ArrayBuffer>, start: number): Int32Array<ArrayBuffer> {
  for (let i = start; i < array.length; i++) array[i] = i;
  return array;
}

function grown(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length);
  to.set(from);
  return to;
}

/** Places are always within the arrays: `grow` runs before the heap does. */
function at(array: Float64Array | Int32Array | Uint8Array, index: number): number {
  return array[index] as number;
}
