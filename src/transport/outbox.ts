/**
 * What waits to be sent to one peer, as frames. Law: bounded. A peer that reads more slowly than we
 * write loses the newest messages; the protocol heals that, memory that is used up it does not.
 */
import type { Message } from '../core/messages';
import { FrameBuilder } from './codec';

/** A frame of that many bytes is closed and the next one begun. */
const frameBytesFull = 2 ** 16;

/**
 * What may wait for one peer. About 120,000 messages with short names: those who hold many locks renew them all
 * at once, and were the last of them dropped, it would be the same ones each time.
 */
export const outboxBytesMax = 2 ** 23;

export class Outbox {
  private readonly builder = new FrameBuilder();
  private readonly full: Buffer[] = [];
  private fullBytes = 0;

  get byteLength(): number {
    return this.fullBytes + this.builder.byteLength;
  }

  /** False: there was no room, the message is dropped. */
  add(message: Message): boolean {
    if (this.byteLength >= outboxBytesMax) return false;
    this.builder.add(message);
    if (this.builder.byteLength >= frameBytesFull) {
      const frame = this.builder.take();
      this.full.push(frame);
      this.fullBytes += frame.length;
    }
    return true;
  }

  /** The oldest frame, or null. */
  next(): Buffer | null {
    const frame = this.full.shift();
    if (frame !== undefined) {
      this.fullBytes -= frame.length;
      return frame;
    }
    return this.builder.byteLength > 0 ? this.builder.take() : null;
  }

  clear(): void {
    while (this.next() !== null);
  }
}
