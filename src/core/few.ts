/**
 * Collections for a handful of things each, of which there are as many as locks: what they are made of takes no more room than
 * their items need. Law: each step takes as long as there are items; where there may be many, a `Map` is right.
 */

/** `items` with one more at its end: the same list, or another in its place. A list that grows from nothing would have room for sixteen more. */
export function withLast<Item>(items: Item[], item: Item): Item[] {
  if (items.length === 0) return [item];
  items.push(item);
  return items;
}

/** What all that are empty share. It stays empty: a list is changed in place only where it has the key. */
const NOTHING: never[] = [];

/**
 * What a `Map` can do, in a third of the room. Iterates in the order of the keys, so in which order they came makes no other state for the
 * explorer; what is deleted meanwhile comes all the same.
 */
export class FewEntries<Key extends string, Value> {
  private list: Key[] = NOTHING;
  /** Of each key, in the same order. */
  private valuesOf: Value[] = NOTHING;

  get size(): number {
    return this.list.length;
  }

  has(key: Key): boolean {
    return this.list.includes(key);
  }

  get(key: Key): Value | undefined {
    const place = this.list.indexOf(key);
    return place < 0 ? undefined : this.valuesOf[place];
  }

  set(key: Key, value: Value): void {
    const place = this.list.indexOf(key);
    if (place >= 0) {
      this.valuesOf[place] = value;
      return;
    }
    const after = this.list.findIndex((each) => key < each);
    this.list = inserted(this.list, key, after);
    this.valuesOf = inserted(this.valuesOf, value, after);
  }

  delete(key: Key): void {
    const place = this.list.indexOf(key);
    if (place < 0) return;
    this.list = without(this.list, place);
    this.valuesOf = without(this.valuesOf, place);
  }

  keys(): IterableIterator<Key> {
    return this.list.values();
  }

  values(): IterableIterator<Value> {
    return this.valuesOf.values();
  }

  *[Symbol.iterator](): IterableIterator<[Key, Value]> {
    const { list, valuesOf } = this;
    for (const [place, key] of list.entries()) yield [key, valuesOf[place] as Value /* both lists are as long */];
  }
}

/** Always the same one when nothing is left: to the explorer what is shared makes another state. */
function without<Item>(items: readonly Item[], place: number): Item[] {
  return items.length === 1 ? NOTHING : items.filter((_, index) => index !== place);
}

/** Before the place, or at the end when that is below 0. As long as what it holds: `push` and spread make room for more. */
function inserted<Item>(items: readonly Item[], item: Item, place: number): Item[] {
  const at = place < 0 ? items.length : place;
  return items.slice(0, at).concat([item], items.slice(at));
}
