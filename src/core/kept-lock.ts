/**
 * A lock that its client keeps when it is done with it, as a node keeps votes: to enter again takes no message, only the next token
 * of the room that the node told. To the node it is held all the while.
 * Law: nobody enters again once somebody else is known to want the lock, once the stream broke over which the room was told, with the
 * last token of the room taken, or with less than a tenth of the lease left. An idle lock is kept no longer than was told when it became
 * idle. Pure: time is an argument. Source: protocol.md section 15.4.
 */
import { reentryLeftMs } from './lease-times';
import type { Token } from './messages';

export class KeptLock {
  private isKept = true;
  private idleUntilMs = -Infinity;
  private taken: Token;

  /** One that is granted, and in use. @param token that it was granted with @param roomUntil the highest that may be taken */
  constructor(
    token: Token,
    private readonly roomUntil: Token,
    private readonly leaseMs: number,
  ) {
    this.taken = token;
  }

  /** The highest token that was taken. */
  get token(): Token {
    return this.taken;
  }

  /** Until when it is kept if nobody enters again. */
  get endsAtMs(): number {
    return this.isKept ? this.idleUntilMs : -Infinity;
  }

  /** Others want it, or its stream broke: it is entered no further time. */
  keepNoLonger(): void {
    this.isKept = false;
  }

  /** It is in use no more. Returns whether it is kept; if not, it is to be given back. @param untilMs until when it may be believed in */
  leave(nowMs: number, untilMs: number): boolean {
    this.idleUntilMs = untilMs;
    return this.isKept && untilMs > nowMs;
  }

  /** Returns the token of one more entry; or null: it is to be given back, and asked for anew. @param untilMs as in `leave` */
  enter(nowMs: number, untilMs: number): Token | null {
    const mayEnter = this.isKept && this.taken < this.roomUntil && untilMs - nowMs >= reentryLeftMs(this.leaseMs);
    return mayEnter ? ++this.taken : null;
  }
}
