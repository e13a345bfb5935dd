/**
 * What a holder may believe of its lock: one machine for a caller of this node and for a client of a node.
 * Law: it is held while nobody has said that it was taken and its time has not run out. What was lost never comes back, and
 * only a word about this very lock prolongs it, and none beyond the end that its holder asked for. Time is an argument; whose clock that is, the driver knows.
 * Source: protocol.md sections 6 and 15.
 */

/** What a node tells a client of its lock. The client counts from when it *sent* what the node echoes, so no delay on the way stretches it. */
export interface Validity {
  /** Echo: the client's own time when it sent the newest message that the node had heard. */
  readonly sentAtMs: number;
  readonly validForMs: number;
}

/** Until when, by its own clock, a client that was told this may count on its lock. */
export function believedUntilMs({ sentAtMs, validForMs }: Validity): number {
  return sentAtMs + validForMs;
}

type State =
  | { readonly kind: 'held'; readonly untilMs: number }
  /** Held no longer, and not given back yet. */
  | { readonly kind: 'lost' }
  /** Given back, or lost to a node that knows so itself: nothing more is to be done. */
  | { readonly kind: 'over' };

const LOST: State = { kind: 'lost' };
const OVER: State = { kind: 'over' };

export class HeldLock {
  private state: State;

  /** One that is granted. @param endsAtMs no word prolongs it beyond */
  constructor(untilMs: number, private readonly endsAtMs = Infinity) {
    this.state = { kind: 'held', untilMs: Math.min(untilMs, endsAtMs) };
  }

  get isHeld(): boolean {
    return this.state.kind === 'held';
  }

  get isOver(): boolean {
    return this.state.kind === 'over';
  }

  /** 0 unless it is held at `nowMs`. */
  validForMs(nowMs: number): number {
    return this.state.kind === 'held' ? Math.max(0, this.state.untilMs - nowMs) : 0;
  }

  /** The node's own word on a lock of its own caller: for longer, or after sleep for less. Of what is held no longer it changes nothing. */
  renewed(untilMs: number): void {
    if (this.state.kind === 'held') this.state = { kind: 'held', untilMs: Math.min(untilMs, this.endsAtMs) };
  }

  /** A word of the node to its client. It may be late, so it never shortens. Returns whether the lock is valid for longer now. */
  told(validity: Validity): boolean {
    const untilMs = Math.min(believedUntilMs(validity), this.endsAtMs);
    if (this.state.kind !== 'held' || untilMs <= this.state.untilMs) return false;
    this.state = { kind: 'held', untilMs };
    return true;
  }

  /** Whether its time ran out and nobody noticed yet: then it is lost from now on. */
  runsOut(nowMs: number): boolean {
    return this.state.kind === 'held' && nowMs >= this.state.untilMs && this.lose();
  }

  /** It was taken. Returns whether that is news. */
  lose(): boolean {
    if (this.state.kind !== 'held') return false;
    this.state = LOST;
    return true;
  }

  /** It is given back, or need not be. */
  end(): void {
    this.state = OVER;
  }
}
