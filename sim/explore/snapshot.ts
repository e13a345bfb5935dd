/**
 * A node as a string of bytes, and back: how the explorer forks a node and tells two states apart. It
 * walks the object itself and knows none of its fields by name, so a field that the core gains is part
 * of the state without anyone having to think of it, and the core need not know that it is explored.
 *
 * What it takes for granted of the core (stated because it cannot be seen from outside):
 * - Objects of nothing but primitives (a request's id, a vote in hand) are values: which of them are the
 *   same object in memory does not matter. All others keep their identity.
 * - A `Set` or `Map` is read in whatever order, with the same effects. They are sorted by key, so that
 *   votes that came in another order do not make another state. `--keep-order` does without this.
 */

const UNDEFINED = 0;
const NULL = 1;
const FALSE = 2;
const TRUE = 3;
const INFINITE = 4;
const WIDE = 5;
const TEXT = 6;
const SEEN = 7;
const SHARED = 8;
const OBJECT = 9;
const VALUE = 10;
const ARRAY = 11;
const MAP = 12;
const SET = 13;
/** A whole number below 2^49 and not small: seven bits a byte. */
const WHOLE = 14;
/** From here on a small whole number in one byte. */
const SMALL = 15;
const SMALL_MAX = 255 - SMALL;

// Looked up once: in the sandbox of a test runner each look at a global is slow.
const { create, getPrototypeOf } = Object;
const { isSafeInteger } = Number;
const OBJECTS = Object.prototype;
const ARRAYS = Array.prototype;
const MAPS = Map.prototype;
const SETS = Set.prototype;

/** A class, or the plain object, with its fields in order. A tree: each field leads on to the next. */
interface Shape {
  readonly id: number;
  readonly prototype: object | null;
  readonly fields: readonly string[];
  readonly next: Map<string, Shape>;
}

type Fields = Record<string, unknown>;

export class Snapshots {
  scratch = new Uint8Array(1 << 12);
  length = 0;

  private readonly shared: Map<unknown, number>;
  private readonly texts: string[] = [];
  private readonly textIds = new Map<string, number>();
  private readonly roots = new Map<object | null, Shape>();
  private readonly shapes: Shape[] = [];
  /** The objects written so far. So few that looking through them is faster than a Map, which leaves garbage. */
  private readonly seen: object[] = [];
  private source: Uint8Array = new Uint8Array(0);
  private at = 0;
  private rebuilt: unknown[] = [];

  /** `shared`: what never changes and all snapshots may point to; it is not copied. */
  constructor(
    private readonly sharedObjects: readonly object[],
    private readonly keepsOrder: boolean,
  ) {
    this.shared = new Map(sharedObjects.map((each, index) => [each, index]));
  }

  /** Puts the object into `scratch`, `length` bytes long. */
  write(root: object): void {
    this.length = 0;
    this.seen.length = 0;
    this.put(root);
  }

  read(bytes: Uint8Array): unknown {
    this.source = bytes;
    this.at = 0;
    this.rebuilt = [];
    return this.take();
  }

  // --- writing ----------------------------------------------------------------------------------

  private byte(value: number): void {
    if (this.length === this.scratch.length) {
      const larger = new Uint8Array(2 * this.length);
      larger.set(this.scratch);
      this.scratch = larger;
    }
    this.scratch[this.length++] = value;
  }

