/**
 * Letters and bags of letters, each by a number. A bag is a multiset: the network keeps no order. What
 * is on its way to a node is one bag, and what a step sends to one node is another.
 */
import type { Message, NodeId } from '../../src/core';
import type { Snapshots } from './snapshot';
import { ByteStrings, PairMap } from './tables';

/** A message on its way. To whom, its bag knows. */
export interface Letter {
  readonly from: NodeId;
  readonly message: Message;
}

export const EMPTY_BAG = 0;

/** What the objects of one take, roughly. */
const LETTER_BYTES = 500;
const BAG_BYTES = 250;

export class Bags {
  private readonly letterIds = new ByteStrings();
  private readonly letters: Letter[] = [];
  private readonly ids = new Map<string, number>();
  private readonly bags: (readonly number[])[] = [];
  private readonly joined = new PairMap();
  private readonly reduced = new PairMap();

  constructor(private readonly snapshots: Snapshots) {
    this.idOf([]);
  }

  get bytes(): number {
    return this.letterIds.bytes + this.joined.bytes + this.reduced.bytes
      + LETTER_BYTES * this.letters.length + BAG_BYTES * this.bags.length;
  }

  letterId(letter: Letter): number {
    this.snapshots.write(letter);
    const id = this.letterIds.idOf(this.snapshots.scratch, this.snapshots.length);
    if (id === this.letters.length) this.letters.push(letter);
    return id;
  }

  letter(id: number): Letter {
    return present(this.letters[id], 'letter', id);
  }

  /** The letters of a bag in ascending order; equal ones side by side. */
  lettersIn(bag: number): readonly number[] {
    return present(this.bags[bag], 'bag', bag);
  }

  idOf(letters: readonly number[]): number {
    const sorted = [...letters].sort((a, b) => a - b);
    const key = sorted.join();
    let id = this.ids.get(key);
    if (id === undefined) {
      id = this.bags.push(sorted) - 1;
      this.ids.set(key, id);
    }
    return id;
  }

  join(bag: number, more: number): number {
    let id = this.joined.get(bag, more);
    if (id < 0) {
      id = this.idOf([...this.lettersIn(bag), ...this.lettersIn(more)]);
      this.joined.set(bag, more, id);
    }
    return id;
  }

  /** The bag with one such letter less. */
  without(bag: number, letter: number): number {
    let id = this.reduced.get(bag, letter);
    if (id < 0) {
      const letters = this.lettersIn(bag);
      const place = letters.indexOf(letter);
      id = this.idOf([...letters.slice(0, place), ...letters.slice(place + 1)]);
      this.reduced.set(bag, letter, id);
    }
    return id;
  }
}

function present<Item>(item: Item | undefined, what: string, id: number): Item {
  if (item === undefined) throw new RangeError(`no ${what} ${id}`);
  return item;
}
