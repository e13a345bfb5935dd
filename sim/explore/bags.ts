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

/** What a letter takes as an object, roughly. */
const LETTER_BYTES = 500;

/** More in flight to one node than any search comes to. */
const LETTERS_MAX = 1024;

export class Bags {
  private readonly letterIds = new ByteStrings();
  private readonly letters: Letter[] = [];
  /** Each bag as the ids of its letters, ascending, four bytes each. */
  private readonly bags = new ByteStrings();
  private readonly joined = new PairMap();
  private readonly reduced = new PairMap();
  private readonly scratch = new Int32Array(LETTERS_MAX);
  private readonly scratchBytes = new Uint8Array(this.scratch.buffer);

  constructor(private readonly snapshots: Snapshots) {
    this.idOf([]);
  }

  get bytes(): number {
    return this.letterIds.bytes + this.bags.bytes + this.joined.bytes + this.reduced.bytes + LETTER_BYTES * this.letters.length;
  }

  letterId(letter: Letter): number {
    this.snapshots.write(letter);
    const id = this.letterIds.idOf(this.snapshots.scratch, this.snapshots.length);
    if (id === this.letters.length) this.letters.push(letter);
    return id;
  }

  letter(id: number): Letter {
    const letter = this.letters[id];
    if (letter === undefined) throw new RangeError(`no letter ${id}`);
    return letter;
  }

  /** The letters of a bag in ascending order; equal ones side by side. Read it before anything is added. */
  lettersIn(bag: number): Int32Array {
    const bytes = this.bags.read(bag);
    return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }

  idOf(letters: ArrayLike<number>): number {
    this.scratch.set(letters);
    return this.intern(letters.length);
  }

  join(bag: number, more: number): number {
    let id = this.joined.get(bag, more);
    if (id < 0) {
      const letters = this.lettersIn(bag);
      const others = this.lettersIn(more);
      this.scratch.set(letters);
      this.scratch.set(others, letters.length);
      id = this.intern(letters.length + others.length);
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
      this.scratch.set(letters.subarray(0, place));
      this.scratch.set(letters.subarray(place + 1), place);
      id = this.intern(letters.length - 1);
      this.reduced.set(bag, letter, id);
    }
    return id;
  }

  private intern(length: number): number {
    this.scratch.subarray(0, length).sort();
    return this.bags.idOf(this.scratchBytes, 4 * length);
  }
}
