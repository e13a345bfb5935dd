/**
 * fenced: what a lock with tokens is for. Each exclusive holder writes to a resource that accepts a write only
 * with a token at least as large as any that it has seen; writes may arrive long after their holder was followed.
 * No write may be accepted from a holder when one of a later holder was accepted before. Who is later is
 * decided by what the holders could know, not by clocks: the one who asked when the other was inside already.
 * Must never look into the core: it sees tokens, as a resource does.
 */
import type { CallerId, LockName, NodeId, Token } from '../../src/core';
import { violated } from './checks';

export interface Write {
  readonly lock: number;
  readonly token: Token;
  /** Who writes, for the report. */
  readonly node: NodeId;
  readonly caller: CallerId;
  /** The number of the event at which its holder entered, and of the one at which the request was sent that it entered by. */
  readonly enteredAt: number;
  readonly openedAt: number;
}

export class FencedResource {
  private readonly highest: Token[];
  /** Of all writes that were accepted, the one whose request was sent last. */
  private readonly latest: (Write | null)[];
  refused = 0;
  accepted = 0;

  constructor(
    private readonly lockNames: readonly LockName[],
    /** A resource that does not look at tokens shows what they are good for. */
    private readonly looksAtTokens = true,
  ) {
    this.highest = lockNames.map(() => 0);
    this.latest = lockNames.map(() => null);
  }

  accepts({ lock, token }: Write): boolean {
    return !this.looksAtTokens || token >= (this.highest[lock] ?? 0);
  }

  arrives(write: Write): void {
    const { lock, token } = write;
    if (!this.accepts(write)) {
      this.refused++;
      return;
    }
    this.accepted++;
    this.highest[lock] = token;
    const latest = this.latest[lock] ?? null;
    if (latest !== null && latest.openedAt > write.enteredAt) {
      violated('fenced', `a write of ${writerOf(write)} (lock ${this.lockNames[lock]}, token ${token}) was accepted after one of ${writerOf(latest)} `
        + `(token ${latest.token}), who asked when the other was inside already`);
    }
    if (latest === null || write.openedAt > latest.openedAt) this.latest[lock] = write;
  }
}

function writerOf({ node, caller }: Write): string {
  return `${node} caller ${caller}`;
}
