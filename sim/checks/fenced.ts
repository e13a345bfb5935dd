/**
 * fenced: what a lock with tokens is for. Each exclusive holder writes to a resource that looks at tokens, and writes
 * may arrive long after their holder was followed. No write may be accepted from a holder when one of a later
 * holder was accepted before. Who is later is decided by what the holders could know, not by clocks: the one who
 * asked when the other was inside already.
 * Must never look into the core: it sees tokens, as a resource does.
 */
import { violated } from './check';
import type { Openings } from './openings';
import type { Scene } from './scene';
import type { TokenPromise } from './token-promise';
import type { Entry, Witness, Write } from './witness';

/** Numbers of events: when a holder entered, and when the request was sent that it entered by. */
interface When {
  readonly enteredAt: number;
  readonly openedAt: number;
}

export class Fenced implements Witness {
  /** By number of the hold. */
  private readonly holders: When[] = [];
  /** Per lock: of all writes that were accepted, the one whose request was sent last. */
  private readonly latest: ({ readonly write: Write; readonly openedAt: number } | null)[];

  constructor(private readonly scene: Scene, private readonly promise: TokenPromise, private readonly openings: Openings) {
    this.latest = scene.locks.map(() => null);
  }

  entered(entry: Entry): void {
    this.holders[entry.hold.number] = { enteredAt: this.scene.events, openedAt: this.openings.eventOf(entry) };
  }

  wrote(write: Write, isAccepted: boolean): void {
    const { lock, token, hold } = write;
    const when = this.holders[hold.number];
    if (when === undefined) throw new RangeError(`a write of ${writerOf(write)}, which did not enter`);
    if (!isAccepted || this.promise.isVoid) return;
    const latest = this.latest[lock] ?? null;
    if (latest !== null && latest.openedAt > when.enteredAt) {
      violated('fenced', `a write of ${writerOf(write)} (lock ${this.scene.locks[lock]}, token ${token}) was accepted after one of ${writerOf(latest.write)} `
        + `(token ${latest.write.token}), who asked when the other was inside already`);
    }
    if (latest === null || when.openedAt > latest.openedAt) this.latest[lock] = { write, openedAt: when.openedAt };
  }
}

function writerOf({ node, caller }: Pick<Write, 'node' | 'caller'>): string {
  return `${node} caller ${caller}`;
}
