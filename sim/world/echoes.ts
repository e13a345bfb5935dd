/** What was sent on each link lately, for the fault that sends it again. */
import type { Message, MessageKind } from '../../src/core';
import { ECHO_MEMORY } from '../plan/plan';

export class Echoes {
  /** By link, then by kind or for all kinds; the newest comes last. */
  private readonly sent = new Map<number, Map<MessageKind | 'any', Message[]>>();

  remember(link: number, message: Message): void {
    this.append(link, message.kind, message);
    this.append(link, 'any', message);
  }

  /** In the order in which they were sent: the last `count`, without the `back` very last ones. */
  recall(link: number, kind: MessageKind | 'any', back: number, count: number): Message[] {
    const messages = this.sent.get(link)?.get(kind) ?? [];
    const end = Math.max(0, messages.length - back);
    return messages.slice(Math.max(0, end - count), end).map((message) => ({ ...message }));
  }

  private append(link: number, kind: MessageKind | 'any', message: Message): void {
    let kinds = this.sent.get(link);
    if (kinds === undefined) {
      kinds = new Map<MessageKind | 'any', Message[]>();
      this.sent.set(link, kinds);
    }
    const messages = kinds.get(kind);
    if (messages === undefined) kinds.set(kind, [message]);
    else if (messages.push(message) > ECHO_MEMORY) messages.shift();
  }
}
