/** What was sent on each link lately, for the fault that sends it again. */
import type { Message, MessageKind } from '../src/core';

/** An echo is of the last message of its kind, or of one so many before it. */
export const ECHO_BACK_MAX = 2;

export class Echoes {
  /** By link, then by kind; the newest comes last. */
  private readonly sent = new Map<number, Map<MessageKind, Message[]>>();

  remember(link: number, message: Message): void {
    let kinds = this.sent.get(link);
    if (kinds === undefined) this.sent.set(link, (kinds = new Map()));
    const messages = kinds.get(message.kind);
    if (messages === undefined) kinds.set(message.kind, [message]);
    else if (messages.push(message) > ECHO_BACK_MAX + 1) messages.shift();
  }

  recall(link: number, kind: MessageKind, back: number): Message | null {
    const message = this.sent.get(link)?.get(kind)?.at(-1 - back);
    return message === undefined ? null : { ...message };
  }
}
