/**
 * Work that many clients ask for at once, a little in each turn of the event loop. Law: however much there is, the node's other
 * work goes on between; and however much one client asks for, the next piece of another comes after one of his.
 */

/** So many pieces are done in one turn: a few milliseconds' worth of calls that begin. */
const PIECES_PER_TURN = 64;

export class FairTurns<Client> {
  private left = PIECES_PER_TURN;
  /** Whose turn is next comes first. */
  private readonly waiting = new Map<Client, (() => void)[]>();
  private isNextTurnSet = false;

  /** Now, if this turn has time for it. */
  run(client: Client, piece: () => void): void {
    this.setNextTurn();
    if (this.left > 0) {
      this.left--;
      return piece();
    }
    const pieces = this.waiting.get(client);
    if (pieces === undefined) this.waiting.set(client, [piece]);
    else pieces.push(piece);
  }

  private setNextTurn(): void {
    if (this.isNextTurnSet) return;
    this.isNextTurnSet = true;
    setImmediate(() => {
      this.isNextTurnSet = false;
      this.left = PIECES_PER_TURN;
      while (this.left > 0 && this.waiting.size > 0) this.runNext();
      if (this.waiting.size > 0) this.setNextTurn();
    });
  }

  private runNext(): void {
    for (const [client, pieces] of this.waiting) {
      this.waiting.delete(client);
      const piece = pieces.shift();
      if (pieces.length > 0) this.waiting.set(client, pieces);
      if (piece !== undefined) this.run(client, piece);
      return;
    }
  }
}
