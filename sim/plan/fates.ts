/**
 * The fates of single messages, fixed by a plan: a message is named by its link, lock and kind and by how
 * many such messages went before it, so that leaving out a request elsewhere renames few others. Whatever
 * the plan does not name arrives once, in order, after the network's base delay.
 */
import type { LockName, Message, MessageKind } from '../../src/core';

export interface Fate {
  readonly from: number;
  readonly to: number;
  readonly message: MessageKind;
  readonly lock: LockName;
  /** The first such message is number 1. */
  readonly number: number;
  /** When each of its copies arrives, counted from when it was sent. None: it is lost. */
  readonly arrivesAfterUs: readonly number[];
}

export class Fates {
  private readonly fates: ReadonlyMap<string, readonly number[]>;
  private readonly counter = new MessageCounter();

  constructor(fates: readonly Fate[]) {
    this.fates = new Map(fates.map((fate) => [keyOf(fate.from, fate.to, fate.message, fate.lock, fate.number), fate.arrivesAfterUs]));
  }

  /** The fate of the message that is sent now, or null when the plan does not name it. */
  next(from: number, to: number, message: Message): readonly number[] | null {
    const number = this.counter.count(from, to, message);
    return this.fates.get(keyOf(from, to, message.kind, message.lock, number)) ?? null;
  }
}

/** Numbers the messages of each link, lock and kind. */
export class MessageCounter {
  private readonly counts = new Map<string, number>();

  count(from: number, to: number, { kind, lock }: Message): number {
    const key = keyOf(from, to, kind, lock, 0);
    const number = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, number);
    return number;
  }
}

function keyOf(from: number, to: number, kind: MessageKind, lock: LockName, number: number): string {
  return `${from} ${to} ${kind} ${number} ${lock}`;
}
