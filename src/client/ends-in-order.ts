/**
 * Ends the streams of one connection. Law: what hears of it on the other side hears of it in the order asked for here.
 * HTTP/2 promises that within a stream alone: of what several have to send when a turn of the event loop is over, newer
 * versions of nghttp2 send the older stream's first, older versions what was there first. Both are the same as long as each
 * stream is younger than the one before; any other ends in a later turn.
 */
export interface Ending {
  /** In the order in which the streams began. */
  readonly number: number;
  end(): void;
}

export class EndsInOrder {
  private readonly waiting: Ending[] = [];
  /** Of the streams that ended in this turn; null when none did. */
  private youngest: number | null = null;

  end(ending: Ending): void {
    this.waiting.push(ending);
    if (this.youngest === null) this.beginTurn();
    else this.endYounger(this.youngest);
  }

  private beginTurn(): void {
    this.endYounger(-Infinity);
    setImmediate(() => {
      this.youngest = null;
      if (this.waiting.length > 0) this.beginTurn();
    });
  }

  private endYounger(than: number): void {
    this.youngest = than;
    for (let [next] = this.waiting; next !== undefined && next.number > this.youngest; [next] = this.waiting) {
      this.waiting.shift();
      this.youngest = next.number;
      next.end();
    }
  }
}
