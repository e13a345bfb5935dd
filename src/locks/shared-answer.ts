/**
 * One answer for all who ask the same while it is made. Law: an answer is never older than the question, so who asks while one
 * is under way gets the next; so there is one under way and one to come, however many ask.
 */
export class SharedAnswer<Answer> {
  private current: Promise<Answer> | undefined;
  private next: Promise<Answer> | undefined;

  constructor(private readonly find: () => Promise<Answer>) {}

  ask(): Promise<Answer> {
    if (this.current === undefined) return this.begin();
    return (this.next ??= this.current.then(() => this.beginNext(), () => this.beginNext()));
  }

  private beginNext(): Promise<Answer> {
    this.next = undefined;
    return this.begin();
  }

  private begin(): Promise<Answer> {
    const answer = this.find().finally(() => {
      if (this.current === answer) this.current = undefined;
    });
    this.current = answer;
    return answer;
  }
}
