/**
 * The deadlines of many locks: a binary heap that knows where each item is, so that one can be moved
 * or taken out in O(log n) and a lock that is forgotten leaves nothing behind.
 */

/** What an item carries for the heap. `heapIndex` is the heap's own; -1 while the item is not in it. */
export interface HasDeadline {
  deadlineMs: number;
  heapIndex: number;
}

export class Deadlines<Item extends HasDeadline> {
  private readonly heap: Item[] = [];

  /** The earliest deadline, or Infinity. */
  get earliestMs(): number {
    return this.heap[0]?.deadlineMs ?? Infinity;
  }

  /** The item with the earliest deadline if that is at or before `nowMs`; it stays in the heap. */
  due(nowMs: number): Item | undefined {
    const first = this.heap[0];
    return first !== undefined && first.deadlineMs <= nowMs ? first : undefined;
  }

  /** Put the item in, or move it, to its new deadline. */
  schedule(item: Item, deadlineMs: number): void {
    if (item.heapIndex < 0) {
      item.deadlineMs = deadlineMs;
      item.heapIndex = this.heap.length;
      this.heap.push(item);
      this.siftUp(item);
    } else if (deadlineMs < item.deadlineMs) {
      item.deadlineMs = deadlineMs;
      this.siftUp(item);
    } else if (deadlineMs > item.deadlineMs) {
      item.deadlineMs = deadlineMs;
      this.siftDown(item);
    }
  }

  remove(item: Item): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.heap.pop();
    if (last === undefined || last === item) return;
    last.heapIndex = index;
    this.heap[index] = last;
    this.siftUp(last);
    this.siftDown(last);
  }

  private siftUp(item: Item): void {
    let index = item.heapIndex;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.heap[parentIndex];
      if (parent === undefined || parent.deadlineMs <= item.deadlineMs) break;
      this.heap[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    this.heap[index] = item;
    item.heapIndex = index;
  }

  private siftDown(item: Item): void {
    let index = item.heapIndex;
    for (;;) {
      const left = this.heap[2 * index + 1];
      const right = this.heap[2 * index + 2];
      const child = right !== undefined && left !== undefined && right.deadlineMs < left.deadlineMs ? right : left;
      if (child === undefined || child.deadlineMs >= item.deadlineMs) break;
      const childIndex = child.heapIndex;
      this.heap[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    this.heap[index] = item;
    item.heapIndex = index;
  }
}