  private whole(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.byte((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.byte(rest);
  }

  private put(value: unknown): void {
    switch (typeof value) {
      case 'number':
        return this.putNumber(value);
      case 'string':
        this.byte(TEXT);
        return this.whole(this.textId(value));
      case 'boolean':
        return this.byte(value ? TRUE : FALSE);
      case 'undefined':
        return this.byte(UNDEFINED);
      case 'object':
        return value === null ? this.byte(NULL) : this.putObject(value);
      default:
        throw new TypeError(`a node holds a ${typeof value}, which no snapshot can hold`);
    }
  }

  private putNumber(value: number): void {
    if (isSafeInteger(value) && value >= 0 && value < 2 ** 49) {
      if (value <= SMALL_MAX) return this.byte(SMALL + value);
      this.byte(WHOLE);
      return this.whole(value);
    }
    if (value === Infinity) return this.byte(INFINITE);
    this.byte(WIDE);
    for (const each of new Uint8Array(new Float64Array([value]).buffer)) this.byte(each);
  }

  private putObject(object: object): void {
    const shared = this.shared.get(object);
    if (shared !== undefined) {
      this.byte(SHARED);
      return this.whole(shared);
    }
    const shape = this.shapeOf(object);
    if (shape !== null && shape.prototype === OBJECTS && isValue(object as Fields)) {
      this.byte(VALUE);
      return this.putFields(shape, object as Fields);
    }
    const earlier = this.seen.indexOf(object);
    if (earlier >= 0) {
      this.byte(SEEN);
      return this.whole(earlier);
    }
    this.seen.push(object);
    if (shape !== null) {
      this.byte(OBJECT);
      this.putFields(shape, object as Fields);
    } else if (Array.isArray(object)) {
      this.byte(ARRAY);
      this.whole(object.length);
      for (const each of object) this.put(each);
    } else if (object instanceof Map) {
      this.byte(MAP);
      this.whole(object.size);
      for (const key of this.ordered(object)) {
        this.put(key);
        this.put(object.get(key));
      }
    } else if (object instanceof Set) {
      this.byte(SET);
      this.whole(object.size);
      for (const each of this.ordered(object)) this.put(each);
    }
  }

  private putFields(shape: Shape, object: Fields): void {
    this.whole(shape.id);
    for (const field of shape.fields) this.put(object[field]);
  }

  private ordered(keyed: Map<unknown, unknown> | Set<unknown>): unknown[] {
    const keys = [...keyed.keys()];
    return this.keepsOrder || keys.length < 2 ? keys : keys.sort();
  }

  /** Null for an array, a Map or a Set. */
  private shapeOf(object: object): Shape | null {
    const prototype = getPrototypeOf(object) as object | null;
    if (prototype === ARRAYS || prototype === MAPS || prototype === SETS) return null;
    let root = this.roots.get(prototype);
    if (root === undefined) {
      // What a built-in keeps inside, no walk over its fields can see.
      const type = Object.prototype.toString.call(object);
      if (type !== '[object Object]') throw new TypeError(`a node holds an ${type}, which no snapshot can hold`);
      root = this.newShape(prototype, []);
      this.roots.set(prototype, root);
    }
    let shape = root;
    for (const field in object) {
      let next: Shape | undefined = shape.next.get(field);
      if (next === undefined) {
        next = this.newShape(prototype, [...shape.fields, field]);
        shape.next.set(field, next);
      }
      shape = next;
    }
    return shape;
  }

  private newShape(prototype: object | null, fields: readonly string[]): Shape {
    const shape: Shape = { id: this.shapes.length, prototype, fields, next: new Map() };
    this.shapes.push(shape);
    return shape;
  }

  private textId(text: string): number {
    let id = this.textIds.get(text);
    if (id === undefined) {
      id = this.texts.push(text) - 1;
      this.textIds.set(text, id);
    }
    return id;
  }

  // --- reading ----------------------------------------------------------------------------------

  private takeByte(): number {
    return this.source[this.at++] ?? 0;
  }

  private takeWhole(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.takeByte();
      if (byte < 128) return value + byte * unit;
      value += (byte - 128) * unit;
    }
  }

  private take(): unknown {
    const tag = this.takeByte();
    switch (tag) {
      case UNDEFINED:
        return undefined;
      case NULL:
        return null;
      case FALSE:
        return false;
      case TRUE:
        return true;
      case INFINITE:
        return Infinity;
      case WHOLE:
        return this.takeWhole();
      case WIDE:
        return new Float64Array(this.source.slice(this.at, (this.at += 8)).buffer)[0];
      case TEXT:
        return this.texts[this.takeWhole()];
      case SEEN:
        return this.rebuilt[this.takeWhole()];
      case SHARED:
        return this.sharedObjects[this.takeWhole()];
      case VALUE:
        return this.takeFields(this.takeShape(), false);
      case OBJECT:
        return this.takeFields(this.takeShape(), true);
      case ARRAY:
        return this.takeArray();
      case MAP:
        return this.takeMap();
      case SET:
        return this.takeSet();
      default:
        return tag - SMALL;
    }
  }

  private takeShape(): Shape {
    const shape = this.shapes[this.takeWhole()];
    if (shape === undefined) throw new RangeError('not a snapshot');
    return shape;
  }

  private takeFields(shape: Shape, hasIdentity: boolean): Fields {
    const object = (shape.prototype === OBJECTS ? {} : create(shape.prototype)) as Fields;
    if (hasIdentity) this.rebuilt.push(object);
    for (const field of shape.fields) object[field] = this.take();
    return object;
  }

  private takeArray(): unknown[] {
    const items: unknown[] = [];
    this.rebuilt.push(items);
    const length = this.takeWhole();
    for (let i = 0; i < length; i++) items.push(this.take());
    return items;
  }

  private takeMap(): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>();
    this.rebuilt.push(map);
    const size = this.takeWhole();
    for (let i = 0; i < size; i++) {
      const key = this.take();
      map.set(key, this.take());
    }
    return map;
  }

  private takeSet(): Set<unknown> {
    const set = new Set();
    this.rebuilt.push(set);
    const size = this.takeWhole();
    for (let i = 0; i < size; i++) set.add(this.take());
    return set;
  }
}

function isValue(object: Fields): boolean {
  for (const field in object) {
    const value = object[field];
    if (typeof value === 'object' && value !== null) return false;
  }
  return true;
}
